"""Campaigns: thousands of hosts that try once or twice, with one shape of session."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from monzen.judge.policy import Policy

MOST: Final = 4096  # networks kept of a shape
WEEK: Final = 7 * 86400.0


class Shape:
    """One shape of session (service and mechanism): the networks that failed with it, and that got in."""

    __slots__ = ("bad", "bad_since", "good", "good_since", "waiting")

    def __init__(self) -> None:
        self.bad: OrderedDict[bytes, float] = OrderedDict()
        self.good: OrderedDict[bytes, float] = OrderedDict()
        self.bad_since = self.good_since = 0.0  # none of them was noted before: nothing is too old until then
        self.waiting: dict[bytes, float] = {}  # clients that tried and went away, in case a campaign comes to light


class Campaigns:
    """All shapes; a shape has few values."""

    def __init__(self) -> None:
        self.shapes: dict[int, Shape] = {}

    def _shape(self, shape: int) -> Shape:
        found = self.shapes.get(shape)
        if found is None:
            if len(self.shapes) >= 256:
                del self.shapes[next(iter(self.shapes))]
            found = self.shapes[shape] = Shape()
        return found

    def failed(self, shape: int, network: bytes, now: float) -> None:
        """A stranger of a network failed with it."""
        _note(self._shape(shape).bad, network, now)

    def succeeded(self, shape: int, network: bytes, now: float) -> None:
        """Somebody of a network got in with it."""
        _note(self._shape(shape).good, network, now)

    def usual(self, shape: int) -> bool:
        """Whether users get in with it."""
        found = self.shapes.get(shape)
        return found is not None and len(found.good) > 0

    def runs(self, shape: int, policy: Policy, now: float) -> bool:
        """Whether far more networks fail with it than ever got in."""
        found = self.shapes.get(shape)
        if found is None:
            return False
        bad, good = found.bad, found.good
        if found.bad_since < now - WEEK:
            found.bad_since = _forget(bad, now - WEEK, now)
        if found.good_since < now - policy.known_for:
            found.good_since = _forget(good, now - policy.known_for, now)
        return len(bad) >= max(policy.shape_networks, policy.shape_ratio * len(found.good))


def _forget(table: OrderedDict[bytes, float], since: float, now: float) -> float:
    """Drops networks that were noted before; when the oldest of the others was."""
    while table:
        oldest = next(iter(table))
        noted = table[oldest]
        if noted >= since:
            return noted
        del table[oldest]
    return now


def _note(table: OrderedDict[bytes, float], network: bytes, now: float) -> None:
    if network in table:
        table.move_to_end(network)
    elif len(table) >= MOST:
        table.popitem(last=False)
    table[network] = now
