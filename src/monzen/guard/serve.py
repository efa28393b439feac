"""`monzen gate serve`: the privileged half of the guard. It waits for orders, keeps the firewall right, and believes nobody.

What it obeys stands in root's own places: the configuration, the ledger, the mode, the kernel. `run` may ask for denials and
report alarms, at a pace and in an amount that harm nobody; it can ask for nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import select
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from monzen.config import Config
from monzen.gate.target import GateError, Target
from monzen.guard import wire
from monzen.guard.door import Door
from monzen.guard.notify import Notify
from monzen.guard.peers import Allowance, Lines, Peer
from monzen.guard.rounds import Rounds
from monzen.guard.warden import Answer, Warden
from monzen.guard.wire import Found, WireError
from monzen.ledger import LedgerError
from monzen.ledger.base import cut

log = logging.getLogger("monzen.gate")

USER: Final = "monzen"
PEERS: Final = 8  # connections at once: there is one `run`, and now and then a `status`
OTHERS: Final = 4  # of them, of who is not root: root always finds room
ARRIVALS: Final = (10.0, 20.0)  # new connections a second, and at once, of who is not root
GREETINGS: Final = (2.0, 10.0)  # of who is not root: each costs a look at everybody who is never denied
MESSAGES: Final = (500.0, 1_000.0)  # of all peers together; what comes faster waits
ORDERS: Final = (1_000.0, 10_000.0)  # the same; about as many as there is time for
ALARMS: Final = (1_000 / 86_400, 200.0)  # the ledger keeps 10,000: those of ten days
HINTS: Final = (1 / 15, 1.0)  # comparisons of everything that `run` may cause
EVIDENCE: Final = 1 << 20  # bytes of evidence a minute; of more, the orders count and their lines are left out
SAID: Final = {  # lines of the log, of each kind a peer can cause: a second, and at once
    "drop": (1.0, 3_000.0),
    "release": (1.0, 3_000.0),
    "refuse": (0.1, 200.0),
    "peer": (0.1, 50.0),
    "alarm": (0.1, 200.0),
}
SILENT: Final = 20.0  # seconds in which a peer must have said who it is
TURN: Final = 32  # messages taken from one peer before the others and the clock have their turn


class Server:
    """The loop. `load` reads the configuration anew (ConfigError: the old one stands)."""

    def __init__(self, config: Config, load: Callable[[], Config], *, root: str = "/", user: str = USER) -> None:
        self.warden = Warden(config, root=root, actor="monzen run")
        self.notify = Notify()
        self.allowed_uids = {0, os.geteuid()}
        group = -1
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(user)
            self.allowed_uids.add(account.pw_uid)
            group = account.pw_gid
        self.door = Door(os.path.join(root, wire.SOCKET), group)
        self.peers: dict[int, Peer] = {}
        self.turns: deque[int] = deque()  # whose messages wait, in the order in which they came
        self.stopping = False
        self.reloading = False
        self.arrivals, self.greetings, self.hints = Allowance(*ARRIVALS), Allowance(*GREETINGS), Allowance(*HINTS)
        self.messages, self.orders, self.alarms = Allowance(*MESSAGES), Allowance(*ORDERS), Allowance(*ALARMS)
        self.evidence = Allowance(EVIDENCE / 60, EVIDENCE)
        self.lines = Lines(log, **SAID)
        self.rounds = Rounds(self.warden, self.lines, load)
        self.told: tuple[Any, ...] = ("", (), ())  # what the peers know: mode, shield, releases
        self.checked = 0.0
        self.counts = dict.fromkeys(("denied", "watched", "same", "refused", "alarms"), 0)
        self.started = time.time()

    # ---- the loop

    def run(self) -> int:
        """Until SIGTERM. Returns the exit status."""
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signal)
        self.door.open()
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        try:
            self.rounds.apply("start")
            self.notify.say("READY=1", f"MAINPID={os.getpid()}")
            log.info("ready socket=%s firewall=%s mode=%s", self.door.path, self.rounds.firewall(), self.rounds.mode.name)
            while not self.stopping:
                if self.door.fileno() >= 0:
                    poll.register(self.door, select.POLLIN)
                for fd, peer in self.peers.items():
                    wanted = 0 if peer.pending is not None else select.POLLIN
                    poll.register(fd, wanted | (select.POLLOUT if peer.queue else 0))
                for fd, events in poll.poll(self._patience() * 1000):
                    if fd == reading:
                        with contextlib.suppress(BlockingIOError):
                            os.read(reading, 512)
                    elif fd == self.door.fileno():
                        self._accept()
                    elif fd in self.peers:
                        self._serve(fd, events, poll)
                while self.turns and not self._wait(self.peers[self.turns[0]].cost):
                    self._resume(self.turns.popleft(), poll)
                self._now_and_then(poll)
        finally:
            self.notify.say("STOPPING=1")
            for fd in list(self.peers):
                self._dismiss(fd, poll, "")
            self._shut(poll)
            signal.set_wakeup_fd(-1)
            os.close(reading)
            os.close(writing)
            with self.warden:
                pass
        return 0

    def _patience(self) -> float:
        """Seconds to sleep."""
        waiting = [self._wait(self.peers[self.turns[0]].cost)] if self.turns else []
        if self.warden.mirror_due:
            waiting.append(0.05)
        return max(0.0, min([1.0, *waiting]))

    def _wait(self, cost: int) -> float:
        """Seconds until a message with so many orders may be taken."""
        return max(self.messages.wait(), self.orders.wait(cost))

    def _signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self.reloading = True
        else:
            self.stopping = True

    def _accept(self) -> None:
        """Some of those who wait; who is not wanted goes at once, so that nobody else waits for it."""
        for _turn in range(TURN):
            connection = self.door.accept()
            if connection is None:
                return
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        pid, uid, _gid = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        others = sum(1 for peer in self.peers.values() if peer.uid)
        wanted = uid in self.allowed_uids and len(self.peers) < PEERS
        if not wanted or (uid and (others >= OTHERS or not self.arrivals.take())):
            said = "refuse peer uid=%d pid=%d connections=%d"
            self.lines.say("peer", logging.WARNING, said, uid, pid, len(self.peers))
            connection.close()
            return
        self.peers[connection.fileno()] = Peer(connection, uid, pid)

    def _dismiss(self, fd: int, poll: select.poll, why: str) -> None:
        peer = self.peers.pop(fd)
        if fd in self.turns:
            self.turns.remove(fd)
        with contextlib.suppress(KeyError, ValueError, OSError):
            poll.unregister(fd)
        peer.connection.close()
        if why:
            self.lines.say("peer", logging.WARNING, "dismiss peer uid=%d pid=%d why=%r", peer.uid, peer.pid, why)

    # ---- one peer

    def _serve(self, fd: int, events: int, poll: select.poll) -> None:
        peer = self.peers[fd]
        gone = peer.pending is not None and events & (select.POLLHUP | select.POLLERR)
        if gone or (events & select.POLLOUT and not peer.flush()):
            self._dismiss(fd, poll, "")
            return
        if not events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            return
        for _turn in range(TURN):
            if peer.pending is not None:
                return
            try:
                data = peer.connection.recv(wire.MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._dismiss(fd, poll, "")
                return
            try:
                answered = self._message(peer, wire.unpacked(data))
            except WireError as error:
                self._dismiss(fd, poll, f"bad message: {error}")
                return
            if not answered:
                self._dismiss(fd, poll, "does not read its answers")
                return

    def _resume(self, fd: int, poll: select.poll) -> None:
        """A message whose turn has come."""
        peer = self.peers[fd]
        message, peer.pending = peer.pending, None
        assert message is not None  # its caller asked
        try:
            if not self._message(peer, message, resumed=True):
                self._dismiss(fd, poll, "does not read its answers")
        except WireError as error:
            self._dismiss(fd, poll, f"bad message: {error}")

    def _message(self, peer: Peer, message: dict[str, Any], *, resumed: bool = False) -> bool:
        """Answer one message, or leave it pending until its turn. False where the peer does not take the answer.

        Raises WireError."""
        rows = message.get("orders")
        cost = min(len(rows), wire.ORDERS) if isinstance(rows, list) else 0
        if not resumed and (self.turns or self._wait(cost)):  # one after the other: nobody starves
            peer.pending, peer.cost = message, cost
            self.turns.append(peer.connection.fileno())
            return True
        self.messages.take()
        if "hello" in message:
            version = message.get("monzen")
            if type(version) is not int or version != wire.PROTOCOL:
                raise WireError(f"another protocol than {wire.PROTOCOL}")
            if peer.greeted or (peer.uid and not self.greetings.take()):
                raise WireError("too many greetings")
            peer.greeted = True
            return all(peer.send(part) for part in self._news(whole=True))
        if "status" in message and message["status"] is True:
            return peer.send({"status": self.status()})
        if not peer.greeted:
            raise WireError("no greeting")
        number = message.get("id")
        if type(number) is not int or not 0 <= number < 1 << 53:
            raise WireError("no number")
        if "orders" in message:
            if not isinstance(rows, list) or not 0 < len(rows) <= wire.ORDERS:
                raise WireError("too many orders")
            wanted = [wire.order_of(row) for row in rows]
            self.orders.take(len(rows))
            # without the words: in some languages those of a hundred orders are longer than a message
            return peer.send({"id": number, "answers": [[a.what, a.number] for a in self._orders(wanted)]})
        if "alarms" in message:
            rows = message["alarms"]
            if not isinstance(rows, list) or not 0 < len(rows) <= wire.ORDERS:
                raise WireError("too many alarms")
            for report in [wire.report_of(row) for row in rows]:
                self._alarm(report)
            return peer.send({"id": number, "answers": []})
        raise WireError("nothing that is known")

    def _orders(self, wanted: list[Found]) -> list[Answer]:
        """Impose what may be imposed."""
        for i, found in enumerate(wanted):
            if not self.evidence.take(sum(map(len, found.order.evidence))):
                wanted[i] = found._replace(order=found.order._replace(evidence=()))
        try:
            answers = self.warden.follow(wanted)
        except (GateError, LedgerError) as error:
            self.rounds.trouble(error)
            return [Answer("failed", 0, str(error)[: wire.NOTE])] * len(wanted)
        self.rounds.settled()
        for found, answer in zip(wanted, answers, strict=True):
            what = answer.what if answer.what in self.counts else "refused"
            self.counts[what] += 1
            order = found.order
            if answer.what in ("denied", "watched"):
                self.lines.say(
                    "drop", logging.INFO, "%s net=%s for=%.0fs why=%s clients=%d attempts=%d number=%d",
                    "drop" if answer.what == "denied" else "would-drop",
                    Target(order.network, order.bits), (order.until or 0.0) - time.time(), order.rule, order.clients,
                    order.attempts, answer.number,
                )  # fmt: skip
            elif answer.what not in ("same", "over"):
                self.lines.say("refuse", logging.INFO, "refuse net=%s what=%s", Target(order.network, order.bits), answer.what)
        return answers

    def _alarm(self, report: wire.Report) -> None:
        if report.kind == "leak" and self.hints.take():  # somebody who is denied is seen in the logs: look at the firewall
            self.rounds.hint()
        at = min(report.at, self.warden.now())  # one from the future would be the last to be forgotten
        try:
            ledger = self.warden.ledger
            if ledger.alarmed(report.kind, report.text, at):
                return
            if not self.alarms.take():
                self.lines.unsaid["alarm"] += 1
                return
            ledger.alarm(report.kind, report.text, at)
        except LedgerError as error:
            self.rounds.trouble(error)
            return
        self.counts["alarms"] += 1
        self.lines.say(
            "alarm", logging.WARNING, "alarm kind=%s", report.kind
        )  # its words may name a user: they stand in the ledger

    # ---- by the clock

    def _now_and_then(self, poll: select.poll) -> None:
        now = time.monotonic()
        if self.reloading:
            self.reloading = False
            self.rounds.reload()
        if self.warden.mirror_due:
            try:
                self.warden.mirror()
            except (GateError, LedgerError) as error:
                self.warden.mirror_due = False
                self.rounds.trouble(error)
            self.rounds.settled()
        if now >= self.rounds.next:
            self.rounds.apply("time")
            self.lines.sum_up()
        elif now - self.checked >= 1.0:
            self.checked = now
            self._stay_reachable(poll)
            self.rounds.look()
            for fd in [fd for fd, peer in self.peers.items() if not peer.greeted and now - peer.since > SILENT]:
                self._dismiss(fd, poll, "said nothing")
            for part in self._news():
                for fd, peer in list(self.peers.items()):
                    if peer.greeted and not peer.send(part):
                        self._dismiss(fd, poll, "does not read its news")
        for warning in dict.fromkeys(self.warden.warnings):
            log.warning("warning text=%r", warning)
        self.warden.warnings.clear()
        said = f"{self.rounds.mode.name}; {self.counts['denied']} denied, {self.counts['watched']} watched since the start"
        self.notify.alive(self.rounds.broken or said)

    def _stay_reachable(self, poll: select.poll) -> None:
        """The socket is made anew where somebody took it away: `rm -r /run/monzen` is soon typed."""
        if self.door.intact:
            return
        try:
            self._shut(poll)
            self.door.open()
            log.warning("socket made anew path=%s", self.door.path)
        except GateError as error:
            self.rounds.trouble(error)

    def _shut(self, poll: select.poll) -> None:
        with contextlib.suppress(KeyError, ValueError, OSError):
            poll.unregister(self.door)
        self.door.close()

    # ---- what the peers are told

    def _news(self, *, whole: bool = False) -> list[dict[str, Any]]:
        """What `run` must know: the mode, whom the gate will refuse, who was released. Nothing where nothing is new."""
        try:
            wards = self.warden.wards()
            last = self.warden.ledger.last_release()
            shield = sorted({(cut(w.network, w.bits), w.bits) for w in wards.all if w.why not in ("reserved", "private")})
            now = (self.rounds.mode.name, tuple(shield), last)
            if now == self.told and not whole:
                return []
            parts: list[dict[str, Any]] = []
            if whole or now[1] != self.told[1]:
                parts += wire.pieces("shield", [wire.prefix_row(p) for p in shield])
            if whole or last != self.told[2]:
                parts += wire.pieces(
                    "releases", [[*wire.prefix_row((r.network, r.bits)), r.at] for r in self.warden.ledger.releases()]
                )
            if not whole:  # the others must hear it, too
                self.told = now
            return [*parts, self._state()]
        except (GateError, LedgerError) as error:
            self.rounds.trouble(error)
            return [self._state()] if whole else []

    def _state(self) -> dict[str, Any]:
        """What ends each piece of news."""
        return {"monzen": wire.PROTOCOL, "mode": self.rounds.mode.name, "private": self.warden.config.private}

    def status(self) -> dict[str, Any]:
        """What `monzen status` is told."""
        return {
            "started": self.started,
            "pid": os.getpid(),
            "mode": self.rounds.mode.name,
            "firewall": self.rounds.firewall(),
            "applied": self.rounds.applied or None,
            "trouble": self.rounds.broken,
            "peers": sum(1 for p in self.peers.values() if p.greeted),
            **self.counts,
        }
