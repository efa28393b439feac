"""The rotated set of one log as it is now: which texts there are, in order, each known by its first line."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from monzen.sources.archive import unpack
from monzen.sources.cursor import LINE, mark_of
from monzen.sources.error import SourceError
from monzen.sources.files import Source
from monzen.sources.growing import Growing, head_of, open_regular
from monzen.sources.magic import HEAD, form_of
from monzen.sources.packed import Packed
from monzen.sources.plan import in_order
from monzen.sources.raw import Raw
from monzen.sources.rotation import age

PACKED = (".gz", ".xz", ".bz2", ".zst")
TRIES = 8  # looks at a folder that logrotate is at work in; it renames a few files within a millisecond


class Entry(NamedTuple):
    """One file of the set; `live` is the one that the log's own name stands for. `mark` is b"" where there is no line in it."""

    path: str
    key: tuple[int, int]  # device and inode
    mtime: float
    form: str
    mark: bytes
    live: bool


class Lineage:
    """Lists the set of `path`, and remembers the first lines of files that did not change."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.error: SourceError | None = None  # why a file of the set was left out, the last time
        self._known: dict[tuple[int, int, int, int], tuple[str, bytes]] = {}

    def entries(self, others: Iterable[str] = ()) -> list[Entry]:
        """The set, oldest first, the live one last; `others` are places where files of it stood before."""
        self.error = None
        before: list[tuple[str, tuple[int, int]]] | None = None
        found: list[Entry] = []
        for _ in range(TRIES):
            seen = self._names(others)
            if seen == before:
                break
            before = seen
            found = self._look(seen)
        return found

    def _names(self, others: Iterable[str]) -> list[tuple[str, tuple[int, int]]]:
        """Path and identity of each regular file that may belong to it. One file is there once."""
        real = os.path.realpath(self.path)
        places = dict.fromkeys((os.path.split(p)[0], age(os.path.split(p)[1]).stem) for p in (real, self.path, *others))
        found: dict[tuple[int, int], str] = {}
        for folder, stem in places:
            try:
                names = sorted(n for n in os.listdir(folder or ".") if n.startswith(stem[:1]) and age(n).stem == stem)
            except OSError:
                continue
            for name in names:
                path = os.path.join(folder, name)
                try:
                    about = os.stat(path)
                except OSError:
                    continue
                if stat.S_ISREG(about.st_mode):
                    found.setdefault((about.st_dev, about.st_ino), path)
        key = key_of(self.path)
        if key and key not in found:
            found[key] = self.path
        return sorted(((path, key) for key, path in found.items()))

    def _look(self, names: list[tuple[str, tuple[int, int]]]) -> list[Entry]:
        live = key_of(self.path)
        sources: list[Source] = []
        about: dict[str, Entry] = {}
        known: dict[tuple[int, int, int, int], tuple[str, bytes]] = {}
        for path, _key in names:
            try:
                fd = open_regular(path)
            except OSError as error:
                self.error = SourceError.refused(path, error)
                continue
            except SourceError:
                continue
            try:
                status = os.fstat(fd)
                which = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                form, mark = known[which] = self._known.get(which) or _form_and_mark(path, fd)
            except OSError as error:
                self.error = SourceError.refused(path, error)
                continue
            finally:
                os.close(fd)
            about[path] = Entry(path, which[:2], status.st_mtime, form, mark, which[:2] == live)
            sources.append(Source(path, path, status.st_mtime, status.st_size, form))
        self._known = known
        ordered = [about[source.path] for source in in_order(sources) if not _copied(about, source.path)]
        return [e for e in ordered if not e.live] + [e for e in ordered if e.live]


def _copied(about: dict[str, Entry], path: str) -> bool:
    """Whether this is a compressed copy of a file that is still there (`gzip -k`, or gzip at work): it is read once."""
    name, suffix = os.path.splitext(path)
    plain = about.get(name) if suffix in PACKED else None
    return plain is not None and plain.form == "plain" and plain.mark == about[path].mark


def key_of(path: str) -> tuple[int, int] | None:
    """Device and inode; None where there is no such file."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return about.st_dev, about.st_ino


def open_text(entry: Entry) -> Growing | Packed | None:
    """The text of an entry from its beginning; None where something else stands there by now."""
    try:
        fd = open_regular(entry.path)
    except FileNotFoundError:
        return None
    about = os.fstat(fd)
    if (about.st_dev, about.st_ino) != entry.key:
        os.close(fd)
        return None
    return Growing(entry.path, fd) if entry.form == "plain" else Packed(entry.path, fd)


def _form_and_mark(path: str, fd: int) -> tuple[str, bytes]:
    head = os.pread(fd, HEAD, 0)
    if not head and path.endswith(PACKED):
        return "none", b""  # gzip has begun
    form = form_of(head)
    if form == "plain":
        return form, mark_of(head_of(fd) if head[:1] == b"\0" else head)
    text = b""
    try:
        with Raw(path, fd=os.dup(fd)) as raw:
            for chunk in unpack(raw, form, raw.read(HEAD), HEAD):
                text = (text + chunk).lstrip(b"\0")
                if len(text) > LINE:
                    break
    except SourceError:
        pass  # who reads it will say so
    return form, mark_of(text)
