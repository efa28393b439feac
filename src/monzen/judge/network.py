"""What is remembered of one network: who offended there, and when."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import Sentence
from monzen.judge.lean import mypyc_attr

MEMBERS: Final = 256  # a /24 has no more; of an IPv6 network the last ones
RECENT: Final = 32  # offences remembered one by one
FORGIVEN: Final = 30 * 86400.0  # after so long without an offence a network is as good as any
NOTHING: list[Sentence] = []
MANY: Final = 16  # members among which one is not looked for one by one


def host_of(key: bytes) -> int:
    """The number of an IPv4 client in its /22, and in its /24 too."""
    return (key[2] & 3) << 8 | key[3]


@mypyc_attr(acyclic=True)
class Network:
    """One /24, or one /56 or /48 of IPv6."""

    __slots__ = ("convicted", "hosts", "last", "members", "parts", "recent", "returns", "sentence")

    def __init__(self) -> None:
        self.members: list[bytes] = []  # offenders, oldest first
        self.hosts = 0  # of many members of IPv4 a bit each, when somebody asked for one
        self.recent: list[tuple[float, bytes, int]] = []  # offences at once: time, client, points
        self.sentence: Sentence | None = None
        self.parts: list[Sentence] = NOTHING  # of an inhabited /24: the parts where nobody lives
        self.convicted = 0
        self.returns = 0
        self.last = 0.0

    def offended(self, key: bytes, points: int, now: float, window: float) -> None:
        """A client of it did; of what is older than `window` (a time) only the client is remembered."""
        if now - self.last > FORGIVEN:  # others may live there now
            self.convicted = self.returns = 0
        members = self.members
        if not self.has(key):
            if len(members) >= MEMBERS:
                del members[0]
                self.hosts = 0
            members.append(key)
            if self.hosts:
                self.hosts |= 1 << host_of(key)
        recent = self.recent
        while recent and (recent[0][0] < window or len(recent) >= RECENT):
            del recent[0]
        recent.append((now, key, points))
        self.last = now

    def has(self, key: bytes) -> bool:
        """Whether a client is among the offenders."""
        members = self.members
        if len(members) <= MANY or len(key) != 4:
            return key in members
        if not self.hosts:
            for k in members:
                self.hosts |= 1 << host_of(k)
        return self.hosts >> host_of(key) & 1 == 1

    def part(self, key: bytes, now: float) -> Sentence | None:
        """The sentence of the part that a client is in, if one lasts."""
        for sentence in self.parts:
            size = 1 << (32 - sentence.bits)
            if now <= sentence.until and sentence.target[3] <= key[3] < sentence.target[3] + size:
                return sentence
        return None

    def forgive(self, key: bytes) -> None:
        """A client of it logged in: its slips were slips."""
        if self.has(key):
            self.members.remove(key)
            self.hosts = 0
            self.recent = [r for r in self.recent if r[1] != key]

    def crowd(self, since: float, clients: int, points: int) -> bool:
        """Whether so many clients have so many points together since then."""
        members: dict[bytes, int] = {}
        total = 0
        for time, key, p in self.recent:
            if time >= since:
                members[key] = 1
                total += p
        return len(members) >= clients and total >= points

    def recent_members(self, since: float) -> list[bytes]:
        """Who offended since then."""
        return list(dict.fromkeys(key for time, key, _ in self.recent if time >= since))
