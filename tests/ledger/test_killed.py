"""Killed, interrupted or without room at any point: every change is there wholly or not at all, and the next one works."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monzen.ledger import Knocked, Ledger, LedgerError, rescue
from monzen.ledger.file import abandoned
from tests.ledger.made import DAY, NOW, A, B, C, everything, fill, order

ROOT = Path(__file__).parent.parent.parent


def killed(task, delay, after=0):
    """Whatever `task` wrote into the pipe until it was killed: so many seconds after it had said so many things."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            task(lambda said: os.write(into, said.encode() + b"\n"))
        finally:
            os._exit(0)
    os.close(into)
    with open(out, encoding="ascii") as file:
        said = "".join(file.readline() for _ in range(after))
        time.sleep(delay)  # killed anywhere between two things that it says
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return (said + file.read()).split("\n")[:-1]


def net(n):
    return bytes((10, n >> 8 & 255, n & 255, 9))  # each in a /24 of its own


def changes(path, first):
    """One change after another, each told before and after."""

    def task(say):
        ledger = Ledger.open(path)
        n = first
        while True:
            say(f"impose {n}")
            ledger.impose([order(net(n), evidence=(b"%d a" % n, b"%d b" % n)), order(net(n)[:3] + b"\0", 24, evidence=(b"%d c" % n,))], NOW)
            say(f"allow {n}")
            ledger.allow(f"{n}.example.org", [(net(n), 32), (C, 128)], NOW, name=True)
            if n % 3 == 0:
                entries = ledger.covering(net(n))
                say(f"release {n}")
                ledger.release([e.number for e in entries], NOW)
            n += 1
            say(f"alive {n}")

    return task


def state(ledger, n):
    """What is there of the n-th changes: what belongs together is there together."""
    entries = ledger.covering(net(n))
    allowed = [a for a in ledger.allowed() if a.text == f"{n}.example.org"]
    assert [(e.bits, len(ledger.evidence(e.number))) for e in entries] in ([], [(24, 1), (32, 2)])
    assert all(len(a.prefixes) == 2 for a in allowed)
    released = ledger.released_after(net(n), 32) is not None
    assert [e.ended for e in entries] in ([], [NOW, NOW] if released else [None, None])
    return {"impose": bool(entries), "allow": bool(allowed), "release": released}


def test_killed_at_any_moment_every_change_is_whole(tmp_path):
    path, chance = str(tmp_path / "ledger.db"), random.Random(5)
    first = 0
    for _ in range(25):
        said = [line.split() for line in killed(changes(path, first), chance.uniform(0.004, 0.05))]
        with Ledger.open(path) as ledger:
            assert ledger.sound()
            assert ledger.db.execute("PRAGMA foreign_key_check").fetchall() == []
            done = [(word, int(n)) for word, n in said[:-1] if word != "alive"]
            for word, n in done:
                assert state(ledger, n)[word], f"{word} {n} was told done and is not there"
            if said:
                state(ledger, int(said[-1][1]))
        first = (int(said[-1][1]) if said else first) // 3 * 3 + 3
    assert first > 25


def test_killed_while_it_is_made(tmp_path):
    chance = random.Random(7)
    for n in range(40):
        path = str(tmp_path / f"{n}/ledger.db")
        killed(lambda _say, path=path: Ledger.open(path).impose([order()], NOW), chance.uniform(0, 0.008))
        with Ledger.open(path) as ledger:
            assert len(ledger.active(NOW)) in (0, 1)
            ledger.impose([order(B, 24)], NOW)
        assert os.listdir(tmp_path / str(n)) == ["ledger.db"]


def test_killed_while_it_is_rescued(tmp_path):
    fill(tmp_path / "whole.db", 200)
    data = bytearray((tmp_path / "whole.db").read_bytes())
    data[3 * 4096 : 4 * 4096] = bytes(4096)
    (tmp_path / "torn.db").write_bytes(data)
    shutil.copy(tmp_path / "torn.db", tmp_path / "ledger.db")
    path = str(tmp_path / "ledger.db")
    expected = rescue(path, NOW)
    expected.ledger.close()
    chance = random.Random(9)
    for n in range(25):
        folder = tmp_path / f"at{n}"
        folder.mkdir()
        path = str(folder / "ledger.db")
        shutil.copy(tmp_path / "torn.db", path)
        killed(lambda _say, path=path: rescue(path, NOW), chance.uniform(0, 0.03))
        kept = [p for p in folder.iterdir() if p.read_bytes() == bytes(data)]
        assert kept, "the damaged file is gone"
        done = rescue(path, NOW + 1)
        done.ledger.close()
        assert done.saved in (expected.saved, expected.saved + 1)  # the second time there is a note of the first


def test_two_who_make_it_at_once(tmp_path):
    path = str(tmp_path / "lib/ledger.db")
    children = []
    for n in range(6):
        child = os.fork()
        if not child:
            status = 1
            try:
                with Ledger.open(path) as ledger:
                    for k in range(20):
                        ledger.impose([order(net(n * 100 + k))], NOW)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 6
    with Ledger.open(path) as ledger:
        assert len(ledger.active(NOW)) == 120


def test_only_a_killed_process_leaves_a_file_to_be_looked_through(tmp_path):
    path = str(tmp_path / "ledger.db")
    fill(path, 5)
    assert not abandoned(path)
    with Ledger.open(path) as ledger:
        ledger.impose([order()], NOW)
        assert not abandoned(path)
    assert not abandoned(path)
    killed(changes(path, 1), 0.0, after=3)  # one change is made
    assert abandoned(path)
    with Ledger.open(path) as ledger:
        assert not abandoned(path)
        ledger.note("a", "b")
        os.rename(f"{path}-shm", f"{path}-shm.away")
        assert abandoned(path)
        os.rename(f"{path}-shm.away", f"{path}-shm")


CHANGES = {
    "impose": lambda ledger: ledger.impose([order(B, 25, evidence=(b"1", b"2")), order(A, evidence=(b"3",)), order(B, 24)], NOW),
    "settle": lambda ledger: ledger.settle([Knocked(n, 25, 6, 1, 1, NOW) for n in range(1, 9)], NOW + 2 * DAY),
    "release": lambda ledger: ledger.release([3, 4, 5], NOW, "root", "x", [(A, 24)]),
    "end": lambda ledger: ledger.end([3, 4, 5], NOW, "lost"),
    "prolong": lambda ledger: ledger.prolong([(n, NOW + 9 * DAY) for n in range(20)]),
    "allow": lambda ledger: ledger.allow("a.example.org", [(A, 32), (B, 24)], NOW, name=True),
    "resolved": lambda ledger: ledger.resolved(2, [(B, 32), (B, 24)], NOW),
    "unallow": lambda ledger: ledger.unallow("192.0.2.99", NOW),
    "alarm": lambda ledger: ledger.alarm("x", "y", NOW),
    "thin": lambda ledger: ledger.thin(NOW + 900 * DAY),
}


@pytest.mark.parametrize("name", CHANGES)
def test_interrupted_at_any_step_nothing_is_left(tmp_path, name):
    path = tmp_path / "ledger.db"
    before = fill(path, 20)
    with Ledger.open(str(path)) as ledger:
        steps, refusals = 1, 0
        while True:
            left = [steps]

            def stop(left=left):
                left[0] -= 1
                return left[0] == 0

            ledger.db.set_progress_handler(stop, 1)
            try:
                CHANGES[name](ledger)
                ledger.db.set_progress_handler(None, 1)
                break
            except LedgerError as error:
                ledger.db.set_progress_handler(None, 1)
                assert "interrupted" in str(error)  # noqa: PT017  # not each of them raises
            refusals += 1
            if refusals % 10 == 1:
                assert everything(path) == before
            steps += 1 + steps // 25
        assert refusals > 10
    assert everything(path) != before


# ---- no room

NO_ROOM = """
import resource, sys
from monzen.ledger import Ledger, LedgerError
from tests.ledger.made import order, NOW, everything
path, how = sys.argv[1:]
with Ledger.open(path) as ledger:
    done, said = 0, ""
    try:
        for n in range(5000):
            many = [order(bytes((10, n >> 8, n & 255, k)), evidence=(b"x" * 900,)) for k in range(3)]
            if how == "limit" and n == 20:
                resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            ledger.impose(many, NOW)
            done += 3
    except LedgerError as error:
        said = str(error)
        assert not error.damaged
    assert said, "there was room"
    assert len(ledger.active(NOW)) == done, "half a change is there"
    print(done, said)
with Ledger.open(path, readonly=True) as ledger:
    assert len(ledger.active(NOW)) == done
try:
    Ledger.open(path).close()
except LedgerError as error:
    print(error)
    assert not error.damaged
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if how == "disk":
    import subprocess
    subprocess.run(["mount", "-o", "remount,size=8M", sys.argv[1].rpartition("/")[0]], check=True)
with Ledger.open(path) as ledger:
    assert ledger.sound()
    ledger.impose([order(bytes((192, 0, 2, 7)))], NOW)
    assert len(ledger.active(NOW)) == done + 1
"""


def run(*command):
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "PYTHONPATH": "src", "LANG": "C"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_limit_of_size_is_a_refusal(tmp_path):
    said = run(sys.executable, "-c", NO_ROOM, str(tmp_path / "ledger.db"), "limit")
    assert "the disk refused it. Make room" in said or "the disk is full. Make room" in said
    assert int(said.split()[0]) >= 60


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
def test_a_full_disk_is_a_refusal(tmp_path):
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=600k,mode=755 none "$1/disk" && exec "$2" -c "$3" "$1/disk/ledger.db" disk'
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no mount namespaces here")
    said = run("unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, NO_ROOM)
    assert "the disk is full. Make room, and try again; what is denied stays denied" in said
    assert int(said.split()[0]) >= 9
