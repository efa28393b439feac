"""`monzen run`'s end of the socket: orders go out, newest first; what the gate says comes in. It never waits."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any, Final

from monzen.guard import wire
from monzen.guard.wire import WireError
from monzen.judge.shield import Prefix
from monzen.mode import MODES

AGAIN: Final = 1.0  # seconds between two attempts to reach the gate
TURN: Final = 64  # messages of the gate read in one turn: more is no gate
SHIELDED: Final = 200_000  # networks of its shield
MOST: Final = 2  # messages on their way at once: the next is chosen when it is known what became of the one before


class News:
    """What the gate said since it was asked last."""

    __slots__ = ("answers", "mode", "releases", "shield")

    def __init__(self) -> None:
        self.mode: str | None = None  # None: nothing new
        self.shield: tuple[tuple[Prefix, ...], bool] | None = None  # networks, and whether private ones may be denied
        self.releases: list[tuple[bytes, int, float]] = []
        self.answers: list[tuple[int, list[tuple[str, int]]]] = []


class Link:
    """The connection to `monzen gate serve`, made again when it is lost. `ready`: both know who they are."""

    def __init__(self, root: str = "/") -> None:
        self.path = os.path.join(root, wire.SOCKET)
        self.socket: socket.socket | None = None
        self.ready = False
        self.since = 0.0  # epoch seconds
        self.error = "not connected yet"
        self.mode = ""
        self.on_way: set[int] = set()  # numbers of messages that are not answered yet
        self.number = 0
        self._next = 0.0
        self._shield: list[Prefix] = []
        self._shielded = False  # all of it came

    def fileno(self) -> int | None:
        """To wait for."""
        return self.socket.fileno() if self.socket is not None else None

    @property
    def free(self) -> bool:
        """Whether something may be sent now."""
        return self.ready and len(self.on_way) < MOST

    def connect(self, version: str) -> None:
        """Try, where there is no connection and it is time to."""
        now = time.monotonic()
        if self.socket is not None or now < self._next:
            return
        self._next = now + AGAIN
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            link.connect(self.path)
            link.send(wire.packed({"monzen": wire.PROTOCOL, "hello": "run", "version": version}))
        except OSError as error:
            link.close()
            self.error = error.strerror or str(error)
            return
        self.socket = link

    def lose(self, why: str) -> None:
        """The connection is gone."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.close()
        self.socket, self.ready, self.error = None, False, why
        self.on_way.clear()
        self._shield, self._shielded = [], False

    def send(self, what: str, rows: list[list[Any]]) -> int | None:
        """Send rows (`orders`, `alarms`): the number by which they are answered; None where the gate does not take it now."""
        if self.socket is None:
            return None
        self.number += 1
        try:
            self.socket.send(wire.packed({"id": self.number, what: rows}))
        except BlockingIOError:
            return None
        except OSError as error:
            self.lose(error.strerror or str(error))
            return None
        self.on_way.add(self.number)
        return self.number

    def read(self) -> News:
        """What came."""
        news = News()
        for _ in range(TURN):
            if self.socket is None:
                break
            try:
                data = self.socket.recv(wire.MESSAGE)
            except BlockingIOError:
                break
            except OSError as error:
                self.lose(error.strerror or str(error))
                break
            if not data:
                self.lose("the gate closed the connection")
                break
            try:
                self._take(wire.unpacked(data), news)
            except WireError as error:
                self.lose(f"the gate says what nobody understands: {error}")
        return news

    def _take(self, message: dict[str, Any], news: News) -> None:
        if "answers" in message:
            number = message.get("id")
            if type(number) is not int or number not in self.on_way:
                raise WireError("an answer that nobody waits for")
            answers = [wire.answer_of(row) for row in wire.rows_of(message, "answers", wire.ORDERS)]
            self.on_way.discard(number)
            news.answers.append((number, answers))
        elif "shield" in message:
            if self._shielded:
                self._shield, self._shielded = [], False
            self._shield += [wire.prefix(row, 0) for row in wire.rows_of(message, "shield")]
            if len(self._shield) > SHIELDED:
                raise WireError("a shield that is too large")
            self._shielded = message.get("more") is not True
        elif "releases" in message:
            news.releases += [wire.release_of(row) for row in wire.rows_of(message, "releases")]
        elif "mode" in message:
            version, mode = message.get("monzen"), message["mode"]
            if type(version) is not int or version != wire.PROTOCOL:
                raise WireError(f"another protocol than {wire.PROTOCOL}")
            if mode not in MODES:
                raise WireError("no mode")
            if not self.ready:
                self.ready, self.since, self.error = True, time.time(), ""
            self.mode = news.mode = mode
            if self._shielded:
                news.shield = (tuple(self._shield), message.get("private") is True)
