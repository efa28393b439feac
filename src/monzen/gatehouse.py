"""Ledger, kernel and ufw of this machine, each opened when it is asked for, with what they remember of each other."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, Self

from monzen.arguments import local_zone
from monzen.config import Config
from monzen.gate.nftables import Nftables
from monzen.gate.target import GateError, Held, Target
from monzen.gate.ufw import Ufw
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError, Order, rescue
from monzen.lifting import NO_TABLES
from monzen.lock import held
from monzen.mode import Mode, read_mode
from monzen.resolver import resolve_apart
from monzen.show.command import remedy
from monzen.show.speech import complain
from monzen.show.stored import READ_BACK
from monzen.show.text import safe, stamp
from monzen.show.words import _
from monzen.sockets import ssh_peers
from monzen.wards import Wards, wards

LOCK: Final = "run/monzen/lock"
PATIENCE: Final = 30.0  # seconds to wait for another monzen
LOOKED_AT: Final = 50_000  # denials compared one by one with the kernel, 10 µs each; of more, a sample of as many
FRESH: Final = 600.0  # seconds for which the addresses of a host name are good
UNANSWERED: Final = 300.0  # seconds until a name is asked for again that nobody knew: each time may take five


class Gatehouse:
    """What there is of the gate, opened and locked but not changed. Raises GateError and LedgerError with a sentence.

    It only looks until the lock is taken: what is asked for before is read, and nothing is made or written, no file either.
    `root` is the folder that /proc, /run, /var and /etc hang below; `now` tells the time.
    """

    changes = False  # since the lock was taken: from then on the ledger is written

    def __init__(self, config: Config, *, root: str = "/", actor: str = "", now: Callable[[], float] = time.time) -> None:
        self.config, self.root, self.now = config, root, now
        self.actor = actor or who()
        self.path = os.path.join(root, LEDGER)
        self._nft: Nftables | None = None
        self._ledger: Ledger | None = None
        self.warnings: list[str] = []  # what a person should hear of, though it was done
        self._asked: dict[str, float] = {}  # when each host name was asked for, on the monotonic clock
        self._answers: dict[str, list[tuple[bytes, int]]] = {}  # of who only looks: they are written down nowhere

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
        """The ledger, made where there is none; what only the kernel remembers is then written into it.

        Who only looks reads it; where there is none, that is an empty one in memory, with what the kernel remembers.
        """
        if self._ledger is None:
            new = not os.path.exists(self.path)
            if self.changes:
                self._ledger = Ledger.open(self.path)
                if new and self.firewall() == "nftables":
                    self._remember()
            else:
                self._ledger = self._looked_at()
        return self._ledger

    def _looked_at(self) -> Ledger:
        try:
            return Ledger.open(self.path, readonly=True)
        except LedgerError as error:
            if not error.missing:
                raise
        self._ledger = Ledger.nothing(self.path)
        with contextlib.suppress(GateError):  # whoever needs the firewall asks for it, and hears why not
            if self.firewall() == "nftables":
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
                raise GateError(refused(error), error.errno) from None
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
            self.writes()
            yield

    def writes(self) -> None:
        """From now on the ledger is written. What was open to be read is closed before: SQLite has one index for a whole process,
        and only reads with that of a reader."""
        if self.changes:
            return
        self.changes = True
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        self._asked, self._answers = {}, {}  # what was not written down is asked again

    def wards(self) -> Wards:
        """Who is never denied, as it is now."""
        new = [name for name in self.config.names if name not in self._asked and not self.ledger.name(name)[0]]
        self._ask(new)
        names = (self._answers.get(name) or self.ledger.name(name)[1] for name in self.config.names)
        allowed = [*self.config.allow, *(p for prefixes in names for p in prefixes)]
        allowed += [p for a in self.ledger.allowed() for p in a.prefixes]
        return Wards(wards(self.root, allowed, own=self.config.own, private=self.config.private, ssh=self.on_ssh()))

    def on_ssh(self) -> list[bytes]:
        """Who may be an admin at work: for what a person types, everybody who is connected to sshd."""
        return ssh_peers(self.root)

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
        if not self.changes:
            self._answers |= answers
            return
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
        if orders and self.changes:
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


def refused(error: GateError) -> str:
    """What the kernel said, in a sentence."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return _("cannot reach the firewall: no right to. {remedy}").format(remedy=remedy())
    if error.errno in NO_TABLES:
        said = _('this kernel has no nf_tables ({detail}). Load the module nf_tables, or set [gate] firewall = "ufw"')
        return said.format(detail=error)
    return _("the firewall refused: {detail}. See: monzen gate status").format(detail=error)
