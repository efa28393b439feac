"""One open ledger: transactions, and rows as values."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

from monzen.ledger.file import damaged, refusal
from monzen.ledger.records import Entry, Prefix

NOTE: Final = 500  # letters of a note, or of an alarm
WORD: Final = 100  # letters of a rule, an origin, an actor
MOST: Final = 1 << 48  # a counter never grows past that (281 TB): the sum of 32,000 of them still fits in 64 bits
COLUMNS: Final = ", ".join(Entry._fields)


class Base:
    """Raises LedgerError where the file cannot be read or written; a change that raised left nothing behind."""

    def __init__(self, database: sqlite3.Connection, path: str) -> None:
        self.db, self.path = database, path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; of the last one to write, SQLite puts the log into it."""
        self.db.close()

    def turned(self) -> int:
        """A number that is another one when anybody else has changed the file: 2 µs."""
        with self._reading():
            return int(self._value("PRAGMA data_version"))

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One transaction: wholly or not at all, and on the disk when it returns."""
        try:
            try:
                self.db.execute("BEGIN IMMEDIATE")  # interrupted, it may have begun all the same
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise refusal(self.path, error) from None
        except (MemoryError, UnicodeDecodeError):  # of a broken length or text
            raise damaged(self.path) from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise refusal(self.path, error) from None
        except (MemoryError, UnicodeDecodeError):
            raise damaged(self.path) from None

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Entry]:  # of as many types as columns
        with self._reading():
            return [self._entry(row) for row in self.db.execute(query, values)]

    def _one(self, query: str, values: Sequence[Any]) -> Entry | None:
        return next(iter(self._all(query, values)), None)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        """The row as a value; of a damaged page SQLite also tells what was never written."""
        entry = Entry._make(row)
        width = 8 * len(entry.network) if type(entry.network) is bytes else 0
        if (
            width not in (32, 128)
            or type(entry.bits) is not int
            or not 0 <= entry.bits <= width
            or type(entry.since) is not float
        ):
            raise damaged(self.path)
        return entry

    def _value(self, query: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401  # of any column
        row = self.db.execute(query, values).fetchone()
        return None if row is None else row[0]


def words(text: str, most: int = NOTE) -> str:
    """Text as SQLite takes it: what was no UTF-8 on a command line is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()[:most]


def moment(time: float) -> float:
    """A time, or ValueError: SQLite would make NULL of NaN, and NULL means for good."""
    if not math.isfinite(time):
        raise ValueError(f"no time: {time}")
    return float(time)


def counter(number: int) -> int:
    """A count that fits."""
    return max(0, min(int(number), MOST))


def cut(network: bytes, bits: int) -> bytes:
    """The network with its host bits zero. ValueError where it is none."""
    width = 8 * len(network)
    if width not in (32, 128) or not 0 <= bits <= width:
        raise ValueError(f"no network: {network!r}/{bits}")
    hosts = width - bits
    return (int.from_bytes(network, "big") >> hosts << hosts).to_bytes(len(network), "big")


def around(network: bytes, bits: int) -> list[Prefix]:
    """The network and every wider one around it, the narrowest first."""
    return [(cut(network, b), b) for b in range(bits, -1, -1)]


def span(network: bytes, bits: int) -> tuple[bytes, bytes]:
    """Its first and its last address."""
    first = cut(network, bits)
    last = int.from_bytes(first, "big") + (1 << (8 * len(network) - bits)) - 1
    return first, last.to_bytes(len(network), "big")
