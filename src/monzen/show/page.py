"""Text and tables for people. What goes into a file or a pipe is laid out here, in the same places as by rich, which is asked for
the rest: a terminal, letters that are wider or narrower than one column, several columns to be narrowed. To import rich takes
longer than to read 40,000 lines."""

from __future__ import annotations

import re
import sys
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text as RichText

INDENT = 2  # columns before a table
GAP = 2  # columns between two of its columns
PIECE = re.compile(r" *(?:[!-~]+|.)[、。，．）」』】：]*").finditer
WORD = re.compile(r"\s*\S+\s*").finditer  # rich's own words (rich/_wrap.py)


class Text:
    """A line of text in one style."""

    __slots__ = ("plain", "style")

    def __init__(self, plain: str, style: str = "") -> None:
        self.plain, self.style = plain, style

    def __rich__(self) -> RichText:
        from rich.text import Text as Rich

        return Rich(self.plain, style=self.style)


class Table:
    """Rows under headings; of the first column nothing is broken, the numbers of `right` are columns of numbers."""

    def __init__(self, columns: tuple[str, ...], right: set[int]) -> None:
        self.columns, self.right = columns, right
        self.rows: list[tuple[str | Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """One more row."""
        self.rows.append(cells)

    def __rich__(self) -> Padding:
        from rich.padding import Padding
        from rich.table import Table as Rich

        table = Rich(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim", show_edge=False)
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="right" if i in self.right else "left", overflow="fold", no_wrap=i == 0)
        for row in self.rows:
            table.add_row(*row)
        return Padding(table, (0, 0, 0, INDENT))

    def stacked(self, width: int) -> list[str]:
        """The table for a narrow page: what stands in the last column comes below its row."""
        rows = [self.columns, *(tuple(c if isinstance(c, str) else c.plain for c in row) for row in self.rows)]
        rows = [tuple(cell.replace("\n", " ") for cell in row) for row in rows]
        widths = [max(map(cells, column)) for column in zip(*rows, strict=True)][:-1]
        found: list[str] = []
        for row in rows:
            placed = [
                " " * (size - cells(cell)) + cell if n in self.right else cell + " " * (size - cells(cell))
                for n, (cell, size) in enumerate(zip(row[:-1], widths, strict=True))
            ]
            found.append((" " * INDENT + (" " * GAP).join(placed)).rstrip())
            if row[-1]:
                found += [" " * 3 * INDENT + line for line in folded(row[-1], max(width - 3 * INDENT, 16))]
        return found

    def lines(self, width: int) -> list[str] | None:
        """The table as lines of this width; None where rich must say how."""
        rows = [self.columns, *(tuple(c if isinstance(c, str) else c.plain for c in row) for row in self.rows)]
        if not all(simple(cell) for row in rows for cell in row):
            return None
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        over = INDENT + sum(widths) + GAP * (len(widths) - 1) - width
        if over > 0:  # the last column takes it all, if it is by far the widest
            widths[-1] -= over
            if widths[-1] <= max(widths[1:-1], default=0) + GAP:
                return None
        found: list[str] = []
        for row in rows:
            last = broken(row[-1], widths[-1])
            if last is None:
                return None
            for i, end in enumerate(last):
                cells = [*(row[:-1] if i == 0 else [""] * (len(row) - 1)), end]
                placed = [
                    cell.rstrip().rjust(size) if n in self.right else cell.ljust(size)
                    for n, (cell, size) in enumerate(zip(cells, widths, strict=True))
                ]
                found.append((" " * INDENT + (" " * GAP).join(placed)).rstrip())
        return found


def simple(text: str) -> bool:
    """Whether each letter takes one column."""
    return (text.isascii() or text.replace("…", "").replace("–", "").isascii()) and text.isprintable()


def broken(text: str, width: int) -> list[str] | None:
    """The text in lines, broken between words; None where a word is longer than a line."""
    if len(text) <= width:
        return [text]
    starts, at = [0], 0
    for word in WORD(text):
        size = len(word[0].rstrip())
        if size > width:
            return None
        if size > width - at and at:
            starts.append(word.start())
            at = 0
        at += len(word[0])
    lines = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [line if len(line) <= width else line[:width] + line[width:].rstrip() for line in lines]


def cells(text: str) -> int:
    """The columns that a text takes on a terminal: Japanese letters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def folded(text: str, width: int) -> list[str]:
    """The text in lines of so many columns, broken at blanks and between Japanese letters; a longer word is cut."""
    lines = [""]
    for word in PIECE(text):
        piece = word[0]
        if lines[-1] and cells(lines[-1] + piece) > width:
            lines.append("")
        piece = piece if lines[-1] or len(lines) == 1 else piece.lstrip(" ")
        while cells(piece) > width:
            fits = next(n for n in range(len(piece), 0, -1) if cells(piece[:n]) <= max(width, 2))
            lines[-1:] = [lines[-1] + piece[:fits], ""]
            piece = piece[fits:]
        lines[-1] += piece
    return lines


def hanging(text: str, width: int, indent: int = INDENT) -> str:
    """The text behind a margin; where it is longer than a line, or a translation breaks it, its other lines stand further in."""
    room = max(width - 2 * indent - 1, 16)
    first, *rest = [line for part in text.split("\n") for line in folded(part.strip(" "), room)]
    return "\n".join([" " * indent + first, *(" " * 2 * indent + line for line in rest)])


class Page:
    """Where to print what is neither a terminal's nor coloured; the part of rich's Console that Terminal uses."""

    def __init__(self, width: int, file: IO[str] | None = None) -> None:
        self.width, self.file = width, file
        self.rich: Console | None = None

    def print(
        self,
        what: str | Text | Table = "",
        *,
        soft_wrap: bool = False,
        no_wrap: bool = False,
        overflow: Literal["ellipsis"] | None = None,
        crop: bool = True,
    ) -> None:
        """Prints a line or a table."""
        lines = self.lines(what, soft_wrap=soft_wrap, cut=no_wrap)
        if lines is not None:
            (self.file or sys.stdout).write("".join(line.rstrip(" ") + "\n" for line in lines))
            return
        if self.rich is None:
            self.rich = console(self.width, self.file)
        with self.rich.capture() as laid_out:
            self.rich.print(what, soft_wrap=soft_wrap, no_wrap=no_wrap, overflow=overflow, crop=crop)
        # rows of rich's end in blanks, which a file or a mail would keep
        (self.file or sys.stdout).write("".join(line.rstrip(" ") + "\n" for line in laid_out.get().splitlines()))

    def lines(self, what: str | Text | Table, *, soft_wrap: bool, cut: bool) -> list[str] | None:
        """What there is to write; None where rich must say."""
        if isinstance(what, Table):
            return what.lines(self.width)
        text = what if isinstance(what, str) else what.plain
        if not simple(text):
            return None
        if soft_wrap or len(text) <= self.width:
            return [text]
        if cut:
            text = text[: self.width] + text[self.width :].rstrip()
            return [text if len(text) <= self.width else text[: self.width - 1] + "…"]
        return broken(text, self.width)


def console(width: int | None, file: IO[str] | None = None) -> Console:
    """A console of rich's that leaves a reader who went away (`| head`) to the caller: rich would exit with 1. It takes no word
    for a style and no `:a:` of an IPv6 address for a picture."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Says so instead of exiting."""
            raise BrokenPipeError

    return Plain(file=file, highlight=False, markup=False, emoji=False, width=width, soft_wrap=False)
