"""Our table in nf_tables as it stands: what the kernel holds, lets pass and counted. It is only looked at."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from typing import NamedTuple

from monzen.gate import layout
from monzen.gate.answers import joined, read_elements, text_of, word
from monzen.gate.layout import TABLE, keys, set_name, target_of
from monzen.gate.netlink import (
    GETCHAIN,
    GETGEN,
    GETRULE,
    GETSET,
    GETSETELEM,
    Netlink,
    attributes,
    nest,
    text,
    undisturbed,
)
from monzen.gate.target import GateError, Target

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


class Table:
    """What there is. Stateless: it is asked each time.

    Every method raises GateError with the kernel's errno: EPERM without CAP_NET_ADMIN, ENOENT where our table is gone.
    """

    def __init__(self) -> None:
        self.netlink = Netlink()
        self.known: tuple[int, State] | None = None  # our table as it was at a generation of the whole ruleset

    def close(self) -> None:
        """Let go of the socket; what is denied stays denied."""
        self.netlink.close()

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
