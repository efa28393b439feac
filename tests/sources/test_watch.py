"""inotify, the real one: it says that something changed, and only then."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from monzen.sources.follow import Follower
from monzen.sources.watch import Watch
from tests.kernel import spare_inotify
from tests.sources.following import NOW, Log


@pytest.fixture(autouse=True)
def _spare() -> None:
    spare_inotify()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(tmp_path / "log")
    made.write(1)
    return made


def stirred(watch: Watch) -> bool:
    """Whether something happened since the last time. The kernel says so at once: nothing has to be waited for."""
    fd = watch.fileno()
    assert fd is not None
    found = watch.drain()
    assert not select.select([fd], [], [], 0)[0]  # also what the drain itself caused
    return found


@pytest.fixture
def watch(log: Log) -> Iterator[Watch]:
    made = Watch([str(log.path.parent), str(log.path)])
    yield made
    made.close()


def test_what_is_written(log: Log, watch: Watch) -> None:
    assert not stirred(watch)
    log.write()
    assert stirred(watch)
    assert not stirred(watch)
    log.path.read_bytes()
    assert not stirred(watch)
    other = log.path.parent / "other.log"
    other.touch()
    assert stirred(watch)
    other.write_text("more")
    assert not stirred(watch)  # what is written to others does not wake us


def test_through_rotations(log: Log) -> None:
    follower = Follower(str(log.path), None, now=NOW)
    watch = Watch(follower.paths())
    for _ in range(5):
        log.rename()
        assert stirred(watch)
        log.write()
        assert stirred(watch)
        log.copytruncate()
        assert stirred(watch)
        log.path.chmod(0o600)
        assert stirred(watch)
        assert not stirred(watch)
    follower.close()
    watch.close()


def test_a_file_that_appears_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    paths = [str(tmp_path), str(tmp_path / "mail.log"), str(tmp_path / "none")]
    watch = Watch(paths)
    (tmp_path / "mail.log").touch()
    assert stirred(watch)
    (tmp_path / "mail.log").write_text("line\n")
    assert stirred(watch)
    watch.update([str(tmp_path / "none")])
    assert not stirred(watch)
    (tmp_path / "mail.log").write_text("more\n")
    assert not stirred(watch)
    watch.close()


def test_a_link_that_moves(tmp_path: Path) -> None:
    old, new = Log(tmp_path / "old"), Log(tmp_path / "new")
    old.write()
    new.write()
    link = tmp_path / "mail.log"
    link.symlink_to(old.path)
    follower = Follower(str(link), None, now=NOW)
    watch = Watch(follower.paths())
    old.write()
    assert stirred(watch)
    link.unlink()
    link.symlink_to(new.path)
    assert stirred(watch)
    watch.update(follower.paths())
    watch.drain()
    new.write()
    assert stirred(watch)
    follower.close()
    watch.close()


def test_it_gives_everything_back(log: Log) -> None:
    before = len(os.listdir("/proc/self/fd"))
    watch = Watch([str(log.path)])
    watch.close()
    watch.close()
    assert watch.fileno() is None
    assert not watch.drain()
    assert len(os.listdir("/proc/self/fd")) == before
