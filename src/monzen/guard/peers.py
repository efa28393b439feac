"""Who is connected to the gate, and how much each may ask of it: no peer takes the gate's time, memory or log from the others."""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from typing import Any, Final

from monzen.guard import wire

QUEUE: Final = 512  # messages that wait for a peer that does not read; then it is sent away
WAITING: Final = 4 << 20  # bytes of the same: a greeting with 10,000 releases has 0.7 MB


class Allowance:
    """So much a second on average, and so much at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.left = rate, burst, burst
        self.at = time.monotonic()

    def take(self, count: float = 1.0) -> bool:
        """Whether so much may be had now."""
        if not self.has(count):
            return False
        self.left -= count
        return True

    def has(self, count: float = 1.0) -> bool:
        """The same, without having it."""
        now = time.monotonic()
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        return count <= self.left

    def wait(self, count: float = 1.0) -> float:
        """Seconds until there is so much."""
        return 0.0 if self.has(count) else (count - self.left) / self.rate


class Lines:
    """Lines of the log that a peer can cause, each kind with an allowance: of more, it is said how many there were."""

    def __init__(self, log: logging.Logger, **kinds: tuple[float, float]) -> None:
        self.log = log
        self.kinds = {kind: Allowance(rate, burst) for kind, (rate, burst) in kinds.items()}
        self.unsaid = dict.fromkeys(kinds, 0)

    def say(self, kind: str, level: int, words: str, *values: object) -> None:
        """One line, or one more that is not said."""
        if not self.kinds[kind].take():
            self.unsaid[kind] += 1
            return
        self.log.log(level, words, *values)

    def sum_up(self) -> None:
        """What was not said, in a line for each kind."""
        for kind, count in self.unsaid.items():
            if count:
                self.log.warning("more kind=%s lines=%d", kind, count)
                self.unsaid[kind] = 0


class Peer:
    """One connection: who it is, and what it has not read yet."""

    def __init__(self, connection: socket.socket, uid: int, pid: int) -> None:
        self.connection, self.uid, self.pid = connection, uid, pid
        self.since = time.monotonic()
        self.greeted = False
        self.queue: deque[bytes] = deque()
        self.waiting = 0  # bytes of the queue
        self.pending: dict[str, Any] | None = None  # a message that must wait for its turn
        self.cost = 0  # orders in it

    def send(self, message: dict[str, Any]) -> bool:
        """Send now, or as soon as it reads; False where it reads nothing."""
        data = wire.packed(message)
        self.queue.append(data)
        self.waiting += len(data)
        return self.flush() and len(self.queue) < QUEUE and self.waiting < WAITING

    def flush(self) -> bool:
        """Send what waits."""
        while self.queue:
            try:
                self.connection.send(self.queue[0])
            except BlockingIOError:
                return True
            except OSError:
                return False
            self.waiting -= len(self.queue.popleft())
        return True
