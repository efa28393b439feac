"""A list of lines with a cursor, drawn letter by letter: nothing in it is ever read as markup."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Final, Protocol

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from monzen.screen.frame import Part, Rows, heading
from monzen.screen.lines import Look
from monzen.screen.sight import Sight
from monzen.show.words import _

CURSOR: Final = Style(reverse=True)
BASE: Final = Style()


class Row(Protocol):
    """What a list is made of: something about a target."""

    @property
    def at(self) -> float:
        """When, epoch seconds."""

    @property
    def target(self) -> bytes:
        """Leading bytes of a network."""

    @property
    def bits(self) -> int:
        """Its prefix length."""


class Pane(Widget, can_focus=True):
    """One list: a title, then rows. The cursor stays on its row when others come above it, unless it stands on the first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"move({by!r})", show=False)
        for key, by in (
            ("up,k", "-1"), ("down,j", "+1"), ("pageup", "-page"), ("pagedown", "+page"), ("home", "first"), ("end", "last"),
        )
    ]  # fmt: skip

    class Chosen(Message):
        """Somebody chose the row under the cursor, by a click."""

    def __init__(self, look: Look, *, name: str) -> None:
        super().__init__(id=name)
        self.look = look
        self.title = self.none = ""
        self.rows: Sequence[Row] = ()
        self.draw_rows: Rows | None = None
        self.sight: Sight | None = None
        self.columns = ""  # what stands in them
        self.total = 0
        self.bounds = ""  # which ones are shown, where not all are
        self.note = ""  # behind the title
        self.cursor = self.top = 0

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def put(self, part: Part, sight: Sight) -> None:
        """Show these rows."""
        was, moved = self.row, self.cursor - self.top
        self.title, self.none, self.draw_rows, self.sight = part.title, part.none, part.draw, sight
        self.rows, self.total, self.bounds, self.columns = part.rows, part.total, part.bounds, part.columns
        rows = part.rows
        if was is not None and self.cursor:
            same = _same(was)
            self.cursor = next((n for n, r in enumerate(rows) if _same(r) == same), min(self.cursor, max(0, len(rows) - 1)))
            self.top = self.cursor - moved
        self._keep()
        self.refresh()

    def action_move(self, by: str) -> None:
        """Move the cursor."""
        page = max(1, self.size.height - 2)
        steps = {"-1": -1, "+1": 1, "-page": -page, "+page": page, "first": -len(self.rows), "last": len(self.rows)}
        self.cursor += steps[by]
        self._keep()
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.cursor += 3
        self._keep()
        self.refresh()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.cursor -= 3
        self._keep()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """The cursor to where somebody pointed; explained, if it stood there."""
        at = self.top + event.y - 1
        if event.y and at < len(self.rows):
            again = at == self.cursor
            self.cursor = at
            self.refresh()
            if again:
                self.post_message(self.Chosen())

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._keep()

    def on_focus(self) -> None:
        """The cursor is shown where the keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """And nowhere else."""
        self.refresh()

    def _keep(self) -> None:
        """The cursor on a row, and in sight."""
        self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
        room = max(1, self.size.height - 1)
        self.top = max(0, min(self.top, self.cursor, len(self.rows) - room))
        self.top = max(self.top, self.cursor - room + 1)

    def render_lines(self, crop: Any) -> list[Strip]:  # noqa: ANN401  # a Region, which Textual has in different places
        """Draws what is in sight, all at once: columns are as wide as the widest of those."""
        width, height = self.size
        shown = self.rows[self.top : self.top + max(0, height - 1)]
        found: list[Text] = [self._title(width)]
        if self.draw_rows is not None and self.sight is not None:
            found += self.draw_rows(shown, self.sight, width, self.look) or [Text(self.none, style="dim")]
        strips = []
        for y in range(crop.y, crop.bottom):
            strip = self._strip(found[y], width) if y < len(found) else Strip.blank(width, BASE)
            if y and self.has_focus and y - 1 + self.top == self.cursor and shown:
                strip = Strip([Segment(strip.text, CURSOR)], width)
            strips.append(strip.crop(crop.x, crop.right))
        return strips

    def _title(self, width: int) -> Text:
        here = self.has_focus
        mark = "  " if not here else "> " if self.look.plain else "▸ "
        place = f" {self.cursor + 1:,}/{self.total:,}" if here and self.rows else f" {self.total:,}" if self.rows else ""
        place += _(", ") + self.bounds if self.bounds else ""
        note = f"  {self.note}" if self.note else ""
        style = "bold underline" if here else "bold"
        return heading(mark, self.title + place + note, self.columns if self.rows else "", width, style)

    def _strip(self, text: Text, width: int) -> Strip:
        text.end = ""
        base = self.app.console.get_style(text.style)  # which Text.render leaves out where there are no spans
        found = [Segment(s.text, base + s.style if s.style else base) for s in text.render(self.app.console) if s.text]
        return Strip(found).adjust_cell_length(width, BASE)


def _same(row: Row) -> Hashable:
    """What makes a row the same though its numbers changed: an attempt by its moment too."""
    return row.target, row.bits, row.at if not hasattr(row, "near") else 0.0
