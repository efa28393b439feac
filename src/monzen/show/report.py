"""What `monzen scan --json` says. Keys never change their meaning; nothing in here is translated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monzen.judge.client import Client, Sentence
from monzen.judge.judge import Alarm, Judge
from monzen.judge.prefixes import cut, merge
from monzen.judge.proposals import proposals
from monzen.parse.address import text as address
from monzen.show.alarms import noticed
from monzen.show.alarms import spared as those_spared
from monzen.show.reading import Reading
from monzen.show.reasons import english, reason, spared
from monzen.show.text import client_name, iso, masked, network, port
from monzen.types import Kind, Service

KINDS = {int(k): k.name.lower() for k in Kind}
SERVICES = {int(s): s.name.lower() for s in Service}


def line_text(line: bytes, names: bool) -> str:
    """A log line as text; without names unless they were asked for, and never with a password."""
    return masked(line, names).decode("utf-8", "backslashreplace")


def standing(judge: Judge) -> list[tuple[Sentence, float]]:
    """The verdicts that a firewall would hold, each target once, the heaviest first: none inside another that lasts as long."""
    latest = {(s.target, s.bits): (s, at) for s, at in judge.imposed()}
    wide = {s.target: s.until for s, _ in latest.values() if s.bits in (24, 48, 56)}
    routed = {(s.target, s.bits): s.until for s, _ in latest.values() if s.rule == "wide"}
    lengths = {bits for _, bits in routed}

    def inside(s: Sentence) -> bool:
        ends = [wide.get(s.target[:size]) for size in ((3,) if s.bits == 32 else (6, 7) if s.bits == 64 else ())]
        base = s.target[: 3 if len(s.target) <= 4 else 6]
        ends += [routed.get((cut(base, bits), bits)) for bits in lengths if bits < s.bits]
        return any(end is not None and (end >= s.until or s.until < judge.now) for end in ends)

    kept = [(s, at) for s, at in latest.values() if not inside(s)]
    return sorted(kept, key=lambda x: (-x[0].attempts - x[0].knocks, x[0].target))


def commands(judge: Judge, stands: list[tuple[Sentence, float]] | None = None) -> list[str]:
    """The ufw commands that deny what lasts at the end of the log. `prepend`: above every allow, also where there is no rule yet.

    A denial by hand has no end: so nothing that has ended, and nobody who logged in since. Networks side by side are one command
    where it denies no address more.
    """
    stands = standing(judge) if stands is None else stands
    lasting = [s for s, _ in stands if s.until >= judge.now and not got_in(judge, s)]
    kept = [(s.target.ljust(4 if len(s.target) <= 4 else 16, b"\0"), s.bits) for s in lasting]
    merged = set(merge([(target, bits) for target, bits in kept if bits < (32 if len(target) == 4 else 64)]))
    lengths = sorted({bits for _, bits in merged}, reverse=True)
    said: dict[tuple[bytes, int], None] = {}
    for target, bits in kept:
        if bits == (32 if len(target) == 4 else 64):  # of those none lies in a network that stands
            said[(target, bits)] = None
        else:
            said[next((w for n in lengths if n <= bits and (w := (cut(target, n), n)) in merged), (target, bits))] = None
    return [f"ufw prepend deny from {network(target, bits)}" for target, bits in said]


def got_in(judge: Judge, s: Sentence) -> bool:
    """Whether users logged in from where a sentence denies, while it did."""
    client = judge.clients.get(s.target)
    trust = client.trust if client is not None else None
    return bool(s.hurt) or (trust is not None and trust.logins > 0 and trust.last > s.at)


def account(judge: Judge, alarm: Alarm, names: bool) -> str | None:
    """The account that an alarm is about, where it is about one and names are shown."""
    client = judge.clients.get(alarm.client)
    if not names or alarm.what != "login-before" or client is None or client.trust is None:
        return None
    return client.trust.name.decode("utf-8", "replace")


def users(judge: Judge) -> list[tuple[bytes, Client]]:
    """Your own users among those who failed: they logged in, were not turned away, and did not get in by guessing."""
    got = {b.client for b in judge.breaches}
    return [
        (key, c)
        for key, c in judge.clients.items()
        if (c.attempts or c.weak) and c.trust is not None and c.trust.logins and c.sentence is None and key not in got
    ]


def report(reading: Reading, *, names: bool, top: int | None = None) -> dict[str, Any]:
    """The whole report as plain values."""
    judge = reading.judge

    def limited(rows: Iterable[Any]) -> list[Any]:
        found = list(rows)
        return found if top is None else found[:top]

    sentences = sorted(judge.imposed(), key=lambda x: x[1])
    return {
        "lines": reading.lines,
        "unread": reading.suspects + reading.too_long,
        "first": iso(judge.first) if judge.first is not None else None,
        "last": iso(judge.last) if judge.last is not None else None,
        "clients": judge.offenders,
        "attempts": judge.attempts,
        "breaches": [
            {
                "client": address(b.client),
                "user": b.user.decode("utf-8", "replace") if b.user is not None and names else None,
                "at": iso(b.at),
                "attempts": b.attempts,
                "why": b.why,
                "evidence": [line_text(b.line, names)],
            }
            for b in judge.breaches
        ],
        "verdicts": [
            {
                "target": network(s.target, s.bits),
                "at": iso(at),
                "until": iso(s.until),
                "rule": s.rule,
                "why": reason(s, judge.policy),
                "clients": s.clients,
                "attempts": s.attempts,
                "knocks": s.knocks,
                "hurt": len(s.hurt),
                "evidence": [line_text(e, names) for e in s.evidence],
            }
            for s, at in limited(sentences)
        ],
        "spared": [
            {
                "target": network(s.target, s.bits),
                "at": iso(s.at),
                "until": None,
                "rule": s.rule,
                "reason": s.reason,
                "why": spared(s.reason, english),
                "clients": s.clients,
                "attempts": s.attempts,
                "evidence": [line_text(e, names) for e in s.evidence],
            }
            for s in limited(those_spared(judge))
        ],
        "alarms": [
            {
                "what": a.what,
                "client": network(a.client, len(a.client) * 8) if a.client else None,
                "at": iso(a.at),
                "until": iso(a.until),
                "count": a.times,
                "user": account(judge, a, names),
                "evidence": [line_text(a.line, names)],
            }
            for a in limited(noticed(judge))
        ],
        "attackers": [
            {
                "client": client_name(key, c.addresses),
                "attempts": c.attempts,
                "weak": c.weak,
                "first": iso(c.first),
                "last": iso(c.last),
                "did": {f"{KINDS[k // 16]}/{SERVICES[k % 16]}": n for k, n in sorted(c.deeds().items())},
                "logins": c.good,
                **({"users": sorted(u.decode("utf-8", "replace") for u in c.names)} if names else {}),
            }
            for key, c in limited(
                sorted(((k, c) for k, c in judge.clients.items() if c.attempts or c.weak), key=lambda x: -x[1].attempts)
            )
        ],
        "knocks": {
            "count": sum(k.count for k in judge.knockers.values()),
            "clients": len(judge.knockers),
            "ports": {port(p): n for p, n in limited(sorted(judge.ports.items(), key=lambda x: -x[1]))},
            "sources": [
                {
                    "client": network(key, len(key) * 8),
                    "count": k.count,
                    "first": iso(k.first),
                    "last": iso(k.last),
                    "ports": {port(p): n for p, n in k.ports.items()},
                }
                for key, k in limited(sorted(judge.knockers.items(), key=lambda x: -x[1].count))
            ],
        },
        "proposals": [
            {
                "target": network(p.target, p.bits),
                "days": p.days,
                "clients": p.clients,
                "attempts": p.attempts,
                "first": iso(p.first),
                "last": iso(p.last),
                "command": f"monzen deny {network(p.target, p.bits)}",
                "evidence": [line_text(e, names) for e in p.evidence],
            }
            for p in limited(proposals(judge))
        ],
        "commands": commands(judge),
        "inputs": [{"path": i.path, "lines": i.lines, "too_long": i.too_long} for i in reading.inputs],
        "twins": reading.twins,
        "errors": [str(e) for e in reading.errors],
        "not_understood": [line_text(s, names) for s in reading.samples],
        "twice": reading.twice,
        "outside": reading.outside,
        "clamped": reading.clamped,
        "undated": reading.undated,
        "undated_lines": [line_text(s, names) for s in reading.undated_samples],
        "forgotten": judge.forgotten,
        **({"compare": [row._asdict() for row in reading.comparison.rows()]} if reading.comparison is not None else {}),
    }
