"""Another program's SQLite file, opened so that nothing is written to it, and nothing in it is run."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from monzen.imports.found import ListError
from monzen.show.text import safe
from monzen.show.words import _

MAGIC: Final = b"SQLite format 3\0"
PATIENCE: Final = 5.0  # seconds to wait for its writer
LONGEST: Final = 60.0  # seconds that reading may take: a million rows take 3
CELL: Final = 16 << 20  # bytes of one value
STEPS: Final = 100_000  # of SQLite's machine between two looks at the clock: a few milliseconds


@contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """The file to read. Raises ListError, also for what goes wrong while it is read.

    It is read beside its writer; a file in WAL mode whose writer is gone is read as it stands (`immutable`), because SQLite
    would make files beside it.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(100)
        quiet = head[18:20] == b"\2\2" and not os.path.exists(path + "-wal")  # file format versions: 2 is WAL
        where = "file:" + quote(os.path.abspath(path)) + "?mode=ro" + ("&immutable=1" if quiet else "")
        database = sqlite3.connect(where, uri=True, timeout=PATIENCE, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _refused(path, error) from None
    end = time.monotonic() + LONGEST
    try:
        database.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, CELL)
        database.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        database.execute("PRAGMA cell_size_check = ON")
        yield database
    except (sqlite3.Error, MemoryError) as error:
        raise _refused(path, error) from None
    finally:
        database.close()


def tables(database: sqlite3.Connection) -> set[str]:
    """The names of its plain tables: no views, no virtual tables."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' LIMIT 1000"
    return {row[0] for row in database.execute(query) if isinstance(row[0], str)}


def _refused(path: str, error: Exception) -> ListError:
    """What SQLite or the operating system said, in a sentence."""
    said = _("cannot read the database {path}: {detail}. Check who may read it; if it is damaged, a copy of it may be whole")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        said = _("the database {path} is being written: {detail}. Try again, or make a copy of it and read that")
    if code == sqlite3.SQLITE_INTERRUPT:
        said = _("reading the database {path} took longer than a minute, so nothing was taken from it ({detail}). Check the file")
    detail = _(error.strerror) if isinstance(error, OSError) and error.strerror else str(error)
    return ListError(said.format(path=safe(path), detail=safe(detail, 120)))
