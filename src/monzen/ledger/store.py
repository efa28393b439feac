"""The ledger: one file, every change one transaction that is on the disk when the call returns."""

from __future__ import annotations

import os
import sqlite3

from monzen.ledger.allows import Allows
from monzen.ledger.denials import Denials
from monzen.ledger.diary import Diary
from monzen.ledger.file import damaged, make, none_yet, nothing, reading, refusal, sound, writing
from monzen.ledger.place import check_place, refused
from monzen.ledger.thin import Thin


class Ledger(Denials, Allows, Diary, Thin):
    """Raises LedgerError where the file cannot be read or written; a change that raised left nothing behind."""

    @classmethod
    def open(cls, path: str, *, readonly: bool = False) -> Ledger:
        """The ledger at `path`, made where there is none (not `readonly`: then LedgerError says so), brought to our schema.

        A file that was left by a killed process is looked through first. `readonly` makes and writes nothing, beside the file
        neither, repairs nothing, and is for whoever may read the file.
        """
        try:
            if not check_place(path, make=not readonly):
                if readonly:
                    raise none_yet(path)
                make(path)
            if os.lstat(path).st_size == 0:
                raise damaged(path)
            return cls(reading(path) if readonly else writing(path), path)
        except sqlite3.Error as error:
            raise refusal(path, error) from None
        except OSError as error:
            raise refused(path, error) from None
        except (MemoryError, UnicodeDecodeError):  # of a broken length or text
            raise damaged(path) from None

    @classmethod
    def nothing(cls, path: str) -> Ledger:
        """An empty ledger in memory, for who only looks where there is none at `path`: there nothing is made."""
        return cls(nothing(), path)

    def sound(self) -> bool:
        """Whether the whole file can be read: a look through all of it."""
        try:
            return sound(self.db)
        except (sqlite3.Error, MemoryError, UnicodeDecodeError):
            return False
