"""Where metrics are served: an address and a port, or a Unix socket; and listening there."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
import stat
from typing import Final, NamedTuple

from monzen.metrics import MetricsError
from monzen.show.text import safe
from monzen.show.words import _

DEFAULT: Final = "127.0.0.1:9797"
INET = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9.]{7,15}):(\d{1,5})", re.ASCII).fullmatch
BACKLOG: Final = 64
LONGEST: Final = 107  # bytes of a path. Source: unix(7), sun_path


class Place(NamedTuple):
    """An address with its port, or a path (then the port is 0)."""

    name: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return "unix:" + self.name
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"

    @property
    def near(self) -> bool:
        """Whether only this machine reaches it."""
        return not self.port or ipaddress.ip_address(self.name).is_loopback


def place_of(text: str) -> Place | None:
    """`127.0.0.1:9797`, `[::1]:9797`, `unix:/run/x.sock`; None for anything else. Names are not resolved."""
    if text.startswith("unix:/") and len(os.fsencode(text)) - 5 <= LONGEST and "\0" not in text:
        return Place(text[5:], 0)
    found = INET(text)
    if found is None or not 0 < int(found[2]) < 65536:
        return None
    try:
        return Place(str(ipaddress.ip_address(found[1].strip("[]"))), int(found[2]))
    except ValueError:
        return None


def listen(place: Place) -> socket.socket:
    """A socket that listens there and never waits. Raises MetricsError."""
    try:
        if not place.port:
            return _listen_unix(place.name)
        six = ":" in place.name
        door = socket.socket(
            socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            door.bind((place.name, place.port))
            door.listen(BACKLOG)
        except OSError:
            door.close()
            raise
        return door
    except OSError as error:
        raise _refused(place, error) from None


def _listen_unix(path: str) -> socket.socket:
    """At a path, also in the place of a socket of ours that nobody serves any more. The group may connect, others not."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        with contextlib.suppress(FileNotFoundError):
            found = os.lstat(path)
            if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid() and not answered(path):
                os.unlink(path)
        old = os.umask(0o117)
        try:
            door.bind(path)
        finally:
            os.umask(old)
        door.listen(BACKLOG)
    except OSError:
        door.close()
        raise
    return door


def answered(path: str) -> bool:
    """Whether somebody serves a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as link:
        return link.connect_ex(path) != errno.ECONNREFUSED  # full is served, too


def _refused(place: Place, error: OSError) -> MetricsError:
    """What the operating system said, in a sentence."""
    where = safe(str(place))
    if error.errno == errno.EADDRINUSE:
        said = _("cannot listen at {where}: another program does, or a file is there. Name another: --listen 127.0.0.1:9798")
        return MetricsError(said.format(where=where))
    if error.errno == errno.EADDRNOTAVAIL:
        return MetricsError(_("cannot listen at {where}: this machine has no such address. See: ip address").format(where=where))
    said = _("cannot listen at {where}: {detail}. Name another place, or run as root")
    return MetricsError(said.format(where=where, detail=_(error.strerror or str(error))))
