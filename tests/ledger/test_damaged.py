"""Files that are no good database: one sentence, and what can be read of them is saved."""

import os
import random
import sqlite3
import time

import pytest

from monzen.ledger import Entry, Ledger, LedgerError, rescue
from monzen.ledger.rescue import LEAP, _rows
from monzen.ledger.schema import TABLES
from monzen.show import words
from tests.ledger.made import NOW, A, B, everything, fill, order

PAGE = 4096
STAMP = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW))
SENTENCE = "is damaged. What is denied stays denied; save what can be saved with: monzen gate apply --rescue"


def rows(tables):
    return sum(len(tables[name]) for name in TABLES if name in tables)


def read_all(ledger):
    """Every question that a command asks."""
    entries = ledger.active(NOW)
    found = [
        *entries, *ledger.ended(), *ledger.covering(A), *ledger.inside(bytes(4), 0), *(ledger.find(n) for n in range(1, 30, 7)),
    ]
    assert all(type(e) is Entry for e in found if e is not None)
    for entry in entries[::9]:
        ledger.evidence(entry.number)
    list(ledger.lasting(NOW))
    ledger.allowed(past=True), ledger.alarms(), ledger.knocked(), ledger.releases(), ledger.noted("reconciled")
    ledger.past(A, 32), ledger.released_after(B, 24), ledger.counts(NOW)


@pytest.mark.parametrize("content", [b"", b"x", b"no database at all\n" * 500, bytes(8192), b"SQLite format 3\0" + b"\7" * 5000], ids=len)
def test_what_is_no_database_is_said_so_and_put_aside(tmp_path, content):
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    for readonly in (True, False):
        with pytest.raises(LedgerError, match=SENTENCE) as caught:
            Ledger.open(str(path), readonly=readonly)
        assert caught.value.damaged
        assert str(path) in str(caught.value)
        assert path.read_bytes() == content
    ledger, saved, lost = rescue(str(path), NOW)
    with ledger:
        assert (saved, lost) == (0, None)
        assert ledger.impose([order()], NOW)[0].number == 1
        assert ledger.noted("rescued") == f"{path}.damaged-{STAMP}"
    assert (tmp_path / f"ledger.db.damaged-{STAMP}").read_bytes() == content


def test_a_sentence_in_japanese(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"")
    words.speak("ja")
    try:
        with pytest.raises(LedgerError, match=r"壊れています.*monzen gate apply --rescue"):
            Ledger.open(str(tmp_path / "ledger.db"))
    finally:
        words.speak()


@pytest.mark.parametrize("left", [100, 511, 3000, 5 * PAGE, 9 * PAGE + 77])
def test_cut_short(tmp_path, left):
    path = tmp_path / "ledger.db"
    fill(path)
    os.truncate(path, left)
    for readonly in (True, False):
        with pytest.raises(LedgerError, match=SENTENCE):
            read_all(Ledger.open(str(path), readonly=readonly))
    done = rescue(str(path), NOW)
    with done.ledger as ledger:
        assert ledger.sound()
        read_all(ledger)
    assert (tmp_path / f"ledger.db.damaged-{STAMP}").stat().st_size == left


@pytest.mark.parametrize("seed", range(60))
def test_overwritten_somewhere(tmp_path, seed):
    """Whatever stands there: a sentence or an answer, never anything else; and the rescued one is sound."""
    path, chance = tmp_path / "ledger.db", random.Random(seed)
    before = fill(path)
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 3, 12))):
        length = chance.choice((1, 8, 100, PAGE, 3 * PAGE))
        at = chance.randrange(100 if seed % 4 else 0, len(data) - length)
        data[at : at + length] = chance.choice((chance.randbytes(length), bytes(length), b"\xff" * length))
    path.write_bytes(data)
    for readonly in (True, False):
        try:
            with Ledger.open(str(path), readonly=readonly) as ledger:
                read_all(ledger)
        except LedgerError as error:
            assert error.damaged or seed % 4 == 0, str(error)  # noqa: PT017  # not each of them raises
    assert path.read_bytes() == data, "only to read, nothing was repaired"
    try:
        done = rescue(str(path), NOW)
    except LedgerError as error:
        assert seed % 4 == 0  # its head says that it is somebody else's
        assert not error.damaged  # noqa: PT017  # not each of them raises
        return
    with done.ledger as ledger:
        assert ledger.sound()
        assert ledger.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert ledger.db.execute("PRAGMA foreign_key_check").fetchall() == []
        read_all(ledger)
        assert done.saved <= rows(before) + 12
        taken = ledger.impose([order(bytes((203, 0, 113, 77)))], NOW)[0].number
        assert taken > max((row[0] for row in everything(path)["denial"] if row[0] != taken), default=0)
    assert (tmp_path / f"ledger.db.damaged-{STAMP}").read_bytes() == data


def leaves(path, table):
    """The pages with the rows of a table, in their order."""
    database = sqlite3.connect(path)
    try:
        found = database.execute("SELECT pageno, ncell FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,))
        return found.fetchall()
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no dbstat")
    finally:
        database.close()


@pytest.mark.parametrize("which", [0, 1, -2, -1])
@pytest.mark.parametrize("table", ["denial", "evidence"])
def test_only_the_rows_of_a_lost_page_are_lost(tmp_path, table, which):
    path = tmp_path / "ledger.db"
    before = fill(path)
    page, cells = leaves(path, table)[which]
    data = bytearray(path.read_bytes())
    data[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    path.write_bytes(data)
    ledger, saved, lost = rescue(str(path), NOW)
    with ledger:
        after = everything(path)
        assert len(after[table]) == len(before[table]) - cells
        gone = {row[0] for row in before["denial"]} - {row[0] for row in after["denial"]}
        kept = [row for row in before["evidence"] if row[0] not in gone]
        if table == "denial":
            assert after["evidence"] == kept
        assert set(after[table]) <= set(before[table])
        for other in ("release", "allow", "allow_prefix", "alarm", "past"):
            assert after[other] == before[other]
        assert (saved, saved + lost) == (rows(after) - 1, rows(before))
        assert ledger.impose([order(bytes((203, 0, 113, 77)))], NOW)[0].number == before_last(before) + 1


@pytest.mark.parametrize("which", [0, 1, -1])
def test_around_a_lost_page_nothing_else_is_lost_nor_searched(tmp_path, which):
    """Tables without row numbers, too; and no number is tried that was never given: `faults` counts them."""
    path = tmp_path / "ledger.db"
    with Ledger.open(str(path)) as ledger:
        ledger.impose([order(bytes((10, 0, n >> 8, n & 255)), evidence=(b"x" * 300,)) for n in range(400)], NOW)
        ledger.release(range(1, 401), NOW, note="y" * 60)
    before = everything(path)
    for table, keys in {"evidence": "denial", "release": "network, bits"}.items():
        page, cells = leaves(path, table)[which]
        data = bytearray(path.read_bytes())
        data[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
        torn = tmp_path / f"{table}.db"
        torn.write_bytes(data)
        database, faults = sqlite3.connect(torn), [0]
        found = list(_rows(database, table, keys, faults))
        database.close()
        above = 0 if table == "evidence" else 1  # its inner pages hold rows as well, of which one may stand beside the fault
        assert len(before[table]) - cells - above <= len(found) <= len(before[table]) - cells
        assert len(set(found)) == len(found)
        assert 0 < faults[0] <= cells


def before_last(tables):
    return dict(tables["sqlite_sequence"])["denial"]


def test_numbers_go_on_far_behind_where_the_last_one_is_lost(tmp_path):
    path = tmp_path / "ledger.db"
    fill(path, 50)
    database = sqlite3.connect(path)
    database.execute("DELETE FROM sqlite_sequence")
    last = database.execute("SELECT max(number) FROM denial").fetchone()[0]
    database.commit()
    database.close()
    with rescue(str(path), NOW).ledger as ledger:
        assert ledger.impose([order()], NOW)[0].number == last + LEAP + 1


def test_what_only_stands_in_the_log_is_saved_too(tmp_path):
    path = tmp_path / "ledger.db"
    fill(path, 50)
    other = tmp_path / "other/ledger.db"
    other.parent.mkdir()
    with Ledger.open(str(path)) as ledger:
        ledger.impose([order(bytes((203, 0, 113, 9)), evidence=(b"late",))], NOW)
        for suffix in ("", "-wal", "-shm"):
            (other.parent / f"ledger.db{suffix}").write_bytes((tmp_path / f"ledger.db{suffix}").read_bytes())
    done = rescue(str(other), NOW)
    with done.ledger as ledger:
        assert done.lost == 0
        assert ledger.evidence(ledger.covering(bytes((203, 0, 113, 9)))[0].number) == [b"late"]
    assert (other.parent / f"ledger.db.damaged-{STAMP}-wal").exists()


def test_a_killed_writers_file_is_looked_through(tmp_path):
    path = tmp_path / "ledger.db"
    fill(path)
    page = leaves(path, "evidence")[3][0]
    other = tmp_path / "other/ledger.db"
    other.parent.mkdir()
    with Ledger.open(str(path)) as ledger:
        ledger.impose([order(bytes((203, 0, 113, 9)))], NOW)
        for suffix in ("", "-wal", "-shm"):
            (other.parent / f"ledger.db{suffix}").write_bytes((tmp_path / f"ledger.db{suffix}").read_bytes())
    Ledger.open(str(other)).close()
    for suffix in ("-wal", "-shm"):
        (other.parent / f"ledger.db{suffix}").unlink(missing_ok=True)
    with Ledger.open(str(path)) as ledger:
        ledger.impose([order(bytes((203, 0, 113, 8)))], NOW)
        for suffix in ("", "-wal", "-shm"):
            (other.parent / f"ledger.db{suffix}").write_bytes((tmp_path / f"ledger.db{suffix}").read_bytes())
    data = bytearray(other.read_bytes())
    data[(page - 1) * PAGE : page * PAGE] = b"\xff" * PAGE
    other.write_bytes(data)
    with pytest.raises(LedgerError, match=SENTENCE):
        Ledger.open(str(other))


def test_an_older_damaged_file_is_never_overwritten(tmp_path):
    path = tmp_path / "ledger.db"
    for n in range(3):
        path.write_bytes(b"%d" % n * 600)
        rescue(str(path), NOW).ledger.close()
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == ["ledger.db", *(f"ledger.db.damaged-{STAMP}{end}" for end in ("", "-2", "-3"))]
    assert [(tmp_path / name).read_bytes()[:1] for name in kept[1:]] == [b"0", b"1", b"2"]


def test_a_sound_file_is_saved_whole(tmp_path):
    path = tmp_path / "ledger.db"
    before = fill(path)
    done = rescue(str(path), NOW)
    done.ledger.close()
    after = everything(path)
    after["meta"] = [row for row in after["meta"] if row[0] != "rescued"]
    assert after == before
    assert (done.saved, done.lost) == (rows(before), 0)
