"""What the guard knows, and how it learns: records in, sentences out. The same records give the same mind.

A record is what came in one turn of the loop: events of each stream with the position behind them, that time passed, whom the
gate shields, whom an admin released. It is written down before it is heard (guard/store.py), so that a mind that was killed is
made again from its last snapshot and the records since: exactly once, whatever the moment. Pure, as the judge is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from monzen.guard.copies import Copies
from monzen.judge.client import Sentence
from monzen.judge.judge import Judge
from monzen.judge.pardon import lift, pardon
from monzen.judge.policy import Policy
from monzen.judge.routes import Routes
from monzen.judge.shield import Prefix, Shield
from monzen.judge.state import restore as restore_judge
from monzen.judge.state import save as save_judge
from monzen.pardons import Pardons
from monzen.parse import saved
from monzen.parse.join import Joiner
from monzen.types import Event

VERSION: Final = 1
NEVER: Final = float("-inf")
AHEAD: Final = 20_000  # events of a stream that may wait for the others
Record = tuple[Any, ...]
EVENTS, TICK, SHIELD, PARDON, LIFT = "events", "tick", "shield", "pardon", "lift"


class Stream:
    """One source of events: what of it waits for others to catch up, and where its reader stands."""

    __slots__ = ("caught_up", "latest", "number", "position", "waiting")

    def __init__(self, number: int) -> None:
        self.number = number
        self.position: Any = None  # plain values: position of the source, and of its clock
        self.waiting: list[tuple[float, Event]] = []
        self.latest = NEVER
        self.caught_up = True


class Mind:
    """Joins the streams, drops what comes twice, joins the lines of one guess, judges."""

    def __init__(self, policy: Policy | None = None, shield: Shield | None = None, routes: Routes | None = None) -> None:
        self.policy, self.routes = policy or Policy(), routes
        self.judge = Judge(self.policy, shield, routes)
        self.joiner = Joiner()
        self.copies = Copies()
        self.streams: dict[str, Stream] = {}
        self.guarded: tuple[tuple[Prefix, ...], tuple[Prefix, ...], bool] | None = None  # own, allowed, private
        self.released: dict[tuple[bytes, int], float] = {}  # who was let in, and when last
        self.pardons = Pardons(())
        self.heard = 0  # events of all streams
        self.now = NEVER  # the newest time of any event
        self.beside: Callable[[list[Event]], None] | None = None  # sees what the judge has just heard; no part of the mind

    def stream(self, name: str) -> Stream:
        """The stream with this name; made when it is new."""
        found = self.streams.get(name)
        if found is None:
            found = self.streams[name] = Stream(len(self.streams))
        return found

    def hear(self, record: Record) -> None:
        """Takes one record."""
        what = record[0]
        if what == EVENTS:
            self._events(record[1])
        elif what == TICK:
            self._judge(self.joiner.wait_until(record[1]))
        elif what == SHIELD:
            own, allowed, private = (tuple(map(tuple, record[1])), tuple(map(tuple, record[2])), record[3])
            self.guarded = (own, allowed, private)
            self.judge.shield = Shield(own, allowed, private)
        elif what == PARDON:
            self._pardon([(network, bits, at) for network, bits, at in record[1]])
        elif what == LIFT:
            lift(self.judge, record[1], record[2], self.judge.now)
        else:
            raise ValueError(f"no record: {what!r}")

    def _events(self, parts: Iterable[tuple[str, Any, bool, list[saved.Row] | list[Event]]]) -> None:
        """New events of some streams, each with its position and whether it has caught up with its source."""
        for name, position, caught_up, rows in parts:
            stream = self.stream(name)
            stream.position, stream.caught_up = position, caught_up
            for event in rows:
                if type(event) is not Event:
                    event = saved.event(event)
                stream.latest = max(stream.latest, event[0])
                stream.waiting.append((stream.latest, event))
        self._release()

    def _release(self) -> None:
        """What no stream that is behind can precede any more, in order of time; of one moment in the order of the streams."""
        limit = min((s.latest for s in self.streams.values() if not s.caught_up), default=float("inf"))
        ready: list[tuple[float, int, Event]] = []
        for stream in self.streams.values():
            waiting = stream.waiting
            # of one for whom the others wait nobody waits for more of the same moment without end: a log and a copy of it, read
            # one after the other, have no later moment, and who waits is not read on
            until = limit if len(waiting) <= AHEAD or stream.latest > limit else float("inf")
            if not waiting or waiting[0][0] >= until:
                continue
            cut = len(waiting)
            if waiting[-1][0] >= until:
                cut = next(i for i, (at, _) in enumerate(waiting) if at >= until)
            ready += [(at, stream.number, event) for at, event in waiting[:cut]]
            del waiting[:cut]
        if not ready:
            return
        if len(self.streams) > 1:
            ready.sort(key=_order)
            news = self.copies.news
            fresh = [new for _at, number, event in ready if (new := news(event, number)) is not None]
        else:
            fresh = [event for _at, _number, event in ready]
        self.heard += len(fresh)
        self.now = max(self.now, ready[-1][0])
        self._judge(self.joiner.join(fresh))

    def _judge(self, events: list[Event]) -> None:
        if events:
            counted = self.pardons.filter(events)
            self.judge.hear(counted)
            if self.beside is not None:
                self.beside(counted)

    def _pardon(self, releases: list[tuple[bytes, int, float]]) -> None:
        """Somebody was let in: what they did before counts no more, whether it was heard already or is yet to be read."""
        for network, bits, at in releases:
            if at <= self.released.get((network, bits), NEVER):
                continue
            self.released[(network, bits)] = at
            pardon(self.judge, network, bits, at)
        self.pardons = Pardons((network, bits, at) for (network, bits), at in self.released.items())

    @property
    def holds_until(self) -> float:
        """When the first of what is held waits no longer; infinity where nothing is held."""
        return self.joiner.held[0].until if self.joiner.held else float("inf")

    def since(self, number: int) -> list[Sentence]:
        """The sentences given since that many were, in order."""
        found: list[Sentence] = []
        for queue in (self.judge.singles, self.judge.shared):
            for s in reversed(queue):
                if s.number < number:
                    break
                found.append(s)
        found.sort(key=lambda s: s.number)
        return found

    def save(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return {
            "version": VERSION,
            "judge": save_judge(self.judge),
            "joiner": saved.save(self.joiner),
            "copies": self.copies.save(),
            "streams": [
                (name, s.position, s.latest, s.caught_up, [(at, saved.row(e)) for at, e in s.waiting])
                for name, s in self.streams.items()
            ],
            "guarded": self.guarded,
            "released": list(self.released.items()),
            "heard": self.heard,
            "now": self.now,
        }

    @classmethod
    def restore(cls, state: dict[str, Any], policy: Policy | None = None, routes: Routes | None = None) -> Mind:
        """The mind that was saved. Raises ValueError or KeyError for that of another version."""
        if state["version"] != VERSION:
            raise ValueError(f"a mind of version {state['version']}; this is version {VERSION}")
        mind = cls(policy, None, routes)
        guarded = state["guarded"]
        shield = Shield(*guarded) if guarded is not None else None
        mind.judge = restore_judge(state["judge"], mind.policy, shield, routes)
        mind.joiner = saved.restore(state["joiner"])
        mind.copies = Copies.restore(state["copies"])
        for name, position, latest, caught_up, waiting in state["streams"]:
            stream = mind.stream(name)
            stream.position, stream.latest, stream.caught_up = position, latest, caught_up
            stream.waiting = [(at, saved.event(row)) for at, row in waiting]
        mind.released = dict(state["released"])
        mind.pardons = Pardons((network, bits, at) for (network, bits), at in mind.released.items())
        mind.guarded, mind.heard, mind.now = guarded, state["heard"], state["now"]
        return mind


def _order(entry: tuple[float, int, Event]) -> tuple[float, int]:
    return entry[0], entry[1]
