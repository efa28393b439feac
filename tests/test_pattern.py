"""A pattern that is compiled late finds what one that is compiled at once does."""

import re

import pytest

from monzen import pattern


@pytest.mark.parametrize(("made", "method"), [(pattern.match, "match"), (pattern.search, "search")])
def test_it_finds_the_same(made, method):
    late, soon = made(rb"(a+)B", re.IGNORECASE), re.compile(rb"(a+)B", re.IGNORECASE)
    assert late.ready is None
    for text in (b"aab", b"xAB", b"b", b""):
        for between in ((), (1,), (1, 2)):
            ours, its = late(text, *between), getattr(soon, method)(text, *between)
            assert (ours and (ours.span(), ours.groups())) == (its and (its.span(), its.groups()))


def test_what_is_no_pattern_is_told_when_it_is_used():
    late = pattern.match("(")
    with pytest.raises(re.error):
        late("x")
