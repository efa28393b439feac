"""The one file of the ledger: every change is one transaction that is on the disk when the call returns."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from monzen.ledger.place import check_place
from monzen.ledger.records import Alarm, Allowed, Entry, Knocked, LedgerError, Order, Prefix, Release
from monzen.ledger.schema import APPLICATION, MIGRATIONS, VERSION, statements
from monzen.show.text import safe
from monzen.show.words import _

PATIENCE: Final = 10.0  # seconds to wait for another writer
CHECKED: Final = 64 << 20  # bytes of a file that is looked through after a kill: 0.3 s
LINE: Final = 2_000  # bytes of one evidence line
LINES: Final = 12  # evidence lines of one denial: the first half and the last half
NOTE: Final = 500  # letters of a note
EVIDENCE_DAYS: Final = 90  # evidence of what ended longer ago goes
ENDED_DAYS: Final = 400  # so does all that is known of it: a year to look back, and a month
ENDED_MOST: Final = 200_000  # denials that ended: about 40 MB
ALARMS_MOST: Final = 10_000
RELEASES_MOST: Final = 10_000
DAY: Final = 86_400
COLUMNS: Final = ", ".join(Entry._fields)


class Ledger:
    """Raises LedgerError where the file cannot be read or written; a change that raised left nothing behind."""

    def __init__(self, database: sqlite3.Connection, path: str) -> None:
        self.db, self.path = database, path

    @classmethod
    def open(cls, path: str, *, readonly: bool = False) -> Ledger:
        """The ledger at `path`, made where there is none (not `readonly`: then LedgerError says so), brought to our schema."""
        exists = check_place(path, readonly=readonly)
        if readonly and not exists:
            raise LedgerError(_("there is no ledger at {path}: nothing was denied by monzen on this machine yet").format(path=safe(path)))
        # the last one to close the file takes the log away: where there is one, somebody is at work, or was killed
        unclean = not readonly and os.path.exists(path + "-wal") and os.path.getsize(path) < CHECKED
        try:
            database = _connect(path, readonly)
            ledger = cls(database, path)
            try:
                ledger._begin(readonly, unclean)
            except BaseException:
                database.close()
                raise
            return ledger
        except sqlite3.Error as error:
            raise _refused(path, error) from None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    # ---- denials ------------------------------------------------------------------------------------------------------

    def impose(self, orders: Iterable[Order], now: float, actor: str = "") -> list[Entry]:
        """Write down who is denied. What is denied already keeps its number; only a person makes it shorter."""
        with self._change():
            return [self._impose(order, now, actor) for order in orders]

    def _impose(self, order: Order, now: float, actor: str) -> Entry:
        key = (order.network, order.bits, order.port, order.protocol)
        old = self._one(f"SELECT {COLUMNS} FROM denial WHERE {KEY} AND ended IS NULL", key)
        note = order.note[:NOTE]
        if old is not None and old.until is not None and old.until <= now:
            self._end([old.number], now, "quiet")
            old = None
        if old is None:
            number = self.db.execute(
                "INSERT INTO denial (network, bits, port, protocol, since, until, sentence, rule, origin, note, clients, attempts, actor)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, now, order.until, order.sentence, order.rule, order.origin, note, order.clients, order.attempts, actor),
            ).lastrowid
        else:
            number, until = old.number, order.until
            if order.origin != "hand" and old.origin == "hand":  # what a person said stands, but it may last longer
                order = order._replace(rule=old.rule, origin=old.origin, sentence=old.sentence)
                actor, note = old.actor, old.note
            if order.origin != "hand" or actor == "":
                until = None if until is None or old.until is None else max(until, old.until)
            self.db.execute(
                "UPDATE denial SET until = ?, sentence = ?, rule = ?, origin = ?, note = ?, clients = max(clients, ?),"
                " attempts = max(attempts, ?), actor = ? WHERE number = ?",
                (until, order.sentence, order.rule, order.origin, note or old.note, order.clients, order.attempts, actor, number),
            )
        self._witness(int(number or 0), order.evidence, now)
        found = self.find(int(number or 0))
        assert found is not None  # written above, in the same transaction
        return found

    def _witness(self, number: int, lines: Sequence[bytes], now: float) -> None:
        """Evidence of a denial: of many lines the first and the last."""
        known = {row[0] for row in self.db.execute("SELECT line FROM evidence WHERE denial = ?", (number,))}
        new = [line[:LINE] for line in dict.fromkeys(lines) if line[:LINE] not in known]
        self.db.executemany("INSERT INTO evidence (denial, at, line) VALUES (?, ?, ?)", [(number, now, line) for line in new])
        if len(known) + len(new) > LINES:
            rows = [row[0] for row in self.db.execute("SELECT rowid FROM evidence WHERE denial = ? ORDER BY rowid", (number,))]
            middle = rows[LINES // 2 : len(rows) - LINES // 2]
            self.db.executemany("DELETE FROM evidence WHERE rowid = ?", [(row,) for row in middle])

    def active(self, now: float) -> list[Entry]:
        """Who is denied at this time, in the order of the numbers."""
        return self._all(f"SELECT {COLUMNS} FROM denial WHERE ended IS NULL AND (until IS NULL OR until > ?) ORDER BY number", (now,))

    def ended(self, since: float = 0.0, limit: int = 10_000) -> list[Entry]:
        """Denials that ended since then, the last first."""
        return self._all(f"SELECT {COLUMNS} FROM denial WHERE ended >= ? ORDER BY ended DESC, number DESC LIMIT ?", (since, limit))

    def lasting(self, now: float) -> Iterator[tuple[bytes, int, int, int, float | None]]:
        """Network, bits, port, protocol and end of the same, one by one: a million need no memory at once."""
        query = "SELECT network, bits, port, protocol, until FROM denial WHERE ended IS NULL AND (until IS NULL OR until > ?)"
        with self._reading():
            yield from self.db.execute(query, (now,))

    def count(self) -> int:
        """How many last, those that are just over among them."""
        with self._reading():
            return int(self.db.execute("SELECT count(*) FROM denial WHERE ended IS NULL").fetchone()[0])

    def find(self, number: int) -> Entry | None:
        """The denial of this number, also one that ended."""
        return self._one(f"SELECT {COLUMNS} FROM denial WHERE number = ?", (number,)) if 0 < number < 1 << 62 else None

    def history(self, network: bytes, bits: int, limit: int = 1000) -> list[Entry]:
        """Every denial, past or present, of this network, of a wider one around it and of a narrower one inside; newest first."""
        first, last = _span(network, bits)
        around = [(_cut(network, b), b) for b in range(bits + 1)]
        found: dict[int, Entry] = {}
        for key in around:
            for entry in self._all(f"SELECT {COLUMNS} FROM denial WHERE network = ? AND bits = ?", key):
                found[entry.number] = entry
        inside = f"SELECT {COLUMNS} FROM denial WHERE network BETWEEN ? AND ? AND length(network) = ? AND bits > ?"
        for entry in self._all(f"{inside} ORDER BY number DESC LIMIT ?", (first, last, len(network), bits, limit)):
            found[entry.number] = entry
        return sorted(found.values(), key=lambda e: -e.number)[:limit]

    def evidence(self, number: int) -> list[bytes]:
        """The lines that a denial rests on, oldest first."""
        with self._reading():
            return [row[0] for row in self.db.execute("SELECT line FROM evidence WHERE denial = ? ORDER BY rowid", (number,))]

    def end(self, numbers: Iterable[int], now: float, ending: str) -> None:
        """These denials are over."""
        with self._change():
            self._end(numbers, now, ending)

    def _end(self, numbers: Iterable[int], now: float, ending: str) -> None:
        rows = [(now, ending, number) for number in numbers]
        self.db.executemany("UPDATE denial SET ended = ?, ending = ? WHERE number = ? AND ended IS NULL", rows)

    def release(
        self, numbers: Iterable[int], now: float, actor: str = "", note: str = "", also: Iterable[Prefix] = ()
    ) -> list[Entry]:
        """Let them in again, and remember it: of these networks, and of those that were never denied, older lines count no more."""
        with self._change():
            entries = [entry for number in numbers if (entry := self.find(number)) is not None]
            self._end([e.number for e in entries], now, "released")
            for network, bits in dict.fromkeys([*(e.prefix for e in entries), *also]):
                self.db.execute(
                    "INSERT OR REPLACE INTO release (network, bits, at, actor, note) VALUES (?, ?, ?, ?, ?)",
                    (network, bits, now, actor, note[:NOTE]),
                )
            return [e._replace(ended=now, ending="released") for e in entries]

    def released_since(self, network: bytes, bits: int) -> float | None:
        """When this network, or a wider one around it, was released last."""
        times = []
        with self._reading():
            for b in range(bits + 1):
                row = self.db.execute("SELECT at FROM release WHERE network = ? AND bits = ?", (_cut(network, b), b)).fetchone()
                if row is not None:
                    times.append(float(row[0]))
        return max(times, default=None)

    def releases(self) -> list[Release]:
        """Every release, oldest first."""
        with self._reading():
            return [Release(*row) for row in self.db.execute("SELECT network, bits, at, actor, note FROM release ORDER BY at")]

    def settle(self, knocks: Iterable[Knocked], now: float) -> list[Entry]:
        """Count what knocked, and end what has been quiet for its time. Returns what ended."""
        with self._change():
            for k in knocks:
                self.db.execute(
                    "UPDATE denial SET knocks = knocks + ?, octets = octets + ?, last_knock = max(ifnull(last_knock, 0), ?)"
                    " WHERE number = ?",
                    (k.packets, k.octets, k.last, k.number),
                )
                self.db.execute(
                    "INSERT INTO knock (day, denial, port, protocol, packets, octets) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO"
                    " UPDATE SET packets = packets + excluded.packets, octets = octets + excluded.octets",
                    (int(k.last // DAY), k.number, k.port, k.protocol, k.packets, k.octets),
                )
            over = self._all(f"SELECT {COLUMNS} FROM denial WHERE ended IS NULL AND until <= ? ORDER BY number", (now,))
            self._end([e.number for e in over], now, "quiet")
            return [e._replace(ended=now, ending="quiet") for e in over]

    def prolong(self, ends: Iterable[tuple[int, float]]) -> None:
        """Later ends of denials, by number: they still knock."""
        with self._change():
            rows = [(until, number, until) for number, until in ends]
            self.db.executemany("UPDATE denial SET until = ? WHERE number = ? AND ended IS NULL AND until < ?", rows)

    def knocked(self, since: float = 0.0) -> list[tuple[int, int, int, int, int]]:
        """Denial, port, protocol, packets and bytes of the days since then."""
        query = (
            "SELECT denial, port, protocol, sum(packets), sum(octets) FROM knock WHERE day >= ? GROUP BY denial, port, protocol"
        )
        with self._reading():
            return self.db.execute(query, (int(since // DAY),)).fetchall()

    # ---- who is allowed -----------------------------------------------------------------------------------------------

    def allow(
        self, text: str, prefixes: Iterable[Prefix], now: float, *, name: bool = False, actor: str = "", note: str = ""
    ) -> Allowed:
        """Never deny these. What is allowed already gets the new networks and keeps its number."""
        with self._change():
            row = self.db.execute("SELECT number FROM allow WHERE text = ? AND ended IS NULL", (text,)).fetchone()
            if row is None:
                number = self.db.execute(
                    "INSERT INTO allow (text, name, note, at, actor) VALUES (?, ?, ?, ?, ?)", (text, int(name), note[:NOTE], now, actor)
                ).lastrowid
            else:
                number = row[0]
            self._stands_for(int(number or 0), prefixes, now)
            return next(a for a in self._allowed() if a.number == number)

    def resolved(self, number: int, prefixes: Iterable[Prefix], now: float) -> None:
        """What a host name stands for now."""
        with self._change():
            self._stands_for(number, prefixes, now)

    def _stands_for(self, number: int, prefixes: Iterable[Prefix], now: float) -> None:
        found = list(dict.fromkeys(prefixes))
        if not found:
            return  # the last good answer is kept
        self.db.execute("DELETE FROM allow_prefix WHERE allow = ?", (number,))
        self.db.executemany("INSERT INTO allow_prefix (allow, network, bits) VALUES (?, ?, ?)", [(number, *p) for p in found])
        self.db.execute("UPDATE allow SET resolved = ? WHERE number = ?", (now, number))

    def unallow(self, text: str, now: float) -> Allowed | None:
        """No longer allow what was typed like this, or stands for this very network; None where nothing is."""
        with self._change():
            for allowed in self._allowed():
                if allowed.text == text:
                    self.db.execute("UPDATE allow SET ended = ? WHERE number = ?", (now, allowed.number))
                    return allowed
        return None

    def allowed(self) -> list[Allowed]:
        """Who is never denied, in the order in which they were typed."""
        with self._reading():
            return self._allowed()

    def _allowed(self) -> list[Allowed]:
        prefixes: dict[int, list[Prefix]] = {}
        for number, network, bits in self.db.execute("SELECT allow, network, bits FROM allow_prefix ORDER BY network, bits"):
            prefixes.setdefault(number, []).append((network, bits))
        rows = self.db.execute(
            "SELECT number, text, name, resolved, note, at, actor FROM allow WHERE ended IS NULL ORDER BY number"
        )
        return [
            Allowed(number, text, tuple(prefixes.get(number, ())), bool(name), resolved, note, at, actor)
            for number, text, name, resolved, note, at, actor in rows
        ]

    # ---- what else is remembered --------------------------------------------------------------------------------------

    def alarm(self, kind: str, text: str, now: float) -> None:
        """Something that a person should know."""
        with self._change():
            self.db.execute("INSERT INTO alarm (at, kind, text) VALUES (?, ?, ?)", (now, kind, text[:NOTE]))

    def alarms(self, since: float = 0.0, limit: int = 1000) -> list[Alarm]:
        """The alarms since then, newest first."""
        with self._reading():
            rows = self.db.execute("SELECT at, kind, text FROM alarm WHERE at >= ? ORDER BY at DESC LIMIT ?", (since, limit))
            return [Alarm(*row) for row in rows]

    def note(self, key: str, value: str) -> None:
        """Remember a value."""
        with self._change():
            self.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def noted(self, key: str) -> str | None:
        """A value that was remembered."""
        with self._reading():
            row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return None if row is None else str(row[0])

    def thin(self, now: float) -> int:
        """Forget what is old or too much; returns how many rows went. What lasts is never touched."""
        before = self.db.total_changes
        with self._change():
            old = now - EVIDENCE_DAYS * DAY
            self.db.execute("DELETE FROM evidence WHERE denial IN (SELECT number FROM denial WHERE ended < ?)", (old,))
            self.db.execute("DELETE FROM denial WHERE ended < ?", (now - ENDED_DAYS * DAY,))
            self.db.execute("DELETE FROM allow WHERE ended < ?", (now - ENDED_DAYS * DAY,))
            self.db.execute("DELETE FROM knock WHERE day < ?", (int((now - EVIDENCE_DAYS * DAY) // DAY),))
            for table, key, most, only in (
                ("denial", "ended", ENDED_MOST, "WHERE ended IS NOT NULL"),
                ("alarm", "at", ALARMS_MOST, ""),
                ("release", "at", RELEASES_MOST, ""),
            ):
                count = self.db.execute(f"SELECT count(*) FROM {table} {only}").fetchone()[0]
                if count > most:
                    least = self.db.execute(
                        f"SELECT {key} FROM {table} {only} ORDER BY {key} LIMIT 1 OFFSET ?", (count - most,)
                    ).fetchone()
                    self.db.execute(f"DELETE FROM {table} WHERE {key} < ?", least)
        gone = self.db.total_changes - before
        if gone:
            self.db.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        return gone

    def sound(self) -> bool:
        """Whether the whole file can be read: a look through all of it."""
        try:
            return bool(self.db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.Error:
            return False

    # ---- the file -----------------------------------------------------------------------------------------------------

    def _begin(self, readonly: bool, unclean: bool) -> None:
        """See whose file it is, and bring it to our schema."""
        application = self.db.execute("PRAGMA application_id").fetchone()[0]
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        tables = self.db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and application != APPLICATION:
            raise LedgerError(
                _("{path} is a database of another program. Move it away, or name another file").format(path=safe(self.path))
            )
        if version > VERSION:
            raise LedgerError(
                _("{path} was written by a newer monzen (schema {version}, this one knows {ours}). Install the newer one again").format(
                    path=safe(self.path), version=version, ours=VERSION
                )
            )
        if tables and unclean and self.db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise _damaged(self.path)
        if readonly:
            if version < VERSION:
                raise LedgerError(
                    _("{path} has an older schema. Any command that changes something brings it up to date: monzen gate apply").format(
                        path=safe(self.path)
                    )
                )
            return
        if version < VERSION:
            with self._change():
                # another command may have been faster
                version = self.db.execute("PRAGMA user_version").fetchone()[0]
                for number, script in enumerate(MIGRATIONS[version:], version + 1):
                    for statement in statements(script):
                        self.db.execute(statement)
                    self.db.execute(f"PRAGMA user_version = {number}")
                self.db.execute(f"PRAGMA application_id = {APPLICATION}")

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One transaction: wholly or not at all."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise _refused(self.path, error) from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _refused(self.path, error) from None

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Entry]:  # of as many types as columns
        with self._reading():
            return [Entry(*row) for row in self.db.execute(query, values)]

    def _one(self, query: str, values: Sequence[Any]) -> Entry | None:
        return next(iter(self._all(query, values)), None)


KEY: Final = "network = ? AND bits = ? AND port = ? AND protocol = ?"


def _connect(path: str, readonly: bool) -> sqlite3.Connection:
    """An open file with our settings. Raises sqlite3.Error."""
    from urllib.parse import quote

    where = "file:" + quote(os.path.abspath(path))
    if not readonly:
        database = sqlite3.connect(where, uri=True, timeout=PATIENCE, isolation_level=None)
        try:
            if database.execute("PRAGMA page_count").fetchone()[0] == 0:
                database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL").fetchone()
            database.execute("PRAGMA synchronous = FULL")  # what a command says is done survives a power cut
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA trusted_schema = OFF")
        except sqlite3.Error:
            database.close()
            raise
        return database
    # A reader joins the log of a writer; who may not write beside the file reads what was checkpointed, as it stands.
    for options in ("?mode=ro", "?immutable=1"):
        database = sqlite3.connect(where + options, uri=True, timeout=PATIENCE, isolation_level=None)
        try:
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return database
        except sqlite3.OperationalError as error:
            database.close()
            code = error.sqlite_errorcode & 0xFF
            if options == "?immutable=1" or code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
        except sqlite3.Error:
            database.close()
            raise
    raise AssertionError  # the loop returns or raises


def _refused(path: str, error: sqlite3.Error) -> LedgerError:
    """What SQLite said, in a sentence."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path)
    said = {
        sqlite3.SQLITE_FULL: _("cannot write {path}: the disk is full. Make room, and try again; what is denied stays denied"),
        sqlite3.SQLITE_BUSY: _("cannot write {path}: another program holds it. Try again in a moment"),
        sqlite3.SQLITE_READONLY: _("cannot write {path}: it may only be read. Run as root"),
        sqlite3.SQLITE_CANTOPEN: _("cannot open {path}: no such folder, or no right to it. Run as root"),
        sqlite3.SQLITE_IOERR: _("cannot write {path}: the disk refused it. Make room or look at the disk (dmesg), and try again"),
    }.get(code)
    if said is None:
        return LedgerError(_("cannot use {path}: {detail}").format(path=safe(path), detail=safe(str(error))))
    return LedgerError(said.format(path=safe(path)))


def _damaged(path: str) -> LedgerError:
    words = _("{path} is damaged. What is denied stays denied; save what can be saved with: monzen gate apply --rescue")
    return LedgerError(words.format(path=safe(path)), damaged=True)


def _cut(network: bytes, bits: int) -> bytes:
    """The network with its host bits zero."""
    hosts = 8 * len(network) - bits
    return (int.from_bytes(network, "big") >> hosts << hosts).to_bytes(len(network), "big")


def _span(network: bytes, bits: int) -> tuple[bytes, bytes]:
    """Its first and its last address."""
    first = int.from_bytes(_cut(network, bits), "big")
    last = first + (1 << (8 * len(network) - bits)) - 1
    return first.to_bytes(len(network), "big"), last.to_bytes(len(network), "big")


def rescue(path: str, now: float | None = None) -> tuple[Ledger, int, int]:
    """Put a damaged file aside and save what can still be read of it: the new ledger, rows saved, tables that broke off."""
    moment = time.time() if now is None else now
    check_place(path, readonly=False)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    aside = f"{path}.damaged-{stamp}"
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = f"{path}.damaged-{stamp}-{number}"
    for suffix in ("", "-wal", "-shm"):
        if os.path.lexists(path + suffix):
            os.rename(path + suffix, aside + suffix)
    ledger = Ledger.open(path)
    saved = broken = 0
    try:
        old = sqlite3.connect(aside, isolation_level=None)
    except sqlite3.Error:
        return ledger, 0, 1
    try:
        for table in ("denial", "evidence", "release", "allow", "allow_prefix", "alarm", "meta", "knock"):
            columns = [row[1] for row in ledger.db.execute(f"PRAGMA table_info({table})")]
            insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            try:
                cursor = old.execute(f"SELECT {', '.join(columns)} FROM {table}")
            except sqlite3.Error:
                broken += 1
                continue
            with ledger._change():
                while True:
                    try:
                        row = cursor.fetchone()
                    except sqlite3.Error:
                        broken += 1
                        break
                    if row is None:
                        break
                    try:
                        saved += ledger.db.execute(insert, row).rowcount
                    except sqlite3.IntegrityError:  # a row that no longer fits, or whose denial is lost
                        continue
    finally:
        old.close()
    return ledger, saved, broken
