"""What the sections of the terminal are made of: titles, tables, sentences of a list, lines of a log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from monzen.show.page import Moment, Page, Table, Text
from monzen.show.speech import page
from monzen.show.text import masked, safe, stamp
from monzen.show.words import ngettext


class Pieces:
    """`names`: user names are shown; `top`: rows of each table."""

    def __init__(self, zone: dt.tzinfo, *, names: bool = False, top: int = 10, console: Page | None = None) -> None:
        self.zone, self.names, self.top = zone, names, top
        self.console = console or page()

    def _title(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def _more(self, left: int) -> None:
        if left > 0:
            self.console.print(
                Text("  " + ngettext("and {n} more (--top shows more)", "and {n} more (--top shows more)", left), style="dim")
            )

    def _table(self, *columns: str, right: Iterable[int] = ()) -> Table:
        return Table(columns, set(right))

    def _show(self, table: Table) -> None:
        self.console.print(table)

    def _item(self, text: str, style: str) -> None:
        """A sentence of a list: where it is longer than a line, the rest stands further in."""
        self.console.item(text, style)

    def _when(self, time: float) -> str:
        return stamp(time, self.zone)

    def _moment(self, time: float) -> Moment:
        """The same in a table, shorter where that is narrow."""
        return Moment(time, self.zone)

    def _line(self, line: bytes) -> None:
        self.console.cut("    " + safe(masked(line, self.names)), "dim")

    def _samples(self, said: str, samples: list[bytes]) -> None:
        self.console.print(Text(said, style="yellow"))
        for sample in samples[: min(self.top, 5)]:
            self._line(sample)
