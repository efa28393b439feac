"""A server that refuses everybody is ill: many users fail at once and nobody succeeds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

AT_ONCE: Final = 120.0  # seconds within which users fail together
LONGEST: Final = 7200.0  # seconds an outage may last that only users' failures tell
HEADS: Final = 1024  # heads of which the host is remembered: a server has a few hundred processes at a time
LONGEST_HEAD: Final = 200  # bytes: a longer one is cut each time
AFTER: Final = 600.0  # seconds without a success after which an outage is taken to go on no longer


class Server:
    """One server's users that failed since anybody succeeded there."""

    __slots__ = ("began", "down", "failed")

    def __init__(self) -> None:
        self.failed: OrderedDict[bytes, float] = OrderedDict()
        self.down = 0.0  # until when it is taken to be ill
        self.began = 0.0


def server_of(head: bytes) -> bytes:
    """The host of ` host program[pid]`."""
    parts = head.split(None, 1)
    return parts[0] if parts else b""


class Outages:
    """All servers."""

    def __init__(self) -> None:
        self.servers: dict[bytes, Server] = {}
        self.hosts: dict[bytes, bytes] = {}  # by head
        self.last = 0.0  # until when any server is taken to be ill

    def _host(self, head: bytes) -> bytes:
        """The host of a head, as server_of."""
        host = self.hosts.get(head)
        if host is None:
            host = server_of(head)
            if len(self.hosts) >= HEADS:
                self.hosts.clear()
            if len(head) <= LONGEST_HEAD:
                self.hosts[head] = host
        return host

    def failed(self, head: bytes, key: bytes, now: float, clients: int) -> bool:
        """A user failed; whether the server is ill since now."""
        name = self._host(head)
        server = self.servers.get(name)
        if server is None:
            if len(self.servers) >= 1000:
                del self.servers[next(iter(self.servers))]
            server = self.servers[name] = Server()
        failed = server.failed
        if key in failed:
            del failed[key]
        failed[key] = now
        while failed:
            oldest = next(iter(failed))
            if failed[oldest] >= now - AT_ONCE:
                break
            del failed[oldest]
        if len(failed) >= clients:
            fresh = server.down < now
            if fresh:
                server.began = now
            elif now - server.began > LONGEST:  # nobody is ill for so long without being told: it may be played
                return False
            server.down = self.last = now + AFTER
            return fresh
        return False

    def down(self, head: bytes, now: float) -> bool:
        """Whether a server is ill."""
        if self.last < now:
            return False
        server = self.servers.get(self._host(head))
        return server is not None and server.down >= now

    def succeeded(self, head: bytes) -> None:
        """Somebody got in: it is well."""
        if self.servers:
            server = self.servers.get(self._host(head))
            if server is not None and server.failed:
                server.failed.clear()
                server.down = 0.0
