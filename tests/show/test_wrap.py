"""Lines fit, lose nothing, and end where a reader of Japanese would end them."""

import io
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monzen.show import page
from monzen.show.wrap import GLUE, NO_END, NO_START, cells, command, cut, glued, hanging, margined, pieces, wrap

WRAP = wrap.__code__.co_filename
PHRASES = [
    "接続元3件が", "攻撃しました。", "パスワード推測28回", "（smtp）", "7日以内に", "ユーザー名4種類、", "「繰り返し」", "試行1,304回",
    "ネットワーク全体を", "拒否（基準：10分以内に接続元3件）", "ー", "、", "ssh", "192.0.2.7", " ", "　", "2026-09-11 01:52:53", "ufw が",
    "sudo monzen gate enable", "password guesses 20 (smtp);", "x" * 90, "2001:db8:a:b::1", "é", "か\N{COMBINING KATAKANA-HIRAGANA VOICED SOUND MARK}",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PHRASES), max_size=14).map("".join)
ANY = st.one_of(TEXTS, st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" 、。（）ー3回"), max_size=120))
COUNTED = re.compile(r"\d[\d,]*[件回日分種]")


@given(ANY, st.integers(2, 120), st.integers(2, 120))
@example("x" * 90, 2, 7)
def test_lines_fit(text: str, first: int, rest: int) -> None:
    one, *others = wrap(text, first, rest)
    assert cells(one) <= first
    assert all(cells(line) <= rest for line in others)


@given(ANY, st.integers(2, 120))
def test_only_blanks_are_lost(text: str, width: int) -> None:
    def bare(words: str) -> str:
        return re.sub(r"[ \u3000]", "", words)

    assert bare("".join(wrap(text, width))) == bare(text)
    assert all(line == line.rstrip(" \u3000") for line in wrap(text, width))


@given(TEXTS, st.integers(40, 120))
def test_nothing_stands_where_it_may_not(text: str, width: int) -> None:
    lines = wrap(text, width)
    fits = all(cells(piece) <= width for piece in pieces(text))
    for before, behind in pairwise(lines):
        if fits and behind:
            assert behind[0] not in NO_START or behind[0] == "." or text.lstrip().startswith(behind[0]), (before, behind)
            assert before[-1] not in NO_END, (before, behind)


@given(TEXTS, st.integers(30, 120))
def test_a_number_stays_with_what_it_counts(text: str, width: int) -> None:
    if all(cells(piece) <= width for piece in pieces(text)):
        assert COUNTED.findall("\n".join(wrap(text, width))) == COUNTED.findall(text)


def test_japanese_ends_where_a_phrase_does() -> None:
    text = "不正中継の試み：外部の1件のアドレス宛て。3件のアドレス、または3回に分けた試みで拒否（一度拒否された後は1件でも拒否）"
    assert wrap(text, 36) == [
        "不正中継の試み：外部の1件の", "アドレス宛て。3件のアドレス、", "または3回に分けた試みで拒否", "（一度拒否された後は1件でも拒否）",
    ]  # fmt: skip
    assert wrap("パスワード推測28回（submission, imap）　ユーザー名3件", 24) == [
        "パスワード推測28回", "（submission, imap）", "ユーザー名3件",
    ]  # fmt: skip
    assert wrap("同じ名前を繰り返し試している", 20) == ["同じ名前を", "繰り返し試している"]
    assert wrap("ここでは ufw が有効です", 16) == ["ここでは ufw が", "有効です"]


def test_english_is_broken_at_blanks_alone() -> None:
    assert wrap("one two three four five six", 20) == ["one two three four", "five six"]
    assert wrap("it ends at 2026-09-11 01:52:53 here", 20) == ["it ends at", "2026-09-11 01:52:53", "here"]
    assert wrap("all is well now. See: monzen gate status", 24) == ["all is well now. See:", "monzen gate status"]
    assert wrap("no line of only a", 16) == ["no line of", "only a"]
    assert wrap("a path /var/log/mail/of/a/server.log", 16) == ["a path", "/var/log/mail/", "of/a/server.log"]


def test_a_last_line_has_more_than_a_letter() -> None:
    assert wrap("one more failure is 7", 20) == ["one more failure", "is 7"]
    assert wrap("接続元が攻撃しました回", 20)[-1] != "回"


def test_glued_words_stay_together() -> None:
    text = "23/tcp telnet, " + glued("445/tcp smb 19")
    assert wrap(text, 20) == ["23/tcp telnet,", "445/tcp smb 19"]
    assert GLUE not in "".join(wrap(text, 80))


def test_what_hangs_stands_further_in() -> None:
    text = "2026-09-11 01:52  somebody logged in after guessing 試行の後、門前払いになるはずの期間中にログインしました。 Change it"
    for width in (40, 60, 80):
        first, *rest = hanging(text, width).split("\n")
        assert first.startswith("  2026")
        assert rest
        assert all(line.startswith("    ") and cells(line) <= width for line in rest)
    assert hanging("short", 80) == "  short"
    assert hanging("09:00（30行）\n    接続元が隠れています", 80) == "  09:00（30行）\n    接続元が隠れています", "a line break of the translation stays"


def test_a_margin_stays() -> None:
    assert margined("  one two three\n\nfour", 12 + 6) == ["  one two three", "", "four"]
    assert margined("  one two three four five", 18) == ["  one two three", "    four five"]
    assert margined("! one two three four five", 18) == ["! one two three", "  four five"]


def test_a_command_can_be_copied() -> None:
    text = "sudo monzen scan /var/log/mail.log /var/log/mail.log.1 --compare fail2ban --apply"
    lines = command(text, 40)
    assert all(cells(line) <= 40 for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert "".join(line.removesuffix("\\") for line in lines).split() == text.split()
    assert command(text, 120) == ["  " + text]


@given(ANY, st.integers(2, 80))
def test_a_line_that_is_cut_fits_and_says_so(text: str, width: int) -> None:
    short = cut(text, width)
    assert cells(short) <= width
    assert short == text or short.endswith("…")


# ---- an attacker's text costs no more than its length


def work(does: Callable[[str, int], object], text: str, width: int) -> int:
    """How many lines of wrap.py and page.py run: no clock says that as well."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: object) -> Callable[..., object]:
        nonlocal count
        count += event == "line"
        return seen

    def called(frame: FrameType, _event: str, _argument: object) -> Callable[..., object] | None:
        return seen if frame.f_code.co_filename in (page.__file__, WRAP) else None

    before = sys.gettrace()
    sys.settrace(called)
    try:
        does(text, width)
    finally:
        sys.settrace(before)
    return count


def printed(text: str, width: int) -> None:
    """In a table, which looks for the narrowest way to lay it out."""
    rows = page.Table(("who", "what", "why"), set())
    for cell in ("192.0.2.7", text):
        rows.add_row(cell, text, text)
    page.Page(width, io.StringIO()).print(rows)


DOES = {
    "wrap": wrap, "margined": margined, "hanging": hanging, "cut": cut, "command": command, "pieces": lambda text, _width: list(pieces(text)),
    "a table": printed,
}  # fmt: skip
HOSTILE = [
    "。", "（", "あ", "a", "。a", "あ、", "（あ", "あ（", "a）", "漢字", "か\N{COMBINING KATAKANA-HIRAGANA VOICED SOUND MARK}", "\N{COMBINING ACUTE ACCENT}",
    "あ\N{COMBINING ACUTE ACCENT}a（。", "x\n", "\n", "あ\n", "a ", " ", "　", GLUE, "回1", "/.", ": monzen a", "sudo monzen ", "2026-09-11 01:52:53 ",
]  # fmt: skip


@pytest.mark.parametrize("width", [10, 40, 80])
@pytest.mark.parametrize("does", DOES.values(), ids=DOES)
def test_twice_the_text_is_twice_the_work(does: Callable[[str, int], object], width: int) -> None:
    for unit in HOSTILE:
        some = unit * (max(160, 4 * width) // len(unit))  # several lines: a break is weighed against those of one line
        once, twice = work(does, some, width), work(does, some * 2, width)
        assert twice <= 2.3 * once + 500, (unit, once, twice)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(PHRASES + HOSTILE), min_size=1, max_size=6).map("".join), st.sampled_from([10, 40, 80]))
def test_so_is_that_of_any_text(unit: str, width: int) -> None:
    some = unit * (320 // len(unit) + 1)
    for does in (wrap, margined, hanging):
        once, twice = work(does, some, width), work(does, some * 2, width)
        assert twice <= 2.3 * once + 500, (does, once, twice)


def test_brackets_are_not_looked_for_from_the_beginning() -> None:
    class Looked(str):
        """A text that knows how much of it was searched."""

        __slots__ = ()
        letters = 0

        def rfind(self, what: str, start: int = 0, end: int = sys.maxsize) -> int:  # type: ignore[override]  # the same in our use
            Looked.letters += min(end, len(self)) - start
            return super().rfind(what, start, end)

        def rstrip(self, letters: str | None = None) -> "Looked":
            return Looked(super().rstrip(letters))

        def split(self, *_: object) -> list["Looked"]:  # type: ignore[override]  # one paragraph
            return [self]

    assert len(wrap(Looked("あ、（い" * 500), 40)) > 50
    assert Looked.letters <= 2000
