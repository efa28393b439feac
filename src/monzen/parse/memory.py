"""How long sessions are remembered, and how many."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

SESSION: Final = 1200.0  # seconds without a line after which a process is taken to serve somebody else
SESSIONS: Final = 10_000  # sessions remembered at most, oldest forgotten first (about 3 MiB)


def bound(table: dict[bytes, Any], most: int = SESSIONS) -> None:
    """Forgets the oldest tenth of what is too many: at once, because the first of a dict is slow to find behind what was deleted."""
    if len(table) > most:
        for key in list(islice(table, most // 10)):
            del table[key]
