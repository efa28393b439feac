"""Files that a user names: reached through nobody else's link, and there whole or as they were."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from monzen.show.text import safe
from monzen.show.words import _

LINKS: Final = 40  # that are followed, as the kernel does (path_resolution(7))
STDOUT: Final = "/dev/stdout"  # a link of the system that leads into /proc, to no name
PUBLIC: Final = 0o644
SHOWN: Final = 4000  # letters of a path, of which none may be missing: PATH_MAX is 4096
LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # needs no right to read a folder, and opens a link itself


class WriteError(Exception):
    """A file cannot be written: what failed, why, what to do."""


@contextmanager
def reached(path: str) -> Iterator[Spot]:
    """The place of the file at `path`, its folder held open. Raises WriteError, also for an OSError of what is done with it.

    Of the links on the way only those of root and of who runs this are followed: with any other its owner would choose what root
    replaces. So does the kernel's fs.protected_symlinks, but in sticky folders alone.
    """
    try:
        before, name = os.path.split(path)
        if name in ("", ".", ".."):
            number = errno.EISDIR if path else errno.ENOENT
            raise OSError(number, os.strerror(number))
        folder = _walked(before)
        try:
            yield Spot(path, folder, name)
        finally:
            os.close(folder)
    except OSError as error:
        said = _("cannot write {path}: {detail}. Name another file, or mend that")
        detail = _(error.strerror or str(error))
        raise WriteError(said.format(path=safe(path, SHOWN), detail=detail)) from None


class Spot:
    """A name in a folder; whatever becomes of the path meanwhile, it is that folder."""

    def __init__(self, path: str, folder: int, name: str) -> None:
        self.path, self.folder, self.name = path, folder, name

    def found(self) -> os.stat_result | None:
        """What is there now, if anything. Raises WriteError for a link, whosever it is."""
        try:
            found = os.lstat(self.name, dir_fd=self.folder)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            said = _("{path} is a link of {owner}, so it was left alone. Name the file itself")
            raise WriteError(said.format(path=safe(self.path, SHOWN), owner=_owner(found)))
        return found

    def plain(self) -> os.stat_result | None:
        """The same, where nothing but a plain file will do. Raises WriteError."""
        found = self.found()
        if found is not None and not stat.S_ISREG(found.st_mode):
            said = _("{path} is no plain file, so it was left alone. Name the file itself")
            raise WriteError(said.format(path=safe(self.path, SHOWN)))
        return found

    def read(self) -> bytes:
        """What is in the file. Raises OSError."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(self.name, flags, dir_fd=self.folder), "rb") as file:
            return file.read()

    def pour(self, content: bytes) -> None:
        """Into what is no plain file: a device, or a pipe of root's or ours. Raises OSError."""
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
        if not _pourable(os.lstat(self.name, dir_fd=self.folder)):  # before it is opened: that waits for a reader
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        with open(os.open(self.name, flags, dir_fd=self.folder), "wb") as file:
            if not _pourable(os.fstat(file.fileno())):  # by now
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            file.write(content)

    def replace(self, content: bytes, *, public: bool) -> None:
        """In one step, and on the disk when it returns; a link gives way. Raises OSError; then what was there stands.

        `public`: readable for all; else for us and our group, as far as the umask lets it.
        """
        new = f".monzen-{os.urandom(8).hex()}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(new, flags, 0o600 if public else 0o640, dir_fd=self.folder), "wb") as file:
                file.write(content)
                file.flush()
                if public:
                    os.fchmod(file.fileno(), PUBLIC)
                os.fsync(file.fileno())
            os.rename(new, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=self.folder)
            raise
        with contextlib.suppress(PermissionError):  # a folder that may be written and not read
            there = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder)
            try:
                os.fsync(there)
            finally:
                os.close(there)


def _walked(path: str) -> int:
    """The folder, opened name by name. Raises OSError, and WriteError for a link of somebody else's."""
    rest, at, links = [part for part in path.split("/") if part][::-1], "/" if path.startswith("/") else "", 0
    here = os.open(at or ".", LOOK | os.O_DIRECTORY)
    try:
        while rest:
            name = rest.pop()
            there = os.open(name, LOOK, dir_fd=here)
            try:
                found = os.fstat(there)
                if stat.S_ISLNK(found.st_mode):
                    links += 1
                    to = _led(os.path.join(at, name), found, there, links)
                    rest += [part for part in to.split("/") if part][::-1]
                    if not to.startswith("/"):
                        continue
                    root = os.open("/", LOOK | os.O_DIRECTORY)
                    os.close(there)
                    there, at, name = root, "/", ""
                elif not stat.S_ISDIR(found.st_mode):
                    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                here, there, at = there, here, os.path.join(at, name) if name else at
            finally:
                os.close(there)
    except BaseException:
        os.close(here)
        raise
    return here


def _led(path: str, found: os.stat_result, link: int, links: int) -> str:
    """Where an open link leads. Raises OSError and WriteError."""
    if found.st_uid not in (0, os.geteuid()):
        said = _(
            "{path} is a link of {owner}, who can lead it anywhere, so nothing was written. Name the folder that it stands for"
        )
        raise WriteError(said.format(path=safe(path, SHOWN), owner=_owner(found)))
    if links > LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return os.readlink("", dir_fd=link)


def _pourable(found: os.stat_result) -> bool:
    """Into a pipe of somebody else's the kernel's fs.protected_fifos would not write either."""
    return not stat.S_ISREG(found.st_mode) and (not stat.S_ISFIFO(found.st_mode) or found.st_uid in (0, os.geteuid()))


def _owner(found: os.stat_result) -> str:
    """By name, where there is one."""
    try:
        return safe(pwd.getpwuid(found.st_uid).pw_name, 40)
    except KeyError:
        return str(found.st_uid)
