"""Log lines in which everything that an attacker may choose tries to be markup, script, or to turn the text around."""

HIT = "window.hit=1"
WORDS = [
    f"<script>{HIT}</script>",
    f"</script><script>{HIT}</script>",
    f'"><img/src=x/onerror="{HIT}">',
    f"'onmouseover='{HIT}'x='",
    f"<svg/onload={HIT}>",
    f"javascript:{HIT}//",
    f"]]><script>{HIT}</script>",
    f"<!--<script>{HIT}//-->",
    f"</title><script>{HIT}</script>",
    f"</style><script>{HIT}</script>",
    f"<iframe/srcdoc=<script>parent.{HIT}</script>>",
    f"{{{{constructor.constructor('{HIT}')()}}}}",
    "${" + HIT + "}",
    f"<a/href=javascript:{HIT}>x",
    "__proto__",
    "constructor",
    "\u202etxt.exe\u202d",
    "\u2066x\u2069\u200f\u061c",
    "\u2028\u2029",
    "\x1b]0;x\x07\x1b[31m",
    "\x00\x01\x7f\x85",
    "&lt;b&gt;&#60;script&#62;",
    "\\u003cscript\\u003e",
    "{n}{time}{nobody}",
    "%s%(x)s",
    "a" * 400,
]


def lines():
    """A mail log and an auth log of one day: guessers in one network and apart, a break-in, an alarm, packets."""
    out = []
    second = 0

    def add(text):
        nonlocal second
        second += 7
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        out.append(f"2026-09-04T{clock}+00:00 mail {text}")

    for i, word in enumerate(WORDS):
        near, far = f"203.0.113.{i + 1}", f"198.51.100.{i + 1}"
        for k in range(4):
            add(f"postfix/smtpd[{i + 10}]: warning: unknown[{near}]: SASL LOGIN authentication failed: x, sasl_username={word}{k}")
            add(f"dovecot: imap-login: Disconnected (auth failed, 3 attempts in 9 secs): user=<{word}{k}>, method=PLAIN, rip={far}, lip=192.0.2.1, session=<{word}>")
            add(f"sshd[{4000 + i}]: Invalid user {word}{k} from 2001:db8:bad:{i + 1:x}::7 port 5000")
            add(f"sshd[{4000 + i}]: Failed password for invalid user {word}{k} from 2001:db8:bad:{i + 1:x}::7 port 5000 ssh2")
        add(f"postfix/smtpd[9]: NOQUEUE: reject: RCPT from {word}[{far}]: 554 5.7.1 <{word}>: Relay access denied; from=<{word}> to=<{word}> proto=ESMTP helo=<{word}>")
        add(f"dovecot: imap-login: Login: user=<{word}>, method=PLAIN, rip={near}, lip=192.0.2.1, mpid=7, session=<{word}>")
        add(f"dovecot: imap-login: Login: user=<{word}@example.net>, method=PLAIN, rip=192.0.2.{i + 9}, lip=192.0.2.1, mpid=7, session=<x>")
        add(f"kernel: [UFW BLOCK] IN=eth0 OUT= MAC=0 SRC={far} DST=192.0.2.1 LEN=40 PROTO=TCP SPT=1 DPT=23 WINDOW=1 {word}")
        add(f"dovecot: auth: passwd-file({word},{far}): unknown user {word}")
    return "\n".join(out) + "\n"
