"""The file beneath: how it is made, opened for writing and for reading, and what SQLite's refusals mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Final
from urllib.parse import quote

from monzen.ledger.place import SUFFIXES, only_one
from monzen.ledger.records import LedgerError
from monzen.ledger.schema import APPLICATION, VERSION, migrate
from monzen.show.command import remedy
from monzen.show.text import safe
from monzen.show.words import _

PATIENCE: Final = 10.0  # seconds to wait for another writer
LOG_MOST: Final = 4 << 20  # bytes that SQLite's log keeps after a large change
TRIES: Final = 5  # to read a file at a moment when nobody writes it
NO_INDEX: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
DEAD_MAN: Final = (
    128  # the byte of the -shm file that whoever has the ledger open holds. Source: SQLite 3.40, os_unix.c, UNIX_SHM_DMS
)


def make(path: str) -> None:
    """A new ledger at `path`, unless somebody else was faster. Raises OSError, sqlite3.Error.

    It is made beside and renamed: a file that is there is a whole one, and an empty file is a damaged one.
    """
    with only_one(path):
        if not os.path.lexists(path):
            new = path + ".new"
            fresh(new).close()
            os.rename(new, path)


def fresh(path: str) -> sqlite3.Connection:
    """An empty ledger; what a killed process left at this name goes. Raises OSError, sqlite3.Error."""
    for suffix in SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640))  # before SQLite opens it
    database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        configure(database)
        database.execute("BEGIN IMMEDIATE")
        migrate(database)
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def configure(database: sqlite3.Connection) -> None:
    """The settings of who writes."""
    database.execute("PRAGMA journal_mode = WAL").fetchone()
    database.execute("PRAGMA synchronous = FULL")  # what a command says is done survives a power cut
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute(f"PRAGMA journal_size_limit = {LOG_MOST}")


def writing(path: str) -> sqlite3.Connection:
    """The file at `path`, ours, sound as far as can be told, with our tables. Raises LedgerError, OSError, sqlite3.Error."""
    left = abandoned(path)
    database = _connect(path, "?mode=rw")
    try:
        version = identify(database, path)
        configure(database)
        if left and not sound(database):
            raise damaged(path)
        if version < VERSION:
            database.execute("BEGIN IMMEDIATE")
            try:
                migrate(database)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
    except BaseException:
        database.close()
        raise
    return database


def reading(path: str) -> sqlite3.Connection:
    """The same to read only, and nothing beside the file is made or changed: beside a writer as he goes on, else as it is now.

    Of an older schema it is a copy in memory, brought up to date. Raises LedgerError, OSError, sqlite3.Error.
    """
    database, version = _opened(path)
    if version < VERSION:
        try:
            copy = _memory()
            database.backup(copy)
        finally:
            database.close()
        migrate(copy)
        copy.execute("PRAGMA query_only = ON")
        return copy
    return database


def nothing() -> sqlite3.Connection:
    """An empty ledger in memory, for who only reads where there is none."""
    database = _memory()
    migrate(database)
    return database


def _opened(path: str) -> tuple[sqlite3.Connection, int]:
    """The file to read only, and the version of its tables. Raises LedgerError, OSError, sqlite3.Error.

    SQLite's own `mode=ro` makes the log and its index where they are not there, and leaves them (os_unix.c, wal.c of 3.40). So it
    is asked only where they are; and without a mark of ours in the index, if nobody else is there to take care of that.
    """
    for _try in range(TRIES):  # a writer may begin or end between two looks
        ways = ["?mode=ro&readonly_shm=1", "?mode=ro"]
        for options in ways if abandoned(path) else reversed(ways):
            log, index = _size(path + "-wal"), _size(path + "-shm")
            if log is not None and (index is not None or (log and options == "?mode=ro")):  # without its index: no other way
                try:
                    return _identified(_connect(path, options), path)
                except sqlite3.OperationalError as error:
                    # the index is not there and cannot be made, or cannot be used without a mark: no right to, or no room
                    if _code(error) not in NO_INDEX:
                        raise
        if (database := _snapshot(path)) is not None:
            return _identified(database, path)
    raise LedgerError(_("cannot read {path}: it is being written. Try again in a moment, or run as root").format(path=safe(path)))


def _identified(database: sqlite3.Connection, path: str) -> tuple[sqlite3.Connection, int]:
    try:
        return database, identify(database, path)
    except BaseException:
        database.close()
        raise


def identify(database: sqlite3.Connection, path: str) -> int:
    """The version of a ledger's tables. LedgerError where it is none, or a newer one."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION:
        if not tables:
            raise damaged(path)
        raise LedgerError(
            _("{path} is a database of another program. Move it away, or name another file").format(path=safe(path))
        )
    if version > VERSION:
        raise LedgerError(
            _(
                "{path} was written by a newer monzen (schema {version}, this one knows {ours}). Install the newer one again"
            ).format(path=safe(path), version=version, ours=VERSION)
        )
    if not tables or version < 1:
        raise damaged(path)
    return version


def sound(database: sqlite3.Connection) -> bool:
    """Whether all of it can be read: 0.4 s for 100 MB. Raises sqlite3.Error."""
    return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")


def abandoned(path: str) -> bool:
    """Whether the last one to write was killed: the log is there, and nobody holds it. Where that cannot be told, True."""
    try:
        if os.stat(path + "-wal").st_size == 0:
            return False
        found = os.stat(path + "-shm")
        # never open that file: to close it would take SQLite's locks away. Source: fs/locks.c, lock_get_status
        name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        with open("/proc/locks", encoding="ascii") as file:
            for line in file:
                words = line.split()
                if name in words and int(words[-2]) <= DEAD_MAN and (words[-1] == "EOF" or int(words[-1]) >= DEAD_MAN):
                    return False
    except FileNotFoundError:
        return os.path.exists(path + "-wal")
    except (OSError, ValueError):
        pass
    return True


def _connect(path: str, options: str) -> sqlite3.Connection:
    return sqlite3.connect("file:" + quote(os.path.abspath(path)) + options, uri=True, timeout=PATIENCE, isolation_level=None)


def _memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def _snapshot(path: str) -> sqlite3.Connection | None:
    """The whole file in memory, as it is while nobody writes it; None where somebody does.

    Raises LedgerError, OSError, sqlite3.Error.
    """
    before = os.stat(path)
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as file:
        data = bytearray(file.read())
    after = os.stat(path)
    same = (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    if not same or _size(path + "-wal"):
        return None
    if len(data) < 512:
        raise damaged(path)
    data[18:20] = b"\1\1"  # no log, or SQLite would look for it. Source: sqlite.org/fileformat2.html, 1.3.3
    database = _memory()
    database.deserialize(data)
    database.execute("PRAGMA query_only = ON")
    return database


def _size(path: str) -> int | None:
    """In bytes; None where there is no such file. Raises OSError."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def refusal(path: str, error: sqlite3.Error) -> LedgerError:
    """What SQLite said, in a sentence."""
    code = _code(error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "decode" in str(error):
        return damaged(path)
    said = {
        sqlite3.SQLITE_FULL: _("cannot write {path}: the disk is full. Make room, and try again; what is denied stays denied"),
        sqlite3.SQLITE_BUSY: _("cannot write {path}: another program holds it. Try again in a moment"),
        sqlite3.SQLITE_READONLY: _("cannot write {path}: it may only be read. {remedy}"),
        sqlite3.SQLITE_CANTOPEN: _("cannot open {path}: no such folder, or no right to it. {remedy}"),
        sqlite3.SQLITE_IOERR: _("cannot write {path}: the disk refused it. Make room or look at the disk (dmesg), and try again"),
    }.get(code)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and _read_only(path):
        said = _("cannot write {path}: its file system may only be read. Mount it writable: mount -o remount,rw")
    if said is None:
        return LedgerError(_("cannot use {path}: {detail}").format(path=safe(path), detail=safe(str(error))))
    return LedgerError(said.format(path=safe(path), remedy=remedy()))


def _read_only(path: str) -> bool:
    """Whether nobody, not even root, may write there now: after a fault of the disk the kernel mounts it so."""
    try:
        return bool(os.statvfs(os.path.dirname(os.path.abspath(path))).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def none_yet(path: str) -> LedgerError:
    """The refusal of who only reads, where nothing was written yet."""
    words = _("there is no ledger at {path}: monzen has not denied anybody on this machine yet")
    return LedgerError(words.format(path=safe(path)), missing=True)


def damaged(path: str) -> LedgerError:
    """The one refusal that a rescue answers."""
    words = _("{path} is damaged. What is denied stays denied; save what can be saved with: monzen gate apply --rescue")
    return LedgerError(words.format(path=safe(path)), damaged=True)
