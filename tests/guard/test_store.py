"""What is written down is there, in order, after every accident; or it is known that it is not."""

import errno
import marshal
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.guard import store as module
from monzen.guard.store import Store, StoreError

RECORDS = [("events", [("mail.log", (b"x" * n, n), True, [(1.5, n)])]) for n in range(40)]


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "state")


def filled(folder, snapshot=10, upto=20):
    """A store with a snapshot and records behind it, closed."""
    store = Store(folder)
    store.load()
    for number, record in enumerate(RECORDS[:upto], 1):
        assert store.write(record)
        if number == snapshot:
            store.save_now({"upto": number})
    store.close()
    return store


def known(folder):
    """The snapshot and the records behind it."""
    store = Store(folder)
    try:
        state, records = store.load()
        return state, list(records)
    finally:
        store.close()


def test_the_snapshot_and_what_came_since(folder):
    filled(folder)
    assert known(folder) == ({"upto": 10}, RECORDS[10:20])
    filled(folder + "2", snapshot=0)
    assert known(folder + "2") == (None, RECORDS[:20])


def test_numbers_go_on_after_a_start_with_nothing_but_a_snapshot(folder):
    filled(folder, snapshot=20, upto=20)
    store = Store(folder)
    state, records = store.load()
    assert (state, list(records)) == ({"upto": 20}, [])
    store.write(RECORDS[20])
    store.close()
    assert known(folder) == ({"upto": 20}, [RECORDS[20]])


def test_one_process_at_a_time(folder):
    store = Store(folder)
    with pytest.raises(StoreError, match="another monzen run is at work"):
        Store(folder)
    script = f"import sys; sys.path[:0] = {sys.path!r}\nfrom monzen.guard.store import Store, StoreError\ntry: Store({folder!r})\nexcept StoreError as e: print(e)"
    assert "another monzen run is at work" in subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    store.close()
    Store(folder).close()


def test_a_snapshot_while_records_come_and_a_second_one_waits(folder):
    store = Store(folder)
    store.load()
    for record in RECORDS[:10]:
        store.write(record)
    store.save(lambda: {"upto": 10})
    store.save(lambda: {"upto": "a second one"})
    for record in RECORDS[10:20]:
        store.write(record)
    assert store.saving
    assert store.saved(wait=True) is True
    assert store.saved() is None
    assert not store.saving
    rows = store.db.execute("SELECT min(number), max(number) FROM record").fetchone()
    assert rows == (11, 20)
    store.close()
    assert known(folder) == ({"upto": 10}, RECORDS[10:20])


def ended_within(seconds, pid):
    """Whether a process that is nobody's child here any more is gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.005)  # until the kernel has ended it: it is nobody's child here
    return False


@pytest.mark.parametrize("stopped", [False, True], ids=["at work", "stopped"])
def test_the_child_of_a_killed_one_keeps_the_lock_from_nobody(folder, stopped):
    """`run` alone is killed while a snapshot is written: the next one starts at once, with all that was written down."""
    filled(folder)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            store = Store(folder)
            store.load()

            def at_work():
                os.write(writing, b"%d\n" % os.getpid())
                time.sleep(60)  # it is killed long before
                return {"upto": "never"}

            store.save(at_work)
            signal.pause()
        finally:
            os._exit(1)
    with os.fdopen(reading) as file:
        child = int(file.readline())
        if stopped:
            os.kill(child, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(writing)
        started = time.monotonic()
        assert known(folder) == ({"upto": 10}, RECORDS[10:20])
        assert time.monotonic() - started < module.DYING
        assert ended_within(5, child)


def test_a_child_whose_parent_ended_before_it_could_ask_writes_nothing(folder, monkeypatch):
    filled(folder)
    store = Store(folder)
    store.load()
    monkeypatch.setattr(module.os, "getppid", lambda: 1)
    store.save(lambda: {"upto": 20})
    assert store.saved(wait=True) is False
    store.close()
    assert known(folder) == ({"upto": 10}, RECORDS[10:20])


def test_a_snapshot_that_fails_leaves_what_was(folder, monkeypatch):
    filled(folder)
    store = Store(folder)
    store.load()
    store.save(lambda: {"not": object()})  # marshal takes none
    assert store.saved(wait=True) is False
    store.save(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert store.saved(wait=True) is False

    def refuse(*_a, **_k):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "replace", refuse)
    with pytest.raises(StoreError, match="No space left"):
        store.save_now({"upto": 20})
    monkeypatch.undo()
    store.close()
    assert known(folder) == ({"upto": 10}, RECORDS[10:20])


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_damaged_file_is_an_error_or_says_the_same(tmp_path_factory, data):
    """Whatever byte of whatever file is another one, or is missing: never other records than were written."""
    folder = str(tmp_path_factory.mktemp("damage") / "state")
    filled(folder)
    name = data.draw(st.sampled_from(["snapshot", "state.db"]))
    path = os.path.join(folder, name)
    with open(path, "rb") as file:
        body = bytearray(file.read())
    if data.draw(st.booleans()):
        del body[data.draw(st.integers(0, len(body) - 1)) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            at = data.draw(st.integers(0, len(body) - 1))
            body[at] ^= data.draw(st.integers(1, 255))
    with open(path, "wb") as file:
        file.write(body)
    try:
        state, records = known(folder)
    except StoreError:
        store = Store(folder)  # and it can begin with nothing
        store.again()
        assert store.load()[0] is None
        assert store.write(RECORDS[0])
        store.close()
        assert known(folder) == (None, RECORDS[:1])
        return
    if state is None:  # both were put aside, or the file was empty: nothing is known, so the logs are read anew
        assert records == RECORDS[: len(records)]
    else:
        assert state == {"upto": 10}
        assert records == RECORDS[10 : 10 + len(records)]


@pytest.mark.parametrize("bit", [0, 6])
def test_a_bit_of_the_snapshot_that_is_another_one_is_known(folder, bit):
    """Each of them, those of the number of its last record too: records that it has not would be passed over."""
    filled(folder)
    path = Path(folder, "snapshot")
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
        with pytest.raises(StoreError, match=r"snapshot: broken"):
            known(folder)
    path.write_bytes(good)
    assert known(folder) == ({"upto": 10}, RECORDS[10:20])


def test_a_snapshot_of_before_is_read(folder):
    """Its checksum was that of the text alone."""
    filled(folder)
    path = Path(folder, "snapshot")
    body = path.read_bytes()[module.HEAD.size :]
    path.write_bytes(module.HEAD.pack(b"monzen\x01\n", 10, len(body), zlib.crc32(body)) + body)
    assert known(folder) == ({"upto": 10}, RECORDS[10:20])
    path.write_bytes(module.HEAD.pack(b"monzen\x01\n", 10, len(body), zlib.crc32(body) ^ 1) + body)
    with pytest.raises(StoreError, match="broken"):
        known(folder)


def test_a_damaged_file_is_closed_before_it_is_put_aside(folder, monkeypatch):
    """SQLite would take its log away by its name, which is another's by then."""
    filled(folder)
    path = os.path.join(folder, "state.db")
    with open(path, "r+b") as file:
        file.write(b"x" * 100)
    open_then, discard = [], Store.discard

    def discarded(store):
        names = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        open_then.append([name for name in names if name.startswith(path)])
        discard(store)

    monkeypatch.setattr(Store, "discard", discarded)
    Store(folder).close()
    assert open_then == [[]]


@pytest.mark.parametrize("length", [1 << 40, 12 << 30, 5, 0, -5, -1])
def test_a_length_that_is_damaged_takes_no_memory(folder, length):
    filled(folder)
    path = os.path.join(folder, "snapshot")
    with open(path, "rb") as file:
        body = file.read()
    magic, last, _length, check = module.HEAD.unpack_from(body)
    with open(path, "wb") as file:
        file.write(module.HEAD.pack(magic, last, length, check) + body[module.HEAD.size :])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 28), limits[1]))
    try:
        with pytest.raises(StoreError, match="broken"):
            known(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("what", [b"", b"no database at all" * 500, None])
def test_what_is_no_database_is_put_aside(folder, what):
    filled(folder)
    path = os.path.join(folder, "state.db")
    if what is None:
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE record")
            db.execute("CREATE TABLE record (x)")
        db.close()
    else:
        with open(path, "wb") as file:
            file.write(what)
    store = Store(folder)
    state, records = store.load()
    assert list(records) == []
    assert (state is None) == (what != b"")  # an empty file is a new database, and the snapshot is still good
    assert store.write(RECORDS[0])
    store.close()


def test_a_record_that_is_missing_or_another_is_known(folder):
    filled(folder)
    with sqlite3.connect(os.path.join(folder, "state.db")) as db:
        db.execute("DELETE FROM record WHERE number = 15")
    db.close()
    with pytest.raises(StoreError, match="record 15 is missing"):
        known(folder)
    with sqlite3.connect(os.path.join(folder, "state.db")) as db:
        db.execute("INSERT INTO record VALUES (15, ?)", (marshal.dumps(("events", [])),))
    db.close()
    with pytest.raises(StoreError, match="record 15 is broken"):
        known(folder)
    os.unlink(os.path.join(folder, "snapshot"))
    with pytest.raises(StoreError, match="record 1 is missing"):
        known(folder)


def test_a_full_disk_is_mended_by_the_next_snapshot_and_nothing_is_half_there(folder):
    """SQLite is told that there is no more room: as with a full disk, the insert is refused."""
    store = Store(folder)
    store.load()
    store.save_now({"upto": 0})
    store.db.execute("PRAGMA max_page_count = 10")
    written = 0
    while store.write(("big", b"x" * 3000)):
        written += 1
        assert written < 100
    assert store.behind
    assert not store.write(("small",)), "what comes behind a hole is not written either"
    assert not store.write(("small",))
    store.db.execute("PRAGMA max_page_count = 100000")
    assert not store.write(("small",)), "though there is room again"
    assert store.number == written + 4
    store.save_now({"upto": store.number})
    assert not store.behind
    assert store.write(("after",))
    store.close()
    assert known(folder) == ({"upto": written + 4}, [("after",)])


def test_a_snapshot_begun_before_the_hole_does_not_mend_it(folder):
    store = Store(folder)
    store.load()
    store.write(RECORDS[0])
    store.save(lambda: time.sleep(0.2) or {"upto": 1})
    store.db.execute("PRAGMA max_page_count = 1")
    assert not store.write(("big", b"x" * 100_000))
    assert store.saved(wait=True)
    assert store.behind
    store.close()
    state, records = known(folder)
    assert (state, records) == ({"upto": 1}, [])


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        Store(str(tmp_path / "file" / "state"))
    link = tmp_path / "state"
    link.mkdir()
    os.symlink("/etc/passwd", link / "lock")
    with pytest.raises(StoreError, match="symbolic links"):
        Store(str(link))


def test_killed_at_any_moment_nothing_that_was_said_to_be_written_is_lost(tmp_path):
    """A child writes and takes snapshots, and says how far it is; it is killed."""
    rng = random.Random(5)
    folder = str(tmp_path / "state")
    said = 0
    for _ in range(12):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                store = Store(folder)
                state, records = store.load()
                upto = (state["upto"] if state else 0) + len(list(records))
                while True:
                    upto += 1
                    store.write(("n", upto))
                    os.write(writing, b"%d\n" % upto)
                    store.saved()
                    if upto % 50 == 0:
                        store.save(lambda upto=upto: {"upto": upto, "much": b"x" * 200_000})
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as file:
            lines = [file.readline() for _ in range(rng.randrange(1, 80))]  # so many, however fast this machine is
            time.sleep(rng.uniform(0.0, 0.01))  # killed anywhere between two things that it says
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            lines += file.readlines()
        said = max([said, *(int(line) for line in lines if line.endswith("\n"))])
        deadline = time.monotonic() + 60
        while True:  # the child of the child may be at its snapshot still
            try:
                state, records = known(folder)
                break
            except StoreError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        numbers = [n for _, n in records]
        first = state["upto"] if state else 0
        assert numbers == list(range(first + 1, first + 1 + len(numbers)))
        assert first + len(numbers) in (said, said + 1)
    assert said > 100
