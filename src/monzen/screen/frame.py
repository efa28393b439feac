"""The live screen without keys: one frame as lines, for a pipe, or drawn again and again by rich where Textual is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live as Drawn
from rich.text import Text

from monzen.screen import lines
from monzen.screen.lines import Look
from monzen.screen.seer import Seer
from monzen.screen.sight import Sight
from monzen.show.words import _, ngettext

Rows = Callable[[Sequence[Any], Sight, int, Look], list[Text]]  # rows of one kind as lines


def parts(sight: Sight) -> list[tuple[str, Sequence[Any], Rows, str]]:
    """The three lists: title, rows, how they are drawn, and what is said where there are none."""
    denied = _("Denied") if sight.mode is not None and not sight.would else _("Would be denied")
    if sight.really and sight.would:
        denied = _("Denied, and would be")
    return [
        (_("Attempts"), sight.latest, lines.attempts, _("nobody so far")),
        (denied, sight.denied, lines.denials, _("nobody")),
        (_("Near a denial"), sight.suspects, lines.suspects, _("nobody")),
    ]


def frame(sight: Sight, width: int, look: Look, height: int | None = None) -> list[Text]:
    """The whole screen in lines of this width; in no more than `height` of them, where it is given."""
    head = [lines.headline(sight), lines.spark(sight, width, look)]
    found = lines.news(sight, width)
    if found is not None:
        head.append(found)
    room = 10 if height is None else max(1, (height - len(head) - 3) // 3)
    for title, rows, draw, none in parts(sight):
        head.append(Text(title, style="bold"))
        shown = rows[: room - 1] if len(rows) > room else rows
        head += draw(shown, sight, width, look) or [Text(none, style="dim")]
        if len(rows) > len(shown):
            head.append(Text(ngettext("and {n} more", "and {n} more", len(rows) - len(shown)), style="dim"))
    return head if height is None else head[:height]


def draw(seer: Seer, look: Look, said: str) -> None:
    """Until somebody interrupts it. `said` is the last line: what is missing, and how to end it."""
    console = Console(highlight=False, markup=False, emoji=False)
    with Drawn(console=console, screen=console.is_terminal, auto_refresh=False, vertical_overflow="crop") as drawn:
        while True:
            sight = seer.step()
            if sight is not None:
                size = console.size
                shown = frame(sight, size.width, look, size.height - 1)
                drawn.update(Group(*(_one_line(t) for t in shown), _one_line(Text(said, style="dim"))), refresh=True)


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
