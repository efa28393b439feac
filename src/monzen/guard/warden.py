"""The gate's own judgement of what `monzen run` asks for: the shield first, then the kernel, then the ledger, then ufw.

The kernel is asked before the ledger is written, as it is nowhere else: a disk takes longer than an attacker's next guess.
Killed in between, the kernel denies somebody for whom the ledger has no row; `run` asks again, and gets the row.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from monzen.gate.target import Denial, GateError, Target
from monzen.guard.wire import Found
from monzen.judge.shield import span
from monzen.keeper import Keeper, Outcome
from monzen.ledger import Entry, Order
from monzen.mode import Mode, read_mode
from monzen.show.text import network as shown
from monzen.show.words import _
from monzen.sockets import peers_at, ssh_logins, ssh_ports
from monzen.wards import Wards

FRESH: Final = 10.0  # seconds for which the shield is good; who is connected to sshd is looked up for each order
SECOND: Final = 1.0
FIREWALL: Final = 30.0  # seconds for which it is known which firewall there is
AHEAD: Final = 86_400.0  # seconds that a log's clock may run ahead of ours
# Octets of an address, prefix length, and how many wider networks than that may last at once that nobody typed: a thousand /20
# are one thousandth of IPv4, and 65,536 /24 one 256th.
WIDE: Final = ((4, 24, 1_000), (4, 25, 65_536), (16, 48, 1_000), (16, 64, 65_536))
COUNTED: Final = 60.0  # seconds for which that is counted on, with what comes meanwhile


class Answer(NamedTuple):
    """What became of an order: denied, watched, open (paused), same, over, released, shielded, wide, future, failed."""

    what: str
    number: int = 0  # of the denial
    why: str = ""


class Warden(Keeper):
    """The keeper of a process that stays: what is looked up for each command is looked up now and then."""

    changes = True  # from its start on
    _guarded: Wards | None = None
    _guarded_at = float("-inf")
    _guarded_as: tuple[int, frozenset[bytes]] = (0, frozenset())  # what the ledger was then, and who was connected to sshd
    _logged_in: frozenset[bytes] = frozenset()
    _ports: tuple[int, ...] = (22,)
    _wall: tuple[str, float] = ("", float("-inf"))
    mirror_due = False  # ufw is shown what the kernel holds when there is time: it takes a tenth of a second

    def forget(self) -> None:
        """Look everything up anew: the configuration, the allow list or the machine has changed."""
        self._guarded_at = float("-inf")
        self._wall = ("", float("-inf"))

    def reopen(self) -> None:
        """Another ledger stands in the place of ours: it was rescued."""
        if self._ledger is None:
            return
        try:
            same = os.stat(self.path).st_ino == self._inode
        except OSError:
            same = False
        if not same:
            with contextlib.suppress(Exception):  # it is gone, whatever closing it says
                self._ledger.close()
            self._ledger = None

    _inode = 0

    def opened(self) -> None:
        """Remember which file the ledger is."""
        self.ledger.path  # noqa: B018  # opens it
        with contextlib.suppress(OSError):
            self._inode = os.stat(self.path).st_ino

    def on_ssh(self) -> list[bytes]:
        """Who is logged in. Not who only keeps a connection to sshd open: that would be an attacker's way around the gate."""
        return ssh_logins(self.root)

    def wards(self) -> Wards:
        """Who is never denied: the machine as of a moment ago, the allow list as of now, and who is logged in over SSH.

        A new connection to sshd is looked at at once; one over which nobody has logged in yet each second, and for an order that
        meets it.
        """
        now, turned, peers = time.monotonic(), self.ledger.turned(), frozenset(peers_at(self._ports, self.root))
        fresh = FRESH if peers <= self._logged_in else SECOND
        if self._guarded is None or now - self._guarded_at > fresh or (turned, peers) != self._guarded_as:
            self._ports = tuple(ssh_ports(self.root)) or self._ports
            self._guarded = super().wards()
            self._logged_in = frozenset(w.network for w in self._guarded.all if w.why == "ssh")
            self._guarded_at, self._guarded_as = now, (turned, peers)
        return self._guarded

    def _wards_of(self, wanted: Sequence[Found]) -> Wards:
        """The same for these orders: whether somebody whom they meet has logged in since the last look is asked for once more."""
        guarded = self.wards()
        waiting = self._guarded_as[1] - self._logged_in
        if waiting and _met(waiting, wanted) and not self._logged_in.issuperset(self.on_ssh()):
            self._guarded_at = float("-inf")
            guarded = self.wards()
        return guarded

    def firewall(self) -> str:
        """Which gate is used."""
        found, at = self._wall
        if time.monotonic() - at > FIREWALL:
            found = super().firewall()
            self._wall = (found, time.monotonic())
        return found

    def mode(self) -> Mode:
        """Watch-only, armed, paused or open in a panic."""
        return read_mode(self.root).at(self.now())

    def _show_in_ufw(self, guarded: Wards, now: float, *, alone: bool) -> int:
        if alone or self.idle:
            self.mirror_due = False
            return super()._show_in_ufw(guarded, now, alone=alone)
        self.mirror_due = True
        return 0

    idle = False
    _wide: dict[tuple[int, int], int] = {}  # noqa: RUF012  # replaced, never changed in place, before the first count
    _counted = float("-inf")

    def mirror(self) -> None:
        """Show in ufw what was not shown yet."""
        self.idle = True
        try:
            with self.lock():
                firewall = self.firewall()
                if firewall != "dry":
                    self._show_in_ufw(self.wards(), self.now(), alone=firewall == "ufw")
                self.mirror_due = False
        finally:
            self.idle = False

    def follow(self, wanted: Sequence[Found]) -> list[Answer]:
        """What `run` wants denied: each is answered. Raises GateError and LedgerError where nothing could be done."""
        with self.lock():
            mode = self.mode()
            guarded, now = self._wards_of(wanted), self.now()
            answers: list[Answer | None] = [None] * len(wanted)
            good: dict[int, Order] = {}
            for number, found in enumerate(wanted):
                sifted = self._sifted(found, guarded, now, watch=mode.name == "watch")
                if isinstance(sifted, Answer):
                    answers[number] = sifted
                else:
                    good[number] = sifted
            if mode.open:
                return [a or Answer("open") for a in answers]
            orders = list(good.values())
            entries: list[Entry] = []
            if mode.name == "watch":
                entries = self.ledger.watched(orders, now, self.actor)
            elif orders:
                self._at_once(orders, now)
                entries = self.ledger.impose(orders, now, self.actor)
                self._enforce(entries, self._swallow(entries, now), guarded, now)
            what = "watched" if mode.name == "watch" else "denied"
            for number, entry in zip(good, entries, strict=True):
                answers[number] = Answer(what if entry.ended is not None or what == "denied" else "same", entry.number)
            return [a or Answer("failed") for a in answers]

    def come_to_senses(self) -> None:
        """The clock was ahead and is right again: what nobody typed lasts no longer than it could."""
        longest = self.config.policy.longest
        with self.lock():
            self.ledger.shorten(self.now(), longest, longest + AHEAD)

    def _at_once(self, orders: Sequence[Order], now: float) -> None:
        """Into the kernel, before anything else; where that fails, the long way says why."""
        with contextlib.suppress(GateError):
            if self.firewall() == "nftables":
                self.nft.deny([Denial(target_of_order(o), o.until) for o in orders], now)

    def _sifted(self, found: Found, guarded: Wards, now: float, *, watch: bool) -> Order | Answer:
        """Whether an order of `run` may be followed, and how far."""
        order = found.order
        if found.at > now + AHEAD:
            return Answer("future", 0, _("its lines come from the future"))
        longest = self.config.policy.longest
        until = min(order.until if order.until is not None else now, now + longest)
        if until <= now:
            return Answer("over")
        order = order._replace(until=until, sentence=min(order.sentence or longest, longest))
        released = self.ledger.released_after(order.network, order.bits)
        if released is not None and found.at <= released.at:
            return Answer("released", 0, _("{target} was released since").format(target=shown(order.network, order.bits)))
        outcome: Outcome = self._sift(order, guarded, False, now)
        if outcome.refused:
            width = 32 if len(order.network) == 4 else 128
            met = guarded.inside(order.network, order.bits) or order.bits == width
            return Answer("shielded" if met else "wide", 0, outcome.refused)
        for entry in self.ledger.covering(order.network, order.bits):
            if entry.bits != order.bits or entry.port:
                continue
            lasts = entry.ended is None or (watch and entry.ending == "watch")
            if lasts and (entry.until is None or entry.until >= until - 1.0):
                return Answer("same", entry.number)
        inside = outcome.inside
        if inside is not None and (inside.until is None or inside.until >= until):
            return Answer("same", inside.number)
        if not self._room(order, now):
            return Answer("wide", 0, _("so many wide networks are denied already that more of them cannot be true"))
        return order

    def _room(self, order: Order, now: float) -> bool:
        """Whether so wide a network may be denied beside those that are, and then it counts as one of them."""
        mine = [(octets, bits) for octets, bits, _most in WIDE if len(order.network) == octets and order.bits < bits]
        if not mine:
            return True
        if time.monotonic() - self._counted > COUNTED:
            self._wide = {(octets, bits): self.ledger.count_wide(octets, bits, now) for octets, bits, _most in WIDE}
            self._counted = time.monotonic()
        if any(self._wide[octets, bits] >= most for octets, bits, most in WIDE if (octets, bits) in mine):
            return False
        for key in mine:
            self._wide[key] += 1
        return True


def _met(peers: Iterable[bytes], wanted: Sequence[Found]) -> bool:
    """Whether any of these orders meets any of these addresses."""
    there = [(len(peer), int.from_bytes(peer, "big")) for peer in peers]
    known = set(there)
    for found in wanted:
        size = len(found.order.network)
        first, last = span(found.order.network, found.order.bits)
        if (size, first) in known or (last > first and any(n == size and first <= peer <= last for n, peer in there)):
            return True
    return False


def target_of_order(order: Order) -> Target:
    """What the gate denies for an order."""
    return Target(order.network, order.bits, order.port, order.protocol)
