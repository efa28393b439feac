"""Files of earlier versions are brought up to date; those of later ones and of others are left alone.

A released version has a filled file here, as SQL, that is never changed. `python -m tests.ledger.freeze` writes that of the newest.
"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from monzen.ledger import Ledger, LedgerError, rescue
from monzen.ledger import schema as schema_module
from monzen.ledger.schema import APPLICATION, MIGRATIONS, TABLES, VERSION, migrate
from tests.ledger.freeze import dump, frozen
from tests.ledger.made import DAY, NOW, A, B, everything, fill, order


def schema(path):
    database = sqlite3.connect(path)
    try:
        return schema_of(database)
    finally:
        database.close()


def schema_of(database):
    return sorted(database.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall(), key=repr)


def thaw(path, version):
    database = sqlite3.connect(path)
    database.executescript(frozen(version).read_text(encoding="utf-8"))
    database.close()
    return everything(path)


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_version_is_brought_up_to_date(tmp_path, version):
    path, new = str(tmp_path / "ledger.db"), str(tmp_path / "new.db")
    before = thaw(path, version)
    written = (tmp_path / "ledger.db").read_bytes()
    with Ledger.open(path, readonly=True) as ledger:  # who only looks sees it as it will be, and leaves it as it is
        assert schema_of(ledger.db) == schema_of(Ledger.nothing(path).db)
        assert len(ledger.evidence(3)) == sum(1 for row in before["evidence"] if row[0] == 3) > 0
        with pytest.raises(LedgerError, match="it may only be read"):
            ledger.note("a", "b")
    assert {name.name: name.read_bytes() for name in tmp_path.iterdir()} == {"ledger.db": written}
    Ledger.open(path).close()
    Ledger.open(new).close()
    assert schema(path) == schema(new)
    after = everything(path)
    assert len(before["denial"]) > 5
    for table, rows in before.items():
        assert rows, f"{table} of version {version} is empty: nothing is tested"
        assert after[table] == rows
    with Ledger.open(path, readonly=True) as ledger:
        assert ledger.sound()
        assert ledger.evidence(3)
    with Ledger.open(path) as ledger:
        last = before["sqlite_sequence"]
        assert ledger.impose([order(bytes((203, 0, 113, 9)))], NOW)[0].number == dict(last)["denial"] + 1


def test_version_1_knew_knocks_only_as_a_sum(tmp_path):
    path = str(tmp_path / "ledger.db")
    thaw(path, 1)
    with Ledger.open(path) as ledger:
        summed = {e.number: (e.knocks, e.octets) for e in [*ledger.active(NOW), *ledger.ended()] if e.knocks}
        assert summed
        assert {row[0]: row[3:] for row in ledger.knocked()} == summed
        assert ledger.knocked(NOW + 2 * DAY) == []
        assert ledger.past(A, 32) is None


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_released_migration_is_never_edited(tmp_path, version):
    path, made = str(tmp_path / "frozen.db"), str(tmp_path / "made.db")
    thaw(path, version)
    database = sqlite3.connect(made, isolation_level=None)
    migrate(database, version)
    database.close()
    assert schema(path) == schema(made)


def test_the_newest_version_is_frozen():
    assert [frozen(n).exists() for n in range(1, VERSION + 2)] == [True] * VERSION + [False]


def test_a_dump_is_the_whole_file(tmp_path):
    fill(tmp_path / "ledger.db", 5)
    script = dump(str(tmp_path / "ledger.db"))
    database = sqlite3.connect(tmp_path / "again.db")
    database.executescript(script)
    database.close()
    assert everything(tmp_path / "again.db") == everything(tmp_path / "ledger.db")


@pytest.mark.parametrize("step", range(1, len(MIGRATIONS[1].split(";\n")) + 2))
def test_a_migration_is_done_wholly_or_not_at_all(tmp_path, monkeypatch, step):
    path = str(tmp_path / "ledger.db")
    before = thaw(path, 1)
    parts = MIGRATIONS[1].split(";\n")
    broken = ";\n".join([*parts[: step - 1], " CREATE TABLE denial (x INTEGER)", *parts[step - 1 :]])
    monkeypatch.setattr(schema_module, "MIGRATIONS", (MIGRATIONS[0], broken))
    with pytest.raises(LedgerError, match="already exists"):
        Ledger.open(path)
    assert everything(path) == before
    monkeypatch.undo()
    Ledger.open(path).close()


# ---- other people's files


def other(path, version=7, application=0):
    database = sqlite3.connect(path)
    database.executescript(f"CREATE TABLE t (x); INSERT INTO t VALUES (1); PRAGMA user_version = {version}")
    database.execute(f"PRAGMA application_id = {application}")
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("application", "version", "said"),
    [(0, 7, "database of another program"), (1, 2, "database of another program"), (APPLICATION, VERSION + 1, "written by a newer")],
)
def test_files_of_others_and_of_newer_ones_are_left_alone(tmp_path, application, version, said):
    path = tmp_path / "ledger.db"
    other(path, version, application)
    before = path.read_bytes()
    for act in (lambda: Ledger.open(str(path)), lambda: Ledger.open(str(path), readonly=True), lambda: rescue(str(path), NOW)):
        with pytest.raises(LedgerError, match=said) as caught:
            act()
        assert not caught.value.damaged
        assert path.read_bytes() == before
    assert {p.name.partition(".db")[2] for p in tmp_path.iterdir()} <= {"", "-wal", "-shm", ".new"}


def test_our_name_on_a_file(tmp_path):
    fill(tmp_path / "ledger.db", 3)
    database = sqlite3.connect(tmp_path / "ledger.db")
    found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version", "journal_mode", "auto_vacuum")]
    strict = dict(database.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'"))
    database.close()
    assert found == [APPLICATION, VERSION, "wal", 2]
    assert set(strict.values()) == {1}
    assert len(strict) == len(TABLES)


def test_a_copied_ledger_is_the_same_ledger(tmp_path):
    fill(tmp_path / "ledger.db", 5)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy.db")
    with Ledger.open(str(tmp_path / "copy.db")) as ledger:
        assert ledger.covering(B, 24)[0].note == "gang"


def test_settings_of_who_writes(tmp_path):
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        names = ("synchronous", "foreign_keys", "trusted_schema", "busy_timeout")
        assert [ledger.db.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == [2, 1, 0, 10_000]


def test_the_folder_of_frozen_files_has_no_others():
    assert {p.name for p in Path(__file__).parent.glob("*.sql")} == {frozen(n).name for n in range(1, VERSION + 1)}
