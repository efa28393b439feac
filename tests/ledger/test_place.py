"""Where a ledger is kept, and who may read it."""

import os
import signal
import stat
import tempfile
from pathlib import Path

import pytest

from monzen.ledger import Ledger, LedgerError
from monzen.ledger.place import check_folder
from tests.ledger.made import NOW, fill, order

NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder():
    """A folder that others may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def as_nobody(task):
    """What `task` says, as an ordinary user in a process of its own."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            said = task()
        except BaseException as error:  # noqa: BLE001  # whatever it was, the parent shall see it
            said = f"{type(error).__name__}: {error}"
        os.write(into, str(said).encode())
        os._exit(0)
    os.close(into)
    with open(out, "rb") as file:
        said = file.read().decode()
    os.waitpid(child, 0)
    return said


def test_folder_and_file_are_made_for_us_and_our_group_alone(tmp_path):
    path = tmp_path / "a/b/ledger.db"
    before = os.umask(0)
    try:
        with Ledger.open(str(path)) as ledger:
            ledger.impose([order()], NOW)
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
            assert modes == {"ledger.db": 0o640, "ledger.db-wal": 0o640, "ledger.db-shm": 0o640}
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    assert [p.name for p in path.parent.iterdir()] == ["ledger.db"]


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o752])
def test_a_folder_that_others_write_is_refused(tmp_path, mode, readonly):
    path = tmp_path / "lib/ledger.db"
    fill(path, 3)
    path.parent.chmod(mode)
    with pytest.raises(LedgerError, match=r"may be written by others, or is a link.*chown root .*/lib; chmod go-w"):
        Ledger.open(str(path), readonly=readonly)


@pytest.mark.parametrize("mode", [0o777, 0o702])
def test_a_folder_on_the_way_that_others_write_is_refused(tmp_path, mode):
    path = tmp_path / "var/lib/ledger.db"
    path.parent.mkdir(parents=True)
    path.parent.parent.chmod(mode)
    with pytest.raises(LedgerError, match="/var may be written by others"):
        Ledger.open(str(path))
    path.parent.parent.chmod(0o1777)
    Ledger.open(str(path)).close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("readonly", [False, True])
def test_a_link_is_not_followed(tmp_path, suffix, readonly):
    path = tmp_path / "lib/ledger.db"
    fill(path, 3)
    victim = tmp_path / "victim"
    victim.write_bytes(path.read_bytes())
    before = victim.stat()
    path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.with_name(path.name + suffix).symlink_to(victim)
    with pytest.raises(LedgerError, match="is a link"):
        Ledger.open(str(path), readonly=readonly)
    assert victim.stat() == before


def test_a_dangling_link_makes_no_file(tmp_path):
    (tmp_path / "ledger.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="is a link"):
        Ledger.open(str(tmp_path / "ledger.db"))
    assert not (tmp_path / "elsewhere").exists()


def test_the_folder_itself_is_no_link_but_one_on_the_way_may_be(tmp_path):
    (tmp_path / "real/lib").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    Ledger.open(str(tmp_path / "link/lib/ledger.db")).close()
    assert (tmp_path / "real/lib/ledger.db").exists()
    with pytest.raises(LedgerError, match="is a link"):
        Ledger.open(str(tmp_path / "link/ledger.db"))
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(LedgerError, match="is a link"):
        check_folder(str(tmp_path / "a/lib"))


@pytest.mark.parametrize("mode", [0o666, 0o642])
def test_a_file_that_others_write_is_refused(tmp_path, mode):
    path = tmp_path / "ledger.db"
    fill(path, 3)
    path.chmod(mode)
    for readonly in (False, True):
        with pytest.raises(LedgerError, match="may be written by others"):
            Ledger.open(str(path), readonly=readonly)


def test_no_plain_file_is_refused(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerError, match="no plain file"):
        Ledger.open(str(tmp_path / "ledger.db"))
    os.mkfifo(tmp_path / "pipe.db")
    with pytest.raises(LedgerError, match="no plain file"):
        Ledger.open(str(tmp_path / "pipe.db"), readonly=True)


@root
def test_what_belongs_to_somebody_else_is_refused(tmp_path):
    path = tmp_path / "lib/ledger.db"
    fill(path, 3)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(LedgerError, match="may be written by others"):
        Ledger.open(str(path))
    os.chown(path, 0, 0)
    os.chown(path.parent, NOBODY, 0)
    with pytest.raises(LedgerError, match="/lib may be written by others"):
        Ledger.open(str(path))


def test_readonly_makes_nothing(tmp_path):
    with pytest.raises(LedgerError, match=r"there is no ledger at .*ledger.db: monzen has not denied anybody"):
        Ledger.open(str(tmp_path / "ledger.db"), readonly=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LedgerError, match="there is no ledger at"):  # nor its folder
        Ledger.open(str(tmp_path / "lib/ledger.db"), readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_readonly_cannot_write(tmp_path):
    fill(tmp_path / "ledger.db", 3)
    with Ledger.open(str(tmp_path / "ledger.db"), readonly=True) as ledger:
        for change in (lambda: ledger.impose([order()], NOW), lambda: ledger.thin(NOW), lambda: ledger.note("a", "b")):
            with pytest.raises(LedgerError, match=r"it may only be read"):
                change()


@pytest.mark.parametrize("beside", ["nothing", "writer", "killed"])
def test_readonly_leaves_nothing_beside_the_file(tmp_path, beside):
    """SQLite's own `mode=ro` leaves an empty log and its index; root's, too, where they could be made."""
    path = tmp_path / "ledger.db"
    fill(path, 30)
    writer = None
    if beside == "writer":
        writer = Ledger.open(str(path))
        writer.impose([order()], NOW)
    elif beside == "killed":
        child = os.fork()
        if child == 0:
            Ledger.open(str(path)).impose([order()], NOW)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)

    def tree():
        found = {at.name: (at.stat().st_ino, at.stat().st_size, at.stat().st_mtime_ns) for at in tmp_path.iterdir()}
        # to close these files would take the locks of a writer in this process away
        return found, {} if writer is not None else {name: (tmp_path / name).read_bytes() for name in found}

    before = tree()
    assert len(before[0]) == (1 if beside == "nothing" else 3)
    for _look in range(2):
        with Ledger.open(str(path), readonly=True) as ledger:
            assert len(ledger.active(NOW)) == (30 if beside == "nothing" else 31)
            assert ledger.sound()
    assert tree() == before
    if writer is not None:
        writer.close()


def test_nothing_is_an_empty_ledger_and_no_file(tmp_path):
    with Ledger.nothing(str(tmp_path / "ledger.db")) as ledger:
        assert (ledger.active(NOW), ledger.allowed(), ledger.releases(), ledger.count()) == ([], [], [], 0)
    assert list(tmp_path.iterdir()) == []


# ---- an ordinary user


@root
@pytest.mark.parametrize("beside", ["nothing", "writer", "killed"])
def test_who_may_read_the_file_reads_it(folder, beside):
    path = folder / "ledger.db"
    fill(path, 30)
    path.chmod(0o644)
    writer = None
    if beside != "nothing":
        writer = Ledger.open(str(path))
        writer.impose([order()], NOW)
    if beside == "killed":
        copy = folder / "copy"
        copy.mkdir(mode=0o755)
        for name in os.listdir(folder):
            if name.startswith("ledger.db"):
                (copy / name).write_bytes((folder / name).read_bytes())
        path = copy / "ledger.db"

    def read():
        with Ledger.open(str(path), readonly=True) as ledger:
            return len(ledger.active(NOW)), ledger.noted("reconciled"), ledger.counts(NOW)[:2]

    before = sorted(os.listdir(path.parent))
    here = Ledger.open(str(path), readonly=True) if beside == "writer" else None
    expected = 31 if writer else 30
    assert as_nobody(read) == str((expected, str(NOW), (expected, 2)))
    assert sorted(os.listdir(path.parent)) == before
    for open_one in (here, writer):
        if open_one is not None:
            open_one.close()


@root
def test_who_may_not_read_it_is_told_so(folder):
    fill(folder / "lib/ledger.db", 3)
    path = str(folder / "lib/ledger.db")
    said = as_nobody(lambda: Ledger.open(path, readonly=True))
    assert said.startswith(f"LedgerError: cannot open {path}: Permission denied. Run as root")
    (folder / "lib").chmod(0o755)
    assert "LedgerError: cannot open" in as_nobody(lambda: Ledger.open(path, readonly=True))
    (folder / "lib/ledger.db").chmod(0o644)
    assert "LedgerError: cannot" in as_nobody(lambda: Ledger.open(path))


@root
def test_a_log_without_its_index_is_said_to_be_unreadable(folder):
    """Whoever took the index away did so by hand: what is in the log cannot be read without it, and is not left out in silence."""
    path = folder / "ledger.db"
    with Ledger.open(str(path)) as ledger:
        ledger.impose([order()], NOW)
        copy = folder / "copy.db"
        copy.write_bytes(path.read_bytes())
        (folder / "copy.db-wal").write_bytes((folder / "ledger.db-wal").read_bytes())
    assert "it is being written" in as_nobody(lambda: Ledger.open(str(copy), readonly=True))
    with Ledger.open(str(copy), readonly=True) as ledger:
        assert len(ledger.active(NOW)) == 1


def test_readers_read_while_a_writer_writes(tmp_path):
    path = str(tmp_path / "ledger.db")
    fill(path, 10)
    with Ledger.open(path) as writer, Ledger.open(path, readonly=True) as reader:
        with writer._change():
            writer._end([5], NOW, "lost")
            assert len(reader.active(NOW)) == 10
            assert reader.find(5).ended is None
        assert len(reader.active(NOW)) == 9
