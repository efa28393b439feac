"""The tables, as numbered migrations: each is applied once, in order, in one transaction with its number.

A migration that was released is never edited: what is different is a new one (tests/ledger keeps a filled file of each version).
"""

from __future__ import annotations

import sqlite3
from typing import Final

APPLICATION: Final = 0x6D6F6E7A  # `monz`: another program's file is not taken for ours (PRAGMA application_id)

MIGRATIONS: Final = (
    """
    CREATE TABLE denial (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        network BLOB NOT NULL CHECK (length(network) IN (4, 16)),
        bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 8 * length(network)),
        port INTEGER NOT NULL DEFAULT 0 CHECK (port BETWEEN 0 AND 65535),
        protocol INTEGER NOT NULL DEFAULT 0 CHECK (protocol BETWEEN 0 AND 255),
        since REAL NOT NULL,
        until REAL,
        sentence REAL,
        rule TEXT NOT NULL,
        origin TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        clients INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        names INTEGER NOT NULL DEFAULT 0,
        knocks INTEGER NOT NULL DEFAULT 0,
        octets INTEGER NOT NULL DEFAULT 0,
        last_knock REAL,
        ended REAL,
        ending TEXT NOT NULL DEFAULT '',
        actor TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE UNIQUE INDEX denial_lasting ON denial (network, bits, port, protocol) WHERE ended IS NULL;
    CREATE INDEX denial_network ON denial (network, bits);
    CREATE INDEX denial_ended ON denial (ended) WHERE ended IS NOT NULL;
    CREATE TABLE evidence (
        denial INTEGER NOT NULL REFERENCES denial (number) ON DELETE CASCADE,
        at REAL NOT NULL,
        line BLOB NOT NULL
    ) STRICT;
    CREATE INDEX evidence_denial ON evidence (denial);
    CREATE TABLE release (
        network BLOB NOT NULL CHECK (length(network) IN (4, 16)),
        bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 8 * length(network)),
        at REAL NOT NULL,
        actor TEXT NOT NULL DEFAULT '',
        note TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (network, bits)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE allow (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        text TEXT NOT NULL,
        name INTEGER NOT NULL DEFAULT 0,
        resolved REAL,
        note TEXT NOT NULL DEFAULT '',
        at REAL NOT NULL,
        actor TEXT NOT NULL DEFAULT '',
        ended REAL,
        ender TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE UNIQUE INDEX allow_lasting ON allow (text) WHERE ended IS NULL;
    CREATE TABLE allow_prefix (
        allow INTEGER NOT NULL REFERENCES allow (number) ON DELETE CASCADE,
        network BLOB NOT NULL CHECK (length(network) IN (4, 16)),
        bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 8 * length(network)),
        PRIMARY KEY (allow, network, bits)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE alarm (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '',
        told REAL
    ) STRICT;
    CREATE INDEX alarm_at ON alarm (at);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    # Knocks by day and port, and what is left of old denials. What was counted before is put on the day of the last knock.
    """
    CREATE TABLE knock (
        day INTEGER NOT NULL,
        denial INTEGER NOT NULL REFERENCES denial (number) ON DELETE CASCADE,
        port INTEGER NOT NULL,
        protocol INTEGER NOT NULL,
        packets INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        PRIMARY KEY (day, denial, port, protocol)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX knock_denial ON knock (denial);
    INSERT INTO knock (day, denial, port, protocol, packets, octets)
        SELECT CAST(last_knock / 86400 AS INTEGER), number, port, protocol, knocks, octets FROM denial
        WHERE knocks > 0 AND last_knock IS NOT NULL;
    CREATE TABLE past (
        network BLOB NOT NULL CHECK (length(network) IN (4, 16)),
        bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 8 * length(network)),
        times INTEGER NOT NULL,
        first REAL NOT NULL,
        last REAL NOT NULL,
        attempts INTEGER NOT NULL,
        knocks INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        PRIMARY KEY (network, bits)
    ) STRICT, WITHOUT ROWID;
    """,
    # Who knocks, one by one; and the denials that also stand in ufw, found without a look at all of them.
    """
    CREATE TABLE knocker (
        day INTEGER NOT NULL,
        denial INTEGER NOT NULL REFERENCES denial (number) ON DELETE CASCADE,
        source BLOB NOT NULL CHECK (length(source) IN (4, 16)),
        port INTEGER NOT NULL,
        protocol INTEGER NOT NULL,
        packets INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        last REAL NOT NULL,
        PRIMARY KEY (day, denial, source, port, protocol)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX knocker_denial ON knocker (denial);
    CREATE INDEX denial_shown ON denial (origin = 'hand' DESC, ifnull(until, 9e99) DESC)
        WHERE ended IS NULL AND (origin = 'hand' OR bits < 8 * length(network));
    """,
)
VERSION: Final = len(MIGRATIONS)
TABLES: Final = (
    "denial",
    "evidence",
    "release",
    "allow",
    "allow_prefix",
    "alarm",
    "meta",
    "knock",
    "past",
    "knocker",
)  # parents first


def migrate(database: sqlite3.Connection, upto: int = VERSION) -> None:
    """Bring the tables up to a version, inside the transaction of the caller. Raises sqlite3.Error."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    for number in range(version + 1, upto + 1):
        # one by one: executescript would commit what is open
        for statement in MIGRATIONS[number - 1].split(";\n"):
            if statement.strip():
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")
    database.execute(f"PRAGMA application_id = {APPLICATION}")
