"""What else happens to log files: links, pipes, permissions, editors, holes, damaged archives, and nothing at all."""

from __future__ import annotations

import gzip
import itertools
import os
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monzen.sources.follow import GONE, LATE, QUIET, Follower
from monzen.sources.lines import MAX_LINE
from tests.sources.following import NOW, Following, Log
from tests.sources.made import PACK


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def followed(log: Log, count: int = 3) -> Following:
    """One who has read so many lines."""
    log.write(count)
    made = Following(log.path)
    made.drain()
    assert made.got == log.lines
    return made


def test_a_file_that_appears_later(log: Log) -> None:
    following = Following(log.path)
    following.drain()
    assert following.words == ["missing"]
    following.again()
    log.write(3)
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_a_file_that_is_missing_for_long_is_worth_a_word_and_no_more(log: Log) -> None:
    following = followed(log)
    log.rename(create=False)
    for _ in range(25):
        following.drain()
        following.clock.now += 1
    assert following.words == []
    for _ in range(600):
        following.drain()
        following.clock.now += 1
    assert following.words == ["missing"]
    log.write()
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_half_a_line_waits(log: Log) -> None:
    following = followed(log)
    line = log.line()
    for cut in range(0, len(line), 7):
        with log.path.open("ab") as file:
            file.write(line[cut : cut + 7])
        if cut + 7 < len(line):
            assert following.take() == b""
            assert following.follower.caught_up
            following.again()
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_half_a_line_that_is_rotated_away_is_none(log: Log) -> None:
    """Its other half may name another address."""
    following = followed(log)
    with log.path.open("ab") as file:
        file.write(b"Nov 25 10:00:00 mail postfix/smtpd[7]: connect from unknown[192.0.2.1")
    log.rename()
    log.write()
    following.drain()
    assert following.got == log.lines
    assert following.follower.skipped == 0
    following.clock.now += QUIET + 1
    following.drain()
    assert following.follower.skipped == 1
    following.follower.close()


@pytest.mark.parametrize("away", [False, True])
def test_one_who_goes_on_writing_to_the_old_file(log: Log, away: bool) -> None:
    following = followed(log)
    log.rename()
    old = log.rotated(1)
    log.write()
    following.drain()
    for _ in range(3):
        log.write(to=old)
        if away:
            following.again()
        following.drain()
        following.clock.now += QUIET - 10
        following.drain()
    assert following.got == log.lines
    following.clock.now += 20
    following.drain()
    log.write(to=old)
    log.lines.pop()
    following.drain()
    assert following.got == log.lines  # too late
    following.follower.close()


def test_what_was_removed_is_not_held_for_long(log: Log) -> None:
    following = followed(log)
    log.rename()
    old = log.rotated(1)
    log.write()
    following.drain()
    with old.open("ab") as late:
        log.compress(1)
        late.write(log.line())
    following.drain()
    assert following.got == log.lines
    before = len(os.listdir("/proc/self/fd"))
    following.clock.now += GONE + 1
    following.drain()
    assert len(os.listdir("/proc/self/fd")) == before - 1
    following.again()
    log.write()
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_it_holds_few_files_open_and_gives_all_back(log: Log) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        log.write(2)
        log.rename()
    following = followed(log)
    assert len(os.listdir("/proc/self/fd")) <= before + 1 + LATE
    assert len(following.follower.position[1]) == 20 * 8
    following.follower.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_truncated_without_a_copy(log: Log) -> None:
    """What was not read is lost; nothing comes twice; and somebody hears of it."""
    following = followed(log)
    log.write(2)
    os.truncate(log.path, 0)
    del log.lines[3:]
    log.write(1)
    following.drain()
    assert following.got == log.lines
    assert following.words == ["cut-off"]
    os.truncate(log.path, 0)
    log.write(50)  # beyond where it stood
    following.drain()
    assert following.got == log.lines
    following.again()
    os.truncate(log.path, 0)
    following.drain()
    following.again()
    log.write(50)
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_shortened_to_what_was_read_already(log: Log) -> None:
    following = followed(log, 10)
    os.truncate(log.path, log.path.stat().st_size // 2)
    following.drain()
    with log.path.open("ab") as file:
        file.write(b"\n")
    log.write(30)
    following.drain()
    assert following.got[:10] == log.lines[:10]
    assert len(set(following.got)) == len(following.got)
    assert following.got[-29:] == log.lines[-29:]
    assert following.words == ["cut-off"]
    following.follower.close()


@pytest.mark.parametrize("away", [False, True])
def test_an_editor_writes_it_anew(log: Log, away: bool) -> None:
    """sed -i: another file, which begins as before and lacks a line that was read."""
    following = followed(log, 10)
    position = following.follower.position
    new = log.path.with_name("sed-x")
    new.write_bytes(b"".join(log.lines[:4] + log.lines[5:]))
    new.rename(log.path)
    log.write(3)
    if away:
        following.follower.close()
        following.follower = Follower(str(log.path), position, since=0.0, now=NOW, clock=following.clock)
    following.drain()
    assert following.got == log.lines
    assert following.words == []
    following.follower.close()


def test_a_rotation_that_is_taken_back(log: Log) -> None:
    following = followed(log)
    log.rename()
    log.write()
    following.drain()
    log.rotated(1).rename(log.path)
    following.drain()
    log.write(2)
    following.drain()
    assert following.got == log.lines
    following.again()
    log.write(2)
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_copytruncate_under_one_who_does_not_append(log: Log) -> None:
    """Its next line stands at its old offset, behind as many NULs."""
    log.write(5000)
    with log.path.open("r+b") as writer:
        writer.seek(0, 2)
        following = followed(log, 0)
        for _ in range(3):
            writer.write(log.line())
            writer.flush()
            log.copytruncate()
            writer.write(log.line())
            writer.flush()
            following.drain()
            assert following.got == log.lines
            following.again()
    following.follower.close()


def test_a_large_hole_is_not_read(log: Log) -> None:
    log.path.touch()
    os.truncate(log.path, 1 << 36)
    log.write(2)
    following = Following(log.path)
    before = time.process_time()
    following.drain()
    assert time.process_time() - before < 5
    assert following.got == log.lines
    following.again()
    log.write()
    following.drain()
    assert following.got == log.lines
    following.follower.close()


@pytest.mark.parametrize("most", [1, 1 << 18])
def test_lines_without_an_end(log: Log, most: int) -> None:
    following = followed(log)
    following.most = most
    with log.path.open("ab") as file:
        for length in (MAX_LINE, MAX_LINE + 1, 40 << 20):
            file.write(b"x" * length + b"\n")
            file.write(log.line())
    following.drain()
    following.got.remove(b"x" * MAX_LINE + b"\n")
    assert following.got == log.lines
    assert following.follower.skipped == 2
    following.follower.close()


def test_killed_inside_a_line_without_an_end(log: Log) -> None:
    following = followed(log)
    with log.path.open("ab") as file:
        file.write(b"x" * 300_000)
    following.drain()
    following.again()
    with log.path.open("ab") as file:
        file.write(b"x" * 300_000 + b"\n")
    log.write()
    following.drain()
    assert following.got == log.lines
    following.follower.close()


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_file_never_blocks(log: Log, kind: str) -> None:
    following = followed(log)
    log.rename(create=False)
    if kind == "fifo":
        os.mkfifo(log.path)
    elif kind == "folder":
        log.path.mkdir()
    else:
        log.path.symlink_to("/dev/zero")
    for _ in range(5):
        following.drain()
    assert following.words == ["not-a-file"]
    following.again()
    following.drain()
    log.path.rmdir() if kind == "folder" else log.path.unlink()
    log.write()
    following.drain()
    assert following.got == log.lines
    following.follower.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who may not read")
def test_permission_lost_and_regained(log: Log) -> None:
    for folder in (log.path.parent, *[f for f in log.path.parents if f.owner() == "root" and f not in (Path("/"), Path("/tmp"))]):
        folder.chmod(0o755)
    log.write(3)
    log.path.chmod(0o644)
    os.seteuid(65534)
    try:
        following = Following(log.path)
        following.drain()
        os.seteuid(0)
        log.rename()
        log.path.chmod(0o600)
        log.write(2)
        os.seteuid(65534)
        for _ in range(100):
            following.drain()
        assert following.words == ["unreadable"]
        following.again()
        following.drain()
        os.seteuid(0)
        log.path.chmod(0o644)
        os.seteuid(65534)
        following.drain()
        assert following.got == log.lines
        following.follower.close()
    finally:
        os.seteuid(0)


def test_a_link_that_moves(tmp_path: Path) -> None:
    """A log for each day, and a link to that of today; and then a link into another folder."""
    days = [Log(tmp_path / "log", f"mail-202611{day}.log") for day in (24, 25, 26)]
    days.append(Log(tmp_path / "new", "mail.log"))
    link = tmp_path / "mail.log"
    written: list[bytes] = []
    following: Following | None = None
    for n, day in enumerate(days):
        day.number = 100 * n
        day.write(3)
        link.unlink(missing_ok=True)
        link.symlink_to(day.path)
        following = following or Following(link)
        written += day.lines
        if n % 2:
            following.again()
        following.drain()
        assert following.got == written
        days[n].write(2)
        written += day.lines[3:]
    assert following
    following.drain()
    assert following.got == written
    following.follower.close()


def test_a_damaged_archive_costs_its_rest_and_a_word(log: Log) -> None:
    following = followed(log)
    log.write(5000)
    log.rename()
    log.compress(1)
    data = log.rotated(1).read_bytes()
    log.rotated(1).write_bytes(data[: len(data) // 2])
    log.rename()
    log.write(2)
    following.again()
    following.drain()
    assert following.words == ["truncated"]
    assert following.got == log.lines[: len(following.got) - 2] + log.lines[-2:]
    assert len(following.got) > 1000
    following.follower.close()


@pytest.mark.parametrize("form", sorted(PACK))
def test_killed_within_an_archive(log: Log, form: str) -> None:
    log.write(3000)
    log.rename()
    log.compress(1, form)
    log.write(3)
    following = Following(log.path, most=10_000)
    while following.got != log.lines:
        assert following.take()
        following.again()
        assert b"".join(following.got).endswith(following.follower.behind)
        assert 0 < len(following.follower.behind) <= 8192 or len(following.got) >= 3000
    following.follower.close()


def test_what_is_behind(log: Log) -> None:
    following = followed(log, 300)
    following.again()
    assert following.follower.behind == b"".join(log.lines)[-8192:].partition(b"\n")[2]
    log.rename()
    log.compress(1)
    following.again()
    assert following.follower.behind == b"".join(log.lines)[-8192:].partition(b"\n")[2]
    following.follower.close()


def test_the_time_of_the_last_write(log: Log) -> None:
    log.write(1)
    log.rename()
    os.utime(log.rotated(1), (5000, 5000))
    log.write(1)
    os.utime(log.path, (6000, 6000))
    follower = Follower(str(log.path), None, since=0.0, now=NOW)
    seen = [follower.mtime]
    while follower.take():
        seen.append(follower.mtime)
    assert seen == [NOW, 5000.0, 6000.0]
    follower.close()


def test_a_file_that_vanished_with_what_was_not_read(log: Log) -> None:
    following = followed(log)
    log.write(2)
    position = following.follower.position
    following.follower.close()
    log.path.unlink()
    del log.lines[3:]
    log.write(2)
    following.follower = Follower(str(log.path), position, since=0.0, now=NOW)
    following.drain()
    assert following.got == log.lines
    assert following.words == ["lost"]
    following.follower.close()


def test_the_disk_refuses(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    following = followed(log)
    log.write(2)
    real = os.pread

    def refuse(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", refuse)
    for _ in range(50):
        assert following.take() == b""
    assert following.words == ["unreadable"]
    monkeypatch.setattr(os, "pread", real)
    following.drain()
    assert following.got == log.lines
    following.follower.close()


def test_rotated_while_the_folder_is_read(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """logrotate renames under our eyes: a name that was listed stands for the next file by the time it is opened."""
    following = followed(log)
    for _ in range(3):
        log.write(2)
        log.rename()
    log.write(2)
    real, turns = os.open, iter(range(1000))

    def opened(path: str, *rest: int, **more: int) -> int:
        if next(turns) in (2, 5):
            log.rename()
            log.write(1)
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    following.again()
    following.drain()
    monkeypatch.setattr(os, "open", real)
    assert following.got == log.lines
    following.follower.close()


@pytest.mark.parametrize("how", ["rename", "compress", "compress-both", "copytruncate", "twice"])
@pytest.mark.parametrize("call", ["open", "listdir", "stat"])
def test_rotated_at_any_moment_of_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, call: str) -> None:
    """What it stood in has another name, or is an archive, by the time it is opened: at whichever call into the kernel that happens."""

    def rotate(log: Log) -> None:
        if how == "copytruncate":
            log.copytruncate()
        else:
            log.rename()
        if how == "compress-both" and log.rotated(2).suffix != ".gz":
            log.compress(2)
        if how.startswith("compress"):
            log.compress(1)
        log.write(1)
        if how == "twice":
            log.rename()
            log.write(1)

    real, moment, happened = getattr(os, call), 0, True
    while happened:
        happened = False
        log = Log(tmp_path / str(moment))
        for number in range(3):
            log.write(2)
            if number:
                log.rename()
        log.write(2)
        following = followed(log)
        log.write(3)  # what was not read yet
        turns = itertools.count()

        def called(*rest: Any, turns: Iterator[int] = turns, at: int = moment, log: Log = log, **more: Any) -> Any:
            nonlocal happened
            if next(turns) == at:
                happened = True
                rotate(log)
            return real(*rest, **more)

        monkeypatch.setattr(os, call, called)
        following.again()
        following.drain()
        monkeypatch.setattr(os, call, real)
        following.drain()
        assert (moment, following.got) == (moment, log.lines)
        assert not following.words
        following.follower.close()
        moment += 1
    assert moment > 5


@pytest.mark.parametrize(("seen", "call"), [*((False, c) for c in ("pread", "fstat", "stat", "listdir", "open")), (True, "stat"), (True, "fstat")])
def test_the_last_lines_of_a_rotated_file_come_before_the_first_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: bool, call: str
) -> None:
    """A writer that had the old file open wrote to both, one after the other, while we look from one to the other."""
    real, moment, happened = getattr(os, call), 0, True
    while happened:
        happened = False
        log = Log(tmp_path / str(moment))
        following = followed(log)
        log.rename()
        if seen:  # it holds the old one and reads the new one
            log.write(2)
            following.drain()
        turns = itertools.count()

        def called(*rest: Any, turns: Iterator[int] = turns, at: int = moment, log: Log = log, **more: Any) -> Any:
            nonlocal happened
            if next(turns) == at:
                happened = True
                log.write(2, to=log.rotated(1))
                log.write(2)
            return real(*rest, **more)

        monkeypatch.setattr(os, call, called)
        following.drain()
        monkeypatch.setattr(os, call, real)
        following.drain()
        assert (moment, following.got) == (moment, log.lines)
        following.follower.close()
        moment += 1
    assert moment > 1


def test_memory_is_flat(log: Log) -> None:
    with log.path.open("wb") as file:
        for _ in range(600):
            file.write(b"".join(log.line() for _ in range(1000)))
    log.lines.clear()
    with log.path.with_name("mail.log.1.gz").open("wb") as packed, log.path.open("rb") as plain:
        packed.write(gzip.compress(b"first\n" + plain.read()))
    follower = Follower(str(log.path), None, since=0.0, now=NOW)
    tracemalloc.start()
    count = 0
    while block := follower.take():
        count += block.count(b"\n")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1_200_001
    assert most < 4 << 20
    follower.close()


def test_at_rest_it_costs_nothing(log: Log) -> None:
    """Two stats: 2 us measured 2026-11; the limit leaves room for a busy machine."""
    following = followed(log)
    follower = following.follower
    best = min(_seconds(follower) for _ in range(20))
    assert best < 50e-6
    log.path.unlink()
    assert min(_seconds(follower) for _ in range(20)) < 50e-6
    following.follower.close()


def _seconds(follower: Follower) -> float:
    started = time.perf_counter()
    for _ in range(100):
        follower.take()
    return (time.perf_counter() - started) / 100


@pytest.mark.parametrize("since", [None, 2500.0])
def test_nothing_is_new_enough(log: Log, since: float | None) -> None:
    """A log that is named later on: it begins at the end."""
    for at in (1000, 2000):
        log.write(2)
        os.utime(log.path, (at, at))
        if at == 1000:
            log.rename()
    following = Following(log.path, since=since)
    log.write(3)
    following.drain()
    assert following.got == log.lines[4:]
    following.follower.close()


def test_an_editor_takes_out_the_first_and_the_last_line(log: Log) -> None:
    """Nothing of what tells a text is left but a line before the last."""
    following = followed(log, 3)
    for line in (0, 1):
        lines = log.path.read_bytes().splitlines(keepends=True)
        new = log.path.with_name("sed")
        new.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
        new.rename(log.path)
    following.drain()
    log.write(1)
    following.drain()
    assert following.got == log.lines


@pytest.mark.parametrize("which", ["mail.log.1", "mail.log"])
def test_a_copy_beside_the_file_is_read_once(log: Log, which: str) -> None:
    """`gzip -k`, or gzip at work: the plain file is still there. When that goes the copy takes its place, and nothing is read anew."""
    log.write(5)
    log.rename()
    log.write(5)
    plain = log.path.with_name(which)
    copy = plain.with_name(which + ".gz")
    copy.write_bytes(gzip.compress(plain.read_bytes()))
    following = Following(log.path)
    following.drain()
    assert following.got == log.lines
    if which != "mail.log":
        plain.unlink()
    log.write(2)
    following.drain()
    assert following.got == log.lines
    assert following.words == []


def test_history_has_all_files_behind_the_first_that_is_new_enough(log: Log) -> None:
    """Also one whose time is older: it was touched, or restored."""
    for at in (1000, 3000, 1500, 4000):
        log.write(2)
        os.utime(log.path, (at, at))
        if at != 4000:
            log.rename()
    following = Following(log.path, since=2500.0)
    following.drain()
    assert following.got == log.lines[2:]
    following.follower.close()



@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("first", [0, 2])
def test_rotated_by_hand_with_a_copy(log: Log, away: bool, first: int) -> None:
    """`mv mail.log mail.log.1; cp mail.log.1 mail.log`: the new one begins with what was read."""
    if first:
        log.write(first)
        log.rename()
    following = followed(log) if not first else Following(log.path)
    if first:
        log.write(3)
        following.drain()
    log.shift()
    log.path.rename(log.rotated(1))
    log.path.write_bytes(log.rotated(1).read_bytes())
    log.write(2)
    if away:
        following.again()
    following.drain()
    log.write(2)
    following.drain()
    assert following.got == log.lines
    following.follower.close()



def test_written_anew_with_as_many_bytes(log: Log) -> None:
    """Truncated and filled between two looks: its size is what it was, and its lines are others."""
    following = followed(log)
    size = log.path.stat().st_size
    following.drain()
    lines = [log.line(), log.line(), log.line()]
    body = b"".join(lines)
    padded = body[:-1].ljust(size - 1, b"x")[: size - 1] + b"\n"
    log.lines[3:] = padded.splitlines(keepends=True)
    with log.path.open("r+b") as file:
        file.write(padded)
    os.utime(log.path, (NOW, NOW))
    assert log.path.stat().st_size == size
    following.drain()
    assert following.got == log.lines
    assert following.words == ["cut-off"]
    following.follower.close()


def test_an_archive_of_another_text_beside_a_file_of_that_name_is_read(log: Log) -> None:
    """As where logrotate was told to compress at another time than before: only a copy is passed over."""
    log.write(3)
    log.rename()
    log.compress(1)
    os.utime(log.path.with_name("mail.log.1.gz"), (NOW - 200, NOW - 200))
    log.path.unlink()
    log.path.write_bytes(b"".join(log.line() for _ in range(3)))
    log.path.rename(log.path.with_name("mail.log.1"))
    os.utime(log.path.with_name("mail.log.1"), (NOW - 100, NOW - 100))
    log.write(3)
    following = Following(log.path)
    following.drain()
    assert sorted(following.got) == sorted(log.lines)
    following.follower.close()


@pytest.mark.parametrize("away", [False, True])
def test_copied_a_moment_before_what_was_read_last(log: Log, away: bool) -> None:
    """copytruncate: a line came between the copy and the cut, and we had read it. Nothing of the copy is left to be read, and nothing is wrong."""
    following = followed(log)
    log.rotated(1).write_bytes(log.path.read_bytes())
    log.write(1)
    following.drain()
    os.truncate(log.path, 0)
    if away:
        following.again()
    log.write(2)
    following.drain()
    assert following.got == log.lines
    assert following.words == []
    following.follower.close()
