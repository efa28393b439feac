"""Who the half without rights is: nobody else, and what it must not reach with that."""

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from monzen.lock import held
from monzen.web import reader
from monzen.web.reader import FIRST, LAST, free
from tests.browser.test_serve import PORT, Served, asked, guess, halves, machine, monzen, session
from tests.lab import live
from tests.lab.net import run, until


def process(root, pid, text):
    place = root / "proc" / str(pid)
    place.mkdir(parents=True)
    (place / "status").write_text(text)


def test_it_is_nobody_else(tmp_path, monkeypatch):
    """Whatever a process is in any way, whatever account or group there is, whatever systemd gave away."""
    wanted = FIRST + 77
    monkeypatch.setattr(reader, "_known", lambda number: number % 7 == wanted % 7 and number != wanted)
    others = [n for n in range(FIRST, LAST + 1) if n % 7 != wanted % 7]
    process(tmp_path, 1, f"Name:\tx\nUid:\t0\t{others[0]}\t{others[1]}\t{others[2]}\nGid:\t{others[3]}\t0\t0\t0\nGroups:\t{' '.join(map(str, others[4:2000]))} \n")
    given = tmp_path / "run/systemd/dynamic-uid"
    given.mkdir(parents=True)
    for number in (*others[2000:], "x"):
        (given / str(number)).touch()
    (given / f"direct:{wanted}").touch()
    assert free(str(tmp_path)) == wanted
    process(tmp_path, 2, f"Uid:\t{wanted}\t0\t0\t0\n")
    with pytest.raises(BlockingIOError):
        free(str(tmp_path))


def test_an_account_is_known():
    assert reader._known(os.getuid())
    assert FIRST <= free() <= LAST


MANY = 8


@live(net=False, seconds=60)
def test_many_that_start_in_the_same_moment_are_all_somebody_else():
    """Of a range with exactly as many users as start, each gets one; one more gets none, until one is killed."""
    reader.FIRST, reader.LAST = FIRST + 100, FIRST + 100 + MANY - 1
    ready, go = os.pipe()
    said, say = os.pipe()
    running = []

    def start():
        child = os.fork()
        if child:
            return child
        try:
            os.close(go)
            os.read(ready, 1)  # until it is closed, for all of them at once
            try:
                os.write(say, b"%d\n" % reader.become_reader())
            except OSError as error:
                os.write(say, b"%s\n" % errno.errorcode[error.errno].encode())
            signal.pause()
        finally:
            os._exit(1)

    def heard(many):
        with open(os.dup(said), encoding="ascii") as file:
            return [file.readline().strip() for _ in range(many)]

    try:
        running = [start() for _ in range(MANY)]
        os.close(go)
        drawn = heard(MANY)
        assert sorted(drawn) == [str(n) for n in range(reader.FIRST, reader.LAST + 1)], drawn
        assert {os.stat(f"/proc/{pid}").st_uid for pid in running} == set(range(reader.FIRST, reader.LAST + 1))
        ready, go = os.pipe()
        os.close(go)
        go = os.open(os.devnull, os.O_RDONLY)
        running.append(start())
        assert heard(1) == ["EAGAIN"]
        gone = running.pop(0)
        uid = os.stat(f"/proc/{gone}").st_uid
        os.kill(gone, signal.SIGKILL)
        os.waitpid(gone, 0)
        running.append(start())
        assert heard(1) == [str(uid)]
        # killed while it chooses, it keeps nobody waiting
        holder = os.fork()
        if not holder:
            with held("/run/monzen/reader.lock", 1.0):
                os.write(say, b"held\n")
                signal.pause()
        assert heard(1) == ["held"]
        running.append(start())
        os.kill(running[1], signal.SIGKILL)
        os.waitpid(running.pop(1), 0)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        assert heard(1)[0].isdigit()
        assert os.stat("/run/monzen/reader.lock").st_mode & 0o777 == 0o600
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)


REACH = """
import contextlib, os, socket, sys
guard, state, gate = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with contextlib.suppress(OSError):
    os.kill(guard, 0)
    print("signalled")
with contextlib.suppress(OSError):
    open(state, "ab").close()
    print("wrote")
with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
    link.settimeout(60)
    link.connect(gate)
    print("connected")
for place in ("/etc", "/var/lib", "/run", "/var/log"):
    for folder, _folders, files in os.walk(place):
        for name in (folder, *(os.path.join(folder, f) for f in files)):
            if "monzen" in name and os.access(name, os.W_OK) and not os.path.islink(name):
                print("may write", name)
with open("/var/log/mail.log") as log:
    print("read", len(log.read()) > 0)
"""


@contextlib.contextmanager
def started(command):
    """A process, until it says that it is ready."""
    with tempfile.TemporaryFile("w+") as said:
        running = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)

        def ready():
            said.seek(0)
            return "ready " in said.read() or running.poll() is not None

        try:
            until(ready, what=f"{command} is ready")
            assert running.poll() is None
            yield running
        finally:
            running.terminate()
            running.wait(60)


def reached(options, guard):
    command = ["setpriv", *options, "--no-new-privs", sys.executable, "-c", REACH, str(guard), "/var/lib/monzen-run/state.db", "/run/monzen/gate.sock"]
    return run(command).stdout.split("\n")[:-1]


@live(needs=("nft", "setpriv", "useradd"), seconds=120, net=False)
def test_whoever_takes_it_over_has_nothing_of_the_guards():
    """It is played here: the same user and groups. As the user `monzen`, whom it was once, all three are there."""
    machine(guess("203.0.113.1", "x", time.time()))
    home = Path("/var/lib/monzen-run")
    home.mkdir(mode=0o700, exist_ok=True)
    run(["chown", "monzen:monzen", str(home)])
    as_monzen = ["--reuid=monzen", "--regid=monzen", "--init-groups"]
    program = [sys.executable, "-m", "monzen"]
    with started([*program, "gate", "serve"]), started(["setpriv", *as_monzen, *program, "run", "--state", str(home)]) as guard:
        until((home / "state.db").exists, what="the guard")
        with Served() as served:
            known = session(served)
            (mine,) = [pid for uid, pid in halves() if uid]
            about = dict(re.findall(r"(?m)^(\w+):\t(.*)$", Path(f"/proc/{mine}/status").read_text()))
            (uid,), (gid,), groups = {*about["Uid"].split()}, {*about["Gid"].split()}, about["Groups"].split()
            assert uid == gid
            assert FIRST <= int(uid) <= LAST
            names = {line.split(":")[2]: line.split(":")[0] for line in Path("/etc/group").read_text().splitlines()}
            assert {names[g] for g in groups} <= {"adm", "systemd-journal"}
            assert "adm" in {names[g] for g in groups}
            assert (about["CapEff"], about["CapPrm"], about["CapAmb"], about["NoNewPrivs"]) == (*["0" * 16] * 3, "1")
            own = reached([f"--reuid={uid}", f"--regid={gid}", f"--groups={','.join(groups)}"], guard.pid)
            assert own == ["read True"], own
            theirs = reached(as_monzen, guard.pid)
            assert theirs[:3] == ["signalled", "wrote", "connected"], "else this shows nothing"
            # what it is for works
            page = until(lambda: (t := asked("GET", "/", known)[1].decode()) and "203.0.113.1" in t and t, what="the page")
            proof = re.search(r'"proof":"([^"]+)"', page)[1]
            good = {**known, "X-Monzen": proof, "Origin": f"http://127.0.0.1:{PORT}", "Content-Type": "application/json"}

            def do(verb, target):
                return json.loads(asked("POST", "/do", good, json.dumps({"do": verb, "target": target, "language": "en"}).encode())[1])

            assert do("deny", "203.0.113.9")["status"] == 0
            assert "203.0.113.9" in monzen("list")
            until(lambda: b'data-shown="203.0.113.9"' in asked("GET", "/", known)[1], what="the ledger, over the link")
            assert do("release", "203.0.113.9")["status"] == 0
            assert "203.0.113.9" not in monzen("list")
            # but nobody lets everybody in with it
            assert do("deny", "203.0.113.9")["status"] == 0
            for everybody in ("0.0.0.0/0", "::/0", "203.0.113.9/7"):
                for verb in ("release", "allow"):
                    answer = do(verb, everybody)
                    assert (answer["status"], "monzen release NETWORK" in answer["text"]) == (2, True), answer
            assert "203.0.113.9" in monzen("list")
            config = Path("/etc/monzen/monzen.toml")
            kept = config.read_text()
            config.write_text(kept + "[gate]\nwidest4 = 25\n")
            assert do("release", "203.0.113.0/24")["status"] == 2
            config.write_text(kept)
            assert do("release", "203.0.113.0/24")["status"] == 0
            assert "203.0.113.9" not in monzen("list")
            assert do("allow", "203.0.113.10")["status"] == 0
            assert "203.0.113.10" in monzen("allow")
            assert "203.0.113.1" in json.loads(asked("GET", "/why?target=203.0.113.1", known)[1])["text"]
        assert until(lambda: not halves(), what="both have ended")


@live(needs=("nft", "setpriv"), seconds=60, net=False)
def test_there_need_be_no_user_monzen():
    machine()
    run("userdel monzen", check=False)
    with Served() as served:
        served.address()
        assert len([pid for uid, pid in halves() if uid]) == 1
        assert "user" not in served.out.read_text()
        os.kill(next(pid for uid, pid in halves() if uid), signal.SIGTERM)
        assert until(served.ended, what="its end")


@live(needs=("nft", "unshare", "useradd"), seconds=60, net=False)
def test_where_there_is_no_other_user_it_does_not_go_on_as_root():
    """In a namespace in which there is root alone, as some containers are."""
    machine()
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-m", "monzen", "serve"],
        check=False, capture_output=True, text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "en"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "no user without rights can be had here" in done.stdout + done.stderr
    assert not halves()


@live(needs=("nft", "useradd"), seconds=60, net=False)
def test_a_table_of_places_that_only_root_may_read():
    machine(guess("203.0.113.1", "x", time.time()))
    Path("/run/places").write_text("203.0.113.0/24 JP Example Networks\n")
    Path("/run/places").chmod(0o600)
    with Served("--places", "/run/places") as served:
        known = session(served)
        until(lambda: b"Example Networks" in asked("GET", "/", known)[1], what="whose it is")
