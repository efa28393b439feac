"""The command as it was typed, for sentences that ask to type it again with more rights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from monzen.show.words import _

LONGEST: Final = 300  # letters: half a command is none, so of a longer one only its verbs are named
_given: list[str] = []


def remember(given: Sequence[str]) -> None:
    """What was typed behind `monzen`."""
    _given[:] = given


def as_root(*more: str) -> str:
    """`sudo monzen` and all that was typed behind it, and `more`."""
    import shlex  # both are needed only where something was refused

    from monzen.show.text import safe

    whole = safe(shlex.join(["sudo", "monzen", *_given, *more]))
    if len(whole) <= LONGEST:
        return whole
    verbs = [word for word in _given[:2] if word.isalpha()]
    return " ".join(["sudo", "monzen", *verbs, "...", *more])


def remedy() -> str:
    """What to do where the system refused for want of rights: the same as root, unless this is root already."""
    if os.geteuid() != 0:
        return _("Run as root: {command}").format(command=as_root())
    return _("That was root already: see ls -l, df and mount; a container may lack the right")
