"""The sources that `monzen run` follows, from where each was left."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from typing import Any, Final

from monzen.guard.mind import AHEAD, Mind
from monzen.guard.streams import BLOCK, Follows, LogStream
from monzen.settings import Sources
from monzen.show.refused import refused
from monzen.sources.follow import Follower
from monzen.sources.follow_journal import JournalFollower
from monzen.sources.watch import Watch

JOURNAL: Final = "journal"
DAY: Final = 86_400.0
Part = tuple[str, Any, bool, list[Any]]  # of a record: stream, position, whether it has caught up, events


class Followed:
    """Files and the journal as streams, and what wakes us when one of them is written."""

    def __init__(self, sources: Sources, zone: dt.tzinfo, root: str = "/") -> None:
        self.sources, self.zone, self.root = sources, zone, root
        self.streams: list[LogStream] = []
        self.files: list[Follower] = []
        self.journal: JournalFollower | None = None
        self.watch: Watch | None = None

    @property
    def caught_up(self) -> bool:
        """Whether nothing is left to be read now."""
        return all(s.caught_up for s in self.streams)

    def open(self, mind: Mind, now: float, *, history: bool) -> list[Part]:
        """Follow what is configured: from where the mind stood, else from now on, or back in `history`.

        Returns what the mind must hear.
        """
        since = now - self.sources.history if history else None
        for path in self.sources.files:
            position, clock = _stood(mind, path)
            fresh = since if since is not None else now if position is None else None
            file = Follower(self._at(path), position, since=fresh)
            self.files.append(file)
            self._add(path, file, clock)
        if self._wants_journal(now):
            position, clock = _stood(mind, JOURNAL)
            self.journal = JournalFollower(position, since=since if position is None else None)
            self._add(JOURNAL, self.journal, clock)
        self.watch = Watch(self._paths())
        followed = {s.name for s in self.streams}
        parts: list[Part] = [(s.name, s.position, False, []) for s in self.streams]
        return parts + [
            (name, s.position, True, []) for name, s in mind.streams.items() if name not in followed
        ]  # hold nobody up

    def read(self, mind: Mind, now: float) -> tuple[bool, list[Part]]:
        """One block of each source: whether there was any, and what the mind must hear."""
        moved = False
        parts: list[Part] = []
        for stream in self.streams:
            known = mind.stream(stream.name)
            if len(known.waiting) > AHEAD:
                continue
            events = stream.turn(now, BLOCK)
            moved = moved or events is not None
            if events or stream.caught_up != known.caught_up:
                parts.append((stream.name, stream.position, stream.caught_up, events or []))
        return moved, parts

    def told(self) -> list[str]:
        """What the sources said since, a line each; what is wrong with each now is its `error`."""
        said: list[str] = []
        for stream in self.streams:
            for error in stream.follower.words:
                words = refused(error)
                stream.missing = error.reason == "missing"
                stream.error = "" if stream.missing and not self.expected(stream) else words
                said.append(f"source={stream.name} {words}")
            stream.follower.words.clear()
            if stream.missing and os.path.exists(stream.name):
                stream.missing, stream.error = False, ""
            said += stream.words
            stream.words.clear()
        return said

    def expected(self, stream: LogStream) -> bool:
        """Whether it should be there: it once was, or somebody named it. Of those we look for by ourselves some never come."""
        return stream.clock.last is not None or self.sources.files != Sources().files

    def close(self) -> None:
        """Follow nothing."""
        for stream in self.streams:
            stream.follower.close()
        if self.watch is not None:
            self.watch.close()
        self.streams, self.files, self.journal, self.watch = [], [], None, None

    def filenos(self) -> list[int]:
        """What to wait for."""
        fds = [source.fileno() for source in (self.watch, self.journal) if source is not None]
        return [fd for fd in fds if fd is not None]

    def awake(self) -> None:
        """What woke us is forgotten: everything is looked at."""
        if self.watch is not None:
            self.watch.drain()

    def watch_anew(self) -> None:
        """Watch the files that are there now."""
        if self.watch is not None:
            self.watch.update(self._paths())

    def _add(self, name: str, follower: Follows, clock: Any) -> None:  # noqa: ANN401  # what the stream made of it
        self.streams.append(LogStream(name, follower, self.zone, clock))

    def _at(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def _paths(self) -> list[str]:
        return [path for file in self.files for path in file.paths()]

    def _wants_journal(self, now: float) -> bool:
        """Whether the journal is read: as configured, or unless fresh files say the same."""
        if self.sources.journal is not None:
            return self.sources.journal
        if shutil.which("journalctl") is None:
            return False
        fresh = []
        for name in ("mail.log", "auth.log"):
            path = next((p for p in self.sources.files if p.endswith("/" + name)), None)
            if path is None:
                continue
            try:
                fresh.append(now - os.stat(self._at(path)).st_mtime < DAY)
            except OSError:
                return True
        return not any(fresh)


def _stood(mind: Mind, name: str) -> tuple[Any, Any]:
    """Where a stream stood, and its clock."""
    known = mind.streams.get(name)
    if known is None or known.position is None:
        return None, None
    position, clock = known.position
    return position, clock
