"""A log that grows, is rotated, copied away, cut off, or not there yet: each line once, in order, over any number of restarts.

What is read stands in a chain of open files, the oldest first: the one that was renamed is read to its end, and for some time
beyond, because its writer may not have noticed yet. A position is, for each of them, device, inode, offset and the bytes
before the offset: a file is taken for the same only where those bytes are, so that one that was cut off and has grown again is
not.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from typing import Any, Final

from monzen.sources.archive import unpack
from monzen.sources.error import SourceError
from monzen.sources.lines import MAX_LINE, whole_lines
from monzen.sources.magic import HEAD, form_of
from monzen.sources.raw import Raw
from monzen.sources.rotation import age

BLOCK: Final = 1 << 18  # bytes
TAIL: Final = 128  # bytes before an offset that are compared: a line with its stamp
BEHIND: Final = 8192  # bytes before the position that a reader may want
QUIET: Final = 600.0  # seconds without a line after which a renamed file is let go
SLACK: Final = 2.0  # seconds: some packers keep a file's time in whole seconds
GONE: Final = 5.0  # the same of one that was deleted
ARCHIVES: Final = ("gz", "xz", "bz2", "zst")
Entry = tuple[
    int, int, int, bytes, bool
]  # device, inode, offset, the bytes before it, whether a line that is too long is passed over
Position = tuple[float, tuple[Entry, ...]]  # when it was so (epoch seconds), and the chain


class _File:
    """One file of the chain: plain and open, or an archive that is unpacked as it is read."""

    def __init__(self, path: str, offset: int = 0, tail: bytes = b"", skipping: bool = False) -> None:
        self.path, self.offset, self.tail, self.skipping = path, offset, tail, skipping
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        found = os.fstat(self.fd)
        self.key = found.st_dev, found.st_ino
        self.mtime = found.st_mtime
        self.regular = stat.S_ISREG(found.st_mode)
        head = os.pread(self.fd, HEAD, 0) if self.regular else b""
        self.form = form_of(head)
        self.chunks: Iterator[bytes] | None = None
        self.rest = b""  # of an archive: unpacked, and not given yet
        self.changed = time.monotonic()  # when it last gave something

    @property
    def entry(self) -> Entry:
        """Where it stands."""
        return *self.key, self.offset, self.tail, self.skipping

    def close(self) -> None:
        os.close(self.fd)

    def holds(self, offset: int, tail: bytes) -> bool:
        """Whether these bytes stand before this offset. Errors: none, then it does not."""
        try:
            if self.form not in ARCHIVES:
                return os.pread(self.fd, len(tail), offset - len(tail)) == tail
            read, end = 0, b""
            for chunk in self._unpacked():
                read += len(chunk)
                end = (end + chunk)[-(len(chunk) + TAIL) :]
                if read >= offset:
                    cut = len(end) - (read - offset)
                    return end[max(0, cut - len(tail)) : cut] == tail
        except (OSError, SourceError):
            pass
        return False

    def _unpacked(self) -> Iterator[bytes]:
        with Raw(self.path) as raw:
            head = raw.read(HEAD)
            yield from unpack(raw, form_of(head), head, BLOCK)

    def read(self, most: int) -> bytes | None:
        """Bytes behind the offset; None where those before it are no longer there. Raises OSError, SourceError."""
        if self.form in ARCHIVES:
            return self._read_archive(most)
        if self.offset == 0 and self.form == "plain" and not self.regular:
            return b""
        data = os.pread(self.fd, most + len(self.tail), self.offset - len(self.tail))
        if not data.startswith(self.tail):
            return None
        return data[len(self.tail) :]

    def _read_archive(self, most: int) -> bytes:
        if self.chunks is None:
            self.chunks = self._unpacked()
            skip = self.offset
            while skip:
                chunk = next(self.chunks, b"")
                if not chunk:
                    break
                skip, self.rest = max(0, skip - len(chunk)), chunk[skip:]
        while len(self.rest) < most:
            chunk = next(self.chunks, b"")
            if not chunk:
                break
            self.rest += chunk
        return self.rest[:most]

    def advance(self, data: bytes) -> None:
        """These bytes were taken."""
        self.offset += len(data)
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]
        if self.form in ARCHIVES:
            self.rest = self.rest[len(data) :]
        self.changed = time.monotonic()


class Follower:
    """One log. Nothing here waits, but for the disk; `words` and `skipped` are for whoever reads, and are emptied there."""

    def __init__(self, path: str, position: Position | None = None, *, since: float | None = None) -> None:
        """`position`: where another Follower stood. Without one it begins with the oldest file of the rotated set that was
        written `since` then (epoch seconds); with neither, at the end of what is there."""
        self.path = path
        self.words: list[SourceError] = []
        self.skipped = 0
        self.caught_up = False
        self.mtime = 0.0
        self.behind = b""
        self._chain: list[_File] = []
        self._trouble = ""  # what was said last of the file that cannot be opened
        self._new: tuple[int, int] | None = None  # of the file at the path
        self._begin(position, since)
        if self._chain:
            first = self._chain[0]
            self.mtime = first.mtime
            if first.offset and first.form not in ARCHIVES:
                start = max(0, first.offset - BEHIND)
                behind = os.pread(first.fd, first.offset - start, start)
                self.behind = behind[behind.find(b"\n") + 1 :] if start else behind

    @property
    def position(self) -> Position:
        """Exactly behind the last block that was taken. A new Follower of the same path goes on there."""
        return self.mtime, tuple(file.entry for file in self._chain)

    def paths(self) -> list[str]:
        """What to watch: the files, their folder, and where a link leads."""
        real = os.path.realpath(self.path)
        return [os.path.dirname(self.path) or ".", os.path.dirname(real) or ".", real, *(f.path for f in self._chain)]

    def close(self) -> None:
        """Nothing more is read."""
        for file in self._chain:
            file.close()
        self._chain = []

    # ---- where to begin

    def _begin(self, position: Position | None, since: float | None) -> None:
        files = self._rotated()
        if position is None:
            if since is None:
                self._open_new(at_end=True)
                return
            for path, mtime, _key in files:
                if mtime >= since:
                    self._append(path)
            self._open_new(at_end=not self._chain and not self._written(since))
            return
        at, entries = position
        newest = -1  # of the set, the newest that was found again
        for entry in entries:
            found = self._find(entry, files, at)
            if found is not None:
                newest = max(newest, found)
        if newest < 0 and entries:
            lost = [path for path, mtime, _key in files if mtime > at]
            if entries[-1][2]:
                self.words.append(SourceError("lost", self.path))
            for path in lost:
                self._append(path)
        else:
            for path, _mtime, _key in files[newest + 1 :]:
                self._append(path)
        self._open_new()

    def _written(self, since: float) -> bool:
        """Whether the log itself was written since then."""
        try:
            return os.stat(self.path).st_mtime >= since
        except OSError:
            return False

    def _rotated(self) -> list[tuple[str, float, tuple[int, int]]]:
        """The files of the set, oldest first: path, last write, device and inode. The log itself is the last; what is packed and
        is there unpacked too is left out."""
        real = os.path.realpath(self.path)
        folder, stem = os.path.dirname(real), age(os.path.basename(real)).stem
        found: dict[tuple[str, int], tuple[Any, str, float, tuple[int, int]]] = {}
        try:
            names = os.listdir(folder or ".")
        except OSError:
            names = []
        for name in names:
            about = age(name)
            path = os.path.join(folder, name)
            if about.stem != stem or path == real:
                continue
            try:
                entry = os.stat(path)
            except OSError:
                continue
            if not stat.S_ISREG(entry.st_mode) or not entry.st_size:
                continue
            place = (about.date, about.number)
            packed = name.endswith((".gz", ".xz", ".bz2", ".zst"))
            if place in found and packed:
                continue
            found[place] = ((about.date, -about.number), path, entry.st_mtime, (entry.st_dev, entry.st_ino))
        rows = [row[1:] for row in sorted(found.values(), key=lambda row: row[0])]
        try:
            entry = os.stat(real)
            if stat.S_ISREG(entry.st_mode):
                rows.append((real, entry.st_mtime, (entry.st_dev, entry.st_ino)))
        except OSError:
            pass
        return rows

    def _find(self, entry: Entry, files: list[tuple[str, float, tuple[int, int]]], at: float) -> int | None:
        """Open the file that an entry stands for, where it is still there, under whatever name: its number in the set."""
        device, inode, offset, tail, skipping = entry
        order = sorted(range(len(files)), key=lambda n: (files[n][2] != (device, inode), -n))
        for number in order:
            path, mtime, key = files[number]
            if key != (device, inode) and (not offset or mtime < at - SLACK):
                continue  # what was written before was read
            try:
                file = _File(path, offset, tail, skipping)
            except OSError:
                continue
            if file.holds(offset, tail):
                self._chain.append(file)
                return number
            file.close()
        return None

    def _append(self, path: str) -> None:
        try:
            file = _File(path)
        except OSError as error:
            self.words.append(SourceError.refused(path, error))
            return
        if any(other.key == file.key for other in self._chain):
            file.close()
            return
        self._chain.append(file)

    # ---- reading

    def take(self, most: int = BLOCK) -> bytes:
        """The next block of whole lines; b"" where there is nothing now."""
        for _turn in range(4):
            for file in list(self._chain):
                block = self._take(file, most)
                if block:
                    self.caught_up = False
                    return block
                if block is None:  # the chain is another one now
                    break
            else:
                if not self._open_new():
                    break
        else:
            return b""  # it changes faster than we look: the next turn
        self._let_go()
        self.caught_up = True
        return b""

    def _take(self, file: _File, most: int) -> bytes | None:
        """A block of one file, b"" where it has none; None where the chain is no longer what it was."""
        while True:
            try:
                data = file.read(most)
            except SourceError as error:
                self.words.append(error)
                self._drop(file)
                return b""
            except OSError as error:
                self._say(SourceError.refused(file.path, error))
                return b""
            if data is None:
                self._cut_off(file)
                return None
            if not data:
                if file.form in ARCHIVES:
                    self._drop(file)
                return b""
            end = data.rfind(b"\n") + 1
            if file.skipping:
                start = data.find(b"\n") + 1
                file.advance(data[:start] if start else data)
                file.skipping = not start
                continue
            if not end:
                if not data.strip(b"\0"):
                    if len(data) < most:
                        return b""
                    file.advance(data)  # a hole: copytruncate under a writer that does not append
                    continue
                if len(data) <= MAX_LINE:
                    if len(data) < most:
                        return b""  # half a line: the rest is to come
                    most = 2 * MAX_LINE
                    continue
                self.skipped += 1
                file.skipping = True
                file.advance(data)
                continue
            block = data[:end]
            self.mtime = file.mtime = self._mtime(file)
            file.advance(block)
            if b"\0" in block:
                block = block.replace(b"\0", b"")
            if len(block) > MAX_LINE:
                block = b"".join(whole_lines([block], self._skip))
            if block:
                return block

    def _skip(self, count: int) -> None:
        self.skipped += count

    def _mtime(self, file: _File) -> float:
        try:
            return os.fstat(file.fd).st_mtime
        except OSError:
            return file.mtime

    def _cut_off(self, file: _File) -> None:
        """A file is shorter than it was, or another text: what was not read of the old one may stand in a copy."""
        offset, tail = file.offset, file.tail
        file.offset, file.tail, file.skipping = 0, b"", False
        known = {other.key for other in self._chain}
        for path, _mtime, key in reversed(self._rotated()):
            if key in known:
                continue
            try:
                copy = _File(path, offset, tail)
            except OSError:
                continue
            if copy.holds(offset, tail):
                self._chain.insert(self._chain.index(file), copy)
                return
            copy.close()
        self.words.append(SourceError("cut-off", self.path))

    def _open_new(self, *, at_end: bool = False) -> bool:
        """Open what has taken the place of the log; whether there is something new."""
        try:
            found = os.stat(self.path)
            key = found.st_dev, found.st_ino
            if key == self._new:
                return False
            if any(file.key == key for file in self._chain):
                self._new = key
                self._chain.sort(key=lambda file: file.key == key)  # it is the newest, whatever it was before
                return False
            if not stat.S_ISREG(found.st_mode):
                self._say(SourceError("not-a-file", self.path, "device"))
                return False
            file = _File(self.path)
        except OSError as error:
            self._new = None
            self._say(SourceError.refused(self.path, error))
            return False
        self._trouble = ""
        self._new = file.key
        if at_end:
            file.offset = os.fstat(file.fd).st_size
            file.tail = os.pread(file.fd, min(TAIL, file.offset), max(0, file.offset - TAIL))
            newline = file.tail.rfind(b"\n")
            if newline >= 0:  # half a line is read when it is whole
                file.offset -= len(file.tail) - newline - 1
                file.tail = file.tail[: newline + 1]
        self._chain.append(file)
        return True

    def _let_go(self) -> None:
        """Close what has been replaced and is quiet."""
        if len(self._chain) < 2:
            return
        now = time.monotonic()
        for file in self._chain[:-1]:
            gone = False
            try:
                gone = not os.fstat(file.fd).st_nlink
            except OSError:
                gone = True
            if now - file.changed > (GONE if gone else QUIET):
                self._drop(file)

    def _drop(self, file: _File) -> None:
        if file in self._chain:
            self._chain.remove(file)
            file.close()

    def _say(self, error: SourceError) -> None:
        """Something is wrong with the file: said once, until it changes."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            self.words.append(error)
