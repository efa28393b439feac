"""Patterns that are compiled when they are first used.

A run needs a few of them, and to compile them all was a tenth of the start of `monzen scan` (2026-11-25). They are written
where they are used, and called like the methods of a compiled pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, AnyStr, Generic


class Late(Generic[AnyStr]):
    """One method of a pattern that may never be needed."""

    __slots__ = ("flags", "method", "pattern", "ready")

    def __init__(self, pattern: AnyStr, flags: int, method: str) -> None:
        self.pattern: AnyStr = pattern
        self.flags, self.method = flags, method
        self.ready: Callable[..., re.Match[AnyStr] | None] | None = None

    def __call__(self, text: AnyStr, *between: int) -> re.Match[AnyStr] | None:
        """What the pattern finds in a text, or between two places of it."""
        ready = self.ready
        if ready is None:
            compiled: Any = re.compile(self.pattern, self.flags)
            ready = self.ready = getattr(compiled, self.method)
        return ready(text, *between)


def match(pattern: AnyStr, flags: int = 0) -> Late[AnyStr]:
    """`match` of a pattern."""
    return Late(pattern, flags, "match")


def search(pattern: AnyStr, flags: int = 0) -> Late[AnyStr]:
    """`search` of a pattern."""
    return Late(pattern, flags, "search")
