"""Whether the gate denies: watch-only, armed, paused, or open in a panic. One small file that root alone writes.

Not in the ledger: it must be readable, and `panic` writable, when the ledger is not.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from typing import Final, NamedTuple

PATH: Final = "var/lib/monzen/mode"
OPENED: Final = "run/monzen/opened"  # the table is away because the gate was opened: nobody else took it away
MODES: Final = ("watch", "armed", "paused", "panic")
LONGEST: Final = 4096  # bytes read of it


class Mode(NamedTuple):
    """`watch`: what the guard finds is written down, and nobody is denied by it. `armed`: it is denied. `paused`, `panic`: nobody
    is denied, whoever said so; a pause ends by itself at `until` (epoch seconds), and then `before` holds again."""

    name: str = "watch"
    until: float | None = None
    since: float = 0.0
    actor: str = ""
    before: str = "watch"
    sound: bool = True  # False: the file is there and says no mode

    def at(self, now: float) -> Mode:
        """What holds at this time."""
        if self.name == "paused" and self.until is not None and now >= self.until:
            return Mode(self.before, None, self.until, self.actor, self.before)
        return self

    @property
    def open(self) -> bool:
        """Whether nobody is denied at all."""
        return self.name in ("paused", "panic")


def read_mode(root: str = "/") -> Mode:
    """The mode as the file has it; watch-only where there is none. Errors: none.

    A file that cannot be read, that others could write or that says no mode is told of (`sound`): what was open then
    stays open, for opening is what somebody asked for, else it is watch-only.
    """
    try:
        descriptor = os.open(os.path.join(root, PATH), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Mode()
    except OSError:
        return _unsound(root)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            return _unsound(root)
        value = json.loads(os.read(descriptor, LONGEST))
        name, until, since, before = value["mode"], value.get("until"), value.get("since", 0.0), value.get("before", "watch")
        numbers = isinstance(since, int | float) and isinstance(until, int | float | None)
        if name not in MODES or before not in MODES or not numbers:
            return _unsound(root)
        return Mode(name, until, since, str(value.get("actor", ""))[:64], before)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return _unsound(root)
    finally:
        os.close(descriptor)


def _unsound(root: str) -> Mode:
    return Mode("panic" if os.path.lexists(os.path.join(root, OPENED)) else "watch", sound=False)


def write_mode(mode: Mode, root: str = "/") -> None:
    """Write it, whole or not at all. Raises OSError."""
    path = os.path.join(root, PATH)
    os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    new = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(descriptor, 0o644)
            _put(descriptor, mode)
        finally:
            os.close(descriptor)
        os.replace(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def overwrite_mode(mode: Mode, root: str = "/") -> None:
    """Write it where the old one stands, which needs no room on a full disk. Raises OSError, also where there is no old one.

    Killed in the middle, the file is no mode: watch-only, in which what the ledger holds is denied. For a panic only.
    """
    descriptor = os.open(os.path.join(root, PATH), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, _put(descriptor, mode))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mark_opened(root: str = "/") -> None:
    """Remember that it was us who took the table away: whoever restores it need not look for somebody else. Errors: none."""
    path = os.path.join(root, OPENED)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def unmark_opened(root: str = "/") -> bool:
    """Whether that was remembered; from now on it is not. Errors: none."""
    try:
        os.unlink(os.path.join(root, OPENED))
    except OSError:
        return False
    return True


def _put(descriptor: int, mode: Mode) -> int:
    """The text into the file, and onto the disk; returns its length."""
    value = {"mode": mode.name, "until": mode.until, "since": mode.since, "actor": mode.actor, "before": mode.before}
    text = json.dumps(value).encode() + b"\n"
    if os.write(descriptor, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)
    return len(text)
