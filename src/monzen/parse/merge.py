"""Several streams of events as one, in order of time; a line that stands in two of them (mail.log and syslog) comes once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from monzen.types import Event

TWICE = 3600.0  # seconds of log time within which the second copy of a line must come


class _Stream:
    """One stream: what of it was read and not yet given, with the time it is sorted by (a stamp that runs backwards counts as
    the latest before it, as everywhere)."""

    def __init__(self, records: Iterator[list[Event]]) -> None:
        self.records = records
        self.waiting: list[tuple[float, Event]] = []
        self.latest = float("-inf")
        self.ended = False

    def fill(self) -> None:
        """Reads on until there is something new, or the end."""
        for block in self.records:
            for record in block:
                self.latest = max(self.latest, record[0])
                self.waiting.append((self.latest, record))
            if block:
                return
        self.ended = True

    def take(self, before: float) -> list[tuple[float, Event]]:
        """What is sorted before this time."""
        waiting = self.waiting
        if not waiting or waiting[0][0] >= before:
            return []
        if waiting[-1][0] < before:
            self.waiting = []
            return waiting
        cut = next(i for i, (at, _) in enumerate(waiting) if at >= before)
        self.waiting = waiting[cut:]
        return waiting[:cut]


class Twice:
    """Lines that came in several streams: how often each stream had a line; only what exceeds the most so far is new."""

    def __init__(self) -> None:
        self.new: dict[int, dict[int, int]] = {}
        self.old: dict[int, dict[int, int]] = {}
        self.turn = float("-inf")
        self.dropped = 0

    def first(self, at: float, line: bytes, stream: int) -> bool:
        """Whether this copy of a line is the first of it."""
        if at > self.turn + TWICE:
            self.old, self.new, self.turn = self.new, {}, at
        key = hash(line)
        seen = self.new.get(key)
        if seen is None:
            seen = self.new[key] = self.old.pop(key, {})
        mine = seen[stream] = seen.get(stream, 0) + 1
        if mine > max((n for s, n in seen.items() if s != stream), default=0):
            return True
        self.dropped += 1
        return False


def merge(streams: list[Iterator[list[Event]]], twice: Twice) -> Iterator[list[Event]]:
    """The events of all streams in order of time; of the same moment in the order of the streams. One stream passes untouched."""
    if len(streams) == 1:
        yield from streams[0]
        return
    waiting = [_Stream(s) for s in streams]
    for stream in waiting:
        stream.fill()
    while any(s.waiting or not s.ended for s in waiting):
        reading = [s for s in waiting if not s.ended]
        limit = min((s.latest for s in reading), default=float("inf"))
        ready = [[(at, number, record) for at, record in s.take(limit)] for number, s in enumerate(waiting)]
        block = sorted(chain.from_iterable(ready), key=_order)
        if block:
            yield [record for at, number, record in block if twice.first(at, record[3], number)]
        for stream in reading:
            if stream.latest <= limit:
                stream.fill()


def _order(entry: tuple[float, int, Event]) -> tuple[float, int]:
    return entry[0], entry[1]
