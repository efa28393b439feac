"""The rows of the ledger as values. Times are epoch seconds UTC, addresses packed; `until` None stands for good."""

from __future__ import annotations

from typing import NamedTuple

Prefix = tuple[bytes, int]  # packed network address (4 or 16 bytes), prefix length


class LedgerError(Exception):
    """The ledger cannot be used: what failed, why, what to do, in one or two sentences. `damaged`: its file is no good database."""

    def __init__(self, words: str, *, damaged: bool = False) -> None:
        super().__init__(words)
        self.damaged = damaged


class Order(NamedTuple):
    """Somebody is to be turned away: until when, after which rule, and on what evidence."""

    network: bytes
    bits: int
    port: int = 0  # 0: all of them
    protocol: int = 0  # 0: TCP and UDP
    until: float | None = None
    sentence: float | None = None  # seconds of quiet that end it
    rule: str = "hand"
    origin: str = "hand"  # who says so: hand (a person), scan, run, import, kernel (found there)
    note: str = ""
    clients: int = 0
    attempts: int = 0
    evidence: tuple[bytes, ...] = ()


class Entry(NamedTuple):
    """A denial as it is remembered. `number` never stands for another one."""

    number: int
    network: bytes
    bits: int
    port: int
    protocol: int
    since: float
    until: float | None
    sentence: float | None
    rule: str
    origin: str
    note: str
    clients: int
    attempts: int
    knocks: int  # packets dropped
    octets: int
    last_knock: float | None
    ended: float | None
    ending: str  # quiet, released, replaced (by a wider one), freed (no room), lost; empty while it lasts
    actor: str

    @property
    def prefix(self) -> Prefix:
        """The network alone."""
        return self.network, self.bits


class Knocked(NamedTuple):
    """Packets of a denied network that the gate dropped since the last count, and when the last of them came."""

    number: int  # of the denial
    port: int
    protocol: int
    packets: int
    octets: int
    last: float


class Release(NamedTuple):
    """Somebody was let in again: nothing older than `at` denies the network again."""

    network: bytes
    bits: int
    at: float
    actor: str
    note: str


class Allowed(NamedTuple):
    """Somebody who is never denied: as typed, and the networks that this stands for (of a host name: its last good answer)."""

    number: int
    text: str
    prefixes: tuple[Prefix, ...]
    name: bool
    resolved: float | None
    note: str
    at: float
    actor: str


class Alarm(NamedTuple):
    """Something that a person should know."""

    at: float
    kind: str
    text: str
