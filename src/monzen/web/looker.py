"""What `monzen serve` shows: the logs as they grow, and what the half with rights says of the gate."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from monzen.looking import Live
from monzen.show.facts import Gate, Place
from monzen.show.why import Subject, in_words
from monzen.types import Event
from monzen.web import broker
from monzen.why import target_of

LOOK: Final = 0.25  # seconds between two looks at the logs, where nothing wakes us
GATE: Final = 5.0  # seconds between two questions about the gate
MINUTE: Final = 60.0
ROWS: Final = 10


class LiveLooker:
    """A Live behind the page. `link`: to the half that has rights, where there is one."""

    def __init__(
        self,
        live: Live,
        zone: dt.tzinfo,
        link: socket.socket | None,
        *,
        names: bool,
        place: Callable[[bytes], Place | None] | None = None,
    ) -> None:
        self.live, self.zone, self.link, self.names, self.place = live, zone, link, names, place
        self.version = 0
        self.reading = True
        self.may = link is not None
        self.asking = asyncio.Lock()
        self.alone = False  # the half with rights has ended

    def facts(self) -> dict[str, Any]:
        """As of now."""
        return self.live.facts(names=self.names, place=self.place)

    def latest(self) -> list[tuple[Event, bool]]:
        """The last attempts of strangers."""
        return list(self.live.chronicle.latest)

    def why(self, target: str) -> str:
        """What the logs say of it. Raises ValueError."""
        subject = Subject(self.live.judge, *target_of(target), 0, [])
        return "\n".join(in_words(subject, self.zone, names=self.names, top=ROWS))

    async def remembered(self, target: str, language: str) -> str:
        """What the ledger says of it, in this language; nothing where nobody may ask, or it says nothing."""
        answer = await self._ask({"do": "why", "target": target, "language": language, "names": self.names})
        said = (answer or {}).get("text")
        return said if isinstance(said, str) and (answer or {}).get("status") is None else ""

    async def act(self, asked: dict[str, Any]) -> dict[str, Any]:
        """By the half that has rights."""
        answer = await self._ask(asked)
        await self._gate()
        self.version += 1
        return answer if answer is not None else {"status": 2, "text": broker.ENDED}

    async def run(self) -> None:
        """Look, for ever. Ends where the half with rights has ended."""
        asked = minute = float("-inf")
        heard = 0
        while not self.alone:
            moved = self.live.turn()
            if self.live.judge.events != heard and not self.reading:  # also of what was held, and counts now
                heard = self.live.judge.events
                self.version += 1
            if self.reading and self.live.caught_up:
                self.reading = False
                self.version += 1
            now = time.monotonic()
            if now >= asked + GATE:
                asked = now
                await self._gate()
            if now >= minute + MINUTE:
                minute = now
                self.live.watch_anew()
            await asyncio.sleep(0 if moved else LOOK)

    async def _gate(self) -> None:
        """What the gate did by now, from who may read it."""
        if self.link is None:
            return
        answer = await self._ask({"do": "gate", "since": self.live.since or 0.0})
        found = (answer or {}).get("gate")
        if not isinstance(found, dict):
            return
        with contextlib.suppress(TypeError, ValueError):
            denied = [(bytes.fromhex(network), int(bits)) for network, bits in found["denied"]]
            gate = Gate(**{**found, "denied": denied})
            if gate != self.live.gate:
                self.live.gate = gate
                self.version += 1

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        link = self.link
        if link is None:
            return None
        async with self.asking:
            try:
                answer = await asyncio.to_thread(_exchange, link, asked)
            except (OSError, ValueError):
                answer = None
        self.alone = self.alone or answer is None
        return answer if isinstance(answer, dict) else None


def _exchange(link: socket.socket, asked: dict[str, Any]) -> Any:  # noqa: ANN401  # what JSON holds
    broker.send(link, asked)
    return broker.receive(link)
