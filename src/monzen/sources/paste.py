"""Lines that a web page, a mail or a PDF has folded and indented become lines of a log again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from monzen.sources.lines import MAX_LINE

_LOOK = 50  # lines; a paste shows its folding within its first two or three records
# Blank, tab, and what pages have in their place: U+00A0 and the ideographic space U+3000.
_BLANKS = re.compile(rb"(?:[ \t]|\xc2\xa0|\xe3\x80\x80)*+")
# RFC 3164 (pages make one blank of two) and RFC 3339.
_STAMP = re.compile(rb"[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def unfold(blocks: Iterable[bytes], *, always: bool = False) -> Iterator[bytes]:
    """`blocks` of lines, with folded lines joined and indents cut if the first line that is not empty is an indented stamp.

    With `always` (standard input) also if it is a stamp that is not indented, and one of the first 50 lines continues another.
    Everything else passes untouched. A joined line over MAX_LINE is left out; empty lines between folded ones too.
    """
    stream = iter(blocks)
    head = b""
    folded: bool | None = None
    for block in stream:
        head += block
        if (folded := _is_folded(head, always, ended=False)) is not None:
            break
    if folded is None:
        folded = _is_folded(head, always, ended=True)
    if folded:
        yield from _joined(chain((head,), stream))
        return
    if head:
        yield head
    yield from stream


def _is_folded(head: bytes, always: bool, *, ended: bool) -> bool | None:
    """Whether a text that begins with `head` is folded; None when that takes more of it."""
    lines = head.split(b"\n", _LOOK)
    if not ended:
        lines.pop()  # not complete
    stamped = False
    for line in lines:
        start = _indent(line)
        if start == len(line) or line[start:] == b"\r":
            continue
        has_stamp = _STAMP.match(line, start) is not None
        if not stamped:
            if has_stamp and start:
                return True
            if not has_stamp or not always:
                return False
            stamped = True
        elif start and not has_stamp:
            return True
    return False if ended or len(lines) == _LOOK else None


def _indent(line: bytes) -> int:
    found = _BLANKS.match(line)
    return found.end() if found else 0


def _joined(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of lines as they were before they were folded."""
    parts: list[bytes] = []  # of the line that may go on
    length = 0  # of all parts, those not kept because there are too many included
    rest = b""
    for block in chain(blocks, (b"\n",)):  # the last one ends a line that has no newline
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        out: list[bytes] = []
        for line in lines:
            start = _indent(line)
            text = line[start:]
            if not text or text == b"\r":
                continue
            if start and parts and not _STAMP.match(text):
                before = parts[-1].rstrip(b" \t\r")
                glue = b"" if text[:1] == b":" else b" "
                length += len(before) - len(parts[-1]) + len(glue) + len(text)
                parts[-1] = before
                if length <= MAX_LINE:
                    parts += (glue, text)
                continue
            if parts and length <= MAX_LINE:
                out += (*parts, b"\n")
            parts = [text]
            length = len(text)
        if out:
            yield b"".join(out)
    if parts and length <= MAX_LINE:
        yield b"".join((*parts, b"\n"))
