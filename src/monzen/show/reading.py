"""What a scan read, found and did not understand: what the reports are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from monzen.judge.judge import Judge

if TYPE_CHECKING:  # loaded only where it is asked for
    from monzen.judge.compare import Comparison


class Refused(Protocol):
    """An input that could not be read: why, which, and in whose words."""

    reason: str
    path: str
    detail: str


@dataclass(slots=True)
class Input:
    """What was read of one source."""

    path: str
    lines: int = 0
    too_long: int = 0


@dataclass(slots=True)
class Reading:
    """The judge with its tables, and counts: `understood` lines became events or were known to be none, `suspects` look like
    failures and were not understood (`samples` holds some), `twice` stood in two inputs, `clamped` had a stamp in the future,
    `undated` say something of a client but not when (`undated_samples` holds some), `outside` not in the time asked for."""

    judge: Judge
    since: float | None = None  # epoch seconds: what was asked for
    until: float | None = None
    inputs: list[Input] = field(default_factory=list)
    errors: list[Refused] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)  # files that hold the same as one that was read
    lines: int = 0
    understood: int = 0
    suspects: int = 0
    samples: list[bytes] = field(default_factory=list)
    too_long: int = 0
    twice: int = 0
    clamped: int = 0
    interrupted: bool = False
    outside: int = 0
    undated: int = 0
    undated_samples: list[bytes] = field(default_factory=list)
    comparison: Comparison | None = None  # with other policies, where it was asked for
