"""Which sentences of the judge the gate has to hear of, and what it answered. Bounded by the judge's own sentences."""

from __future__ import annotations

from typing import Any, Final

from monzen.guard import wire
from monzen.guard.mind import Mind
from monzen.judge.client import Sentence
from monzen.ledger import Order
from monzen.show.reasons import reason
from monzen.show.report import got_in

LONGER: Final = 0.1  # of a sentence by which it must have grown before the gate is told
GRACE: Final = 330.0  # seconds after which nothing of a denied client may appear: Postfix ends a silent session after 300
LEAKS: Final = 3  # attempts since then that are no accident
Key = tuple[bytes, int]


class Held:
    """What the gate holds of a sentence."""

    __slots__ = ("at", "attempts", "until")

    def __init__(self, until: float, at: float) -> None:
        self.until, self.at = until, at  # when it ends, as the gate knows; when it began to hold, in the log's time
        self.attempts = -1  # of its client, a while after that; -1: not looked at yet


class Offers:
    """Sentences become orders. `pending` is in the order in which they were given; the newest is sent first."""

    def __init__(self) -> None:
        self.pending: dict[Key, Sentence] = {}
        self.failed: dict[Key, Sentence] = {}  # the gate could not; it is asked again a moment later
        self.on_way: dict[int, list[tuple[Key, Sentence]]] = {}
        self.held: dict[Key, Held] = {}
        self.known = 0  # sentences given, of which all were looked at

    def collect(self, mind: Mind) -> None:
        """Take the sentences that are new."""
        if mind.judge.given > self.known:
            for s in mind.since(self.known):
                key = (s.target, s.bits)
                self.pending.pop(key, None)
                self.pending[key] = s
            self.known = mind.judge.given

    def everything(self, mind: Mind, now: float) -> None:
        """Offer all that lasts anew: the gate may be another one, or have changed its mode."""
        self.on_way.clear()
        self.failed.clear()
        self.held.clear()
        self.pending = {(s.target, s.bits): s for s in mind.judge.sentences if s.until > now}
        self.known = mind.judge.given

    def lengthen(self, mind: Mind, now: float) -> None:
        """Offer what has grown since, because it still knocks; forget what is over."""
        for key in [key for key, held in self.held.items() if held.until < now - 60.0]:
            del self.held[key]
        for key in [key for key, s in self.pending.items() if s.until <= now]:
            del self.pending[key]
        for s in mind.judge.sentences:
            if s.until > now:
                key = (s.target, s.bits)
                held = self.held.get(key)
                if held is not None and s.until > held.until + max(60.0, LONGER * s.length) and key not in self.pending:
                    self.pending[key] = s

    def rows(self, mind: Mind, now: float, most: int = wire.ORDERS) -> list[tuple[Key, Sentence, list[Any]]]:
        """Orders for the next message, the newest first."""
        found: list[tuple[Key, Sentence, list[Any]]] = []
        room = wire.MESSAGE - 4096
        while self.pending and len(found) < most:
            key, s = self.pending.popitem()
            if s.until <= now or got_in(mind.judge, s):
                continue
            order = order_of(s, mind)
            row = wire.order_row(order, s.last_knock)
            size = len(wire.packed({"row": row}))
            if size > room:
                self.pending[key] = s
                break
            room -= size
            found.append((key, s, row))
        return found

    def sent(self, number: int, rows: list[tuple[Key, Sentence, list[Any]]]) -> None:
        """They are on their way, under this number."""
        self.on_way[number] = [(key, s) for key, s, _row in rows]

    def back(self, rows: list[tuple[Key, Sentence, list[Any]]]) -> None:
        """They could not be sent."""
        for key, s, _row in reversed(rows):
            self.pending.setdefault(key, s)

    def again(self) -> None:
        """What failed is offered again, after what is newer."""
        if self.failed:
            self.pending = {**{key: s for key, s in self.failed.items() if key not in self.pending}, **self.pending}
            self.failed.clear()

    def answered(self, number: int, answers: list[tuple[str, int]], mind: Mind) -> list[Sentence]:
        """What the gate did; returns the sentences that it will never impose, so that the judge must not rely on them.

        What it says nothing of has failed."""
        refused: list[Sentence] = []
        sent = self.on_way.pop(number, [])
        missing = [("failed", 0)] * (len(sent) - len(answers))
        for (key, s), (what, _number) in zip(sent, [*answers, *missing], strict=False):
            if what in ("denied", "same"):
                self.held[key] = Held(s.until, mind.now)
            elif what in ("shielded", "wide", "future"):
                refused.append(s)
            elif what == "failed":
                self.failed[key] = s
        return refused

    def leaks(self, mind: Mind) -> list[Sentence]:
        """Who is denied and goes on, after a time in which whatever was on its way has arrived: the firewall leaks."""
        found: list[Sentence] = []
        for key, held in self.held.items():
            client = mind.judge.clients.get(key[0])
            if client is None or client.last < held.at + GRACE or not isinstance(client.sentence, Sentence):
                continue
            if held.attempts < 0:
                held.attempts = client.attempts
            elif client.attempts >= held.attempts + LEAKS:
                held.attempts = client.attempts
                found.append(client.sentence)
        return found


def order_of(s: Sentence, mind: Mind) -> Order:
    """A sentence as an order."""
    network = s.target.ljust(4 if len(s.target) <= 4 and s.bits <= 32 else 16, b"\0")
    why = reason(s, mind.policy)
    names = s.detail if s.rule == "names" else 0
    return Order(
        network, s.bits, 0, 0, s.until, s.length, s.rule, "run", why, s.clients, s.attempts, tuple(s.evidence), names
    )  # fmt: skip
