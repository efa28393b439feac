"""The short form of `make crashtest`: killed at random, it knows exactly what one scan says."""

import gc
import os
import random
import signal
import time
from pathlib import Path

import pytest

from monzen.guard import run as guard_run
from monzen.guard.store import Store
from tests.guard.crash import Writer, child, differences, guard, known, lines, remembered, run, scanned


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_it_knows_the_same(tmp_path, seed):
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    kills, rotations = run(tmp_path, 15, seed, 4000)
    assert kills >= 15
    assert rotations
    whole = scanned(tmp_path)
    assert whole.sentences
    assert remembered(tmp_path).events > whole.events // 2, "those that were killed read most of it, not the last one all of it"
    assert differences(known(tmp_path), whole) == []
    assert gc.isenabled(), "what runs after it in this process collects as before"


def test_a_run_that_is_started_at_once_is_not_refused(tmp_path, monkeypatch):
    """The first `run` alone is killed while its child writes a snapshot; the second one ends with all that the logs say."""
    write, main, said = Store._write_snapshot, os.getpid(), tmp_path / "child"

    def slow(store, state, number):
        if os.getppid() != main:  # the child of the guard
            said.with_suffix(".new").write_text(str(os.getpid()))
            said.with_suffix(".new").rename(said)
            time.sleep(60)  # it is killed long before
        write(store, state, number)

    monkeypatch.setattr(Store, "_write_snapshot", slow)
    rng = random.Random(2)
    writer = Writer(tmp_path, lines(3000, 2), rng)
    writer.write(20_000)
    writer.finish_line()
    monkeypatch.setattr(guard_run, "SNAPSHOT", 0.0)
    first = child(tmp_path)
    monkeypatch.undo()
    try:
        deadline = time.monotonic() + 30
        while not said.exists() and time.monotonic() < deadline:
            if not writer.done:
                writer.write(2_000)
                writer.finish_line()
            time.sleep(0.02)  # a log that grows line by line, until the child is at work
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    assert said.exists()
    while not writer.done:
        writer.write(100_000)
    writer.finish_line()
    second = os.fork()
    if second == 0:
        status = 1
        try:
            guard(tmp_path, once=True)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(second, 0)[1] == 0
    assert differences(known(tmp_path), scanned(tmp_path)) == []
    assert not Path(f"/proc/{said.read_text()}").exists() or "State:\tZ" in Path(f"/proc/{said.read_text()}/status").read_text()
