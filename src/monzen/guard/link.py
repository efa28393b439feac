"""`monzen run`'s end of the socket: orders go out, newest first; what the gate says comes in. It never waits."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any, Final

from monzen.guard import wire
from monzen.guard.wire import WireError

AGAIN: Final = 1.0  # seconds between two attempts to reach the gate
MOST: Final = 2  # messages on their way at once: the next is chosen when it is known what became of the one before


class News:
    """What the gate said since it was asked last."""

    __slots__ = ("answers", "mode", "releases", "shield")

    def __init__(self) -> None:
        self.mode: str | None = None  # None: nothing new
        self.shield: tuple[list[list[Any]], bool] | None = None  # networks, and whether private ones may be denied
        self.releases: list[list[Any]] = []
        self.answers: list[tuple[int, list[list[Any]]]] = []


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
        self._shield: list[list[Any]] = []
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
        """All that came."""
        news = News()
        while self.socket is not None:
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
            except (WireError, KeyError, TypeError, ValueError, IndexError) as error:
                self.lose(f"the gate says what nobody understands: {error}")
        return news

    def _take(self, message: dict[str, Any], news: News) -> None:
        if "answers" in message:
            self.on_way.discard(message["id"])
            news.answers.append((message["id"], message["answers"]))
        elif "shield" in message:
            if self._shielded:
                self._shield, self._shielded = [], False
            self._shield += message["shield"]
            self._shielded = not message["more"]
        elif "releases" in message:
            news.releases += message["releases"]
        elif "mode" in message:
            if message["monzen"] != wire.PROTOCOL:
                raise WireError(f"protocol {message['monzen']}; this is {wire.PROTOCOL}")
            if not self.ready:
                self.ready, self.since, self.error = True, time.time(), ""
            self.mode = news.mode = message["mode"]
            if self._shielded:
                news.shield = (self._shield, bool(message["private"]))
