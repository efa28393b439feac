"""One process at a time: a lock on a file, taken with patience."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

TURN: Final = 0.02  # seconds between two looks: below what one sees, above what costs


@contextmanager
def held(path: str, patience: float, *, mode: int = 0o600, take: Callable[[int, int], None] = fcntl.flock) -> Iterator[None]:
    """The lock, while the block runs; `take` is flock or lockf, as others take it. The file is made, its folder is not.

    Raises TimeoutError after `patience` seconds in which somebody else held it, OSError where the file cannot be opened.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        end = time.monotonic() + patience
        while True:
            try:
                take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (BlockingIOError, PermissionError):  # lockf says either (fcntl(2))
                if time.monotonic() > end:
                    raise TimeoutError(path) from None
                time.sleep(TURN)  # flock waits for ever or not at all
        yield
    finally:
        os.close(file)
