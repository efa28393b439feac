"""Joins the lines of one attempt: one guess is one attempt, however many lines it left.

A session is a program's process (host, name, pid) for Postfix and sshd, Dovecot's session id, or for lines without one the client.
The first witness of a guess is counted at once; what later lines say of the same guess is not counted again. Only lines that
a later line of the same session may take back or make bigger are held, for HOLD seconds of the log's own time. State depends
on the records alone and is bounded; `wait_until` lets the loop say what time it is.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from monzen.types import Event, Fact, Join, Kind, Service, Weight

HOLD: Final = 6.0  # seconds; Dovecot answers a failure after 2 s (auth_failure_delay), Postfix writes its line then
SAME_GUESS: Final = 2.5  # seconds between the PLAIN and the LOGIN of one typo (FACTS table A); a program tries again no faster
SESSION: Final = 1200.0  # seconds without a line after which a process is taken to serve somebody else
CREDIT: Final = 60.0  # seconds within which a second program's line about a guess that was counted belongs to it
DATABASES: Final = 3.0  # seconds within which a second database says of a guess what the first said; PAM takes two (pam_unix, fail delay)
LATE: Final = 1.5  # seconds within which auth's line may stand behind the guess that it is about (auth_failure_delay = 0)
MOMENTS: Final = 500  # clients of which that is remembered
AFTERWARDS: Final = 2.0  # seconds after the end of an sshd connection within which PAM sums up (`PAM 2 more authentication failures`)
SESSIONS: Final = 10_000  # sessions remembered at most, oldest forgotten first (about 3 MiB)

# Final, here and above: compiled, they are read without a look-up in the module's dict.
ALONE: Final = int(Join.ALONE)
SASL: Final = int(Join.SASL)
SUMMARY: Final = int(Join.SUMMARY)
LEFTOVER: Final = int(Join.LEFTOVER)
LOGIN_FAILED: Final = int(Join.LOGIN_FAILED)
DETAIL: Final = int(Join.DETAIL)
LOGIN: Final = int(Join.LOGIN)
MAIL_LOGIN: Final = int(Join.MAIL_LOGIN)
SSH: Final = int(Join.SSH)
SSH_LEFTOVER: Final = int(Join.SSH_LEFTOVER)
SSH_END: Final = int(Join.SSH_END)
SSH_PENALTY: Final = int(Join.SSH_PENALTY)
OUTAGE: Final = int(Join.OUTAGE)
STRONG: Final = int(Weight.STRONG)
LOST: Final = int(Kind.LOST)
OUTAGE_KIND: Final = int(Kind.AUTH_OUTAGE)
DISCONNECT: Final = int(Kind.DISCONNECT)


class _Smtp:
    """What a Postfix session showed: whom, when last, how; whether any failure line was seen; a held leftover."""

    __slots__ = ("client", "excused", "held", "last", "mechanism", "paired", "user")

    def __init__(self, client: bytes, last: float) -> None:
        self.client, self.last = client, last
        self.mechanism: bytes | None = None
        self.user: bytes | None = None
        self.paired = False
        self.excused = 0  # failures that were no guesses: a mechanism we have not, an outage
        self.held: _Held | None = None


class _Ssh:
    """What an sshd process showed: how many guesses each kind of line proves; the most of them is what was counted."""

    __slots__ = ("client", "counted", "ended", "last", "seen")

    def __init__(self, client: bytes, last: float) -> None:
        self.client, self.last, self.counted, self.ended = client, last, 0, False
        self.seen: dict[str, int] = {}


class _Held:
    """An event that waits for a line that may settle it; `session` is Dovecot's, if it names one; `drivers` are the databases
    that have said the same."""

    __slots__ = ("drivers", "event", "session", "settled", "until")

    def __init__(self, event: Event, session: bytes) -> None:
        self.event, self.session, self.settled = event, session, False
        self.until = event[0] + HOLD
        self.drivers = NO_DRIVERS


class Joiner:
    """Records in, events out, in the order of the records (a held one comes when it is settled, with its own time)."""

    def __init__(self) -> None:
        self.smtp: dict[bytes, _Smtp] = {}
        self.ssh: dict[bytes, _Ssh] = {}
        self.held: deque[_Held] = deque()
        self.details: dict[bytes, list[_Held]] = {}  # by client: what auth said and no other line has yet
        self.counted: dict[bytes, list[tuple[float, bytes]]] = {}  # by client: guesses counted from details alone
        self.unclaimed: dict[bytes, list[tuple[float, bytes | None]]] = {}  # by client: guesses of which auth has said nothing yet
        self.shown: OrderedDict[bytes, float] = OrderedDict()  # clients of whom sshd showed a guess, and when last

    def join(self, events: Iterable[Event]) -> list[Event]:
        """What counts of some events of the reader."""
        out: list[Event] = []
        held = self.held
        until = held[0].until if held else INFINITY
        for event in events:
            if event[0] > until:
                self._release(event[0], out)
                until = held[0].until if held else INFINITY
            join = event[1][8]  # Fact.join; by position, as everything on this path
            if join == ALONE:
                out.append(event)
            elif join == SASL:
                self._sasl(event, out)
            elif join == DETAIL:
                self._detail(event)
                if held:
                    until = held[0].until
            elif join in (LOGIN, MAIL_LOGIN):
                if event[1][2] in self.details:
                    self._login(event)
                out.append(event)
            elif join == SUMMARY:
                self._summary(event, out)
            elif join == LEFTOVER:
                self._leftover(event)
                if held:
                    until = held[0].until
            elif join == LOGIN_FAILED:
                self._login_failed(event, out)
            elif join == SSH:
                self._ssh(event, out)
            elif join == SSH_END:
                self.ssh.pop(event.head, None)
                out.append(event)
            elif join == SSH_LEFTOVER:
                self._ssh_leftover(event, out)
            elif join == SSH_PENALTY:
                self._ssh_penalty(event, out)
            else:
                self._outage(event, out)
        return out

    def wait_until(self, time: float) -> list[Event]:
        """What is no longer waited for at this time; at the end of a log, with infinity, all that is held."""
        out: list[Event] = []
        self._release(time, out)
        return out

    def _release(self, time: float, out: list[Event]) -> None:
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
                        _bound(self.counted)
                    else:
                        stamps.append((event[0], waiting.session))
                        if len(stamps) > 50:
                            del stamps[:-50]
            if attempts:
                out.append(event)

    # ---- Postfix

    def _session(self, event: Event) -> _Smtp | None:
        """The session that a Postfix process serves, if it is still that of this client."""
        session = self.smtp.get(event[4])
        if session is None or session.client != event[1][2] or event[0] - session.last > SESSION:
            return None
        return session

    def _begin(self, event: Event) -> _Smtp:
        session = self.smtp[event[4]] = _Smtp(event[1][2], event[0])
        _bound(self.smtp)
        return session

    def _sasl(self, event: Event, out: list[Event]) -> None:
        """One failed AUTH. PLAIN, then LOGIN at once for the same name, is one person's one guess."""
        time, fact, head = event[0], event[1], event[4]
        weight, client, user, mechanism = fact[1], fact[2], fact[3], fact[7]
        session = self.smtp.get(head)
        if session is None or session.client != client or time - session.last > SESSION:
            session = self._begin(event)
        elif (
            not session.paired
            and session.mechanism != mechanism
            and weight == STRONG
            and session.mechanism is not None
            and mechanism is not None
            and 0 <= time - session.last <= SAME_GUESS
            and (user is None or session.user is None or user == session.user)
            and session.mechanism.upper() != mechanism.upper()
        ):
            session.last, session.paired = time, True
            self._claim(client, b"", user, time)
            return
        session.last = time
        if not weight:  # the session showed a line of failure, though none that counts
            session.mechanism = None
            session.excused += 1
            if fact[0] == OUTAGE_KIND:
                self._settle(client, b"", None)
            out.append(event)
            return
        session.mechanism, session.user, session.paired = mechanism, user, False
        if client in self.details or client in self.counted:
            better = self._claim(client, b"", user, time)
            if better is COUNTED:
                return
            if better is not None and (user is None or better[6] is not None):
                event = told(event, user or better[3], better[6])
            if better is None:
                self._await(client, user, time)
        else:
            self._await(client, user, time)
        out.append(event)

    def _await(self, client: bytes, user: bytes | None, time: float) -> None:
        """Remembers a guess of which auth may speak a moment later: its lines come through another process."""
        guesses = self.unclaimed.get(client)
        if guesses is None:
            self.unclaimed[client] = [(time, user)]
            _bound(self.unclaimed, MOMENTS)
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

    def _summary(self, event: Event, out: list[Event]) -> None:
        """The end of a session: its failures count where it showed none. Failures among successes are said again (attempts 0),
        unless all of them were shown to be no guesses. Each success takes back what auth still holds of one guess, and is said to nobody:
        who it was stands in another line."""
        fact = event[1]
        session = self._session(event)
        if event[4] in self.smtp:
            del self.smtp[event[4]]
        if fact[0] != DISCONNECT:
            self._failures(event, session, out)
        if fact[2] in self.details and (fact[0] == DISCONNECT or fact[7] is not None):
            good = GOOD(event[3])
            self._succeeded(fact[2], int(good[1]) if good is not None else 1)

    def _failures(self, event: Event, session: _Smtp | None, out: list[Event]) -> None:
        """Those of a session's end."""
        fact = event[1]
        left = fact[5]
        if session is not None:
            if session.held is None:
                if fact[7] is not None and left > session.excused:
                    out.append(event._replace(attempts=0))
                return
            session.held.settled = True
        client = fact[2]
        if client in self.details or client in self.counted:
            for _ in range(fact[5]):
                better = self._claim(client, b"", None, event[0], SESSION)
                if better is None:
                    break
                if better is COUNTED:
                    left -= 1
                elif fact[3] is None:
                    fact = fact._replace(user=better[3], account=better[6])
        if left > 0 or fact[7] is not None:
            out.append(event if fact is event[1] and left == event[2] else event._replace(fact=fact, attempts=left))

    def _leftover(self, event: Event) -> None:
        """Lost connection or too many errors after AUTH: held until the end of the session, which may say more."""
        if self._session(event) is None:
            waiting = _Held(event, b"")
            self._begin(event).held = waiting
            self.held.append(waiting)

    # ---- Dovecot

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
            waiting = _Held(event if fact[1] else event._replace(attempts=0), session)
            self.details[client] = [waiting]
            _bound(self.details)
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
                    last.drivers = [_driver(before[3])]
                driver = _driver(line)
                if driver not in last.drivers:
                    last.drivers.append(driver)
                    last.session = session or last.session
                    if fact[6] and not before[1][6]:
                        last.event = before._replace(fact=fact)
                    return
        waiting = _Held(event if fact[1] else event._replace(attempts=0), session)
        group.append(waiting)
        if len(group) > 100:
            group.pop(0)
        self.held.append(waiting)

    def _forget(self, waiting: _Held) -> None:
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

    def _login_failed(self, event: Event, out: list[Event]) -> None:
        """The login process sums up a connection: its attempts, less those that were counted from details."""
        time, fact, attempts, line, head = event
        kind, weight, client, user, service, left, account, mechanism, join, about = fact
        if client in self.details or client in self.counted:
            session = session_id(line)
            credit = CREDIT
            if client in self.counted:
                lasted = LASTED(line)
                if lasted is not None:
                    credit = max(CREDIT, float(lasted[1]) + HOLD)
            for _ in range(fact[5]):
                better = self._claim(client, session, None, time, credit)
                if better is None:
                    break
                if better is COUNTED:
                    left -= 1
                elif account is None and better[6] is not None:
                    user, account = user or better[3], better[6]
                    fact = new(Fact, (kind, weight, client, user, service, fact[5], account, mechanism, join, about))
            if fact is not event[1] or left != attempts:
                event = new(Event, (time, fact, left, line, head))
        if left > 0:
            out.append(event)

    def _login(self, event: Event) -> None:
        """A good login takes back what another password database said of the same name in the same session."""
        fact = event[1]
        self._settle(fact[2], session_id(event[3]), fact[3])

    # ---- sshd

    def _ssh(self, event: Event, out: list[Event]) -> None:
        """Invalid user, PAM's line and Failed password speak of one guess: the kind of line that proves most counts."""
        time, fact = event.time, event.fact
        session = self.ssh.get(event.head)
        if (
            session is None
            or (fact.client and session.client and session.client != fact.client)
            or time - session.last > (AFTERWARDS if session.ended else SESSION)
        ):
            session = self.ssh[event.head] = _Ssh(fact.client, time)
            _bound(self.ssh)
        session.last = time
        if not fact.weight or not fact.client:
            out.append(event)
            return
        self.shown[fact.client] = time
        self.shown.move_to_end(fact.client)
        _bound(self.shown)
        if fact.weight != STRONG:
            out.append(event)
            return
        kind = f"{fact.about} {fact.detail!r}" if fact.detail else fact.about
        seen = session.seen[kind] = session.seen.get(kind, 0) + fact.attempts
        if seen > session.counted:
            more, session.counted = seen - session.counted, seen
            out.append(event if more == event.attempts else event._replace(attempts=more))

    def _ssh_leftover(self, event: Event, out: list[Event]) -> None:
        """Cut off or left while authenticating: counts where that process showed no guess."""
        fact = event.fact
        session = self.ssh.get(event.head)
        if session is not None and event.time - session.last <= SESSION and (session.client == fact.client or not fact.client):
            session.last = event.time
            session.ended = fact.kind == LOST
            return
        if fact.kind != LOST and fact.client:
            self._ssh(event, out)
            return
        out.append(event)

    def _ssh_penalty(self, event: Event, out: list[Event]) -> None:
        """sshd refuses connections for what it saw before: one attempt a penalty, where no guess of the client was seen."""
        client = event.fact.client
        seen = self.shown.get(client)
        if seen is None or event.time - seen > SESSION:
            self.shown[client] = event.time
            _bound(self.shown)
            out.append(event)

    def _outage(self, event: Event, out: list[Event]) -> None:
        """Our own server failed: what it said of the client a moment ago is no offence."""
        if event.fact.client in self.details:
            self._settle(event.fact.client, session_id(event.line), None)
        out.append(event)


INFINITY: Final = float("inf")
NONE_HELD: Final[list[_Held]] = []
NO_DRIVERS: Final[list[bytes]] = []  # shared by all that have none, and never written to
new: Final = tuple.__new__
COUNTED: Final = Fact(0, 0, b"", None, int(Service.OTHER), 0, None, None, 0, "")  # the mark of a guess that was counted from its detail


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


GOOD: Final = re.compile(rb" auth=(\d{1,9})").search  # the names before it have no blanks


def told_of(event: Event, user: bytes | None, account: bool | None) -> Event:
    """The event with what another line told of its guess."""
    time, fact, attempts, line, head = event
    return new(Event, (time, new(Fact, (*fact[:3], user, *fact[4:6], account, *fact[7:])), attempts, line, head))


try:  # the same in C
    from monzen.parse._scan import session_id, told
except ImportError:
    session_id, told = session_of, told_of


LASTED: Final = re.compile(rb" attempts in (\d{1,4}) secs\)").search  # Dovecot's own words stand before the client's
DRIVER: Final = re.compile(
    rb"\bauth(?:-worker)?(?:\([^)]*+\))?(?:<[^>]*+>)*: (?:[A-Z][a-z]++: )?(?:conn unix:[^(]*+\([^)]*+\): )?(?:auth-worker<\d++>: )?(?:request \[\d++\]: )?"
    rb"([\w-]++)[(:]"
).search


def _driver(line: bytes) -> bytes:
    """The password database of a detail: `sql` of `auth: sql(user,`, and of 2.4's `auth(user,address,...): sql:`."""
    m = DRIVER(line, 0, 1000)  # it stands at the front; what follows is the client's, and may be long
    return m[1] if m is not None else b""


def _bound(table: dict[bytes, Any], most: int = SESSIONS) -> None:
    """Forgets the oldest tenth of what is too many: at once, because the first of a dict is slow to find behind what was deleted."""
    if len(table) > most:
        for key in list(islice(table, most // 10)):
            del table[key]
