"""Root's files: read and replaced without following links, and only where nobody else can write."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from monzen.gate.target import GateError
from monzen.show.command import remedy
from monzen.show.words import _


def read(path: str) -> bytes:
    """The whole file. Raises GateError where it is a link, or somebody else may write it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _refused(path, error) from None
    with open(descriptor, "rb") as file:
        check(path, os.fstat(file.fileno()))
        return file.read()


def check(path: str, found: os.stat_result) -> None:
    """Only a plain file that root (or we) own and nobody else writes."""
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise GateError(
            _(
                "{path} is no plain file, or others than root may write it: it was left alone. Mend it: chown root; chmod go-w"
            ).format(path=path)
        )


def _check_folder(path: str, found: os.stat_result) -> None:
    """Only a folder in which nobody else can put another file in the place of ours."""
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        said = _("others than root may write in the folder {path}: nothing was written. Mend it: chown root; chmod go-w")
        raise GateError(said.format(path=path))


def replace(path: str, text: bytes) -> None:
    """Put `text` in its place, wholly or not at all; mode and owner are kept. On the disk when it returns.

    One writer at a time: the caller holds a lock. A kill leaves the old file, and at most one beside it: the next removes it.
    """
    folder = os.path.dirname(path)
    try:
        before = os.lstat(path)
        check(path, before)
        _check_folder(folder, os.stat(folder))
        name = os.path.join(folder, f".{os.path.basename(path)}.monzen")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # of one of us that was killed; our lock says that nobody writes it now
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fsync(file.fileno())
            os.rename(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(there)
        finally:
            os.close(there)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: str, error: OSError) -> GateError:
    detail = _(error.strerror or str(error))
    if error.errno in (errno.EPERM, errno.EACCES):
        said = _("cannot use {path}: {detail}. {remedy}")
    elif error.errno == errno.ELOOP:
        said = _("{path} is a symbolic link, so it was left alone. Put the file itself in its place")
    else:
        said = _("cannot use {path}: {detail}. Mend that, and try again")
    return GateError(said.format(path=path, detail=detail, remedy=remedy()), error.errno or 0)
