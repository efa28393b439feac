"""The live screen with its keys, by Textual: three lists, and what stands before them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Static

from monzen.screen import lines
from monzen.screen.asking import Asking, Choosing, Lasting, Reading, Typing
from monzen.screen.deciding import decide
from monzen.screen.frame import hang_up, parts
from monzen.screen.lines import Look, fit
from monzen.screen.pane import Pane, Row
from monzen.screen.seer import Seer
from monzen.screen.sight import Alarm, Denied, Sight
from monzen.show.text import network, stamp
from monzen.show.words import _
from monzen.show.wrap import INDENT

PANES: Final = ("attempts", "denied", "suspects")
WIDE: Final = 130  # columns from which on the lists stand side by side
SHORT: Final = 24  # lines below which the list with the cursor gets most of the room
KEY: Final = 10  # columns of a key in the help, and of the margin behind it
LEAST: Final = ("p", "f", "a", "!", "r", "Tab")  # keys that a narrow last line leaves out, in this order; the help has them
HANG_UP: Final = 2.0  # seconds between two looks whether the terminal is still there
HINTED: Final = 8.0  # seconds that an answer stays in the last line


class Watching(App[None]):
    """Shows what a Seer sees. `why` adds what the ledger remembers of a target; `refusal` is why nothing may be changed here."""

    CSS = """
    * { scrollbar-size-vertical: 1; }
    Screen { background: ansi_default; color: ansi_default; layers: base; }
    #head, #spark, #foot { height: 1; }
    #news { height: auto; max-height: 2; }
    #news.none { display: none; }
    #lists { layout: vertical; height: 1fr; }
    #lists.wide { layout: grid; grid-size: 2 2; grid-columns: 3fr 4fr; grid-gutter: 0 2; }
    #lists.wide #attempts { row-span: 2; }
    Pane { height: 1fr; min-height: 2; }
    #lists.short Pane:focus { height: 3fr; }
    ModalScreen { align: center middle; background: ansi_default; }
    .paper { width: 100%; max-width: 130; height: 100%; padding: 0 1; background: ansi_default; }
    .question { height: auto; max-width: 76; border: solid ansi_default; padding: 0 1; }
    .paper Words { width: 100%; height: auto; color: ansi_default; background: ansi_default; }
    .paper VerticalScroll { height: 1fr; scrollbar-gutter: stable; background: ansi_default; }
    .heading { margin-bottom: 1; }
    .question > Words { margin-bottom: 1; }
    .question .foot { margin-bottom: 0; }
    Input { border: none; height: 1; padding: 0; background: ansi_default; color: ansi_default; text-style: reverse; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c,ctrl+q", "quit", show=False, priority=False),
        Binding("e,enter", "explain", show=False),
        Binding("r", "release", show=False),
        Binding("a", "allow", show=False),
        Binding("d", "deny", show=False),
        Binding("p", "pause", show=False),
        Binding("f,slash", "filter", show=False),
        Binding("question_mark,h", "help", show=False),
        Binding("exclamation_mark", "alarms", show=False),
        Binding("escape", "all", show=False),
    ]

    class Seen(Message):
        """There is something new to be seen."""

        def __init__(self, sight: Sight) -> None:
            super().__init__()
            self.sight = sight

    def __init__(
        self,
        seer: Seer,
        look: Look,
        *,
        why: Callable[[str], Sequence[str]] = lambda _target: (),
        config: str | None = None,
        refusal: str = "",
    ) -> None:
        super().__init__(ansi_color=True)
        self.seer, self.look = seer, look
        self.why, self.config, self.refusal = why, config, refusal
        self.sight: Sight | None = None
        self.paused: tuple[Sight, int] | None = None  # what stands still, and how many attempts came since
        self.wanted = ""  # rows that do not have it are left out
        self.stopping = threading.Event()
        self.looking = threading.Thread(target=self._watch, name="looking", daemon=True)
        self.said = ""  # instead of the keys, for a while

    # ---- the frame

    def compose(self) -> ComposeResult:
        """Head, lists, keys."""
        yield Static(id="head")
        yield Static(id="spark")
        yield Static(id="news", classes="none")
        with Container(id="lists"):
            for name in PANES:
                yield Pane(self.look, name=name)
        yield Static(id="foot")

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one("#attempts").focus()
        self._foot()
        self.looking.start()
        if not self.is_headless:
            self.set_interval(HANG_UP, hang_up)

    def on_unmount(self) -> None:
        """End to look."""
        self.stopping.set()
        self.seer.wake()

    def _watch(self) -> None:
        """The thread that looks, as long as the screen is there."""
        while not self.stopping.is_set():
            sight = self.seer.step()
            if sight is not None:
                self.post_message(self.Seen(sight))

    def on_watching_seen(self, message: Seen) -> None:
        """Another moment."""
        self.sight = message.sight
        self._draw()

    def on_resize(self) -> None:
        """The lists side by side where there is room, and drawn anew."""
        lists = self.query_one("#lists")
        lists.set_class(self.size.width >= WIDE, "wide")
        lists.set_class(self.size.height < SHORT and self.size.width < WIDE, "short")
        self._foot()
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        sight = self.sight
        if sight is None or self.stopping.is_set():
            return
        screen = self.screen_stack[0]
        width = self.size.width
        head = lines.headline(sight, width, self.look)
        if self.wanted:  # what an empty list would be for, so it stands before all else
            said = _("only: {text} (Esc: all)").format(text=self.wanted)
            head = Text.assemble(("monzen", "bold"), "  ", (said, "reverse"), head[len("monzen") :])
        screen.query_one("#head", Static).update(cut(head, width))
        screen.query_one("#spark", Static).update(lines.spark(sight, width, self.look))
        found = lines.news(sight, width, self.look)
        screen.query_one("#news", Static).update(Text("\n").join(found))
        screen.query_one("#news").set_class(not found, "none")
        self._foot()
        for name, part in zip(PANES, parts(sight), strict=True):
            pane = screen.query_one(f"#{name}", Pane)
            pane.note, rows = "", part.rows
            if name == "attempts" and self.paused is not None:
                before = self.paused[0]
                new = sum(1 for a in rows if not before.latest or a.at > before.latest[0].at)
                pane.note = _("paused, {n} new").format(n=new)
                part = part._replace(rows=before.latest, total=len(before.latest))
            if self.wanted:
                shown = [r for r in part.rows if self._wants(r)]
                part = part._replace(rows=shown, total=len(shown), bounds="", none=_("nobody with this text"))
            pane.put(part, sight)

    def _wants(self, row: tuple[Any, ...]) -> bool:
        """Whether a row has the text of the filter in any of what it shows."""
        wanted = self.wanted.casefold()
        return any(wanted in value.casefold() for value in row if isinstance(value, str))

    def _foot(self) -> None:
        """The keys, or for a moment what came of one."""
        width = self.size.width
        if self.said:
            self.screen_stack[0].query_one("#foot", Static).update(Text(fit(self.said, width), style="reverse"))
            return
        keys = [
            ("e", _("explain")), ("d", _("deny")), ("r", _("release")), ("a", _("allow")), ("p", _("pause")),
            ("f", _("filter")), ("!", _("alarms")), ("Tab", _("next list")), ("?", _("help")), ("q", _("quit")),
        ]  # fmt: skip
        out = set() if self.sight is not None and (self.sight.alarms or self.sight.troubles) else {"!"}
        out |= {"d", "r", "a"} if self.refusal or os.geteuid() != 0 else set()
        for least in ("", *LEAST):
            out.add(least)
            line = Text(no_wrap=True)
            for key, does in keys:
                if key not in out:
                    line.append("  " if line else "")
                    line.append(key, style="bold")
                    line.append(f" {does}", style="dim")
            if cell_len(line.plain) <= width:
                break
        self.screen_stack[0].query_one("#foot", Static).update(cut(line, width))

    def tell(self, said: str) -> None:
        """A sentence in the last line, for a while."""
        self.said = said
        self._foot()
        self.set_timer(HINTED, lambda: self._untell(said))

    def _untell(self, said: str) -> None:
        if self.said == said:
            self.said = ""
            self._foot()

    # ---- keys that change nothing

    @property
    def pane(self) -> Pane:
        """Where the cursor is."""
        found = self.focused
        return found if isinstance(found, Pane) else self.screen_stack[0].query_one("#attempts", Pane)

    def _row(self) -> Row | None:
        if self.pane.row is None:
            self.tell(_("There is nobody in this list. Tab: the next one"))
        return self.pane.row

    def on_pane_chosen(self) -> None:
        """A click on the row that the cursor is on."""
        self.action_explain()

    def action_explain(self) -> None:
        """What `monzen why` says."""
        row = self._row()
        if row is not None:
            name = network(row.target, row.bits)
            self.push_screen(Reading(name, [*self.why(name), *self.seer.explain(row.target, row.bits)]))

    def action_alarms(self) -> None:
        """What a person should look at."""
        sight = self.sight
        if sight is not None:
            rows: Sequence[Alarm] = sight.alarms
            said = [stamp(a.at, self.look.zone, seconds=False) + "  " + a.text for a in rows]
            shown = [*sight.troubles, *said] or [_("Nothing.")]
            self.push_screen(Reading(_("What you should look at"), shown, hang=INDENT))

    def action_pause(self) -> None:
        """The attempts stand still, or go on."""
        self.paused = None if self.paused is not None or self.sight is None else (self.sight, 0)
        self._draw()

    def action_filter(self) -> None:
        """Only rows with this text."""

        def take(text: str | None) -> None:
            if text is not None:
                self.wanted = text
                self._draw()

        self.push_screen(Typing(_("Show only rows with this text: an address or its beginning, a service"), self.wanted), take)

    def action_all(self) -> None:
        """No filter any more."""
        self.wanted = ""
        self._draw()

    def action_help(self) -> None:
        """The keys in sentences."""
        self.push_screen(
            Reading(
                "monzen watch",
                [
                    _("Attempts: who guesses passwords or probes, the newest first; denied: turned away by then."),
                    _("Denied: who is turned away now, the newest first; since when, how often they knocked since, and why."),
                    _("Would be denied: the same, but the gate is not armed (monzen arm), or cannot be asked without root."),
                    _("Near a denial: who is under suspicion. 3/6: three were counted, six deny. A full bar: see e."),
                    "",
                    *(
                        fit(key, KEY) + does
                        for key, does in (
                            ("Tab", _("the next list; Shift-Tab: the one before")),
                            ("↑ ↓", _("move in it; also PgUp, PgDn, Home, End")),
                            ("e, Enter", _("explain: what was counted of this address or network")),
                            ("d", _("deny it, or its network")),
                            ("r", _("release it")),
                            ("a", _("never deny it")),
                            ("p", _("stop the list of attempts, or let it go on")),
                            ("f, /", _("show only rows with some text; Esc: all again")),
                            ("!", _("what you should look at")),
                            ("q", _("quit")),
                        )
                    ),
                    "",
                    _("d, r and a ask before they change anything. They need root. Everything else only looks."),
                ],
                hang=KEY,
            )
        )

    # ---- keys that change something

    def action_release(self) -> None:
        """Let in again, after asking."""
        row = self._may()
        if row is None:
            return
        name = network(row.target, row.bits)
        if isinstance(row, Denied) and row.number is not None:
            question = _("Release {target} (number {n})?").format(target=row.name, n=row.number)
            self._ask("release", str(row.number), question, _("It is let in at once. Older log lines do not deny it again."))
        else:
            question = _("Release {target}?").format(target=name)
            self._ask("release", name, question, _("It is let in at once. Older log lines do not deny it again."))

    def action_allow(self) -> None:
        """Never deny, after asking."""
        row = self._may()
        if row is not None:
            name = network(row.target, row.bits)
            more = _("What is denied of it is released. Undo: monzen allow {target} --remove").format(target=name)
            self._ask("allow", name, _("Never deny {target} from now on?").format(target=name), more)

    def action_deny(self) -> None:
        """Turn away the address or its network, after asking which."""
        row = self._may()
        if row is None:
            return
        names = [network(row.target, row.bits)]
        if row.bits == 32:
            names.append(network(row.target[:3], 24))
        elif row.bits == 64 and len(row.target) >= 7:
            names += [network(row.target[:7], 56), network(row.target[:6], 48)]

        def chosen(number: int | None) -> None:
            if number is not None and number >= 0:
                name = names[number]
                more = _("On every port, without an answer. Undo: monzen release {target}").format(target=name)

                def answered(length: str | None) -> None:
                    self._answered("deny", name, length)

                self.push_screen(Lasting(_("Deny {target}?").format(target=name), more), answered)

        if len(names) == 1:
            chosen(0)
        else:
            self.push_screen(Choosing(_("Deny whom?"), names), chosen)

    def _may(self) -> Row | None:
        """The row under the cursor, where something may be changed."""
        if self.refusal:
            self.tell(self.refusal)
            return None
        if os.geteuid() != 0:
            self.tell(_("Only root changes the gate. Start it as root: sudo monzen watch"))
            return None
        return self._row()

    def _ask(self, verb: str, target: str, question: str, more: str) -> None:
        self.push_screen(Asking(question, more), lambda yes: self._answered(verb, target, "" if yes else None))

    def _answered(self, verb: str, target: str, length: str | None) -> None:
        """`length` is None where it shall not be done."""
        if length is not None:
            self.run_worker(self._decide(verb, target, length), exclusive=False)
        else:
            self.tell(_("Nothing was changed."))

    async def _decide(self, verb: str, target: str, length: str) -> None:
        status, said = await decide(verb, target, self.config, length)
        self.seer.wake()
        if status == 0 and len(said) == 1:
            self.tell(said[0])
        else:
            self.push_screen(Reading(_("Done") if status == 0 else _("Not done, or not all of it"), said))


def cut(text: Text, width: int) -> Text:
    """The text in no more than this width."""
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text
