"""What arguments mean: times, zones, numbers; how help and progress look."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import re
import sys
import time
from collections.abc import Callable, Iterable

from monzen.show.speech import columns
from monzen.show.words import _
from monzen.show.wrap import GLUE, LEAST, cells, margined, wrap

RELATIVE = re.compile(r"(\d{1,6}) ?([smhdw])", re.ASCII).fullmatch
HEADING = re.compile(r"^([^\x00-\x7f]+):$", re.MULTILINE).sub
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def local_zone() -> dt.tzinfo:
    """The machine's own zone with its rules (TZ, /etc/timezone, /etc/localtime): daylight saving is right in old logs too."""
    names = [os.environ.get("TZ", "").lstrip(":")]
    with contextlib.suppress(OSError, ValueError), open("/etc/timezone", encoding="ascii") as file:
        names.append(file.read().strip())
    with contextlib.suppress(OSError):
        names.append(os.readlink("/etc/localtime").partition("zoneinfo/")[2])
    for name in names:
        if name:
            if name in ("UTC", "Etc/UTC"):
                return dt.UTC
            from zoneinfo import ZoneInfo

            try:
                return ZoneInfo(name)
            except (OSError, ValueError, KeyError):
                continue
    return dt.UTC


def zone(text: str) -> dt.tzinfo:
    """The zone of a name (`Asia/Tokyo`) or an offset (`+09:00`)."""
    m = re.fullmatch(r"([+-])(\d\d):?(\d\d)", text, re.ASCII)
    if m:
        offset = dt.timedelta(hours=min(int(m[2]), 24), minutes=int(m[3]))
        if offset >= dt.timedelta(hours=24) or int(m[3]) > 59:
            raise argparse.ArgumentTypeError(_("there is no offset {text!r}. Use one such as +09:00").format(text=text))
        return dt.timezone(-offset if m[1] == "-" else offset)
    if text.upper() in ("UTC", "Z"):
        return dt.UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        raise argparse.ArgumentTypeError(
            _("there is no time zone {text!r}. Use a name such as Asia/Tokyo, or an offset such as +09:00").format(text=text)
        ) from None


def year(text: str) -> int:
    """A year of four digits."""
    if re.fullmatch(r"(19|20)\d\d", text, re.ASCII):
        return int(text)
    raise argparse.ArgumentTypeError(_("{text!r} is not a year. Use four digits, such as 2026").format(text=text))


def count(text: str) -> int:
    """A number of rows, 1 or more."""
    if text.isascii() and text.isdigit() and len(text) < 40 and int(text) > 0:
        return min(int(text), 10**9)
    raise argparse.ArgumentTypeError(_("{text!r} is not a number of rows. Use 1 or more").format(text=text))


def moment(text: str, now: float, local: dt.tzinfo) -> float:
    """`2026-09-04`, `2026-09-04T16:59[:45][+09:00]`, `today`, `yesterday`, or how long ago: `36h`, `7d`. Raises ValueError."""
    m = RELATIVE(text)
    if m:
        return now - int(m[1]) * UNITS[m[2]]
    if text in ("today", "yesterday"):
        day = dt.datetime.fromtimestamp(now, local).replace(hour=0, minute=0, second=0, microsecond=0)
        return (day - dt.timedelta(days=text == "yesterday")).timestamp()
    at = dt.datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=local)).timestamp()


class Help(argparse.RawDescriptionHelpFormatter):
    """Help in columns as they look: argparse counts letters, and breaks lines at blanks only, which Japanese has not."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=columns() - 2)  # without a width it imports shutil, for each option anew

    def _split_lines(self, text: str, columns: int) -> list[str]:
        return wrap(text.lstrip(), columns)

    def _format_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None,
    ) -> str:
        """In one line by argparse, and broken between options here."""
        width, self._width = self._width, 1 << 20
        text = super()._format_usage(usage, actions, groups, prefix).strip("\n")
        self._width = width
        depth, said = 0, ""
        for letter in text:
            depth += (letter in "[{") - (letter in "]}")
            said += GLUE if letter == " " and depth and said[-1:] != "|" else letter
        said = said.replace(f"{GLUE}|", " |")
        margin = " " * min(cells(text.partition(" [")[0]) + 1, 24)
        return f"\n{margin}".join(wrap(said, width, max(width - len(margin), LEAST))) + "\n\n"

    def _format_action(self, action: argparse.Action) -> str:
        """As argparse has it, which counts letters; what the option does stands in its column also behind a Japanese name."""
        text = super()._format_action(action)
        name = self._format_action_invocation(action)
        if cells(name) == len(name) or not action.help:
            return text
        first, _line, rest = text.partition("\n")
        margin = " " * self._current_indent
        says = first.removeprefix(margin + name).strip()
        if not says:
            return text
        column = min(self._action_max_length + 2, self._max_help_position)
        room = column - len(margin) - cells(name)
        first = margin + name + (" " * room if room >= 2 else "\n" + " " * column) + says
        return f"{first}\n{rest}"

    def format_help(self) -> str:
        """As argparse has it, which puts a narrow colon behind each heading, also behind a Japanese one."""
        return HEADING(r"\1：", super().format_help())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in margined(text, width - len(indent)))


class progress_bar:  # noqa: N801  # used like a function: with progress_bar(total) as advance
    """A bar on stderr, if that is a terminal, for what takes more than a second."""

    def __init__(self, total: int, *, wanted: bool) -> None:
        self.total, self.wanted = total, wanted and sys.stderr.isatty() and total > 0
        self.done, self.start = 0, time.monotonic()
        self.bar: object | None = None

    def __enter__(self) -> Callable[[int], None] | None:
        return self.advance if self.wanted else None

    def advance(self, size: int) -> None:
        """Takes note of bytes read; draws from the second second on."""
        self.done += size
        if self.bar is None:
            if time.monotonic() - self.start < 1.0:
                return
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn(_("reading")),
                BarColumn(),
                DownloadColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("", total=self.total)
        self.bar.update(self.task, completed=self.done)  # type: ignore[attr-defined]  # set just above

    def __exit__(self, *problem: object) -> None:
        if self.bar is not None:
            self.bar.stop()  # type: ignore[attr-defined]  # a rich Progress
