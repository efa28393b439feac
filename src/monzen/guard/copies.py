"""One message that comes twice: syslogd wrote it to a file (or to two), journald kept it too. It is one event.

Two copies have the same program, pid and words, but not the same header: so what is compared is a digest of those. Of each
message the copies of every stream are counted, and only what exceeds the most so far is new: the third `x` of the journal is no
copy of the second `x` of the file.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

from monzen.parse.declare import CAP
from monzen.parse.header import split
from monzen.parse.line import unwrap
from monzen.pattern import match
from monzen.types import Event

WINDOW: Final = 3600.0  # seconds of log time within which the second copy must come
MOST: Final = 20_000  # messages remembered, and as many of the window before: about 4 MB each
STREAMS: Final = 6  # that can be told apart; the sixth and those after it share
FIELD: Final = 10  # bits of each one's count
FULL: Final = (1 << FIELD) - 1
# rsyslog writes control characters as #ooo, journald as they are (rsyslog.conf(5), EscapeControlCharactersOnReceive)
CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
NOISE: Final = bytes(b for b in range(256) if not chr(b).isascii() or not chr(b).isalnum())
BEGINNING: Final = 400  # bytes: a stamp, a host name and a program
WRAPPER: Final = 64  # bytes: `message repeated 999999999 times: [ `
# The whole message of syslogd's, behind the host or `program: `; no line with a client in it looks so.
LAST: Final = match(rb"(?:\S{1,255} )?last message repeated (\d{1,9}) times?\s*\Z")
COMPARED: Final = 1500  # bytes of a message: rsyslog cuts at 8 KiB, sshd at 1 KiB


def digest(event: Event) -> tuple[bytes, int]:
    """What two copies of a message have in common, 8 bytes; and how many messages the line stands for.

    rsyslog of Ubuntu writes `message repeated 3 times: [ text]` where journald keeps three.
    """
    line, head = event[3], event[4]
    program = head[head.rfind(b" ") + 1 :]
    at = -1
    if line[:1] != b"{":
        at = line.find(head)
    if at >= 0 and line.startswith(b": ", at + len(head)):
        message = line[at + len(head) + 2 : at + len(head) + 2 + COMPARED + WRAPPER]
    else:
        message = split(line).message[: COMPARED + WRAPPER]
        if CONTROL.search(message) is not None:
            message = CONTROL.sub(lambda m: b"#%03o" % m[0][0], message)
    message, times = unwrap(message)
    return blake2b(program + b" " + message[:COMPARED].translate(None, NOISE), digest_size=8).digest(), times


def repeats(event: Event) -> int:
    """How many messages syslogd's `last message repeated 3 times` stands for (capped, as they are read); 0 for any other line."""
    line = event[3]
    if line.find(b" last message repeated ", 0, BEGINNING) < 0 or (m := LAST(split(line).message)) is None:
        return 0
    return min(max(int(m[1]), 1), CAP)


class Copies:
    """Which events are the first of their kind. Bounded; state is plain values."""

    def __init__(self) -> None:
        self.new: dict[bytes, int] = {}
        self.old: dict[bytes, int] = {}
        self.last: dict[int, tuple[bytes, bytes]] = {}  # of each stream, the head and the digest of the message before
        self.turn = float("-inf")  # when `new` began
        self.dropped = 0

    def news(self, event: Event, stream: int) -> Event | None:
        """What of an event is new, as the stream with this number (from 0) has it: all, some of its attempts, or nothing."""
        new = self.new
        if event[0] > self.turn + WINDOW or len(new) >= MOST:
            self.old, self.turn = new, event[0]
            new = self.new = {}
        times = repeats(event)
        head, key = self.last.get(stream, (b"", b""))
        if not times or head != event[4]:  # its head is that of the message that it repeats
            key, once = digest(event)
            times = times or once
            self.last[stream] = event[4], key
        counts = new.get(key)
        if counts is None:
            counts = self.old.pop(key, 0)
        shift = FIELD * min(stream, STREAMS - 1)
        mine = (counts >> shift & FULL) + times
        if mine > FULL:  # so many of the same: let them all count
            return event
        most = 0
        rest = counts & ~(FULL << shift)
        while rest:
            most = max(most, rest & FULL)
            rest >>= FIELD
        new[key] = counts + (times << shift)
        fresh = min(times, mine - most)
        if fresh == times:
            return event
        self.dropped += 1
        if fresh <= 0:
            return None
        return event._replace(attempts=-(-event[2] * fresh // times))

    def save(self) -> tuple[Any, ...]:
        """All that is remembered."""
        return self.turn, self.dropped, list(self.new.items()), list(self.old.items()), list(self.last.items())

    @classmethod
    def restore(cls, state: tuple[Any, ...]) -> Copies:
        """The same again."""
        copies = cls()
        copies.turn, copies.dropped, new, old, *last = state  # without `last`: written by an earlier monzen
        copies.new, copies.old = dict(new), dict(old)
        copies.last = dict(last[0]) if last else {}
        return copies
