"""What can be saved of a damaged file: every row that can be read goes into a new ledger; the old file is kept beside it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from monzen.ledger.file import fresh, identify, refusal
from monzen.ledger.place import SUFFIXES, check_place, only_one, refused
from monzen.ledger.records import LedgerError, Rescued
from monzen.ledger.schema import TABLES
from monzen.ledger.store import Ledger

# Of a broken length SQLite asks for more memory than there is; what it says of a broken name may be no text.
BROKEN: Final = (sqlite3.Error, MemoryError, UnicodeDecodeError)
GAP: Final = 200_000  # rows that cannot be read, one after another, before the rest of a table is given up: 2 s
LEAP: Final = 10_000  # numbers left free where the last one given is not known: none is given twice
KEYS: Final = {"release": "network, bits", "allow_prefix": "allow, network, bits", "meta": "key", "past": "network, bits"}
KEYS_KNOCK: Final = {"knock": "day, denial, port, protocol", "knocker": "day, denial, source, port, protocol"}


def rescue(path: str, now: float) -> Rescued:
    """Put a damaged file aside, never over another one, and save its rows: the new ledger, rows saved, rows lost.

    LedgerError where the file is another program's, or a newer monzen's: those are not damaged. The new one takes the place of
    the old one only when it is whole: whatever is killed before leaves everything as it was.
    """
    try:
        check_place(path, make=False)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        with only_one(path):
            new = fresh(path + ".new")
            try:
                saved, lost = _save(path, new)
                aside = _aside(path, stamp)
                new.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('rescued', ?)", (aside,))
            finally:
                new.close()
            os.link(path, aside, follow_symlinks=False)
            for suffix in SUFFIXES[1:]:  # the log goes first: it must never be taken for the new file's
                if os.path.lexists(path + suffix):
                    os.rename(path + suffix, aside + suffix)
            os.rename(path + ".new", path)
    except sqlite3.Error as error:
        raise refusal(path, error) from None
    except OSError as error:
        raise refused(path, error) from None
    return Rescued(Ledger.open(path), saved, lost)


def _aside(path: str, stamp: str) -> str:
    """A name for the damaged file that nobody has."""
    aside, number = f"{path}.damaged-{stamp}", 1
    while any(os.path.lexists(aside + suffix) for suffix in SUFFIXES):
        number += 1
        aside = f"{path}.damaged-{stamp}-{number}"
    return aside


def _save(path: str, new: sqlite3.Connection) -> tuple[int, int | None]:
    """Copy what can be read: rows saved, rows lost. Raises sqlite3.Error where the new file cannot be written, LedgerError."""
    old = sqlite3.connect("file:" + quote(os.path.abspath(path)) + "?mode=ro", uri=True, isolation_level=None)
    old.text_factory = lambda raw: raw.decode("utf-8", "replace")
    saved, lost = 0, 0
    try:
        try:
            identify(old, path)
            old.execute("PRAGMA cell_size_check = ON")
        except LedgerError as error:
            if not error.damaged:
                raise
            return 0, None
        except BROKEN:
            return 0, None
        new.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            there = _columns(old, table)
            columns = [c for c in _columns(new, table) if c in there]
            if not columns:
                continue
            insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            kept, faults = 0, [0]
            for row in _rows(old, table, ", ".join(columns), faults):
                try:
                    kept += new.execute(insert, row).rowcount
                except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError):  # no longer a row, or of a denial that is lost
                    continue
            saved += kept
            there_were = _count(old, table)
            lost += faults[0] if there_were is None else max(0, there_were - kept)
        _leave_numbers(old, new)
        new.execute("COMMIT")
    finally:
        old.close()
    return saved, lost


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    try:
        return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    except BROKEN:
        return []


def _rows(old: sqlite3.Connection, table: str, columns: str, faults: list[int]) -> Iterator[tuple[Any, ...]]:
    """Every row of a table that can be read: around what is broken. Adds up in `faults` how often it could not go on."""
    key = KEYS_KNOCK.get(table) or KEYS.get(table)
    if key is not None:  # no row numbers: from the front to the first fault, then from the end to the last
        seen = set()
        for direction in ("ASC", "DESC"):
            query = f"SELECT {columns} FROM {table} ORDER BY " + ", ".join(f"{k.strip()} {direction}" for k in key.split(","))
            told = 0
            try:
                for row in old.execute(query):
                    told += 1
                    if row not in seen:
                        seen.add(row)
                        yield row
                return
            except BROKEN:
                faults[0] += 1
            beside = _row(old, f"{query} LIMIT 1 OFFSET {told}")  # as below: the last good one is asked for by itself
            if beside is not None and beside not in seen:
                seen.add(beside)
                yield beside
        return
    last = max((n for n in (_last(old, table), _given(old, table)) if n is not None), default=GAP)
    at, gap, step = 0, 0, ""
    while at < last and gap < GAP:
        query = f"SELECT rowid, {columns} FROM {table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid {step}"
        before = at
        try:
            for row in old.execute(query, (at + 1,)):
                if not isinstance(row[0], int) or row[0] <= at:
                    break
                at, gap = row[0], 0
                yield row[1:]
            else:
                if at == before or not step:
                    return
                step = ""
                continue
        except BROKEN:
            if not step:  # the cursor looks one row ahead (Python 3.11): the last good one is asked for by itself
                step = "LIMIT 1"
                continue
        at, gap = at + 1, gap + 1  # one further: until the next page that can be read
        faults[0] += 1


def _last(old: sqlite3.Connection, table: str) -> int | None:
    """The last row of a table, as its own pages or its index say: where the last page is lost, no more is searched."""
    own = _number(old, f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid DESC LIMIT 1")
    if own is not None or table != "evidence":  # the others have their numbers from sqlite_sequence
        return own
    return _number(old, "SELECT max(rowid) FROM evidence INDEXED BY evidence_denial")


def _given(old: sqlite3.Connection, table: str) -> int | None:
    """The last number that was given to a row of this table."""
    return _number(old, f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'")


def _row(old: sqlite3.Connection, query: str) -> tuple[Any, ...] | None:
    """The one row of an answer; None where there is none, or it cannot be read."""
    try:
        row: tuple[Any, ...] | None = old.execute(query).fetchone()
    except BROKEN:
        return None
    return row


def _number(old: sqlite3.Connection, query: str) -> int | None:
    row = _row(old, query)
    return row[0] if row and isinstance(row[0], int) and 0 <= row[0] < 1 << 48 else None


def _count(old: sqlite3.Connection, table: str) -> int | None:
    """How many rows the table has, as its own pages or its indexes say, whichever can be read and says more."""
    queries = [f"SELECT count(*) FROM {table} NOT INDEXED", f"SELECT count(*) FROM {table}"]
    if table == "denial":
        queries.append("SELECT count(*) FROM denial INDEXED BY denial_network")
    return max((n for q in queries if (n := _number(old, q)) is not None), default=None)


def _leave_numbers(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """The new file goes on where the old one ended: a number never stands for another denial."""
    for table in ("denial", "allow", "alarm"):
        known = new.execute(f"SELECT ifnull(max(number), 0) FROM {table}").fetchone()[0]
        given = _given(old, table)
        if given is None or given < known:
            given = known + LEAP
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, given))
