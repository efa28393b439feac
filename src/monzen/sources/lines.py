"""Chunks of bytes become blocks of whole lines, without touching the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

# Bytes without the newline. No program that monzen reads writes longer lines (rsyslog cuts at 8 KiB, journald at 48 KiB), and
# the promise of `monzen explain` (DESIGN.md, "What programs can rely on") ends here.
MAX_LINE = 65536


def whole_lines(chunks: Iterable[bytes], skipped: Callable[[int], None] | None = None, instead: bytes = b"") -> Iterator[bytes]:
    """Blocks of whole lines, each ending in a newline, out of chunks that are cut anywhere.

    Lines longer than MAX_LINE are left out (`instead`, a line or nothing, takes their place), `skipped(n)` is told how many; at
    most one chunk and one line are kept in memory.
    When `chunks` raises, the line it broke off in is not given: half a line may name another address than the whole.
    """
    rest = b""
    dropping = False  # inside a line that is too long
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end:
            if not dropping:
                rest += chunk
        else:
            start = 0
            if dropping:
                start = chunk.find(b"\n") + 1
                dropping = False
                rest = instead
            block = rest + memoryview(chunk)[start:end]  # one copy instead of two
            rest = chunk[end:]
            if len(block) > MAX_LINE:
                block = without_long(block, skipped, instead)
            if block:
                yield block
        if len(rest) > MAX_LINE:
            rest = b""
            dropping = True
            if skipped:
                skipped(1)
    if dropping and instead:
        yield instead
    elif rest:
        yield rest + b"\n"


def without_long(block: bytes, skipped: Callable[[int], None] | None, instead: bytes) -> bytes:
    """`block` without its lines over MAX_LINE: one search per 64 KiB where there is none, and then the same object."""
    kept: list[bytes] = []
    start = position = 0
    while len(block) - position > MAX_LINE + 1:
        newline = block.rfind(b"\n", position, position + MAX_LINE + 1)
        if newline >= 0:  # whatever lies before it is short
            position = newline + 1
            continue
        kept.extend((block[start:position], instead))
        start = position = block.find(b"\n", position) + 1
        if skipped:
            skipped(1)
    return b"".join((*kept, block[start:])) if start else block
