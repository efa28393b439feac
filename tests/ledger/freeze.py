"""`python -m tests.ledger.freeze`: a filled ledger of the newest version, as SQL, that every later version must be able to read."""

import sqlite3
import sys
import tempfile
from pathlib import Path

from monzen.ledger.schema import VERSION, migrate
from tests.ledger.made import fill


def frozen(version):
    return Path(__file__).parent / f"version{version}.sql"


def dump(path):
    """The file as SQL: `iterdump` leaves out whose file it is, and of which version."""
    database = sqlite3.connect(path)
    database.text_factory = str
    pragmas = [f"PRAGMA {name} = {database.execute(f'PRAGMA {name}').fetchone()[0]};" for name in ("application_id", "user_version")]
    script = "\n".join([*pragmas, *database.iterdump()]) + "\n"
    database.close()
    return script


def downgraded(path, version):
    """A file of an earlier version with the same rows, as far as it has tables for them. For the first one only: it was never released."""
    old = sqlite3.connect(f"{path}.old", isolation_level=None)
    migrate(old, version)
    old.execute("ATTACH ? AS new", (path,))
    for (name,) in old.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
        old.execute(f"INSERT INTO main.{name} SELECT * FROM new.{name}")
    old.execute("DELETE FROM main.sqlite_sequence")
    old.execute("INSERT INTO main.sqlite_sequence SELECT * FROM new.sqlite_sequence")
    old.close()
    return f"{path}.old"


def main():
    version = int(sys.argv[1]) if len(sys.argv) > 1 else VERSION
    if frozen(version).exists():
        sys.exit(f"{frozen(version).name} is there, and never changes")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/ledger.db"
        fill(path, 12)
        frozen(version).write_text(dump(path if version == VERSION else downgraded(path, version)), encoding="utf-8")


if __name__ == "__main__":
    main()
