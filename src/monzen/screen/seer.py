"""Looks at the logs until something is new, and says what is to be seen then."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import select
import threading
import time
from typing import Final

from monzen.looking import Live
from monzen.screen.sight import Sight, see
from monzen.show.why import Subject, in_words
from monzen.types import Event

SECOND: Final = 1.0  # the longest sleep: what inotify does not tell (NFS, a folder that appears) is seen then
SOON: Final = 0.02  # seconds that journalctl is given, at work on the past
MINUTE: Final = 60.0
GLANCE: Final = 0.1  # seconds of reading between two looks, and the least time between two sights
HISTORY: Final = 0.5  # the same while the past is read: nobody can follow it
LEISURE: Final = 20  # so many times as long as it takes to look for suspects, there is no other look for them
KEPT: Final = 5_000  # events of offenders kept for `explain`


class Seer:
    """One thread steps, others may ask and wake it."""

    def __init__(self, live: Live, zone: dt.tzinfo, *, names: bool) -> None:
        self.live, self.zone, self.names = live, zone, names
        self.lock = threading.Lock()  # whoever holds it has `live` to himself
        self.kept: list[Event] = []
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._see, live.mind.beside = live.mind.beside, self._hear
        self._moved = True
        self._new = True
        self._stale = False  # suspects and denials are those of a moment ago
        self._told: tuple[object, ...] = ()
        self._last: Sight | None = None
        self._next = {"look": 0.0, "sight": 0.0, "slow": 0.0, "minute": time.monotonic() + MINUTE}

    def _hear(self, events: list[Event]) -> None:
        """Beside the judge: to the chronicle, and what offenders did is kept for a while."""
        if self._see is not None:
            self._see(events)
        self.kept += [e for e in events if e.fact.weight]
        if len(self.kept) > 2 * KEPT:
            del self.kept[:-KEPT]

    def wake(self) -> None:
        """Step at once: somebody changed something."""
        self._next["look"] = self._next["slow"] = 0.0
        self._new = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._writing, b"x")

    def close(self) -> None:
        """Look no more."""
        with self.lock:
            self.live.close()
        os.close(self._reading)
        os.close(self._writing)

    def step(self, patience: float = SECOND) -> Sight | None:
        """Waits until something comes, no longer than `patience` seconds, and reads it. The sight where it is another one."""
        self._wait(patience)
        with self.lock:
            self._read()
            now = time.monotonic()
            if now >= self._next["look"]:
                self._next["look"] = now + SECOND
                self.live.look(time.time())
            if now >= self._next["minute"]:
                self._next["minute"] = now + MINUTE
                self.live.watch_anew()
            told = self._signs()
            self._new = self._new or told != self._told or (self._stale and now >= self._next["slow"])
            if not self._new or now < self._next["sight"]:
                return None
            self._told, self._new = told, False
            return self._look(now)

    def settle(self) -> Sight:
        """Everything that is there by now, to its end."""
        while True:
            with self.lock:
                moved = self.live.turn()
                if not moved and self.live.caught_up:
                    break
            self._moved = moved
            if not moved:
                self._wait(SOON)
        with self.lock:
            self.live.settle()
            self.live.look(time.time())
            return see(self.live, time.time(), names=self.names)

    def explain(self, target: bytes, bits: int) -> list[str]:
        """The text of `monzen why`, of what was read so far."""
        from monzen.why import Watch

        watch = Watch(target, bits)
        with self.lock:
            watch.see(self.kept)
            subject = Subject(self.live.judge, target, bits, watch.counted, watch.lines())
            return list(in_words(subject, self.zone, names=self.names))

    def _wait(self, patience: float) -> None:
        if self._moved:
            patience = 0.0
        elif not self.live.caught_up:
            patience = min(patience, SOON)
        elif self._new:
            patience = min(patience, max(0.0, self._next["sight"] - time.monotonic()))
        elif self._stale:
            patience = min(patience, max(0.0, self._next["slow"] - time.monotonic()))
        poll = select.poll()
        for fd in (self._reading, *self.live.filenos()):
            poll.register(fd, select.POLLIN)
        for fd, _events in poll.poll(patience * 1000):
            if fd == self._reading:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._reading, 512)

    def _read(self) -> None:
        end = time.monotonic() + GLANCE
        self._moved = False
        while self.live.turn():
            if time.monotonic() > end:
                self._moved = True
                return

    def _signs(self) -> tuple[object, ...]:
        """What is another one when there is something new to be seen; the rate falls by itself, the minute passes."""
        live = self.live
        rows = tuple((s.reader.lines, s.error, s.caught_up) for s in live.followed.streams)
        now = time.time()
        lately = live.chronicle.now > now - 2 * MINUTE
        return rows, id(live.gate), live.mind.heard, live.judge.events, int(now // (2 if lately else MINUTE))

    def _look(self, now: float) -> Sight:
        slowly = now >= self._next["slow"] or self._last is None
        sight = see(self.live, time.time(), names=self.names, before=None if slowly else self._last)
        end = time.monotonic()
        if slowly:
            self._next["slow"] = end + LEISURE * (end - now)
        self._stale = not slowly
        self._next["sight"] = end + (HISTORY if sight.reading else GLANCE)
        self._last = sight
        return sight
