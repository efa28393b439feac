"""This machine's logs, looked at by ourselves as they grow: no guard, no rights but to read them, nothing written down."""

from __future__ import annotations

import datetime as dt
import heapq
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from monzen.gate.target import GateError
from monzen.gated import of_gate
from monzen.guard.followed import Followed
from monzen.guard.mind import EVENTS, PARDON, SHIELD, TICK, Mind
from monzen.judge.distance import Distance, distances, mercies, network_distances
from monzen.judge.judge import Judge
from monzen.judge.policy import Policy
from monzen.judge.routes import Routes
from monzen.judge.shield import Prefix
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError
from monzen.mode import PATH as MODE
from monzen.settings import Sources
from monzen.show.chronicle import Chronicle
from monzen.show.facts import Gate, Place, gather
from monzen.show.reading import Input, Reading
from monzen.sources.rotation import age

ASKED: Final = 2_000  # clients that are asked how near they are, those that did something last: 20 ms
MOMENT: Final = 1e-3  # seconds after a line: who is denied for it is denied
MINUTE: Final = 60.0  # seconds after which the ledger is read anew though nobody wrote: denials end by themselves


class Suspect(NamedTuple):
    """Who is not denied, and how near to it: a client (an address or a /64) or a network (/24)."""

    target: bytes  # leading bytes, as the judge has them
    bits: int
    near: float  # 0 to 1: of its limits the one it is nearest to; 1: the next failure is enough, or it is spared
    distances: tuple[Distance, ...]  # of each limit, nearest first
    clients: int  # of it that offended
    attempts: int
    last: float  # epoch seconds
    mercies: tuple[str, ...]  # what speaks for it (judge/distance.py)


class Live:
    """What the logs say by now, with the code of the guard: followed, joined, judged, counted hour by hour.

    `own`, `allow` and `private` are the shield's (judge/shield.py). What is read back begins at `since` (epoch seconds; None: all
    there is). `ledger`: what the gate did is asked of the ledger below `root`, where it may be read; who was released or allowed
    counts then.
    """

    def __init__(
        self,
        policy: Policy,
        sources: Sources,
        zone: dt.tzinfo,
        *,
        own: Iterable[Prefix] = (),
        allow: Iterable[Prefix] = (),
        private: bool = False,
        routes: Routes | None = None,
        since: float | None = None,
        root: str = "/",
        ledger: bool = True,
    ) -> None:
        self.since, self.root, self.ledger = since, root, ledger
        self.own, self.allow, self.private = tuple(own), tuple(allow), private
        now = time.time()
        self.mind = Mind(policy, None, routes)
        self.mind.hear((SHIELD, self.own, self.allow, private))
        self.chronicle = Chronicle(self.mind.judge, since)
        self.mind.beside = self.chronicle.see
        self.followed = Followed(replace(sources, history=now - since if since is not None else now), zone, root)
        self.heard = time.monotonic()  # when an event came last
        self.gate: Gate | None = None
        self.entries: list[Entry] = []  # denials that last, by the ledger
        self._seen: tuple[object, ...] = ()  # of the ledger's files, when it was read last
        self._read = float("-inf")
        self.mind.hear((EVENTS, self.followed.open(self.mind, now, history=True)))

    @property
    def judge(self) -> Judge:
        """What was found out."""
        return self.mind.judge

    @property
    def caught_up(self) -> bool:
        """Whether what was written before is read."""
        return self.followed.caught_up

    def close(self) -> None:
        """Look no more."""
        self.followed.close()

    def filenos(self) -> list[int]:
        """What becomes readable when there is something new; it may also come unheard (NFS): look each second."""
        return self.followed.filenos()

    def turn(self, now: float | None = None) -> bool:
        """Reads what is there now, no more than a block of each source (some milliseconds). Whether there was anything."""
        self.followed.awake()
        moved, parts = self.followed.read(self.mind, time.time() if now is None else now)
        if parts:
            self.mind.hear((EVENTS, parts))
            if any(part[3] for part in parts):
                self.heard = time.monotonic()
        if self.mind.holds_until < float("inf") and self.caught_up:
            at = self.mind.now + time.monotonic() - self.heard
            if at > self.mind.holds_until:
                self.mind.hear((TICK, at))
        return moved

    def settle(self) -> None:
        """Wait for nothing more: what was held in case its second half comes counts now."""
        self.mind.hear((TICK, float("inf")))

    def watch_anew(self) -> None:
        """Once a minute: files that appeared since are watched."""
        self.followed.watch_anew()

    def troubles(self) -> list[str]:
        """What cannot be read now, in words, a sentence for each source."""
        self.followed.told()
        return [s.error for s in self.followed.streams if s.error]

    def look(self, now: float) -> None:
        """What the gate did by now, and what people decided: read anew where somebody wrote it, at most once for each call."""
        if not self.ledger:
            return
        seen = tuple(_mark(os.path.join(self.root, name)) for name in (LEDGER, LEDGER + "-wal", MODE))
        if seen == self._seen and now < self._read + MINUTE:
            return
        self._seen, self._read = seen, now
        self.gate = of_gate(self.since or 0.0, now, self.root)
        if self.gate is None:
            self.entries = []
            return
        try:
            with Ledger.open(os.path.join(self.root, LEDGER), readonly=True) as ledger:
                self.entries = ledger.active(now)
                released = [(r.network, r.bits, r.at) for r in ledger.releases()]
                allowed = tuple(p for a in ledger.allowed() for p in a.prefixes)
        except (LedgerError, GateError):
            return
        self.mind.hear((PARDON, released))
        guarded = (self.own, (*self.allow, *allowed), self.private)
        if self.mind.guarded != guarded:
            self.mind.hear((SHIELD, *guarded))

    def reading(self) -> Reading:
        """What was read so far, as a scan would say it."""
        found = Reading(self.judge, since=self.since)
        for stream in self.followed.streams:
            one = Input(stream.name)
            one.lines, one.too_long = stream.reader.lines, stream.follower.skipped
            found.inputs.append(one)
            found.lines += one.lines
            found.too_long += one.too_long
            found.understood += stream.reader.understood
            found.suspects += stream.reader.suspects
        found.twice = self.mind.copies.dropped
        return found

    def facts(self, *, names: bool, place: Callable[[bytes], Place | None] | None = None) -> dict[str, Any]:
        """The facts of a report (show/facts.py) as of now."""
        self.look(time.time())
        return gather(self.reading(), self.chronicle, names=names, gate=self.gate, place=place)

    def suspects(self, most: int = 100) -> list[Suspect]:
        """Clients and networks that are not denied and did something lately, the nearest to a denial first."""
        judge = self.judge
        since = judge.now - judge.policy.memory
        lately = (
            (c.last, key)
            for key, c in judge.clients.items()
            if c.last >= since and (c.attempts or c.weak) and (c.record is not None or c.attempts > 1)
        )
        found = [s for _last, key in heapq.nlargest(ASKED, lately) if (s := self._client(key)) is not None]
        beside = ((n.last, key) for key, n in judge.networks.items() if n.last >= since and len(n.members) > 1)
        found += [s for _last, key in heapq.nlargest(ASKED, beside) if (s := self._network(key)) is not None]
        return heapq.nsmallest(most, found, key=lambda s: (-s.near, -s.last, s.target))

    def _client(self, key: bytes) -> Suspect | None:
        judge = self.judge
        client = judge.clients[key]
        own = client.trust is not None and client.trust.logins
        if own or self.chronicle.denied(key, judge.now + MOMENT) or judge.shield.covers(key):
            return None
        bits = 32 if len(key) == 4 else 64
        return _suspect(key, bits, distances(judge, key), 1, client.attempts, client.last, tuple(mercies(judge, key, client)))

    def _network(self, key: bytes) -> Suspect | None:
        judge = self.judge
        network = judge.networks[key]
        if (network.sentence is not None and judge.now <= network.sentence.until) or judge.shield.holds(key, 24):
            return None
        members = [c for k in network.members if (c := judge.clients.get(k)) is not None]
        speaks = ("neighbour",) if judge.users.get(key) or judge.senders.get(key) else ()
        attempts = sum(c.attempts for c in members)
        return _suspect(key, 24, network_distances(judge, key, 24), len(members), attempts, network.last, speaks)


def _suspect(
    target: bytes, bits: int, found: list[Distance], clients: int, attempts: int, last: float, speaks: tuple[str, ...]
) -> Suspect | None:
    if not found:
        return None
    found = sorted(found, key=lambda d: -d.have / d.need)
    return Suspect(target, bits, min(1.0, found[0].have / found[0].need), tuple(found), clients, attempts, last, speaks)


def _mark(path: str) -> tuple[int, int, int] | None:
    """What is another one when the file was written."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def followable(files: Iterable[str]) -> tuple[str, ...]:
    """The logs among FILEs as whole paths: what a log was rotated to is followed with it."""
    given = dict.fromkeys(os.path.abspath(f) for f in files)
    stems = {p: os.path.join(os.path.dirname(p), age(os.path.basename(p)).stem) for p in given}
    return tuple(p for p in given if stems[p] == p or stems[p] not in given)
