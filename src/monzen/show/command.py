"""The command as it was typed, for sentences that ask to type it again with more rights."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Final

from monzen.show.words import _

LONGEST: Final = 300  # letters: half a command is none, so of a longer one only its verbs are named
_given: list[str] = []


def remember(given: Sequence[str]) -> None:
    """What was typed behind `monzen`."""
    _given[:] = given


def again(*more: str, without: Collection[str] = (), valued: Collection[str] = (), sudo: bool = False) -> str:
    """`monzen` and all that was typed behind it, and `more`, each option once; less the options `without` and, with what stands
    behind them, `valued`."""
    import shlex  # both are needed only where something was refused

    from monzen.show.text import safe

    end = _given.index("--") if "--" in _given else len(_given)  # behind it stand names, whatever they look like
    kept: list[str] = []
    skip = False
    for word in _given[:end]:
        if skip or word in valued:
            skip = not skip
        elif word not in without and word not in more and word.partition("=")[0] not in valued:
            kept.append(word)
    first = ["sudo", "monzen"] if sudo else ["monzen"]
    whole = safe(shlex.join([*first, *kept, *more, *_given[end:]]))
    if len(whole) <= LONGEST:
        return whole
    verbs = [word for word in _given[:2] if word.isalpha()]
    return " ".join([*first, *verbs, "...", *more])


def as_root(*more: str, without: Collection[str] = ()) -> str:
    """The same with `sudo`."""
    return again(*more, without=without, sudo=True)


def remedy() -> str:
    """What to do where the system refused for want of rights: the same as root, unless this is root already."""
    if os.geteuid() != 0:
        return _("Run as root: {command}").format(command=as_root())
    return _("That was root already: see ls -l, df and mount; a container may lack the right")
