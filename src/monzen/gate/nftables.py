"""The gate in nf_tables: a table of our own, changed in transactions and read back."""

from __future__ import annotations

import errno
import struct
from collections.abc import Container, Iterable, Sequence
from typing import Final, NamedTuple

from monzen.gate import layout
from monzen.gate.answers import joined, read_elements, text_of, word
from monzen.gate.layout import TABLE, keys, set_name, target_of
from monzen.gate.netlink import (
    DELSETELEM,
    DELTABLE,
    GETCHAIN,
    GETGEN,
    GETRULE,
    GETSET,
    GETSETELEM,
    NEWSETELEM,
    NEWTABLE,
    NLM_F_CREATE,
    Message,
    Netlink,
    attributes,
    nest,
    text,
    undisturbed,
)
from monzen.gate.target import Denial, GateError, Target

LEAST: Final = 65_536  # room in a new set: its buckets take 1 MiB of kernel memory; a fuller one is made anew with twice as much
LIMIT: Final = 1_048_576  # denials in all: 85 MiB of kernel memory (FACTS E)
SINGLY: Final = 2_048  # up to so many the kernel is asked one by one what it holds, 10 µs each; beyond, whole sets are read
ROOM: Final = 128  # of a full gate this part is made free at once: else each denial more would cost a look at all of them
Span = tuple[int, int, int]  # octets of an address, first and last address


class Knock(NamedTuple):
    """What the kernel dropped of one source at one of our doors, and when the last of it came (seconds before now)."""

    source: bytes
    protocol: int
    port: int  # 0 where the protocol has none
    packets: int
    octets: int
    ago: float


class State(NamedTuple):
    """What there is of our table: whether it is there, whether all of its rules are, and which deny sets it has."""

    present: bool
    whole: bool
    sets: frozenset[str]


class Nftables:
    """The kernel's side of what should be denied. Stateless: what is there is asked each time.

    Every method raises GateError with the kernel's errno: EPERM without CAP_NET_ADMIN, ENOENT where our table is gone
    (`load` makes it anew). A decision costs the same whatever the sets hold.
    """

    def __init__(self, *, limit: int = LIMIT, least: int = LEAST, log: bool = True) -> None:
        self.netlink = Netlink()
        self.known: tuple[int, State] | None = None  # our table as it was at a generation of the whole ruleset
        self.limit, self.least, self.log = limit, least, log

    def close(self) -> None:
        """Let go of the socket; what is denied stays denied."""
        self.netlink.close()

    def load(
        self,
        denials: Sequence[Denial],
        allowed: Iterable[Span],
        shielded: Iterable[Target],
        now: float,
        first: Container[Target] = (),
    ) -> list[Denial]:
        """The table as it should be, in one transaction: nothing is open meanwhile. Returns those for which there was no room.

        Those that end soonest have none, and of those in `first` none before all others. `allowed` are disjoint, `shielded`
        single addresses.
        """
        lasting, left = self._fitting([d for d in denials if d.until is None or d.until > now], first)
        grouped: dict[str, list[Denial]] = {}
        for denial in lasting:
            grouped.setdefault(set_name(denial.target), []).append(denial)
        sizes = {name: self._size(2 * len(found)) for name, found in grouped.items()}
        messages = layout.table(sizes, log=self.log)
        messages += _allow(allowed, shielded)
        for name, found in grouped.items():
            messages += layout.elements(NEWSETELEM, name, _elements(found, now))
        self._change(messages, State(True, True, frozenset(sizes)))
        return left

    def deny(self, denials: Iterable[Denial], now: float) -> None:
        """Deny these as well, or until another time than before; those that are over are passed over.

        ENFILE where a set is full: then `load` makes room, of all that should be denied, which the kernel can hardly tell itself.
        """
        lasting = list({d.target: d for d in denials if d.until is None or d.until > now}.values())
        grouped: dict[str, list[Denial]] = {}
        for denial in lasting:
            grouped.setdefault(set_name(denial.target), []).append(denial)
        for attempt in (1, 2, 3):
            state = self.state()
            if not state.whole:
                raise GateError("the table inet monzen is not there, or not whole", errno.ENOENT)
            messages: list[Message] = []
            new: set[str] = set()
            for name, found in grouped.items():
                if name in state.sets:
                    messages += layout.elements(DELSETELEM, name, self._present(name, found))
                else:
                    new.add(name)
                    messages.append(layout.deny_set(name, self._size(2 * len(found))))
                    messages += layout.deny_rules(name)
                messages += layout.elements(NEWSETELEM, name, _elements(found, now))
            try:
                self._change(messages, state._replace(sets=state.sets | new))
                return
            except GateError as error:
                # an element ended by itself, or another set came, between our look and the change: look again
                if error.errno not in (errno.ENOENT, errno.EEXIST) or attempt == 3:
                    raise

    def release(self, targets: Iterable[Target]) -> int:
        """Let these in at once; what is not denied is passed over. Returns how many were denied."""
        grouped: dict[str, list[Denial]] = {}
        for target in dict.fromkeys(targets):
            grouped.setdefault(set_name(target), []).append(Denial(target, None))
        for attempt in (1, 2, 3):
            state = self.state()
            messages: list[Message] = []
            count = 0
            for name, found in grouped.items():
                if name in state.sets:
                    present = list(self._present(name, found))
                    count += len(present)
                    messages += layout.elements(DELSETELEM, name, present)
            try:
                self._change(messages, state)
                return count
            except GateError as error:
                if error.errno != errno.ENOENT or attempt == 3:
                    raise
        return 0

    def allow(self, allowed: Iterable[Span], shielded: Iterable[Target]) -> None:
        """Who is never denied, from now on: both lists take the place of the ones before, at once."""
        messages: list[Message] = [
            (DELSETELEM, 0, text(1, TABLE) + text(2, f"{name}{ip}")) for ip in (4, 6) for name in ("allow", "shield")
        ]  # without elements: all of the set
        self._change(messages + _allow(allowed, shielded), self.state())

    def held(self) -> dict[Target, float | None]:
        """What the kernel denies, and for how many seconds still; None for good. Nothing where the table is gone.

        For sets up to 100,000 elements (0.6 s), or to save what can be saved: the kernel walks a set anew for each 32 kB that it
        tells, 46 s at a million, and may leave out what moves meanwhile (measured on 6.18, 2026-11-25). `holds` does neither.
        """
        found: dict[Target, float | None] = {}
        for name in self.state().sets:
            for key, _timeout, expires, _counter in self._dump(name):
                target = target_of(name, key)
                if target is not None:
                    found[target] = expires
        return joined(found)

    def holds(self, targets: Iterable[Target]) -> dict[Target, float | None]:
        """The same of these alone: 10 µs each."""
        sets = self.state().sets
        found: dict[Target, float | None] = {}
        for target in targets:
            name = set_name(target)
            if name in sets:
                answers = [self._get(name, key) for key in keys(target)]
                if None not in answers:
                    ends = [answer[0] for answer in answers if answer is not None]
                    found[target] = None if None in ends else min(e for e in ends if e is not None)
        return found

    def never(self) -> tuple[list[Span], list[Target]]:
        """Who the kernel never denies: the allowed intervals and the shielded addresses."""
        spans: list[Span] = []
        shielded: list[Target] = []
        if not self.state().present:
            return spans, shielded
        for ip, octets in ((4, 4), (6, 16)):
            edges = sorted((int.from_bytes(key, "big"), end) for key, end in self._edges(f"allow{ip}"))
            for number, (first, end) in enumerate(edges):
                if not end:
                    after = edges[number + 1][0] if number + 1 < len(edges) else 1 << 8 * octets
                    spans.append((octets, first, after - 1))
            shielded += [Target(key, 8 * octets) for key, *_ in self._dump(f"shield{ip}")]
        return spans, shielded

    def knocks(self) -> list[Knock]:
        """What was dropped, by source and port: of those that knocked within the last day, as many as were counted singly."""
        found: list[Knock] = []
        if not self.state().present:
            return found
        for ip, octets in ((4, 4), (6, 16)):
            for key, _timeout, expires, (packets, total) in self._dump(f"knocks{ip}"):
                protocol, port = struct.unpack_from("!B3xH", key, octets)
                ago = max(0.0, layout.KNOCK_MEMORY - (expires or 0.0))
                found.append(Knock(key[:octets], protocol, port, packets, total, ago))
        return found

    def take_knocks(self) -> list[Knock]:
        """The same, and begin anew: what comes between the look and the new beginning, some milliseconds, is not counted.

        (Reading and resetting in one step needs Linux 6.5.)
        """
        found = self.knocks()
        if found:
            empty = [(DELSETELEM, 0, text(1, TABLE) + text(2, f"knocks{ip}")) for ip in (4, 6)]
            self._change(list(empty), self.state())
        return found

    def dropped(self) -> tuple[int, int]:
        """Packets and bytes that were dropped in all since the table was made, by the chains' own counters."""
        packets = octets = 0
        for _chain, expressions in self._rules():
            for name, data in expressions:
                if name == "counter":
                    values = dict(attributes(data))
                    octets += struct.unpack("!Q", values[1])[0]
                    packets += struct.unpack("!Q", values[2])[0]
        return packets, octets

    def generation(self) -> int:
        """The number of the last change to any table, ours or not; what ends by itself does not count."""
        for body in self.netlink.ask(GETGEN, b""):
            for number, value in attributes(body):
                if number == 1:
                    return int.from_bytes(value, "big")
        return 0

    def state(self) -> State:
        """What there is of our table. A chain without its hook or a set without its rules is not whole.

        Read anew only where something changed since the last look: 10 µs, else 300.
        """
        now = self.generation()
        if self.known is None or self.known[0] != now:
            self.known = now, self._look()
        return self.known[1]

    def _change(self, messages: list[Message], after: State) -> None:
        """A transaction of ours, and what our table is after it, where nobody else changed anything meanwhile."""
        before = self.known[0] if self.known is not None else None
        self.known = None
        self.netlink.change(messages)
        if before is not None and self.generation() == before + 1:
            self.known = before + 1, after

    def _look(self) -> State:
        """The same, from the kernel."""
        named = text(1, TABLE)
        sets: set[str] = set()
        try:
            for body in self._asked(GETSET, named):
                name = text_of(dict(attributes(body)).get(2))
                if layout.NAME(name):
                    sets.add(name)
        except GateError as error:
            if error.errno == errno.ENOENT:
                return State(False, False, frozenset())
            raise
        hooked = {
            text_of(values.get(3))
            for body in self._asked(GETCHAIN, b"")
            if text_of((values := dict(attributes(body))).get(1)) == TABLE and 4 in values
        }
        seen: dict[str, list[str]] = {}
        for chain, expressions in self._rules():
            what = "+".join(word(name, data) for name, data in expressions)
            seen.setdefault(chain, []).append(what)
        whole = hooked == {"prerouting", "output"}
        for ip in (4, 6):
            for chain in (f"in{ip}", f"out{ip}"):
                rules = "\n".join(seen.get(chain, []))
                wanted = {f"allow{ip}", f"shield{ip}"} | {n for n in sets if n[1] == str(ip)}
                whole = whole and all(f"={name}+" in rules for name in wanted)
            whole = whole and any("counter+immediate=drop" in r for r in seen.get(f"denied{ip}", []))
        for hook in ("prerouting", "output"):
            whole = whole and len(seen.get(hook, [])) == 3
        return State(True, whole, frozenset(sets))

    def remove(self) -> None:
        """Our table goes, and with it every denial; nothing of anybody else is touched."""
        named = text(1, TABLE)
        self._change([(NEWTABLE, NLM_F_CREATE, named), (DELTABLE, 0, named)], State(False, False, frozenset()))

    def _size(self, wanted: int) -> int:
        """Room for a set: a power of two."""
        size = self.least
        while size < min(wanted, self.limit):
            size *= 2
        return size

    def _fitting(self, denials: list[Denial], first: Container[Target]) -> tuple[list[Denial], list[Denial]]:
        """Those that there is room for, and those that end soonest, for which there is none."""
        if len(denials) <= self.limit:
            return denials, []
        # of those that end together the newest stay: they stand last
        kept = sorted(enumerate(denials), key=lambda d: (d[1].target in first, d[1].until or float("inf"), d[0]), reverse=True)
        room = self.limit - self.limit // ROOM
        return [d for _n, d in kept[:room]], [d for _n, d in kept[room:]]

    def _present(self, name: str, denials: list[Denial]) -> list[bytes]:
        """Elements of those that the set has already."""
        wanted = [key for denial in denials for key in keys(denial.target)]
        if len(wanted) > SINGLY:
            there = {key for key, *_ in self._dump(name)}
            return [layout.element(key) for key in wanted if key in there]
        return [layout.element(key) for key in wanted if self._get(name, key) is not None]

    def _get(self, name: str, key: bytes) -> tuple[float | None] | None:
        """The seconds that an element of a hash set has left, in a tuple; None where there is no such element."""
        body = text(1, TABLE) + text(2, name) + nest(3, layout.element(key))
        try:
            for answer in self.netlink.ask(GETSETELEM, body):
                for _key, _timeout, expires, _counter in read_elements(answer):
                    return (expires,)
        except GateError as error:
            if error.errno != errno.ENOENT:
                raise
        return None

    def _dump(self, name: str) -> list[tuple[bytes, float | None, float | None, tuple[int, int]]]:
        """Every element of a set."""

        def read() -> list[tuple[bytes, float | None, float | None, tuple[int, int]]]:
            found = []
            for answer in self.netlink.ask(GETSETELEM, text(1, TABLE) + text(2, name), dump=True):
                found += read_elements(answer)
            return found

        return undisturbed(read)

    def _asked(self, kind: int, body: bytes) -> list[bytes]:
        """What the kernel lists, whole."""
        return undisturbed(lambda: list(self.netlink.ask(kind, body, dump=True)))

    def _edges(self, name: str) -> list[tuple[bytes, bool]]:
        """The ends of the intervals of a set: key, and whether it is the first address behind one."""
        found = []
        for answer in self._asked(GETSETELEM, text(1, TABLE) + text(2, name)):
            for number, data in attributes(answer):
                if number == 3:
                    for _n, item in attributes(data):
                        values = dict(attributes(item))
                        flags = struct.unpack("!I", values[3])[0] if 3 in values else 0
                        found.append((dict(attributes(values[1]))[1], bool(flags & 1)))
        return found

    def _rules(self) -> list[tuple[str, list[tuple[str, bytes]]]]:
        """The chain of each of our rules, and names and data of its expressions, in order."""
        found = []
        for body in self._asked(GETRULE, text(1, TABLE)):
            values = dict(attributes(body))
            if text_of(values.get(1)) != TABLE:
                continue
            expressions = []
            for _n, item in attributes(values.get(4, b"")):
                parts = dict(attributes(item))
                expressions.append((text_of(parts.get(1)), parts.get(2, b"")))
            found.append((text_of(values.get(2)), expressions))
        return found


def _allow(allowed: Iterable[Span], shielded: Iterable[Target]) -> list[Message]:
    """The elements of both lists."""
    spans = list(allowed)
    out: list[Message] = []
    for ip, octets in ((4, 4), (6, 16)):
        found = [item for length, first, last in spans if length == octets for item in layout.interval(first, last, octets)]
        out += layout.elements(NEWSETELEM, f"allow{ip}", found)
    for ip, octets in ((4, 4), (6, 16)):
        single = dict.fromkeys(t.network for t in shielded if len(t.network) == octets and t.bits == 8 * octets)
        out += layout.elements(NEWSETELEM, f"shield{ip}", [layout.element(key) for key in single])
    return out


def _elements(denials: Iterable[Denial], now: float) -> list[bytes]:
    """The elements of denials of one set."""
    out: list[bytes] = []
    for target, until in denials:
        if until is None:
            out += [layout.element(key) for key in keys(target)]
        else:
            left = int((until - now) * 1000)
            out += [layout.lasting(key, left) for key in keys(target)]
    return out
