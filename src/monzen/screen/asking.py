"""What stands before the live screen for a moment: text to read, a question, a choice, a line to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from monzen.show.lengths import LENGTHS, lengths
from monzen.show.text import safe
from monzen.show.words import _
from monzen.show.wrap import INDENT, wrap

LETTERS: Final = 100  # of a filter


class Words(Widget):
    """Sentences as they are: none of their letters is markup. They break as the language does, and hang behind their margin.

    `hang`: the columns behind which the other lines of each stand; more than INDENT only where a gap is there, as the keys have.
    """

    def __init__(self, *said: str, style: str = "", hang: int = 0, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.said, self.letters, self.hang = said, style, hang

    def say(self, *said: str) -> None:
        """Others instead."""
        self.said = said
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # as Textual has it
        """As many lines as it takes."""
        return len(self._lines(width))

    def render(self) -> Text:
        """All of it."""
        return Text("\n".join(self._lines(self.size.width)), style=self.letters, no_wrap=True)

    def _lines(self, width: int) -> list[str]:
        found = []
        for text in self.said:
            margin = len(text) - len(text.lstrip(" "))
            if margin:
                margin += INDENT
            elif self.hang and (self.hang == INDENT or text[self.hang - 2 : self.hang] == "  "):
                margin = self.hang
            first, *rest = wrap(text, width, width - margin)
            found += [first, *(" " * margin + line for line in rest)]
        return found


class Reading(ModalScreen[None]):
    """Text that is longer than a line, to be read and put away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,e,h,enter,question_mark,exclamation_mark", "dismiss", show=False),
        *(
            Binding(key, action, show=False)
            for key, action in (
                ("up,k", "roll('up')"), ("down,j", "roll('down')"), ("pageup", "roll('page_up')"),
                ("pagedown,space", "roll('page_down')"), ("home", "roll('home')"), ("end", "roll('end')"),
            )
        ),
    ]  # fmt: skip

    def __init__(self, title: str, said: Sequence[str], *, hang: int = 0) -> None:
        super().__init__()
        self.heading, self.said, self.hang = title, said, hang

    def compose(self) -> ComposeResult:
        """The title, the text, how to go back."""
        with Vertical(classes="paper"):
            yield Words(self.heading, style="bold", classes="heading")
            with VerticalScroll(can_focus=False):
                yield Words(*self.said, hang=self.hang)
            yield Words(_("Esc: back"), style="dim", classes="foot")

    def on_resize(self) -> None:
        """How to see the rest, where there is one."""
        self.call_after_refresh(self._more)

    def _more(self) -> None:
        rest = self.query_one(VerticalScroll).max_scroll_y > 0
        said = _("Esc: back") + ("   " + _("↓ ↑ PgDn PgUp: the rest") if rest else "")
        self.query_one(".foot", Words).say(said)

    def action_roll(self, where: str) -> None:
        """Turn the page."""
        getattr(self.query_one(VerticalScroll), f"scroll_{where}")(animate=False)


class Asking(ModalScreen[bool]):
    """Yes or no; anything but `y` is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n,escape,q,enter", "answer(False)", show=False),
    ]

    def __init__(self, question: str, *more: str) -> None:
        super().__init__()
        self.question, self.more = question, more

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(classes="paper question"):
            yield Words(self.question, style="bold")
            yield Words(*self.more)
            yield Words(_("y: yes   n: no"), style="bold", classes="foot")

    def action_answer(self, yes: bool) -> None:
        """Said."""
        self.dismiss(yes)


class Lasting(ModalScreen[str]):
    """For how long: as `monzen deny --for` takes it, "" without it; None: not at all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n) if n else "y", f"take({n})", show=False) for n in range(len(LENGTHS))),
        Binding("n,escape,q,enter", "dismiss(None)", show=False),
    ]

    def __init__(self, question: str, *more: str) -> None:
        super().__init__()
        self.question, self.more = question, more

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        answers = [f"{n or 'y'}: {name}" for n, (_length, name) in enumerate(lengths())]
        with Vertical(classes="paper question"):
            yield Words(self.question, style="bold")
            yield Words(*self.more)
            yield Words("   ".join([*answers, _("n: no")]), style="bold", classes="foot")

    def action_take(self, number: int) -> None:
        """Said."""
        self.dismiss(LENGTHS[number][0])


class Choosing(ModalScreen[int]):
    """One of a few, by its number; -1 for none of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"take({n - 1})", show=False) for n in range(1, 6)),
        Binding("escape,q,n", "take(-1)", show=False),
    ]

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        super().__init__()
        self.question, self.choices = question, choices

    def compose(self) -> ComposeResult:
        """The question and the choices."""
        with Vertical(classes="paper question"):
            yield Words(self.question, style="bold")
            yield Words(*(f"{n}: {said}" for n, said in enumerate(self.choices, 1)))
            yield Words(_("Esc: none of them"), style="bold", classes="foot")

    def action_take(self, number: int) -> None:
        """Chosen, if there is such a one."""
        if number < len(self.choices):
            self.dismiss(number)


class Typing(ModalScreen[str]):
    """A line that is typed; None where it was given up."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, question: str, before: str) -> None:
        super().__init__()
        self.question, self.before = question, before

    def compose(self) -> ComposeResult:
        """The question and a line to type in."""
        with Vertical(classes="paper question"):
            yield Words(self.question, style="bold")
            yield Input(value=self.before, max_length=LETTERS)
            yield Words(_("Enter: take it   empty: show all   Esc: back"), classes="foot")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Typed to the end."""
        self.dismiss(safe(event.value.strip(), LETTERS))
