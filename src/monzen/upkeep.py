"""Ledger, kernel and ufw as one thing: what the ledger says is made true, compared, repaired and counted.

Order of a change: our lock; who is never denied, looked up anew; the ledger, on the disk; the kernel, in one transaction, read
back; the rules of ufw; open connections. What is killed in between is mended by `apply`, which makes kernel and ufw what the
ledger says: it is the same step whether one denial is missing or the whole table is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple, Self

from monzen.arguments import local_zone
from monzen.config import Config
from monzen.gate.nftables import Knock, Nftables
from monzen.gate.target import Denial, GateError, Held, Target
from monzen.gate.ufw import Ufw
from monzen.ledger import LEDGER, Entry, Knocked, Ledger, LedgerError, Order, rescue
from monzen.lifting import NO_TABLES, lift
from monzen.lock import held
from monzen.mode import OPENED, Mode, mark_opened, read_mode, unmark_opened
from monzen.resolver import resolve_apart
from monzen.show.command import remedy
from monzen.show.speech import complain
from monzen.show.stored import CHANGES, CLOSED, FULL, READ_BACK, RESTORED, UFW_FULL
from monzen.show.text import safe, stamp
from monzen.show.words import _
from monzen.sockets import end_connections, ssh_peers
from monzen.wards import Ward, Wards, wards

LOCK: Final = "run/monzen/lock"
PATIENCE: Final = 30.0  # seconds to wait for another monzen
LOOKED_AT: Final = 50_000  # denials compared one by one with the kernel, 10 µs each; of more, a sample of as many
UFW_MOST: Final = 5_000  # rules of ufw alone: each packet is asked by all of them, 40 times an empty firewall (make bench-gate)
FRESH: Final = 600.0  # seconds for which the addresses of a host name are good
HOUR: Final = 3600.0
UNANSWERED: Final = 300.0  # seconds until a name is asked for again that nobody knew: each time may take five
CAP: Final = 4  # packets can be forged: knocks prolong a denial to so many sentences after its last attempt, no further


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


class Upkeep:
    """One change at a time. Raises GateError and LedgerError with a sentence for the person.

    `root` is the folder that /proc, /run, /var and /etc hang below; `now` tells the time.
    """

    def __init__(self, config: Config, *, root: str = "/", actor: str = "", now: Callable[[], float] = time.time) -> None:
        self.config, self.root, self.now = config, root, now
        self.actor = actor or who()
        self.path = os.path.join(root, LEDGER)
        self._nft: Nftables | None = None
        self._ledger: Ledger | None = None
        self.warnings: list[str] = []  # what a person should hear of, though it was done
        self._asked: dict[str, float] = {}  # when each host name was asked for, on the monotonic clock
        self._lasting: int | None = None  # denials that last, at most: counted once, then with what came

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._nft is not None:
            self._nft.close()
        if self._ledger is not None:
            self._ledger.close()
        for warning in self.warnings:  # whatever verb it was, and after what it said
            sys.stdout.flush()
            complain(warning)

    @property
    def nft(self) -> Nftables:
        """The kernel."""
        if self._nft is None:
            self._nft = Nftables(limit=self.config.gate.limit, log=self.config.gate.log)
        return self._nft

    @property
    def ufw(self) -> Ufw:
        """ufw's rules."""
        return Ufw(self.root)

    @property
    def ledger(self) -> Ledger:
        """The ledger, made where there is none; what only the kernel remembers is then written into it."""
        if self._ledger is None:
            new = not os.path.exists(self.path)
            self._ledger = Ledger.open(self.path)
            if new and self.firewall() == "nftables":
                self._remember()
        return self._ledger

    def firewall(self) -> str:
        """Which gate is used: nftables, ufw or dry. GateError EPERM for who has no rights."""
        wanted = self.config.gate.firewall
        if wanted != "auto":
            return wanted
        try:
            self.nft.state()
            return "nftables"
        except GateError as error:
            if error.errno in (errno.EPERM, errno.EACCES):
                raise GateError(_refused(error), error.errno) from None
        return "ufw" if self.ufw.active() else "dry"

    def mode(self) -> Mode:
        """Watch-only, armed, paused or open in a panic."""
        return read_mode(self.root).at(self.now())

    @contextmanager
    def lock(self, patience: float = PATIENCE) -> Iterator[None]:
        """One change of any monzen at a time."""
        path = os.path.join(self.root, LOCK)
        with ExitStack() as taken:
            try:
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                taken.enter_context(held(path, patience))
            except TimeoutError:
                raise GateError(_("another monzen is at work since long. See: ps -C monzen, and try again")) from None
            except OSError as error:
                detail = _(error.strerror or str(error))
                said = _("cannot lock {path}: {detail}. {remedy}")
                raise GateError(said.format(path=path, detail=detail, remedy=remedy())) from None
            yield

    def wards(self) -> Wards:
        """Who is never denied, as it is now."""
        new = [name for name in self.config.names if name not in self._asked and not self.ledger.name(name)[0]]
        self._ask(new)
        allowed = [*self.config.allow, *(p for name in self.config.names for p in self.ledger.name(name)[1])]
        allowed += [p for a in self.ledger.allowed() for p in a.prefixes]
        return Wards(wards(self.root, allowed, own=self.config.own, private=self.config.private, ssh=self.on_ssh()))

    def on_ssh(self) -> list[bytes]:
        """Who may be an admin at work: for what a person types, everybody who is connected to sshd."""
        return ssh_peers(self.root)

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
            raise GateError(_refused(error) if error.errno else str(error), error.errno) from None

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
                    self._count(now)
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
                raise GateError(_refused(error), error.errno) from None
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
                self._count(now)
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

    def _count(self, now: float) -> None:
        """Write down what knocked since the last time, and let knocks prolong denials, up to a cap."""
        if not self.nft.state().present:
            return
        try:
            knocks = self.nft.take_knocks()
        except GateError as error:
            if error.errno != errno.ENOENT:
                raise
            return  # of a table that is not whole nothing can be counted; it is made anew
        if not knocks:
            return
        by_bits: dict[tuple[int, int], dict[tuple[bytes, int], Entry]] = {}
        for e in self.ledger.active(now):
            by_bits.setdefault((len(e.network), e.bits), {})[(e.network, e.port)] = e
        counted: list[Knocked] = []
        longer: list[tuple[int, float]] = []
        for knock in knocks:
            entry = covering(knock, by_bits)
            if entry is None:
                continue
            last = now - knock.ago
            counted.append(Knocked(entry.number, knock.port, knock.protocol, knock.packets, knock.octets, last, knock.source))
            if entry.until is not None and entry.sentence:
                longer.append((entry.number, min(last + entry.sentence, entry.since + CAP * entry.sentence)))
        self.ledger.settle(counted, 0.0)
        self.ledger.prolong(longer)

    def _names(self) -> None:
        """Ask anew for the host names that are allowed; without a good answer the last one stands."""
        now = self.now()
        old = [a.text for a in self.ledger.allowed() if a.name and (a.resolved is None or now - a.resolved > FRESH)]
        old += [name for name in self.config.names if now - self.ledger.name(name)[0] > FRESH]
        self._ask([name for name in old if time.monotonic() > self._asked.get(name, -UNANSWERED) + UNANSWERED])

    def _ask(self, names: Sequence[str]) -> None:
        now = self.now()
        self._asked.update(dict.fromkeys(names, time.monotonic()))
        answers = resolve_apart(tuple(dict.fromkeys(names)))
        for name in self.config.names:
            if name in answers:
                self.ledger.name_stands_for(name, answers[name], now)
        for allowed in self.ledger.allowed() if answers else ():
            if allowed.name and allowed.text in answers:
                self.ledger.resolved(allowed.number, answers[allowed.text], now)

    def _rescue(self) -> int:
        """Save what can be read of a damaged ledger, and what the kernel remembers."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        try:
            self._ledger = Ledger.open(self.path)
            if self._ledger.sound():
                return 0
            self._ledger.close()
        except LedgerError as error:
            if not error.damaged:
                raise
        saved = rescue(self.path, self.now())
        self._ledger = saved.ledger
        said = _("what could be read of the damaged ledger was saved ({n:,} rows); the damaged file is kept: {path}")
        self.warnings.append(said.format(n=saved.saved, path=saved.ledger.noted("rescued")))
        return self._remember()

    def _remember(self) -> int:
        """Write down what only the kernel remembers. Returns how many."""
        assert self._ledger is not None  # its callers opened it
        if not self.nft.state().present:
            return 0
        now = self.now()
        known = {row[:4] for row in self._ledger.lasting(now)}
        orders = [
            Order(*target, until=None if left is None else now + left, sentence=left, rule="found", origin="kernel")
            for target, left in self.nft.held().items()
            if tuple(target) not in known
        ]
        self._ledger.impose(orders, now, self.actor)
        if orders:
            self._ledger.alarm("ledger", READ_BACK.format(n=len(orders)), now)
        return len(orders)

    def held(self, entries: Iterable[Entry]) -> dict[int, Held]:
        """What the kernel really holds of these denials, by their numbers; of very many the newest are looked at."""
        now = self.now()
        chosen = list(entries)[-LOOKED_AT:]
        if self.firewall() == "ufw":
            rules = self.ufw.held()
            return {e.number: rules[target_of(e)] for e in chosen if target_of(e) in rules}
        if self.firewall() != "nftables":
            return {}
        left = self.nft.holds(target_of(e) for e in chosen)
        found = {}
        for e in chosen:
            if target_of(e) in left:
                seconds = left[target_of(e)]
                found[e.number] = Held(None if seconds is None else now + seconds, e.knocks, e.octets)
        return found


def covering(knock: Knock, by_bits: dict[tuple[int, int], dict[tuple[bytes, int], Entry]]) -> Entry | None:
    """The denial that dropped a packet: the narrowest that its source is in."""
    octets = len(knock.source)
    value = int.from_bytes(knock.source, "big")
    for length, bits in sorted(by_bits, key=lambda k: -k[1]):
        if length != octets:
            continue
        hosts = 8 * octets - bits
        network = (value >> hosts << hosts).to_bytes(octets, "big")
        entries = by_bits[length, bits]
        entry = entries.get((network, 0)) or (entries.get((network, knock.port)) if knock.port else None)
        if entry is not None:
            return entry
    return None


def target_of(entry: Entry) -> Target:
    """What the gate denies of an entry."""
    return Target(entry.network, entry.bits, entry.port, entry.protocol)


def opened(mode: Mode) -> str:
    """That the gate is open, who opened it and until when, in a sentence."""
    by = safe(mode.actor, 64) or "?"
    if mode.name == "panic":
        said = _("THE GATE IS OPEN since {since} (panic, by {by}): nobody is turned away. To close it again: monzen arm")
        return said.format(since=stamp(mode.since, local_zone(), seconds=False), by=by)
    said = _("THE GATE IS OPEN until {until} (pause, by {by}): nobody is turned away. To close it now: monzen arm")
    return said.format(until=stamp(mode.until or mode.since, local_zone()), by=by)


def who() -> str:
    """Who types: the name behind sudo, else that of this user."""
    import pwd

    for name in (os.environ.get("SUDO_USER"), os.environ.get("LOGNAME")):
        if name and len(name) <= 64 and name.isprintable():
            return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _same(until: float | None, left: float | None, now: float, soon: float) -> bool:
    """Whether the kernel lets go when it should."""
    if until is None or left is None:
        return until is None and left is None
    return abs(until - now - left) <= soon


def _refused(error: GateError) -> str:
    """What the kernel said, in a sentence."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return _("cannot reach the firewall: no right to. {remedy}").format(remedy=remedy())
    if error.errno in NO_TABLES:
        said = _('this kernel has no nf_tables ({detail}). Load the module nf_tables, or set [gate] firewall = "ufw"')
        return said.format(detail=error)
    return _("the firewall refused: {detail}. See: monzen gate status").format(detail=error)
