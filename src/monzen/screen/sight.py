"""What the live screen shows at one moment, as plain values of what logs and ledger say. Hostile text is escaped here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from monzen.gated import because, door
from monzen.judge.client import Sentence
from monzen.judge.findings import Breach
from monzen.ledger import Entry
from monzen.looking import Live, Suspect
from monzen.parse.address import text as address
from monzen.show.alarms import alarming, broken_in, noticed
from monzen.show.chronicle import MINUTE, MINUTES
from monzen.show.deeds import DID, SERVICES
from monzen.show.reasons import reason
from monzen.show.report import account
from monzen.show.text import iso, network, safe
from monzen.show.why import KINDS_TEXT
from monzen.show.words import _, ngettext
from monzen.types import Event

ROWS: Final = 500  # denials that are shown; the rest is counted
SUSPECTS: Final = 100
ALARMS: Final = 50
HOUR: Final = 3600.0


class Attempt(NamedTuple):
    """One attempt of a stranger."""

    at: float  # epoch seconds
    target: bytes  # leading bytes: an address, or of IPv6 its /64
    bits: int
    client: str
    service: str
    kind: str  # never translated
    what: str
    name: str  # "" where names are hidden, or it had none
    attempts: int
    denied: bool  # it came from somebody who was denied by then


class Denied(NamedTuple):
    """A denial that lasts; `real`: by the gate. Else it would be, were the gate armed."""

    at: float
    target: bytes
    bits: int
    name: str
    number: int | None  # in the ledger
    until: float | None  # epoch seconds; None: for good
    knocks: int
    why: str
    real: bool


class Near(NamedTuple):
    """Somebody under suspicion: of the limit it is nearest to, how much there is, and how much denies."""

    at: float
    target: bytes
    bits: int
    name: str
    near: float  # 0 to 1
    have: int
    need: int
    rule: str
    attempts: int
    clients: int


class Alarm(NamedTuple):
    """What a person should look at."""

    at: float
    text: str
    grave: bool  # somebody got in


class Sight(NamedTuple):
    """One moment. `mode` is None where the gate cannot be asked; `end` is now, or where the log ends if that is long ago."""

    end: float
    past: bool  # it is long ago
    mode: str | None
    files: bool  # only files are looked at, no gate
    reading: bool  # what was written before is not read to its end yet
    lines: int
    rate: int  # attempts within the sixty seconds before `end`
    minutes: tuple[int, ...]  # attempts of each minute of the clock, the last one that of `end`
    latest: tuple[Attempt, ...]  # newest first
    denied: tuple[Denied, ...]  # the newest of `really` and `would`, newest first
    really: int  # denied by the gate
    would: int  # would be denied, were it armed
    suspects: tuple[Near, ...]  # nearest first
    alarms: tuple[Alarm, ...]  # break-ins first, each newest first
    troubles: tuple[str, ...]  # what cannot be read


def see(live: Live, now: float, *, names: bool, before: Sight | None = None) -> Sight:
    """What there is to be seen now. `before`: denials and suspects are those of then; to look for them takes the most time."""
    judge, chronicle = live.judge, live.chronicle
    end = now if judge.last is None or now - judge.last < 2 * HOUR else judge.last
    reading = live.reading()
    minute = int(end) // MINUTE
    found = _slowly(live, end) if before is None else (before.denied, before.really, before.would, before.suspects)
    denied, really, would, near = found
    return Sight(
        end=end,
        past=end != now,
        mode=live.gate.mode if live.gate is not None else None,
        files=not live.ledger,
        reading=not live.caught_up,
        lines=reading.lines,
        rate=chronicle.rate(end),
        minutes=tuple(chronicle.minutes.get(minute - n, 0) for n in range(MINUTES - 1, -1, -1)),
        latest=tuple(_attempt(e, d, names) for e, d in reversed(chronicle.latest)),
        denied=denied,
        really=really,
        would=would,
        suspects=near,
        alarms=tuple(_alarms(live, names)),
        troubles=tuple(safe(t, 200) for t in live.troubles()),
    )


def _slowly(live: Live, end: float) -> tuple[tuple[Denied, ...], int, int, tuple[Near, ...]]:
    """Who is denied and how many by whom, and who is near to it."""
    really = [_by_gate(e) for e in live.entries]
    would = [] if live.gate is not None and live.gate.mode == "armed" else list(_by_judge(live, end))
    denied = sorted([*really, *would], key=lambda d: -d.at)
    return tuple(denied[:ROWS]), len(really), len(would), tuple(_near(s) for s in live.suspects(SUSPECTS))


def _attempt(event: Event, denied: bool, names: bool) -> Attempt:
    fact = event.fact
    key = fact.client if len(fact.client) == 4 else fact.client[:8]
    return Attempt(
        event.time,
        key,
        32 if len(key) == 4 else 64,
        address(fact.client),
        SERVICES[int(fact.service)],
        KINDS_TEXT[int(fact.kind)],
        _(DID[int(fact.kind)]) if int(fact.kind) in DID else _("other offences"),
        safe(fact.user, 40) if names and fact.user else "",
        event.attempts,
        denied,
    )


def _by_gate(e: Entry) -> Denied:
    name = network(e.network, e.bits) + door(e.port, e.protocol)
    return Denied(e.since, e.network, e.bits, name, e.number, e.until, e.knocks, because(e), True)


def _by_judge(live: Live, end: float) -> Iterator[Denied]:
    """Whom the judge would have denied now, and who is not denied by the gate all the same; each target once."""
    standing = {(e.network, e.bits) for e in live.entries}
    lasting: dict[tuple[bytes, int], tuple[Sentence, float]] = {}
    for s, at in live.judge.imposed():
        if at <= end <= s.until:
            lasting[s.target, s.bits] = s, at
    for (target, bits), (s, at) in lasting.items():
        full = target.ljust(4 if len(target) <= 4 and bits <= 32 else 16, b"\0")
        if (full, bits) not in standing:
            why = reason(s, live.judge.policy, _, ngettext)
            yield Denied(at, target, bits, network(target, bits), None, s.until, s.knocks, why, False)


def _near(s: Suspect) -> Near:
    d = s.distances[0]
    return Near(s.last, s.target, s.bits, network(s.target, s.bits), s.near, d.have, d.need, d.rule, s.attempts, s.clients)


def _alarms(live: Live, names: bool) -> list[Alarm]:
    """Break-ins, then alarms of the judge, each newest first."""
    judge = live.judge
    found = [Alarm(b.at, _got_in(b if names else b._replace(user=None)), True) for b in judge.breaches]
    for a in noticed(judge)[-ALARMS:]:
        user = account(judge, a, names)
        found.append(Alarm(a.until, alarming(a, " " + _("as {name}").format(name=safe(user, 80)) if user else ""), False))
    return sorted(found, key=lambda a: (not a.grave, -a.at))[:ALARMS]


def _got_in(breach: Breach) -> str:
    """The sentence of a break-in, with a word before it that nobody overlooks; another one where it may have been a user."""
    said = _("GOT IN: {what}") if breach.why in ("guessed", "denied") else _("LOGGED IN: {what}")
    return said.format(what=broken_in(breach))


def as_values(sight: Sight, *, names: bool) -> dict[str, Any]:
    """For `--json`. Keys never change their meaning; nothing in here is translated. `minutes`: the last sixty, oldest first."""
    return {
        "at": iso(sight.end),
        "mode": sight.mode,
        "lines": sight.lines,
        "attempts_a_minute": sight.rate,
        "minutes": list(sight.minutes[-60:]),
        "denied": sight.really,
        "would_be_denied": sight.would,
        "latest": [
            {
                "at": iso(a.at),
                "client": a.client,
                "service": a.service,
                "kind": a.kind,
                "attempts": a.attempts,
                "denied": a.denied,
                **({"name": a.name or None} if names else {}),
            }
            for a in sight.latest
        ],
        "targets": [
            {
                "target": network(d.target, d.bits),
                "number": d.number,
                "at": iso(d.at),
                "until": None if d.until is None else iso(d.until),
                "knocks": d.knocks,
                "real": d.real,
            }
            for d in sight.denied
        ],
        "suspects": [
            {
                "target": s.name,
                "rule": s.rule,
                "have": s.have,
                "need": s.need,
                "clients": s.clients,
                "attempts": s.attempts,
                "last": iso(s.at),
            }
            for s in sight.suspects
        ],
        "alarms": len(sight.alarms),
        "unreadable": len(sight.troubles),
    }
