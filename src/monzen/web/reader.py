"""Who the half of `monzen serve` without rights is: a user of its own, whom nobody else is and who owns nothing."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import random
from typing import Final

from monzen.lock import held
from monzen.services import GROUPS

FIRST, LAST = 61_184, 65_519  # systemd's range for users that come and go (systemd.exec(5), DynamicUser=; uids-gids.md)
LOCK: Final = "run/monzen/reader.lock"  # root's alone: nobody else can hold it and keep us waiting
PATIENCE: Final = 30.0  # seconds; whoever holds it looks through /proc once
TAKEN: Final = "run/systemd/dynamic-uid"  # a file for each that systemd has given away, where no NSS module tells of them


def become_reader() -> int:
    """From here on this process is a user that nobody else is, in the groups that read logs, for good. Which one.

    Raises OSError, and is nobody else then: where there is no such user left (EAGAIN), or where a container has none.
    One at a time: the next one to choose finds this process, and so its user, among those that run.
    """
    path = os.path.join("/", LOCK)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    try:
        with held(path, PATIENCE):
            number = free()
            os.setgroups(groups())
            os.setresgid(number, number, number)
            os.setresuid(number, number, number)
            return number
    except TimeoutError:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None


def groups() -> list[int]:
    """Those that read logs, as far as there are such."""
    found = []
    for name in GROUPS:
        with contextlib.suppress(KeyError):
            found.append(grp.getgrnam(name).gr_gid)
    return found


def free(root: str = "/") -> int:
    """A uid that is nobody's, and nobody's group: no account, no running process and none of systemd's. Raises OSError."""
    taken = _running(root)
    with contextlib.suppress(OSError):
        taken |= {int(name) for name in os.listdir(os.path.join(root, TAKEN)) if name.isascii() and name.isdigit()}
    for number in random.SystemRandom().sample(range(FIRST, LAST + 1), LAST + 1 - FIRST):
        if number not in taken and not _known(number):
            return number
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _known(number: int) -> bool:
    """Whether there is an account or a group of this number."""
    for ask in (pwd.getpwuid, grp.getgrgid):
        with contextlib.suppress(KeyError):
            ask(number)
            return True
    return False


def _running(root: str) -> set[int]:
    """All users and groups that a process is, in whatever way (proc(5), status: real, effective, saved, of files; and groups)."""
    found: set[int] = set()
    proc = os.path.join(root, "proc")
    for name in os.listdir(proc):
        if name.isascii() and name.isdigit():
            with contextlib.suppress(OSError), open(os.path.join(proc, name, "status"), "rb") as file:
                for line in file:
                    if line.startswith((b"Uid:", b"Gid:", b"Groups:")):
                        found.update(map(int, line.split()[1:]))
    return found
