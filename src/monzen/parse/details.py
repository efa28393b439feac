"""What Dovecot's auth says of a guess, ahead of the line that counts it (or a moment behind): held until another line claims it."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from monzen.parse.memory import SESSION, bound
from monzen.types import Event, Fact, Join, Service

HOLD: Final = 6.0  # seconds; Dovecot answers a failure after 2 s (auth_failure_delay), Postfix writes its line then
CREDIT: Final = 60.0  # seconds within which a second program's line about a guess that was counted belongs to it
DATABASES: Final = 3.0  # seconds within which a second database says of a guess what the first said; PAM takes two (pam_unix, fail delay)
LATE: Final = 1.5  # seconds within which auth's line may stand behind the guess that it is about (auth_failure_delay = 0)
MOMENTS: Final = 500  # clients of which that is remembered
DETAIL: Final = int(Join.DETAIL)


class Held:
    """An event that waits for a line that may settle it; `session` is Dovecot's, if it names one; `drivers` are the databases
    that have said the same."""

    __slots__ = ("drivers", "event", "session", "settled", "until")

    def __init__(self, event: Event, session: bytes) -> None:
        self.event, self.session, self.settled = event, session, False
        self.until = event[0] + HOLD
        self.drivers = NO_DRIVERS


NONE_HELD: Final[list[Held]] = []
NO_DRIVERS: Final[list[bytes]] = []  # shared by all that have none, and never written to
COUNTED: Final = Fact(0, 0, b"", None, int(Service.OTHER), 0, None, None, 0, "")  # the mark of a guess that was counted from its detail


class Details:
    """By client; and the queue of all that is held, which is the order of time."""

    def __init__(self) -> None:
        self.held: deque[Held] = deque()
        self.details: dict[bytes, list[Held]] = {}  # by client: what auth said and no other line has yet
        self.counted: dict[bytes, list[tuple[float, bytes]]] = {}  # by client: guesses counted from details alone
        self.unclaimed: dict[bytes, list[tuple[float, bytes | None]]] = {}  # by client: guesses of which auth has said nothing yet

    def _release(self, time: float, out: list[Event]) -> None:
        """Lets go what was waited for until this time: what auth said and nobody claimed counts by itself."""
        held = self.held
        while held and held[0].until < time:
            waiting = held.popleft()
            if waiting.settled:
                continue
            waiting.settled = True
            event = waiting.event
            attempts = event[2]
            if event[1][8] == DETAIL:
                self._forget(waiting)
                if attempts:
                    client = event[1][2]
                    stamps = self.counted.get(client)
                    if stamps is None:
                        self.counted[client] = [(event[0], waiting.session)]
                        bound(self.counted)
                    else:
                        stamps.append((event[0], waiting.session))
                        if len(stamps) > 50:
                            del stamps[:-50]
            if attempts:
                out.append(event)

    def _await(self, client: bytes, user: bytes | None, time: float) -> None:
        """Remembers a guess of which auth may speak a moment later: its lines come through another process."""
        guesses = self.unclaimed.get(client)
        if guesses is None:
            self.unclaimed[client] = [(time, user)]
            bound(self.unclaimed, MOMENTS)
        else:
            if guesses[0][0] < time - LATE:
                guesses.clear()
            guesses.append((time, user))
            if len(guesses) > 50:
                del guesses[:-50]

    def _late(self, client: bytes, user: bytes | None, time: float) -> bool:
        """Whether a detail belongs to a guess that was counted a moment ago."""
        guesses = self.unclaimed.get(client)
        if guesses is not None:
            for i, (at, name) in enumerate(guesses):
                if 0 <= time - at <= LATE and (name is None or user is None or name == user):
                    del guesses[i]
                    if not guesses:
                        del self.unclaimed[client]
                    return True
        return False

    def _detail(self, event: Event) -> None:
        """What auth says of a guess, ahead of the line that counts it: held. A second password database says it twice."""
        fact, line = event[1], event[3]
        client = fact[2]
        if not client:
            return
        session = session_id(line)
        if not session and client in self.unclaimed and self._late(client, fact[3], event[0]):
            return
        group = self.details.get(client)
        if group is None:
            waiting = Held(event if fact[1] else event._replace(attempts=0), session)
            self.details[client] = [waiting]
            bound(self.details)
            self.held.append(waiting)
            return
        for last in group[-4:]:
            before = last.event
            if (
                event[0] - before[0] <= DATABASES
                and (last.session == session or not last.session or not session)
                and before[1][3] == fact[3]
            ):
                if not last.drivers:
                    last.drivers = [driver_of(before[3])]
                driver = driver_of(line)
                if driver not in last.drivers:
                    last.drivers.append(driver)
                    last.session = session or last.session
                    if fact[6] and not before[1][6]:
                        last.event = before._replace(fact=fact)
                    return
        waiting = Held(event if fact[1] else event._replace(attempts=0), session)
        group.append(waiting)
        if len(group) > 100:
            group.pop(0)
        self.held.append(waiting)

    def _forget(self, waiting: Held) -> None:
        client = waiting.event[1][2]
        group = self.details.get(client)
        if group is not None:
            if len(group) == 1 and group[0] is waiting:
                del self.details[client]
            elif waiting in group:
                group.remove(waiting)

    def _settle(self, client: bytes, session: bytes, user: bytes | None) -> None:
        """Takes back what is held of a client: of this session, where the line names one, and of this name, where it does."""
        for waiting in list(self.details.get(client, NONE_HELD)):
            if (not session or not waiting.session or waiting.session == session) and user in (None, waiting.event.fact.user):
                waiting.settled = True
                self._forget(waiting)

    def _succeeded(self, client: bytes, times: int) -> None:
        """Takes back what a first password database said of this many guesses of a client that a second one knew to be none. Postfix gives
        auth no session, so that what names one is of another door."""
        for waiting in list(self.details.get(client, NONE_HELD)):
            if times > 0 and not waiting.session:
                waiting.settled = True
                self._forget(waiting)
                times -= 1

    def _claim(self, client: bytes, session: bytes, user: bytes | None, time: float, credit: float = CREDIT) -> Fact | None:
        """Settles the detail that belongs to a guess: its Fact, or COUNTED if it was counted by itself, None if there is none.

        A line with a session takes what names the same one first, then what names none; a line without (Postfix) the other way round.
        """
        group, stamps = self.details.get(client), self.counted.get(client)
        for turn in range(2):
            owner = b"" if turn else session
            whose = turn == 1 and not session  # then the session does not matter
            if group is not None:
                for waiting in group:
                    name = waiting.event[1][3]
                    if (whose or waiting.session == owner) and (user is None or name is None or name == user):
                        waiting.settled = True
                        self._forget(waiting)
                        return waiting.event[1]
            if stamps is not None:
                if not whose:
                    since = time - (SESSION if owner else credit)
                    for i, (at, of) in enumerate(stamps):
                        if of == owner and at >= since:
                            del stamps[i]
                            return COUNTED
                if not stamps or stamps[-1][0] < time - SESSION:
                    del self.counted[client]
                    stamps = None
        return None


def session_of(line: bytes) -> bytes:
    """Dovecot's session of a line: `session=<...>` at the end, or of auth `,<...>)` and, in 2.4, the last of `)<...><...>: `; `b""`
    where there is none."""
    at = line.rfind(b"session=<") + 9
    if at < 9:
        at = line.find(b",<") + 2
        if at < 2:
            at = line.find(b")<") + 2
            if at < 2:
                return b""
            at = max(at, line.rfind(b"><", at, line.find(b">: ", at) + 1) + 2)
    end = line.find(b">", at)
    return line[at:end] if 0 < end - at <= 64 else b""


try:  # the same in C
    from monzen.parse._scan import session_id as session_id  # said to be for others, too
except ImportError:
    session_id = session_of


DRIVER: Final = re.compile(
    rb"\bauth(?:-worker)?(?:\([^)]*+\))?(?:<[^>]*+>)*: (?:[A-Z][a-z]++: )?(?:conn unix:[^(]*+\([^)]*+\): )?(?:auth-worker<\d++>: )?(?:request \[\d++\]: )?"
    rb"([\w-]++)[(:]"
).search


def driver_of(line: bytes) -> bytes:
    """The password database of a detail: `sql` of `auth: sql(user,`, and of 2.4's `auth(user,address,...): sql:`."""
    m = DRIVER(line, 0, 1000)  # it stands at the front; what follows is the client's, and may be long
    return m[1] if m is not None else b""
