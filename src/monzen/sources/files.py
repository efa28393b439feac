"""A source, and its bytes as blocks of whole lines: the one way from a disk or a pipe into the parser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from monzen.sources.archive import unpack
from monzen.sources.error import SourceError
from monzen.sources.journal import journal_blocks
from monzen.sources.lines import whole_lines
from monzen.sources.magic import HEAD, binary_kind, form_of
from monzen.sources.raw import Raw

_MARK = 10  # bytes that the longest mark of a form has (bzip2)


class Source(NamedTuple):
    """One readable input: a plain file, an archive, a pipe, standard input or the journal.

    `path` is as people named it ("-": standard input, "journal": journald); `stem` is the absolute path without the suffixes of
    rotation and compression, the same for a rotated set; `mtime` is the last write, in epoch seconds: no stamp in it is newer;
    `size` is in bytes on disk, 0 if unknown; `form` is "plain", "gz", "xz", "bz2", "zst", "stdin" or "journal"; `twins` hold the
    same lines, and are read only where this one cannot be.
    """

    path: str
    stem: str
    mtime: float
    size: int
    form: str
    twins: tuple[Source, ...] = ()


def blocks(
    source: Source,
    *,
    size: int = 1 << 16,
    progress: Callable[[int], None] | None = None,
    skipped: Callable[[int], None] | None = None,
    instead: bytes = b"",
) -> Iterator[bytes]:
    """Blocks of whole lines, about `size` bytes each, every one ending in a newline.

    `progress(n)` is told the bytes taken from disk since the last call; `skipped(n)` the lines over MAX_LINE that were left out,
    whose place `instead` takes (nothing, or a line).
    The form is found anew: between plan and now, logrotate may have compressed the file.
    Errors: SourceError when the rest cannot be read; all lines before that have been given ("replaced": all of a twin's).
    """
    sound, broken = _sound(source) if source.twins else (source, None)
    yield from _blocks(sound, size, progress, skipped, instead)
    if broken and broken.reason != "missing":
        raise SourceError("replaced", source.path, sound.path) from broken


def _sound(source: Source) -> tuple[Source, SourceError | None]:
    """The first of a source and its twins that can be read, an archive to its end, and what was wrong with the source.

    An archive is read twice for it: that it is damaged is known only behind what comes of the damage. If none can be, the source.
    """
    broken: SourceError | None = None
    for one in (source, *source.twins):
        try:
            for _ in _blocks(one, 1 << 16, None, None, b""):
                if one.form == "plain":
                    break
        except SourceError as error:
            broken = broken or error
            continue
        return one, broken
    return source, None


def _blocks(
    source: Source, size: int, progress: Callable[[int], None] | None, skipped: Callable[[int], None] | None, instead: bytes
) -> Iterator[bytes]:
    """Those of one file."""
    if source.form == "journal":
        yield from journal_blocks(size=size, progress=progress, skipped=skipped)
        return
    with Raw(source.path, stdin=source.form == "stdin") as raw:
        chunks = _chunks(raw, size)
        yield from whole_lines(_counted(raw, chunks, progress) if progress else chunks, skipped, instead)


def _chunks(raw: Raw, size: int) -> Iterator[bytes]:
    """The text of `raw`, unpacked where it is packed.

    Errors: SourceError "binary" before the first chunk, when the beginning is not that of a text.
    """
    head = raw.read(max(size, HEAD))
    # A pipe gives what it has, and who types at a terminal gives a line: wait for no more than the mark needs.
    while 0 < len(head) < _MARK and b"\n" not in head and (more := raw.read(HEAD)):
        head += more
    form = form_of(head)
    if form == "plain":
        return _judged(raw, chain((head,), iter(lambda: raw.read(size), b"")), HEAD if raw.regular else 0)
    return _judged(raw, unpack(raw, form, head, max(size, HEAD)), HEAD)


def _judged(raw: Raw, chunks: Iterator[bytes], enough: int) -> Iterator[bytes]:
    """`chunks`, if the first `enough` bytes of them look like text."""
    head = b""
    broken: SourceError | None = None
    try:
        for chunk in chunks:
            head += chunk
            if len(head) >= enough:
                break
    except SourceError as error:
        broken = error
    if kind := binary_kind(head):
        raise SourceError("binary", raw.path, kind)
    if head:
        yield head
    if broken:
        raise broken
    yield from chunks


def _counted(raw: Raw, chunks: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    """`chunks`, telling `progress` what each took from disk: no byte twice, though a damaged archive is read twice."""
    told = 0
    for chunk in chunks:
        if raw.consumed > told:
            progress(raw.consumed - told)
            told = raw.consumed
        yield chunk
    if raw.consumed > told:
        progress(raw.consumed - told)
