"""Folded lines."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.sources import MAX_LINE, paste, unfold
from tests.sources.made import log
from tests.sources.test_lines import cut

# The page of our first user, shortened.
PRINTED = b"""\
  Sep  4 16:59:45 ik*-***-***** postfix/smtpd[28414]
   : warning: unknown[212.70.149.83]
   : SASL LOGIN authentication failed: UGFzc3dvcmQ6
  Sep  4 16:59:46 ik*-***-***** postfix/smtpd[28414]
   : disconnect from unknown[212.70.149.83]
     ehlo=1 auth=0/1 rset=1 quit=1 commands=3/4
  Sep  4 17:00:02 ik*-***-***** postfix/smtpd[28397]
   : connect from unknown[212.70.149.83]
"""
WRITTEN = b"""\
Sep  4 16:59:45 ik*-***-***** postfix/smtpd[28414]: warning: unknown[212.70.149.83]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
Sep  4 16:59:46 ik*-***-***** postfix/smtpd[28414]: disconnect from unknown[212.70.149.83] ehlo=1 auth=0/1 rset=1 quit=1 commands=3/4
Sep  4 17:00:02 ik*-***-***** postfix/smtpd[28397]: connect from unknown[212.70.149.83]
"""


def undone(text: bytes, always: bool = False) -> bytes:
    return b"".join(unfold([text], always=always))


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("blank", ["", "\n", "\n  \n \t\n"])
@pytest.mark.parametrize("indent", ["  ", "\t", "\u3000", "\u00a0\u00a0"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_page(always: bool, blank: str, indent: str, newline: str) -> None:
    page = (blank + PRINTED.decode()).replace("  Sep", indent + "Sep").replace("\n", newline).encode()
    assert undone(page, always).replace(b"\r\n", b"\n") == WRITTEN


def test_indented_but_not_folded() -> None:
    assert undone(b"".join(b"    " + line for line in log(9).splitlines(True))) == log(9)
    assert undone(b"  2026-09-04T16:59:45.1+09:00 mail x: y\n    z\n") == b"2026-09-04T16:59:45.1+09:00 mail x: y z\n"


def test_folded_but_not_indented() -> None:
    page = PRINTED.replace(b"  Sep", b"Sep")
    assert undone(page, always=True) == WRITTEN
    assert undone(page) == page  # in a file an indented line is what some program wrote


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"\n\n \n" * 30 + PRINTED,  # it does not look forever
        log(500),
        log(60) + b"  but here somebody indents\n",
        b"  no stamp\n" + PRINTED,
        b'{"MESSAGE":"x"}\n  {"MESSAGE":"y"}\n',
        b"no newline",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_everything_else_passes_untouched(text: bytes) -> None:
    assert undone(text) == undone(text, always=True) == text


@pytest.mark.parametrize("always", [False, True])
def test_blocks_that_pass_are_the_same_objects(always: bool) -> None:
    blocks = [log(2000), log(2000, start=2000)]
    assert all(a is b for a, b in zip(unfold(blocks, always=always), blocks, strict=True))


def test_the_fiftieth_line_is_looked_at_and_the_next_is_not() -> None:
    for lines, joined in ((49, True), (50, False)):
        text = log(lines) + b"  more\n"
        assert undone(text, always=True) == (log(lines)[:-1] + b" more\n" if joined else text)


def test_lines_in_between_stay() -> None:
    page = b"  Sep  4 16:59:45 a b\n    c\nAnd so on:\n  Sep  4 16:59:46 d e\n"
    assert undone(page) == b"Sep  4 16:59:45 a b c\nAnd so on:\nSep  4 16:59:46 d e\n"


@pytest.mark.parametrize("more", [0, 1, 70_000])
def test_a_joined_line_has_the_length_of_a_line(more: int) -> None:
    first = b"Sep  4 16:59:45 mail x:"
    rest = MAX_LINE - len(first) - 2 + more
    page = b"  " + first + b"\n    " + b"a" * (rest // 2) + b"\n    " + b"b" * (rest - rest // 2) + b"\n" + PRINTED
    lines = undone(page).splitlines(True)
    assert b"".join(lines[-3:]) == WRITTEN
    assert len(lines) == (4 if more == 0 else 3)
    assert max(map(len, lines)) == (MAX_LINE + 1 if more == 0 else max(map(len, WRITTEN.splitlines(True))))


def test_a_joined_line_that_is_too_long_is_left_out_at_the_end_too() -> None:
    assert undone(PRINTED + b"     " + b"c" * MAX_LINE + b"\n") == WRITTEN[: WRITTEN.index(b"Sep  4 17")]


pieces = st.sampled_from(
    [b"\n", b" ", b"  ", b"\t", b":", b": w", b"Sep  4 16:59:45 m", b"Sep 4 16:59:45 ", b"2026-09-04T16:59:45Z x", b"y", b"\r", b"\xe3\x80\x80"]
)
texts = st.lists(pieces, max_size=40).map(b"".join)


@settings(max_examples=400)
@given(st.sampled_from([b"", b"  Sep  4 16:59:45 m", b"Sep  4 16:59:45 m", b"\n\n"]), texts, st.booleans(), st.lists(st.integers(0, 300)))
def test_it_does_not_matter_how_the_text_is_cut(start: bytes, text: bytes, always: bool, cuts: list[int]) -> None:
    text = start + text + b"\n"
    with patch.object(paste, "MAX_LINE", 40), patch.object(paste, "_LOOK", 6):
        whole = undone(text, always)
        assert b"".join(unfold(cut(text, cuts), always=always)) == whole
        assert b"".join(unfold(text.splitlines(True), always=always)) == whole
        assert whole.endswith(b"\n") or not whole
        assert undone(whole, always).split() == whole.split() or len(whole) > 40


@given(texts)
def test_nothing_is_made_up(text: bytes) -> None:
    text = b"  Sep  4 16:59:45 m" + text + b"\n"
    assert b"".join(undone(text).replace(b"\xe3\x80\x80", b"").split()) == b"".join(text.replace(b"\xe3\x80\x80", b"").split())
