"""What `monzen why` says of one address or network: as plain values, and in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from monzen.judge.client import Client, Sentence
from monzen.judge.distance import Distance, distances, mercies, network_distances, sentences
from monzen.judge.judge import Breach, Judge, Spared
from monzen.judge.policy import Policy
from monzen.judge.prefixes import within
from monzen.parse.address import text as address
from monzen.show.alarms import spared as those_spared
from monzen.show.deeds import SERVICES, deeds
from monzen.show.reasons import english, reason, span, spared, spared_as
from monzen.show.text import client_name, iso, masked, network, safe, stamp
from monzen.show.words import _, ngettext
from monzen.types import Event, Kind

KINDS_TEXT = {int(k): k.name.lower() for k in Kind}


class Subject:
    """One target in a judged log: the clients in it, what was decided, what was kept of its lines."""

    def __init__(self, judge: Judge, target: bytes, bits: int, counted: int, lines: list[Event]) -> None:
        self.judge, self.target, self.bits, self.counted, self.lines = judge, target, bits, counted, lines
        self.single = (len(target), bits) in ((4, 32), (8, 64))
        self.clients: list[tuple[bytes, Client]] = sorted(
            ((k, c) for k, c in judge.clients.items() if within(k, target, bits)),
            key=lambda x: (-x[1].attempts - x[1].weak, x[0]),
        )
        self.sentences = sentences(judge, target, bits)
        self.breaches: list[Breach] = [b for b in judge.breaches if within(b.client, target, bits)]
        self.spared: list[Spared] = [
            s for s in those_spared(judge) if within(s.target, target, bits) or within(target, s.target, s.bits)
        ]
        self.knocks = sum(k.count for key, k in judge.knockers.items() if within(key, target, bits))
        self.distances: list[Distance] = distances(judge, target) if self.single else network_distances(judge, target, bits)
        self.mercies: list[str] = mercies(judge, target, judge.clients.get(target)) if self.single else []

    @property
    def found(self) -> bool:
        """Whether the log says anything of it."""
        return bool(self.clients or self.sentences or self.knocks or self.counted)

    @property
    def denied(self) -> bool:
        """Whether it would be denied where the log ends."""
        return any(s.bits <= self.bits and within(self.target, s.target, s.bits) for s, _at in self.lasting)

    @property
    def lasting(self) -> list[tuple[Sentence, float]]:
        """The denials of it, of what is around it and of what is in it that last where the log ends."""
        return [(s, at) for s, at in self.sentences if at <= self.judge.now <= s.until]


def limit_words(rule: str, policy: Policy, _: Callable[[str], str]) -> str:
    """What a distance counts."""
    week, window = span(policy.memory, _), span(policy.window, _)
    return {
        "ghosts": _("unlike names without an account, within {week}"),
        "known_ghosts": _("unlike names without an account within a day, from a client that also logs in"),
        "names": _("unlike names, within {week}"),
        "real_names": _("unlike names that have an account, within {week}"),
        "one_name": _("failures within {window}"),
        "one_name_hour": _("failures within an hour, not by the clock"),
        "nameless": _("failures within {window} of which the log names nobody"),
        "slow": _("failures within {week}"),
        "ssh": _("failures over ssh within {week}"),
        "relay": _("addresses elsewhere that it wanted to reach"),
        "recipients": _("addresses here that do not exist"),
        "abuse": _("signs of no mail program"),
        "offenders": _("clients in its /24 beside it that offended within {week}: then its own next failure is enough"),
        "crowd": _("clients of it that offended within {window}: so many at once close it"),
        "slow_crowd": _("clients of it that offended within {week}: then the next failure of any other is enough"),
    }[rule].format(week=week, window=window)


def mercy_words(mercy: str, client: Client | None, policy: Policy, when: Callable[[float], str], _: Callable[[str], str]) -> str:
    """What speaks for a client."""
    trust = client.trust if client is not None else None
    said = {
        "shielded": _("It is never denied: this machine, a private or a local address, or allowed."),
        "known": _(
            "It is known: it logged in on {days} days, last at {last}. "
            "Only {known_ghosts} unlike names without an account in a day deny it; "
            "{alarm} failures within {window} are an alarm."
        ),
        "young": _("It logged in on {days} day, last at {last}: not yet long enough to be known."),
        "sender": _("It brings mail that is accepted, on {mail_days} days so far: unknown recipients are forgiven."),
        "neighbour": _("Its network has users of yours or brings you mail: the network is not denied as a whole."),
    }[mercy]
    return said.format(
        known_ghosts=policy.known_ghosts,
        alarm=policy.alarm,
        window=span(policy.window, _),
        days=trust.days if trust is not None else 0,
        last=when(trust.last) if trust is not None else "",
        mail_days=trust.mail_days if trust is not None else 0,
    )


def as_values(s: Subject, *, names: bool) -> dict[str, Any]:
    """For `--json`. Keys never change their meaning; nothing in here is translated."""
    policy = s.judge.policy
    return {
        "target": network(s.target, s.bits),
        "found": s.found,
        "denied": s.denied,
        "clients": [
            {
                "client": client_name(key, c.addresses),
                "attempts": c.attempts,
                "weak": c.weak,
                "first": iso(c.first),
                "last": iso(c.last),
                "did": {f"{KINDS_TEXT[k // 16]}/{SERVICES[k % 16]}": n for k, n in sorted(c.deeds().items())},
                "logins": c.good,
                "mails": c.trust.mails if c.trust is not None else 0,
                **({"users": sorted(n.decode("utf-8", "replace") for n in c.names)} if names else {}),
            }
            for key, c in s.clients
        ],
        "verdicts": [
            {
                "target": network(v.target, v.bits),
                "at": iso(at),
                "until": iso(v.until),
                "rule": v.rule,
                "why": reason(v, policy),
                "clients": v.clients,
                "attempts": v.attempts,
                "knocks": v.knocks,
            }
            for v, at in s.sentences
        ],
        "spared": [
            {
                "target": network(p.target, p.bits),
                "at": iso(p.at),
                "rule": p.rule,
                "reason": p.reason,
                "why": spared(p.reason, english),
            }
            for p in s.spared
        ],
        "breaches": [
            {
                "client": address(b.client),
                "at": iso(b.at),
                "attempts": b.attempts,
                "why": b.why,
                "evidence": [masked(b.line, names).decode("utf-8", "backslashreplace")],
            }
            for b in s.breaches
        ],
        "distances": [
            {"rule": d.rule, "have": d.have, "need": d.need, "what": limit_words(d.rule, policy, english)} for d in s.distances
        ],
        "mercies": s.mercies,
        "knocks": s.knocks,
        "counted": s.counted,
        "evidence": [masked(e.line, names).decode("utf-8", "backslashreplace") for e in s.lines],
    }


def in_words(s: Subject, zone: dt.tzinfo, *, names: bool, top: int = 10) -> Iterator[str]:
    """Line by line for people."""

    def when(time: float) -> str:
        return stamp(time, zone)

    policy = s.judge.policy
    name = network(s.target, s.bits)
    if not s.found:
        yield _("The log says nothing of {name}.").format(name=name)
        return
    offenders = [(k, c) for k, c in s.clients if c.attempts or c.weak]
    if not offenders:
        yield _("{name} did nothing that would count against it.").format(name=name)
    elif s.single:
        client = offenders[0][1]
        yield _("{name}: {did}; from {first} to {last}.").format(
            name=name, did=deeds(client, names), first=when(client.first), last=when(client.last)
        )
    else:
        yield _("{name}: {clients}, {attempts}.").format(
            name=name,
            clients=ngettext("{n} client attacked", "{n} clients attacked", len(offenders)),
            attempts=ngettext("{n} attempt", "{n} attempts", sum(c.attempts for _k, c in offenders)),
        )
        for key, client in offenders[:top]:
            yield f"  {client_name(key, client.addresses)}  {deeds(client, names)}"
        if len(offenders) > top:
            yield "  " + ngettext("and {n} more (--top shows more)", "and {n} more (--top shows more)", len(offenders) - top)
    for b in s.breaches:
        yield _("It got in at {at}, after {tries}.").format(
            at=when(b.at), tries=ngettext("{n} attempt", "{n} attempts", b.attempts)
        )
        yield "  " + safe(masked(b.line, names))
    yield ""
    if s.sentences:
        if s.denied:
            yield _("At the end of the log it is denied.")
        elif s.lasting:
            yield ngettext(
                "At the end of the log it is not denied as a whole; {n} part of it is.",
                "At the end of the log it is not denied as a whole; {n} parts of it are.",
                len(s.lasting),
            )
        else:
            yield _("It was denied; at the end of the log it is not.")
        rows = sorted(s.sentences, key=lambda x: (x in s.lasting, -x[0].bits, x[1]))[-top:]
        for v, at in sorted(rows, key=lambda x: x[1]):
            yield _("  {target}  from {at} until {until}: {why}").format(
                target=network(v.target, v.bits), at=when(at), until=when(v.until), why=reason(v, policy, _, ngettext)
            )
        if len(s.sentences) > top:
            left = len(s.sentences) - top
            yield "  " + ngettext("and {n} more (--top shows more)", "and {n} more (--top shows more)", left)
    else:
        yield _("It would not be denied.")
    for p in s.spared:
        yield _("  {target}  spared at {at}: {why}").format(
            target=network(p.target, p.bits), at=when(p.at), why=spared(spared_as(p, s.judge), _)
        )
    if s.mercies:
        yield ""
        yield _("What speaks for it")
        for mercy in s.mercies:
            yield "  " + mercy_words(mercy, s.judge.clients.get(s.target), policy, when, _)
    if s.distances:
        yield ""
        yield _("What was counted of it since its last denial, if any, and the limit of each")
        for d in s.distances:
            said = _("  {have} of {need}  {what} ({key})")
            name = {"slow_crowd": "offenders"}.get(d.rule, d.rule)
            yield said.format(have=d.have, need=d.need, what=limit_words(d.rule, policy, _), key=name)
    if s.knocks:
        yield ""
        yield ngettext(
            "{n} packet of it was turned away by the firewall.", "{n} packets of it were turned away by the firewall.", s.knocks
        )
    if s.lines:
        yield ""
        yield ngettext("{n} line was counted:", "{n} lines were counted, among them:", s.counted)
        for e in s.lines:
            yield "  " + safe(masked(e.line, names))
