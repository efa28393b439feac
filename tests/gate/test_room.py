"""Of more denials than there is room for: who stays. Nothing of the kernel is asked."""

import contextlib

import pytest

from monzen.gate.nftables import ROOM, Nftables
from monzen.gate.target import Denial, Target

NOW = 1_800_000_000.0


@pytest.fixture
def gate():
    with contextlib.closing(Nftables(limit=2 * ROOM)) as made:
        yield made


def hosts(count, until, first=0):
    return [Denial(Target(bytes((11, 0, n >> 8, n & 255)), 32), until) for n in range(first, first + count)]


def test_where_there_is_room_for_all_all_stay(gate):
    denials = hosts(2 * ROOM, NOW + 60)
    assert gate._fitting(denials, ()) == (denials, [])


def test_what_people_typed_goes_last_then_what_ends_soonest_then_the_oldest(gate):
    typed, soon, late, never = hosts(5, NOW + 1), hosts(ROOM, NOW + 60, 100), hosts(ROOM, NOW + 600, 1000), hosts(3, None, 2000)
    kept, left = gate._fitting([*typed, *soon, *late, *never], {d.target for d in typed})
    assert len(kept) == 2 * ROOM - 2, "and a little room for the next"
    assert set(kept) >= {*typed, *late, *never}
    assert set(left) == set(soon[:10]), "of those that end together the oldest"


def test_where_more_was_typed_than_there_is_room_for_that_ends_too(gate):
    typed = hosts(3 * ROOM, NOW + 60)
    kept, left = gate._fitting([*typed, *hosts(9, None, 5000)], {d.target for d in typed})
    assert set(kept) <= set(typed)
    assert len(kept) + len(left) == 3 * ROOM + 9
