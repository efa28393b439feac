"""What happened hour by hour, beside what the judge decided: for the report, the web page and the live screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from monzen.judge.client import Client
from monzen.judge.judge import Judge
from monzen.judge.prefixes import within
from monzen.types import Event, Kind, Weight

HOUR: Final = 3600
THROUGH, DENIED, USERS, LOGINS, KNOCKS = range(5)  # columns of an hour: attempts, attempts of who is denied, slips of users, ...
NAMES: Final = 20_000  # names counted at once; the rarest go
HOURS: Final = 24 * 800  # hours kept: two years
LATEST: Final = 200  # events kept one by one
SLIPS: Final = 12  # attempts of a stranger that are remembered one by one: he may turn out to be a user of yours
STRANGERS: Final = 20_000  # of whom that is remembered; the first ones go
CLIENTS: Final = 200_000  # clients whose attempts are counted; the first ones go
MINUTE: Final = 60
TICKS: Final = 100  # of a second: stamps are kept to that, so that of a minute there are 6,000 at most
MINUTES: Final = 240  # minutes whose attempts are kept: more than the widest terminal has columns

STRONG: Final = int(Weight.STRONG)
SUCCESS: Final = int(Kind.AUTH_SUCCESS)
BLOCKED: Final = int(Kind.BLOCKED)


class Slip(NamedTuple):
    """An attempt, as it was counted."""

    hour: int
    attempts: int
    deed: tuple[int, int]
    name: bytes | None
    denied: bool


class Chronicle:
    """Counts by hour, kind, service and name what a judge hears, right after it heard it; nothing from before `since` (epoch)."""

    def __init__(self, judge: Judge, since: float | None = None) -> None:
        self.judge = judge
        self.passed: list[Event] = []  # as the judge says
        judge.passed = self.passed
        self.since = since if since is not None else float("-inf")
        self.hours: dict[int, list[int]] = {}  # by the number of the hour since 1970, UTC
        self.deeds: dict[tuple[int, int], int] = {}  # attempts by kind and service
        self.slips: dict[bytes, list[Slip]] = {}  # of strangers
        self.through: dict[bytes, int] = {}  # by client: its attempts while nobody denied it
        self.names: dict[bytes, int] = {}  # attempts of strangers by name
        self.real: set[bytes] = set()  # those of them that the log does not say to be nobody's
        self.logins: dict[int, int] = {}  # by service
        self.latest: deque[tuple[Event, bool]] = deque(maxlen=LATEST)  # what strangers did last, and whether they were denied
        self.minutes: dict[int, int] = {}  # attempts of strangers, by the number of the minute since 1970, UTC; the last of them
        self.lately: deque[list[int]] = deque()  # ticks since 1970 in the last minute, and attempts of strangers in each
        self.now = 0.0

    def see(self, events: Iterable[Event]) -> None:
        """Takes note of events that the judge has just heard."""
        hours, clients, since, now = self.hours, self.judge.clients, self.since, self.now
        passed = {id(event) for event in self.passed}
        for event in events:
            time, fact, attempts = event[0], event[1], event[2]
            now = max(now, time)
            if now < since:
                continue
            kind, packed = fact[0], fact[2]
            row = hours.get(int(now) // HOUR)
            if row is None:
                if len(hours) >= HOURS:
                    del hours[min(hours)]
                row = hours[int(now) // HOUR] = [0, 0, 0, 0, 0]
            if kind == SUCCESS:
                key = packed if len(packed) == 4 else packed[:8]
                client = clients.get(key)
                if client is not None and _user(client, now):  # else somebody got in
                    row[LOGINS] += 1
                    self.logins[fact[4]] = self.logins.get(fact[4], 0) + 1
                    if key in self.slips:
                        self._known(key, self.slips.pop(key))
            elif kind == BLOCKED:
                row[KNOCKS] += fact[7] is not None
            elif packed and fact[1] == STRONG and attempts > 0:
                key = packed if len(packed) == 4 else packed[:8]
                client = clients.get(key)
                if client is not None and _user(client, now):
                    row[USERS] += attempts
                    continue
                denied = id(event) not in passed
                row[DENIED if denied else THROUGH] += attempts
                if not denied:
                    self._let(key, attempts)
                deed = (kind, fact[4])
                self.deeds[deed] = self.deeds.get(deed, 0) + attempts
                self.latest.append((event, denied))
                self._late(int(now * TICKS), attempts)
                minute = int(now) // MINUTE
                if minute in self.minutes:
                    self.minutes[minute] += attempts
                else:
                    self._minute(minute, attempts)
                if fact[3]:
                    self._name(fact[3], attempts, nobody=fact[6] is False)
                self._slip(key, Slip(int(now) // HOUR, attempts, deed, fact[3], denied))
        self.now = now
        self.passed.clear()

    def _slip(self, key: bytes, slip: Slip) -> None:
        """An attempt of somebody who may turn out to be a user."""
        found = self.slips.get(key)
        if found is None:
            if len(self.slips) >= STRANGERS:
                for old in list(self.slips)[: STRANGERS // 4]:
                    del self.slips[old]
            self.slips[key] = [slip]
        elif len(found) < SLIPS:
            found.append(slip)

    def _known(self, key: bytes, slips: list[Slip]) -> None:
        """A stranger logged in: what he did before were slips of a user."""
        for slip in slips:
            row = self.hours.get(slip.hour)
            if row is not None:
                row[DENIED if slip.denied else THROUGH] -= slip.attempts
                row[USERS] += slip.attempts
            self.deeds[slip.deed] = self.deeds.get(slip.deed, 0) - slip.attempts
            if not self.deeds[slip.deed]:
                del self.deeds[slip.deed]
            if not slip.denied and key in self.through:
                self.through[key] -= slip.attempts
            name = slip.name[:80] if slip.name else b""
            if name in self.names:
                self.names[name] -= slip.attempts
                if self.names[name] <= 0:
                    del self.names[name]
                    self.real.discard(name)

    def _let(self, key: bytes, attempts: int) -> None:
        """Attempts that nobody kept out."""
        through = self.through
        if key in through:
            through[key] += attempts
            return
        if len(through) >= CLIENTS:
            for old in list(through)[: CLIENTS // 4]:
                del through[old]
        through[key] = attempts

    def _late(self, tick: int, attempts: int) -> None:
        """Attempts at this moment."""
        lately = self.lately
        if lately and lately[-1][0] == tick:
            lately[-1][1] += attempts
            return
        lately.append([tick, attempts])
        while lately[0][0] <= tick - MINUTE * TICKS:
            lately.popleft()

    def rate(self, end: float) -> int:
        """Attempts of strangers within the sixty seconds before `end`, which is no earlier than the last of them."""
        since = int(end * TICKS) - MINUTE * TICKS
        return sum(attempts for tick, attempts in self.lately if tick > since)

    def _minute(self, minute: int, attempts: int) -> None:
        """The first attempts of a minute."""
        minutes = self.minutes
        minutes[minute] = attempts
        if len(minutes) > MINUTES:
            del minutes[min(minutes)]

    def denied(self, key: bytes, now: float) -> bool:
        """Whether a client (4 or 8 bytes) was denied before this moment, by itself or with its network."""
        judge = self.judge
        client = judge.clients.get(key)
        if client is not None and client.sentence is not None and client.sentence.at < now <= client.sentence.until:
            return True
        if len(key) == 4:
            network = judge.networks.get(key[:3])
            around = [] if network is None else [network.sentence, network.part(key, now)]
        else:
            around = [n.sentence for size in (7, 6) if (n := judge.wide.get(key[:size])) is not None]
        for wide in judge.routed.values() if judge.routed else ():
            around += [s for s in wide if within(key, s.target.ljust(len(key), b"\0"), s.bits)]
        return any(s is not None and s.at < now <= s.until for s in around)

    def _name(self, name: bytes, attempts: int, *, nobody: bool) -> None:
        names = self.names
        name = name[:80]
        if name not in names and len(names) >= NAMES:
            for old in sorted(names, key=names.__getitem__)[: NAMES // 4]:
                del names[old]
                self.real.discard(old)
        names[name] = names.get(name, 0) + attempts
        if not nobody:
            self.real.add(name)


def _user(client: Client, now: float) -> bool:
    """Whether a client had logged in by this moment, and was not denied: whatever later lines the judge heard with it."""
    trust, sentence = client.trust, client.sentence
    return trust is not None and trust.logins > 0 and trust.first <= now and (sentence is None or sentence.at > now)
