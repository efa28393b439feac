"""What reading remembers, as plain values and back: events, and the sessions of a Joiner. What marshal and SQLite take. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from monzen.parse.details import NO_DRIVERS, Held
from monzen.parse.join import Joiner, SmtpSession
from monzen.parse.ssh_guesses import SshSession
from monzen.types import Event, Fact

Row = tuple[Any, ...]
State = dict[str, Any]
VERSION = 1


def row(event: Event) -> Row:
    """An event as a plain tuple."""
    time, fact, attempts, line, head = event
    kind, weight, client, user, service, tries, account, detail, join, about = fact
    return (
        time, attempts, line, head, int(kind), int(weight), client, user, int(service), tries, account, detail, int(join), about,
    )  # fmt: skip


def rows(events: Iterable[Event]) -> list[Row]:
    """The same for several."""
    return [row(event) for event in events]


def event(values: Row) -> Event:
    """The event of a row."""
    return Event(values[0], Fact(*values[4:]), values[1], values[2], values[3])


def events(many: Iterable[Row]) -> list[Event]:
    """The same for several."""
    return [event(values) for values in many]


def save(joiner: Joiner) -> State:
    """All that a joiner remembers. Held events have a table of their own; others refer to them by row."""
    numbers: dict[int, int] = {}
    held: list[Row] = []

    def number(waiting: Held | None) -> int:
        if waiting is None:
            return -1
        known = numbers.get(id(waiting))
        if known is None:
            known = numbers[id(waiting)] = len(held)
            held.append((row(waiting.event), waiting.session, waiting.settled, waiting.until, tuple(waiting.drivers)))
        return known

    queue = [number(waiting) for waiting in joiner.held]
    details = [(client, tuple(number(w) for w in group)) for client, group in joiner.details.items()]
    smtp = [(head, s.client, s.last, s.mechanism, s.user, s.paired, s.excused, number(s.held)) for head, s in joiner.smtp.items()]
    return {
        "version": VERSION,
        "queue": queue,
        "details": details,
        "smtp": smtp,
        "ssh": [(head, s.client, s.last, s.counted, s.ended, tuple(s.seen.items())) for head, s in joiner.sshd.sessions.items()],
        "counted": [(client, tuple(stamps)) for client, stamps in joiner.counted.items()],
        "unclaimed": [(client, tuple(guesses)) for client, guesses in joiner.unclaimed.items()],
        "shown": list(joiner.sshd.shown.items()),
        "held": held,
    }


def restore(state: State) -> Joiner:
    """A joiner that goes on where the saved one was. Raises ValueError for the state of another version."""
    if state["version"] != VERSION:
        raise ValueError(f"sessions of version {state['version']}; this is version {VERSION}")
    held: list[Held] = []
    for values, session, settled, until, drivers in state["held"]:
        waiting = Held(event(values), session)
        waiting.settled, waiting.until = settled, until
        waiting.drivers = list(drivers) or NO_DRIVERS
        held.append(waiting)
    joiner = Joiner()
    joiner.held = deque(held[n] for n in state["queue"])
    joiner.details = {client: [held[n] for n in group] for client, group in state["details"]}
    for head, client, last, mechanism, user, paired, excused, number in state["smtp"]:
        s = joiner.smtp[head] = SmtpSession(client, last)
        s.mechanism, s.user, s.paired, s.excused = mechanism, user, paired, excused
        s.held = held[number] if number >= 0 else None
    for head, client, last, counted, ended, seen in state["ssh"]:
        ssh = joiner.sshd.sessions[head] = SshSession(client, last)
        ssh.counted, ssh.ended, ssh.seen = counted, ended, dict(seen)
    joiner.counted = {client: list(stamps) for client, stamps in state["counted"]}
    joiner.unclaimed = {client: list(guesses) for client, guesses in state["unclaimed"]}
    joiner.sshd.shown = OrderedDict(state["shown"])
    return joiner
