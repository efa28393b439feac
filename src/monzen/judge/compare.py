"""Several policies over one log in one pass: what each lets through, whom it denies, which users it hurts.

Who attacked and who is a user is decided once, by monzen's judge at the end of the log, and is the same for every policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from monzen.judge.client import Client
from monzen.judge.judge import Judge
from monzen.judge.peers import Peer
from monzen.types import Event, Kind, Weight

STRONG: Final = int(Weight.STRONG)
SUCCESS: Final = int(Kind.AUTH_SUCCESS)
LOGIN: Final = 1  # a good login while it was denied
FAILED: Final = 2  # a failure while it was denied
NEVER: Final = -1


class Row(NamedTuple):
    """What one policy did. `attackers`, `attempts` and `users` are the same in every row."""

    policy: str
    attackers: int
    attempts: int  # of the attackers
    users: int
    through: int  # attempts of attackers that it did not deny
    never: int  # attackers of whom it denied nothing
    before: int | None  # median of the attempts before the first that was denied; None where there is none
    denials: int
    targets: int  # different ones
    addresses: int  # IPv4 addresses in them, each once
    hurt: int  # users


class Contender(Protocol):
    """A policy that is compared."""

    name: str

    def denied(self, address: bytes, key: bytes, now: float) -> bool:
        """Whether nothing comes in from an address (its client is `key`) now."""

    def hear(self, event: Event, now: float) -> None:
        """The next event."""

    def imposed(self) -> tuple[int, int, int]:
        """Denials, different targets, IPv4 addresses in them."""


def covered(targets: Iterable[tuple[bytes, int]]) -> int:
    """How many IPv4 addresses are in networks (leading bytes, prefix length), each counted once."""
    spans = sorted(
        (first, first + (1 << (32 - bits)))
        for first, bits in ((int.from_bytes(t.ljust(4, b"\0"), "big"), bits) for t, bits in targets if bits <= 32 and len(t) <= 4)
    )
    total = end = 0
    for first, last in spans:
        if last > end:
            total += last - max(first, end)
            end = last
    return total


class Monzen:
    """A judge of monzen among the others. `since`: from when on denials are counted."""

    def __init__(self, name: str, judge: Judge, since: float | None = None) -> None:
        self.name, self.judge = name, judge
        self.since = since if since is not None else float("-inf")

    def denied(self, address: bytes, key: bytes, now: float) -> bool:
        """Whether a sentence of the client, its network or a part of that lasts."""
        judge = self.judge
        client = judge.clients.get(key)
        if client is not None and client.sentence is not None and now <= client.sentence.until:
            return True
        sizes = (3,) if len(key) == 4 else (7, 6) if judge.wide else ()
        for size in sizes:
            network = judge.networks.get(key[:3]) if size == 3 else judge.wide.get(key[:size])
            if network is None:
                continue
            if network.sentence is not None and now <= network.sentence.until:
                return True
            if size == 3 and network.parts and network.part(key, now) is not None:
                return True
        return False

    def hear(self, event: Event, now: float) -> None:
        """The judge hears all of it: what comes from whom it denies is a knock."""
        self.judge.hear((event,))

    def imposed(self) -> tuple[int, int, int]:
        """As `verdicts` of the report has them."""
        found = [(s.target, s.bits) for s, at in self.judge.imposed() if at >= self.since]
        return len(found), len(set(found)), covered(set(found))


class Other:
    """An emulated program among the others."""

    def __init__(self, peer: Peer) -> None:
        self.name, self.peer = peer.name, peer
        self.hear = peer.hear

    def denied(self, address: bytes, key: bytes, now: float) -> bool:
        """It counts single addresses, of IPv6 too."""
        return self.peer.denied(address, now)

    def imposed(self) -> tuple[int, int, int]:
        """All that it denied: single addresses."""
        return self.peer.denials, self.peer.targets, self.peer.addresses


class Comparison:
    """Hears events for all of them. `since`: what came before is heard, and not counted."""

    def __init__(self, judge: Judge, others: list[Contender], since: float | None = None, name: str = "monzen") -> None:
        self.judge = judge
        self.contenders: list[Contender] = [Monzen(name, judge, since), *others]
        self.since = since if since is not None else float("-inf")
        self.most = judge.policy.clients
        self.now = float("-inf")
        self.forgotten = 0
        # by client: its attempts; then for each policy what it let through of them, how much of that before it first denied
        # (NEVER: nothing denied), and LOGIN and FAILED
        self.tallies: dict[bytes, list[int]] = {}

    def hear(self, events: Iterable[Event]) -> None:
        """Takes note of events in order of time; the judge hears them here too."""
        contenders = self.contenders
        for event in events:
            self.now = max(self.now, event[0])
            now = self.now
            fact = event[1]
            address = fact[2]
            if address and now >= self.since and (fact[0] == SUCCESS or (fact[1] and event[2] > 0)):
                key = address if len(address) == 4 else address[:8]
                self._tally(key, event, [c.denied(address, key, now) for c in contenders])
            for contender in contenders:
                contender.hear(event, now)

    def _tally(self, key: bytes, event: Event, denied: list[bool]) -> None:
        login = event[1][0] == SUCCESS
        tally = self.tallies.get(key)
        if tally is None:
            if login and not any(denied):
                return
            if len(self.tallies) >= self.most:
                for old in list(self.tallies)[: self.most // 10 + 1]:
                    del self.tallies[old]
                    self.forgotten += 1
            tally = self.tallies[key] = [0] + [0, NEVER, 0] * len(denied)
        attempts = event[2] if event[1][1] == STRONG and not login else 0
        tally[0] += attempts
        place = 1
        for turned_away in denied:
            if turned_away:
                if not login and tally[place + 1] == NEVER:
                    tally[place + 1] = tally[place]
                tally[place + 2] |= LOGIN if login else FAILED
            else:
                tally[place] += attempts
            place += 3

    def rows(self) -> list[Row]:
        """One for each policy, monzen's first."""
        clients = self.judge.clients
        attackers = [t for key, t in self.tallies.items() if t[0] and attacked(clients.get(key))]
        users = [(clients[key], t) for key, t in self.tallies.items() if key in clients and clients[key].good]
        attempts = sum(t[0] for t in attackers)
        everybody = sum(1 for client in clients.values() if client.good)
        rows: list[Row] = []
        for i, contender in enumerate(self.contenders):
            place = 1 + 3 * i
            before = sorted(t[place + 1] for t in attackers if t[place + 1] != NEVER)
            rows.append(
                Row(
                    contender.name,
                    len(attackers),
                    attempts,
                    everybody,
                    sum(t[place] for t in attackers),
                    len(attackers) - len(before),
                    before[(len(before) - 1) // 2] if before else None,
                    *contender.imposed(),
                    sum(1 for client, t in users if t[place + 2] & LOGIN or (t[place + 2] and client.sentence is None)),
                )
            )
        return rows


def attacked(client: Client | None) -> bool:
    """Whether a client with failures is an attacker: the judge convicted it, or it never logged in well nor brought mail."""
    return client is None or client.sentence is not None or client.trust is None
