"""Postfix smtpd, under all the names that master.cf and syslog_name give it.

Source: postfix 3.7 to 3.10, src/smtpd/smtpd.c, smtpd_sasl_glue.c, smtpd_check.c; RELEASE_NOTES 3.9 (sasl_username=),
3.10 (quoted mechanism). Postfix writes `name[address]` before any text of the client's: every pattern is fixed words from
the left up to there. Non-printable bytes of the client are already `?`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from monzen.parse.address import addresses
from monzen.parse.declare import ADDRESS, CAP, PEER, Family, Key, Reads, fact
from monzen.pattern import match, search
from monzen.types import Fact, Join, Kind, Weight

OURS = match(  # reasons that are our own server's fault: FACTS table A, row 2
    rb"Connection lost to authentication server|generic failure|[Cc]an't connect|[Cc]annot connect|Temporary authentication failure"
    rb"|temporary (?:system )?failure|internal (?:auth(?:entication)? )?(?:error|failure)|[Ss]ervice (?:temporarily )?unavailable"
    rb"|no mechanism available|Auth process broken|authentication server (?:unavailable|not available)"
)
IDLE = match(  # reasons that say how the client negotiates, not what it guesses
    rb"'?Invalid authentication mechanism|[Ee]ncryption (?:needed|required)|encryption is needed|Must issue a STARTTLS"
)


class _Reasons(dict[bytes, tuple[int, int]]):
    """What a reason stands for: kind and weight, remembered (a server says few; CRAM-MD5's challenges are not kept)."""

    def __missing__(self, reason: bytes) -> tuple[int, int]:
        if OURS(reason):
            said = (int(Kind.AUTH_OUTAGE), int(Weight.NONE))
        elif IDLE(reason):
            said = (int(Kind.AUTH_FAILURE), int(Weight.NONE))
        else:
            said = (int(Kind.AUTH_FAILURE), int(Weight.STRONG))
        if len(reason) < 80 and len(self) < 1000:
            self[reason] = said
        return said


reasons = _Reasons()
SASL_ABOUT, SASL_JOIN = "Postfix: AUTH failed", int(Join.SASL)


def _sasl(m: re.Match[bytes], service: int) -> Fact:
    """The reason is the server's own text, so the first `, sasl_username=` begins the client's. `(unavailable)` is no name."""
    address, mechanism, reason = m.groups()
    user = None
    if reason is None:
        reason = b""
    elif b", sasl_username=" in reason:
        reason, _, user = reason.partition(b", sasl_username=")
        user = None if user == b"(unavailable)" else user[:255] or None
    kind, weight = reasons[reason]
    return fact(kind, weight, addresses[address], user, service, 1, None, mechanism, SASL_JOIN, SASL_ABOUT)


SUMMARY_ABOUT, SUMMARY_JOIN = "Postfix: end of a session, with its AUTH commands", int(Join.SUMMARY)


SASL_MODEL = fact(int(Kind.AUTH_FAILURE), int(Weight.STRONG), b"", None, 0, 1, None, None, SASL_JOIN, SASL_ABOUT)._replace(weight=int(Weight.STRONG))
SUMMARY_MODEL = SASL_MODEL._replace(join=SUMMARY_JOIN, about=SUMMARY_ABOUT)


def _summary(m: re.Match[bytes], service: int) -> Fact:
    """`auth=good/all`, or `auth=good` where all were: failures of a session; with successes among them material for an alarm.

    Successes alone are told the joiner, which drops them: they may take back what auth said of another password database."""
    address, good, total = m.groups()
    failed = min(int(total) - int(good), CAP) if total else 0
    if failed <= 0:
        join = SUMMARY_JOIN if int(good) else ALONE
        return fact(int(Kind.DISCONNECT), 0, addresses[address], None, service, 1, None, None, join, SUMMARY_ABOUT)
    weight, detail = (Weight.STRONG, None) if int(good) == 0 else (Weight.WEAK, b"mixed")
    return fact(int(Kind.AUTH_FAILURE), int(weight), addresses[address], None, service, failed, None, detail, SUMMARY_JOIN, SUMMARY_ABOUT)


def _errors(m: re.Match[bytes]) -> Mapping[str, Any]:
    return {"weight": int(Weight.STRONG), "join": int(Join.LEFTOVER)} if m["detail"] == b"AUTH" else {"weight": int(Weight.WEAK)}


def _accepted(m: re.Match[bytes]) -> Mapping[str, Any]:
    if m["user"] is None:
        return {"kind": int(Kind.DELIVERED), "join": int(Join.ALONE)}
    return {}


RELAYING = search(rb"relaying (?:denied|not allowed)|not permitted to relay", re.IGNORECASE)
UNKNOWN = search(
    rb"user unknown|unknown user|no such (?:user|recipient)|undeliverable address|unverified address|does not exist"
    rb"|mailbox unavailable|unknown recipient|recipient address rejected: access denied",
    re.IGNORECASE,
)
OWNER = search(rb"not owned by user (\S++)")
REFUSED_ABOUT = "Postfix: refused a command"
REJECTED, RELAY_DENIED, RECIPIENT_UNKNOWN, ABUSE = int(Kind.REJECTED), int(Kind.RELAY_DENIED), int(Kind.RECIPIENT_UNKNOWN), int(Kind.PROTOCOL_ABUSE)
NONE, WEAK, STRONG, ALONE = int(Weight.NONE), int(Weight.WEAK), int(Weight.STRONG), int(Join.ALONE)


INNOCENT = search(rb"blocked using|Client host rejected|^Service unavailable|not owned by user")
"""A policy of ours, or a user of ours with another sender address: no attack."""


class _Refusals(dict[tuple[bytes, bytes | None, bytes], tuple[int, int]]):
    """What code, status and reason stand for (FACTS table A): kind and weight, remembered; a server has few reasons."""

    def __missing__(self, said: tuple[bytes, bytes | None, bytes]) -> tuple[int, int]:
        code, status, reason = said
        kind, weight = REJECTED, NONE
        if b"elay access denied" in reason or RELAYING(reason):
            kind, weight = RELAY_DENIED, STRONG
        elif INNOCENT(reason):
            pass
        elif b"pipelining" in reason:
            kind, weight = ABUSE, WEAK
        elif code.startswith(b"5") and b"Multi-recipient bounce" not in reason:
            if (status in (b"5.1.1", b"5.1.0") and b"ecipient" in reason) or UNKNOWN(reason):
                kind, weight = RECIPIENT_UNKNOWN, WEAK
            elif b"Helo command rejected" in reason or b"Sender address rejected" in reason:
                weight = WEAK
        if len(reason) < 120 and len(self) < 1000:
            self[said] = (kind, weight)
        return kind, weight


refusals = _Refusals()


def refusal(m: re.Match[bytes], service: int) -> Fact:
    """A reject. The text may hold the client's own words: they can only change what it is itself held to have done."""
    address, code, status, text = m.groups()
    at = text.find(b">: ") + 3 if text.startswith(b"<") else 0
    end = text.find(b"; ", at)
    reason = text[at:] if end < 0 else text[at:end]
    kind, weight = refusals[code, status, reason]
    user = to = None
    if weight:
        if kind == RELAY_DENIED and (b" from=<> " in text or b" from=<>, " in text):
            weight = NONE  # a bounce that went astray
        at = text.find(b" to=<") + 5
        end = text.find(b">", at)
        to = text[at : min(end, at + 255)] if at > 4 and end > at else None
    elif b"not owned by user" in reason:  # somebody of ours with a wrong sender, or whose account was taken: a matter for an alarm
        owner = OWNER(reason)
        user = owner[1][:255] if owner else None
    return fact(kind, weight, addresses[address], user, service, 1, None, to, ALONE, REFUSED_ABOUT)


LOST_ABOUT, LOST_JOIN = "Postfix: connection lost while logging in", int(Join.LEFTOVER)
LOST_MODEL = SASL_MODEL._replace(kind=int(Kind.LOST), weight=WEAK, join=LOST_JOIN, about=LOST_ABOUT)
REFUSED_MODEL = SASL_MODEL._replace(kind=REJECTED, join=ALONE, about=REFUSED_ABOUT)

CODE = rb": ([45]\d\d)(?: ([45]\.\d{1,3}\.\d{1,3}))? ?(.{0,4000})"
REJECT = rb"[0-9A-Za-z]++: reject: [A-Z][A-Z-]*+ from " + PEER + CODE

SMTPD = Family(
    "smtpd",
    (
        Reads(
            "Postfix: AUTH failed",
            b": SASL ",
            rb"warning: " + PEER + rb": SASL '?([\w-]++)'? authentication failed(?::\s?(.*)|\Z)",
            Kind.AUTH_FAILURE,
            Weight.STRONG,
            join=Join.SASL,
            key=Key.WHOLE,
            build=_sasl,
            examples={
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: Connection lost to authentication server": {
                    "client": "192.0.2.7",
                    "service": "smtp",
                    "kind": "auth_outage",
                    "weight": "none",
                },
                "postfix/smtpd[7]: warning: a.example[192.0.2.7]: SASL PLAIN authentication failed: generic failure": {"kind": "auth_outage"},
                "postfix/submission/smtpd[7]: warning: a.example[192.0.2.7]: SASL PLAIN authentication failed: "
                "Temporary authentication failure, sasl_username=office@example.org": {
                    "user": "office@example.org",
                    "service": "submission",
                    "kind": "auth_outage",
                },
                "postfix/smtpd[7]: warning: a.example[192.0.2.7]: SASL CRAM-MD5 authentication failed: Invalid authentication mechanism": {
                    "client": "192.0.2.7",
                    "weight": "none",
                },
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL NTLM authentication failed: Invalid authentication mechanism: 'NTLM', "
                "sasl_username=(unavailable)": {"user": None, "weight": "none"},
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: encryption needed to use mechanism": {
                    "weight": "none"
                },
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6": {
                    "client": "192.0.2.7",
                    "attempts": 1,
                    "service": "smtp",
                },
                "postfix/smtps/smtpd[7]: warning: unknown[2001:db8::7]: SASL login authentication failed:": {
                    "client": "2001:db8::7",
                    "service": "smtps",
                },
                "postfix/submission/smtpd[7]: warning: a.example[::ffff:192.0.2.7]:60377: SASL PLAIN authentication failed: "
                "(reason unavailable), sasl_username=office@example.org": {
                    "client": "192.0.2.7",
                    "user": "office@example.org",
                    "service": "submission",
                },
                "postfix-out/smtpd[7]: warning: unknown[192.0.2.7]: SASL 'SCRAM-SHA-256' authentication failed: authentication failure, "
                "sasl_username=a, sasl_username=x from unknown[198.51.100.9]: SASL LOGIN authentication failed": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: warning: unknown[unknown]: SASL LOGIN authentication failed: x": {"client": None, "weight": "none"},
                "postfix/smtpd[7]: warning: localhost[127.0.0.1]: SASL PLAIN authentication failed: x": {"client": "127.0.0.1", "weight": "none"},
            },
        ),
        Reads(
            "Postfix: end of a session, with its AUTH commands",
            b" auth=",
            rb"disconnect from " + PEER + rb"(?: [a-z]++=[\d/]++)* auth=(\d{1,9})(?:/(\d{1,9}))?(?![\d/])",
            Kind.AUTH_FAILURE,
            join=Join.SUMMARY,
            key=Key.WHOLE,
            build=_summary,
            examples={
                "postfix/smtpd[7]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/2 rset=1 quit=1 commands=3/5": {
                    "client": "192.0.2.7",
                    "attempts": 2,
                    "weight": "strong",
                },
                "postfix/smtp/smtpd[7]: disconnect from a.example[192.0.2.7] helo=1 auth=0/1 quit=1 commands=2/3": {"service": "smtp"},
                "postfix/smtpd[7]: disconnect from unknown[192.0.2.7] ehlo=1 auth=8/14 quit=1 commands=10/16": {"attempts": 6, "weight": "weak"},
                "postfix/smtpd[7]: disconnect from a.example[192.0.2.7] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8": {
                    "kind": "disconnect",
                    "weight": "none",
                },
            },
        ),
        Reads(
            "Postfix: end of a session",
            b"disconnect from ",
            rb"disconnect from " + PEER,
            Kind.DISCONNECT,
            live=False,
            examples={
                "postfix/smtpd[7]: disconnect from unknown[192.0.2.7] ehlo=1 quit=1 commands=2": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: disconnect from unknown[unknown] commands=0/0": {"client": None},
                "postfix/smtpd[7]: disconnect from unknown[192.0.2.7]": {"client": "192.0.2.7"},
            },
        ),
        Reads(
            "Postfix: accepted from a client",
            b": client=",
            rb"(?:[0-9A-Za-z]++: )?client=" + PEER + rb"(?:, sasl_method=(?P<detail>[^,]*+), sasl_username=(?P<user>.*?)(?:, sasl_sender=.*)?)?\Z",
            Kind.AUTH_SUCCESS,
            join=Join.MAIL_LOGIN,
            key=Key.AFTER_ID,
            refine=_accepted,
            examples={
                "postfix/smtpd[7]: 4C3F12A0: client=mx.example.org[192.0.2.7]": {"kind": "delivered", "client": "192.0.2.7"},
                "postfix/submission/smtpd[7]: 48rT2v1hQrz1J0N: client=unknown[192.0.2.7], sasl_method=PLAIN, sasl_username=office@example.org": {
                    "user": "office@example.org"
                },
                "postfix/smtpd[7]: NOQUEUE: client=mx.example.org[2001:db8::7]": {"kind": "delivered", "client": "2001:db8::7"},
            },
        ),
        Reads(
            "Postfix: refused a command",
            b": reject: ",
            REJECT,
            Kind.REJECTED,
            build=refusal,
            examples={
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 454 4.7.1 <v@example.com>: Relay access denied; "
                "from=<a@example.org> to=<v@example.com> proto=ESMTP helo=<User>": {"kind": "relay_denied", "weight": "strong"},
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from mx.example.org[192.0.2.7]: 554 5.7.1 <v@example.com>: Relay access denied; "
                "from=<> to=<v@example.com> proto=ESMTP helo=<mx.example.org>": {"kind": "relay_denied", "weight": "none"},
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 <x@example.net>: Recipient address rejected: "
                "User unknown in virtual mailbox table; from=<a@example.org> to=<x@example.net> proto=ESMTP helo=<mx.example.org>": {
                    "kind": "recipient_unknown",
                    "weight": "weak",
                },
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from mx.example.org[192.0.2.7]: 450 4.7.1 <mx.example.org>: Helo command rejected: "
                "Host not found; from=<> to=<o@example.net> proto=ESMTP helo=<mx.example.org>": {"weight": "none"},
                "postfix/smtpd[7]: NOQUEUE: reject: EHLO from unknown[192.0.2.7]: 504 5.5.2 <User>: Helo command rejected: "
                "need fully-qualified hostname; proto=SMTP helo=<User>": {"weight": "weak"},
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from mx.example.org[192.0.2.7]: 554 5.7.1 Service unavailable; Client host "
                "[192.0.2.7] blocked using zen.example.org; Error: open resolver; from=<a@example.org> to=<o@example.net> proto=ESMTP helo=<m>": {
                    "weight": "none"
                },
                "postfix/smtpd[7]: 4C3F12: reject: DATA from unknown[192.0.2.7]: 503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP "
                "command pipelining; from=<a@example.org> to=<o@example.net> proto=SMTP helo=<x>": {"kind": "protocol_abuse", "weight": "weak"},
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 454 4.7.1 <v@example.com>: Relay access denied; "
                'from=<"lost connection after AUTH from a[198.51.100.9]"@example.org> to=<v@example.com> proto=ESMTP helo=<x>': {
                    "client": "192.0.2.7"
                },
            },
        ),
        Reads(
            LOST_ABOUT,
            b"lost connection after AUTH",
            rb"(?:NOQUEUE: |[0-9A-Za-z]++: )?lost connection after AUTH(?: \([^)]*+\))? from " + PEER,
            Kind.LOST,
            Weight.WEAK,
            join=Join.LEFTOVER,
            key=Key.WHOLE,
            examples={"postfix/smtpd[7]: lost connection after AUTH from unknown[192.0.2.7]": {"client": "192.0.2.7", "weight": "weak"}},
        ),
        Reads(
            "Postfix: connection lost",
            b"lost connection after ",
            rb"(?:NOQUEUE: |[0-9A-Za-z]++: )?lost connection after [A-Z-]++(?: \([^)]*+\))? from " + PEER,
            Kind.LOST,
            live=False,
            examples={
                "postfix/smtpd[7]: lost connection after DATA (approximately 0 bytes) from a.example[192.0.2.7]": {"weight": "none"},
                "postfix/smtpd[7]: NOQUEUE: lost connection after CONNECT from unknown[192.0.2.7]": {"weight": "none"},
            },
        ),
        Reads(
            "Postfix: too many errors",
            b"too many errors after ",
            rb"too many errors after (?P<detail>[A-Z-]++)(?: \([^)]*+\))? from " + PEER,
            Kind.PROTOCOL_ABUSE,
            refine=_errors,
            examples={
                "postfix/smtpd[7]: too many errors after AUTH from unknown[192.0.2.7]": {"weight": "strong"},
                "postfix/smtpd[7]: too many errors after DATA (approximately 0 bytes) from unknown[192.0.2.7]": {"weight": "weak"},
            },
        ),
        Reads(
            "Postfix: pipelining where none is allowed",
            b"pipelining after ",
            rb"(?:NOQUEUE: )?improper command pipelining after [A-Z-]++ from " + PEER,
            Kind.PROTOCOL_ABUSE,
            Weight.WEAK,
            examples={
                "postfix/smtpd[7]: improper command pipelining after EHLO from unknown[192.0.2.7]: QUIT\\r\\n": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: improper command pipelining after NOOP from unknown[192.0.2.7]": {},
            },
        ),
        Reads(
            "Postfix: not SMTP",
            b"non-SMTP command from ",
            rb"(?:warning: )?non-SMTP command from " + PEER,
            Kind.PROTOCOL_ABUSE,
            Weight.WEAK,
            examples={
                "postfix/smtpd[7]: warning: non-SMTP command from unknown[192.0.2.7]: GET / HTTP/1.1": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: warning: non-SMTP command from unknown[192.0.2.7]: lost connection after AUTH from a[198.51.100.9]": {
                    "client": "192.0.2.7"
                },
            },
        ),
        Reads(
            "Postfix: not an address",
            b"Illegal address syntax from ",
            rb"warning: Illegal address syntax from " + PEER,
            Kind.PROTOCOL_ABUSE,
            Weight.WEAK,
            examples={
                "postfix/smtpd[7]: warning: Illegal address syntax from unknown[192.0.2.7] in MAIL command: <?php eval($_GET['c']); ?>": {}
            },
        ),
        Reads(
            "Postfix: limit exceeded",
            b" limit exceeded: ",
            rb"warning: [A-Z][A-Za-z ]{1,80} limit exceeded: \d++ from " + PEER,
            Kind.LIMITED,
            live=False,
            examples={
                "postfix/smtpd[7]: warning: Connection rate limit exceeded: 31 from unknown[192.0.2.7] for service smtp": {"client": "192.0.2.7"}
            },
        ),
        Reads(
            "Postfix: TLS handshake failed",
            b"SSL_accept error from ",
            rb"SSL_accept error from " + PEER,
            Kind.TLS_ERROR,
            live=False,
            examples={"postfix/smtpd[7]: SSL_accept error from unknown[192.0.2.7]: lost connection": {"client": "192.0.2.7"}},
        ),
        Reads(
            "Postfix: timeout",
            b"timeout after ",
            rb"timeout after [A-Z-]++(?: \([^)]*+\))? from " + PEER,
            Kind.LOST,
            live=False,
            examples={"postfix/smtpd[7]: timeout after AUTH from a.example[192.0.2.7]": {"client": "192.0.2.7", "weight": "none"}},
        ),
        Reads(
            "Postfix: connected",
            b"connect from ",
            rb"connect from " + PEER,
            Kind.CONNECT,
            live=False,
            examples={"postfix/smtpd[7]: connect from unknown[192.0.2.7]": {"client": "192.0.2.7"}},
        ),
        Reads(
            "Postfix: TLS established",
            b"TLS connection established from ",
            rb"(?:Anonymous|Untrusted|Trusted|Verified) TLS connection established from " + PEER,
            Kind.CONNECT,
            live=False,
            examples={
                "postfix/smtps/smtpd[7]: Anonymous TLS connection established from unknown[192.0.2.7]: TLSv1.3 with cipher X (256/256 bits)": {}
            },
        ),
        Reads(
            "Postfix: would refuse, but only warns",
            b": reject_warning: ",
            rb"[0-9A-Za-z]++: reject_warning: [A-Z-]++ from " + PEER,
            Kind.OTHER,
            live=False,
            examples={
                "postfix/smtpd[7]: NOQUEUE: reject_warning: RCPT from unknown[192.0.2.7]: 553 5.7.1 <a@example.org>: Sender address rejected: "
                "not owned by user b; from=<a@example.org> to=<o@example.net> proto=ESMTP helo=<x>": {}
            },
        ),
        Reads(
            "Postfix: a milter or a filter decided",
            b" from ",
            rb"[0-9A-Za-z]++: (?:milter-reject|milter-hold|milter-discard|filter|hold|discard|redirect|warn|delay|info|prepend): "
            rb"(?:CONNECT|[EH][EH]LO|MAIL|RCPT|DATA|BDAT|END-OF-MESSAGE|ETRN|VRFY|UNKNOWN|STARTTLS|AUTH|QUIT)"
            rb" from " + PEER,
            Kind.REJECTED,
            live=False,
            examples={
                "postfix/smtpd[7]: NOQUEUE: milter-reject: RCPT from a.example[192.0.2.7]: 451 4.7.1 Greylisting in action, please come back "
                "later; from=<a@example.org> to=<o@example.net> proto=ESMTP helo=<a.example>": {"weight": "none"}
            },
        ),
        Reads(
            "Postfix: name and address do not fit",
            b" does not resolve to address ",
            rb"warning: hostname \S++ does not resolve to address (?P<address>[0-9A-Fa-f:.]+?)(?:: .*)?\Z",
            Kind.OTHER,
            live=False,
            examples={
                "postfix/smtpd[7]: warning: hostname 198.51.100.9.example.org does not resolve to address 192.0.2.7: Name or service not known": {
                    "client": "192.0.2.7",
                    "weight": "none",
                }
            },
        ),
        Reads(
            "Postfix: address without a good name",
            b"hostname ",
            rb"warning: " + ADDRESS + rb": (?:address not listed for hostname |hostname \S++ verification failed)",
            Kind.OTHER,
            live=False,
            examples={
                "postfix/smtpd[7]: warning: 192.0.2.7: address not listed for hostname a.example": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: warning: 192.0.2.7: hostname a.example verification failed: Name or service not known": {},
            },
        ),
        Reads(
            "Postfix: our authentication server does not answer",
            (b"SASL authentication ", b"SASL: Connect ", b"SASL per-process "),
            rb"(?:fatal: no SASL authentication mechanisms|warning: SASL: Connect to .* failed|warning: SASL authentication failure: cannot connect"
            rb"|warning: SASL per-process initialization failed)",
            Kind.AUTH_OUTAGE,
            join=Join.OUTAGE,
            examples={
                "postfix/smtpd[7]: fatal: no SASL authentication mechanisms": {"client": None},
                "postfix/smtpd[7]: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: No such file or directory": {},
            },
        ),
        Reads(
            "Postfix: AUTH given up, or a line too long",
            b"warning: ",
            rb"warning: " + PEER + rb": (?:SASL '?[\w-]++'? authentication aborted|request longer than )",
            Kind.OTHER,
            live=False,
            examples={
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication aborted": {"client": "192.0.2.7"},
                "postfix/smtpd[7]: warning: unknown[192.0.2.7]: request longer than 2048: AUTH PLAIN AGJi...": {"client": "192.0.2.7"},
            },
        ),
        Reads(
            "Postfix: refused a command that needs no reason",
            b"warning: reject: ",
            rb"warning: reject: [A-Z]++ .* from " + PEER + rb"\Z",
            Kind.REJECTED,
            live=False,
            examples={"postfix/smtpd[7]: warning: reject: ETRN example.net... from unknown[192.0.2.7]": {"client": "192.0.2.7"}},
        ),
        Reads(
            "Postfix: protocol trace",
            b": ",
            rb"[<>] " + PEER + rb": ",
            Kind.OTHER,
            live=False,
            examples={"postfix/smtpd[7]: > unknown[192.0.2.7]: 550 5.1.1 <x@example.net>: Recipient address rejected: User unknown": {}},
        ),
    ),
)
