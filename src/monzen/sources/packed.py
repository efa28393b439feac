"""An archive of a log, read from an offset of its text on."""

from __future__ import annotations

import os

from monzen.sources.archive import unpack
from monzen.sources.cursor import BEHIND, LINE, TAIL, Cursor, lines_of, mark_of
from monzen.sources.lines import MAX_LINE, without_long
from monzen.sources.magic import HEAD, form_of
from monzen.sources.raw import Raw

PIECE = 1 << 16  # bytes of text at a time


class Packed:
    """The same as Growing, of a text that is complete. Errors: SourceError where the archive is damaged."""

    packed = True
    links = 1
    stirred = False

    def __init__(self, path: str, fd: int) -> None:
        about = os.fstat(fd)
        self.path = path
        self.key = (about.st_dev, about.st_ino)
        self.mtime = about.st_mtime
        self.mark = b""
        self.offset = 0
        self.tail = b""
        self.inside = False
        self.ended = False
        self.skipped = 0
        self.quiet = 0.0
        self._before = b""  # the end of what was passed over
        self._data = b""  # unpacked, not given yet
        self._whole = False  # all is unpacked
        self._raw = Raw(path, fd=fd)
        head = self._raw.read(HEAD)
        self._chunks = unpack(self._raw, form_of(head), head, PIECE)

    @property
    def cursor(self) -> Cursor:
        """Where reading stands."""
        return Cursor(self.path, self.key[1], self.mark, self.offset, self.tail, self.inside)

    def about(self) -> None:
        """Nothing: it does not change."""

    def read(self, most: int, _about: os.stat_result | None = None) -> bytes:
        """The next block of whole lines, about `most` bytes; b"" at the end."""
        while not self.ended:
            data = self._data
            if self.inside:
                end = data.find(b"\n") + 1
                self._take(end or len(data))
                self.inside = not end
            elif data[:1] == b"\0":
                self._take(len(data) - len(data.lstrip(b"\0")))
                continue
            else:
                stop = data.find(b"\n\0") + 1 or len(data)
                end = data.rfind(b"\n", 0, min(stop, most)) + 1 or data.find(b"\n") + 1
                if end:
                    self.mark = self.mark or mark_of(data[:LINE])
                    block = self._take(end)
                    if len(block) > MAX_LINE:
                        block = without_long(block, self._count, b"")
                    if block:
                        return block
                    continue
                if len(data) > MAX_LINE:
                    self.mark = self.mark or mark_of(data[:LINE])
                    self.inside = True
                    self.skipped += 1
                    continue
            if self._data and self.inside:
                continue
            more = next(self._chunks, b"")
            self.ended = not more
            self._data += more
        return b""

    def _take(self, end: int) -> bytes:
        block = self._data[:end]
        self._data = self._data[end:]
        self.offset += end
        self.tail = (self.tail + block[-TAIL:])[-TAIL:]
        return block

    def _count(self, lines: int) -> None:
        self.skipped += lines

    def to(self, cursor: Cursor) -> bool:
        """Stand where the cursor says, if what it knows of the text is there; at the end, if the text ends before that.

        It was compressed while somebody still wrote to it, or copied a moment before it was truncated.
        """
        kept = b""
        left = cursor.offset
        while left:
            chunk = next(self._chunks, b"")
            if not chunk:
                self.ended = True
                break
            passed = min(left, len(chunk))
            self._data = chunk[passed:]
            kept = (kept + chunk[:passed])[-BEHIND - TAIL :]
            left -= passed
        if not left and not kept.endswith(cursor.tail):
            return False
        self.mark, self.offset, self.inside = cursor.mark, cursor.offset - left, cursor.inside
        self.tail = kept[-TAIL:]
        self._before = kept
        return True

    def behind(self) -> bytes:
        """Whole lines before where we stood at first."""
        return lines_of(self._before, self.offset <= len(self._before))

    def rest(self) -> int:
        """1 where half a line stands at the end."""
        return int(bool(self._data) and not self.inside)

    def close(self) -> None:
        """Give the file back."""
        if self._raw.fd >= 0:
            os.close(self._raw.fd)
            self._raw.fd = -1
