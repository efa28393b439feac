"""What flows through monzen: a Fact is what a line says, an Event is a Fact at a moment, a Verdict is what follows.

Imports nothing of ours. Times are epoch seconds, UTC, as float; durations are seconds; addresses are packed
(4 bytes IPv4, 16 bytes IPv6, network byte order), because a packed address is a dict key, a network is a slice of it, and
`inet_ntop` gives the text back: 31 ns instead of 1,464 ns for an `ipaddress` object (measured in the prototype).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a line is about. The names, in lower case, are the `kind` of `monzen explain --json`."""

    AUTH_FAILURE = 1
    AUTH_SUCCESS = 2
    AUTH_DETAIL = 3
    AUTH_OUTAGE = 4
    RELAY_DENIED = 5
    RECIPIENT_UNKNOWN = 6
    REJECTED = 7
    PROTOCOL_ABUSE = 8
    LOST = 9
    TLS_ERROR = 10
    CONNECT = 11
    DISCONNECT = 12
    DELIVERED = 13
    BLOCKED = 14
    LIMITED = 15
    OTHER = 16


class Weight(IntEnum):
    """How far a line counts against its client, in quarters of an attempt (docs/reading.md, "What counts")."""

    NONE = 0
    WEAK = 1
    STRONG = 4


class Service(IntEnum):
    """Which door was tried. The names, in lower case, are the `service` of `monzen explain --json`."""

    SMTP = 1
    SUBMISSION = 2
    SMTPS = 3
    IMAP = 4
    POP3 = 5
    SIEVE = 6
    SSH = 7
    FIREWALL = 8
    OTHER = 9


class Join(IntEnum):
    """How a line belongs to the other lines of its session (parse/join.py)."""

    ALONE = 0
    SASL = 1  # Postfix: one failed AUTH
    SUMMARY = 2  # Postfix: `disconnect ... auth=`, repeats what was said
    LEFTOVER = 3  # Postfix: lost connection, too many errors after AUTH: only where nothing else was counted
    LOGIN_FAILED = 4  # Dovecot: the login process sums up
    DETAIL = 5  # Dovecot: auth and its workers, ahead of the login line
    LOGIN = 6  # a good login, Dovecot
    MAIL_LOGIN = 7  # a good login, Postfix
    SSH = 8  # sshd: one of several witnesses of a guess
    SSH_LEFTOVER = 9  # sshd: only where nothing else was counted
    SSH_END = 10  # sshd: a good login or the end of a connection
    SSH_PENALTY = 11  # sshd: `drop connection`, for what another connection did
    OUTAGE = 12  # our own server failed: whatever it said of a client is no offence


class Fact(NamedTuple):
    """What one line says, without its time. Lines of the same text share one Fact.

    `client` is the packed address as the line has it (IPv4-mapped folded, zone cut off), `b""` where it names none.
    `attempts` is how many guesses the line stands for. `account` is whether the name has an account, None where the line
    does not say. `detail` is the mechanism, the refused recipient or the port, as the format declares; `about` names the format.
    """

    kind: int
    weight: int
    client: bytes
    user: bytes | None
    service: int
    attempts: int
    account: bool | None
    detail: bytes | None
    join: int
    about: str


class Event(NamedTuple):
    """A Fact at a moment: what the reader makes of a line, and what is left of it after joining.

    `attempts` is what counts (after joining never more than the lines prove together); `head` is the text that the lines of one
    process share: host, program, pid.
    """

    time: float
    fact: Fact
    attempts: int
    line: bytes
    head: bytes = b""


class Verdict(NamedTuple):
    """Whom to turn away, from when, and why. `until` is when the source had been quiet for its sentence."""

    target: bytes  # packed network address
    bits: int  # prefix length
    at: float
    until: float | None
    rule: str
    clients: int
    attempts: int
    evidence: tuple[bytes, ...]
