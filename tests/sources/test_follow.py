"""Following a log: every line once and in order, through everything that happens to log files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monzen.sources.follow import Follower
from tests.sources.following import NOW, Following, Log


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def following(log: Log) -> Iterator[Following]:
    made = Following(log.path)
    yield made
    made.follower.close()


def test_what_is_appended(log: Log, following: Following) -> None:
    for count in (1, 3, 1000):
        log.write(count)
        following.drain()
        assert following.got == log.lines
    assert following.take() == b""


def test_a_rotation(log: Log, following: Following) -> None:
    log.write(3)
    following.drain()
    log.write(2)
    log.rename()
    log.write(2)
    following.drain()
    assert following.got == log.lines
    assert following.words == []


def test_rotations_while_it_was_away(log: Log, following: Following) -> None:
    log.write(3)
    following.drain()
    for _ in range(4):
        log.write(3)
        log.rename()
    for number in (2, 3, 4):
        log.compress(number)
    log.write(2)
    following.again()
    following.drain()
    assert following.got == log.lines


def test_copytruncate(log: Log, following: Following) -> None:
    log.write(3)
    following.drain()
    log.write(4)
    log.copytruncate()
    log.write(20)
    following.drain()
    assert following.got == log.lines


def test_the_end_is_where_it_begins_without_a_time(log: Log) -> None:
    log.write(5)
    made = Following(log.path, since=None)
    assert made.follower.behind == b"".join(log.lines)
    log.write(2)
    made.drain()
    assert made.got == log.lines[5:]
    made.follower.close()


def test_history_begins_with_the_oldest_file_that_is_new_enough(log: Log) -> None:
    import os

    for at in (1000, 2000, 3000):
        log.write(2)
        log.rename(create=False)
        os.utime(log.rotated(1), (at, at))
    log.write(1)
    follower = Follower(str(log.path), None, since=1500.0, now=NOW)
    got = b""
    while block := follower.take():
        got += block
    assert got == b"".join(log.lines[2:])
    follower.close()
