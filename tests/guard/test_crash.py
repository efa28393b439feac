"""The short form of `make crashtest`: killed at random, it knows exactly what one scan says."""

import gc
import os

import pytest

from tests.guard.crash import differences, known, run, scanned


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
    assert differences(known(tmp_path), whole) == []
    assert gc.isenabled(), "what runs after it in this process collects as before"
