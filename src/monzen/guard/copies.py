"""One message that comes twice: rsyslog wrote it to a file (or to two), journald kept it too. It is one event.

Two copies have the same program, pid and words, but not the same header: so what is compared is a digest of those. Of each
message the copies of every stream are counted, and only what exceeds the most so far is new: the third `x` of the journal is no
copy of the second `x` of the file.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

from monzen.parse.header import split
from monzen.types import Event

WINDOW: Final = 3600.0  # seconds of log time within which the second copy must come
MOST: Final = 20_000  # messages remembered, and as many of the window before: about 4 MB each
STREAMS: Final = 6  # that can be told apart; the sixth and those after it share
FIELD: Final = 10  # bits of each one's count
FULL: Final = (1 << FIELD) - 1
# rsyslog writes control characters as #ooo, journald as they are (rsyslog.conf(5), EscapeControlCharactersOnReceive)
CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
NOISE: Final = bytes(b for b in range(256) if not chr(b).isascii() or not chr(b).isalnum())
COMPARED: Final = 1500  # bytes of a message: rsyslog cuts at 8 KiB, sshd at 1 KiB


def digest(event: Event) -> bytes:
    """What two copies of a message have in common, 8 bytes."""
    line, head = event[3], event[4]
    program = head[head.rfind(b" ") + 1 :]
    at = -1
    if line[:1] != b"{":
        at = line.find(head)
    if at >= 0 and line.startswith(b": ", at + len(head)):
        message = line[at + len(head) + 2 : at + len(head) + 2 + COMPARED]
    else:
        message = split(line).message[:COMPARED]
        if CONTROL.search(message) is not None:
            message = CONTROL.sub(lambda m: b"#%03o" % m[0][0], message)
    return blake2b(program + b" " + message.translate(None, NOISE), digest_size=8).digest()


class Copies:
    """Which events are the first of their kind. Bounded; state is plain values."""

    def __init__(self) -> None:
        self.new: dict[bytes, int] = {}
        self.old: dict[bytes, int] = {}
        self.turn = float("-inf")  # when `new` began
        self.dropped = 0

    def first(self, event: Event, stream: int) -> bool:
        """Whether this is the first copy, as the stream with this number (from 0) has it."""
        new = self.new
        if event[0] > self.turn + WINDOW or len(new) >= MOST:
            self.old, self.turn = new, event[0]
            new = self.new = {}
        key = digest(event)
        counts = new.get(key)
        if counts is None:
            counts = self.old.pop(key, 0)
        shift = FIELD * min(stream, STREAMS - 1)
        mine = (counts >> shift & FULL) + 1
        if mine > FULL:  # so many of the same: let them all count
            return True
        most = 0
        rest = counts & ~(FULL << shift)
        while rest:
            most = max(most, rest & FULL)
            rest >>= FIELD
        new[key] = counts + (1 << shift)
        if mine > most:
            return True
        self.dropped += 1
        return False

    def save(self) -> tuple[Any, ...]:
        """All that is remembered."""
        return self.turn, self.dropped, list(self.new.items()), list(self.old.items())

    @classmethod
    def restore(cls, state: tuple[Any, ...]) -> Copies:
        """The same again."""
        copies = cls()
        copies.turn, copies.dropped, new, old = state
        copies.new, copies.old = dict(new), dict(old)
        return copies
