"""What attackers leave in a mail log: one function for each kind of visit."""

from __future__ import annotations

import base64
from collections.abc import Callable

from bench.writer import GUESSES, NAMES, Writer

PROVIDERS = tuple(
    f"{name}.example" for name in "gmail outlook freemail isp bank newsletter university webmail".split()
)  # the domains of mail from and to the outside
CIPHERS = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
    "server-signature RSA-PSS (2048 bits) server-digest SHA256",
    "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
    "TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits) key-exchange X25519 "
    "server-signature ECDSA (P-256) server-digest SHA256",
)
HELOS = (
    "User ADMIN WIN-8K2J4L1 localhost [127.0.0.1] ylmf-pc WORKGROUP mail.example.org smtp EHLO DESKTOP-9F3KQ2 masscan server"
).split()
SENDERS = ("spameri@tiscali.example", "test@example.net", "probe@scan.example", "admin@example.org", "")
SMTPD = ("postfix/smtpd", "postfix/submission/smtpd", "postfix/smtps/smtpd")

Attack = Callable[[Writer, float, str], None]


def door(address: str) -> str:
    """The service that an attacker knocks at, always the same for one address."""
    number = 0
    for letter in address[-4:]:
        number = number * 31 + ord(letter)
    return SMTPD[number % 3]


def sasl(w: Writer, t: float, address: str, tries: int = 1) -> None:
    """One SMTP session with wrong passwords."""
    r = w.random
    host = w.reverse(address)
    program = w.tag(door(address))
    peer = f"{host}[{address}]"

    def e(at: float, text: str, program: str = program) -> None:
        w.emit(at, program, text, True)

    if host.startswith("hosted-by"):
        e(t, f"warning: hostname {host} does not resolve to address {address}{r.choice(('', ': Name or service not known'))}")
    e(t, f"connect from {peer}")
    if r.random() < 0.35:
        e(t + 0.2, f"Anonymous TLS connection established from {peer}: {r.choice(CIPHERS)}")
    dt = 0.5
    n = tries if tries > 1 else r.choices((1, 2, 3), (80, 14, 6))[0]
    for _ in range(n):
        user = w.guess()
        mech = r.choices(("LOGIN", "PLAIN", "CRAM-MD5", "DIGEST-MD5"), (75, 18, 5, 2))[0]
        dt += r.uniform(0.3, 2.5)
        if r.random() < 0.5:
            driver = r.choice(("passwd-file", "sql", "pam"))
            why = "unknown user" if user not in w.users else "Password mismatch"
            at = t + dt - 0.02
            if driver == "pam":
                text = f"pam({user},{address}): pam_authenticate() failed: Authentication failure (Password mismatch?)"
                e(at, f"auth: {text}", "dovecot")
            elif driver == "sql":
                text = f"auth-worker({w.pid('aw')}): conn unix:auth-worker (pid={w.pid('au')},uid=112): "
                e(at, f"{text}auth-worker<{r.randrange(9999)}>: sql({user},{address}): {why}", "dovecot")
            else:
                e(at, f"auth: passwd-file({user},{address}): {why}", "dovecot")
        reasons = (
            ("UGFzc3dvcmQ6", 60),
            ("authentication failure", 20),
            ("(reason unavailable)", 10),
            ("VXNlcm5hbWU6", 6),
            ("Connection lost to authentication server", 2),
            ("Invalid authentication mechanism", 2),
        )
        reason = r.choices([text for text, _ in reasons], [share for _, share in reasons])[0]
        tail = "" if r.random() < 0.35 else f", sasl_username={user}"
        e(t + dt, f"warning: {peer}: SASL {mech} authentication failed: {reason}{tail}")
    x = r.random()
    if n >= 20:
        e(t + dt + 0.1, f"too many errors after AUTH from {peer}")
    elif x < 0.35:
        e(t + dt + 0.1, f"lost connection after AUTH from {peer}")
    elif x < 0.40:
        e(t + dt + 0.1, f"timeout after AUTH from {peer}")
    end, good = ("", 1) if x < 0.4 else (" rset=1 quit=1", 3)
    e(t + dt + 0.15, f"disconnect from {peer} ehlo=1 auth=0/{n}{end} commands={good}/{n + good}")


def brute(w: Writer, t: float, address: str) -> None:
    """One SMTP session with many wrong passwords."""
    sasl(w, t, address, w.random.randrange(4, 25))


def imap(w: Writer, t: float, address: str) -> None:
    """One Dovecot session with wrong passwords, or with none."""
    r = w.random
    service = r.choices(("imap", "pop3", "managesieve"), (75, 23, 2))[0]
    user = w.guess()
    n = r.choices((1, 2, 3), (70, 20, 10))[0]
    seconds = n * 2 + r.randrange(9)
    dt = 0.2
    if r.random() < 0.6:
        for _ in range(n):
            who = f"{r.choice(('passwd-file', 'sql', 'pam', 'ldap'))}({user},{address},<{w.session()}>)"
            why = "unknown user"
            if user in w.users:
                why = r.choice(
                    ("Password mismatch", f"Password mismatch (SHA1 of given password: {r.randrange(1 << 24):06x})")
                )
            w.emit(t + dt, "dovecot", f"auth: {who}: {why}", True)
            dt += 2
    tls = r.choice((", TLS", ", TLS: Disconnected", "", ", TLS: Connection closed"))
    x = r.random()
    where = f"rip={address}, lip={w.local(address)}"
    if w.options.dovecot24 or x < 0.1:
        text = (
            f"Login aborted: Connection closed (auth failed, {n} attempts in {seconds} secs) (auth_failed): "
            f"user=<{user}>, method=PLAIN, {where}{tls}, session=<{w.session()}>"
        )
    elif x < 0.8:
        left = ("Disconnected", "Disconnected: Connection closed", "Aborted login", "Disconnected: Inactivity")
        text = (
            f"{r.choice(left)} (auth failed, {n} attempts in {seconds} secs): user=<{user}>, "
            f"method={r.choice(('PLAIN', 'PLAIN', 'LOGIN', 'CRAM-MD5'))}, {where}{tls}, session=<{w.session()}>"
        )
    elif x < 0.92:
        text = (
            f"Disconnected{r.choice(('', ': Connection closed'))} (no auth attempts in {seconds} secs): user=<>, "
            f"{where}{tls}, session=<{w.session()}>"
        )
    else:
        text = (
            "Disconnected: Connection closed: SSL_accept() failed: error:0A000102:SSL routines::unsupported protocol "
            f"(no auth attempts in 0 secs): user=<>, {where}, TLS handshaking, session=<{w.session()}>"
        )
    w.emit(t + seconds, "dovecot", f"{service}-login: {text}", True)


def both(w: Writer, t: float, address: str) -> None:
    """Wrong passwords over SMTP or IMAP."""
    (sasl if w.random.random() < 0.5 else imap)(w, t, address)


def relay(w: Writer, t: float, address: str) -> None:
    """A look whether this server carries mail for strangers."""
    r = w.random
    program = w.tag("postfix/smtpd")
    peer = f"{w.reverse(address)}[{address}]"
    w.emit(t, program, f"connect from {peer}", True)
    n = r.choices((1, 2, 5), (70, 20, 10))[0]
    for i in range(n):
        to = f"{r.choice(NAMES)}@{r.choice(PROVIDERS)}"
        text = (
            f"NOQUEUE: reject: RCPT from {peer}: 454 4.7.1 <{to}>: Relay access denied; "
            f"from=<{r.choice(SENDERS)}> to=<{to}> proto=ESMTP helo=<{r.choice(HELOS)}>"
        )
        w.emit(t + 0.5 + i * 0.3, program, text, True)
    if r.random() < 0.4:
        w.emit(t + 3, program, f"lost connection after RCPT from {peer}", True)
    w.emit(t + 3.1, program, f"disconnect from {peer} ehlo=1 mail=1 rcpt=0/{n} quit=1 commands=3/{3 + n}", True)


def refused(w: Writer, t: float, address: str) -> None:
    """A spammer who is refused for one of the usual reasons."""
    r = w.random
    program = w.tag("postfix/smtpd")
    peer = f"{w.reverse(address)}[{address}]"
    w.emit(t, program, f"connect from {peer}", True)
    to = w.guess()
    sender = f"{r.choice(NAMES)}@{r.choice(PROVIDERS)}"
    tail = f"from=<{sender}> to=<{to}> proto={r.choice(('ESMTP', 'SMTP'))} helo=<{r.choice(HELOS)}>"
    why = r.choice(
        (
            f"554 5.7.1 Service unavailable; Client host [{address}] blocked using zen.dnsbl.example; "
            f"https://check.dnsbl.example/query/ip/{address};",
            f"550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table;",
            f"450 4.7.25 Client host rejected: cannot find your hostname, [{address}];",
            f"504 5.5.2 <{r.choice(HELOS)}>: Helo command rejected: need fully-qualified hostname;",
            f"450 4.1.8 <{sender}>: Sender address rejected: Domain not found;",
        )
    )
    w.emit(t + 0.6, program, f"NOQUEUE: reject: RCPT from {peer}: {why} {tail}", True)
    if r.random() < 0.3:
        w.emit(t + 0.8, program, f"lost connection after RCPT from {peer}", True)
    w.emit(t + 0.9, program, f"disconnect from {peer} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", True)


def scan(w: Writer, t: float, address: str) -> None:
    """A scanner that speaks TLS, HTTP or RDP to a mail port."""
    r = w.random
    program = w.tag(door(address))
    peer = f"{w.reverse(address)}[{address}]"

    def e(at: float, text: str) -> None:
        w.emit(at, program, text, True)

    e(t, f"connect from {peer}")
    x = r.random()
    if x < 0.30:
        e(t + 0.1, f"lost connection after {r.choice(('CONNECT', 'EHLO', 'STARTTLS', 'UNKNOWN'))} from {peer}")
    elif x < 0.5:
        e(t + 0.1, f"SSL_accept error from {peer}: {r.choice(('-1', 'lost connection', 'Connection reset by peer'))}")
        library = "error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:354:"
        e(t + 0.11, f"warning: TLS library problem: {library}")
        e(t + 0.12, f"lost connection after CONNECT from {peer}")
    elif x < 0.65:
        e(t + 0.1, f"warning: non-SMTP command from {peer}: GET / HTTP/1.1")
    elif x < 0.8:
        noise = r"\003\000\000/*\340\000\000\000\000\000Cookie: mstshash=Administr"
        e(t + 0.1, f"improper command pipelining after {r.choice(('CONNECT', 'EHLO'))} from {peer}: {noise}")
    elif x < 0.9:
        e(t + 0.1, f"warning: Connection rate limit exceeded: {r.randrange(20, 90)} from {peer} for service smtp")
    else:
        e(t + 0.1, f"warning: hostname x.scan.example does not resolve to address {address}")
    e(t + 0.2, f"disconnect from {peer} unknown=0/1 commands=0/1")


def postscreen(w: Writer, t: float, address: str) -> None:
    """A visitor whom postscreen sees off."""
    r = w.random
    program = w.tag("postfix/postscreen", 0.01)
    where = f"[{address}]:{r.randrange(1024, 65535)}"

    def e(at: float, text: str) -> None:
        w.emit(at, program, text, True)

    e(t, f"CONNECT from {where} to [{w.local4}]:25")
    x = r.random()
    if x < 0.5:
        length, hundredths = r.randrange(8, 40), r.randrange(99)
        e(t + 0.1, rf"PREGREET {length} after 0.{hundredths:02d} from {where}: EHLO {r.choice(HELOS)}\r\n")
    elif x < 0.8:
        e(t + 0.3, f"DNSBL rank {r.randrange(3, 9)} for {where}")
        text = (
            f"NOQUEUE: reject: RCPT from {where}: 550 5.7.1 Service unavailable; client [{address}] blocked using "
            f"zen.dnsbl.example; from=<{r.choice(SENDERS)}>, to=<{w.guess()}>, proto=ESMTP, helo=<{r.choice(HELOS)}>"
        )
        e(t + 0.9, text)
    e(t + 1, f"HANGUP after 0.{r.randrange(99):02d} from {where} in tests after SMTP handshake")
    e(t + 1.01, f"DISCONNECT {where}")


def inject(w: Writer, t: float, address: str, victims: tuple[str, str]) -> None:
    """Text that wants a log reader to blame somebody else: each line contains an innocent address."""
    r = w.random
    victim = victims[0] if r.random() < 0.5 else r.choice(("127.0.0.1", "192.0.2.53", victims[1]))
    peer = f"unknown[{address}]"
    program = w.tag("postfix/smtpd")
    failed = f"unknown[{victim}]: SASL LOGIN authentication failed"
    x = r.randrange(8)
    if x == 0:
        text = (
            f"NOQUEUE: reject: RCPT from {peer}: 504 5.5.2 <{failed}: x>: Helo command rejected: need fully-qualified "
            f"hostname; from=<a@b.example> to=<info@example.org> proto=ESMTP helo=<{failed}: x>"
        )
    elif x == 1:
        head = f"warning: {peer}: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username="
        text = f"{head}x from {failed}: UGFzc3dvcmQ6"
    elif x == 2:
        answer = base64.b64encode(f"user[{victim}]".encode()).decode()
        text = f"warning: {peer}: SASL PLAIN authentication failed: {answer}, sasl_username=admin[{victim}]"
    elif x == 3:
        program = "dovecot"
        text = (
            f"imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a>, method=PLAIN, rip={victim}, "
            f"lip=192.0.2.1, session=<x>, method=PLAIN, rip={address}, lip={w.local4}, session=<{w.session()}>"
        )
    elif x == 4:
        program = "dovecot"
        text = f"auth: passwd-file(a,{victim}): unknown user x,{address}): unknown user"
    elif x == 5:
        text = rf"improper command pipelining after EHLO from {peer}: EHLO x\r\nwarning: {failed}: UGFzc3dvcmQ6"
    elif x == 6:
        text = f"warning: non-SMTP command from {peer}: lost connection after AUTH from unknown[{victim}]"
    else:
        rcpt = f'<"x from unknown[{victim}]: 554 5.7.1"@example.org>'
        text = (
            f"NOQUEUE: reject: RCPT from {peer}: 550 5.1.1 {rcpt}: Recipient address rejected: User unknown; "
            f"from=<b@c.example> to={rcpt} proto=ESMTP helo=<[{victim}]>"
        )
    w.emit(t, program, text, True)


def ssh(w: Writer, t: float, address: str) -> None:
    """One guess at sshd."""
    r = w.random
    program = w.tag("sshd", 1)
    port = r.randrange(1024, 65535)
    user = r.choice(GUESSES)
    known = user in ("root", "backup", "mail")
    if not known:
        w.emit(t, program, f"Invalid user {user} from {address} port {port}", True)
    pam = "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser="
    w.emit(t + 0.1, program, f"{pam} rhost={address}{f'  user={user}' if known else ''}", True)
    kind = "" if known else "invalid user "
    w.emit(t + 2, program, f"Failed password for {kind}{user} from {address} port {port} ssh2", True)
    state = "authenticating" if known else "invalid"
    w.emit(t + 2.5, program, f"Connection closed by {state} user {user} {address} port {port} [preauth]", True)
