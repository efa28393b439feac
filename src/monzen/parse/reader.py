"""Blocks of whole lines in, events out: the hot path of scan and of the daemon.

Of a line the header is cut off left to right: the text before the first `: ` names host, program and process, and only what this
program can write is tried, if the message holds a literal of it. A text seen before is not matched again (Key). Which lines need a
look at all is told by one pass of Aho-Corasick over the block (literals.py), or by `_scan.c`, which does the same loop in C where it
could be built (docs/reading.md, "Speed"). State: caches, the clock, and the few bytes before a block, so that the events do not depend on how
the input was cut into blocks, nor on which of the two loops ran.
"""

from __future__ import annotations

from functools import cache

from monzen.parse.address import addresses
from monzen.parse.clock import Clock
from monzen.parse.declare import CAP
from monzen.parse.dovecot import DETAIL_MODEL, DOOR_MODELS, FAILED_MODEL
from monzen.parse.header import split
from monzen.parse.line import LONGEST, meaning
from monzen.parse.literals import Finder, finder_of
from monzen.parse.postfix import LOST_MODEL, REFUSED_MODEL, SASL_MODEL, SUMMARY_MODEL, reasons, refusals
from monzen.parse.program import LITERALS, REMEMBERED, Program, live, live_literals, read_message
from monzen.pattern import match, search
from monzen.types import Event, Fact, Join, Kind

try:
    from monzen.parse._scan import Scanner
except ImportError:  # not built: no compiler, or another Python
    Scanner = None  # type: ignore[assignment,misc]  # Reader asks

SUSPECTS = (b"uthentication fail", b"in failed", b"N FAILED", b"tion error", b"ccess denied", b"nvalid user", b"assword", b"enticator fail")
"""Words of a failure: a line of ours that has one and fits no declaration may be a format that changed."""
SPECIAL = b"message repeated "  # rsyslog's wrapper and syslogd's `last message repeated`
HIDDEN = (b"\\u00", b'"MESSAGE":[', b'"MESSAGE": [', b'"MESSAGE" : [')  # JSON that does not show its text
HIDES = search(rb'\\u00|"MESSAGE" ?: ?\[')  # JSON that does not show its text: docker's `<` is \u003c, journald may give bytes
SHORTEST = 18  # bytes: a stamp, a blank, a program and a colon
DISCONNECT, ALONE = int(Kind.DISCONNECT), int(Join.ALONE)
new = tuple.__new__
LASTLY = search(rb"(?:(?P<name>[\w./-]{1,64})(?:\[\d{1,10}\])?: )?last message repeated (?P<times>\d{1,9}) times?\s*\Z")
BEHIND = 8192  # bytes before a `last message repeated` in which the message is looked for
SAMPLES = 20  # lines not understood that are kept
SPEAKS = match(rb"(?:auth|(?:imap|pop3|managesieve|submission|sieve)-login)\b")  # Dovecot's processes that meet clients
HEAD = match(rb" +[^\s:]++ +[A-Za-z_][\w./-]*+(?:\(\w++\))?(?:\[\d{1,10}\])?\Z")  # ` host program[pid]`
QUIET = {  # beginnings of messages that are common and never matter to scan or live
    "smtpd": (b"connect from ", b"Anonymous TLS connection", b"lost connection after CONNECT ", b"Trusted TLS connection", b"Untrusted TLS connection"),
    "dovecot": (b"lmtp(", b"imap(", b"pop3(", b"managesieve(", b"indexer-worker(", b"quota-status("),
}
# Programs that quote what clients write, or speak of failures that are no client's.
BORING = match(rb"(?:postfix|opendkim|opendmarc|rspamd|amavis|spamd|policyd|postgrey|clamd|milter|sudo|su|cron|CRON|systemd|dbus)[\w./-]*\Z")
NOTHING: tuple[bytes, ...] = ()


@cache
def finder() -> Finder:
    """Finds what makes a line worth a look, in a block or a line. Made when first needed: the loop in C seldom asks."""
    return finder_of([*LITERALS, SPECIAL, *SUSPECTS, *HIDDEN])


Look = tuple[Program | bool | None, dict[bytes, Fact], int, tuple[bytes, ...], tuple[bytes, ...], int, int]
"""What is known of a head: the program (None: nothing to look for; False: unknown), its remembered facts, its service, quiet beginnings, literals,
whether a session id ends its messages, whether a queue id may begin them (of an unknown one: whether the header has another shape)."""


class Reader:
    """Reads one stream of lines. `lines`, `understood`, `suspects` and `undated` count; `samples` holds some lines not understood,
    `undated_samples` some that do not say when."""

    def __init__(self, clock: Clock, *, compiled: bool = True) -> None:
        self.clock = clock
        self.suspects = self.undated = self._understood = self._lines = 0
        self.samples: list[bytes] = []
        self.undated_samples: list[bytes] = []
        self._looks: dict[bytes, Look] = {}
        self._behind = b""
        self._scanner = None
        if Scanner is not None and compiled:
            self._scanner = Scanner(
                (self._look, self._say, self._odd, self._doubt, self._stamp),
                (clock.minutes, clock.iso_minutes, clock.zones),
                (addresses, reasons, refusals, DOOR_MODELS),
                SUSPECTS,
                (Event, Fact),
                (SASL_MODEL, SUMMARY_MODEL, LOST_MODEL, REFUSED_MODEL, DETAIL_MODEL, FAILED_MODEL),
                (DISCONNECT, int(Kind.RELAY_DENIED)),
            )

    @property
    def understood(self) -> int:
        """Lines that became events, or are known to say nothing more."""
        return self._understood + (self._scanner.understood if self._scanner is not None else 0)

    @property
    def lines(self) -> int:
        """Lines that were read."""
        return self._lines + (self._scanner.lines if self._scanner is not None else 0)

    def resume(self, behind: bytes) -> None:
        """Go on behind these whole lines: `last message repeated` may mean one of them."""
        self._behind = behind[-BEHIND:]

    def read(self, buf: bytes) -> list[Event]:
        """The events of a block of whole lines, in the order of the lines."""
        if self._scanner is not None:
            out: list[Event] = self._scanner.scan(buf)
        else:
            out = self._loop(buf)
            self._lines += buf.count(b"\n")
        self._understood += len(out)
        self._behind = buf[-BEHIND:] if len(buf) >= BEHIND else (self._behind + buf)[-BEHIND:]
        return out

    def _loop(self, buf: bytes) -> list[Event]:
        """The loop of `_scan.c` in Python."""
        out: list[Event] = []
        add, rfind, find = out.append, buf.rfind, buf.find
        looks, clock = self._looks, self.clock
        minutes, seconds, iso_minutes, zones = clock.minutes, clock.seconds, clock.iso_minutes, clock.zones
        end = -1
        for _, a, b in finder()(buf):
            if a < end:
                continue  # all of the line was looked at
            start = rfind(b"\n", 0, a) + 1
            end = find(b"\n", b)
            line = buf[start:end]
            if line.endswith(b"\r"):
                line = line[:-1]
            if not SHORTEST <= len(line) <= LONGEST:
                continue
            first = line[0]
            if 65 <= first <= 90 and line[15] == 32:  # `Sep  4 16:59:45 `
                stamp = line[:15]
            elif 48 <= first <= 57 and line[10] == 84 and len(line) > 20:  # `2026-09-04T16:59:45.123456+09:00 `
                stamp = line[: line.find(b" ", 19)] if b" " in line[19:] else b""
                if not stamp:
                    continue
            else:
                record = self._odd(line, buf, start)
                if record is not None:
                    add(record)
                continue
            head, colon, message = line[len(stamp) + 1 :].partition(b": ")
            if not colon or not message:
                if SPECIAL in line or line[len(stamp) + 1 : len(stamp) + 2] == b"[":  # `[sshd] text`
                    record = self._odd(line, buf, start)
                    if record is not None:
                        add(record)
                continue
            if message.startswith((SPECIAL, b"last message repeated ", b"[ID ")):  # the last: Solaris
                record = self._odd(line, buf, start)
                if record is not None:
                    add(record)
                continue
            head = b" " + head
            look = looks.get(head)
            if look is None:
                look = self._remember(head)
            program, facts, _service, quiet, literals, cut, queued = look
            if program is None:
                continue
            if program is False:
                if queued:
                    record = self._odd(line, buf, start)
                    if record is not None:
                        add(record)
                elif any(s in line for s in SUSPECTS):
                    self._doubt(line, None, message)
                continue
            if quiet and message.startswith(quiet):
                continue
            # ---- what it says
            text = message
            if cut:
                i = message.rfind(b", lip=")
                i = message.find(b",", i + 6) if i > 0 else -1
                if i > 0 and message.find(b"rip=", i) < 0:  # else that `lip=` is the client's own word
                    text = message[:i]
            elif queued:
                queue_id, _, rest = message.partition(b": ")
                if rest.startswith(b"client=") and queue_id.isalnum() and queue_id.isascii():
                    text = rest
            fact = facts.get(text)
            if fact is None:
                for i, literal in enumerate(literals):
                    if literal in message:
                        fact = self._say(program, message, text, i)  # type: ignore[arg-type]  # True is never stored
                        break
                if fact is None:
                    if any(s in line for s in SUSPECTS):
                        self._doubt(line, program, message)  # type: ignore[arg-type]  # as above
                    continue
            if fact[0] == DISCONNECT and fact[8] == ALONE:
                self._understood += 1
                continue
            # ---- when
            try:
                if len(stamp) == 15:
                    at = minutes[line[:13]] + seconds[line[13:15]]
                elif len(stamp) == 32 and stamp[19] == 46 and stamp[17:19].isdigit() and stamp[20:26].isdigit():
                    at = iso_minutes[stamp[:16]] + float(stamp[17:26]) + zones[stamp[26:]]
                else:
                    at = self._stamp(stamp)
            except (ValueError, KeyError, OverflowError):
                at = self._stamp(stamp)
            add(new(Event, (at, fact, fact[5], line, head)))
        return out

    # ---- what both loops ask

    def _look(self, head: bytes) -> Look:
        """What is known of ` host program[pid]`."""
        header = split(b"Jan  1 00:00:00" + head + b": x")
        program = header.program if header.message == b"x" else None
        if program is not None:
            name = program.family.name
            if name == "cleanup":  # of what it says nothing is an event, and of what looks like a failure it only quotes
                return None, {}, 0, (), NOTHING, 0, 0
            return program, program.facts, program.service, QUIET.get(name, ()), live_literals(program.family), int(name == "dovecot"), int(name == "smtpd")
        if HEAD(head) is None or header.program is not None:
            return False, {}, 0, (), NOTHING, 0, 1
        if BORING(head.rpartition(b" ")[2].partition(b"[")[0]):
            return None, {}, 0, (), NOTHING, 0, 0
        return False, {}, 0, (), NOTHING, 0, 0

    def _remember(self, head: bytes) -> Look:
        """The same, remembered: known without its pid, bounded."""
        base, bracket, pid = head[:-1].rpartition(b"[")
        if bracket and pid.isdigit() and len(pid) <= 10 and head.endswith(b"]") and base and not base.endswith(b"]"):
            look = self._looks.get(base)
            if look is None:
                look = self._looks[base] = self._look(head)
        else:
            look = self._look(head)
        if len(self._looks) >= 1 << 14:
            self._looks.clear()
        if len(head) <= 200:
            self._looks[head] = look
        return look

    def _say(self, program: Program, message: bytes, text: bytes, first: int) -> Fact | None:
        """What a message not seen before says: of the declarations for the family's literals, from the `first` that it holds, the one
        that fits. Remembered under the part that decides (`text`) where the declaration allows."""
        service, table, find = program.service, live(program.family), message.find
        for i in range(first, len(table)):
            literal, candidates = table[i]
            if i > first and find(literal) < 0:  # `in` takes twice as long: it asks first whether the literal is a number
                continue
            for reader, key in candidates:
                fact = reader(text if key else message, service)
                if fact is not None:
                    if key and len(text) < 512:
                        facts = program.facts
                        if len(facts) >= REMEMBERED:
                            facts.clear()
                        facts[text] = fact
                    return fact
        return None

    def _stamp(self, stamp: bytes) -> float:
        """A stamp of another form; one that cannot be read is as late as the line before."""
        at = self.clock.of(stamp)
        if at is not None:
            return at
        return self.clock.newest if self.clock.last is None else self.clock.last

    def _odd(self, line: bytes, buf: bytes, start: int) -> Event | None:
        """A line whose header has another shape, or that repeats another line."""
        if len(line) > LONGEST or not (finder()(line) or (line.startswith(b"{") and HIDES(line))):
            return None
        header = split(line)
        if header.stamp is None and header.time is None:  # in scan and live a line must say when and which program
            if meaning(header, bare=True, live=True) is not None:
                self.undated += 1
                if len(self.undated_samples) < SAMPLES:
                    self.undated_samples.append(line[:500])
            return None
        if header.message.startswith(b"last message repeated ") or line.find(b" last message repeated ", 0, 160) >= 0:
            return self._last(line, buf, start)
        fact = meaning(header, bare=False, live=True)
        if fact is None:
            if any(s in line for s in SUSPECTS) and (header.program is not None or not header.named):
                self._doubt(line, header.program, header.message)
            return None
        if fact[0] == DISCONNECT and fact[8] == ALONE:
            self._understood += 1
            return None
        at = self.clock.believed(header.time) if header.time is not None else self._stamp(header.stamp or b"")
        return Event(at, fact, fact.attempts, line, header.head)

    def _last(self, line: bytes, buf: bytes, start: int) -> Event | None:
        """`last message repeated N times`: the message before, of the program if one is named, once more."""
        m, own = LASTLY(line), split(line)
        if m is None or own.stamp is None:
            return None
        before = buf[max(0, start - BEHIND) : start]
        if start < BEHIND:
            before = (self._behind + before)[-BEHIND:]
        for earlier in reversed(before.split(b"\n")[:-1]):
            if m["name"] and m["name"] not in earlier[:200]:
                continue
            header = split(earlier.removesuffix(b"\r"))
            if header.program is None:
                if m["name"]:
                    continue
                return None
            fact = read_message(header.message, header.program, live=True)
            if fact is None or fact[0] == DISCONNECT:
                return None
            fact = fact._replace(attempts=min(fact.attempts * min(int(m["times"]), CAP), CAP))
            return Event(self._stamp(own.stamp), fact, fact.attempts, line, header.head)
        return None

    def _doubt(self, line: bytes, program: Program | None, message: bytes) -> None:
        """A line that speaks of a failure and fits nothing that can be read."""
        if program is not None:
            if program.family.name == "cleanup" or (program.cut and not SPEAKS(message)):
                return
            if read_message(message, program) is not None:  # explain can read it: it is known not to count
                return
        self.suspects += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(line[:500])
