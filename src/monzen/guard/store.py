"""What `monzen run` must not forget: a snapshot in a file, and the records since in SQLite.

A record and the positions in it are one transaction. The snapshot is written by a child process, which has the state of the
moment it was forked, while the parent goes on: so a large memory does not stop the guard. It ends with its parent. What the
snapshot holds is then taken out of the records. Killed at any moment, the two give the same mind again; after a power cut, that
of a moment ago, with the positions of that moment.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import sqlite3
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from monzen.show.words import _

FORMAT: Final = 4  # of marshal: every Python from 3.4 on reads it
MAGIC: Final = b"monzen\x02\n"
OLD: Final = b"monzen\x01\n"  # whose checksum left out the number
HEAD: Final = struct.Struct("<8sqqI")  # magic, number of the last record in it, bytes, CRC-32 of number and text
CHECK: Final = struct.Struct("<I")  # CRC-32 of a record: SQLite does not see a page that changed on the disk
STEP: Final = 2000  # records deleted in one transaction
DEATH_SIGNAL: Final = 1  # prctl(2), PR_SET_PDEATHSIG
DYING: Final = 2.0  # seconds for the child of one that was killed, which ends with it, but not in the midst of an fsync
TURN: Final = 0.02  # seconds between two looks at the lock


class StoreError(Exception):
    """The state cannot be read or written; the words of the system."""


class Store:
    """The folder with the state. One process at a time: a second one is refused."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "state.db")
        self.snapshot = os.path.join(folder, "snapshot")
        self.number = 0  # of the last record that was written
        self.kept = 0  # bytes of records since the last snapshot began
        self.size = 0  # bytes of the last snapshot
        self.behind = False  # a record was not written: only a snapshot can mend that
        self._child: tuple[int, int] | None = None  # pid, number of the last record in the snapshot that it writes
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._take()
            self.db = self._open()
        except BlockingIOError:
            os.close(self._lock)
            raise StoreError(_("another monzen run is at work in {folder}").format(folder=folder)) from None
        except PermissionError as error:
            said = _("{path}: {detail}. If it should be this user's: sudo monzen init")
            detail = _(error.strerror or str(error))
            raise StoreError(said.format(path=error.filename or folder, detail=detail)) from None
        except OSError as error:
            raise StoreError(f"{error.filename or folder}: {error.strerror}") from None
        except (sqlite3.Error, UnicodeDecodeError, MemoryError) as error:
            os.close(self._lock)
            raise StoreError(f"{self.path}: {error}") from None

    def _take(self) -> None:
        """The lock. Raises BlockingIOError where another one holds it."""
        import fcntl

        end = time.monotonic() + DYING
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
            time.sleep(TURN)  # flock waits for ever or not at all

    def _open(self) -> sqlite3.Connection:
        """The database; one that is broken is moved aside, since all in it can be read again from the logs."""
        for attempt in (0, 1):
            try:
                return self._made()
            except (sqlite3.DatabaseError, UnicodeDecodeError, MemoryError):  # of a broken text or length
                if attempt or not os.path.exists(self.path):
                    raise
                self.discard()
        raise AssertionError

    def _made(self) -> sqlite3.Connection:
        """The database with its table, and what is in it by now. Where that cannot be had, it is closed again."""
        db = sqlite3.connect(self.path, isolation_level=None, timeout=10.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last moments, never the order
            db.execute("CREATE TABLE IF NOT EXISTS record (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
            self.number = db.execute("SELECT ifnull(max(number), 0) FROM record").fetchone()[0]
            self.kept = db.execute("SELECT ifnull(sum(length(body)), 0) FROM record").fetchone()[0]
        except BaseException:
            db.close()
            raise
        return db

    def discard(self) -> None:
        """Put the state aside, as it is: it cannot be used."""
        for name in (self.path, self.path + "-wal", self.path + "-shm", self.snapshot):
            with contextlib.suppress(FileNotFoundError):
                os.replace(name, name + ".broken")

    def again(self) -> None:
        """Discard what is there and begin with nothing."""
        self.db.close()
        self.discard()
        self.number = self.kept = self.size = 0
        self.behind = False
        self.db = self._open()

    def load(self) -> tuple[dict[str, Any] | None, Iterator[tuple[Any, ...]]]:
        """The last snapshot (None: there is none) and the records since, in order. Raises StoreError for what is broken."""
        state, last = None, 0
        try:
            with open(self.snapshot, "rb") as file:
                magic, last, length, check = HEAD.unpack(file.read(HEAD.size))
                if length != os.fstat(file.fileno()).st_size - HEAD.size:  # a damaged one may be a terabyte
                    raise StoreError(f"{self.snapshot}: broken")
                body = file.read(length)
            if len(body) != length or check != {MAGIC: _check(last, body), OLD: zlib.crc32(body)}.get(magic):
                raise StoreError(f"{self.snapshot}: broken")
            self.size = length
            state = marshal.loads(body)
        except FileNotFoundError:
            pass
        except (OSError, struct.error, ValueError, EOFError, TypeError, MemoryError) as error:
            raise StoreError(f"{self.snapshot}: {error}") from None
        self.number = max(self.number, last)
        return state, self._records(last)

    def _records(self, last: int) -> Iterator[tuple[Any, ...]]:
        expected = last
        try:
            for number, body in self.db.execute("SELECT number, body FROM record WHERE number > ? ORDER BY number", (last,)):
                expected += 1
                if number != expected:
                    raise StoreError(f"{self.path}: record {expected} is missing")
                if zlib.crc32(body[CHECK.size :]) != CHECK.unpack(body[: CHECK.size])[0]:
                    raise StoreError(f"{self.path}: record {number} is broken")
                yield marshal.loads(body[CHECK.size :])
        except (sqlite3.Error, struct.error, ValueError, EOFError, TypeError, MemoryError) as error:
            raise StoreError(f"{self.path}: {error}") from None

    def write(self, record: tuple[Any, ...]) -> bool:
        """Write a record down; False where the disk refuses. Then nothing is written until a snapshot was."""
        if self.behind:
            self.number += 1
            return False
        body = marshal.dumps(record, FORMAT)
        body = CHECK.pack(zlib.crc32(body)) + body
        self.number += 1
        try:
            self.db.execute("INSERT INTO record (number, body) VALUES (?, ?)", (self.number, body))
        except sqlite3.Error:
            self.behind = True
            return False
        self.kept += len(body)
        return True

    @property
    def saving(self) -> bool:
        """Whether a child is at work."""
        return self._child is not None

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Begin a snapshot of what `state` gives now. `saved` says when it is done."""
        if self._child is not None:
            return
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with contextlib.suppress(OSError, MemoryError):
                    os.nice(5)
                _end_with(parent)
                self._write_snapshot(state(), self.number)
                status = 0
            finally:
                os._exit(status)  # nothing of the parent's is closed or flushed
        self._child = child, self.number
        self.kept = 0

    def save_now(self, state: dict[str, Any]) -> None:
        """A snapshot while the caller waits. Raises StoreError."""
        self.wait()
        try:
            self._write_snapshot(state, self.number)
        except OSError as error:
            raise StoreError(f"{self.snapshot}: {error.strerror}") from None
        self._forget(self.number)

    def _write_snapshot(self, state: dict[str, Any], number: int) -> None:
        body = marshal.dumps(state, FORMAT)
        new = self.snapshot + ".new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(HEAD.pack(MAGIC, number, len(body), _check(number, body)))
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, self.snapshot)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def saved(self, *, wait: bool = False) -> bool | None:
        """Whether the snapshot that was begun is done: True, or False where it failed; None while there is none to wait for."""
        if self._child is None:
            return None
        pid, number = self._child
        done, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
        if not done:
            return None
        self._child = None
        if status:
            return False
        self._forget(number)
        return True

    def _forget(self, number: int) -> None:
        """Take out the records that a snapshot holds."""
        self.behind = False if number == self.number else self.behind
        with contextlib.suppress(OSError):
            self.size = os.stat(self.snapshot).st_size
        with contextlib.suppress(sqlite3.Error):  # those that are left are passed over when they are read
            while self.db.execute(
                "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE number <= ? LIMIT ?)", (number, STEP)
            ).rowcount:
                pass

    def wait(self) -> None:
        """For a child that is at work."""
        self.saved(wait=True)

    def close(self) -> None:
        """Nothing more is written."""
        self.wait()
        self.db.close()
        os.close(self._lock)


def _check(number: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(number.to_bytes(8, "little", signed=True)))


def _end_with(parent: int) -> None:
    """This process is killed as soon as its parent ends: it holds the lock, and must keep it for as long as it writes.

    Given back while it writes, the lock would let the next `run` make a newer snapshot, which this one would then replace.
    """
    import ctypes

    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was asked for
        os._exit(1)
