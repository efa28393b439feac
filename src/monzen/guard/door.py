"""The gate's socket: in a folder that only root writes, for `run` and nobody else, and made anew where somebody took it away."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import Final

from monzen.gate.target import GateError
from monzen.show.command import remedy
from monzen.show.words import _

BACKLOG: Final = 64


class Door:
    """The listening socket at `path`; members of `group` (-1: nobody) may connect beside root."""

    def __init__(self, path: str, group: int) -> None:
        self.path, self.group = path, group
        self._listener: socket.socket | None = None
        self._bound: tuple[int, int] | None = None  # device and inode of our socket

    def open(self) -> None:
        """Listen. Raises GateError."""
        folder = os.path.dirname(self.path)
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder, mode=0o750)
                os.chown(folder, -1, self.group)
                os.chmod(folder, 0o750)
            found = os.lstat(folder)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
                said = _(
                    "{path} may be written by others, so no socket is made there. Mend it: chown root {path}; chmod go-w {path}"
                )
                raise GateError(said.format(path=folder))
            if not self._admits(found):  # made by another verb, with a umask that lets nobody in
                os.chown(folder, -1, self.group)
                os.chmod(folder, 0o750)
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.lstat(self.path).st_mode) and self._answered():
                    raise GateError(_("another monzen gate serve is at work: it answers at {path}").format(path=self.path))
                os.unlink(self.path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            old = os.umask(0o177)
            try:
                listener.bind(self.path)
            finally:
                os.umask(old)
            if self.group >= 0:
                os.chown(self.path, -1, self.group)
                os.chmod(self.path, 0o660)
            listener.listen(BACKLOG)
        except OSError as error:
            said = _("cannot make the socket {path}: {detail}. {remedy}")
            detail = _(error.strerror or str(error))
            raise GateError(said.format(path=self.path, detail=detail, remedy=remedy())) from None
        self._listener, self._bound = listener, self._at_path()

    def close(self) -> None:
        """Nobody new comes; the socket goes, if it is ours."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        with contextlib.suppress(OSError):
            if self._at_path() == self._bound:
                os.unlink(self.path)

    def fileno(self) -> int:
        """To wait for; -1 where it is closed."""
        return self._listener.fileno() if self._listener is not None else -1

    def accept(self) -> socket.socket | None:
        """Somebody who waits; None where nobody does."""
        if self._listener is None:
            return None
        try:
            return self._listener.accept()[0]
        except OSError:
            return None

    @property
    def intact(self) -> bool:
        """Whether who connects at the path comes to us."""
        return self._listener is not None and self._at_path() == self._bound

    def _admits(self, found: os.stat_result) -> bool:
        """Whether our group may go through this folder."""
        return bool(self.group < 0 or found.st_mode & 0o001 or (found.st_gid == self.group and found.st_mode & 0o010))

    def _at_path(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _answered(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as other:
            try:
                other.connect(self.path)
            except OSError:
                return False
            return True
