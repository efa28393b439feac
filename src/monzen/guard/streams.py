"""A followed source as a stream of events: its follower, its clock, its reader; and whether its clock is ours."""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import Any, Final, Protocol

from monzen.parse.clock import Clock
from monzen.parse.reader import Reader
from monzen.sources.error import SourceError
from monzen.types import Event

BLOCK: Final = 1 << 18  # bytes read in one turn: 1,500 lines, some milliseconds
LATE: Final = 300.0  # seconds that the newest line may be late before we think of another time zone
STEADY: Final = 120.0  # seconds by which it may differ from line to line
AHEAD: Final = 5.0  # seconds that a line may be ahead of our clock: nothing was written in the future
SEEN: Final = 5  # blocks of lines that say the same


class Follows(Protocol):
    """What gives blocks of whole lines: sources/follow.py, sources/follow_journal.py."""

    @property
    def caught_up(self) -> bool:
        """Nothing is left to be read now."""

    @property
    def words(self) -> list[SourceError]:
        """What a person should hear; emptied by whoever reads it."""

    @property
    def skipped(self) -> int:
        """Lines that were left out."""

    @property
    def position(self) -> Any:  # noqa: ANN401  # plain values that only the follower reads
        """Exactly behind the last block."""

    @property
    def mtime(self) -> float:
        """Last write of the file that the last block came from."""

    @property
    def behind(self) -> bytes:
        """Whole lines before the position where it began."""

    def take(self, most: int = BLOCK) -> bytes:
        """The next block."""

    def close(self) -> None:
        """Nothing more is read."""


class LogStream:
    """One source, read into events. `position` is what must be remembered to go on behind the last of them."""

    def __init__(self, name: str, follower: Follows, zone: dt.tzinfo, state: Any = None) -> None:  # noqa: ANN401  # as above
        self.name, self.follower = name, follower
        last, year, offset = state if state is not None else (None, None, 0.0)
        self.offset = float(offset)
        self.clock = Clock(0.0, zone, year)
        self.clock.last, self.clock.first = last, False
        self.reader = Reader(self.clock)
        self.reader.resume(follower.behind)
        self.caught_up = False
        self.live = False  # it was caught up before the last block: what came then is new
        self.late: deque[float] = deque(maxlen=SEEN)
        self.seen = 0.0  # time of the newest event
        self.words: list[str] = []
        self.missing = False  # it is a file that is not there
        self.error = ""  # why nothing can be read, in words; empty once something was

    @property
    def position(self) -> tuple[Any, tuple[float | None, int | None, float]]:
        """Where the follower stands, and what the clock knows."""
        return self.follower.position, (self.clock.last, self.clock.year, self.offset)

    def turn(self, now: float, most: int = BLOCK) -> list[Event] | None:
        """The events of the next block, [] where it has none; None where there is no block now."""
        was = self.caught_up
        block = self.follower.take(most)
        self.caught_up = self.follower.caught_up
        if not block:
            return None
        self.live = was
        self.missing, self.error = False, ""
        self.clock.newest = now if was else max(self.clock.newest, min(self.follower.mtime or now, now))
        events = self.reader.read(block)
        if events:
            if was:
                self._compare(now - max(e.time for e in events))
            if self.offset:
                events = [e._replace(time=e.time + self.offset) for e in events]
            if max(e.time for e in events) > now + AHEAD:  # else all that comes until then would count as of one moment
                events = [e if e.time <= now + AHEAD else e._replace(time=now) for e in events]
            self.seen = events[-1].time
        return events

    def _compare(self, late: float) -> None:
        """A source that is always as late as a time zone is wide has a wrong clock: its times are mended, and it is said."""
        self.late.append(late)
        if len(self.late) < SEEN or max(self.late) - min(self.late) > STEADY:
            return
        offset = min(self.late, key=abs) if min(map(abs, self.late)) > LATE else 0.0
        if abs(offset - self.offset) > STEADY:
            self.offset = offset
            self.words.append(f"clock source={self.name} late={offset:.0f}s")
