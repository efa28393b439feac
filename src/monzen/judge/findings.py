"""What the judge found beside its sentences: who was spared, good logins that look like guessed ones, alarms."""

from __future__ import annotations

from typing import Final, NamedTuple

from monzen.judge.client import LONGEST
from monzen.judge.policy import DAY
from monzen.types import Event

OUTAGES: Final = ("outage", "silent-outage")
APART: Final = 600.0  # seconds without a sign of it after which an outage is over, and the next is another one
FOUND: Final = 1000  # kept of those that were spared, of breaches and of alarms


class Spared(NamedTuple):
    """Somebody who would have been turned away but for a reason."""

    target: bytes
    bits: int
    at: float
    rule: str
    reason: str  # "known", "shielded", "known-neighbour", "device"
    clients: int
    attempts: int
    evidence: tuple[bytes, ...]


class Breach(NamedTuple):
    """A good login that looks like a guessed password. `why`: "guessed", "denied", "network" or "mixed"."""

    client: bytes
    user: bytes | None
    at: float
    attempts: int
    why: str
    line: bytes


class Alarm(NamedTuple):
    """Something the admin should look at. `what`: "outage", "silent-outage", "hidden-clients", "known-client-fails", "device",
    "late-login", "login-before"."""

    what: str
    at: float
    until: float
    times: int
    client: bytes
    line: bytes


class Findings:
    """Each of them bounded, the oldest forgotten first."""

    def __init__(self) -> None:
        self.spared: dict[tuple[bytes, str], Spared] = {}
        self.breaches: list[Breach] = []
        self.alarms: dict[tuple[str, bytes], Alarm] = {}  # the last of each kind and client
        self.told: list[Alarm] = []  # those before them

    def _spare(self, spared: Spared) -> None:
        if (spared.target, spared.rule) not in self.spared:
            if len(self.spared) >= FOUND:
                del self.spared[next(iter(self.spared))]
            self.spared[(spared.target, spared.rule)] = spared

    def _breach(self, attempts: int, event: Event, why: str) -> None:
        fact = event.fact
        for b in self.breaches[-20:]:
            if b.client == fact.client and b.user == fact.user and b.why == why:
                return
        if len(self.breaches) >= FOUND:
            del self.breaches[0]
        self.breaches.append(Breach(fact.client, fact.user, event.time, attempts, why, event.line[:LONGEST]))

    def _alarm(self, what: str, now: float, client: bytes, line: bytes) -> None:
        before = self.alarms.get((what, client))
        if before is not None and now - before.until > (APART if what in OUTAGES else DAY):  # another one
            if len(self.told) >= FOUND:
                del self.told[0]
            self.told.append(before)
            before = None
        if before is not None:
            self.alarms[(what, client)] = before._replace(until=now, times=before.times + 1)
        else:
            if len(self.alarms) >= FOUND:
                del self.alarms[next(iter(self.alarms))]
            self.alarms[(what, client)] = Alarm(what, now, now, 1, client, line[:LONGEST])

    def alarmed(self) -> list[Alarm]:
        """All alarms, in order of time."""
        return sorted([*self.told, *self.alarms.values()], key=lambda a: (a.at, a.what, a.client))
