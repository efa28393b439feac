"""What the sections of the page are made of: headings, tables, bars, places for charts, folded lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

from monzen.show.html.tags import Markup, tag
from monzen.show.html.words import number
from monzen.show.text import stamp
from monzen.show.words import ngettext

SHORT: Final = 15  # of a list of bars


class Pieces:
    """`zone`: of the times that are shown."""

    def __init__(self, zone: dt.tzinfo) -> None:
        self.zone = zone

    def _when(self, time: float) -> str:
        return stamp(time, self.zone, seconds=False)

    def _section(self, anchor: str, title: str, *children: object) -> Markup:
        return tag("section", tag("h2", title, id=f"{anchor}-title"), *children, id=anchor, aria_labelledby=f"{anchor}-title")

    def _table(
        self, headings: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = (), **more: object
    ) -> Markup:
        numbers = set(right)
        more.setdefault("class_", "cards")
        head = tag("tr", *(tag("th", h, scope="col", class_="n" if i in numbers else None) for i, h in enumerate(headings)))
        body = [tag("tr", *(tag("td", cell, class_="n" if i in numbers else None) for i, cell in enumerate(row))) for row in rows]
        return tag("div", tag("table", tag("thead", head), tag("tbody", *body), **more), class_="scroll")

    def _bars(self, rows: Sequence[Sequence[Any]], heading: str, counted: str) -> Markup:
        """Names with a bar each: a table for who hears it, bars for who sees it."""
        most = max((row[1] for row in rows), default=1) or 1
        lines = [
            tag(
                "tr",
                tag("th", tag("bdi", name), scope="row"),
                tag("td", _bar(n / most), class_="bar", aria_hidden="true"),
                tag("td", number(n), class_="n"),
            )
            for name, n in rows[:SHORT]
        ]
        head = tag(
            "tr", tag("th", heading, scope="col"), tag("td", "", class_="bar"), tag("th", counted, scope="col", class_="n")
        )
        more = len(rows) - SHORT
        note = tag("p", ngettext("and {n} more", "and {n} more", more), class_="dim") if more > 0 else None
        return tag("div", tag("table", tag("thead", head), tag("tbody", *lines), class_="bars"), note)

    def _chart(self, name: str, says: str) -> Markup:
        return tag("div", id=f"chart-{name}", class_="chart", role="img", aria_label=says)


def _bar(share: float) -> Markup:
    width = max(1.0, round(100 * share, 1))
    return tag("svg", tag("rect", width=f"{width:g}%", height="100%"), class_="meter", focusable="false")


def folded(title: str, *children: object) -> Markup:
    """What is there for who opens it."""
    return tag("details", tag("summary", title), *children)


def details(title: str, lines: Sequence[str]) -> Markup | None:
    """Log lines, folded."""
    if not lines:
        return None
    return folded(title, tag("ul", *(tag("li", tag("code", tag("bdi", line))) for line in lines), class_="lines"))
