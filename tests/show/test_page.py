"""Pages are laid out as rich lays them out, whatever stands in them and however wide they are."""

import io
import sys

from hypothesis import given
from hypothesis import strategies as st

from monzen.show.page import Page, Table, Text, broken, cells, console, folded, hanging, simple

WORDS = st.sampled_from(["a", "bb", "password", "guesses 20 (smtp);", "x" * 30, "x" * 130, "2001:db8:a:b::1", "[red]", "…", "–", " ", "名前", "é", "-"])
CELLS = st.lists(WORDS, max_size=12).map(" ".join)
WIDTHS = st.integers(40, 160)


def printed(what: str | Text | Table, width: int, **options: object) -> tuple[str, str]:
    """What a Page prints, and what rich does."""
    page, rich = io.StringIO(), io.StringIO()
    Page(width, page).print(what, **options)  # type: ignore[arg-type]  # words for both
    console(width, rich).print(what, **options)  # type: ignore[arg-type]  # the same
    return stripped(page.getvalue()), stripped(rich.getvalue())


def stripped(text: str) -> str:
    """Without the blanks that rows of rich's end in."""
    return "".join(line.rstrip(" ") + "\n" for line in text.split("\n")[:-1])


@given(CELLS, WIDTHS, st.sampled_from(({}, {"soft_wrap": True}, {"no_wrap": True, "overflow": "ellipsis", "crop": True})))
def test_a_line_is_broken_as_rich_breaks_it(text: str, width: int, options: dict[str, object]) -> None:
    page, rich = printed(Text(text, "bold"), width, **options)
    assert page == rich


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=6), WIDTHS, st.sampled_from((set(), {1}, {1, 3})))
def test_a_table_is_laid_out_as_rich_does_it(rows: list[tuple[str, ...]], width: int, right: set[int]) -> None:
    table = Table(("who", "attempts", "from", "why"), right)
    for row in rows:
        table.add_row(row[0][:20], Text(row[1][:9], "bold"), row[2][:25], row[3])
    page, rich = printed(table, width)
    assert page == rich


def test_plain_tables_need_no_rich() -> None:
    table = Table(("target", "knocks", "why"), {1})
    table.add_row("192.0.2.7", "12", " ".join(["many words"] * 20))
    lines = table.lines(120)
    assert lines is not None
    assert [len(line) <= 120 and line == line.rstrip() for line in lines] == [True] * 4


def test_an_address_is_no_picture() -> None:
    table = Table(("who", "why"), set())
    table.add_row("2001:db8:a:b::1", "x" * 200)  # which rich must lay out
    page, rich = printed(table, 80)
    assert page == rich
    assert "2001:db8:a:b::1" in page


def test_what_is_no_plain_text_is_left_to_rich() -> None:
    assert simple("abc … –")
    assert not simple("名前")
    assert not simple("a\tb")
    assert broken("x" * 30, 20) is None


def test_a_page_goes_to_the_standard_output_of_the_moment(capsys) -> None:  # type: ignore[no-untyped-def]  # pytest's own
    Page(20).print("one two three four five six")
    sys.stdout.flush()
    assert capsys.readouterr().out == "one two three four\nfive six\n"


@given(CELLS, st.integers(16, 120))
def test_a_folded_text_fits_and_loses_nothing(text: str, width: int) -> None:
    lines = folded(text, width)
    assert all(cells(line.rstrip(" ")) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_what_hangs_stands_further_in() -> None:
    text = "2026-09-11 01:52  somebody logged in after guessing 試行の後、門前払いになるはずの期間中にログインしました。 Change it"
    for width in (40, 60, 80):
        first, *rest = hanging(text, width).split("\n")
        assert first.startswith("  2026")
        assert rest
        assert all(line.startswith("    ") and cells(line) <= width for line in rest)
    assert hanging("short", 80) == "  short"
    assert hanging("09:00（30行）\n    接続元が隠れています", 80) == "  09:00（30行）\n    接続元が隠れています", "a line break of the translation stays"
