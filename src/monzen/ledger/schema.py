"""The tables, as numbered migrations: each is applied once, in order, in one transaction with its number.

A migration that was released is never edited: what is different is a new one (tests/ledger keeps a filled file of each version).
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x6D6F6E7A  # `monz`: another program's file is not taken for ours (PRAGMA application_id)

MIGRATIONS: Final = (
    """
    CREATE TABLE denial (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        network BLOB NOT NULL CHECK (length(network) IN (4, 16)),
        bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 128),
        port INTEGER NOT NULL DEFAULT 0,
        protocol INTEGER NOT NULL DEFAULT 0,
        since REAL NOT NULL,
        until REAL,
        sentence REAL,
        rule TEXT NOT NULL,
        origin TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        clients INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
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
        network BLOB NOT NULL,
        bits INTEGER NOT NULL,
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
        ended REAL
    ) STRICT;
    CREATE UNIQUE INDEX allow_lasting ON allow (text) WHERE ended IS NULL;
    CREATE TABLE allow_prefix (
        allow INTEGER NOT NULL REFERENCES allow (number) ON DELETE CASCADE,
        network BLOB NOT NULL,
        bits INTEGER NOT NULL,
        PRIMARY KEY (allow, network, bits)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE alarm (at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL) STRICT;
    CREATE INDEX alarm_at ON alarm (at);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
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
    """,
)
VERSION: Final = len(MIGRATIONS)


def statements(script: str) -> list[str]:
    """The statements of a migration, each by itself: executescript would commit what is open."""
    return [part.strip() for part in script.split(";\n") if part.strip()]
