"""The live screen without keys: one frame as lines, for a pipe, or drawn again and again by rich where Textual is missing."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live as Drawn
from rich.text import Text

from monzen.screen import lines
from monzen.screen.lines import Look, fit
from monzen.screen.seer import Seer
from monzen.screen.sight import SUSPECTS, Sight
from monzen.show.chronicle import LATEST as ATTEMPTS
from monzen.show.words import _, ngettext
from monzen.show.wrap import wrap

Rows = Callable[[Sequence[Any], Sight, int, Look], list[Text]]  # rows of one kind as lines


class Part(NamedTuple):
    """One of the three lists."""

    title: str
    columns: str  # what stands in them
    rows: Sequence[Any]
    total: int  # there are so many, as far as it is known; the rows are the first of them
    bounds: str  # which ones the rows are, where they are not all
    draw: Rows
    none: str  # what is said where there are none


def parts(sight: Sight) -> list[Part]:
    """The three lists."""
    denied = _("Denied") if sight.mode is not None and not sight.would else _("Would be denied")
    if sight.really and sight.would:
        denied = _("Denied, and would be")
    newest, nearest = _("the newest {n:,}"), _("the nearest {n:,}")
    rows: tuple[Sequence[Any], ...] = (sight.latest, sight.denied, sight.suspects)
    seen, shown, near = map(len, rows)
    total = sight.really + sight.would
    bounds = (
        newest.format(n=seen) if seen >= ATTEMPTS else "",
        newest.format(n=shown) if shown < total else "",
        nearest.format(n=near) if near >= SUSPECTS else "",
    )
    what = (_("(time, who, service, what)"), _("(since, who, knocks since, why)"), _("(counted of the limit, who, last, limit)"))
    return [
        Part(_("Attempts"), what[0], rows[0], seen, bounds[0], lines.attempts, _("nobody so far")),
        Part(denied, what[1], rows[1], total, bounds[1], lines.denials, _("nobody")),
        Part(_("Near a denial"), what[2], rows[2], near, bounds[2], lines.suspects, _("nobody")),
    ]


def heading(mark: str, title: str, columns: str, width: int, style: str = "bold") -> Text:
    """The title, and behind it what stands in the columns, where there is room for all of that."""
    text = Text(no_wrap=True)
    text.append(fit(mark + title, min(width, cell_len(mark + title))), style=style)
    tail = f"  {columns}"
    if columns and cell_len(text.plain) + cell_len(tail) <= width:
        text.append(tail, style="dim")
    return text


def frame(sight: Sight, width: int, look: Look, height: int | None = None) -> list[Text]:
    """The whole screen in lines of this width; in no more than `height` of them, where it is given."""
    head = [lines.headline(sight, width, look), lines.spark(sight, width, look)]
    head += lines.news(sight, width, look)
    three = parts(sight)
    for part, room in zip(three, rooms(three, None if height is None else height - len(head) - len(three)), strict=True):
        head.append(heading("", part.title, part.columns if part.rows else "", width))
        shown = part.rows[: room - 1] if part.total > room else part.rows
        head += part.draw(shown, sight, width, look) or [Text(part.none, style="dim")]
        if part.total > len(shown):
            head.append(Text(ngettext("and {n} more", "and {n} more", part.total - len(shown)), style="dim"))
    return head if height is None else head[:height]


def rooms(parts: Sequence[Part], lines: int | None) -> list[int]:
    """How many lines each list has of so many: what one does not need is another's."""
    if lines is None:
        return [10] * len(parts)
    found = [1] * len(parts)
    needs = [part.total for part in parts]
    while sum(found) < lines and any(has < need for has, need in zip(found, needs, strict=True)):
        n = min((n for n in range(len(parts)) if found[n] < needs[n]), key=lambda n: found[n])
        found[n] += 1
    return found


def hang_up() -> None:
    """End as by the signal of a terminal that hangs up, where it is gone and nobody sent one (it was no session's own)."""
    asked = select.poll()
    asked.register(1, 0)
    if asked.poll(0):  # POLLHUP, POLLERR and POLLNVAL need not be asked for
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, but nobody can see us any more
        signal.raise_signal(signal.SIGHUP)


def draw(seer: Seer, look: Look, said: str) -> None:
    """Until somebody interrupts it. `said` stands below: what is missing, and how to end it."""
    console = Console(highlight=False, markup=False, emoji=False)
    with Drawn(console=console, screen=console.is_terminal, auto_refresh=False, vertical_overflow="crop") as drawn:
        while True:
            sight = seer.step()
            hang_up()
            if sight is not None:
                size = console.size
                foot = [Text(line, style="dim") for line in wrap(said, size.width)]
                shown = frame(sight, size.width, look, size.height - len(foot))
                drawn.update(Group(*(_one_line(t) for t in (*shown, *foot))), refresh=True)


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
