"""Every example of every declaration: by its own declaration, under every header, cut at every byte, doubled, and with hostile texts.

The law of it all: nobody but the example's client is ever blamed. (tests/parse/test_formats.py asks the same more lightly.)
"""

import json
import re

import pytest

from monzen.parse.address import text
from monzen.parse.declare import reader
from monzen.parse.header import split
from monzen.parse.line import read_line
from monzen.parse.program import FAMILIES, LITERALS
from monzen.types import Kind, Weight
from tests.parse.lines import EXAMPLES, LOOPS, clock, json_record, read, said, says, shapes, wanted

IDS = [f"{family.name}: {example[:80]}" for family, _, example, _ in EXAMPLES]
HEAD = "Sep  4 09:39:45 mail "
GOOD = (Kind.AUTH_SUCCESS, Kind.DELIVERED)


def essence(fact):
    """What must not depend on the header."""
    return None if fact is None else (fact.kind, fact.weight, fact.client, fact.user, fact.service, fact.attempts, fact.account)


# ---- the declarations


def test_every_declaration_has_an_example():
    shown = {reads.about for _, reads, _, _ in EXAMPLES}
    for family in FAMILIES:
        for reads in family.reads:
            assert reads.about in shown
            assert all(len(literal) > 0 for literal in reads.literals)


def test_names_of_families_are_unique():
    assert len({f.name for f in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_a_literal_stands_in_the_message(family, reads, example, keys):
    """The reader looks at no line without a literal: what is live would be overlooked."""
    if keys.get("kind", "") is None:
        return
    message = split((HEAD + example).encode()).message
    assert any(literal in message for literal in reads.literals)
    if reads.live:
        assert any(literal in message for literal in LITERALS)


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_read_by_its_own_declaration(family, reads, example, keys):
    """The first declaration that fits wins. An earlier one may win only where it says the same."""
    if keys.get("kind", "") is None:
        return
    header = split((HEAD + example).encode())
    message = re.sub(rb"^message repeated \d+ times: \[ ?(.*?) ?\]$", rb"\1", header.message)
    own = reader(reads)(message, header.program.service)
    assert own is not None
    assert own.about == reads.about
    for earlier in family.reads:
        if earlier is reads:
            break
        if any(literal in message for literal in earlier.literals):
            fact = reader(earlier)(message, header.program.service)
            assert fact is None or essence(fact)[:4] == essence(own)[:4], earlier.about


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_as_declared(family, reads, example, keys):
    """Bare, as it stands in the declaration."""
    assert set(keys) <= {"client", "user", "attempts", "service", "kind", "weight"}
    fact = says(example)
    if keys.get("kind", "") is None:
        assert fact is None
        return
    want = wanted(reads, keys)
    assert {k: said(fact)[k] for k in want} == want
    assert fact.weight in (Weight.NONE, Weight.WEAK, Weight.STRONG)


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_the_same_under_every_header(family, reads, example, keys):
    """By itself, and out of the reader of blocks with either loop: whatever has a weight is an event with the same client and user."""
    alone = essence(says(example))
    bare = says(HEAD + example)
    assert essence(bare) == alone
    for shape, line in shapes(example).items():
        assert essence(says(line)) == alone, (shape, line)
        for compiled in LOOPS:
            if shape == "journald, bytes" and not compiled:
                continue  # a test of its own, below
            events = read(line.encode() + b"\n", compiled=compiled)
            if events:
                assert [essence(e.fact) for e in events] == [alone], (shape, line)
                assert events[0].attempts == alone[5]
                assert events[0].time == pytest.approx(1788514785, abs=1), shape
            else:
                assert alone is None or not alone[1], (shape, line)
                assert alone is None or alone[0] not in GOOD, (shape, line)


@pytest.mark.parametrize("compiled", LOOPS, ids=lambda c: "C" if c else "Python")
@pytest.mark.parametrize("message", ["Failed password for root from 192.0.2.7 port 22 ssh2", "error: PAM: Authentication failure for root from 192.0.2.7"])
def test_a_program_in_brackets(message, compiled):
    """`2026-09-04T09:39:45+00:00 [sshd] ...`: no colon needs to follow (FACTS section C)."""
    line = f"2026-09-04T09:39:45+00:00 [sshd] {message}"
    assert text(says(line).client) == "192.0.2.7"
    assert [text(e.fact.client) for e in read(line.encode() + b"\n", compiled=compiled)] == ["192.0.2.7"]


@pytest.mark.parametrize("compiled", LOOPS, ids=lambda c: "C" if c else "Python")
def test_a_record_of_the_journal_that_does_not_show_its_text(compiled):
    """A name that is not UTF-8 makes journald print the message as a list of bytes: nobody may hide behind that."""
    message = b"warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x, sasl_username=\xff\xfe"
    record = json_record("postfix/smtpd[7]: x", MESSAGE=list(message))
    (event,) = read(record.encode() + b"\n", compiled=compiled)
    assert (text(event.fact.client), event.fact.user, event.attempts) == ("192.0.2.7", b"\xff\xfe", 1)


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_no_other_program_may_say_it(family, reads, example, keys):
    """Behind the name of a program that is not ours, behind ours that writes something else, and in the journal of a local user: no event."""
    _, _, message = example.partition(": ")
    for name in ("cron[7]", "postfix/smtp[7]", "opendkim[7]", "logger", "evil"):
        for compiled in LOOPS:
            assert read(f"{HEAD}{name}: {message}\n{HEAD}{name}: {example}\n".encode(), compiled=compiled) == [], name
        fact = says(f"{HEAD}{name}: {message}")
        assert fact is None or not fact.weight
    record = json_record(example, _UID="1000", _EXE="/usr/bin/logger", _TRANSPORT="syslog")
    assert says(record) is None
    assert read(record.encode() + b"\n") == []


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_without_a_program_or_a_time_it_is_no_event(family, reads, example, keys):
    """A bare message is understood by explain only."""
    _, _, message = example.partition(": ")
    for line in (example, message, "mail " + example, HEAD + message):
        events = read(line.encode() + b"\n")
        assert [e for e in events if not line.startswith(HEAD) or split(line.encode()).program is None] == []


# ---- cut short

# A line that was cut inside its address may name another one: 203.0.113.11 of 203.0.113.117. What ends the address:
#   Postfix smtpd, cleanup, postscreen, tlsproxy  `]`        ufw  a blank        anvil  `)`
#   Dovecot's auth  `,` or `)`      its login processes  `, lip=`, but login_log_format_elements may end in rip=%r
#   sshd  ` port N`, but before OpenSSH 7.2 many lines ended with the address; PAM's `rhost=A` may always be the last word
# So only lines of the last three may be believed when they end in an address, for those cannot be known to be cut.
ENDS_BARE = re.compile(rb"(?: from | FROM | rhost=|, rip=)[0-9A-Fa-f.:]+\Z")
LONG = {4: "203.0.113.117", 6: "2001:db8:1234:5678::1:17"}


def with_long_address(example, keys):
    """The example with an address whose beginnings are addresses, too; and that address."""
    client = keys.get("client")
    if not client:
        found = re.search(r"192\.0\.2\.7(?!\d)|2001:db8::7", example)
        client = found[0] if found else None
    if client is None or client not in example:
        return None, None
    new = LONG[6 if ":" in client else 4]
    return example.replace(client, new), new


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_cut_at_every_byte(family, reads, example, keys):
    longer, client = with_long_address(example, keys)
    if longer is None:
        return
    line = (HEAD + longer).encode()
    for end in range(len(line)):
        cut = line[:end]
        fact = read_line(cut, clock(), bare=True)[0]
        if fact is None or not fact.weight or not fact.client or text(fact.client) == client:
            continue
        named = text(fact.client)
        if stands_alone(longer, named):
            # The client's own words hold another address, complete: a client with a shorter name would have left just these bytes.
            assert b"198.51.100.9" in cut
            continue
        assert ENDS_BARE.search(cut), (fact.about, cut)
        assert client.startswith(named) or "::" in named


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_cut_at_every_byte_scan_says_what_explain_says(family, reads, example, keys):
    """The reader of blocks has caches and short cuts; whatever it makes of half a line, explain makes of it."""
    line = (HEAD + (with_long_address(example, keys)[0] or example)).encode()
    for end in range(len(line)):
        alone = essence(says(line[:end]))
        for compiled in LOOPS:
            assert [essence(e.fact) for e in read(line[:end] + b"\n", compiled=compiled)] in ([], [alone]), line[:end]


def stands_alone(line, address):
    """Whether this address stands in the line by itself, not as a part of a longer one."""
    return re.search(rf"(?<![0-9A-Fa-f:.]){re.escape(address)}(?![0-9A-Fa-f:]|\.\d)", line) is not None


# ---- doubled


@pytest.mark.parametrize(("family", "reads", "example", "keys"), EXAMPLES, ids=IDS)
def test_doubled(family, reads, example, keys):
    """Two records that lost the newline between them, and the same twice: never anybody else, never more than each line says."""
    whole = says(HEAD + example)
    other = example.replace("192.0.2.7", "198.51.100.66").replace("2001:db8::7", "2001:db8:bad::66")
    for line in (HEAD + example + HEAD + example, HEAD + example + example, HEAD + example + " " + example):
        fact = says(line)
        if fact is not None and fact.weight:
            assert fact.client == whole.client, line
            assert fact.attempts <= max(whole.attempts, 1)
    fact = says(HEAD + example + HEAD + other)
    if fact is not None and fact.weight and keys.get("kind", "") is not None:
        # the end of a line decides for sshd, Dovecot and PAM: then it is the second record that is read, and it names its own client
        assert text(fact.client) in (text(whole.client), "198.51.100.66", "2001:db8:bad::66"), line
        assert fact.kind not in GOOD
    for compiled in LOOPS:
        twice = read(f"{HEAD}{example}\n{HEAD}{example}\n".encode(), compiled=compiled)
        once = read(f"{HEAD}{example}\n".encode(), compiled=compiled)
        assert [essence(e.fact) for e in twice] == [essence(e.fact) for e in once] * 2


# ---- hostile texts in every place that a client can fill. {} is that place; the client of all of them is 192.0.2.7.

NAMES = {  # user names, wherever a program writes one
    "SASL 3.9": "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={}",
    "SASL outage": "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: generic failure, sasl_username={}",
    "SASL success": "postfix/submission/smtpd[7]: 48rT2v1hQrz1J0N: client=unknown[192.0.2.7], sasl_method=PLAIN, sasl_username={}",
    "SASL success, sender": "postfix/submission/smtpd[7]: 4C3F12A0: client=unknown[192.0.2.7], sasl_method=PLAIN, sasl_username={}, sasl_sender=x",
    "not owned": "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 553 5.7.1 <a@example.org>: Sender address rejected: not owned by "
    "user {}; from=<a@example.org> to=<o@example.net> proto=ESMTP helo=<x>",
    "login failed": "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<y>",
    "login failed, 2.4": "dovecot: imap-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): user=<{}>, method=PLAIN, "
    "rip=192.0.2.7, lip=192.0.2.1, TLS: Connection closed, session=<y>",
    "login failed, no lip": "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=192.0.2.7, TLS, session=<y>",
    "login failed, 1.x": "dovecot: pop3-login: Aborted login (1 authentication attempts): user=<{}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1",
    "login failed, proxy": "dovecot: imap-login: Disconnected (proxy dest auth failed): user=<{}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1",
    "login, outage": "dovecot: imap-login: Disconnected (auth service reported temporary failure): user=<{}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1",
    "logged in": "dovecot: imap-login: Login: user=<{}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7, TLS, session=<y>",
    "logged in, 2.4": "dovecot: imap-login: Logged in: user=<{}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7, TLS, session=<y>",
    "logged in, no lip": "dovecot: imap-login: Login: user=<{}>, method=PLAIN, rip=192.0.2.7, mpid=7, TLS, session=<y>",
    "no auth attempts": "dovecot: imap-login: Disconnected (no auth attempts in 2 secs): user=<{}>, rip=192.0.2.7, lip=192.0.2.1, session=<y>",
    "too many commands": "dovecot: imap-login: Disconnected: Too many invalid commands (no auth attempts in 0 secs): user=<{}>, rip=192.0.2.7, lip=192.0.2.1",
    "too many connections": "dovecot: imap-login: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): user=<{}>, method=PLAIN, "
    "rip=192.0.2.7, lip=192.0.2.1",
    "auth": "dovecot: auth: sql({},192.0.2.7,<y>): unknown user",
    "auth, no session": "dovecot: auth: passwd-file({},192.0.2.7): Password mismatch",
    "auth, hash": "dovecot: auth: ldap({},192.0.2.7,<y>): Password mismatch (SHA1 of given password: f638ff)",
    "auth, worker": "dovecot: auth-worker(7): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: pam({},192.0.2.7): pam_authenticate() failed: Authentication "
    "failure (Password mismatch?)",
    "auth, 2.4": "dovecot: auth({},192.0.2.7,sasl:plain)<y>: sql: unknown user",
    "auth, timed out": "dovecot: auth: Error: plain({},192.0.2.7): Request 0.1 timed out after 150 secs, state=1",
    "auth, disallowed": "dovecot: auth: login(?,192.0.2.7,<y>): Username character disallowed by auth_username_chars: 0x2c (username: {})",
    "auth, other": "dovecot: auth: sql({},192.0.2.7,<y>): Allow_nets check failed: IP not in allowed networks",
    "PAM of Dovecot": "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={0} rhost=192.0.2.7  user={0}",
    "PAM of Dovecot, unknown": "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={} rhost=192.0.2.7",
    "PAM of sshd": "sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user={}",
    "PAM sums up": "sshd[7]: PAM 4 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user={}",
    "Failed password": "sshd[7]: Failed password for invalid user {} from 192.0.2.7 port 39065 ssh2",
    "Failed password, account": "sshd[7]: Failed password for {} from 192.0.2.7 port 39065 ssh2",
    "Failed publickey": "sshd[7]: Failed publickey for invalid user {} from 192.0.2.7 port 57904 ssh2: ECDSA SHA256:AAAAaaaaBBBB",
    "Failed kbdint": "sshd[7]: Failed keyboard-interactive/pam for invalid user {} from 192.0.2.7 port 57904 ssh2",
    "Invalid user": "sshd[7]: Invalid user {} from 192.0.2.7 port 37220",
    "sshd PAM": "sshd[7]: error: PAM: Authentication failure for illegal user {} from 192.0.2.7",
    "not allowed": "sshd[7]: User {} from 192.0.2.7 not allowed because not listed in AllowUsers",
    "max attempts": "sshd[7]: error: maximum authentication attempts exceeded for invalid user {} from 192.0.2.7 port 49940 ssh2 [preauth]",
    "Disconnecting": "sshd[7]: Disconnecting invalid user {} 192.0.2.7 port 49941: Too many authentication failures [preauth]",
    "Change of username": "sshd[7]: Disconnecting invalid user {0} 192.0.2.7 port 5: Change of username or service not allowed: ({0},ssh-connection) -> (x,ssh-connection) [preauth]",
    "closed by": "sshd[7]: Connection closed by invalid user {} 192.0.2.7 port 46038 [preauth]",
    "Disconnected": "sshd[7]: Disconnected from authenticating user {} 192.0.2.7 port 46039 [preauth]",
    "Postponed": "sshd[7]: Postponed keyboard-interactive for invalid user {} from 192.0.2.7 port 57904 ssh2 [preauth]",
    "Accepted": "sshd[7]: Accepted password for {} from 192.0.2.7 port 52406 ssh2",
}
WORDS = {  # HELO, sender, recipient, command
    "helo": "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 454 4.7.1 <v@example.com>: Relay access denied; from=<a@example.org> to=<v@example.com> "
    "proto=ESMTP helo=<{}>",
    "sender": "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 454 4.7.1 <v@example.com>: Relay access denied; from=<{}> to=<v@example.com> proto=ESMTP helo=<x>",
    "recipient": "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 <{0}>: Recipient address rejected: User unknown; from=<a@example.org> to=<{0}> "
    "proto=ESMTP helo=<x>",
    "bad helo": "postfix/smtpd[7]: NOQUEUE: reject: EHLO from unknown[192.0.2.7]: 504 5.5.2 <{0}>: Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<{0}>",
    "greylisted": "postfix/smtpd[7]: NOQUEUE: milter-reject: RCPT from a.example[192.0.2.7]: 451 4.7.1 Greylisting; from=<{}> to=<o@example.net> proto=ESMTP helo=<x>",
    "postscreen": "postfix/postscreen[7]: NOQUEUE: reject: RCPT from [192.0.2.7]:4984: 550 5.7.1 Service unavailable; client [192.0.2.7] blocked using zen.example.org; "
    "from=<{0}>, to=<{0}>, proto=ESMTP, helo=<{0}>",
    "pregreet": "postfix/postscreen[7]: PREGREET 14 after 0.08 from [192.0.2.7]:59415: {}\\r\\n",
    "no SMTP at postscreen": "postfix/postscreen[7]: NON-SMTP COMMAND from [192.0.2.7]:1234 after CONNECT: {}",
    "no SMTP": "postfix/smtpd[7]: warning: non-SMTP command from unknown[192.0.2.7]: {}",
    "pipelining": "postfix/smtpd[7]: improper command pipelining after EHLO from unknown[192.0.2.7]: {}",
    "address": "postfix/smtpd[7]: warning: Illegal address syntax from unknown[192.0.2.7] in MAIL command: {}",
    "too long": "postfix/smtpd[7]: warning: unknown[192.0.2.7]: request longer than 2048: {}",
    "ETRN": "postfix/smtpd[7]: warning: reject: ETRN {}... from unknown[192.0.2.7]",
    "no SSH": "sshd[7]: Bad protocol version identification '{}' from 192.0.2.7 port 31778",
    "disconnect": "sshd[7]: Received disconnect from 192.0.2.7 port 4000:11: {} [preauth]",
    "offer": "sshd[7]: Unable to negotiate with 192.0.2.7 port 55419: no matching cipher found. Their offer: {} [preauth]",
}
PLACES = NAMES | WORDS
VICTIM = "198.51.100.66"
HOSTILE = [
    # forged failures, in the words of every program
    f"unknown[{VICTIM}]: SASL LOGIN authentication failed: x",
    f"x, sasl_username=y from unknown[{VICTIM}]: SASL LOGIN authentication failed",
    f": warning: unknown[{VICTIM}]: SASL LOGIN authentication failed: x",
    f"]: warning: unknown[{VICTIM}]: SASL PLAIN authentication failed: generic failure",
    f"disconnect from unknown[{VICTIM}] ehlo=1 auth=0/9 quit=1 commands=1/9",
    f"lost connection after AUTH from a[{VICTIM}]",
    f"NOQUEUE: reject: RCPT from a[{VICTIM}]: 554 5.7.1 <x>: Relay access denied; from=<a> to=<b> proto=SMTP helo=<c>",
    f"a>: Relay access denied; from=<x> to=<y> proto=SMTP helo=<[{VICTIM}]",
    f"PREGREET 5 after 0 from [{VICTIM}]:5",
    f"x>, method=PLAIN, rip={VICTIM}, lip=192.0.2.1, session=<x",
    f"x>, method=PLAIN, rip={VICTIM}, lip=192.0.2.1, TLS, session=<x>, ",
    f"x>, rip={VICTIM}",
    f"rip={VICTIM}, lip=192.0.2.1",
    f", rip={VICTIM}, ",
    f"x> imap-login: Disconnected (auth failed, 9 attempts in 2 secs): user=<y>, method=PLAIN, rip={VICTIM}, lip=192.0.2.1",
    f"(auth failed, 9 attempts in 2 secs): user=<y>, rip={VICTIM}, lip=192.0.2.1",
    "(auth failed, 99 attempts)",
    f"x,{VICTIM}): unknown user",
    f"x,{VICTIM},<z>): Password mismatch",
    f"x,{VICTIM},<z",
    f"x,{VICTIM},",
    f"x,{VICTIM}): unknown user, y",
    f"x,{VICTIM}): unknown user (given password: y)",
    f"x,{VICTIM}): pam_authenticate() failed: Authentication failure (Password mismatch?)",
    f"?,{VICTIM}): Invalid base64 data in initial response",
    f"?,{VICTIM}): Username character disallowed",
    f"x,{VICTIM},sasl:plain)<z>: sql: unknown user",
    f"x,{VICTIM}): internal error",
    "x internal error timed out after",
    f"rhost={VICTIM} user=root",
    f"x rhost={VICTIM}",
    f"x rhost={VICTIM}  user=y",
    f"authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={VICTIM}  user=root",
    f"root from {VICTIM} port 22 ssh2",
    f"root from {VICTIM} port 22",
    f"root from {VICTIM} port 22 ssh2 from {VICTIM} port 22 ssh2",
    f"x from {VICTIM} port 22 ssh2: RSA SHA256:x",
    f"x from {VICTIM} port 22 ssh1: ruser y",
    f"x from {VICTIM} not allowed because y",
    f"x {VICTIM} port 5: Too many authentication failures",
    f"x {VICTIM} port 5: Change of username",
    f"x {VICTIM} port 5 [preauth]",
    f"Failed password for root from {VICTIM} port 22 ssh2",
    f"message repeated 99 times: [ Failed password for root from {VICTIM} port 22 ssh2]",
    "last message repeated 99 times",
    f"[UFW BLOCK] IN=eth0 OUT= MAC= SRC={VICTIM} DST=192.0.2.1 PROTO=TCP SPT=1 DPT=22 RES=0x00 SYN URGP=0 ",
    f"Sep  4 09:39:45 mail sshd[7]: Failed password for root from {VICTIM} port 22 ssh2",
    json.dumps({"MESSAGE": f"Failed password for root from {VICTIM} port 22 ssh2", "SYSLOG_IDENTIFIER": "sshd", "_UID": "0"}),
    # forged successes
    "x> imap-login: Logged in: user=<office",
    f"x>, method=PLAIN, rip={VICTIM}, lip=192.0.2.1 imap-login: Login: user=<office",
    f"4C3F12A0: client=a[{VICTIM}], sasl_method=PLAIN, sasl_username=office",
    f": client=a[{VICTIM}], sasl_method=PLAIN, sasl_username=office",
    f"Accepted password for root from {VICTIM} port 22 ssh2",
    "x, sasl_sender=y",
    # bytes
    "",
    " ",
    "a" * 3000,
    "\x1b[2J\x1b]0;x\x07",
    "\r",
    "\x00",
    "\xff\xfe",
    "\u202e",
    VICTIM,
    f"[{VICTIM}]",
    f"<{VICTIM}>",
    f"({VICTIM})",
    f"{VICTIM}.example.org",
    ">",
    "<",
    ")",
    "(",
    "]",
    "[",
    ": ",
    ", ",
    "%s%n",
]


def attack(place, hostile):
    """A line in which a client has filled a place; bytes above 127 as they come over the wire."""
    raw = hostile.encode("latin-1" if "\xff" in hostile else "utf-8")
    return (HEAD + PLACES[place].replace("{0}", "{}")).encode().replace(b"{}", raw)


# What a name can do in these lines, and does no harm: it makes the line say less than it did.
MAY_HIDE = {
    "auth": "auth's word is detail: the login line of the same session counts",
    "auth, no session": "the same",
    "auth, hash": "the same",
    "auth, worker": "the same",
    "auth, 2.4": "the same",
    "PAM of Dovecot": "the same",
    "PAM of Dovecot, unknown": "the same",
    "Failed publickey": "a key line ends as a name may end: nobody is named, and Invalid user counts",
    "Failed password": "the same",
    "Failed password, account": "the same",
    "Failed kbdint": "the same",
    "PAM of sshd": "Failed password counts",
    "PAM sums up": "Failed password counts",
    "Disconnecting": "only where nothing else was counted",
    "Change of username": "only where nothing else was counted",
    "closed by": "only where nothing else was counted",
    "Disconnected": "only where nothing else was counted",
    "max attempts": "only where nothing else was counted",
    "sshd PAM": "Invalid user and Failed password count",
    "helo": "what is refused is said by the refusal; the words behind it may only blur it",
    "sender": "the same",
    "recipient": "the same",
    "bad helo": "the same",
    "too long": "no offence",
}


@pytest.mark.parametrize("place", PLACES)
def test_hostile_words_blame_nobody_else(place):
    """The client or nobody; no failure becomes a success; and where the line alone counts, it still counts."""
    harmless = says(attack(place, "office"))
    assert text(harmless.client) == "192.0.2.7"
    for hostile in HOSTILE:
        line = attack(place, hostile)
        if len(line) > 800:  # long lines may be cut by syslog, so their ends are not believed (tests/parse/test_formats.py)
            fact = says(line)
            assert fact is None or text(fact.client) in ("", "192.0.2.7")
            continue
        said_so = says(line)
        events = [read(line.replace(b"\n", b"") + b"\n", compiled=compiled) for compiled in LOOPS]
        for fact in (said_so, *(e.fact for found in events for e in found)):
            if fact is None:
                continue
            assert text(fact.client) in ("", "192.0.2.7"), line
            assert fact.weight <= max(harmless.weight, Weight.WEAK if fact.kind == Kind.REJECTED else 0) or fact.kind == Kind.RELAY_DENIED, line
            assert (fact.kind in GOOD) <= (harmless.kind in GOOD), line
            assert fact.attempts <= harmless.attempts, line
        for found in events:
            assert [essence(e.fact) for e in found] in ([], [essence(said_so)]), line
        if harmless.weight and place not in MAY_HIDE:
            assert said_so is not None, line
            assert said_so.weight == harmless.weight, line
            assert all(found for found in events), line
