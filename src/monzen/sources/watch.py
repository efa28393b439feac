"""inotify: to be woken when a log is written, and when another takes its place. Source: inotify(7), linux/inotify.h.

Three calls of the C library by ctypes: the bindings that are kept are not in Debian, and the daemon shall need nothing beside it.
Where the kernel gives none (too many watches, a container) nothing is woken, and the loop looks each second anyway.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final

MODIFY, ATTRIB, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
FILE: Final = MODIFY | ATTRIB | DELETE_SELF | MOVE_SELF
FOLDER: Final = MOVED_FROM | MOVED_TO | CREATE | DELETE
IGNORED: Final = 0x8000  # what we watch no longer
ROUNDS: Final = 8  # of events before somebody reads what they are about
ROOM: Final = 1 << 16  # bytes of events read at once
EVENT: Final = struct.Struct("=iIII")  # watch, mask, cookie, bytes of the name behind it


class Watch:
    """Files and folders that are watched. `fileno` is readable when anything happened to any of them."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._c = ctypes.CDLL(None, use_errno=True)
        self._fd = -1
        with contextlib.suppress(AttributeError):
            self._fd = self._c.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watched: dict[tuple[str, int, int], int] = {}
        self._paths: list[str] = []
        self.update(paths)

    def fileno(self) -> int | None:
        """To wait for; None where there is no inotify."""
        return self._fd if self._fd >= 0 else None

    def update(self, paths: Iterable[str]) -> None:
        """Watch these and no others: what has become another file is watched anew."""
        if self._fd < 0:
            return
        self._paths = list(dict.fromkeys(paths))
        wanted: dict[tuple[str, int, int], int] = {}
        for path in self._paths:
            try:
                found = os.stat(path)
            except OSError:
                continue
            key = (path, found.st_dev, found.st_ino)
            number = self._watched.get(key)
            if number is None:
                mask = FOLDER if os.path.isdir(path) else FILE
                number = self._c.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask))
            if number is not None and number >= 0:
                wanted[key] = number
        for number in set(self._watched.values()) - set(wanted.values()):
            self._c.inotify_rm_watch(self._fd, number)
        self._watched = wanted

    def drain(self) -> bool:
        """Forget what happened; whether anything did. Where names changed, what stands under them now is watched."""
        if self._fd < 0:
            return False
        happened = False
        for _ in range(ROUNDS):
            try:
                data = os.read(self._fd, ROOM)
            except OSError:
                break
            at, moved = 0, False
            while at < len(data):
                _number, mask, _cookie, name = EVENT.unpack_from(data, at)
                at += EVENT.size + name
                happened = happened or mask != IGNORED
                moved = moved or bool(mask & ~(MODIFY | IGNORED))
            if moved:
                self.update(self._paths)
        return happened

    def close(self) -> None:
        """Watch nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
