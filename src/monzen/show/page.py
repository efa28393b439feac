"""Text and tables for people, laid out the same on a terminal, in a file and in a pipe. Only colours need rich, and
to import it takes longer than to read 40,000 lines."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Final

from monzen.show.text import stamp
from monzen.show.words import _
from monzen.show.wrap import GLUE, INDENT, LEAST, cells, command, cut, hanging, margined, pieces, wrap

if TYPE_CHECKING:
    from rich.console import Console

GAP: Final = 2  # columns between two of a table
FLEXIBLE: Final = 24  # columns: a text that is wider may be broken where its table is too wide
NARROW: Final = 20  # columns: a text in fewer is hard to read
TIGHT, STACKED = 1.2, 1.15  # how many lines more it may take to do without
SAMPLE: Final = 60  # rows by which the layout of a table is chosen: one of 50,000 is printed as soon as it is read


class Text:
    """A line of text in one style."""

    __slots__ = ("plain", "style")

    def __init__(self, plain: str, style: str = "") -> None:
        self.plain, self.style = plain, style


class Moment(Text):
    """A time in a table: where that is narrow without its seconds, then without its year."""

    __slots__ = ("forms",)

    def __init__(self, time: float, zone: dt.tzinfo, *, seconds: bool = True) -> None:
        whole = stamp(time, zone)
        super().__init__(whole if seconds else whole[:16])
        self.forms = (self.plain, whole[:16], whole[5:16])


Cell = str | Text
Piece = tuple[str, str]  # words, style
Row = Sequence[str]


class Table:
    """Rows under headings; the numbers of `right` are columns of numbers. Of the first column nothing is broken."""

    def __init__(self, columns: tuple[str, ...], right: set[int]) -> None:
        self.columns, self.right = columns, right
        self.rows: list[tuple[Cell, ...]] = []

    def add_row(self, *cells_: Cell) -> None:
        """One more row."""
        self.rows.append(cells_)

    def lines(self, width: int) -> Iterator[list[Piece]]:
        """The table in lines of at most `width` columns: of all ways to lay it out the one that needs the fewest."""
        timed = any(isinstance(cell, Moment) for row in self.rows[:SAMPLE] for cell in row)
        best: tuple[float, int, list[int], str] | None = None
        for form in range(3 if timed else 1):
            sample = self._texts(form, self.rows[:SAMPLE])
            natural = self._natural(form)
            if _whole(natural) <= width:
                best = min(best, (len(sample) * (1 + form / 8), form, natural, "rows")) if best else (0, form, natural, "rows")
                break
            for how, sizes in (("rows", self._narrowed(sample, natural, width)), ("stacked", self._stacked(natural, width))):
                if sizes is not None:
                    lines = sum(1 for _line in self._laid_out(sample, sizes, how, width))
                    worse = STACKED if how == "stacked" else TIGHT if sizes[-1] < NARROW else 1
                    way = (lines * worse * (1 + form / 8), form, sizes, how)
                    best = way if best is None or way[0] < best[0] else best
        form, sizes, how = best[1:] if best is not None else (2, [], "records")
        texts = (text for at in range(0, len(self.rows), SAMPLE) for text in self._texts(form, self.rows[at : at + SAMPLE]))
        styles = (tuple("" if isinstance(cell, str) else cell.style for cell in row) for row in self.rows)
        yield from self._placed(self.columns, ("dim",) * len(self.columns), sizes, how, width)
        for text, style in zip(texts, styles, strict=True):
            yield from self._placed(text, style, sizes, how, width)

    def _texts(self, form: int, rows: Sequence[tuple[Cell, ...]]) -> list[tuple[str, ...]]:
        return [
            tuple(c if isinstance(c, str) else c.forms[form] if isinstance(c, Moment) else c.plain for c in row) for row in rows
        ]

    def _natural(self, form: int) -> list[int]:
        """How wide each column is by itself."""
        found = [max(cells(line) for line in heading.split("\n")) for heading in self.columns]
        for at in range(0, len(self.rows), SAMPLE):
            for row in self._texts(form, self.rows[at : at + SAMPLE]):
                for n, text in enumerate(row):
                    if len(text) * 2 > found[n]:
                        found[n] = max(found[n], cells(text))
        return found

    def _narrowed(self, sample: list[tuple[str, ...]], natural: list[int], width: int) -> list[int] | None:
        """The same with headings over several lines and long texts broken, so that all of it fits; None where it does not."""
        sizes = list(natural)
        least = [max((cells(p) for row in sample for p in pieces(row[n])), default=0) for n in range(len(sizes))]
        for n, heading in enumerate(self.columns):
            if n in self.right or n == 0:  # only its heading may be broken
                widest = max((cells(row[n]) for row in sample), default=0)
                least[n] = max([widest if len(self.rows) <= SAMPLE else natural[n], *map(cells, pieces(heading))])
            elif natural[n] <= FLEXIBLE and n + 1 < len(sizes):
                least[n] = natural[n]
            else:
                least[n] = max(least[n], FLEXIBLE // 2)
        while (over := _whole(sizes) - width) > 0:
            free = [n for n in range(len(sizes)) if sizes[n] > least[n]]
            if not free:
                return None
            widest_ = max(free, key=lambda n: sizes[n])
            sizes[widest_] -= min(over, max(1, sizes[widest_] - least[widest_]) if len(free) == 1 else 1)
        return sizes

    def _stacked(self, natural: list[int], width: int) -> list[int] | None:
        """What stands in the last column below its row; None where that makes nothing narrower."""
        last = len(natural) - 1
        return natural[:-1] if last not in self.right and last and _whole(natural[:-1]) <= width else None

    def _laid_out(self, rows: list[tuple[str, ...]], sizes: list[int], how: str, width: int) -> Iterator[list[Piece]]:
        for row in (self.columns, *rows):
            yield from self._placed(row, ("",) * len(row), sizes, how, width)

    def _placed(self, row: Row, styles: Sequence[str], sizes: list[int], how: str, width: int) -> Iterator[list[Piece]]:
        """The lines of one row."""
        if how == "records":
            yield from self._record(row, styles, width)
            return
        below = row[-1] if how == "stacked" else ""
        if how == "stacked":
            row = row[:-1]
        broken = [text.split("\n") if cells(text) <= size else wrap(text, size) for text, size in zip(row, sizes, strict=True)]
        for i in range(max(map(len, broken))):
            line: list[Piece] = [(" " * INDENT, "")]
            left = 0
            for n, (lines, size) in enumerate(zip(broken, sizes, strict=True)):
                text = lines[i].replace(GLUE, " ").rstrip(" ") if i < len(lines) else ""
                blanks = size - cells(text)
                if n in self.right:
                    left, blanks = left + blanks, 0
                if text:
                    line += [(" " * left, ""), (text, styles[n])]
                    left = 0
                left += blanks + GAP
            yield [piece for piece in line if piece[0]]
        if below:
            margin = 3 * INDENT
            for text in wrap(below.replace("\n", " "), max(width - margin, 2)):
                yield [(" " * margin, ""), (text, styles[-1])]

    def _record(self, row: Row, styles: Sequence[str], width: int) -> Iterator[list[Piece]]:
        """A row of a table for which the page is too narrow: its name, and below it what the other columns say."""
        if row is self.columns:
            return
        for line in margined(" " * INDENT + row[0], width):
            yield [(line, styles[0])]
        said = [f"{heading} {text}".replace("\n", " ") for heading, text in zip(self.columns[1:], row[1:], strict=True) if text]
        for line in wrap(_("; ").join(said), max(width - 3 * INDENT, LEAST)):
            yield [(" " * 3 * INDENT + line, "")]


def _whole(sizes: Sequence[int]) -> int:
    """The columns of a table."""
    return INDENT + sum(sizes) + GAP * (len(sizes) - 1)


class Page:
    """Where to print. `styled`: with colours, if rich finds that there may be some."""

    def __init__(self, width: int, file: IO[str] | None = None, *, styled: bool = False) -> None:
        self.width, self.file = width, file
        self.rich: Console | None = console(width, file) if styled else None

    def print(self, what: str | Text | Table = "") -> None:
        """A text, broken between words, or a table. A text that has a margin keeps it."""
        if isinstance(what, Table):
            for line in what.lines(self.width):
                self._write(line)
            return
        text, style = (what, "") if isinstance(what, str) else (what.plain, what.style)
        for part in margined(text, self.width):
            self._write([(part, style)])

    def line(self, text: str, style: str = "") -> None:
        """A sentence among others that begin alike: its other lines stand further in."""
        for n, part in enumerate(wrap(text, self.width, max(self.width - INDENT, LEAST))):
            self._write([(" " * INDENT * bool(n) + part, style)])

    def item(self, text: str, style: str = "") -> None:
        """A sentence of a list: where it is longer than a line, the rest stands further in."""
        for line in hanging(text, self.width).split("\n"):
            self._write([(line, style)])

    def offer(self, said: str, text: str, style: str = "", margin: int = INDENT) -> None:
        """A command behind what it does; on a line of its own where both are too long for one."""
        blank = " " if said.isascii() else ""
        if margin + cells(said + blank + text) <= self.width:
            self._write([(" " * margin + said + blank + text, style)])
        else:
            for line in margined(" " * margin + said, self.width):
                self._write([(line, style)])
            self.command(text)

    def command(self, text: str, style: str = "") -> None:
        """A command that can be copied."""
        for line in command(text, self.width):
            self._write([(line, style)])

    def cut(self, text: str, style: str = "") -> None:
        """One line; what is too long for it is left out."""
        self._write([(cut(text, self.width), style)])

    def _write(self, line: list[Piece]) -> None:
        if self.rich is None:
            (self.file or sys.stdout).write("".join(words for words, _style in line).rstrip(" ") + "\n")
            return
        from rich.text import Text as Rich

        self.rich.print(Rich.assemble(*line), soft_wrap=True)


def console(width: int | None, file: IO[str] | None = None) -> Console:
    """A console of rich's that leaves a reader who went away (`| head`) to the caller: rich would exit with 1. It takes no word
    for a style and no `:a:` of an IPv6 address for a picture."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Says so instead of exiting."""
            raise BrokenPipeError

    return Plain(file=file, highlight=False, markup=False, emoji=False, width=width, soft_wrap=False)
