"""What a scan read, found and did not understand: what the reports are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from monzen.judge.judge import Judge

if TYPE_CHECKING:  # loaded only where it is asked for
    from monzen.judge.compare import Comparison


class Refused(Protocol):
    """An input that could not be read: why, which, and in whose words."""

    reason: str
    path: str
    detail: str


class Input:
    """What was read of one source."""

    __slots__ = ("lines", "path", "too_long")

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines = self.too_long = 0


class Reading:
    """The judge with its tables, and counts: `understood` lines became events or were known to be none, `suspects` look like
    failures and were not understood (`samples` holds some), `twice` stood in two inputs, `clamped` had a stamp in the future,
    `undated` say something of a client but not when (`undated_samples` holds some), `outside` not in the time asked for."""

    def __init__(
        self,
        judge: Judge,
        *,
        errors: Sequence[Refused] = (),
        since: float | None = None,  # epoch seconds: what was asked for
        until: float | None = None,
        comparison: Comparison | None = None,  # with other policies, where it was asked for
    ) -> None:
        self.judge, self.since, self.until, self.comparison = judge, since, until, comparison
        self.inputs: list[Input] = []
        self.errors: list[Refused] = list(errors)
        self.twins: list[str] = []  # files that hold the same as one that was read
        self.lines = self.understood = self.suspects = self.too_long = self.twice = self.clamped = self.outside = self.undated = 0
        self.samples: list[bytes] = []
        self.undated_samples: list[bytes] = []
        self.interrupted = False
