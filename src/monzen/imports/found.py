"""What a list holds: bans as values, and a count of what is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monzen.judge.shield import Prefix
from monzen.notation import prefix_of
from monzen.show.text import safe

MOST: Final = 1_000_000  # lines or rows: the kernel holds that many denials, and nobody has ten times as many attackers
FIRST: Final = 5  # bad lines that are shown
SOURCES: Final = 3  # jails or scenarios that are named for one address
LINES: Final = 12  # evidence lines of one ban: as many as the ledger keeps of a denial
LINE: Final = 2_000  # bytes of each
ADDRESS: Final = 64  # letters: no address with its prefix length is longer


class ListError(Exception):
    """The list cannot be read: what failed, why, what to do, in a sentence."""


class Ban(NamedTuple):
    """Somebody whom another tool denied."""

    network: bytes
    bits: int
    since: float | None = None  # when it was imposed, epoch seconds; None: it does not say
    until: float | None = None  # epoch seconds; infinity: for good; None: it does not say
    source: str = ""  # its jail, scenario or list
    attempts: int = 0
    evidence: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Found:
    """The bans of a list, each network once, and how much of it is something else."""

    kind: str
    now: float  # when it is read, epoch seconds
    every: bool = False  # take also what has ended
    bans: dict[Prefix, Ban] = field(default_factory=dict)
    rows: int = 0
    bad: int = 0
    first_bad: list[str] = field(default_factory=list)
    over: int = 0  # bans that have ended
    other: int = 0  # no bans of addresses: captchas, users, countries

    def add(self, address: object, ban: Ban) -> None:
        """Take note of a ban; `address` as the list has it, its place in `ban` is left empty."""
        self.rows += 1
        text = address.strip() if isinstance(address, str) else ""
        prefix = prefix_of(text) if 0 < len(text) <= ADDRESS else None
        if prefix is None:
            self.spoil(address)
            return
        if ban.until is not None and ban.until <= self.now:
            if not self.every:
                self.over += 1
                return
            ban = ban._replace(until=None)
        before = self.bans.get(prefix)
        ban = ban._replace(network=prefix[0], bits=prefix[1])
        self.bans[prefix] = ban if before is None else _both(before, ban)

    def skip(self) -> None:
        """A row that bans no address."""
        self.rows += 1
        self.other += 1

    def spoil(self, what: object) -> None:
        """A row that cannot be read, already counted as a row."""
        self.bad += 1
        if len(self.first_bad) < FIRST:
            self.first_bad.append(safe(what if isinstance(what, str | bytes) else repr(what)[:200], 60))


def _both(one: Ban, other: Ban) -> Ban:
    """Two bans of the same network as one: until the later end."""
    ends = [u for u in (one.until, other.until) if u is not None]
    stamps = [s for s in (one.since, other.since) if s is not None]
    known = one.source.split(", ")
    more = other.source not in known and len(known) < SOURCES
    return one._replace(
        since=max(stamps, default=None),
        until=max(ends, default=None),
        source=f"{one.source}, {other.source}" if more else one.source,
        attempts=one.attempts + other.attempts,
        evidence=(one.evidence + other.evidence)[-LINES:],
    )


def number(value: object) -> float | None:
    """A number that can be a time or a count, else None. True is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if abs(value) < 1e12 else None
