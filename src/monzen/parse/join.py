"""Joins the lines of one attempt: one guess is one attempt, however many lines it left.

A session is a program's process (host, name, pid) for Postfix and sshd, Dovecot's session id, or for lines without one the client.
The first witness of a guess is counted at once; what later lines say of the same guess is not counted again. Only lines that
a later line of the same session may take back or make bigger are held, for HOLD seconds of the log's own time. State depends
on the records alone and is bounded; `wait_until` lets the loop say what time it is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from monzen.parse.reader import Record
from monzen.types import Event, Fact, Join, Kind, Service, Weight

HOLD = 6.0  # seconds; Dovecot answers a failure after 2 s (auth_failure_delay), Postfix writes its line then
SAME_GUESS = 2.5  # seconds between the PLAIN and the LOGIN of one typo (FACTS table A); a program tries again no faster
SESSION = 1200.0  # seconds without a line after which a process is taken to serve somebody else
CREDIT = 60.0  # seconds within which a second program's line about a guess that was counted belongs to it
SESSIONS = 20_000  # sessions remembered at most, oldest forgotten first (about 5 MiB)

ALONE, SASL, SUMMARY, LEFTOVER = int(Join.ALONE), int(Join.SASL), int(Join.SUMMARY), int(Join.LEFTOVER)
LOGIN_FAILED, DETAIL, LOGIN, MAIL_LOGIN = int(Join.LOGIN_FAILED), int(Join.DETAIL), int(Join.LOGIN), int(Join.MAIL_LOGIN)
SSH, SSH_LEFTOVER, SSH_END, SSH_PENALTY, OUTAGE = (
    int(Join.SSH),
    int(Join.SSH_LEFTOVER),
    int(Join.SSH_END),
    int(Join.SSH_PENALTY),
    int(Join.OUTAGE),
)
STRONG, FAILURE = int(Weight.STRONG), int(Kind.AUTH_FAILURE)


class _Smtp:
    """What a Postfix session showed: whom, when last, how; whether any failure line was seen; a held leftover."""

    __slots__ = ("client", "held", "last", "mechanism", "paired", "user")

    def __init__(self, client: bytes, last: float) -> None:
        self.client, self.last = client, last
        self.mechanism: bytes | None = None
        self.user: bytes | None = None
        self.paired = False
        self.held: _Held | None = None


class _Ssh:
    """What an sshd process showed: how many guesses each kind of line proves; the most of them is what was counted."""

    __slots__ = ("client", "counted", "last", "seen")

    def __init__(self, client: bytes, last: float) -> None:
        self.client, self.last, self.counted = client, last, 0
        self.seen: dict[str, int] = {}


class _Held:
    """An event that waits for a line that may settle it."""

    __slots__ = ("attempts", "fact", "line", "session", "settled", "time")

    def __init__(self, time: float, fact: Fact, attempts: int, line: bytes, session: bytes) -> None:
        self.time, self.fact, self.attempts, self.line, self.session, self.settled = time, fact, attempts, line, session, False


class Joiner:
    """Records in, events out, in the order of the records (a held one comes when it is settled, with its own time)."""

    def __init__(self) -> None:
        self.smtp: OrderedDict[bytes, _Smtp] = OrderedDict()
        self.ssh: OrderedDict[bytes, _Ssh] = OrderedDict()
        self.held: deque[_Held] = deque()
        self.details: OrderedDict[bytes, list[_Held]] = OrderedDict()  # by client: what auth said and no other line has yet
        self.counted: OrderedDict[bytes, list[tuple[float, bytes]]] = OrderedDict()  # by client: guesses counted from details alone
        self.shown: OrderedDict[bytes, float] = OrderedDict()  # clients of whom sshd showed a guess, and when last

    def join(self, records: Iterable[Record]) -> list[Event]:
        """The events of some records."""
        out: list[Event] = []
        add, held = out.append, self.held
        handlers = self._handlers
        for time, fact, head, line, times in records:
            if held and held[0].time < time - HOLD:
                self._release(time, out)
            join = fact[8]
            if join == ALONE:
                add(new(Event, (time, fact, fact[5], line)))
            else:
                handlers[join](self, time, fact, head, line, out)
        return out

    def wait_until(self, time: float) -> list[Event]:
        """What is no longer waited for at this time; at the end of a log, with infinity, all that is held."""
        out: list[Event] = []
        self._release(time + HOLD, out)
        return out

    def _release(self, time: float, out: list[Event]) -> None:
        held = self.held
        while held and held[0].time < time - HOLD:
            waiting = held.popleft()
            if waiting.settled:
                continue
            waiting.settled = True
            if waiting.fact.join == DETAIL:
                self._forget(waiting)
                if not waiting.attempts:
                    continue
                stamps = self.counted.setdefault(waiting.fact.client, [])
                stamps.append((waiting.time, waiting.session))
                del stamps[:-50]
                _bound(self.counted)
            if waiting.attempts:
                out.append(Event(waiting.time, waiting.fact, waiting.attempts, waiting.line))

    # ---- Postfix

    def _sasl(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """One failed AUTH. PLAIN, then LOGIN at once for the same name, is one person's one guess."""
        client, user, mechanism = fact.client, fact.user, fact.detail
        session = self.smtp.get(head)
        if session is None or session.client != client or time - session.last > SESSION:
            session = self.smtp[head] = _Smtp(client, time)
            if len(self.smtp) > SESSIONS:
                self.smtp.popitem(last=False)
        elif (
            fact.weight == STRONG
            and not session.paired
            and session.mechanism is not None
            and mechanism is not None
            and session.mechanism.upper() != mechanism.upper()
            and 0 <= time - session.last <= SAME_GUESS
            and (user is None or session.user is None or user == session.user)
        ):
            session.last, session.paired = time, True
            self._claim(client, b"", user, time)
            return
        if not fact.weight:  # the session showed a line of failure, though none that counts
            session.last = time
            session.mechanism = None
            if fact.kind == Kind.AUTH_OUTAGE:
                self._settle(client, b"", None)
            out.append(new(Event, (time, fact, fact.attempts, line)))
            return
        session.last, session.mechanism, session.user, session.paired = time, mechanism, user, False
        better = self._claim(client, b"", user, time) if self.details or self.counted else None
        if better is None:
            out.append(new(Event, (time, fact, fact.attempts, line)))
        elif better is not COUNTED:
            if fact.user is None or better.account is not None:
                fact = fact._replace(user=fact.user or better.user, account=better.account)
            out.append(new(Event, (time, fact, fact.attempts, line)))

    def _summary(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """The end of a session: its failures count where it showed none."""
        session = self.smtp.pop(head, None)
        if session is not None and session.client == fact.client and time - session.last <= SESSION:
            if session.held is not None and not session.held.settled:
                session.held.settled = True
            elif session.held is None:
                if fact.detail is not None:  # failures and successes in one session: said again, not counted again
                    out.append(Event(time, fact, 0, line))
                return
        left = fact.attempts
        if self.details or self.counted:
            for _ in range(fact.attempts):
                better = self._claim(fact.client, b"", None, time)
                if better is None:
                    break
                if better is COUNTED:
                    left -= 1
                elif fact.user is None:
                    fact = fact._replace(user=better.user, account=better.account)
        if left > 0 or fact.detail is not None:
            out.append(Event(time, fact, left, line))

    def _leftover(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """Lost connection or too many errors after AUTH: held until the end of the session, which may say more."""
        session = self.smtp.get(head)
        if session is not None and session.client == fact.client and time - session.last <= SESSION:
            return
        waiting = _Held(time, fact, 1, line, b"")
        session = self.smtp[head] = _Smtp(fact.client, time)
        session.held = waiting
        self.held.append(waiting)
        if len(self.smtp) > SESSIONS:
            self.smtp.popitem(last=False)

    # ---- Dovecot

    def _detail(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """What auth says of a guess, ahead of the line that counts it: held. A second password database says it twice."""
        client = fact.client
        if not client:
            return
        session = session_id(line)
        group = self.details.get(client)
        if group is None:
            group = self.details[client] = []
            _bound(self.details)
        else:
            last = group[-1]
            if time - last.time <= 1.0 and last.session == session and last.fact.user == fact.user and _driver(last.line) != _driver(line):
                if fact.account and not last.fact.account:
                    last.fact = fact
                return
        waiting = _Held(time, fact, fact.attempts if fact.weight else 0, line, session)
        group.append(waiting)
        if len(group) > 100:
            group.pop(0)
        self.held.append(waiting)

    def _forget(self, waiting: _Held) -> None:
        group = self.details.get(waiting.fact.client)
        if group is not None:
            if waiting in group:
                group.remove(waiting)
            if not group:
                del self.details[waiting.fact.client]

    def _settle(self, client: bytes, session: bytes, user: bytes | None) -> None:
        """Takes back what is held of a client: of this session, where the line names one, and of this name, where it does."""
        for waiting in list(self.details.get(client, ())):
            if (not session or not waiting.session or waiting.session == session) and user in (None, waiting.fact.user):
                waiting.settled = True
                self._forget(waiting)

    def _claim(self, client: bytes, session: bytes, user: bytes | None, time: float) -> Fact | None:
        """Settles the detail that belongs to a guess: its Fact, or COUNTED if it was counted by itself, None if there is none."""
        for waiting in self.details.get(client, ()):
            if (not session or not waiting.session or waiting.session == session) and (user is None or waiting.fact.user in (None, user)):
                waiting.settled = True
                self._forget(waiting)
                return waiting.fact
        stamps = self.counted.get(client)
        if stamps:
            for i, (at, owner) in enumerate(stamps):
                if at >= time - CREDIT and (not session or not owner or owner == session):
                    del stamps[: i + 1]
                    return COUNTED
            if stamps[-1][0] < time - CREDIT:
                del self.counted[client]
        return None

    def _login_failed(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """The login process sums up a connection: its attempts, less those that were counted from details."""
        left = fact.attempts
        if self.details or self.counted:
            session = session_id(line)
            for _ in range(fact.attempts):
                better = self._claim(fact.client, session, None, time)
                if better is None:
                    break
                if better is COUNTED:
                    left -= 1
                elif fact.account is None and better.account is not None:
                    fact = fact._replace(account=better.account, user=fact.user or better.user)
        if left > 0:
            out.append(new(Event, (time, fact, left, line)))

    def _login(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """A good login takes back what another password database said of the same name in the same session."""
        if fact.client in self.details:
            self._settle(fact.client, session_id(line), fact.user)
        out.append(new(Event, (time, fact, 1, line)))

    # ---- sshd

    def _ssh(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """Invalid user, PAM's line and Failed password speak of one guess: the kind of line that proves most counts."""
        session = self.ssh.get(head)
        if session is None or (fact.client and session.client and session.client != fact.client) or time - session.last > SESSION:
            session = self.ssh[head] = _Ssh(fact.client, time)
            if len(self.ssh) > SESSIONS:
                self.ssh.popitem(last=False)
        session.last = time
        if not fact.weight or not fact.client:
            out.append(Event(time, fact, fact.attempts, line))
            return
        kind = "weak" if fact.weight != STRONG else f"{fact.about} {fact.detail!r}" if fact.detail else fact.about
        seen = session.seen[kind] = session.seen.get(kind, 0) + fact.attempts
        more = seen - session.counted if kind != "weak" else fact.attempts
        if more > 0:
            if kind != "weak":
                session.counted = seen
            out.append(Event(time, fact, more, line))
        self.shown[fact.client] = time
        self.shown.move_to_end(fact.client)
        _bound(self.shown)

    def _ssh_leftover(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """Cut off or left while authenticating: counts where that process showed no guess."""
        session = self.ssh.get(head)
        if session is not None and time - session.last <= SESSION and (session.client == fact.client or not fact.client):
            session.last = time
            if fact.kind == Kind.LOST:
                del self.ssh[head]
            return
        if fact.kind != Kind.LOST and fact.client:
            self._ssh(time, fact, head, line, out)
            return
        out.append(Event(time, fact, fact.attempts, line))

    def _ssh_end(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        self.ssh.pop(head, None)
        out.append(Event(time, fact, 1, line))

    def _ssh_penalty(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """sshd refuses connections for what it saw before: one attempt a penalty, where no guess of the client was seen."""
        seen = self.shown.get(fact.client)
        if seen is None or time - seen > SESSION:
            self.shown[fact.client] = time
            _bound(self.shown)
            out.append(Event(time, fact, 1, line))

    def _outage(self, time: float, fact: Fact, head: bytes, line: bytes, out: list[Event]) -> None:
        """Our own server failed: what it said of the client a moment ago is no offence."""
        if fact.client in self.details:
            self._settle(fact.client, session_id(line), None)
        out.append(Event(time, fact, 1, line))

    _handlers = {
        SASL: _sasl,
        SUMMARY: _summary,
        LEFTOVER: _leftover,
        LOGIN_FAILED: _login_failed,
        DETAIL: _detail,
        LOGIN: _login,
        MAIL_LOGIN: _login,
        SSH: _ssh,
        SSH_LEFTOVER: _ssh_leftover,
        SSH_END: _ssh_end,
        SSH_PENALTY: _ssh_penalty,
        OUTAGE: _outage,
    }


new = tuple.__new__
COUNTED = Fact(0, 0, b"", None, int(Service.OTHER), 0, None, None, 0, "")  # the mark of a guess that was counted from its detail


def session_id(line: bytes) -> bytes:
    """Dovecot's session of a line: `session=<...>` at the end, or `,<...>)` and `)<...>: ` of auth; `b""` where there is none."""
    at = line.rfind(b"session=<")
    if at < 0:
        at = line.find(b",<") if b",<" in line else line.find(b")<")
        if at < 0:
            return b""
        at += 2
    else:
        at += 9
    end = line.find(b">", at)
    found = line[at:end] if 0 <= end - at <= 64 else b""
    return b"<" + found if found else b""  # cannot be mistaken for a packed address


def _driver(line: bytes) -> bytes:
    """The password database of a detail: the word before `(user,`."""
    return line.rpartition(b"(")[0].rpartition(b" ")[2]


def _bound(table: OrderedDict[bytes, Any]) -> None:
    if len(table) > SESSIONS:
        table.popitem(last=False)
