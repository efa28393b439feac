"""Blocks of whole lines in, records out: the hot path of scan and of the daemon.

One pass of Aho-Corasick over the block finds the lines that hold a literal of some declaration; only these are looked at. Of such
a line the header is cut off left to right, the text before the first `: ` names host, program and process, and only what this
program can write is tried. A text seen before is not matched again (Key). State: caches, the clock, and the few lines before a
block, so the records do not depend on how the input was cut into blocks.
"""

from __future__ import annotations

import re
from collections import Counter

import ahocorasick_rs

from monzen.parse.clock import Clock
from monzen.parse.declare import CAP, Key
from monzen.parse.header import split
from monzen.parse.line import LONGEST, meaning, unwrap
from monzen.parse.program import LITERALS, REMEMBERED, Program, read_message, readers
from monzen.types import Fact, Kind

Record = tuple[float, Fact, bytes, bytes, int]
"""Time, what the line says, the text that names its session (host, program, process), the line, how often it was repeated."""

REPEATED = len(LITERALS)
SUSPECT = REPEATED + 1
SPECIAL = (b"message repeated ",)  # rsyslog's wrapper and syslogd's `last message repeated`
SUSPECTS = (b"in failed", b"N FAILED", b"tion error", b"ccess denied")
"""With the literals themselves, words of a failure: a line of ours that has one and fits no declaration may be a format that changed."""
FIND = ahocorasick_rs.BytesAhoCorasick(
    [*LITERALS, *SPECIAL, *SUSPECTS], matchkind=ahocorasick_rs.MatchKind.LeftmostFirst
).find_matches_as_indexes
CLIENT = LITERALS.index(b": client=")
DISCONNECT, AFTER_ID, BEFORE_SESSION, NEVER = int(Kind.DISCONNECT), int(Key.AFTER_ID), int(Key.BEFORE_SESSION), int(Key.NEVER)
LASTLY = re.compile(rb"(?:(?P<name>[\w./-]{1,64})(?:\[\d{1,10}\])?: )?last message repeated (?P<times>\d{1,9}) times?\s*\Z").search
BEHIND = 8192  # bytes before a `last message repeated` in which the message is looked for
SAMPLES = 20  # lines not understood that are kept
SPEAKS = re.compile(rb"(?:auth|(?:imap|pop3|managesieve|submission|sieve)-login)\b").match  # Dovecot's processes that meet clients


class Reader:
    """Reads one stream of lines. `lines`, `read`, `too_long` and `suspects` count; `samples` holds some lines not understood."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lines = self.understood = self.suspects = 0
        self.samples: list[bytes] = []
        self.programs: Counter[bytes] = Counter()
        self._heads: dict[bytes, Program | None] = {}
        self._behind = b""

    def read(self, buf: bytes) -> list[Record]:
        """The records of a block of whole lines, in the order of the lines."""
        out: list[Record] = []
        add, rfind, find = out.append, buf.rfind, buf.find
        heads, clock = self._heads, self.clock
        minutes, seconds, iso_minutes, zones = clock.minutes, clock.seconds, clock.iso_minutes, clock.zones
        end, table, suspect = -1, None, False
        line = head = message = stamp = b""
        program: Program | None = None
        for k, a, b in FIND(buf):
            if a < end:
                if table is None:
                    continue
            else:
                if suspect:
                    self._doubt(line, program, message)
                    suspect = False
                start = rfind(b"\n", 0, a) + 1
                end = find(b"\n", b)
                line = buf[start:end]
                first = line[0]
                if 65 <= first <= 90 and line[15:16] == b" ":  # `Sep  4 16:59:45 `
                    head, colon, message = line[15:].partition(b": ")
                    stamp = b""
                elif 48 <= first <= 57 and line[10:11] == b"T":  # `2026-09-04T16:59:45.123456+09:00 `
                    i = line.find(b" ", 19)
                    stamp = line[:i]
                    head, colon, message = line[i:].partition(b": ")
                else:
                    colon = b""
                try:
                    program = heads[head] if colon else None
                except KeyError:
                    program = self._head(head)
                if program is None:
                    table = None
                    if k < SUSPECT or not colon:
                        record = self._other(line, buf, start, k)
                        if record is not None:
                            self.understood += 1
                            if record[1][0] != DISCONNECT:
                                add(record)
                    elif not self._known(head):
                        self._doubt(line, None, message)
                    continue
                table = program.table
            if k >= REPEATED:
                if k >= SUSPECT:
                    suspect = True
                    continue
                table = None
                record = self._other(line, buf, start, k)
                if record is not None:
                    self.understood += 1
                    add(record)
                continue
            # ---- what it says
            facts = program.facts  # type: ignore[union-attr]  # table is not None only with a program
            if program.cut:  # type: ignore[union-attr]
                i = message.rfind(b", lip=")
                i = message.find(b",", i + 6) if i > 0 else -1
                text = message[:i] if i > 0 else message
            elif k == CLIENT:
                queue_id, _, text = message.partition(b": ")
                if not queue_id.isalnum():
                    continue
            else:
                text = message
            fact = facts.get(text)
            if fact is None:
                candidates = table[k]
                if candidates is None:
                    candidates = readers(program, k)  # type: ignore[arg-type]
                for reader, key in candidates:
                    fact = reader(text if key else message, program.service)  # type: ignore[union-attr]
                    if fact is not None:
                        if key and len(text) < 512:
                            if len(facts) >= REMEMBERED:
                                facts.clear()
                            facts[text] = fact
                        break
                else:
                    continue
            table = None
            suspect = False
            if fact[0] == DISCONNECT:
                continue
            # ---- when
            try:
                if not stamp:
                    at = minutes[line[:13]] + seconds[line[13:15]]
                elif len(stamp) == 32:
                    at = iso_minutes[stamp[:16]] + float(stamp[17:26]) + zones[stamp[26:]]
                else:
                    at = self._stamp(stamp)
            except (ValueError, KeyError, OverflowError):
                at = self._stamp(stamp or line[:15])
            add((at, fact, head, line, 1))
        if suspect:
            self._doubt(line, program, message)
        self.lines += buf.count(b"\n")
        self.understood += len(out)
        self._behind = buf[-BEHIND:] if len(buf) >= BEHIND else (self._behind + buf)[-BEHIND:]
        return out

    def _stamp(self, stamp: bytes) -> float:
        """A stamp of another form; one that cannot be read is as late as the line before."""
        at = self.clock.of(stamp)
        if at is not None:
            return at
        return self.clock.newest if self.clock.last is None else self.clock.last

    def _head(self, head: bytes) -> Program | None:
        """The program that ` host program[pid]` names; remembered, bounded, and known without its pid."""
        if head.endswith(b"]"):
            base, bracket, pid = head[:-1].rpartition(b"[")
            if pid.isdigit() and bracket:
                try:
                    program = self._heads[base]
                except KeyError:
                    program = self._head(base) if base and not base.endswith(b"]") else None
                if len(self._heads) >= 1 << 14:
                    self._heads.clear()
                self._heads[head] = program
                return program
        header = split(b"Jan  1 00:00:00" + head + b": ")
        program = header.program if header.named and not header.message else None
        if len(head) <= 200:
            if len(self._heads) >= 1 << 14:
                self._heads.clear()
            self._heads[head] = program
        return program

    def _known(self, head: bytes) -> bool:
        """Whether a program that is not read at all is one whose lines quote what clients write."""
        name = head.rpartition(b" ")[2]
        return name.startswith((b"postfix", b"opendkim", b"rspamd", b"amavis", b"spamd", b"policyd", b"milter", b"sudo", b"su[", b"su:", b"cron", b"CRON"))

    def _other(self, line: bytes, buf: bytes, start: int, k: int) -> Record | None:
        """A line whose header has another shape, or that repeats another line."""
        if len(line) > LONGEST:
            return None
        header = split(line)
        if header.stamp is None and header.time is None:
            return None  # in scan and live a line must say when and which program
        if b"last message repeated " in header.message or b"last message repeated " in line[:120]:
            return self._last(line, buf, start)
        fact = meaning(header, bare=False)
        if fact is None:
            return None
        at = header.time if header.time is not None else self._stamp(header.stamp or b"")
        if header.time is not None:
            at = self.clock.believed(at)
        message, times = unwrap(header.message)
        return at, fact, header.head, line, times

    def _last(self, line: bytes, buf: bytes, start: int) -> Record | None:
        """`last message repeated N times`: the message before, of the program if one is named, once more."""
        m = LASTLY(line)
        if m is None:
            return None
        before = buf[max(0, start - BEHIND) : start]
        if start < BEHIND:
            before = (self._behind + before)[-BEHIND:]
        for earlier in reversed(before.split(b"\n")[:-1]):
            if m["name"] and m["name"] not in earlier[:200]:
                continue
            header = split(earlier)
            if header.program is None:
                if m["name"]:
                    continue
                return None
            fact = read_message(header.message, header.program)
            own = split(line)
            if fact is None or own.stamp is None:
                return None
            times = min(int(m["times"]), CAP)
            attempts = min(fact.attempts * times, CAP)
            return self._stamp(own.stamp), fact._replace(attempts=attempts), header.head, line, times
        return None

    def _doubt(self, line: bytes, program: Program | None, message: bytes) -> None:
        """A line that speaks of a failure and fits nothing that can be read."""
        if program is not None:
            if program.family.name == "cleanup" or (program.cut and not SPEAKS(message)):
                return
            if read_message(message, program) is not None:
                return
        self.suspects += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(line[:500])
