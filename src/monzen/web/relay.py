"""What the half without rights says, for the terminal or the journal: harmless, and not for ever, for it reads hostile text."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from monzen.show.text import safe
from monzen.show.words import ngettext

SAYS: Final = 200  # lines in a minute: a few faults of ours, with where they came from
MINUTE: Final = 60.0
LONGEST: Final = 1_000  # bytes of a line


class Relay:
    """Lines in the order in which they come; what is too much in a minute is counted, and that is said with the next line."""

    def __init__(self) -> None:
        self.begun = float("-inf")
        self.said = self.missing = 0

    def hear(self, line: bytes, now: float) -> list[str]:
        """What is to be said of a line; `now` in seconds of any clock that only goes on."""
        told: list[str] = []
        if now >= self.begun + MINUTE:
            told = self.rest()
            self.begun, self.said = now, 0
        self.said += 1
        if self.said > SAYS:
            self.missing += 1
            return told
        return [*told, safe(line.rstrip(b"\n"), LONGEST)]

    def rest(self) -> list[str]:
        """What was left out until now, in a line."""
        count, self.missing = self.missing, 0
        if not count:
            return []
        said = ngettext(
            "{n} line was left out here: there were too many in a minute",
            "{n} lines were left out here: there were too many in a minute",
            count,
        )
        return [said]


def relay(source: int, clock: Callable[[], float] = time.monotonic) -> None:
    """Says what comes from a pipe, until it is closed."""
    through = Relay()
    with os.fdopen(source, "rb") as lines:
        while line := lines.readline(LONGEST):
            for told in through.hear(line, clock()):
                print(told, flush=True)
    for told in through.rest():
        print(told, flush=True)
