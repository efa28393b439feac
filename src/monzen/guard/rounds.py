"""What the gate does by the clock: it looks whether somebody changed the firewall or the mode, compares, repairs, and says so."""

from __future__ import annotations

import contextlib
import errno
import logging
import time
from collections.abc import Callable
from typing import Final

from monzen.config import Config, ConfigError
from monzen.gate.target import GateError, Target
from monzen.guard.peers import Lines
from monzen.guard.warden import Warden
from monzen.ledger import LedgerError
from monzen.mode import Mode
from monzen.upkeep import Applied

log = logging.getLogger("monzen.gate")

EVERY: Final = 60.0  # seconds between two comparisons of what is with what should be
LAPSE: Final = 5.0  # seconds before what failed is tried again
SOON: Final = 0.5  # the same after a hint


class Rounds:
    """Keeps the firewall as it should be. `load` reads the configuration anew (ConfigError: the old one stands)."""

    def __init__(self, warden: Warden, lines: Lines, load: Callable[[], Config]) -> None:
        self.warden, self.lines, self.load = warden, lines, load
        self.next = 0.0  # when it is compared next, on the monotonic clock
        self.generation = -1  # of the kernel's rules, as we left them
        self.mode = Mode()
        self.broken = ""  # what is wrong now, in words
        self.applied = 0.0  # when it was compared last, epoch seconds

    def hint(self) -> None:
        """Something may be wrong: compare at once."""
        self.next = min(self.next, time.monotonic() + SOON)

    def look(self) -> None:
        """Whether somebody else changed the firewall, or the mode: then everything is compared at once."""
        mode = self.warden.mode()
        if mode.name != self.mode.name:
            log.warning("mode is=%s was=%s by=%r", mode.name, self.mode.name, mode.actor)
            self.apply("mode")
            return
        if self.firewall() != "nftables":
            return
        try:
            generation = self.warden.nft.generation()
            if generation == self.generation:
                return
            if not mode.open and not self.warden.nft.state().whole:
                self.apply("the table is gone")
            self.generation = generation
        except GateError as error:
            self.trouble(error)

    def apply(self, why: str) -> None:
        """Compare what is with what should be, and mend it."""
        self.next = time.monotonic() + EVERY
        self.warden.forget()
        self.mode = self.warden.mode()
        try:
            done = self._applied()
        except (GateError, LedgerError, OSError) as error:
            self.trouble(error)
            self.next = time.monotonic() + LAPSE
            return
        self.broken = ""
        self.applied = time.time()
        self.settled()
        if done.restored or done.missing or done.extra or done.freed or done.found:
            log.warning(
                "repair why=%r restored=%s missing=%d extra=%d freed=%d found=%d",
                why, done.restored, done.missing, done.extra, done.freed, done.found,
            )  # fmt: skip
        for entry in done.ended:
            said = "release net=%s why=%s number=%d knocks=%d"
            self.lines.say("release", logging.INFO, said, Target(*entry.key), entry.ending, entry.number, entry.knocks)

    def _applied(self) -> Applied:
        self.warden.idle = True
        try:
            self.warden.reopen()
            try:
                self.warden.come_to_senses()
                done = self.warden.apply()
            except LedgerError as error:
                if not error.damaged:
                    raise
                log.error("ledger damaged, saving what can be read error=%r", str(error))
                done = self.warden.apply(save=True)
            self.warden.opened()
            return done
        finally:
            self.warden.idle = False

    def settled(self) -> None:
        """Whatever was changed until now, we did."""
        with contextlib.suppress(GateError):
            if self.firewall() == "nftables":
                self.generation = self.warden.nft.generation()

    def firewall(self) -> str:
        """Which gate is used; empty where that cannot be told."""
        try:
            return self.warden.firewall()
        except GateError:
            return ""

    def trouble(self, error: Exception) -> None:
        """Something failed: it is said once, and tried again."""
        if isinstance(error, GateError) and error.errno in (errno.EPERM, errno.EACCES) and not self.applied:
            raise error  # without rights nothing will ever work
        if str(error) != self.broken:
            self.broken = str(error)
            log.error("trouble error=%r", self.broken)
        self.next = min(self.next, time.monotonic() + LAPSE)

    def reload(self) -> None:
        """The configuration anew; where it is wrong the old one stands."""
        try:
            self.warden.config = self.load()
        except ConfigError as error:
            log.error("configuration not reloaded error=%r", str(error))
            return
        log.info("configuration reloaded")
        self.warden.forget()
        self.apply("configuration")
