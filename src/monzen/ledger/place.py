"""Where the ledger may stand: a folder and a file that only their owner writes, with no link on the way to the file."""

from __future__ import annotations

import os
import stat

from monzen.ledger.records import LedgerError
from monzen.show.text import safe
from monzen.show.words import _


def check_place(path: str, *, readonly: bool) -> bool:
    """Whether there is a file at `path`; the folder is made where it is missing. Raises LedgerError where it is not safe.

    Nothing privileged opens a file in a folder that somebody else can write: he would put a link there, or another file.
    """
    folder = os.path.dirname(os.path.abspath(path))
    us = os.geteuid()
    if not readonly and not os.path.isdir(folder):
        try:
            os.makedirs(folder, mode=0o750)
        except OSError as error:
            raise LedgerError(_refused(folder, error)) from None
    try:
        if not readonly:
            found = os.lstat(folder)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, us) or found.st_mode & 0o022:
                raise LedgerError(
                    _("{path} may be written by others, or is a link. It must belong to root alone: chown root and chmod go-w").format(
                        path=safe(folder)
                    )
                )
        for suffix in ("", "-wal", "-shm"):
            try:
                found = os.lstat(path + suffix)
            except FileNotFoundError:
                if not suffix and not readonly:  # made by us, readable by us and our group alone, before SQLite opens it
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640))
                elif not suffix:
                    return False
                continue
            if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o002 or (not readonly and found.st_uid not in (0, us)):
                raise LedgerError(
                    _("{path} is a link, no plain file, or may be written by others. Move it away").format(path=safe(path + suffix))
                )
    except OSError as error:
        raise LedgerError(_refused(path, error)) from None
    return True


def _refused(path: str, error: OSError) -> str:
    detail = _(error.strerror or str(error))
    return _("cannot open {path}: {detail}. Run as root").format(path=safe(path), detail=detail)
