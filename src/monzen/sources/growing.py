"""A plain file that may grow while it is read, from an offset on."""

from __future__ import annotations

import os
import stat

from monzen.sources.cursor import BEHIND, LINE, TAIL, Cursor, lines_of, mark_of
from monzen.sources.error import SourceError
from monzen.sources.lines import MAX_LINE, without_long

ROUNDS = 64  # reads for one block: a line without an end must not hold us for long
LEAST = MAX_LINE + 1  # bytes: the longest line with its newline


class CutError(Exception):
    """What stood before the offset stands there no longer: the file was truncated, or written anew."""


class Growing:
    """An open file, its place in the set (`path` as it was found) and where reading stands.

    `ended`: the last read came to the end of what there is. `mtime` is the last write, epoch seconds.
    """

    packed = False
    stirred = False  # the last read found it changed

    def __init__(self, path: str, fd: int) -> None:
        about = os.fstat(fd)
        self.path, self.fd = path, fd
        self.key = (about.st_dev, about.st_ino)
        self.mtime = about.st_mtime
        self.mark = b""
        self.offset = 0
        self.tail = b""
        self.inside = False
        self.ended = False
        self.skipped = 0  # lines too long, since somebody asked
        self.links = about.st_nlink
        self.quiet = 0.0  # when something was read last, for who keeps it open
        self._seen: tuple[int, int] | None = None  # size and mtime when it was read to its end

    @property
    def cursor(self) -> Cursor:
        """Where reading stands."""
        return Cursor(self.path, self.key[1], self.mark, self.offset, self.tail, self.inside)

    def about(self) -> os.stat_result:
        """The file as it is now."""
        return os.fstat(self.fd)

    def read(self, most: int, about: os.stat_result | None = None) -> bytes:
        """The next block of whole lines, about `most` bytes; b"" at the end of what there is (`ended`) or inside a huge line.

        `about`: how the file was when somebody looked at it; what was written since is left for the next time. Raises CutError,
        and OSError where the disk refuses.
        """
        about = about or self.about()
        seen = (about.st_size, about.st_mtime_ns)
        if seen == self._seen:
            self.links = about.st_nlink
            self.ended, self.stirred = True, False
            return b""
        self.stirred = True
        self.mtime, self.links = about.st_mtime, about.st_nlink
        self.ended = False
        for _ in range(ROUNDS):
            tail = len(self.tail)
            want = max(most, LEAST)
            data = os.pread(self.fd, min(tail + want, max(0, about.st_size - self.offset + tail)), self.offset - tail)
            if not data.startswith(self.tail):
                raise CutError
            at_end = len(data) < tail + want
            block = self._lines(data, tail, most, at_end)
            if self.ended:
                self._seen = seen
            if block or self.ended:
                return block
        return b""

    def _lines(self, data: bytes, start: int, most: int, at_end: bool) -> bytes:
        """The whole lines in `data` from `start` on, which is where we stand; moves on behind them. `ended` if that was all."""
        if self.inside:
            end = data.find(b"\n", start) + 1
            if not end:
                self._move(data, len(data), start)
                self.ended = at_end
                return b""
            self._move(data, end, start)
            self.inside = False
            start = end
        if data[start : start + 1] == b"\0":
            return self._pass_holes(data, start, at_end)
        # copytruncate under a writer that does not append, and what a power cut left: NULs before a line are none of it
        hole = data.find(b"\n\0", start) + 1
        stop = hole or len(data)
        end = data.rfind(b"\n", start, stop) + 1
        if end - start > most and (end := data.rfind(b"\n", start, start + most) + 1) == 0:
            end = data.find(b"\n", start) + 1
        if not end:
            if len(data) - start > MAX_LINE:
                self.mark = self.mark or mark_of(data[start : start + LINE])
                self.inside = True
                self.skipped += 1
                self._move(data, len(data), start)
            self.ended = at_end
            return b""
        block = data[start:end]
        self.mark = self.mark or mark_of(block[:LINE])
        self._move(data, end, start)
        self.ended = at_end and not hole and data.find(b"\n", end) < 0
        return without_long(block, self._count, b"") if len(block) > MAX_LINE else block

    def _pass_holes(self, data: bytes, start: int, at_end: bool) -> bytes:
        rest = len(data.lstrip(b"\0")) if not start else len(data[start:].lstrip(b"\0"))
        if rest:
            self._move(data, len(data) - rest, start)
        elif at_end:
            self.ended = True  # it is not known yet what they stand before
        else:
            try:
                self.offset = os.lseek(self.fd, self.offset + len(data) - start, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but the hole
                self.ended = True
                return b""
            self.tail = os.pread(self.fd, TAIL, self.offset - TAIL)
        return b""

    def _move(self, data: bytes, end: int, start: int) -> None:
        self.offset += end - start
        self.tail = data[max(0, end - TAIL) : end]

    def _count(self, lines: int) -> None:
        self.skipped += lines

    def to(self, cursor: Cursor) -> bool:
        """Stand where the cursor says, if what it knows of the text is there."""
        start = cursor.offset - len(cursor.tail)
        if os.pread(self.fd, len(cursor.tail), start) != cursor.tail:
            return False
        self.mark, self.offset, self.tail, self.inside = cursor.mark, cursor.offset, cursor.tail, cursor.inside
        return True

    def to_tail(self, cursor: Cursor, *, edited: bool) -> bool:
        """Stand behind the line before the cursor, or where the file was `edited` behind the nearest that the text still has.

        An editor may have taken out the last and the first. False where it has none of them.

        One that was shortened may end in the middle of a line that was read: behind an earlier one that half would come again.
        """
        whole = cursor.tail[: cursor.tail.rfind(b"\n") + 1].split(b"\n")[:-1]
        if len(cursor.tail) < cursor.offset and len(whole) > 1:
            whole = whole[1:]  # of which the beginning is not known
        for line in reversed(whole if edited else whole[-1:]):
            if line and (found := self._behind_last(line + b"\n")) >= 0:
                self.mark, self.offset, self.inside = mark_of(self.head()), found, False
                self.tail = os.pread(self.fd, min(TAIL, found), max(0, found - TAIL))
                return True
        return False

    def _behind_last(self, line: bytes) -> int:
        """The offset behind the last place where the text has this; -1 where it has not."""
        found, at = -1, 0
        while data := os.pread(self.fd, 1 << 20, at):
            if (place := data.rfind(line)) >= 0:
                found = at + place + len(line)
            if len(data) < len(line):
                break
            at += len(data) - len(line) + 1
        return found

    def size(self) -> int:
        """Bytes that there are now."""
        return os.fstat(self.fd).st_size

    def to_end(self) -> None:
        """Stand behind the last whole line."""
        size = os.fstat(self.fd).st_size
        start = max(0, size - LEAST)
        data = os.pread(self.fd, size - start, start)
        end = data.rfind(b"\n") + 1
        self.inside = not end and len(data) > MAX_LINE
        if self.inside:
            end = len(data)
        self.mark = mark_of(self.head())
        self.offset, self.tail = (start + end, data[max(0, end - TAIL) : end]) if self.mark else (0, b"")

    def head(self) -> bytes:
        """The first bytes of the text, behind NULs."""
        return head_of(self.fd)

    def behind(self) -> bytes:
        """Whole lines before where we stand."""
        start = max(0, self.offset - BEHIND - 1)
        return lines_of(os.pread(self.fd, self.offset - start, start), not start)

    def rest(self) -> int:
        """1 where half a line stands at the end, which will never be a whole one."""
        return int(os.fstat(self.fd).st_size > self.offset and not self.inside)

    def close(self) -> None:
        """Give the file back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def head_of(fd: int) -> bytes:
    """The first bytes of a plain file that are no NULs."""
    at = 0
    while (data := os.pread(fd, 1 << 16, at)) and not data.strip(b"\0"):
        at += len(data)
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return b""
    return data.lstrip(b"\0")[: 2 * LINE]


def open_regular(path: str) -> int:
    """A descriptor of a regular file; never waits, whatever takes its place meanwhile.

    Errors: OSError; SourceError "not-a-file".
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SourceError("not-a-file", path, "device")
    return fd
