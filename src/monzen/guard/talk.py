"""What `monzen run` says to the gate, and what it makes of the answers: orders, alarms, the shield, releases."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from monzen.guard.link import Link
from monzen.guard.mind import LIFT, PARDON, SHIELD, Mind, Record
from monzen.guard.offers import Offers
from monzen.show.alarms import alarming, broken_in, noticed
from monzen.show.reasons import english
from monzen.show.stored import LEAK
from monzen.show.text import network as shown

log = logging.getLogger("monzen.run")

FRESH: Final = 86_400.0  # an alarm older than that is history
LONG_AGO: Final = 30 * FRESH  # a password that somebody guessed stays guessed until it is changed
TOLD: Final = 2_000  # alarms remembered as told
AT_ONCE: Final = 20  # alarms in a message
NOTE: Final = 400  # letters of an alarm


class Talk:
    """The link, what is offered over it, and the alarms. `note` writes a record down and has the mind hear it."""

    def __init__(self, root: str, note: Callable[[Record], None]) -> None:
        self.link, self.offers, self.note = Link(root), Offers(), note
        self.told: dict[tuple[str, float, bytes], None] = {}
        self.alarms: list[list[Any]] = []  # to be told
        self.on_way: dict[int, list[list[Any]]] = {}  # alarms that are not answered yet, by message

    def listen(self, mind: Mind, *, history: bool) -> None:
        """What the gate says."""
        if self.link.socket is None:
            return
        was, mode = self.link.ready, self.link.mode
        news = self.link.read()
        if news.shield is not None:
            own, private = news.shield
            if (own, (), private) != mind.guarded:
                self.note((SHIELD, own, (), private))
        new = [r for r in news.releases if r[2] > mind.released.get(r[:2], float("-inf"))]
        if new:
            self.note((PARDON, new))
        for number, answers in news.answers:
            if self.on_way.pop(number, None) is not None:
                continue
            for s in self.offers.answered(number, answers, mind):
                log.info("refused net=%s rule=%s", shown(s.target, s.bits), s.rule)
                self.note((LIFT, s.target, s.bits))
        if self.link.ready and (not was or (news.mode is not None and news.mode != mode)):
            log.info("gate mode=%s", self.link.mode)
            if not history:
                self.offers.everything(mind, time.time())
        if was and not self.link.ready:
            self._gone()

    def send(self, mind: Mind, now: float) -> None:
        """As many orders as the gate takes now, the newest first; then alarms."""
        self.offers.collect(mind)
        while self.link.free and self.offers.pending:
            rows = self.offers.rows(mind, now)
            if not rows:
                break
            number = self._send("orders", [row for _key, _s, row in rows])
            if number is None:
                self.offers.back(rows)
                return
            self.offers.sent(number, rows)
        if self.link.free and self.alarms:
            some, self.alarms = self.alarms[:AT_ONCE], self.alarms[AT_ONCE:]
            number = self._send("alarms", some)
            if number is None:
                self.alarms = some + self.alarms
            else:
                self.on_way[number] = some

    def _send(self, what: str, rows: list[list[Any]]) -> int | None:
        """The number of a message that went out. That there is no gate any more is found here or where it is listened to."""
        number = self.link.send(what, rows)
        if number is None and not self.link.ready:
            self._gone()
        return number

    def look(self, mind: Mind, now: float) -> None:
        """Alarms and break-ins of the judge that are new."""
        for a in noticed(mind.judge, mind.judge.alarms.values()):
            if a.at >= now - FRESH:
                self._alarm(a.what, a.at, a.client, alarming(a, told=english))
        for b in mind.judge.breaches:
            if b.at >= now - LONG_AGO:
                self._alarm("breach", b.at, b.client, broken_in(b, english))

    def each_minute(self, mind: Mind, now: float) -> None:
        """What knocked is offered for longer; who is denied and goes on all the same is an alarm."""
        self.offers.lengthen(mind, now)
        for s in self.offers.leaks(mind):
            self._alarm("leak", now, s.target, LEAK.format(target=shown(s.target, s.bits)))

    def begin_anew(self) -> None:
        """Another mind: the gate tells again what it knows, and is offered everything again."""
        self.offers = Offers()
        self.link.lose("begun anew")
        self._lost()

    def _gone(self) -> None:
        log.warning("gate lost error=%r", self.link.error)
        self._lost()

    def _lost(self) -> None:
        self.alarms = [row for rows in self.on_way.values() for row in rows] + self.alarms
        self.on_way.clear()

    def _alarm(self, kind: str, at: float, client: bytes, text: str) -> None:
        key = (kind, at, client)
        if key in self.told:
            return
        self.told[key] = None
        if len(self.told) > TOLD:
            del self.told[next(iter(self.told))]
        if len(self.alarms) < TOLD:
            self.alarms.append([at, kind, text[:NOTE]])
        log.warning("alarm kind=%s client=%s", kind, shown(client, 8 * len(client)) if client else "-")
