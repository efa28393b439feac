"""Joins the lines of one attempt: one guess is one attempt, however many lines it left.

A session is a program's process (host, name, pid) for Postfix and sshd, Dovecot's session id, or for lines without one the client.
The first witness of a guess is counted at once; what later lines say of the same guess is not counted again. Only lines that
a later line of the same session may take back or make bigger are held, for HOLD seconds of the log's own time. State depends
on the records alone and is bounded; `wait_until` lets the loop say what time it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from monzen.parse.details import COUNTED, CREDIT, DETAIL, HOLD, Details, Held, session_id
from monzen.parse.memory import SESSION, bound
from monzen.parse.ssh_guesses import SshGuesses
from monzen.types import Event, Fact, Join, Kind, Weight

SAME_GUESS: Final = 2.5  # seconds between the PLAIN and the LOGIN of one typo (FACTS table A); a program tries again no faster

# Final, here and above: compiled, they are read without a look-up in the module's dict.
ALONE: Final = int(Join.ALONE)
SASL: Final = int(Join.SASL)
SUMMARY: Final = int(Join.SUMMARY)
LEFTOVER: Final = int(Join.LEFTOVER)
LOGIN_FAILED: Final = int(Join.LOGIN_FAILED)
LOGIN: Final = int(Join.LOGIN)
MAIL_LOGIN: Final = int(Join.MAIL_LOGIN)
SSH: Final = int(Join.SSH)
SSH_LEFTOVER: Final = int(Join.SSH_LEFTOVER)
SSH_END: Final = int(Join.SSH_END)
SSH_PENALTY: Final = int(Join.SSH_PENALTY)
OUTAGE: Final = int(Join.OUTAGE)
STRONG: Final = int(Weight.STRONG)
OUTAGE_KIND: Final = int(Kind.AUTH_OUTAGE)
DISCONNECT: Final = int(Kind.DISCONNECT)


class SmtpSession:
    """What a Postfix session showed: whom, when last, how; whether any failure line was seen; a held leftover."""

    __slots__ = ("client", "excused", "held", "last", "mechanism", "paired", "user")

    def __init__(self, client: bytes, last: float) -> None:
        self.client, self.last = client, last
        self.mechanism: bytes | None = None
        self.user: bytes | None = None
        self.paired = False
        self.excused = 0  # failures that were no guesses: a mechanism we have not, an outage
        self.held: Held | None = None


class Joiner(Details):
    """Records in, events out, in the order of the records (a held one comes when it is settled, with its own time)."""

    def __init__(self) -> None:
        super().__init__()
        self.sshd = SshGuesses()
        self.smtp: dict[bytes, SmtpSession] = {}

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
                self.sshd.guess(event, out)
            elif join == SSH_END:
                self.sshd.end(event)
                out.append(event)
            elif join == SSH_LEFTOVER:
                self.sshd.leftover(event, out)
            elif join == SSH_PENALTY:
                self.sshd.penalty(event, out)
            else:
                self._outage(event, out)
        return out

    def wait_until(self, time: float) -> list[Event]:
        """What is no longer waited for at this time; at the end of a log, with infinity, all that is held."""
        out: list[Event] = []
        self._release(time, out)
        return out

    # ---- Postfix

    def _session(self, event: Event) -> SmtpSession | None:
        """The session that a Postfix process serves, if it is still that of this client."""
        session = self.smtp.get(event[4])
        if session is None or session.client != event[1][2] or event[0] - session.last > SESSION:
            return None
        return session

    def _begin(self, event: Event) -> SmtpSession:
        session = self.smtp[event[4]] = SmtpSession(event[1][2], event[0])
        bound(self.smtp)
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

    def _failures(self, event: Event, session: SmtpSession | None, out: list[Event]) -> None:
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
            waiting = Held(event, b"")
            self._begin(event).held = waiting
            self.held.append(waiting)

    # ---- Dovecot

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

    def _outage(self, event: Event, out: list[Event]) -> None:
        """Our own server failed: what it said of the client a moment ago is no offence."""
        if event.fact.client in self.details:
            self._settle(event.fact.client, session_id(event.line), None)
        out.append(event)


INFINITY: Final = float("inf")
new: Final = tuple.__new__


GOOD: Final = re.compile(rb" auth=(\d{1,9})").search  # the names before it have no blanks


def told_of(event: Event, user: bytes | None, account: bool | None) -> Event:
    """The event with what another line told of its guess."""
    time, fact, attempts, line, head = event
    return new(Event, (time, new(Fact, (*fact[:3], user, *fact[4:6], account, *fact[7:])), attempts, line, head))


try:  # the same in C
    from monzen.parse._scan import told
except ImportError:
    told = told_of


LASTED: Final = re.compile(rb" attempts in (\d{1,4}) secs\)").search  # Dovecot's own words stand before the client's
