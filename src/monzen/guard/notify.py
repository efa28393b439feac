"""What a service tells systemd: that it is ready, that it lives, what it does. Source: sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time


class Notify:
    """Speaks to $NOTIFY_SOCKET; where there is none, to nobody. Errors: none, it is never worth stopping for."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self.address = "\0" + address[1:] if address.startswith("@") else address
        usec = os.environ.get("WATCHDOG_USEC", "")
        self.every = int(usec) / 2e6 if usec.isdigit() and self.address else 0.0  # seconds between signs of life; 0: none wanted
        self.last = 0.0
        self.status = ""

    def say(self, *words: str) -> None:
        """Send `READY=1` and the like."""
        if not self.address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as to:
                to.sendto("\n".join(words).encode(), self.address)
        except OSError:
            return

    def alive(self, status: str = "") -> None:
        """A sign of life, when one is due, and what is going on, when that changed."""
        now = time.monotonic()
        words = []
        if self.every and now - self.last >= self.every:
            self.last = now
            words.append("WATCHDOG=1")
        if status and status != self.status:
            self.status = status
            words.append("STATUS=" + status)
        if words:
            self.say(*words)
