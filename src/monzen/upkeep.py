"""Ledger, kernel and ufw as one thing: what the ledger says is made true, compared, repaired and counted.

Order of a change: our lock; who is never denied, looked up anew; the ledger, on the disk; the kernel, in one transaction, read
back; the rules of ufw; open connections. What is killed in between is mended by `apply`, which makes kernel and ufw what the
ledger says: it is the same step whether one denial is missing or the whole table is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from monzen.gate.target import Denial, GateError, Target
from monzen.gatehouse import LOOKED_AT, Gatehouse, opened, refused, target_of
from monzen.knocks import count
from monzen.ledger import Entry, LedgerError
from monzen.lifting import lift
from monzen.mode import OPENED, mark_opened, unmark_opened
from monzen.show.stored import CHANGES, CLOSED, FULL, RESTORED, UFW_FULL
from monzen.show.words import _
from monzen.sockets import end_connections
from monzen.wards import Ward, Wards

UFW_MOST: Final = 5_000  # rules of ufw alone: each packet is asked by all of them, 40 times an empty firewall (make bench-gate)
HOUR: Final = 3600.0


class Applied(NamedTuple):
    """What `apply` found different from what should be, and mended."""

    firewall: str
    restored: bool  # the whole table was missing or broken
    missing: int  # denials that the kernel did not hold
    extra: int  # that it held and should not
    ended: list[Entry]  # quiet for long enough
    freed: int  # there was no room for them
    mirrored: int  # rules of ufw that were made or taken away
    found: int  # denials that only the kernel remembered
    open: bool = False  # paused or in a panic: nothing of ours stands in the firewall
    closed: bool = False  # it was, until now


class Upkeep(Gatehouse):
    """One change at a time. Raises GateError and LedgerError with a sentence for the person."""

    _lasting: int | None = None  # denials that last, at most: counted once, then with what came

    def _everything(self, now: float) -> list[Denial]:
        return [Denial(Target(*row[:4]), row[4]) for row in self.ledger.lasting(now)]

    def _enforce(self, new: Sequence[Entry], gone: Sequence[Target], guarded: Wards, now: float) -> None:
        """Make a change true in the kernel and in ufw; what is denied anew loses its open connections."""
        if self.config.broken:
            self._lift(gone, guarded)
            return
        firewall = self.firewall()
        if not self.mode().open:
            if firewall == "nftables":
                self._kernel(new, gone, guarded, now)
            if firewall != "dry":
                self._show_in_ufw(guarded, now, alone=firewall == "ufw")
        if self.mode().open:  # asked again: `panic` waits for nobody, and may have come meanwhile
            self._keep_open(firewall, guarded, now)
        elif firewall != "dry":
            self._cut(new, guarded)

    def _lift(self, gone: Sequence[Target], guarded: Wards) -> None:
        """Let these in although the configuration is broken; nobody is denied by it who is not now."""
        if self.mode().open:
            return
        try:
            lift(self.nft, self.ufw, set(gone), guarded.allowed(), [Target(a, 8 * len(a)) for a in guarded.single()])
        except GateError as error:
            raise GateError(refused(error) if error.errno else str(error), error.errno) from None

    def _keep_open(self, firewall: str, guarded: Wards, now: float) -> int:
        """Nothing of ours stands in the firewall, whatever the ledger says. Returns how many rules of ufw went."""
        said = opened(self.mode())
        if said not in self.warnings:
            self.warnings.append(said)
        if firewall == "nftables":
            mark_opened(self.root)
        try:
            if self.nft.state().present:  # also where another gate is used now: it may have been left there
                with contextlib.suppress(LedgerError, GateError):  # whatever is wrong with it, it goes
                    count(self.nft, self.ledger, now)
                self.nft.remove()
        except GateError:
            if firewall == "nftables":
                raise
        return self._show_in_ufw(guarded, now, alone=firewall == "ufw") if firewall != "dry" else 0

    def _show_in_ufw(self, guarded: Wards, now: float, *, alone: bool) -> int:
        """The same as `_mirror`, which is only for show where the kernel denies already: what ufw refuses then is a warning."""
        try:
            return self._mirror(guarded, now, alone=alone)
        except GateError as error:
            if alone:
                raise
            self.warnings.append(_("denied in the kernel, but not shown in ufw: {why}").format(why=error))
            return 0

    def _kernel(self, new: Sequence[Entry], gone: Sequence[Target], guarded: Wards, now: float) -> None:
        denials = [Denial(target_of(e), e.until) for e in new]
        shielded = [Target(a, 8 * len(a)) for a in guarded.single()]
        try:
            self._lasting = len(new) + (self.ledger.count() if self._lasting is None else self._lasting)
            if self.nft.state().whole and self._lasting <= self.config.gate.limit:
                self.nft.allow(guarded.allowed(), shielded)
                self.nft.release(gone)
                self.nft.deny(denials, now)
            else:
                self._load(guarded, now)
        except GateError as error:
            if error.errno != errno.ENFILE:
                raise GateError(refused(error), error.errno) from None
            self._load(guarded, now)
        held = self.nft.holds(d.target for d in denials[:LOOKED_AT])
        lost = [d for d in denials[:LOOKED_AT] if d.target not in held and (d.until is None or d.until > self.now() + 1)]
        if lost and all(self.ledger.history(*d.target[:2])[0].ended is None for d in lost):
            raise GateError(
                _("the kernel took {n:,} denials and does not have them. Try: monzen gate apply").format(n=len(lost)),
                errno.ENOENT,
            )

    def _load(self, guarded: Wards, now: float) -> int:
        """The whole table anew. What there is no room for ends, with an alarm."""
        self._lasting = None
        if unmark_opened(self.root):
            self.ledger.alarm(CHANGES, CLOSED, now)
        everything, single = self._everything(now), [Target(a, 8 * len(a)) for a in guarded.single()]
        typed = {Target(*key) for key in self.ledger.typed()} if len(everything) > self.config.gate.limit else set()
        left = self.nft.load(everything, guarded.allowed(), single, now, typed)
        if left:
            self.ledger.end(self.ledger.lasting_numbers(d.target for d in left), now, "freed")
            self._full(FULL.format(n=len(left)), now)
        return len(left)

    def _full(self, said: str, now: float) -> None:
        """It is full: said once an hour, or it would push out what else there is to say."""
        if not self.ledger.alarmed_since("full", now - HOUR):
            self.ledger.alarm("full", said, now)

    def _mirror(self, guarded: Wards, now: float, *, alone: bool) -> int:
        """The rules of ufw: alone, every denial; else the networks that people look for there. Returns how many changed."""
        gate, ufw = self.config.gate, self.ufw
        if not alone and not (gate.mirror and ufw.present()):
            return 0
        chosen: list[tuple[Entry, list[Ward]]] = []
        if not self.mode().open and (alone or ufw.active()):
            if alone:
                entries = sorted(self.ledger.active(now), key=lambda e: (e.origin != "hand", -(e.until or float("inf"))))
                if len(entries) > UFW_MOST:
                    self._full(UFW_FULL.format(most=UFW_MOST, n=len(entries) - UFW_MOST), now)
            else:
                entries = self.ledger.shown(now, gate.mirror_from, 2 * gate.mirror_limit)
            for entry in entries:
                inside = guarded.inside(entry.network, entry.bits)
                if inside and not alone:
                    continue  # an accept of ours does not overrule a deny of ufw (FACTS D)
                chosen.append((entry, inside))
            chosen = chosen[: UFW_MOST if alone else gate.mirror_limit]
        made = [Denial(target_of(e), e.until) for e, _inside in chosen]
        # an allow of ufw's opens what its default policy closes: no more doors than the denial has, and none without a denial
        doors = (Target(w.network, w.bits, e.port, e.protocol) for e, inside in chosen for w in inside)
        return ufw.mirror(made, {target_of(e): e.number for e, _inside in chosen}, list(dict.fromkeys(doors))).changed

    def _cut(self, new: Iterable[Entry], guarded: Wards) -> None:
        """End the open connections of those denied: their sessions free the daemon's slots at once. Who passes keeps his."""
        if self.root == "/":
            end_connections(((e.network, e.bits, e.port) for e in new), guarded.within)

    def apply(self, *, save: bool = False) -> Applied:
        """Make the firewall what the ledger says, whatever happened to it; count what knocked. `save`: from a damaged ledger."""
        with self.lock():
            found = 0
            if save:
                found = self._rescue()
            self._names()
            guarded = self.wards()
            now = self.now()
            firewall = self.firewall()
            ended: list[Entry] = []
            restored, missing, extra, freed = False, 0, 0, 0
            closed = os.path.lexists(os.path.join(self.root, OPENED)) and not self.mode().open
            if self.mode().open:
                mirrored = self._keep_open(firewall, guarded, now)
                ended = self.ledger.settle([], now)
                self.ledger.thin(now, self.config.ledger)
                return Applied(firewall, False, 0, 0, ended, 0, mirrored, found, open=True)
            if firewall == "nftables":
                state = self.nft.state()
                count(self.nft, self.ledger, now)
                ended = self.ledger.settle([], now)
                lasting = self._everything(now)
                if not state.whole:
                    restored, missing = bool(lasting), len(lasting)
                    freed = self._load(guarded, now)
                else:
                    missing, extra = self._compare(lasting, guarded, now)
            else:
                ended = self.ledger.settle([], now)
                self._take_away()
            mirrored = self._show_in_ufw(guarded, now, alone=firewall == "ufw") if firewall != "dry" else 0
            if self.mode().open:  # a panic that came meanwhile
                self._keep_open(firewall, guarded, now)
                return Applied(firewall, False, 0, 0, ended, freed, mirrored, found, open=True)
            if restored and not closed:
                self.ledger.alarm("gate", RESTORED.format(n=missing), now)
            self.ledger.thin(now, self.config.ledger)
            return Applied(firewall, restored, missing, extra, ended, freed, mirrored, found, closed=closed)

    def _take_away(self) -> None:
        """Our table, where it was used before and another gate is now."""
        try:
            if self.nft.state().present:
                self.nft.remove()
        except GateError:
            return  # no nf_tables here: then there is no table either

    def _compare(self, lasting: list[Denial], guarded: Wards, now: float) -> tuple[int, int]:
        """Mend what differs between the ledger and a whole table: how many were missing, how many too many."""
        self.nft.allow(guarded.allowed(), [Target(a, 8 * len(a)) for a in guarded.single()])
        sample = lasting if len(lasting) <= LOOKED_AT else lasting[-LOOKED_AT:]
        held = self.nft.holds(d.target for d in sample)
        soon = 2.0  # seconds: what ends about now may have ended
        wrong = [
            d
            for d in sample
            if (d.until is None or d.until > now + soon)
            and (d.target not in held or not _same(d.until, held[d.target], now, soon))
        ]
        missing = sum(1 for d in wrong if d.target not in held)  # of the others knocks have moved the end
        try:
            self.nft.deny(wrong, now)
        except GateError as error:
            if error.errno != errno.ENFILE:
                raise
            self._load(guarded, now)
        if len(lasting) > LOOKED_AT:
            return missing, 0
        wanted = {d.target for d in lasting}
        extra = [t for t in self.nft.held() if t not in wanted and t._replace(protocol=0) not in wanted]
        if extra:
            self.nft.release(extra)
        return missing, len(extra)

def _same(until: float | None, left: float | None, now: float, soon: float) -> bool:
    """Whether the kernel lets go when it should."""
    if until is None or left is None:
        return until is None and left is None
    return abs(until - now - left) <= soon

