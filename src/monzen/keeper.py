"""What a person or the judge decides about somebody: denied, released, allowed; with the shield asked first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from monzen.gate.target import GateError, Target
from monzen.gatehouse import target_of
from monzen.ledger import Allowed, Entry, Order
from monzen.show.text import network as shown
from monzen.show.words import _
from monzen.upkeep import Upkeep
from monzen.wards import Ward, Wards


class Outcome(NamedTuple):
    """What became of an order."""

    order: Order
    entry: Entry | None  # as it is in the ledger; None where it was refused, or with `dry`
    refused: str = ""  # why, in words
    keepable: bool = False  # with `keep` it would not have been refused
    kept: tuple[Ward, ...] = ()  # in it, and reachable all the same
    inside: Entry | None = None  # a wider denial that covers it already


def _refusal(order: Order, ward: Ward) -> str:
    """Why somebody is not denied, in a sentence."""
    target = shown(order.network, order.bits)
    if ward.bits > order.bits:
        said = _("{target} is not denied, for in it is {network}: {why}")
    elif ward.why == "ssh":  # for as long as that lasts
        said = _("{target} is not denied now: {why}")
    elif ward.bits == order.bits:
        said = _("{target} is never denied: {why}")
    else:
        said = _("{target} is never denied, in {network}: {why}")
    said = said.format(target=target, network=shown(ward.network, ward.bits), why=ward.reason())
    return (
        _("{refusal}; the configuration can permit these: [shield] private = true").format(refusal=said)
        if ward.why == "private"
        else said
    )


class Keeper(Upkeep):
    """The one place where denials are decided. Raises GateError and LedgerError with a sentence for the person."""

    def deny(self, orders: Sequence[Order], *, keep: bool = False, dry: bool = False) -> list[Outcome]:
        """Turn these away. `keep`: a network also where somebody in it is never denied, who stays reachable. `dry`: only say."""
        with nullcontext() if dry else self.lock():
            guarded = self.wards()
            now = self.now()
            outcomes = [self._sift(order, guarded, keep, now) for order in orders]
            automatic = sum(1 for o in outcomes if o.order.origin in ("scan", "run") and not o.refused)
            if automatic > self.config.gate.at_once:
                raise GateError(
                    _("{n:,} at once are too many to be true, so nothing was denied: [gate] at_once = {most:,}").format(
                        n=automatic, most=self.config.gate.at_once
                    )
                )
            if dry:
                return outcomes
            good = [o for o in outcomes if not o.refused]
            entries = self.ledger.impose([o.order for o in good], now, self.actor)
            gone = self._swallow(entries, now)
            self._enforce(entries, gone, guarded, now)
            done = dict(zip((id(o) for o in good), entries, strict=True))
            return [o._replace(entry=done.get(id(o))) for o in outcomes]

    def _sift(self, order: Order, guarded: Wards, keep: bool, now: float) -> Outcome:
        """Whether an order may be followed."""
        gate = self.config.gate
        four = len(order.network) == 4
        hand = order.origin in ("hand", "import")
        widest = (gate.widest4 if four else gate.widest6) if hand else (gate.widest4_auto if four else gate.widest6_auto)
        name = shown(order.network, order.bits)
        if order.bits < widest:
            key = f"widest{4 if four else 6}" + ("" if hand else "_auto")
            said = _("{target} is wider than /{widest}, the widest that is denied ([gate] {key})")
            return Outcome(order, None, said.format(target=name, widest=widest, key=key))
        met = guarded.inside(order.network, order.bits)
        # a range that nobody may deny, or one that all of it lies in, leaves nothing to deny
        void = [w for w in met if w.why in ("reserved", "private") or w.bits <= order.bits]
        if void or (met and not keep):
            return Outcome(order, None, _refusal(order, (void or met)[0]), not void)
        around = [
            e
            for e in self.ledger.covering(order.network, order.bits)
            if e.ended is None and e.bits < order.bits and not e.port and (e.until is None or e.until > now)
        ]
        return Outcome(order, None, "", False, tuple(met), around[0] if around else None)

    def _swallow(self, entries: Iterable[Entry], now: float) -> list[Target]:
        """Denials that a new, wider one makes superfluous, as long as it lasts: they end. What a person typed stays."""
        gone: list[Entry] = []
        for entry in entries:
            if entry.port or entry.bits == 8 * len(entry.network):
                continue
            for other in self.ledger.history(entry.network, entry.bits):
                lasts = (
                    other.ended is None and other.number != entry.number and other.bits > entry.bits and other.origin != "hand"
                )
                if lasts and (entry.until is None or (other.until is not None and other.until <= entry.until)):
                    gone.append(other)
        self.ledger.end([e.number for e in gone], now, "replaced")
        return [target_of(e) for e in gone]

    def release(
        self, numbers: Iterable[int], networks: Iterable[tuple[bytes, int]], *, note: str = "", dry: bool = False
    ) -> list[Entry]:
        """Let in again: denials by their numbers, and all of a network and inside it. Older lines deny none of them again."""
        with nullcontext() if dry else self.lock():
            now = self.now()
            chosen = {e.number: e for n in numbers if (e := self.ledger.find(n)) is not None and e.ended is None}
            also = list(networks)
            for network, bits in also:
                for entry in self.ledger.history(network, bits):
                    if entry.ended is None and entry.bits >= bits:
                        chosen[entry.number] = entry
            if dry:
                return list(chosen.values())
            entries = self.ledger.release(chosen, now, self.actor, note, also)
            self._enforce([], [target_of(e) for e in entries], self.wards(), now)
            return entries

    def allow(
        self, text: str, prefixes: Sequence[tuple[bytes, int]], *, name: bool, note: str = ""
    ) -> tuple[Allowed, list[Entry]]:
        """Never deny these; what was denied of them is released. Returns the row and what was released."""
        with self.lock():
            now = self.now()
            row = self.ledger.allow(text, prefixes, now, name=name, actor=self.actor, note=note)
            denied = {
                e.number
                for network, bits in row.prefixes
                for e in self.ledger.history(network, bits)
                if e.ended is None and e.bits >= bits
            }
            released = self.ledger.release(denied, now, self.actor, f"allowed: {text}", row.prefixes)
            self._enforce([], [target_of(e) for e in released], self.wards(), now)
            return row, released

    def unallow(self, text: str) -> Allowed | None:
        """No longer never."""
        with self.lock():
            row = self.ledger.unallow(text, self.now())
            if row is not None:
                self._enforce([], [], self.wards(), self.now())
            return row
