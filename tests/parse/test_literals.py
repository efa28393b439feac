"""Without Aho-Corasick the reader finds the same lines, and so the same events."""

import random
import sys
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.parse import reader as module
from monzen.parse.clock import Clock
from monzen.parse.literals import finder_of, one_by_one
from monzen.parse.program import FAMILIES, LITERALS
from monzen.parse.reader import HIDDEN, SPECIAL, SUSPECTS, Reader

ROOT = Path(__file__).parent.parent.parent
WORDS = [*LITERALS, SPECIAL, *SUSPECTS, *HIDDEN]
EXAMPLES = [example.encode() for family in FAMILIES for reads in family.reads for example in reads.examples]
PIECES = st.one_of(st.sampled_from([*WORDS, b"\n", b"Sep  4 16:59:45 mail ", b"2026-09-04T16:59:45Z m ", b" "]), st.binary(max_size=12))


def lines_with(find, block):
    """The beginnings of the lines that hold a match; each match is one of the words, and they stand in order."""
    found = find(block)
    assert [a for _, a, _ in found] == sorted(a for _, a, _ in found)
    assert all(block[a:b] == WORDS[n] for n, a, b in found)
    return {block.rfind(b"\n", 0, a) + 1 for _, a, _ in found}


@pytest.fixture
def without_library(monkeypatch):
    """As on Debian: it cannot be imported."""
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    module.finder.cache_clear()
    yield
    module.finder.cache_clear()


def read(text, cuts=()):
    reader = Reader(Clock(1_795_000_000.0, ZoneInfo("UTC")), compiled=False)
    edges = [0, *cuts, len(text)]
    events = [e for a, b in pairwise(edges) if a < b for e in reader.read(text[a:b])]
    return events, reader.lines, reader.understood, reader.suspects, reader.samples, reader.undated, reader.undated_samples


@given(st.lists(PIECES, max_size=40).map(b"".join))
def test_the_same_lines_are_worth_a_look(block):
    aho = pytest.importorskip("ahocorasick_rs")
    fast = aho.BytesAhoCorasick(WORDS, matchkind=aho.MatchKind.LeftmostFirst).find_matches_as_indexes
    slow = one_by_one(WORDS)
    assert lines_with(slow, block) == lines_with(fast, block)
    assert bool(slow(block)) == bool(fast(block)) == any(word in block for word in WORDS)


def test_a_word_counts_once_in_a_line():
    assert one_by_one([b"ab", b"b", b"ab"])(b"ababab\nab") == [(1, 1, 2), (1, 8, 9)]
    assert one_by_one([b"x"])(b"") == []


@pytest.mark.parametrize("name", ["samples/first_user.log", "samples/one_week.log", "tests/data/real_mail.log", "tests/data/real_mail.traditional.log"])
def test_the_same_events_of_logs(name, request):
    text = (ROOT / name).read_bytes()
    before = read(text)
    request.getfixturevalue("without_library")
    assert finder_of(WORDS).__qualname__.startswith("one_by_one")
    assert read(text) == before
    assert before[0]


def test_the_same_events_of_spoilt_lines(request):
    chance = random.Random(8)
    texts = []
    for _ in range(400):
        lines = []
        for _ in range(chance.randint(1, 10)):
            line = b"Sep  4 16:59:45 mail " + chance.choice(EXAMPLES)
            i, j = sorted(chance.randrange(len(line) + 1) for _ in range(2))
            lines.append(chance.choice((line, line[:i] + line[j:], line[:i] + chance.choice(WORDS) + line[i:], line + line)))
        texts.append(b"\n".join(lines) + b"\n")
    before = [read(text) for text in texts]
    request.getfixturevalue("without_library")
    for text, expected in zip(texts, before, strict=True):
        ends = [i + 1 for i, byte in enumerate(text) if byte == 10]
        assert read(text) == expected, text
        assert read(text, sorted(chance.sample(ends, len(ends) // 2))) == expected, text
