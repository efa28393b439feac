"""A small HTTP server for one page, /metrics: one loop, no threads, nothing that a client can make large, many or long.

The library's own server starts a thread for each client and waits for it as long as it likes (prometheus_client 0.26,
exposition.py, start_wsgi_server).
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

from monzen.metrics.address import Place, listen

PATH: Final = b"/metrics"
CONNECTIONS: Final = 32  # at once; a Prometheus has one. One more sends away who has waited longest
REQUEST: Final = 8_192  # bytes of a request with its headers; Prometheus sends some 300
SECONDS: Final = 5.0  # for a request, and again for its answer: Prometheus itself gives up after 10 (scrape_timeout)
TURN: Final = 32  # connections taken at a time
REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]{0,2000}) HTTP/1\.[01]").fullmatch
ACCEPT = re.compile(rb"\r\n[Aa][Cc][Cc][Ee][Pp][Tt]:[ \t]*([ -~]{0,1000})")
REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
}

Expose = Callable[[str], tuple[bytes, str]]  # what is accepted: the page, and its content type


class Client:
    """A connection: what came of its request, or what is left of its answer; `end` is when it must be done (monotonic)."""

    __slots__ = ("answer", "end", "link", "request")

    def __init__(self, link: socket.socket, end: float) -> None:
        self.link, self.end = link, end
        self.request, self.answer = b"", memoryview(b"")


class Server:
    """Serves `expose` at a place until SIGTERM or SIGINT. Raises MetricsError where it cannot listen there."""

    def __init__(self, place: Place, expose: Expose) -> None:
        self.place, self.expose = place, expose
        self.clients: dict[int, Client] = {}
        self.stopping = False
        self.door = listen(place)
        self.made = None if place.port else inode(place.name)

    def run(self, ready: Callable[[], None] = lambda: None) -> int:
        """The loop; `ready` is called when it begins. Returns the exit status."""
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            ready()
            while not self.stopping:
                self._turn(reading)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            os.close(reading)
            os.close(writing)
            self._close()
        return 0

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def _close(self) -> None:
        for fd in list(self.clients):
            self._dismiss(fd)
        self.door.close()
        if self.made is not None and inode(self.place.name) == self.made:  # not one that somebody else put there
            os.unlink(self.place.name)

    def _turn(self, wakeup: int) -> None:
        """Wait for something, and do it."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        poll.register(self.door, select.POLLIN)
        for fd, client in self.clients.items():
            poll.register(fd, select.POLLOUT if client.answer else select.POLLIN)
        end = min((client.end for client in self.clients.values()), default=None)
        for fd, _events in poll.poll(None if end is None else max(0.0, end - time.monotonic()) * 1000 + 1):
            if fd == self.door.fileno():
                self._accept()
            elif fd in self.clients:
                self._serve(fd, self.clients[fd])
        now = time.monotonic()
        for fd in [fd for fd, client in self.clients.items() if client.end <= now]:
            self._dismiss(fd)

    def _accept(self) -> None:
        for _one in range(TURN):
            try:
                link, _address = self.door.accept()
            except OSError:  # none waits, or it went; of too many open files the limit above is far below the usual 1,024
                return
            link.setblocking(False)
            if len(self.clients) >= CONNECTIONS:
                self._dismiss(min(self.clients, key=lambda fd: self.clients[fd].end))
            self.clients[link.fileno()] = Client(link, time.monotonic() + SECONDS)

    def _dismiss(self, fd: int) -> None:
        self.clients.pop(fd).link.close()

    def _serve(self, fd: int, client: Client) -> None:
        try:
            if client.answer:
                client.answer = client.answer[client.link.send(client.answer) :]
                if not client.answer:
                    self._dismiss(fd)
                return
            data = client.link.recv(REQUEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._dismiss(fd)
            return
        client.request += data
        head, whole, _body = client.request.partition(b"\r\n\r\n")
        if whole or len(client.request) > REQUEST:
            client.answer = memoryview(self.answer(head) if whole and len(head) <= REQUEST else page(431))
            client.request, client.end = b"", time.monotonic() + SECONDS

    def answer(self, head: bytes) -> bytes:
        """The answer to a request with these headers."""
        line = REQUEST_LINE(head.partition(b"\r\n")[0])
        if line is None:
            return page(400)
        if line[2].partition(b"?")[0] != PATH:
            return page(404)
        if line[1] not in (b"GET", b"HEAD"):
            return page(405, more="Allow: GET, HEAD\r\n")
        accepted = b",".join(ACCEPT.findall(b"\r\n" + head.partition(b"\r\n")[2]))
        body, content_type = self.expose(accepted.decode("ascii"))
        return page(200, body, content_type, head=line[1] == b"HEAD")


def inode(path: str) -> tuple[int, int] | None:
    """Which file stands there."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def page(
    status: int, body: bytes | None = None, content_type: str = "text/plain; charset=utf-8", *, more: str = "", head: bool = False
) -> bytes:
    """An answer, whole."""
    reason = REASONS[status]
    text = body if body is not None else f"{status} {reason}. The metrics are at /metrics\n".encode()
    words = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(text)}\r\n"
    return f"{words}{more}Connection: close\r\n\r\n".encode("ascii") + (b"" if head else text)
