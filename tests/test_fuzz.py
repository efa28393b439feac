"""A short run of the fuzzer; `make fuzz` runs it as long as one likes."""

import pytest

from tests.fuzz import one_round


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_a_short_run(start):
    for seed in range(start, start + 50):
        one_round(seed)
