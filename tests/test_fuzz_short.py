"""A short run of tests.fuzz_words; `python -m tests.fuzz_words --seconds 600` runs it as long as one likes."""

import pytest

from tests.fuzz_words import fuzz


@pytest.mark.parametrize("seed", range(4))
def test_a_short_run(seed):
    assert sum(fuzz(seed, rounds=1000).values()) >= 1000
