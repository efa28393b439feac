"""Programs of others: how they ended is known, and of a hook nothing stays, wherever it went."""

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from monzen.tell import apart
from monzen.tell.apart import Done, Rights, execute
from monzen.tell.message import TellError

WAIT = 20.0  # seconds, which none of these takes
NAP = f"61.{os.getpid()}"  # seconds that nobody sleeps but the programs of this process: other tests run beside it


def shell(text, patience=WAIT, *, bounded=True):
    return execute(["/bin/sh", "-c", text], b"input\n", Rights.ours(), patience, bounded=bounded)


def left(word):
    """Processes with this word in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it is gone
            continue
    return found


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize(("text", "status", "said"), [
    ("exit 0", 0, ""), ("cat >&2; exit 7", 7, "input"), ("kill -15 $$", -15, ""), ("echo no >&2; kill -9 $$", -9, "no"),
])  # fmt: skip
def test_how_it_ended(text, status, said, bounded):
    assert shell(text, bounded=bounded) == Done(status, said)


@pytest.mark.parametrize("bounded", [True, False])
def test_its_time_is_over(bounded):
    assert shell(f"sleep {NAP}; exit 0", 0.2, bounded=bounded).status is None
    end = time.monotonic() + WAIT
    while not bounded and left(NAP) and time.monotonic() < end:
        time.sleep(0.01)  # the shell's child is killed, and nobody here can wait for it to end
    assert left(NAP) == []


@pytest.mark.parametrize("bounded", [True, False])
def test_what_cannot_be_run_is_said(bounded):
    with pytest.raises(TellError, match="cannot run /none/such: No such file"):
        execute(["/none/such"], b"", Rights.ours(), WAIT, bounded=bounded)


@pytest.mark.parametrize("how", [
    "setsid sleep {} &", "setsid -f sleep {}", "(setsid setsid -f sleep {} &)", "setsid -f sh -c 'trap \"\" TERM HUP INT; sleep {}; sleep {}'",
    "for n in 1 2 3 4 5 6; do (setsid sh -c 'setsid sleep {} & sleep {}' &) & done",
])  # fmt: skip
@pytest.mark.parametrize("end", ["exit 3", "sleep 0.1; exit 3", "sleep {}"])
def test_nothing_of_a_hook_stays_in_a_session_of_its_own(how, end):
    started = time.monotonic()
    done = shell(f"{how}\n{end}".replace("{}", NAP), 0.5)
    assert done.status == (3 if "exit" in end else None)
    assert left(NAP) == []
    assert time.monotonic() - started < WAIT
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # nor is anything ours


def test_children_of_others_live_on():
    other = os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", NAP])
    try:
        assert shell(f"setsid -f sleep {NAP}; exit 0").status == 0
        assert os.waitpid(other, os.WNOHANG) == (0, 0)
        done = shell(f"sleep {NAP} & echo $! >&2", bounded=False)
        os.kill(int(done.said), signal.SIGKILL)  # it is there: an MTA goes on delivering
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)


ROOTS, OTHER = 0, 65534
PEOPLE = {"root": (ROOTS, ROOTS), "toor": (ROOTS, OTHER), "wheel": (OTHER, ROOTS), "alice": (OTHER, OTHER)}


@pytest.mark.parametrize(("name", "allowed"), [("root", False), ("toor", False), ("wheel", False), ("alice", True)])
def test_nobody_has_roots_rights(monkeypatch, name, allowed):
    """Neither his number nor his group, nor among the groups of another one."""
    monkeypatch.setattr(apart.pwd, "getpwnam", lambda name: SimpleNamespace(pw_uid=PEOPLE[name][0], pw_gid=PEOPLE[name][1]))
    monkeypatch.setattr(os, "getgrouplist", lambda _name, group: [group, ROOTS, 4])
    if allowed:
        assert Rights.of(name)[:2] == (OTHER, OTHER)
        assert Rights.of(name).groups == ()
        assert Rights.of(name, groups=True).groups == (OTHER, 4)
    else:
        with pytest.raises(TellError, match="has the rights of root"):
            Rights.of(name, groups=True)


def test_what_a_hook_may_take_is_bounded():
    """As docs/telling.md has it: seconds of CPU, no core, files of 16 MiB, 256 open ones, 256 processes. An MTA may take what it needs."""
    ask = "for what in t c f n u; do ulimit -$what >&2 2>&1 || echo -; done"

    def limits(*, bounded):
        said = execute(["/bin/bash", "-c", ask], b"", Rights.ours(), WAIT, bounded=bounded).said
        return said.replace("\\n", " ").split()

    assert limits(bounded=True) == ["10", "0", str(16 << 10), "256", "256"]  # of files in KiB
    assert limits(bounded=False) != limits(bounded=True)
