"""The rows of the ledger as values. Times are epoch seconds UTC, addresses packed; `until` None stands for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monzen.ledger.store import Ledger

Prefix = tuple[bytes, int]  # packed network address (4 or 16 bytes), prefix length
Key = tuple[bytes, int, int, int]  # the same, port (0: all of them), protocol (0: TCP and UDP): one denial at a time


class LedgerError(Exception):
    """The ledger cannot be used: what failed, why, what to do, in one or two sentences.

    `damaged`: its file is broken; `missing`: there is none.
    """

    def __init__(self, words: str, *, damaged: bool = False, missing: bool = False) -> None:
        super().__init__(words)
        self.damaged, self.missing = damaged, missing


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
    names: int = 0  # different user names that were tried


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
    ending: str  # quiet, expired, released, replaced (by a wider one), freed (no room), lost; empty while it lasts
    actor: str
    names: int

    @property
    def key(self) -> Key:
        """The network with its port and protocol."""
        return self.network, self.bits, self.port, self.protocol

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
    source: bytes = b""  # packed address; empty: it is counted, and not told apart


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
    ended: float | None = None  # when it was taken back
    ender: str = ""  # and by whom


class Alarm(NamedTuple):
    """Something that a person should know. `detail` is JSON for programs, empty where there is none."""

    at: float
    kind: str
    text: str
    number: int
    detail: str
    told: float | None  # when a person was told


class Past(NamedTuple):
    """What is still known of denials of a network that ended so long ago that they were forgotten one by one."""

    network: bytes
    bits: int
    times: int
    first: float  # since when it was denied the first time
    last: float  # when the last of them ended
    attempts: int
    knocks: int
    octets: int


class Counts(NamedTuple):
    """How much there is: rows, and bytes where it says so."""

    active: int
    ended: int
    evidence: int
    evidence_bytes: int
    releases: int
    allowed: int
    alarms: int
    untold: int  # alarms that nobody was told of
    knocks: int
    past: int
    file_bytes: int


class Limits(NamedTuple):
    """What `thin` leaves. What lasts, and who is allowed, is never thinned; its evidence is, last of all, by `evidence_bytes`."""

    evidence_days: float = 90.0  # after the end of the denial
    evidence_bytes: int = 32 << 20  # 12 lines of 150 bytes for 18,000 denials; the whole file stays below about 100 MB
    ended_days: float = 400.0  # a year to look back, and a month
    ended_most: int = 200_000  # denials that ended: about 40 MB
    knock_days: float = 90.0
    knocks_most: int = 200_000  # rows: day, denial and port; about 8 MB
    alarms_most: int = 10_000
    releases_most: int = 10_000
    knockers_most: int = 100_000  # rows: day, denial, source and port; whoever knocks can forge as many sources as he likes
    past_most: int = 100_000  # networks of which only a sum is left


class Rescued(NamedTuple):
    """What could be saved of a damaged file: the new ledger, rows saved, rows lost (None: nothing is left that could be counted).

    Where the damaged file is now, says `ledger.noted("rescued")`.
    """

    ledger: Ledger
    saved: int
    lost: int | None
