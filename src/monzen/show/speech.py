"""What is said to people: on a terminal in lines that fit, in a pipe each sentence in one line, for grep and its kin."""

from __future__ import annotations

import os
import sys
from typing import Final

from monzen.show.page import Page, Text
from monzen.show.wrap import wrap

RICH_ASKS: Final = ("FORCE_COLOR", "TTY_COMPATIBLE")  # what makes rich take a pipe for a terminal
PIPE: Final = 120  # columns of a table that no terminal shows


def columns() -> int:
    """The columns of the terminal, as shutil.get_terminal_size tells them."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and 0 < int(asked) < 10_000:
        return int(asked)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80 if sys.__stdout__ else 80
    except (OSError, ValueError):
        return 80


def laid_out() -> bool:
    """Whether lines shall fit: on a terminal, or where COLUMNS says how many columns there are."""
    return bool(os.environ.get("COLUMNS")) or sys.stdout.isatty()


def page() -> Page:
    """Where tables are printed, and what goes with them: standard output, with its colours."""
    styled = sys.stdout.isatty() or any(os.environ.get(name) for name in RICH_ASKS)
    return Page(columns() if laid_out() else PIPE, styled=styled)


def say(text: str, style: str = "") -> None:
    """A text; what it has before it as a margin, it keeps."""
    if laid_out():
        page().print(Text(text, style))
    else:
        print(text)


def line(text: str, style: str = "") -> None:
    """A sentence among others that begin alike: where it is longer than a line, the rest stands further in."""
    if laid_out():
        page().line(text, style)
    else:
        print(text)


def item(text: str, style: str = "") -> None:
    """A sentence of a list: where it is longer than a line, the rest stands further in."""
    page().item(text, style)


def complain(message: str) -> None:
    """One sentence to stderr: a line, but on a terminal."""
    said = "monzen: " + message
    if sys.stderr.isatty():
        said = "\n  ".join(wrap(said, columns(), columns() - 2))
    print(said, file=sys.stderr, flush=True)
