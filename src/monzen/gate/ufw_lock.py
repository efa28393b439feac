"""ufw's own lock, and who of ufw is at work.

ufw (0.36.2, `create_lock`) opens /run/ufw.lock for writing and waits in lockf. It takes the lock *after* it has read its files
(measured: ten `ufw prepend` at once left one rule of ten), so the lock alone does not keep one that started before us from
writing what it read before us. Who holds a rule to be there afterwards must look again when those are done: `at_work`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from monzen.gate.target import GateError
from monzen.lock import held
from monzen.show.command import remedy
from monzen.show.words import _

LOCK: Final = "run/ufw.lock"
PATIENCE: Final = 30.0  # seconds for the lock: `ufw enable` of thousands of rules takes some
ROOT: Final = 0  # whose `ufw` counts: what others call so cannot write these files, and shall not hold us up
TURN: Final = 0.02  # seconds between two looks: below what one sees, above what costs


@contextmanager
def locked(root: str, patience: float = PATIENCE) -> Iterator[None]:
    """No `ufw` writes in here. Raises GateError where the lock is not to be had."""
    path = os.path.join(root, LOCK)
    with ExitStack() as taken:
        try:
            taken.enter_context(held(path, patience, mode=0o644, take=fcntl.lockf))
        except TimeoutError:
            said = _("ufw's lock has been held for {n:.0f} seconds: nothing was changed. See: ps -C ufw, and try again")
            raise GateError(said.format(n=patience)) from None
        except OSError as error:
            said = _("cannot take ufw's lock {path}: {detail}. {remedy}")
            detail = _(error.strerror or str(error))
            raise GateError(said.format(path=path, detail=detail, remedy=remedy()), error.errno or 0) from None
        yield


def at_work(root: str) -> set[int]:
    """The processes of root's that are `ufw` itself, by their ids: a script that python runs."""
    found: set[int] = set()
    proc = os.path.join(root, "proc")
    for name in os.listdir(proc) if os.path.isdir(proc) else ():
        if not name.isdigit():
            continue
        try:
            with open(os.path.join(proc, name, "cmdline"), "rb") as file:
                words = file.read(4096).split(b"\0")
                owner = os.fstat(file.fileno()).st_uid
        except OSError:
            continue  # it ended
        script = next((word for word in words[1:] if not word.startswith(b"-")), b"")
        if owner == ROOT and os.path.basename(words[0]).startswith(b"python") and os.path.basename(script) == b"ufw":
            found.add(int(name))
    return found


def wait_for(root: str, ids: set[int], patience: float) -> bool:
    """Wait until these have ended. False where one is still there in the end: it asks a person, perhaps."""
    end = time.monotonic() + patience
    while ids & at_work(root):
        if time.monotonic() > end:
            return False
        time.sleep(TURN)
    return True
