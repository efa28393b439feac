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
from monzen.guard.link import Link
from monzen.guard.mind import EVENTS, LIFT, PARDON, SHIELD, TICK, Mind, Record
from monzen.guard.notify import Notify
from monzen.guard.offers import Offers
from monzen.guard.store import Store, StoreError
from monzen.guard.streams import BLOCK, LogStream
from monzen.judge.routes import Routes
from monzen.judge.shield import Shield
from monzen.parse import saved
from monzen.show.alarms import alarming, broken_in
from monzen.show.refused import refused
from monzen.show.text import network as shown
from monzen.show.words import _
from monzen.sources.follow import Follower
from monzen.sources.follow_journal import JournalFollower
from monzen.sources.watch import Watch

log = logging.getLogger("monzen.run")

STATE: Final = "var/lib/monzen-run"
JOURNAL: Final = "journal"
SECOND: Final = 1.0  # the longest sleep: what inotify does not tell (NFS, a folder that appears) is seen then
SOON: Final = 0.02
POSITIONS: Final = 5.0  # seconds after which a position is written down though nothing happened
SNAPSHOT: Final = 900.0  # seconds between two snapshots, where little happened
SMALL: Final = 1 << 20  # bytes of records that are not worth a snapshot
MINUTE: Final = 60.0
STATUS: Final = 10.0
ALONE: Final = 5.0  # seconds that it waits for the gate at the start, to know whom it shields
AHEAD: Final = 20_000  # events of a stream that may wait for the others
FRESH: Final = 86_400.0  # an alarm older than that is history
BACK: Final = 3_600.0  # seconds by which the clock may go back; the judge's never does, so for long all would be of one moment
TOLD: Final = 2_000  # alarms remembered as told


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
        self.config, self.load, self.root, self.zone, self.routes = config, load, root, zone, routes
        self.version, self.once = version, once
        self.notify = Notify()
        self.link = Link(root)
        self.offers = Offers()
        self.store = Store(state or os.path.join(root, STATE))
        self.streams: list[LogStream] = []
        self.watch: Watch | None = None
        self.history = False  # reading what was before the first start
        self.stopping = self.reloading = self.stopped = False
        self.started = time.time()
        self.heard = time.monotonic()  # when an event came last
        self.next = {"minute": 0.0, "status": 0.0, "positions": 0.0, "snapshot": time.monotonic() + SNAPSHOT, "second": 0.0}
        self.written: dict[str, Any] = {}  # positions as they were written down
        self.told: dict[tuple[str, float, bytes], None] = {}
        self.alarms: list[list[Any]] = []  # to be told
        self.alarms_on_way: dict[int, list[list[Any]]] = {}
        self.lines = 0
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

    # ---- sources

    def open(self, now: float) -> None:
        """Follow what is configured, from where it was left."""
        since = now - self.config.sources.history if self.history else None
        for path in self.config.sources.files:
            position, clock = self._stood(path)
            fresh = since if since is not None else now if position is None else None
            self._add(path, Follower(os.path.join(self.root, path.lstrip("/")), position, since=fresh), clock)
        if self._wants_journal(now):
            position, clock = self._stood(JOURNAL)
            self._add(JOURNAL, JournalFollower(position, since=since if position is None else None), clock)
        followed = {s.name for s in self.streams}
        parts: list[tuple[str, Any, bool, list[Any]]] = [(s.name, s.position, False, []) for s in self.streams]
        parts += [(name, s.position, True, []) for name, s in self.mind.streams.items() if name not in followed]  # hold nobody up
        self._note((EVENTS, parts))
        self.watch = Watch([p for s in self.streams for p in getattr(s.follower, "paths", list)()])

    def _add(self, name: str, follower: Any, clock: Any) -> None:  # noqa: ANN401  # one of two followers
        self.streams.append(LogStream(name, follower, self.zone, clock))

    def _stood(self, name: str) -> tuple[Any, Any]:
        """Where a stream stood, and its clock."""
        known = self.mind.streams.get(name)
        if known is None or known.position is None:
            return None, None
        position, clock = known.position
        return position, clock

    def _wants_journal(self, now: float) -> bool:
        """Whether the journal is read: as configured, or unless fresh files say the same."""
        wanted = self.config.sources.journal
        if wanted is not None:
            return wanted
        import shutil

        if shutil.which("journalctl") is None:
            return False
        fresh = []
        for name in ("mail.log", "auth.log"):
            path = next((p for p in self.config.sources.files if p.endswith("/" + name)), None)
            if path is None:
                continue
            try:
                fresh.append(now - os.stat(os.path.join(self.root, path.lstrip("/"))).st_mtime < 86_400.0)
            except OSError:
                return True
        return not any(fresh)

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
            self.open(time.time())
            self.notify.say("READY=1", f"MAINPID={os.getpid()}")
            log.info("ready sources=%s history=%s", ",".join(s.name for s in self.streams), self.history)
            while not self.stopping:
                moved = self.turn()
                if not moved and self.once and all(s.caught_up for s in self.streams):
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
            self.link.connect(self.version)
            self._listen()
            if self.link.ready or time.monotonic() >= end:
                return
            self.notify.alive(_("waits for monzen gate serve"))
            fd = self.link.fileno()
            select.select([fd] if fd is not None else [], [], [], 0.05)

    def _wait(self, wakeup: int, moved: bool) -> None:
        """Until something comes; not at all where there is more to read, or to send."""
        patience = 0.0 if moved or (self.offers.pending and self.link.free and not self.history) else SECOND
        if patience and not all(s.caught_up for s in self.streams):  # journalctl is at work on the past
            patience = SOON
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        fds = [self.watch.fileno() if self.watch is not None else None, self.link.fileno()]
        fds += [s.follower.fileno() for s in self.streams if hasattr(s.follower, "fileno")]
        for fd in fds:
            if fd is not None:
                poll.register(fd, select.POLLIN)
        for fd, _events in poll.poll(patience * 1000):
            if fd == wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 512)
        if self.watch is not None:
            self.watch.drain()

    def turn(self) -> bool:
        """One look at everything. Whether there was anything to read."""
        moved = self._read()
        self._tick()
        self._listen()
        self.offers.collect(self.mind)
        self._send()
        self._by_the_clock()
        return moved

    def _read(self) -> bool:
        """One block of each source, all of them one record."""
        now, moved, heard = time.time(), False, False
        parts: list[tuple[str, Any, bool, list[Any]]] = []
        for stream in self.streams:
            known = self.mind.stream(stream.name)
            if len(known.waiting) > AHEAD:
                continue
            events = stream.turn(now, BLOCK)
            moved = moved or events is not None
            heard = heard or bool(events)
            if events or stream.caught_up != known.caught_up:
                parts.append((stream.name, stream.position, stream.caught_up, events or []))
        if parts:
            if not self.history:
                self.store.write((EVENTS, [(*part[:3], saved.rows(part[3])) for part in parts]))
            self.mind.hear((EVENTS, parts))
            self.written.update((part[0], part[1]) for part in parts)
            if heard:
                self.heard = time.monotonic()
        if self.history and all(s.caught_up for s in self.streams):
            self._history_read()
        return moved

    def _history_read(self) -> None:
        """The first start is over: from here on, what is heard is written down."""
        self.history = False
        log.info("history events=%d clients=%d", self.mind.heard, len(self.mind.judge.clients))
        self._save()
        self.offers.everything(self.mind, time.time())

    def _tick(self) -> None:
        """What was held long enough is let go, by the log's own time: its newest line, and for how long it has been silent."""
        if self.mind.holds_until < float("inf") and all(s.caught_up for s in self.streams):
            at = self.mind.now + time.monotonic() - self.heard
            if at > self.mind.holds_until:
                self._note((TICK, at))

    # ---- the gate

    def _listen(self) -> None:
        """What the gate says."""
        if self.link.socket is None:
            return
        was, mode = self.link.ready, self.link.mode
        news = self.link.read()
        if news.shield is not None:
            own, private = news.shield
            if (own, (), private) != self.mind.guarded:
                self._note((SHIELD, own, (), private))
        new = [r for r in news.releases if r[2] > self.mind.released.get(r[:2], float("-inf"))]
        if new:
            self._note((PARDON, new))
        for number, answers in news.answers:
            if number in self.alarms_on_way:
                del self.alarms_on_way[number]
                continue
            for s in self.offers.answered(number, answers, self.mind):
                log.info("refused net=%s rule=%s", shown(s.target, s.bits), s.rule)
                self._note((LIFT, s.target, s.bits))
        if self.link.ready and (not was or (news.mode is not None and news.mode != mode)):
            log.info("gate mode=%s", self.link.mode)
            if not self.history:
                self.offers.everything(self.mind, time.time())
        if was and not self.link.ready:
            log.warning("gate lost error=%r", self.link.error)
            self.alarms = [row for rows in self.alarms_on_way.values() for row in rows] + self.alarms
            self.alarms_on_way.clear()

    def _send(self) -> None:
        """As many orders as the gate takes now."""
        if self.history:
            return
        now = time.time()
        while self.link.free and self.offers.pending:
            rows = self.offers.rows(self.mind, now)
            if not rows:
                return
            number = self.link.send("orders", [row for _key, _s, row in rows])
            if number is None:
                self.offers.back(rows)
                return
            self.offers.sent(number, rows)
        if self.link.free and self.alarms:
            rows_, self.alarms = self.alarms[:20], self.alarms[20:]
            number = self.link.send("alarms", rows_)
            if number is None:
                self.alarms = rows_ + self.alarms
            else:
                self.alarms_on_way[number] = rows_

    # ---- by the clock

    def _by_the_clock(self) -> None:
        now = time.monotonic()
        if self.reloading:
            self.reloading = False
            self._reload()
        if now >= self.next["second"]:
            self.next["second"] = now + SECOND
            self.link.connect(self.version)
            self.offers.again()
            self._look()
            self._remember_positions(now)
            self._save_when_due(now)
            self.notify.alive(self._says())
        if now >= self.next["minute"]:
            self.next["minute"] = now + MINUTE
            wall = time.time()
            if not self.history:
                self.offers.lengthen(self.mind, wall)
            for s in self.offers.leaks(self.mind):
                text = _("{target} is denied and goes on all the same: the firewall does not hold it. See: monzen gate status")
                self._alarm("leak", wall, s.target, text.format(target=shown(s.target, s.bits)))
            if self.watch is not None:
                self.watch.update([p for s in self.streams for p in getattr(s.follower, "paths", list)()])
        if now >= self.next["status"]:
            self.next["status"] = now + STATUS
            self._write_status()

    def _says(self) -> str:
        behind = sum(1 for s in self.streams if not s.caught_up)
        gate = self.link.mode if self.link.ready else _("no gate")
        return f"{gate}; {self.mind.heard:,} events, {len(self.mind.judge.clients):,} clients, {behind} sources behind"

    def _look(self) -> None:
        """Words of the sources; alarms of the judge."""
        for stream in self.streams:
            for error in stream.follower.words:
                words = refused(error)
                stream.error = "" if error.reason == "missing" else words  # a log may come later, or never
                log.warning("source=%s %s", stream.name, words)
            stream.follower.words.clear()
            for text in stream.words:
                log.warning("%s", text)
            stream.words.clear()
        if self.history:
            return
        if self.mind.judge.now > time.time() + BACK:
            self._begin_anew()
            return
        since = time.time() - FRESH
        judge = self.mind.judge
        for a in judge.alarms.values():
            if a.at >= since:
                self._alarm(a.what, a.at, a.client, alarming(a))
        for b in judge.breaches:
            if b.at >= since:
                self._alarm("breach", b.at, b.client, broken_in(b))

    def _begin_anew(self) -> None:
        """The machine's clock was ahead and is right again: what was learned has wrong times, so the logs are read anew."""
        log.error("the clock went back by %.0f s, reading the logs anew", self.mind.judge.now - time.time())
        for stream in self.streams:
            stream.follower.close()
        if self.watch is not None:
            self.watch.close()
        self.store.wait()
        self.store.again()
        guarded = self.mind.guarded
        self.streams, self.written, self.offers, self.history = [], {}, Offers(), True
        self.mind, self.before = self._new(), 0
        if guarded is not None:
            self.mind.hear((SHIELD, *guarded))
        self.link.lose("begun anew")  # it tells again who was released
        self._greet()
        self.open(time.time())

    def _alarm(self, kind: str, at: float, client: bytes, text: str) -> None:
        key = (kind, at, client)
        if key in self.told:
            return
        self.told[key] = None
        if len(self.told) > TOLD:
            del self.told[next(iter(self.told))]
        if len(self.alarms) < TOLD:
            self.alarms.append([at, kind, text[:400]])
        log.warning("alarm kind=%s client=%s", kind, shown(client, 8 * len(client)) if client else "-")

    def _remember_positions(self, now: float) -> None:
        """Positions that only moved are written down now and then: what is read again says nothing."""
        if self.history or now < self.next["positions"]:
            return
        self.next["positions"] = now + POSITIONS
        parts: list[tuple[str, Any, bool, list[Any]]] = []
        for stream in self.streams:
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
        now = time.time()
        return {
            "at": now,
            "started": self.started,
            "pid": os.getpid(),
            "version": self.version,
            "lines": sum(s.reader.lines for s in self.streams),
            "events": self.mind.heard - self.before,
            "twice": self.mind.copies.dropped,
            "suspects": sum(s.reader.suspects for s in self.streams),
            "samples": [line[:300].decode("utf-8", "replace") for s in self.streams for line in s.reader.samples[:3]],
            "too_long": sum(s.follower.skipped for s in self.streams),
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
                for s in self.streams
            ],
            "clients": len(self.mind.judge.clients),
            "logins": self.mind.judge.logins,
            "sentences": sum(1 for s in self.mind.judge.sentences if s.until > now),
            "waiting": len(self.offers.pending),
            "gate": {"connected": self.link.ready, "since": self.link.since, "mode": self.link.mode, "error": self.link.error},
            "state": {"records": self.store.kept, "snapshot": self.store.size, "behind": self.store.behind},
        }

    def _write_status(self) -> None:
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
        for stream in self.streams:
            stream.follower.close()
        if self.watch is not None:
            self.watch.close()
        self.link.lose("stopped")
        self.store.close()
