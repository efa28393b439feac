"""Where the ledger may stand: a folder and a file that only their owner writes, with no link on the way that others can turn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from monzen.ledger.records import LedgerError
from monzen.show.command import remedy
from monzen.show.text import safe
from monzen.show.words import _

LEDGER: Final = "var/lib/monzen/ledger.db"  # below /, or what stands for it
SUFFIXES: Final = ("", "-wal", "-shm")  # the file, SQLite's log and the index of that
LINKS: Final = 40  # that are followed, as the kernel does (path_resolution(7))


def check_place(path: str, *, make: bool) -> bool:
    """Whether there is a file at `path`; `make`: its folder is made where it is missing. LedgerError where the place is not safe.

    Nothing privileged opens a file in a folder that somebody else can write: he would put a link there, or another file. The
    file is only looked at (lstat), never opened here: to close it would take SQLite's locks away (fcntl(2), F_SETLK).
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        if make:
            _make(folder)
        check_folder(folder)
        for suffix in SUFFIXES:
            try:
                found = os.lstat(path + suffix)
            except FileNotFoundError:
                continue
            others = found.st_mode & 0o002 or (found.st_mode & 0o020 and found.st_gid not in _groups())
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in _owners() or others:
                raise LedgerError(
                    _("{path} is a link, no plain file, or may be written by others, so it is not used. Move it away").format(
                        path=safe(path + suffix)
                    )
                )
        return os.path.lexists(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not make:
            return False  # nor its folder
        raise refused(path, error) from None


def check_folder(folder: str) -> None:
    """Every folder on the way belongs to root or to us and is written by nobody else; the last is no link. Raises LedgerError.

    A sticky folder such as /tmp may be on the way: what is ours in it, nobody else can replace.
    """
    rest = folder.strip("/").split("/")
    at, links = "/", 0
    while True:
        found = os.lstat(at)
        sticky = bool(found.st_mode & stat.S_ISVTX and rest)
        written = found.st_mode & 0o002 or (found.st_mode & 0o020 and found.st_gid not in _groups())
        link = stat.S_ISLNK(found.st_mode)
        if found.st_uid not in _owners() or (written and not sticky and not link) or (link and (not rest or links >= LINKS)):
            raise LedgerError(
                _(
                    "{path} may be written by others, or is a link, so no ledger is kept there. Mend it: chown root {path}; "
                    "chmod go-w {path}"
                ).format(path=safe(at))
            )
        if link:  # of a safe folder and root's own, as /var/run is
            links += 1
            at = os.path.join(os.path.dirname(at), os.readlink(at))
            rest = [*os.path.normpath(at).strip("/").split("/"), *rest]
            at = "/"
        elif not rest:
            return
        at = os.path.join(at, rest.pop(0))


@contextmanager
def only_one(path: str) -> Iterator[None]:
    """Nobody else makes or replaces the file at `path` meanwhile. Raises OSError. The lock ends with the process, too."""
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def _make(folder: str) -> None:
    """The folder, for us and our group alone, and those above it where they are missing. Whatever the umask is."""
    missing = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    while missing:
        name = missing.pop()
        with contextlib.suppress(FileExistsError):  # somebody else makes it too
            os.mkdir(name, 0o755 if missing else 0o750)


def refused(path: str, error: OSError) -> LedgerError:
    """What the operating system said, in a sentence."""
    detail = _(error.strerror or str(error))
    return LedgerError(_("cannot open {path}: {detail}. {remedy}").format(path=safe(path), detail=detail, remedy=remedy()))


def _owners() -> tuple[int, ...]:
    return 0, os.geteuid()


def _groups() -> tuple[int, ...]:
    """Whose right to write is nobody else's: root's group, and the own one of who is not root (its umask is often 002)."""
    return (0,) if os.geteuid() == 0 else (0, os.getegid())
