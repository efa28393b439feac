"""Tables fit whatever stands in them and however narrow the page is; a terminal gets the same words, with colours."""

import datetime as dt
import io
import re
import sys

from hypothesis import given
from hypothesis import strategies as st

from monzen.show.page import Moment, Page, Table, Text, cells

WORDS = st.sampled_from(
    ["a", "bb", "password", "guesses 20 (smtp);", "x" * 30, "x" * 130, "2001:db8:a:b::1", "[red]", "…", "–", "名前3種類", "é", "-", "（推測）", "ー"]
)
CELLS = st.lists(WORDS, max_size=12).map(" ".join)
TIMES = st.integers(0, 2**32).map(lambda at: Moment(at, dt.UTC))
ROWS = st.lists(st.tuples(CELLS.map(lambda c: c[:20]), st.integers(0, 10**9), TIMES, CELLS), max_size=6)
WIDTHS = st.integers(40, 160)


def table_of(rows: list[tuple[str, int, Moment, str]], *, last: bool = False) -> Table:
    """`last`: a table of numbers and times alone."""
    headings = ("who", "attempts made", "from", "理由")
    table = Table(headings[:3] if last else headings, {1})
    for who, n, at, why in rows:
        table.add_row(Text(who, "bold"), f"{n:,}", at, *([] if last else [why]))
    return table


def printed(what: str | Text | Table, width: int, *, styled: bool = False) -> list[str]:
    out = io.StringIO()
    Page(width, out, styled=styled).print(what)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).split("\n")[:-1]


@given(ROWS, WIDTHS, st.booleans())
def test_a_table_fits(rows: list[tuple[str, int, Moment, str]], width: int, last: bool) -> None:  # hypothesis'
    lines = printed(table_of(rows, last=last), width)
    assert [line for line in lines if cells(line) > width] == []
    assert [line for line in lines if line != line.rstrip()] == []


@given(ROWS, WIDTHS)
def test_a_table_loses_no_word(rows: list[tuple[str, int, Moment, str]], width: int) -> None:
    said = re.sub(r"\s", "", "".join(printed(table_of(rows), width)))
    for _who, n, _at, why in rows:
        assert f"{n:,}" in said
        assert all(letter in said for letter in re.sub(r"\s", "", why))


@given(ROWS, WIDTHS)
def test_numbers_end_in_one_column(rows: list[tuple[str, int, Moment, str]], width: int) -> None:
    table = Table(("who", "attempts"), {1})
    for _who, n, _at, _why in rows:
        table.add_row("192.0.2.7", f"{n:,}")
    assert len({len(line) for line in printed(table, width)[1:]}) <= 1


@given(ROWS, WIDTHS)
def test_a_terminal_gets_the_same_words(rows: list[tuple[str, int, Moment, str]], width: int) -> None:
    assert [line.rstrip() for line in printed(table_of(rows), width, styled=True)] == printed(table_of(rows), width)


def test_times_get_shorter_where_it_is_narrow() -> None:
    rows = [("192.0.2.7", 12, Moment(1e9, dt.UTC), "a reason of some words")]
    assert "2001-09-09 01:46:40" in printed(table_of(rows), 100)[1]
    assert "09-09 01:46 " in printed(table_of(rows), 60)[1]


def test_a_long_reason_stands_below_its_row_where_it_is_narrow() -> None:
    table = table_of([("2001:db8:bad:1::/64", 7, Moment(1e9, dt.UTC), "同じネットワークの接続元3件が攻撃しており、失敗1回で拒否します。" * 2)])
    lines = printed(table, 64)
    assert lines[1].split() == ["理由"]
    assert lines[3].startswith("      同じネットワーク")


def test_a_table_that_fits_nowhere_is_told_row_by_row() -> None:
    table = Table(("policy", *(f"count of {n}" for n in range(9))), set(range(1, 10)))
    table.add_row("monzen", *["1,000,000"] * 9)
    lines = printed(table, 60)
    assert lines[0] == "  monzen"
    assert lines[1].startswith("      count of 0 1,000,000; count of 1")


def test_an_address_is_no_picture() -> None:
    for styled in (False, True):
        table = Table(("who", "why"), set())
        table.add_row("2001:db8:a:b::1", "[red] " + "x" * 200)
        said = "".join(printed(table, 80, styled=styled))
        assert "2001:db8:a:b::1" in said
        assert "[red]" in said


def test_a_page_goes_to_the_standard_output_of_the_moment(capsys) -> None:  # type: ignore[no-untyped-def]  # pytest's own
    Page(20).print("one two three four five six")
    sys.stdout.flush()
    assert capsys.readouterr().out == "one two three four\nfive six\n"


def test_plain_pages_need_no_rich() -> None:
    import subprocess

    code = (
        "import sys; from monzen.show.page import *; t = Table(('名前', 'why'), set()); t.add_row('a', '理由です。' * 30); Page(60).print(t);"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_sentences_that_begin_alike_do_not_run_together() -> None:
    out = io.StringIO()
    for n in (1, 2):
        Page(60, out).line(f"denied 203.0.113.{n}, until 2026-12-03 07:30; number {n} (undo: monzen release {n})")
    lines = out.getvalue().splitlines()
    assert [line.startswith("denied ") for line in lines] == [True, False, True, False]
    assert [line[:2] == "  " and line[2] != " " for line in lines] == [False, True, False, True]
    assert max(map(cells, lines)) <= 60
