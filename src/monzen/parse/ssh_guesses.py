"""The guesses that an sshd process shows: several lines speak of one, and the kind of line that proves most counts."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from monzen.parse.memory import SESSION, bound
from monzen.types import Event, Kind, Weight

AFTERWARDS: Final = 2.0  # seconds after the end of an sshd connection within which PAM sums up (`PAM 2 more authentication failures`)
STRONG: Final = int(Weight.STRONG)
LOST: Final = int(Kind.LOST)


class SshSession:
    """What an sshd process showed: how many guesses each kind of line proves; the most of them is what was counted."""

    __slots__ = ("client", "counted", "ended", "last", "seen")

    def __init__(self, client: bytes, last: float) -> None:
        self.client, self.last, self.counted, self.ended = client, last, 0, False
        self.seen: dict[str, int] = {}


class SshGuesses:
    """By process."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, SshSession] = {}
        self.shown: OrderedDict[bytes, float] = OrderedDict()  # clients of whom sshd showed a guess, and when last

    def end(self, event: Event) -> None:
        """The process serves nobody any more."""
        self.sessions.pop(event.head, None)

    def guess(self, event: Event, out: list[Event]) -> None:
        """Invalid user, PAM's line and Failed password speak of one guess: the kind of line that proves most counts."""
        time, fact = event.time, event.fact
        session = self.sessions.get(event.head)
        if (
            session is None
            or (fact.client and session.client and session.client != fact.client)
            or time - session.last > (AFTERWARDS if session.ended else SESSION)
        ):
            session = self.sessions[event.head] = SshSession(fact.client, time)
            bound(self.sessions)
        session.last = time
        if not fact.weight or not fact.client:
            out.append(event)
            return
        self.shown[fact.client] = time
        self.shown.move_to_end(fact.client)
        bound(self.shown)
        if fact.weight != STRONG:
            out.append(event)
            return
        kind = f"{fact.about} {fact.detail!r}" if fact.detail else fact.about
        seen = session.seen[kind] = session.seen.get(kind, 0) + fact.attempts
        if seen > session.counted:
            more, session.counted = seen - session.counted, seen
            out.append(event if more == event.attempts else event._replace(attempts=more))

    def leftover(self, event: Event, out: list[Event]) -> None:
        """Cut off or left while authenticating: counts where that process showed no guess."""
        fact = event.fact
        session = self.sessions.get(event.head)
        if session is not None and event.time - session.last <= SESSION and (session.client == fact.client or not fact.client):
            session.last = event.time
            session.ended = fact.kind == LOST
            return
        if fact.kind != LOST and fact.client:
            self.guess(event, out)
            return
        out.append(event)

    def penalty(self, event: Event, out: list[Event]) -> None:
        """sshd refuses connections for what it saw before: one attempt a penalty, where no guess of the client was seen."""
        client = event.fact.client
        seen = self.shown.get(client)
        if seen is None or event.time - seen > SESSION:
            self.shown[client] = event.time
            bound(self.shown)
            out.append(event)
