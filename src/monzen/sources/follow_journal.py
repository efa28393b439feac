"""The journal as it grows, through journalctl: each line once, from the one where the last process stopped."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final

from monzen.sources.complaints import Complaints
from monzen.sources.error import SourceError
from monzen.sources.journal import JOURNAL, command, without_remarks, words_of
from monzen.sources.lines import MAX_LINE, without_long

if TYPE_CHECKING:
    import subprocess

FIRST, LONGEST = 1.0, 60.0  # seconds until journalctl is started again, doubled each time
PIECE: Final = 1 << 16  # bytes: what a pipe holds (pipe(7))
# Within a value a quote is \", so that these bytes stand nowhere but in the field itself; user fields never begin with "_"
# (systemd.journal-fields(7)).
_CURSOR = re.compile(rb'"__CURSOR" ?: ?"([^"\\]+)"')
_TIME = re.compile(r"(?:\A|;)t=([0-9a-f]{1,16})(?:;|\Z)")  # microseconds (systemd 252, sd-journal.c; elsewhere it is not found)
# How it is run. MARK: only to learn where the end is. READ: from the cursor to the end, and then it ends: so it is known when
# all was read. FOLLOW: until somebody ends it.
MARK, READ, FOLLOW = "mark", "read", "follow"


class JournalFollower:
    """Reads on behind `cursor`; without one from `since` (epoch seconds); without both at the end.

    `position` is the cursor of the last line that take() gave, or of the end where it began. `caught_up`: there is nothing to be
    read now. journalctl is started again when it ends, with longer and longer pauses.
    """

    behind = b""  # each line is whole by itself

    def __init__(self, cursor: str | None, *, since: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.position = cursor
        self.caught_up = False
        self.skipped = 0
        self._clock = clock
        self._complaints = Complaints(clock)
        self._since = None if since is None else int(since * 1e6)  # microseconds; where there is no cursor
        self._refused = False  # the cursor: `_since` is used in its place
        self._mode = READ if cursor or since is not None else MARK
        self._child: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None  # what it writes to stderr
        self._rest = b""  # of a line
        self._inside = False  # a line that is too long
        self._skip: bytes | None = None  # the cursor of the line it begins with, if that is there still
        self._pause = FIRST
        self._again = float("-inf")  # when to start it

    @property
    def mtime(self) -> float:
        """When the last line was logged, epoch seconds; 0 before the first."""
        found = _TIME.search(self.position or "")
        return int(found[1], 16) / 1e6 if found else 0.0

    @property
    def words(self) -> list[SourceError]:
        """What went wrong; for the caller to empty."""
        return self._complaints.words

    def fileno(self) -> int | None:
        """What to poll; None while journalctl does not run."""
        return self._child.stdout.fileno() if self._child and self._child.stdout else None

    def close(self) -> None:
        """End journalctl."""
        if self._child:
            self._child.kill()
            self._reap()

    def take(self, most: int = 1 << 18) -> bytes:
        """The next block of whole lines, about `most` bytes, each one JSON object; b"" where there is nothing now."""
        self.caught_up = False
        if self._child is None and not self._start():
            self.caught_up = True  # others shall not wait for it
            return b""
        while self._child is not None:
            data, ended = self._read(most)
            if block := self._lines(data):
                self.caught_up = self._mode == FOLLOW and not ended and len(data) < most
                return block
            if ended:
                if not self._over() or not self._start():
                    self.caught_up = True
                    return b""
            elif len(data) < most:
                self.caught_up = self._mode == FOLLOW
                return b""
        return b""

    def _read(self, most: int) -> tuple[bytes, bool]:
        """What the pipe holds, and whether its other end was closed."""
        assert self._child is not None
        assert self._child.stdout is not None
        pieces: list[bytes] = []
        size = 0
        with contextlib.suppress(BlockingIOError):
            while size < most:
                piece = os.read(self._child.stdout.fileno(), min(PIECE, most - size))
                if not piece:
                    return b"".join(pieces), True
                pieces.append(piece)
                size += len(piece)
        return b"".join(pieces), False

    def _lines(self, data: bytes) -> bytes:
        """The whole lines, without what is not to be given; moves `position` on."""
        end = data.rfind(b"\n") + 1
        if not end:
            if not self._inside:
                self._rest += data
        else:
            start = 0
            if self._inside:
                start = data.find(b"\n") + 1
                self._inside = False
            block = self._rest + data[start:end]
            self._rest = data[end:]
        if len(self._rest) > MAX_LINE:
            self._rest, self._inside = b"", True
            self.skipped += 1
        if not end:
            return b""
        if len(block) > MAX_LINE:
            block = without_long(block, self._count, b"")
        block = without_remarks(block)
        if self._mode == MARK:
            self._learn(block)
            return b""
        if block and self._skip is not None:
            first = block.find(b"\n") + 1
            found = _CURSOR.search(block, 0, first)
            if found and _same(found[1]) == self._skip:
                block = block[first:]
            self._skip = None
        self._learn(block)
        return block

    def _learn(self, block: bytes) -> None:
        at = block.rfind(b'"__CURSOR"')
        if at >= 0 and (found := _CURSOR.match(block, at)):
            self.position, self._refused = found[1].decode("ascii", "replace"), False
            self._pause = FIRST

    def _count(self, lines: int) -> None:
        self.skipped += lines

    def _start(self) -> bool:
        """Run journalctl; False while it is to be left alone, or cannot be run."""
        if self._clock() < self._again:
            return False
        import subprocess  # takes longer to import than the rest of this package

        options = ["--follow", "--no-tail"] if self._mode == FOLLOW else []
        self._skip = None
        if self._mode == MARK:
            options.append("--lines=1")
        elif self.position and not self._refused:
            # Not --after-cursor: where that line is gone, systemd 252 leaves out the first line that comes after it.
            options.append("--cursor=" + self.position)
            self._skip = _same(self.position.encode())
        elif self._since is not None:
            options.append(f"--since=@{self._since // 1_000_000}.{self._since % 1_000_000:06d}")
        self._said = os.fdopen(os.memfd_create("journalctl"), "w+b")
        try:
            self._child = subprocess.Popen(
                command(*options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said, bufsize=0
            )
        except OSError as error:
            self._said.close()
            self._said = None
            self._failed(f"journalctl: {error.strerror}")
            return False
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)
        return True

    def _over(self) -> bool:
        """journalctl ended: whether it is to be started at once."""
        status, words = self._reap()
        if status or self._mode == FOLLOW:
            if self.position and not self._refused and status > 0 and "cursor" in words.lower():
                return self._without_cursor(words)
            self._failed(words or f"journalctl: exit status {status}")
            if self._mode == FOLLOW:
                self._mode = READ  # what was missed
            return False
        if words:
            self._complaints.say(SourceError("journal", JOURNAL, words))
        if self._mode == MARK and self.position is None:
            self._since = int(time.time() * 1e6)  # an empty journal
        self._mode = FOLLOW
        return True

    def _without_cursor(self, words: str) -> bool:
        found = _TIME.search(self.position or "")
        if found:
            self._since = int(found[1], 16) + 1
        elif self._since is None:
            self._since = int(time.time() * 1e6)
        self._refused = True
        self._mode = READ
        self._complaints.say(SourceError("cursor", JOURNAL, words))
        return True

    def _failed(self, words: str) -> None:
        self._complaints.say(SourceError("journal", JOURNAL, words))
        self._again = self._clock() + self._pause
        self._pause = min(2 * self._pause, LONGEST)

    def _reap(self) -> tuple[int, str]:
        """Its exit status, and what it said."""
        assert self._child is not None
        assert self._said is not None
        status = self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()
        self._said.seek(0)
        words = words_of(self._said.read(PIECE))
        self._said.close()
        self._child = self._said = None
        self._rest, self._inside = b"", False
        return status, words


def _same(cursor: bytes) -> bytes:
    """The part of a cursor that stays: a flush from /run to /var gives a line another number (s, i), but no other time (b, m)."""
    return cursor[max(0, cursor.find(b";b=")) :]
