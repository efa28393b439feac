"""Blocks of whole lines: nothing is lost, nothing added, whatever the cuts; long lines go, memory stays flat."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.sources import MAX_LINE, SourceError, lines
from monzen.sources.lines import whole_lines

SHORT = 5  # MAX_LINE in the laws, so that chance finds its edges

texts = st.lists(st.sampled_from([b"\n", b"a", b"bcd", b"\0", b"\r", b"\xff", b"\x85", b"efghijklm"]), max_size=40).map(b"".join)


def expected(text: bytes, longest: int, instead: bytes = b"") -> tuple[bytes, int]:
    """The law itself, one line at a time."""
    split = text.split(b"\n")
    if not split[-1]:
        split.pop()
    return b"".join(line + b"\n" if len(line) <= longest else instead for line in split), sum(len(x) > longest for x in split)


def cut(text: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(c % (len(text) + 1) for c in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(at)]


@given(texts, st.lists(st.integers(0, 400), max_size=20), st.sampled_from([b"", b"!\n"]))
def test_lines_come_out_as_they_went_in_however_they_were_cut(text: bytes, cuts: list[int], instead: bytes) -> None:
    left_out: list[int] = []
    with patch.object(lines, "MAX_LINE", SHORT):
        got = list(whole_lines(cut(text, cuts), left_out.append, instead))
    assert (b"".join(got), sum(left_out)) == expected(text, SHORT, instead)
    assert all(block.endswith(b"\n") for block in got)


@pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE + 2, 3 * MAX_LINE])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nafter\n"])
@pytest.mark.parametrize("size", [1000, MAX_LINE, MAX_LINE + 1, 10 * MAX_LINE])
def test_the_limit_is_exact(length: int, end: bytes, size: int) -> None:
    text = b"before\n" + b"x" * length + end
    left_out: list[int] = []
    got = b"".join(whole_lines([text[at : at + size] for at in range(0, len(text), size)], left_out.append))
    assert (got, sum(left_out)) == expected(text, MAX_LINE)


def test_a_block_without_long_lines_is_not_searched_line_by_line() -> None:
    block = b"short\n" * 20000
    assert lines.without_long(block, None, b"") is block


def test_an_endless_line_takes_no_memory() -> None:
    chunk = b"x" * 65536
    left_out: list[int] = []
    tracemalloc.start()
    try:
        assert list(whole_lines((chunk for _ in range(2000)), left_out.append)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert left_out == [1]
    assert peak < 500_000


def test_half_a_line_is_not_given_when_the_rest_cannot_be_read() -> None:
    def broken() -> Iterator[bytes]:
        yield b"whole\nfrom 192.0.2.1"
        raise SourceError("truncated", "x")

    got: list[bytes] = []
    with pytest.raises(SourceError):
        got.extend(whole_lines(broken()))
    stream = whole_lines(broken())
    assert next(stream) == b"whole\n"
    with pytest.raises(SourceError):
        next(stream)
