"""The gate in nf_tables: a table of our own (gate/table.py), changed in transactions."""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable, Sequence
from typing import Final

from monzen.gate import layout
from monzen.gate.layout import TABLE, keys, set_name
from monzen.gate.netlink import (
    DELSETELEM,
    DELTABLE,
    NEWSETELEM,
    NEWTABLE,
    NLM_F_CREATE,
    Message,
    text,
)
from monzen.gate.table import Knock, Span, State, Table
from monzen.gate.target import Denial, GateError, Target

LEAST: Final = 65_536  # room in a new set: its buckets take 1 MiB of kernel memory; a fuller one is made anew with twice as much
LIMIT: Final = 1_048_576  # denials in all: 85 MiB of kernel memory (FACTS E)
SINGLY: Final = 2_048  # up to so many the kernel is asked one by one what it holds, 10 µs each; beyond, whole sets are read
ROOM: Final = 128  # of a full gate this part is made free at once: else each denial more would cost a look at all of them


class Nftables(Table):
    """The kernel's side of what should be denied. Stateless: what is there is asked each time.

    Every method raises GateError with the kernel's errno: EPERM without CAP_NET_ADMIN, ENOENT where our table is gone
    (`load` makes it anew). A decision costs the same whatever the sets hold.
    """

    def __init__(self, *, limit: int = LIMIT, least: int = LEAST, log: bool = True) -> None:
        super().__init__()
        self.limit, self.least, self.log = limit, least, log

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

    def take_knocks(self) -> list[Knock]:
        """The knocks, which begin anew: what comes between the look and the new beginning, some milliseconds, is not counted.

        (Reading and resetting in one step needs Linux 6.5.)
        """
        found = self.knocks()
        if found:
            empty = [(DELSETELEM, 0, text(1, TABLE) + text(2, f"knocks{ip}")) for ip in (4, 6)]
            self._change(list(empty), self.state())
        return found

    def _change(self, messages: list[Message], after: State) -> None:
        """A transaction of ours, and what our table is after it, where nobody else changed anything meanwhile."""
        before = self.known[0] if self.known is not None else None
        self.known = None
        self.netlink.change(messages)
        if before is not None and self.generation() == before + 1:
            self.known = before + 1, after

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
