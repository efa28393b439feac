"""`monzen run`: the half of the guard that reads and judges, without any rights. One loop, short enough to read in one go."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import json
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from monzen.config import Config, ConfigError
from monzen.guard.followed import Followed, Part
from monzen.guard.mind import EVENTS, SHIELD, TICK, Mind, Record
from monzen.guard.notify import Notify
from monzen.guard.store import Store, StoreError
from monzen.guard.talk import Talk
from monzen.judge.routes import Routes
from monzen.judge.shield import Shield
from monzen.parse import saved
from monzen.show.words import _

log = logging.getLogger("monzen.run")

STATE: Final = "var/lib/monzen-run"
SECOND: Final = 1.0  # the longest sleep: what inotify does not tell (NFS, a folder that appears) is seen then
SOON: Final = 0.02
POSITIONS: Final = 5.0  # seconds after which a position is written down though nothing happened
SNAPSHOT: Final = 900.0  # seconds between two snapshots, where little happened
SMALL: Final = 1 << 20  # bytes of records that are not worth a snapshot
MINUTE: Final = 60.0
STATUS: Final = 10.0
ALONE: Final = 5.0  # seconds that it waits for the gate at the start, to know whom it shields
BACK: Final = 3_600.0  # seconds by which the clock may go back; the judge's never does, so for long all would be of one moment


class Guard:
    """What `monzen run` is. `load` reads the configuration anew; `root` is where /var and /run hang; `state` is its folder.

    `once`: to the end of what there is, then stop."""

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        *,
        root: str = "/",
        zone: dt.tzinfo = dt.UTC,
        routes: Routes | None = None,
        version: str = "",
        once: bool = False,
        state: str | None = None,
    ) -> None:
        self.config, self.load, self.root, self.routes = config, load, root, routes
        self.version, self.once = version, once
        self.notify = Notify()
        self.talk = Talk(root, self._note)
        self.followed = Followed(config.sources, zone, root)
        self.store = Store(state or os.path.join(root, STATE))
        self.history = False  # reading what was before the first start
        self.stopping = self.reloading = self.stopped = False
        self.started = time.time()
        self.heard = time.monotonic()  # when an event came last
        self.told: tuple[object, ...] = ()  # the news that the last status had
        self.next = {"minute": 0.0, "status": 0.0, "positions": 0.0, "snapshot": time.monotonic() + SNAPSHOT, "second": 0.0}
        self.written: dict[str, Any] = {}  # positions as they were written down
        self.mind = self._remember()
        self.before = self.mind.heard

    # ---- what was known before

    def _remember(self) -> Mind:
        """The mind as it was; a new one where there is none, or it cannot be read: the logs are still there."""
        try:
            state, records = self.store.load()
            known = state is not None
            mind = Mind.restore(state, self.config.policy, self.routes) if state is not None else self._new()
            count = 0
            for record in records:
                mind.hear(record)
                count += 1
            if known or count:
                log.info("remember clients=%d sentences=%d records=%d", len(mind.judge.clients), len(mind.judge.sentences), count)
                return mind
        except (StoreError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            log.error("state cannot be used, reading the logs anew error=%r", str(error))
            self.store.again()
        self.history = True
        return self._new()

    def _new(self) -> Mind:
        """Knows nobody; shields this machine, until the gate says more."""
        from monzen.machine import prefixes

        own = [*self.config.own, *prefixes(self.root)]
        return Mind(self.config.policy, Shield(own, self.config.allow, self.config.private), self.routes)

    def _note(self, record: Record) -> None:
        """Write a record down, then hear it."""
        if not self.history:
            self.store.write(record)
        self.mind.hear(record)

    # ---- the loop

    def run(self) -> int:
        """Until SIGTERM (`once`: until all was read). Returns the exit status."""
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signal)
        collecting = gc.isenabled()
        gc.disable()  # events are tuples of bytes; what is cyclic here is made at the start
        try:
            self._greet()
            self._open()
            self.notify.say("READY=1", f"MAINPID={os.getpid()}")
            log.info("ready sources=%s history=%s", ",".join(s.name for s in self.followed.streams), self.history)
            while not self.stopping:
                moved = self.turn()
                if not moved and self.once and self.followed.caught_up:
                    self._note((TICK, float("inf")))
                    break
                self._wait(reading, moved)
        finally:
            self.notify.say("STOPPING=1")
            self._stop()
            signal.set_wakeup_fd(-1)
            os.close(reading)
            os.close(writing)
            if collecting:
                gc.enable()
        return 0

    def _signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self.reloading = True
        else:
            self.stopping = True

    def _greet(self) -> None:
        """Hear from the gate whom it shields, before anybody is judged; without it, it is asked again later."""
        end = time.monotonic() + (0.0 if self.once else ALONE)
        while not self.stopping:
            self.talk.link.connect(self.version)
            self.talk.listen(self.mind, history=self.history)
            if self.talk.link.ready or time.monotonic() >= end:
                return
            self.notify.alive(_("waits for monzen gate serve"))
            fd = self.talk.link.fileno()
            select.select([fd] if fd is not None else [], [], [], 0.05)

    def _wait(self, wakeup: int, moved: bool) -> None:
        """Until something comes; not at all where there is more to read, or to send."""
        waiting = self.talk.offers.pending and self.talk.link.free and not self.history
        patience = 0.0 if moved or waiting else SECOND
        if patience and not self.followed.caught_up:  # journalctl is at work on the past
            patience = SOON
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        link = self.talk.link.fileno()
        for fd in [*self.followed.filenos(), *([link] if link is not None else [])]:
            poll.register(fd, select.POLLIN)
        for fd, _events in poll.poll(patience * 1000):
            if fd == wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 512)
        self.followed.awake()

    def turn(self) -> bool:
        """One look at everything. Whether there was anything to read."""
        moved = self._read()
        self._tick()
        self.talk.listen(self.mind, history=self.history)
        if not self.history:
            self.talk.send(self.mind, time.time())
        self._by_the_clock()
        return moved

    def _read(self) -> bool:
        """One block of each source, all of them one record."""
        moved, parts = self.followed.read(self.mind, time.time())
        if parts:
            if not self.history:
                self.store.write((EVENTS, [(*part[:3], saved.rows(part[3])) for part in parts]))
            self.mind.hear((EVENTS, parts))
            self.written.update((part[0], part[1]) for part in parts)
            if any(part[3] for part in parts):
                self.heard = time.monotonic()
        if self.history and self.followed.caught_up:
            self._history_read()
        return moved

    def _history_read(self) -> None:
        """The first start is over: from here on, what is heard is written down."""
        self.history = False
        log.info("history events=%d clients=%d", self.mind.heard, len(self.mind.judge.clients))
        self._save()
        self.talk.offers.everything(self.mind, time.time())

    def _tick(self) -> None:
        """What was held long enough is let go, by the log's own time: its newest line, and for how long it has been silent."""
        if self.mind.holds_until < float("inf") and self.followed.caught_up:
            at = self.mind.now + time.monotonic() - self.heard
            if at > self.mind.holds_until:
                self._note((TICK, at))

    # ---- by the clock

    def _by_the_clock(self) -> None:
        now = time.monotonic()
        if self.reloading:
            self.reloading = False
            self._reload()
        if now >= self.next["second"]:
            self.next["second"] = now + SECOND
            self.talk.link.connect(self.version)
            self.talk.offers.again()
            self._look()
            self._remember_positions(now)
            self._save_when_due(now)
            self.notify.alive(self._says())
            if self._news() != self.told:
                self.next["status"] = now
        if now >= self.next["minute"]:
            self.next["minute"] = now + MINUTE
            if not self.history:
                self.talk.each_minute(self.mind, time.time())
            self.followed.watch_anew()
        if now >= self.next["status"]:
            self.next["status"] = now + STATUS
            self._write_status()

    def _news(self) -> tuple[object, ...]:
        """What a person who looks now should see at once."""
        streams, link = self.followed.streams, self.talk.link
        return link.ready, link.mode, *((s.reader.lines, s.caught_up, s.missing) for s in streams)

    def _says(self) -> str:
        behind = sum(1 for s in self.followed.streams if not s.caught_up)
        gate = self.talk.link.mode if self.talk.link.ready else _("no gate")
        return f"{gate}; {self.mind.heard:,} events, {len(self.mind.judge.clients):,} clients, {behind} sources behind"

    def _look(self) -> None:
        """Words of the sources; alarms of the judge."""
        for words in self.followed.told():
            log.warning("%s", words)
        if self.history:
            return
        if self.mind.judge.now > time.time() + BACK:
            self._begin_anew()
            return
        self.talk.look(self.mind, time.time())

    def _begin_anew(self) -> None:
        """The machine's clock was ahead and is right again: what was learned has wrong times, so the logs are read anew."""
        log.error("the clock went back by %.0f s, reading the logs anew", self.mind.judge.now - time.time())
        self.followed.close()
        self.store.wait()
        self.store.again()
        guarded = self.mind.guarded
        self.written, self.history = {}, True
        self.mind, self.before = self._new(), 0
        if guarded is not None:
            self.mind.hear((SHIELD, *guarded))
        self.talk.begin_anew()
        self._greet()
        self._open()

    def _open(self) -> None:
        """Follow the sources from where the mind stood."""
        self._note((EVENTS, self.followed.open(self.mind, time.time(), history=self.history)))

    def _remember_positions(self, now: float) -> None:
        """Positions that only moved are written down now and then: what is read again says nothing."""
        if self.history or now < self.next["positions"]:
            return
        self.next["positions"] = now + POSITIONS
        parts: list[Part] = []
        for stream in self.followed.streams:
            position = stream.position
            if position != self.written.get(stream.name):
                parts.append((stream.name, position, stream.caught_up, []))
                self.written[stream.name] = position
        if parts:
            self._note((EVENTS, parts))

    def _save_when_due(self, now: float) -> None:
        done = self.store.saved()
        if done is False:
            log.error("snapshot failed folder=%s", self.store.folder)
            self.next["snapshot"] = now + MINUTE
        if self.history or self.store.saving:
            return
        if self.store.behind:
            if now >= self.next["snapshot"] or self.next["snapshot"] > now + STATUS:
                self.next["snapshot"] = now + STATUS
                self._save()
        elif self.store.kept > max(SMALL, 2 * self.store.size) or (self.store.kept and now >= self.next["snapshot"]):
            self.next["snapshot"] = now + SNAPSHOT
            self.store.save(self.mind.save)

    def _save(self) -> None:
        """A snapshot, now."""
        try:
            self.store.save_now(self.mind.save())
        except StoreError as error:
            log.error("snapshot failed error=%r", str(error))

    def _reload(self) -> None:
        """The configuration anew. Other limits hold from now on; other sources from the next start."""
        try:
            config = self.load()
        except ConfigError as error:
            log.error("configuration not reloaded error=%r", str(error))
            return
        if config.sources != self.config.sources:
            log.warning("other sources are followed from the next start on: systemctl restart monzen")
        self.config = config
        self.mind.policy = self.mind.judge.policy = config.policy
        log.info("configuration reloaded")

    def status(self) -> dict[str, Any]:
        """What `monzen status` shows of it."""
        now, link = time.time(), self.talk.link
        return {
            "at": now,
            "started": self.started,
            "pid": os.getpid(),
            "version": self.version,
            "lines": sum(s.reader.lines for s in self.followed.streams),
            "events": self.mind.heard - self.before,
            "twice": self.mind.copies.dropped,
            "suspects": sum(s.reader.suspects for s in self.followed.streams),
            "samples": [line[:300].decode("utf-8", "replace") for s in self.followed.streams for line in s.reader.samples[:3]],
            "too_long": sum(s.follower.skipped for s in self.followed.streams),
            "history": self.history,
            "stopped": self.stopped,
            "sources": [
                {
                    "path": s.name,
                    "caught_up": s.caught_up,
                    "last": s.seen or None,
                    "lines": s.reader.lines,
                    "late": s.offset,
                    "error": s.error,
                }
                for s in self.followed.streams
            ],
            "clients": len(self.mind.judge.clients),
            "logins": self.mind.judge.logins,
            "sentences": sum(1 for s in self.mind.judge.sentences if s.until > now),
            "waiting": len(self.talk.offers.pending),
            "gate": {"connected": link.ready, "since": link.since, "mode": link.mode, "error": link.error},
            "state": {"records": self.store.kept, "snapshot": self.store.size, "behind": self.store.behind},
        }

    def _write_status(self) -> None:
        self.told = self._news()
        path = os.path.join(self.store.folder, "status.json")
        with contextlib.suppress(OSError):  # a full disk is told of by the store
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(self.status(), file)
            os.replace(path + ".new", path)

    def _stop(self) -> None:
        """Remember all of it, and end."""
        if not self.history:
            self._remember_positions(float("inf"))
            self._save()
        self.stopped = True
        self._write_status()
        self.followed.close()
        self.talk.link.lose("stopped")
        self.store.close()
