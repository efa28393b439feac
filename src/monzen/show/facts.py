"""What the report, the web page and the digest say: gathered once, as plain values. Texts of attackers are made harmless here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monzen.judge.client import LONGEST, Client, Sentence
from monzen.judge.judge import Judge
from monzen.parse.address import text as address
from monzen.show.alarms import alarming, broken_in, noticed, unrefuted
from monzen.show.alarms import spared as those_spared
from monzen.show.chronicle import DENIED, HOUR, HOURS, KNOCKS, LOGINS, THROUGH, USERS, Chronicle
from monzen.show.deeds import DID
from monzen.show.reading import Reading
from monzen.show.reasons import reason, spared_as
from monzen.show.reasons import spared as why_spared
from monzen.show.report import account, line_text, users
from monzen.show.stored import because, door, retold
from monzen.show.text import client_name, network, port, safe
from monzen.show.words import _, ngettext
from monzen.types import Service

if TYPE_CHECKING:
    from monzen.judge.compare import Row

SERVICES: Final = {int(s): s.name.lower() for s in Service}
TARGETS: Final = 5000  # in the report; the rest is counted
ROWS: Final = 200  # of the other lists
STEPS: Final = 24 * 62  # hours that are shown one by one; of a longer time days
COLUMNS: Final = {"through": THROUGH, "denied": DENIED, "users": USERS, "logins": LOGINS, "knocks": KNOCKS}


class Gate(NamedTuple):
    """What the ledger says of that time: whom the gate really denied. `denied`: packed networks with their prefix lengths."""

    mode: str  # watch, armed, paused, panic
    denied: Sequence[tuple[bytes, int]]
    packets: int  # dropped
    ports: Sequence[tuple[str, int]]  # packets by port
    now: Sequence[dict[str, Any]]  # denials that last, in the words of the ledger (gated.py)
    alarms: Sequence[dict[str, Any]]  # at, kind, text
    lasting: int = 0  # denials


class Place(NamedTuple):
    """Where an address is, and whose: as a table says that the user brought."""

    country: str = ""
    owner: str = ""


def gather(
    reading: Reading,
    chronicle: Chronicle,
    *,
    names: bool,
    gate: Gate | None = None,
    place: Callable[[bytes], Place | None] | None = None,
    targets: int = TARGETS,
) -> dict[str, Any]:
    """Everything as plain values; times in epoch seconds, UTC. `names`: user names are shown, also those with an account."""
    judge = reading.judge
    attackers = _attackers(judge)
    failed = users(judge)
    # what a person typed in watch-only mode is not what monzen does
    real = gate is not None and bool(gate.denied) and gate.mode != "watch"
    denied = _Denied(judge, gate if real else None)
    turned = {key for key in attackers if denied(key)}
    standing = _targets(judge, chronicle, names, place)
    hurt = {key for s in judge.sentences for key in s.hurt}
    trusts = [c.trust for c in judge.clients.values() if c.trust is not None and c.trust.logins]
    return {
        "first": judge.first,
        "last": judge.last,
        "since": reading.since,
        "lines": reading.lines,
        "unread": reading.suspects + reading.too_long,
        "inputs": [safe(i.path, 80) for i in reading.inputs],
        "real": real,
        "mode": gate.mode if gate is not None else None,
        "attackers": judge.offenders - len(failed),  # also of those who were forgotten to keep memory bounded
        "attempts": sum(row[THROUGH] + row[DENIED] for row in chronicle.hours.values()),
        "forgotten": judge.forgotten,
        "understood": reading.understood,
        "turned": len(turned),
        "networks": len({key[:3] if len(key) == 4 else key[:6] for key in turned}),
        "users": len({name for t in trusts for name in (t.name, *t.names) if name}) or len(trusts),
        "places_of_users": len(trusts),
        "hurt": len(hurt),
        "hidden": any(a.what == "hidden-clients" for a in judge.alarms.values()),
        "logins": sum(row[LOGINS] for row in chronicle.hours.values()),
        "lasting": sum(1 for t in standing if t["lasts"]),
        "breaches": [
            {
                "at": b.at,
                "client": address(b.client),
                "why": broken_in(b if names else b._replace(user=None)),
                "line": line_text(b.line, names)[:300],
            }
            for b in judge.breaches[:ROWS]
        ],
        "hours": _hours(chronicle, judge),
        "targets": standing[:targets],
        "more": max(0, len(standing) - targets),
        "map": _map(judge, attackers),
        "names": _names(chronicle, names),
        "deeds": _deeds(chronicle),
        "services": _sums((SERVICES[service], n) for (_kind, service), n in chronicle.deeds.items()),
        "ports": [[port(p), n] for p, n in sorted(judge.ports.items(), key=lambda x: (-x[1], x[0]))[:ROWS]],
        "knocks": sum(k.count for k in judge.knockers.values()),
        "gate": _told(gate, judge) if gate is not None else None,
        "own": _own(judge, names),
        "spared": [
            {"target": network(s.target, s.bits), "at": s.at, "attempts": s.attempts, "why": why_spared(spared_as(s, judge), _)}
            for s in those_spared(judge)[:ROWS]
        ],
        "alarms": [
            {"at": a.at, "until": a.until, "times": a.times, "text": alarming(a, _as(judge, a, names))}
            for a in noticed(judge)[-ROWS:]
        ],
        "places": _places(judge, attackers, place),
        "compare": _compared(reading.comparison.rows()) if reading.comparison is not None else [],
    }


def _told(gate: Gate, judge: Judge) -> dict[str, Any]:
    """What the ledger holds, in the language of this reader: of a denial number, target, at, until, knocks, why."""
    now = [
        {
            **{key: row[key] for key in ("number", "at", "until", "knocks")},
            "target": row["target"] + door(row["port"], row["protocol"]),
            "why": because(row["rule"], row["origin"], row["note"], row["attempts"], row["clients"]),
        }
        for row in gate.now
    ]
    alarms = [{"at": a["at"], "kind": a["kind"], "text": safe(retold(a["text"]), 300)} for a in unrefuted(judge, gate.alarms)]
    return {**gate._asdict(), "now": now, "alarms": alarms}


def _as(judge: Judge, alarm: Any, names: bool) -> str:  # noqa: ANN401  # an Alarm
    name = account(judge, alarm, names)
    return " " + _("as {name}").format(name=safe(name, 80)) if name else ""


def _attackers(judge: Judge) -> dict[bytes, Client]:
    """Who offended and is none of your users."""
    own = {key for key, _client in users(judge)}
    return {key: c for key, c in judge.clients.items() if (c.attempts or c.weak) and key not in own}


class _Denied:
    """Whether a client was denied, by itself or with its network: by the gate where it denied anybody, else by the judge."""

    def __init__(self, judge: Judge, gate: Gate | None) -> None:
        self.judge = judge
        self.real: dict[tuple[int, int], set[int]] = {}  # networks by octets of an address and prefix length
        for n, bits in gate.denied if gate is not None else ():
            self.real.setdefault((len(n), bits), set()).add(int.from_bytes(n, "big") >> (8 * len(n) - bits))

    def __call__(self, key: bytes) -> bool:
        judge = self.judge
        if self.real:
            octets = 4 if len(key) == 4 else 16
            whole = int.from_bytes(key.ljust(octets, b"\0"), "big")
            return any(whole >> (8 * octets - bits) in those for (size, bits), those in self.real.items() if size == octets)
        if judge.clients[key].sentence is not None:
            return True
        if len(key) == 4:
            around = judge.networks.get(key[:3])
            return around is not None and (around.sentence is not None or any(_holds(p, key) for p in around.parts))
        return any(n is not None and n.sentence is not None for n in (judge.wide.get(key[:7]), judge.wide.get(key[:6])))


def _holds(part: Sentence, key: bytes) -> bool:
    return part.target[3] <= key[3] < part.target[3] + (1 << (32 - part.bits))


def _targets(
    judge: Judge, chronicle: Chronicle, names: bool, place: Callable[[bytes], Place | None] | None
) -> list[dict[str, Any]]:
    """Each target once, with all of its denials: when it came, was denied, knocked, went quiet; heavy ones first, then new ones.

    `attempts`: let through (none of who was denied for something else); `knocks`: while it was denied.
    """
    through = _Through(chronicle.through)
    by_target: dict[tuple[bytes, int], list[tuple[Sentence, float]]] = {}
    for s, at in judge.imposed():
        by_target.setdefault((s.target, s.bits), []).append((s, at))
    rows: list[dict[str, Any]] = []
    for (target, bits), times in by_target.items():
        s, at = times[-1]
        known = place(target.ljust(4 if len(target) <= 4 and bits <= 32 else 16, b"\0")) if place is not None else None
        began = _began(judge, target, bits, times[0][1])
        rows.append(
            {
                "target": network(target, bits),
                "bits": bits,
                "six": len(target) > 4 or bits > 32,
                "first": min(began, times[0][1]),
                "times": len(times),
                "denials": [[a, x.until, x.last_knock if x.knocks else None] for x, a in times[-8:]],
                "at": at,
                "until": s.until,
                "lasts": s.until > judge.now,
                "attempts": through(target, bits),
                "knocks": sum(x.knocks for x, _a in times),
                "clients": max(x.clients for x, _a in times),
                "hurt": len(s.hurt),
                "rule": s.rule,
                "why": reason(s, judge.policy, _, ngettext),
                "evidence": [safe(line_text(e, names)) + ("…" if len(e) >= LONGEST else "") for e in s.evidence],
                **({"country": safe(known.country, 40), "owner": safe(known.owner, 80)} if known is not None else {}),
            }
        )
    rows.sort(key=lambda r: (-r["attempts"] - r["knocks"], -r["at"], r["target"]))
    return rows


class _Through:
    """The attempts of a target that were let through: a client's, or those of all clients of a network."""

    def __init__(self, clients: dict[bytes, int]) -> None:
        self.clients = clients
        self.sums: dict[tuple[int, int], dict[int, int]] = {}  # by octets of a key and prefix length: of each network

    def __call__(self, target: bytes, bits: int) -> int:
        octets = 4 if len(target) <= 4 and bits <= 32 else 8
        if bits == 8 * octets:
            return self.clients.get(target, 0)
        sums = self.sums.get((octets, bits))
        rest = 8 * octets - bits
        if sums is None:
            sums = self.sums[octets, bits] = {}
            for key, n in self.clients.items():
                if len(key) == octets:
                    number = int.from_bytes(key, "big") >> rest
                    sums[number] = sums.get(number, 0) + n
        return sums.get(int.from_bytes(target.ljust(octets, b"\0"), "big") >> rest, 0)


def _began(judge: Judge, target: bytes, bits: int, at: float) -> float:
    """When the first of its clients offended."""
    if bits in (32, 64):
        client = judge.clients.get(target)
        return client.first if client is not None and client.first else at
    around = judge.networks.get(target[:3]) if bits == 24 else judge.wide.get(target)
    members = around.members if around is not None else []
    return min((c.first for k in members if (c := judge.clients.get(k)) is not None and c.first), default=at)


def _hours(chronicle: Chronicle, judge: Judge) -> dict[str, Any]:
    """The columns from the first hour to the last, without a gap; of a long time in days. `begun`: denials that began."""
    if not chronicle.hours:
        return {"start": 0, "step": HOUR, **{name: [] for name in COLUMNS}, "begun": []}
    last = max(chronicle.hours)
    first = max(min(chronicle.hours), last - HOURS)  # a clock that was reset to 1970 makes no page of 50 years
    width = 1 if last - first < STEPS else 24
    first -= first % width
    count = (last - first) // width + 1
    out: dict[str, Any] = {"start": first * HOUR, "step": width * HOUR}
    for name, column in COLUMNS.items():
        values = [0] * count
        for hour, row in chronicle.hours.items():
            if hour >= first:
                values[(hour - first) // width] += row[column]
        out[name] = values
    begun = [0] * count
    for _s, at in judge.imposed():
        place = (int(at) // HOUR - first) // width
        if 0 <= place < count:
            begun[place] += 1
    return {**out, "begun": begun}


def _map(judge: Judge, attackers: dict[bytes, Client]) -> list[list[Any]]:
    """Networks of attackers (/24, /48): leading bytes as a number, IPv6 or not, text, clients, attempts, whether denied."""
    groups: dict[bytes, list[Client]] = {}
    for key, client in attackers.items():
        groups.setdefault(key[:3] if len(key) == 4 else key[:6], []).append(client)
    rows: list[list[Any]] = []
    for key, members in groups.items():
        six = len(key) == 6
        around = judge.wide.get(key) if six else judge.networks.get(key)
        closed = around is not None and around.sentence is not None
        state = 2 if closed else 1 if any(c.sentence is not None for c in members) else 0
        number = int.from_bytes(key[:4] if six else key, "big")
        attempts = sum(c.attempts for c in members)
        rows.append([number, int(six), network(key, 48 if six else 24), len(members), attempts, state])
    rows.sort(key=lambda r: (-r[3], -r[4]))
    return rows[:TARGETS]


def _names(chronicle: Chronicle, names: bool) -> dict[str, Any]:
    """The names that strangers tried most. Those that may be somebody's only where they are asked for."""
    ordered = sorted(chronicle.names.items(), key=lambda x: (-x[1], x[0]))
    shown = [[safe(name, 60), n] for name, n in ordered if names or name not in chronicle.real][:ROWS]
    return {"count": len(ordered), "hidden": 0 if names else len(chronicle.real), "top": shown}


def _deeds(chronicle: Chronicle) -> list[list[Any]]:
    return _sums((_(DID[kind]) if kind in DID else _("other offences"), n) for (kind, _service), n in chronicle.deeds.items())


def _sums(pairs: Iterable[tuple[str, int]]) -> list[list[Any]]:
    sums: dict[str, int] = {}
    for name, n in pairs:
        sums[name] = sums.get(name, 0) + n
    return [[name, n] for name, n in sorted(sums.items(), key=lambda x: (-x[1], x[0]))]


def _own(judge: Judge, names: bool) -> list[dict[str, Any]]:
    """Where your users log in from, the last ones first; with their names where they are asked for."""
    rows: list[dict[str, Any]] = []
    for key, c in judge.clients.items():
        trust = c.trust
        if trust is None or not trust.logins:
            continue
        people = [trust.name, *trust.names] if trust.name else []
        rows.append(
            {
                "client": client_name(key, c.addresses),
                "users": [safe(n, 80) for n in people[:8]] if names else len(people),
                "logins": trust.logins,
                "days": trust.days,
                "last": trust.last,
                "failed": c.attempts,
            }
        )
    rows.sort(key=lambda r: -r["last"])
    return rows[:ROWS]


def _places(
    judge: Judge, attackers: dict[bytes, Client], place: Callable[[bytes], Place | None] | None
) -> dict[str, list[list[Any]]]:
    """Attackers and attempts by country and by owner, the most attempts first; empty without a table."""
    sums: dict[str, dict[str, list[int]]] = {"country": {}, "owner": {}}
    if place is None:
        return {}
    for key, client in attackers.items():
        found = place(key if len(key) == 4 else key.ljust(16, b"\0"))
        for which, name in (("country", found.country if found else ""), ("owner", found.owner if found else "")):
            row = sums[which].setdefault(safe(name, 80), [0, 0])
            row[0] += 1
            row[1] += client.attempts
    return {
        which: [[name or _("unknown"), *row] for name, row in sorted(rows.items(), key=lambda x: -x[1][1])[:ROWS]]
        for which, rows in sums.items()
        if set(rows) != {""}
    }


def _compared(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{**row._asdict(), "policy": safe(row.policy.rstrip("/").rpartition("/")[2], 24)} for row in rows]
