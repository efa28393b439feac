"""journalctl that fails, a false one on PATH. What it does when it works is asked of the real one (tests/live/test_journal.py)."""

from __future__ import annotations

import json
import os
import select
import textwrap
import time
from pathlib import Path

import pytest

from monzen.sources.follow_journal import FIRST, LONGEST, JournalFollower
from monzen.sources.lines import MAX_LINE
from tests.sources.following import Clock


def cursor(n: int) -> str:
    return f"s=51d9;i={n:x};b=7a61;m={n * 1000:x};t={0x5F0000000 + n:x};x={n * 7919:x}"


def line(n: int, message: str = "") -> str:
    return json.dumps({"__CURSOR": cursor(n), "MESSAGE": message or f"line {n}", "_UID": "0"}, separators=(",", ":")) + "\n"


class Lab:
    """A folder with a journalctl that does what the script says, each time it is started (`$N`: the how-manieth)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        (folder / "count").write_text("0")

    def script(self, text: str) -> None:
        head = "#!/bin/sh\ncd $HERE\nN=$(($(cat count) + 1)); echo $N > count; printf '%s\\n' \"$*\" >> asked\n"
        new = self.folder / "new"
        new.write_text(head + textwrap.dedent(text))
        new.chmod(0o755)
        new.rename(self.folder / "journalctl")

    def file(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def asked(self, times: int) -> list[str]:
        """Its arguments, when it was started so many times."""
        until = time.monotonic() + 60
        while len(found := (self.folder / "asked").read_text().splitlines()) < times:
            assert time.monotonic() < until, found
            select.select([], [], [], 0.001)
        return found

    def follower(self, cursor: str | None, since: float | None = 0.0) -> JournalFollower:
        return JournalFollower(cursor, since=since, clock=self.clock)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    return Lab(tmp_path)


def drain(follower: JournalFollower) -> list[int]:
    """The lines that there are now; each waited for."""
    got: list[int] = []
    for _ in range(1000):
        block = follower.take()
        got += [int(json.loads(text)["MESSAGE"].split()[-1]) for text in block.splitlines()]
        if not block and follower.caught_up:
            return got
        if not block and (fd := follower.fileno()) is not None:
            select.select([fd], [], [], 5)
    raise AssertionError("it never catches up")


def reasons(follower: JournalFollower) -> list[tuple[str, str]]:
    found = [(word.reason, word.detail) for word in follower.words]
    follower.words.clear()
    return found


def test_what_it_is_asked(lab: Lab) -> None:
    lab.file("lines", line(1) + line(2) + line(3))
    follow = "tail -n1 lines; until [ -e more ]; do sleep 0.05; done; cat more; exec sleep 60"
    lab.script(f'case "$*" in *--follow*) {follow};; esac; cat lines')
    follower = lab.follower(None, since=1788000000.25)
    assert drain(follower) == [1, 2, 3]
    assert follower.position == cursor(3)
    lab.file("more", line(4))
    got: list[int] = []
    for _ in range(100):
        got = got or drain(follower)
        if not got:
            select.select([follower.fileno()], [], [], 0.2)
    assert got == [4]  # and not the line of the cursor, which comes again
    first, second = lab.asked(2)
    assert "--since=@1788000000.250000" in first
    assert "--follow" not in first
    assert "--follow --no-tail --cursor=" + cursor(3) in second
    assert second.endswith("SYSLOG_FACILITY=2 + SYSLOG_FACILITY=4 + SYSLOG_FACILITY=10 + _TRANSPORT=kernel")
    follower.close()
    follower = lab.follower(cursor(1))
    assert drain(follower) == [2, 3]
    follower.close()


def test_at_the_end(lab: Lab) -> None:
    lab.file("lines", line(7))
    lab.script('case "$*" in *--follow*) cat lines; exec sleep 60;; esac; cat lines')
    follower = lab.follower(None, since=None)
    assert drain(follower) == []
    assert follower.position == cursor(7)
    assert "--lines=1" in lab.asked(1)[0]
    follower.close()


def test_one_that_ends_is_started_again_later_and_later(lab: Lab) -> None:
    lab.script("echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1")
    follower = lab.follower(None)
    pause = FIRST
    for times in range(1, 12):
        assert drain(follower) == []
        assert len(lab.asked(times)) == times
        lab.clock.now += pause - 0.01
        assert follower.take() == b""
        assert follower.caught_up
        assert follower.fileno() is None
        assert len(lab.asked(times)) == times
        lab.clock.now += 0.02
        pause = min(pause * 2, LONGEST)
    assert reasons(follower) == [("journal", "No journal files were opened due to insufficient permissions.")]
    lab.file("lines", line(1))
    lab.script('cat lines; case "$*" in *--follow*) exec sleep 60;; esac')
    lab.clock.now += LONGEST
    assert drain(follower) == [1]
    follower.close()


def test_it_is_killed_within_a_line(lab: Lab) -> None:
    lab.file("lines", line(1) + line(2))
    lab.script("head -c 150 lines; kill -9 $$")
    follower = lab.follower(None)
    assert drain(follower) == [1]
    assert reasons(follower) == [("journal", "journalctl: exit status -9")]
    lab.script('cat lines; case "$*" in *--follow*) exec sleep 60;; esac')
    lab.clock.now += FIRST
    assert drain(follower) == [2]
    follower.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_cursor_that_is_refused(lab: Lab, known: bool) -> None:
    lab.file("lines", line(6))
    lab.script("""
        case "$*" in *--cursor=s=51d9*i=5*|*--cursor=?x*) echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1;; esac
        case "$*" in *--follow*) [ -e more ] && cat lines more; exec sleep 60;; esac
        cat lines
    """)
    follower = lab.follower(cursor(5) if known else "-x", since=77.0)
    assert drain(follower) == [6]
    assert [reason for reason, _ in reasons(follower)] == ["cursor"]
    micro = 0x5F0000005 + 1
    wanted = f"--since=@{micro // 1_000_000}.{micro % 1_000_000:06d}" if known else "--since=@77.000000"
    assert wanted in lab.asked(2)[1]
    assert "--cursor=" + cursor(6) in lab.asked(3)[2]
    follower.close()


def test_a_client_cannot_forge_a_cursor(lab: Lab) -> None:
    forged = 'x","__CURSOR":"' + cursor(99) + '","a":"b 1'
    lab.file("lines", line(1, forged) + '{"MESSAGE":"\\"__CURSOR\\":\\"s=9\\" 2"}\n')
    lab.script("cat lines; exec sleep 60")
    follower = lab.follower(None)
    for _ in range(100):
        if follower.take():
            break
        fd = follower.fileno()
        assert fd is not None
        select.select([fd], [], [], 5)
    assert follower.position == cursor(1)
    follower.close()


def test_long_lines_and_remarks_are_left_out(lab: Lab) -> None:
    lab.file("lines", line(1) + "-- Boot 7a --\n" + line(2, "x" * (MAX_LINE + 1) + " 2") + line(3, "y" * 400_000 + " 3") + line(4))
    lab.script('case "$*" in *--follow*) tail -n1 lines; exec sleep 60;; esac; cat lines')
    follower = lab.follower(None)
    assert drain(follower) == [1, 4]
    assert follower.skipped == 2
    follower.close()


def test_journalctl_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    clock = Clock()
    follower = JournalFollower(None, since=0.0, clock=clock)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        assert follower.take() == b""
        assert follower.caught_up
        clock.now += LONGEST
    assert [(w.reason, w.detail) for w in follower.words] == [("journal", "journalctl: No such file or directory")]
    assert len(os.listdir("/proc/self/fd")) == before
    follower.close()


def test_nothing_is_left_behind(lab: Lab) -> None:
    lab.script("echo $$ > pid; exec sleep 60")
    before = len(os.listdir("/proc/self/fd"))
    follower = lab.follower(None)
    follower.take()
    for _ in range(10_000):
        if (lab.folder / "pid").exists() and (lab.folder / "pid").read_text().strip():
            break
        select.select([], [], [], 0.001)
    pid = int((lab.folder / "pid").read_text())
    follower.close()
    follower.close()
    assert not Path(f"/proc/{pid}").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_flood_does_not_hold_it_up(lab: Lab) -> None:
    """Each take() gives a block and comes back, however much there is."""
    lab.file("lines", line(1) * 1000)
    lab.script("while cat lines; do :; done")
    follower = lab.follower(None)
    given: list[int] = []
    while len(given) < 20:
        if block := follower.take(1 << 16):
            given.append(len(block))
            assert not follower.caught_up
        elif (fd := follower.fileno()) is not None:
            select.select([fd], [], [], 5)
    assert max(given) <= (1 << 16) + MAX_LINE
    follower.close()




@pytest.mark.parametrize("here", [True, False])
def test_the_line_where_it_stood_is_not_given_again_and_where_that_is_gone_none_is_left_out(lab: Lab, here: bool) -> None:
    """journald forgets its oldest lines: then the first that comes is a new one. A flush from /run to /var gives lines other numbers."""
    lab.file("lines", (line(3).replace("s=51d9;i=3", "s=77aa;i=99") if here else "") + line(5) + line(6))
    lab.script('case "$*" in *--follow*) tail -n1 lines; exec sleep 60;; esac; cat lines')
    follower = lab.follower(cursor(3))
    assert drain(follower) == [5, 6]
    assert follower.position == cursor(6)
    follower.close()
