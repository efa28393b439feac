"""Where a reader stands in a text, so that the text is known again after it was renamed, copied or compressed."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

TAIL = 512  # bytes before the offset that must still be there: three lines or more, each with its stamp
LINE = 256  # bytes of a first line: with its stamp they are those of no other file of the set
BEHIND = 8192  # bytes before a position that the reader wants to see again
DIGEST = 8  # bytes


class Cursor(NamedTuple):
    """`offset` counts bytes of the text, unpacked; `mark` is that of its first line, b"" while it has none.

    `tail` stands before the offset; `inside` is a line that is too long, of which the rest will be left out; `inode` is only a
    hint: ext4 gives that of a removed file to the next one.
    """

    path: str
    inode: int
    mark: bytes
    offset: int
    tail: bytes
    inside: bool


def mark_of(head: bytes) -> bytes:
    """What tells a text from all others of its set: its first line. b"" where there is no whole one yet."""
    head = head.lstrip(b"\0")[:LINE]
    end = head.find(b"\n")
    if end < 0:
        if len(head) < LINE:
            return b""
        end = LINE
    return blake2b(head[:end], digest_size=DIGEST).digest()


def lines_of(before: bytes, whole: bool) -> bytes:
    """The whole lines in what lies before an offset; `whole`: it begins with one."""
    before = before[-BEHIND:] if whole else before[before.find(b"\n", max(0, len(before) - BEHIND - 1)) + 1 :]
    return before[: before.rfind(b"\n") + 1].lstrip(b"\0")
