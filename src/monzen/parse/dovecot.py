"""Dovecot 2.0 to 2.4: its login processes, its auth processes, through syslog or in its own log file.

Source: dovecot 2.2, 2.3, 2.4: src/login-common/client-common.c (what the login process writes at the end), src/auth/auth-request.c
and auth-worker; 2.4 says `Logged in:` and `Login aborted:` where 2.3 said `Login:`, `Aborted login` and `Disconnected`.
The name of the user comes before `rip=`, so the last `rip=` is the true one; the verdict stands before `user=<`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from monzen.parse.address import addresses
from monzen.parse.declare import CAP, WHOLE, Family, Key, Reads, fact
from monzen.parse.sshd import DETAILS
from monzen.pattern import match, search
from monzen.types import Fact, Join, Kind, Service, Weight

LEVEL = rb"(?:(?:Info|Warning|Error|Debug|Notice): )?"
LOGIN = rb"(?P<door>imap|pop3|managesieve|sieve|submission)-login(?:\([^)\s]*+\))?(?:<[^>\s]*+>)*: " + LEVEL
VERDICT = rb"(?:[^(u]++|\((?!auth failed, |\d{1,9} authentication attempts|proxy dest auth)|u(?!ser=<))*"  # never into the user's own words
RIP = rb".*\brip=(?P<address>[^,\s)>]++)"
LIP = rb"(?:, lip=(?P<lip>[^,\s)>]++))?"
WHO = (  # the user's own words end before the last `, rip=` that follows known fields
    rb"[^=]*+(?:=<(?:(?P<user>.*)>|(?P<cut>[^<>,]*+)), (?:method=(?P<detail>[^,]*+), )?(?:(?!rip=)[a-z_]++=[^,<>]*+, )*rip=|=[^<,]++, rip=|(?<=rip)=)"
    rb"(?P<address>[^,\s)>]++)" + LIP
)
DOORS = {b"imap": Service.IMAP, b"pop3": Service.POP3, b"managesieve": Service.SIEVE, b"sieve": Service.SIEVE, b"submission": Service.SUBMISSION}
DOOR = {k: int(v) for k, v in DOORS.items()}

AUTH = rb"(?:dovecot: )?auth(?:-worker)?(?:\([\w-]*+\))?: " + LEVEL + rb"(?:conn unix:[\w./-]*+ \([^)]*+\): (?:auth-worker<\d++>: )?)?"


def _login(m: re.Match[bytes]) -> Mapping[str, Any]:
    """The protocol; and our own address as the client's means web mail or a test on this machine: never counted."""
    said: dict[str, Any] = {"service": int(DOORS[m["door"]])}
    if m["cut"]:
        said["user"] = m["cut"][:255]
    lip = m["lip"] if "lip" in m.re.groupindex else None
    if lip and addresses[lip] == addresses[m["address"]]:
        said["weight"] = int(Weight.NONE)
    return said


def _ended(m: re.Match[bytes]) -> dict[str, Any]:
    """Protocol and name of a line that ends a connection without a guess; what stands before `user=<` is Dovecot's own."""
    text, end = m.string, m.start("address")
    at = text.find(b"user=<", 0, end)
    user = text[at + 6 : text.rfind(b">", at, end)] if at >= 0 else b""
    return {"service": int(DOORS[m["door"]]), "user": user[:255] or None}


def _abuse(m: re.Match[bytes]) -> Mapping[str, Any] | None:
    before = m.string.partition(b"user=<")[0]
    return _ended(m) if b"Too many invalid" in before or b"Too many bad" in before else None


def _left(m: re.Match[bytes]) -> Mapping[str, Any]:
    said = _ended(m)
    if b"SSL_" in m.string or b"TLS handshak" in m.string:
        said["kind"] = int(Kind.TLS_ERROR)
    return said


FAILED_ABOUT = "Dovecot: login failed"
FAILURE, FAILED_JOIN, STRONG = int(Kind.AUTH_FAILURE), int(Join.LOGIN_FAILED), int(Weight.STRONG)

OUTAGE, OUTAGE_JOIN = int(Kind.AUTH_OUTAGE), int(Join.OUTAGE)
OUR_FAULT = search(rb"[Aa]uth process |Internal (?:login )?(?:failure|error)|Temporary (?:authentication |internal )?failure|auth server")


def _failed(m: re.Match[bytes], service: int) -> Fact:
    door, attempts, user, cut, method, address, lip = m.group("door", "attempts", "user", "cut", "detail", "address", "lip")
    user = user or cut
    client = addresses[address]
    weight = 0 if lip and addresses[lip] == client else STRONG
    kind, join = FAILURE, FAILED_JOIN
    if OUR_FAULT(m.string, m.end("door"), m.start("attempts")):
        kind, weight, join = OUTAGE, 0, OUTAGE_JOIN
    return fact(
        kind, weight, client, user[:255] if user else None, DOOR[door], min(int(attempts), CAP), None, method or None, join, FAILED_ABOUT
    )


FAILED_MODEL = Fact(FAILURE, STRONG, b"", None, int(Service.OTHER), 1, None, None, FAILED_JOIN, FAILED_ABOUT)
DOOR_MODELS = tuple(DOOR[name] for name in (b"imap", b"pop3", b"submission", b"managesieve", b"sieve"))  # in the order of `_scan.c`

LOGIN_PROCESS = (
    Reads(
        "Dovecot: login failed",
        b"(auth failed, ",
        LOGIN + VERDICT + rb"\(auth failed, (?P<attempts>\d{1,6}) attempts" + WHO,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.LOGIN_FAILED,
        key=Key.BEFORE_SESSION,
        build=_failed,
        examples={
            "dovecot: imap-login: Disconnected (auth failed, 2 attempts in 5 secs): user=<office>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS": {
                "client": "192.0.2.7",
                "user": "office",
                "attempts": 2,
                "service": "imap",
            },
            "dovecot[7]: managesieve-login: Login aborted: Logged out (auth failed, 1 attempts in 10 secs) (auth_failed): user=<o@example.org>, "
            "method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<Dp8j1Ho3suTAAALx>": {"user": "o@example.org", "service": "sieve"},
            "dovecot: pop3-login: Info: Disconnected: Connection closed: read(size=1003) failed: Connection reset by peer (auth failed, 3 attempts "
            "in 0 secs): user=<test>, rip=2001:db8::7, lip=2001:db8::1, session=<x>": {"client": "2001:db8::7", "attempts": 3, "service": "pop3"},
            "dovecot: imap-login: Disconnected (auth failed, 1 attempts): method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS: Disconnected": {
                "user": None
            },
            "dovecot: submission-login: Client has quit the connection (auth failed, 1 attempts in 2 secs): user=<a>, method=LOGIN, rip=192.0.2.7, "
            "lip=0.0.0.0": {"service": "submission"},
            "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, "
            "session=<x>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<y>": {"client": "192.0.2.7"},
            "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 3 secs): user=<admin>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.1, TLS": {
                "weight": "none"
            },
            "dovecot: imap-login: Disconnected: Auth process broken (auth failed, 1 attempts in 0 secs): user=<o>, method=PLAIN, rip=192.0.2.7, "
            "lip=192.0.2.1, TLS, session=<x>": {"kind": "auth_outage", "weight": "none"},
        },
    ),
    Reads(
        "Dovecot: login failed (1.x)",
        b"tion attempts",
        LOGIN + VERDICT + rb"\((?P<attempts>\d{1,6}) authentication attempts\)" + WHO,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.LOGIN_FAILED,
        refine=_login,
        examples={
            "dovecot: pop3-login: Aborted login (1 authentication attempts): user=<a>, method=PLAIN, rip=::ffff:192.0.2.7, lip=::ffff:192.0.2.1": {
                "client": "192.0.2.7"
            }
        },
    ),
    Reads(
        "Dovecot: login failed at the server behind the proxy",
        b"(proxy dest auth",  # 2.4 says how often; all were passed on, and so are called successful
        LOGIN + VERDICT + rb"\(proxy dest auth(?: failed|entication failure)(?:, (?:\d{1,6}/)?(?P<attempts>\d{1,6}) )?[^)]*+\)" + WHO,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.LOGIN_FAILED,
        refine=_login,
        examples={
            "dovecot: imap-login: Disconnected (proxy dest auth failed): user=<a@example.org>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.2": {
                "client": "192.0.2.7",
                "user": "a@example.org",
            },
            "dovecot: imap-login: Login aborted: Connection closed (proxy dest authentication failure, 2/2 successful auths in 5 secs) "
            "(proxy_dest_auth_failed): user=<a@example.org>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.2, TLS, session=<x>": {
                "client": "192.0.2.7",
                "user": "a@example.org",
                "attempts": 2,
            },
            "dovecot: pop3-login: Login aborted: Connection closed (proxy dest authentication failure, 1 attempts in 2 secs) "
            "(proxy_dest_auth_failed): user=<office>, method=PLAIN, rip=2001:db8::7, lip=2001:db8::1, session=<x>": {"attempts": 1, "service": "pop3"},
        },
    ),
    Reads(
        "Dovecot: logged in",
        (b": Login: user=<", b": Logged in: user=<"),
        LOGIN + rb"(?:Login|Logged in): user" + WHO,
        Kind.AUTH_SUCCESS,
        join=Join.LOGIN,
        key=Key.BEFORE_SESSION,
        refine=_login,
        examples={
            "dovecot: imap-login: Login: user=<o@example.org>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7140, TLS, session=</k7D2Yk7hADGM2QO>": {
                "client": "192.0.2.7",
                "user": "o@example.org",
                "service": "imap",
            },
            "dovecot[7]: pop3-login: Logged in: user=<o@example.org>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=8, secured, session=<x>": {
                "service": "pop3"
            },
        },
    ),
    Reads(
        "Dovecot: our authentication server does not answer",
        (b": Error: ", b"nternal ", b"uth process not responding"),
        LOGIN + rb"(?:auth-client: |Internal login failure|Timeout waiting for handshake|Auth process|auth: )",
        Kind.AUTH_OUTAGE,
        join=Join.OUTAGE,
        examples={
            "dovecot: imap-login: Error: auth-client: conn unix:login (pid=1,uid=0): Timeout waiting for handshake from auth server.": {},
            "dovecot: imap-login: Warning: Auth process not responding, delayed sending initial response (greeting): user=<>, rip=192.0.2.7, "
            "lip=192.0.2.1, session=<x>": {"client": None},
        },
    ),
    Reads(
        "Dovecot: login refused while our authentication server is down",
        (b"(auth process ", b"(auth service ", b"nternal ", b"(disconnected while finishing", b"uth process broken (", b"(proxy dest "),
        LOGIN + VERDICT + rb"\((?:auth process (?:communication failure|broken)|auth service reported temporary failure|internal failure|disconnected while finishing"
        rb"|proxy dest (?:temporary|internal|connection|remote|protocol) "
        rb"|(?<=Auth process broken \()disconnected before auth was ready)[^)]*+\)" + WHO,
        Kind.AUTH_OUTAGE,
        join=Join.OUTAGE,
        refine=_login,
        examples={
            "dovecot: imap-login: Disconnected (auth service reported temporary failure): user=<a>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS": {
                "client": "192.0.2.7"
            },
            "dovecot: imap-login: Disconnected (auth process communication failure): user=<a>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1": {
                "client": "192.0.2.7"
            },
            "dovecot: imap-login: Disconnected: Auth process broken (disconnected before auth was ready, waited 3 secs): user=<>, rip=192.0.2.7, "
            "lip=192.0.2.1, session=<x>": {"client": "192.0.2.7", "user": None},
            "dovecot: pop3-login: Login aborted: Auth process broken (disconnected before auth was ready, waited 3 secs) (auth_process_not_ready): "
            "user=<>, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"service": "pop3"},
            "dovecot: imap-login: Disconnected (disconnected while finishing login, waited 3 secs): user=<office>, method=PLAIN, rip=192.0.2.7, "
            "lip=192.0.2.1, TLS, session=<x>": {"user": "office"},
            "dovecot: imap-login: Disconnected (internal failure, 1 successful auths): user=<office>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS": {},
            "dovecot: imap-login: Login aborted: Connection closed (auth process communication failure, 1 attempts in 0 secs) "
            "(auth_process_comm_fail): user=<office>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"user": "office"},
            "dovecot: imap-login: Login aborted: Connection closed (proxy dest temporary authentication failure, 1/1 successful auths in 3 secs) "
            "(proxy_dest_auth_temp_failed): user=<office>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"user": "office"},
        },
    ),
    Reads(
        "Dovecot: too many invalid commands",
        b"Too many ",
        LOGIN + RIP,
        Kind.PROTOCOL_ABUSE,
        Weight.WEAK,
        refine=_abuse,
        examples={
            "dovecot: imap-login: Disconnected: Too many invalid commands (no auth attempts in 0 secs): user=<>, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {
                "client": "192.0.2.7",
                "kind": "protocol_abuse",
            },
            "dovecot: pop3-login: Disconnected: Too many bad commands (tried to use disallowed plaintext auth): user=<t>, rip=192.0.2.7, lip=192.0.2.1": {
                "user": "t"
            },
        },
    ),
    Reads(
        "Dovecot: too many connections",
        b"Maximum number of connections",
        LOGIN + rb"(?:Login failed: )?Maximum number of connections" + RIP,
        Kind.LIMITED,
        live=False,
        refine=_ended,
        examples={
            "dovecot: imap-login: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): user=<a>, method=PLAIN, "
            "rip=192.0.2.7, lip=192.0.2.1": {"client": "192.0.2.7"}
        },
    ),
    Reads(
        "Dovecot: end of a connection without a guess",
        b"rip=",
        LOGIN + rb"(?:Disconnected|Aborted login|Login aborted|Login failed|Remote closed|Client |Connection closed|haproxy: )" + RIP,
        Kind.DISCONNECT,
        live=False,
        refine=_left,
        examples={
            "dovecot: imap-login: Disconnected (no auth attempts in 2 secs): user=<>, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"weight": "none"},
            "dovecot: imap-login: Aborted login (tried to use disallowed plaintext auth): user=<>, rip=192.0.2.7, lip=192.0.2.1": {"weight": "none"},
            "dovecot: imap-login: Disconnected (tried to use unsupported auth mechanism): user=<>, method=NTLM, rip=192.0.2.7, lip=192.0.2.1": {},
            "dovecot: imap-login: Aborted login (disconnected before auth was ready, waited 3 secs): user=<>, rip=192.0.2.7, lip=192.0.2.1": {},
            "dovecot: imap-login: Disconnected: Inactivity during authentication (disconnected while authenticating, waited 180 secs): user=<office>, "
            "method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<x>": {"user": "office"},
            "dovecot: imap-login: Aborted login (disconnected while authenticating, waited 3 secs): user=<office>, method=PLAIN, rip=192.0.2.7, "
            "lip=192.0.2.1": {"weight": "none"},
            "dovecot: imap-login: Disconnected (client didn't finish SASL auth, waited 3 secs): user=<>, method=PLAIN, rip=192.0.2.7, "
            "lip=192.0.2.1": {"user": None},
            "dovecot: imap-login: Login aborted: Connection closed (client didn't finish SASL auth, 1 attempts in 3 secs) (auth_waiting_client): "
            "user=<>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"weight": "none"},
            "dovecot: imap-login: Login aborted: Logged out (auth aborted by client, 1 attempts in 3 secs) (auth_aborted_by_client): user=<>, "
            "method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"weight": "none"},
            "dovecot: imap-login: Login aborted: Connection closed (disconnected during TLS handshake) (tls_handshake_not_finished): user=<>, "
            "rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"kind": "tls_error"},
            "dovecot: imap-login: Login aborted: Connection closed (user disabled, 1 attempts in 3 secs) (user_disabled): user=<office>, method=PLAIN, "
            "rip=192.0.2.7, lip=192.0.2.1, session=<x>": {"user": "office", "weight": "none"},
            "dovecot: imap-login: Disconnected (authorization failed, 2 attempts in 3 secs): user=<office>, method=PLAIN, rip=192.0.2.7, "
            "lip=192.0.2.1": {"weight": "none"},
            "dovecot: imap-login: haproxy: Client disconnected (rip=192.0.2.7)": {"client": "192.0.2.7"},
            "dovecot: imap-login: Disconnected: Connection closed: SSL_accept() failed: error:1408F10B:SSL routines:ssl3_get_record:wrong version "
            "number (no auth attempts in 0 secs): user=<>, rip=192.0.2.7, lip=192.0.2.1, TLS handshaking: SSL_accept() failed": {
                "kind": "tls_error",
                "weight": "none",
            },
        },
    ),
)

REASONS = (b"unknown user", b"assword mismatch", b"nvalid credentials", b"pam_authenticate() failed")
MECHANISM = rb"(?:plain|login|cram-md5|digest-md5|scram-sha-\d{1,3}|apop|ntlm|rpa|skey|otp|gssapi|gss-spnego|external|anonymous|oauthbearer|xoauth2)\("
"""What auth writes in place of a database while there is no name yet: no user can choose it."""
NAMELESS = rb"(?:dovecot: )?auth(?:-worker)?(?:\(\w*+\))?: " + LEVEL + MECHANISM + rb"\?,(?P<address>[0-9A-Fa-f:.]++)(?:,(?:<[^>\s,]*+>)?)?\): "
SESSION = rb"(?:,(?:<[^>\s,]*+>)?)?\): "
CANDIDATE = re.compile(rb",(?P<address>[0-9A-Fa-f:.]{2,45})" + SESSION)
AGAIN = re.compile(rb",(?P<address>[0-9A-Fa-f:.]{2,45})(?:,[^\s,()]{0,80})?\)(?:<[^>\s,]{0,80}>){0,3}: ").finditer
PLAUSIBLE = match(
    rb"(?:unknown user|[Pp]assword mismatch|[Ii]nvalid credentials|(?P<pam>pam_authenticate\(\) failed: (?:[A-Z][\w ]*+(?: \([Pp]assword mismatch\?\))?|.{0,200}?)))"
    rb"(?:(?: \((?:SHA1 of )?given password: .*\)| \(for LDAP bind\)(?: \((?:SHA1 of )?given password: .*\))?|: \d++ Time\(s\)|, .{0,200})?)\Z",
    re.DOTALL,
)
LONGEST = 4000  # bytes of an auth line; Dovecot cuts names far earlier
PAM_OURS = match(rb"pam_authenticate\(\) failed: (?:Permission denied|System error|Critical error|Cannot make/remove|Authentication service cannot)")


def _detail(m: re.Match[bytes]) -> Mapping[str, Any] | None:
    """The address after the user's own words: of all places where one could stand, the one that a known reason follows.

    The name may hold `,address): `, and so may a password that auth_verbose_passwords = plain writes behind the reason. Where
    the two cannot be told apart nobody is named.
    """
    rest = m["rest"]
    if len(rest) > LONGEST:
        return None
    found: list[tuple[bytes, bytes, bytes]] = []
    for c in islice(CANDIDATE.finditer(rest), 32):
        reason = rest[c.end() :]
        if PLAUSIBLE(reason):
            found.append((rest[: c.start()], c["address"], reason))
    if not found:
        return None
    if len(found) > 1 and b"given password: " in found[0][2] and len({addresses[f[1]] for f in found}) > 1:
        return {}
    user, address, reason = found[-1] if b"given password: " not in found[0][2] else found[0]
    if any(addresses[c["address"]] != addresses[address] for c in islice(CANDIDATE.finditer(reason), 32)):
        return {}
    said: dict[str, Any] = {"client": addresses[address], "user": user[:255] or None}
    if reason.startswith(b"unknown user") or b"User not known" in reason[:60]:
        said["account"] = False
    elif reason[1:].startswith(b"assword mismatch"):
        said["account"] = True
    if PAM_OURS(reason):
        said["weight"], said["join"], said["kind"] = int(Weight.NONE), int(Join.OUTAGE), int(Kind.AUTH_OUTAGE)
    at = reason.find(b"given password: ")
    if at >= 0:
        said["detail"] = reason[at + 16 : at + 80].rstrip(b")")
    return said


def _sole(m: re.Match[bytes]) -> Mapping[str, Any]:
    """The first address, unless the words behind it hold another one in its form: then nobody can tell, and nobody is named."""
    others = {addresses[c["address"]] for c in islice(AGAIN(m.string, m.end("address")), 32)}
    return {"client": b""} if others - {addresses[m["address"]]} else {}


def _nameless(m: re.Match[bytes]) -> Mapping[str, Any] | None:
    """`(username: ...)` ends a line about a name that is none; whatever it holds, the address before it is true."""
    return {} if (m[0].endswith(b"disallowed") and m.string.endswith(b")")) or not _sole(m) else None


def _unanswered(m: re.Match[bytes]) -> Mapping[str, Any] | None:
    """Not where a name or a password speaks of failures: then the line holds an address that the pattern did not take for the
    client's, or says why the client was refused."""
    found = {addresses[c["address"]] for c in islice(AGAIN(m.string), 32)}
    refused = any(word in m.string for word in (*REASONS, b"(username: "))
    return None if refused or found - {addresses[m["address"] or b""]} else {}


def _detail24(m: re.Match[bytes]) -> Mapping[str, Any]:
    """2.4: user, address and session stand in the prefix, before anything else."""
    reason = m["reason"]
    said: dict[str, Any] = dict(_sole(m))
    if reason.startswith(b"unknown user") or b"User not known" in reason[:60]:
        said["account"] = False
    elif reason[1:].startswith(b"assword mismatch"):
        said["account"] = True
    if PAM_OURS(reason):
        return {"weight": int(Weight.NONE), "join": int(Join.OUTAGE), "kind": int(Kind.AUTH_OUTAGE)}
    return said


PLAIN_ABOUT = "Dovecot: why a login failed"
DETAIL, DETAIL_JOIN, ANY = int(Kind.AUTH_DETAIL), int(Join.DETAIL), int(Service.OTHER)


def _plain_detail(m: re.Match[bytes], service: int) -> Fact:
    user, address, reason, password = m.groups()
    account = False if reason[0] == 117 else True if reason[-1] in b"h)" else None  # unknown user; Password mismatch, (password mismatch?)
    return fact(DETAIL, STRONG, addresses[address], user[:255] or None, ANY, 1, account, password, DETAIL_JOIN, PLAIN_ABOUT)


DETAIL_MODEL = Fact(DETAIL, STRONG, b"", None, ANY, 1, None, None, DETAIL_JOIN, PLAIN_ABOUT)

AUTH_PROCESS = (
    Reads(
        "Dovecot: why a login failed",
        REASONS,
        AUTH
        + rb"[\w-]++\(([\w.@+-]*+),([0-9A-Fa-f:.]++)(?:,(?:<[^>\s,]*+>)?)?\): (unknown user|[Pp]assword mismatch|invalid credentials"
        + rb"|pam_authenticate\(\) failed: Authentication failure \([Pp]assword mismatch\?\))"
        + rb"(?: \(for LDAP bind\))?(?: \(SHA1 of given password: ([0-9a-f]++)\))?\Z",
        Kind.AUTH_DETAIL,
        Weight.STRONG,
        join=Join.DETAIL,
        build=_plain_detail,
        examples={"dovecot: auth: sql(o@example.org,192.0.2.7,<6rXunFtu493AqJDi>): Password mismatch": {"client": "192.0.2.7", "user": "o@example.org"}},
    ),
    Reads(
        "Dovecot: what is no user name",
        b"(?,",
        NAMELESS + rb"(?:Username character disallowed|Invalid base64 data|Username is empty|Unexpected|Invalid )",
        Kind.AUTH_DETAIL,
        Weight.STRONG,
        join=Join.DETAIL,
        account=False,
        service=Service.OTHER,
        refine=_nameless,
        examples={
            "dovecot: auth: login(?,192.0.2.7,<abc>): Username character disallowed by auth_username_chars: 0x2c (username: a,198.51.100.9): unknown user)": {
                "client": "192.0.2.7"
            },
            "dovecot: auth: plain(?,192.0.2.7): Invalid base64 data in initial response": {"client": "192.0.2.7"},
        },
    ),
    Reads(
        "Dovecot: why a login failed (2.4)",
        REASONS,
        rb"auth(?:-worker)?\((?P<user>[^\s]*),(?P<address>[0-9A-Fa-f:.]++)(?:,[\w:.-]*+)?\)(?:<[^>\s,]*+>)*: "
        + LEVEL
        + rb"(?:request \[\d++\]: )?[\w-]++: (?P<reason>unknown user|[Pp]assword mismatch|[Ii]nvalid credentials|pam_authenticate\(\) failed: .{0,80})",
        Kind.AUTH_DETAIL,
        Weight.STRONG,
        join=Join.DETAIL,
        service=Service.OTHER,
        refine=_detail24,
        examples={
            "dovecot: auth(o@example.org,192.0.2.7,sasl:login)<CvN+E95Uf4fAAAJu>: Info: sql: Password mismatch (given password: x)": {
                "client": "192.0.2.7",
                "user": "o@example.org",
            },
            "dovecot[7]: auth-worker(j.user,192.0.2.7)<1489164><8oNSumM3A8mK/86a>: request [393]: unix_user: pam_authenticate() failed: "
            "Authentication failure (Password mismatch?)": {"user": "j.user"},
        },
    ),
    Reads(
        "Dovecot: a request to auth was not answered",
        (b": Error: ", b"nternal ", b" timed out after "),
        rb"(?:dovecot: )?auth(?:-worker)?(?:\([\w-]*+\))?: " + LEVEL + rb"(?:[\w-]++\((?P<user>.*),(?P<address>[0-9A-Fa-f:.]++)(?:,(?:<[^>\s,]*+>)?)?\): )?"
        rb"(?:Request [\d.]++ timed out|.{0,200}(?:timed out|[Cc]onnection refused|[Cc]onnect failed|bind\(\) failed|[Tt]emporary|Can't connect|Access denied for user|[Ii]nternal (?:auth )?(?:error|failure)))",
        Kind.AUTH_OUTAGE,
        join=Join.OUTAGE,
        service=Service.OTHER,
        refine=_unanswered,
        examples={
            "dovecot: auth-worker(7): Error: mysql(localhost): Connect failed to database (mail): Can't connect to local MySQL server": {
                "client": None,
                "kind": "auth_outage",
            },
            "dovecot: auth: Error: plain(a,192.0.2.7): Request 0.1 timed out after 150 secs, state=1": {"client": "192.0.2.7", "kind": "auth_outage"}
        },
    ),
    Reads(
        "Dovecot: why a login failed",
        REASONS,
        AUTH + rb"(?!" + MECHANISM + rb")[\w-]++\((?P<rest>.*)",
        Kind.AUTH_DETAIL,
        Weight.STRONG,
        join=Join.DETAIL,
        service=Service.OTHER,
        refine=_detail,
        examples={
            "dovecot: auth: passwd-file(o@example.org,192.0.2.7): unknown user": {"client": "192.0.2.7", "user": "o@example.org"},
            "dovecot: auth-worker(7): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: pam(o,192.0.2.7): pam_authenticate() failed: "
            "Authentication failure (Password mismatch?)": {"user": "o"},
            "dovecot: auth: ldap(o@example.org,2001:db8::7,<LZmGp6mZaMrAqLIZ>): Password mismatch (for LDAP bind) (SHA1 of given password: f638ff)": {
                "client": "2001:db8::7"
            },
            "dovecot: auth: ldap(dog,192.0.2.7,): invalid credentials": {"client": "192.0.2.7"},
            "dovecot: auth: passwd-file(a,198.51.100.9): unknown user x,192.0.2.7): unknown user": {"client": "192.0.2.7"},
            "dovecot: auth: sql(o,192.0.2.7): unknown user (given password: x,198.51.100.9): unknown user (given password: y)": {"client": None},
        },
    ),
    Reads(
        "Dovecot: auth says something else of a client",
        b"auth",
        AUTH + rb"[\w-]++\([^\s,()]*+,(?P<address>[0-9A-Fa-f:.]++)" + SESSION,
        Kind.OTHER,
        service=Service.OTHER,
        live=False,
        refine=_sole,
        examples={"dovecot: auth: sql(o@example.org,192.0.2.7,<x>): Allow_nets check failed: IP not in allowed networks": {"client": "192.0.2.7"}},
    ),
)

DOVECOT = Family("dovecot", tuple(r if r.build is _plain_detail else r._replace(longest=WHOLE) for r in LOGIN_PROCESS + DETAILS + AUTH_PROCESS))
