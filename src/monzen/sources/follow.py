"""A log that grows and is rotated, read as one endless text: each line once, in order, from where the last process stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from monzen.sources.complaints import Complaints
from monzen.sources.cursor import DIGEST, Cursor
from monzen.sources.error import SourceError
from monzen.sources.growing import CutError, Growing
from monzen.sources.lineage import TRIES, Entry, Lineage, key_of
from monzen.sources.texts import Text, Texts

VERSION: Final = 1
DONE: Final = 256  # files of a set that are remembered as read: most sets have fewer than 60
LATE: Final = 4  # rotated files kept open for a writer that has not noticed
QUIET: Final = 600.0  # seconds: rsyslog opens its files anew at logrotate's signal, others within minutes
GONE: Final = 60.0  # the same for one that was removed, and whose place on disk we hold
AGAIN: Final = 1.0  # seconds between two looks for a file that is not there
STEPS: Final = 64  # files begun within one take(): those without a line in them

Position = tuple[Any, ...]


class Follower:
    """Reads `path` and the files it was rotated to.

    Without a `position` it begins with the oldest of them written at `since` or later (epoch seconds), or, where that is None, at
    the end. `position` stands exactly behind the last block that take() gave and is made of plain values. `behind` holds whole
    lines from before it. `mtime` is the last write of the file that the last block came from. `caught_up`: there is nothing to be
    read now; `now` is the `mtime` before the first. `words` is what a person should hear, and `skipped` the lines that were too
    long or never ended.
    """

    def __init__(
        self,
        path: str,
        position: Position | None,
        *,
        since: float | None = None,
        now: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.behind = b""
        self.mtime = now
        self.caught_up = False
        self.skipped = 0
        self._clock = clock
        self._complaints = Complaints(clock)
        self._lineage = Lineage(path)
        self._texts = Texts(path, self._complaints)
        self._late: list[Text] = []  # oldest first
        self._text: Text | None = None
        self._look: tuple[float, tuple[int, int] | None] | None = None  # when nothing was found, and what the name stood for then
        if position is None or position[0] != VERSION:
            self._begin(since)
        else:
            self._resume(position)

    @property
    def words(self) -> list[SourceError]:
        """What went wrong; for the caller to empty."""
        return self._complaints.words

    @property
    def position(self) -> Position:
        """Where the next Follower goes on."""
        done = b"".join(list(self._texts.done)[-DONE:])
        late = tuple(tuple(text.cursor) for text in self._late)
        return VERSION, done, late, tuple(self._text.cursor) if self._text else ()

    def paths(self) -> list[str]:
        """The file, its folder and, where it is a link, the folder of its target: what inotify should watch."""
        real = os.path.realpath(self.path)
        folders = dict.fromkeys(os.path.dirname(os.path.abspath(p)) for p in (self.path, real))
        return [*folders, self.path]

    def close(self) -> None:
        """Give the files back."""
        for text in (*self._late, *([self._text] if self._text else [])):
            text.close()
        self._late, self._text = [], None

    def take(self, most: int = 1 << 18) -> bytes:
        """The next block of whole lines, about `most` bytes, each line with its newline; b"" where there is nothing now."""
        self.caught_up = False
        for _ in range(STEPS):
            abouts = self._abouts()
            for late in self._late[:]:
                if block := self._read(late, most, abouts):
                    late.quiet = self._clock()
                    self._texts.done[late.mark] = None  # it may have been empty when it was left
                    return block
                if not late.ended:
                    return b""
                if late in self._late and (late.packed or self._clock() - late.quiet > (QUIET if late.links else GONE)):
                    self._drop(late)
            live = key_of(self.path)  # before the end is seen: what is written behind a rotation goes to the next file
            if (text := self._text) is not None:
                fresh = not text.offset
                block = self._read(text, most, abouts)
                if self._text is not text:
                    continue  # it was cut
                at_home = text.key == live
                if fresh and text.stirred and self._overtaken(text):
                    continue
                if block:
                    self.caught_up = text.ended and at_home
                    return block
                if not text.ended:
                    return b""
                if at_home:
                    self.caught_up = True
                    return b""
            if not self._advance(live):
                self.caught_up = True
                return b""
        return b""

    def _abouts(self) -> dict[tuple[int, int], os.stat_result | None]:
        """How the files are now, by key, the newest looked at first.

        A writer goes from one to the next: what an older one gets later than that stands behind what these have by now.
        """
        texts = [*self._late, *([self._text] if self._text else [])] if self._late else []
        return {text.key: text.about() for text in reversed(texts)}

    def _read(self, text: Text, most: int, abouts: Mapping[tuple[int, int], os.stat_result | None]) -> bytes:
        """The next block of one text, no further than it was when it was looked at. What is wrong with it becomes a word."""
        try:
            block = text.read(most, abouts.get(text.key))
        except CutError:
            self._was_cut(text)
            return b""
        except SourceError as error:  # a damaged archive: nothing more will come of it
            self._complaints.say(error)
            text.ended = True
            return b""
        except OSError as error:
            self._complaints.say(SourceError.refused(text.path, error))
            text.ended = True
            return b""
        if text.skipped:
            self.skipped += text.skipped
            text.skipped = 0
        if block:
            self.mtime = text.mtime
        return block

    # Where to begin

    def _begin(self, since: float | None) -> None:
        entries = self._lineage.entries()
        fresh = [since is not None and e.mtime >= since for e in entries]
        for n, e in enumerate(entries):
            if e.mark and not e.live and not any(fresh[: n + 1]):
                self._texts.done[e.mark] = None
        if not any(fresh) and entries and entries[-1].live and (text := self._texts.open(entries[-1])):
            if isinstance(text, Growing):
                text.to_end()
            self._text = text
            self.behind = text.behind()

    def _resume(self, position: Position) -> None:
        _version, done, late, current = position
        self._texts.done = dict.fromkeys(done[n : n + DIGEST] for n in range(0, len(done), DIGEST))
        cursors = [Cursor(*c) for c in late]
        here = Cursor(*current) if current else None
        others = [c.path for c in (*cursors, here) if c]
        for cursor in cursors:
            if text := self._settled(others, partial(self._rotated, cursor))[0]:
                self._keep(text)
        if here and here.mark:
            self._text, entries = self._settled(others, partial(self._texts.find, here))
            if self._text is None:
                self._texts.done[here.mark] = None
                self._complaints.say(SourceError("lost", self.path))
                if entries and entries[-1].live and self._next(entries, None) == entries[-1]:
                    self._text = self._texts.settle(entries[-1], here)
            if self._text:
                self.behind = self._text.behind()

    def _rotated(self, cursor: Cursor, entries: list[Entry]) -> Text | None:
        """The text of one that is not the live one any more."""
        old = [e for e in entries if not e.live]
        return self._texts.find(cursor, old) if cursor.mark else self._texts.empty(cursor, old)

    def _settled(self, others: Iterable[str], look: Callable[[list[Entry]], Text | None]) -> tuple[Text | None, list[Entry]]:
        """What `look` finds in the set, and the set; looked at anew where logrotate was at work meanwhile."""
        for _ in range(TRIES):
            entries = self._lineage.entries(others)
            self._texts.moved = False
            text = look(entries)
            if text is not None or not self._texts.moved:
                break
        return text, entries

    # What comes next

    def _advance(self, live: tuple[int, int] | None) -> bool:
        """Turn to the next file of the set; False where there is none, or not yet."""
        now = self._clock()
        if self._look and self._look[1] == live and now < self._look[0] + AGAIN:
            return False
        text = self._text
        for _ in range(STEPS):
            entries = self._entries()
            entry = self._next(entries, text)
            if entry is None or (text and entry.key == text.key):
                break
            if kept := next((t for t in self._late if t.key == entry.key), None):
                self._late.remove(kept)  # the rotation was taken back
                opened: Text | None = kept
            elif self._was_read(entry.mark) or not self._kept(entries):
                opened = self._texts.settle(entry, self._newest())
            else:
                opened = self._texts.open(entry)
            if opened:
                if text:
                    self._retire(text)
                self._text, self._look = opened, None
                self._complaints.found()
                return True
        self._look = now, live
        self._complaints.missing(self.path, waiting=text is not None, other=self._lineage.error)
        return False

    def _places(self) -> list[str]:
        return [text.path for text in (*self._late, *([self._text] if self._text else []))]

    def _entries(self) -> list[Entry]:
        return self._lineage.entries(self._places())

    def _next(self, entries: list[Entry], text: Text | None) -> Entry | None:
        """The first that was not read and stands behind all that were, and behind `text`; the live one is the last."""
        held = {late.key for late in self._late}
        last = self._last(entries)
        if text:
            same = [n for n, e in enumerate(entries) if not e.live and (e.key == text.key or (e.mark and e.mark == text.mark))]
            last = max([last, *same])
        for e in entries[last + 1 :]:
            # One without a line too: whoever has it open still may write to it.
            if e.live or (e.key not in held and (e.mark not in self._texts.done if e.mark else e.form == "plain")):
                return e
        return None

    def _newest(self) -> Cursor:
        """Where reading stood in the last file that had a line."""
        texts = [*self._late, *([self._text] if self._text else [])]
        return next((t.cursor for t in reversed(texts) if t.mark), Cursor("", 0, b"", 0, b"", False))

    def _was_read(self, mark: bytes) -> bool:
        """Whether a text with this first line was read: it is a copy, or restored."""
        return mark in self._texts.done or (mark != b"" and mark == self._newest().mark)

    def _kept(self, entries: list[Entry]) -> bool:
        """Whether the set still has what was read last: then that was rotated, not replaced."""
        mark = self._newest().mark
        return not mark or any(not e.live and e.mark == mark for e in entries)

    def _last(self, entries: list[Entry]) -> int:
        """Where the last stands of those that were read."""
        return max((n for n, e in enumerate(entries) if not e.live and e.mark in self._texts.done), default=-1)

    def _overtaken(self, text: Text) -> bool:
        """Whether lines were written to a file before this one, of which nothing was read yet, after somebody had looked."""
        held = {late.key for late in self._late}

        def before(entries: list[Entry]) -> Text | None:
            for e in entries[self._last(entries) + 1 :]:
                if e.live or e.key == text.key or (e.mark and e.mark == text.mark):
                    break
                new = e.mark and e.key not in held and e.mark not in self._texts.done
                if new and ((opened := self._texts.open(e)) or self._texts.moved):
                    return opened
            return None

        opened, _ = self._settled(self._places(), before)
        if opened is None:
            return False
        text.close()
        self._text = opened
        return True

    def _was_cut(self, text: Text) -> None:
        """The file no longer holds what was read of it: the rest is in its copy, or lost."""
        if text in self._late:
            self._drop(text)
            return
        cursor = text.cursor
        rest, entries = self._settled(self._places(), partial(self._texts.find, cursor))
        text.close()
        if rest is None:
            if cursor.mark:
                self._texts.done[cursor.mark] = None
            self._complaints.say(SourceError("cut-off", self.path))
            if entries and entries[-1].live and self._next(entries, None) == entries[-1]:
                rest = self._texts.settle(entries[-1], cursor)
        self._text = rest

    # What is behind

    def _retire(self, text: Text) -> None:
        if text.mark:
            self._texts.done.pop(text.mark, None)
            self._texts.done[text.mark] = None
        while len(self._texts.done) > 2 * DONE:
            del self._texts.done[next(iter(self._texts.done))]
        self._keep(text)

    def _keep(self, text: Text) -> None:
        if text.packed and text.ended:
            text.close()
            return
        text.quiet = self._clock()
        self._late.append(text)
        if len(self._late) > LATE:
            self._drop(self._late[0])

    def _drop(self, text: Text) -> None:
        self.skipped += text.rest()
        text.close()
        self._late.remove(text)
