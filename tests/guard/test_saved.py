"""A Joiner that is saved and restored, at any moment and as often as one likes, says what it would have said."""

import marshal
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse import saved
from monzen.parse.join import Joiner
from tests.guard.stories import STORIES, events


def again(joiner):
    return saved.restore(marshal.loads(marshal.dumps(saved.save(joiner), 4)))


def whole(name):
    joiner = Joiner()
    return joiner.join(events(name)) + joiner.wait_until(float("inf"))


@pytest.mark.parametrize("name", STORIES)
def test_cut_at_random_moments_nothing_changes(name):
    rng = random.Random(name)
    for _ in range(4):
        joiner, said, left = Joiner(), [], list(events(name))
        while left:
            cut = rng.choice((1, 2, 7, 60, 800))
            said += joiner.join(left[:cut])
            del left[:cut]
            before = saved.save(joiner)
            joiner = again(joiner)
            assert saved.save(joiner) == before
        assert said + joiner.wait_until(float("inf")) == whole(name)


@pytest.mark.parametrize("name", [s for s in STORIES if s.startswith("examples")])
def test_cut_after_each_event_and_while_it_waits(name):
    joiner, other, said, wanted = Joiner(), Joiner(), [], []
    for number, event in enumerate(events(name)):
        said += joiner.join([event])
        wanted += other.join([event])
        if number % 5 == 0:
            said += joiner.wait_until(event.time + 1.0)
            wanted += other.wait_until(event.time + 1.0)
        joiner = again(joiner)
    assert said == wanted


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(STORIES), st.data())
def test_an_event_is_the_same_as_a_row_and_back(name, data):
    found = data.draw(st.sampled_from(events(name)))
    back = saved.event(marshal.loads(marshal.dumps(saved.row(found), 4)))
    assert back == found
    assert [type(v) for v in back.fact] == [type(v) if not isinstance(v, int) or isinstance(v, bool) else int for v in found.fact]


def test_another_version_is_refused():
    with pytest.raises(ValueError, match="version 99"):
        saved.restore({**saved.save(Joiner()), "version": 99})
