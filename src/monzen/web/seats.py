"""Who holds a connection to the page: so many seats, and whoever fills them with strangers loses his own first.

Any user of this machine can reach 127.0.0.1. A stranger is who has not sent the token or its cookie. Where all seats are taken,
the owner (uid) with the most strangers gives up his oldest one; so nobody can keep out another user's browser, and the
tunnel of an admin (ssh -L) is a socket of that admin's own sshd.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import Counter
from typing import Any, Final

SEATS: Final = 64
WAITING: Final = 1_024  # connections that the kernel holds until we come to them: who came first is served first
LATE: Final = 2.0  # seconds in which a client must have asked for something
UNKNOWN: Final = -1  # whose it is cannot be said, or he is gone by now
PROVEN: Final = "monzen.proven"  # in an ASGI scope: it came with the token or its cookie
ESTABLISHED: Final = 1  # linux/tcp_states.h
BY_FAMILY: Final = 20  # linux/sock_diag.h, SOCK_DIAG_BY_FAMILY
REQUEST: Final = 1  # linux/netlink.h, NLM_F_REQUEST
SOCK_DIAG: Final = 4  # linux/netlink.h, NETLINK_SOCK_DIAG
NO_COOKIE: Final = 0xFFFFFFFF


def owner(ours: Any, peer: Any) -> int:  # noqa: ANN401  # socket names, as the socket module has them
    """The uid that holds the other end of a TCP connection within this machine: 6 µs (2026-11, Linux 6.1).

    Errors: none; UNKNOWN where the kernel does not say (no tcp_diag), or where that end is closed already.
    Source: linux/inet_diag.h, inet_diag_req_v2 and inet_diag_msg; asked without a dump it finds one socket in its hash table.
    """
    try:
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        ends = [socket.inet_pton(family, name[0].partition("%")[0]).ljust(16, b"\0") for name in (peer, ours)]
        body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << ESTABLISHED)
        body += struct.pack("!HH", peer[1], ours[1]) + b"".join(ends) + struct.pack("=III", 0, NO_COOKIE, NO_COOKIE)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, SOCK_DIAG) as link:
            link.settimeout(1)  # it answers at once
            link.send(struct.pack("=IHHII", 16 + len(body), BY_FAMILY, REQUEST, 0, 0) + body)
            answer = link.recv(4096)
        kind = struct.unpack_from("=H", answer, 4)[0]
        uid = struct.unpack_from("=I", answer, 16 + 64)[0]
    except (OSError, ValueError, IndexError, TypeError, struct.error):
        return UNKNOWN
    return int(uid) if kind == BY_FAMILY and answer[17] == ESTABLISHED else UNKNOWN


class Seats:
    """Connections in the order in which they came."""

    def __init__(self, most: int = SEATS) -> None:
        self.most = most
        self.taken: dict[Any, int] = {}  # and whose

    def take(self, connection: Any, uid: int) -> Any:  # noqa: ANN401  # a protocol of uvicorn's
        """Sit down. Who has to leave for it: perhaps the same; None: there was room."""
        self.taken[connection] = uid
        if len(self.taken) <= self.most:
            return None
        strangers = {c: whose for c, whose in self.taken.items() if not c.proven}
        counts = Counter(strangers.values())
        # max() takes the first of equals: the oldest of those whose owner has the most
        return max(strangers, key=lambda c: counts[strangers[c]], default=connection)

    def leave(self, connection: Any) -> None:  # noqa: ANN401  # a protocol of uvicorn's
        """Stand up."""
        self.taken.pop(connection, None)


def protocol() -> Any:  # noqa: ANN401  # a class of uvicorn's
    """uvicorn's way of HTTP/1.1, with seats; who asks for nothing is sent away."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    seats = Seats()
    self_uid = os.geteuid()

    class Seated(H11Protocol):
        proven = False  # it has sent the token or its cookie

        def connection_made(self, transport: Any) -> None:  # noqa: ANN401  # as asyncio has it
            super().connection_made(transport)
            ours, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
            leaves = seats.take(self, owner(ours, peer) if isinstance(peer, tuple) else self_uid)
            if leaves is not None:
                seats.leave(leaves)
                leaves.transport.abort()
            self.loop.call_later(LATE, self.late)

        def connection_lost(self, exc: Exception | None) -> None:
            seats.leave(self)
            super().connection_lost(exc)

        def handle_events(self) -> None:
            super().handle_events()
            scope: Any = self.scope  # None before the first request, whatever its type says
            if scope is not None and PROVEN not in scope:
                scope[PROVEN] = self.prove

        def prove(self) -> None:
            self.proven = True

        def late(self) -> None:
            cycle: Any = self.cycle  # None as well
            if cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Seated
