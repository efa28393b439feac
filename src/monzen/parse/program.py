"""Which program wrote a line, by the name in its header, and what of its lines can be read."""

from __future__ import annotations

import re

from monzen.parse.declare import Family, Reader, reader
from monzen.parse.dovecot import DOVECOT
from monzen.parse.postfix import SMTPD
from monzen.parse.postscreen import ANVIL, CLEANUP, DNSBLOG, POSTSCREEN, TLSPROXY
from monzen.parse.sshd import PAM_ONLY, SSHD
from monzen.parse.ufw import KERNEL
from monzen.types import Fact, Service

FAMILIES = (SMTPD, POSTSCREEN, DOVECOT, SSHD, KERNEL, PAM_ONLY, DNSBLOG, TLSPROXY, ANVIL, CLEANUP)
REMEMBERED = 2048  # facts per program, before all are forgotten

# By the whole name, or by the last part of a name with slashes: master.cf and syslog_name may put anything before it.
POSTFIX = {b"smtpd": SMTPD, b"postscreen": POSTSCREEN, b"dnsblog": DNSBLOG, b"tlsproxy": TLSPROXY, b"anvil": ANVIL, b"cleanup": CLEANUP}
OTHERS = {
    b"dovecot": DOVECOT,
    b"sshd": SSHD,
    b"sshd-session": SSHD,
    b"sshd-auth": SSHD,
    b"kernel": KERNEL,
    b"auth": PAM_ONLY,
    b"dovecot-auth": PAM_ONLY,
    b"saslauthd": PAM_ONLY,
    b"imap": PAM_ONLY,
    b"imapd": PAM_ONLY,
    b"pop": PAM_ONLY,
    b"pop3d": PAM_ONLY,
}
SUBMISSIONS = re.compile(rb"smtps|submissions|ssmtp|465").search


class Program:
    """A program under one name: its family's readers, the service its name implies, and the facts of texts seen before."""

    __slots__ = ("cut", "facts", "family", "name", "service")

    def __init__(self, name: bytes, family: Family) -> None:
        self.name, self.family, self.service = name, family, int(service_of(name, family))
        self.facts: dict[bytes, Fact] = {}
        self.cut = family is DOVECOT


def service_of(name: bytes, family: Family) -> Service:
    """The door that a program's name implies: master.cf names `submission`, `smtps`, `submissions`."""
    if family is SSHD:
        return Service.SSH
    if family is KERNEL:
        return Service.FIREWALL
    if family in (SMTPD, POSTSCREEN, TLSPROXY, CLEANUP):
        between = name.rpartition(b"/")[0]
        if SUBMISSIONS(between):
            return Service.SMTPS
        return Service.SUBMISSION if b"submission" in between or b"587" in between else Service.SMTP
    return Service.OTHER


_programs: dict[bytes, Program | None] = {}


def identify(name: bytes) -> Program | None:
    """The program of this name, or None where we cannot read it."""
    try:
        return _programs[name]
    except KeyError:
        pass
    before, slash, last = name.rpartition(b"/")
    family = POSTFIX.get(last) if slash and before else OTHERS.get(name)
    program = Program(name, family) if family is not None else None
    if len(name) <= 64:
        if len(_programs) >= 1024:
            _programs.clear()
        _programs[name] = program
    return program


_readers: dict[tuple[str, int], Reader] = {}


def _reader(family: Family, number: int) -> Reader:
    """The reader of a declaration, compiled when first needed: a log seldom needs more than a dozen of them."""
    key = (family.name, number)
    ready = _readers.get(key)
    if ready is None:
        ready = _readers[key] = reader(family.reads[number])
    return ready


def _literals() -> tuple[bytes, ...]:
    seen: dict[bytes, None] = {}
    for family in FAMILIES:
        for reads in family.reads:
            if reads.live:
                seen.update(dict.fromkeys(reads.literals))
    return tuple(seen)


LITERALS = _literals()
Live = tuple[tuple[bytes, tuple[tuple[Reader, int], ...]], ...]
_live: dict[str, Live] = {}


def live(family: Family) -> Live:
    """The family's literals, and for each the declarations that matter to scan or live with what part of the message decides (Key)."""
    found = _live.get(family.name)
    if found is None:
        literals = dict.fromkeys(x for r in family.reads if r.live for x in r.literals)
        found = _live[family.name] = tuple(
            (literal, tuple((_Lazy(family, i), int(r.key)) for i, r in enumerate(family.reads) if r.live and literal in r.literals))
            for literal in literals
        )
    return found


_literals_of: dict[str, tuple[bytes, ...]] = {}


def live_literals(family: Family) -> tuple[bytes, ...]:
    """The literals of `live`, always the same tuple."""
    found = _literals_of.get(family.name)
    if found is None:
        found = _literals_of[family.name] = tuple(literal for literal, _ in live(family))
    return found


class _Lazy:
    """A reader that is compiled when it is first called."""

    __slots__ = ("family", "number", "ready")

    def __init__(self, family: Family, number: int) -> None:
        self.family, self.number = family, number
        self.ready: Reader | None = None

    def __call__(self, message: bytes, service: int) -> Fact | None:
        ready = self.ready
        if ready is None:
            ready = self.ready = _reader(self.family, self.number)
        return ready(message, service)


def read_message(message: bytes, program: Program, *, live: bool = False) -> Fact | None:
    """What a message of this program says, whichever kind of line it is: the first declaration that fits."""
    for number, reads in enumerate(program.family.reads):
        if (reads.live or not live) and any(literal in message for literal in reads.literals):
            said = _reader(program.family, number)(message, program.service)
            if said is not None:
                return said
    return None
