"""A day or a week in a page: who was turned away, who knocked, how your own users fared, what to look at, what is wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, NamedTuple

from monzen.ledger import Alarm, Entry, Ledger
from monzen.show.stored import because, retold
from monzen.show.text import iso, network, safe, stamp
from monzen.show.words import _, ngettext
from monzen.tell.users import Users

LARGEST: Final = 5  # networks that are shown
ALARMS: Final = 10
MOST: Final = 200_000  # denials looked at
DAY: Final = 86_400.0


class Digest(NamedTuple):
    """The facts of a time, in epoch seconds. `headline` and `wrong` are those of `monzen status`."""

    since: float
    now: float
    headline: str
    wrong: tuple[str, ...]
    mode: str
    active: int
    begun: tuple[Entry, ...]
    ended: int
    watched: tuple[Entry, ...]  # whom watch-only would have denied
    packets: int
    alarms: tuple[Alarm, ...]
    users: Users | None


def gather(
    ledger: Ledger | None, since: float, now: float, *, headline: str, wrong: tuple[str, ...], mode: str, users: Users | None
) -> Digest:
    """What the ledger knows of this time, and the rest as it is given. Raises LedgerError."""
    if ledger is None:
        return Digest(since, now, headline, wrong, mode, 0, (), 0, (), 0, (), users)
    active, ended = ledger.active(now), ledger.ended(since, MOST)
    begun = tuple(e for e in (*active, *ended) if e.since >= since)
    watched = tuple({e.key: e for e in reversed(ledger.ended(since, MOST, watched=True))}.values())
    packets = sum(row[3] for row in ledger.knocked(since))
    alarms = tuple(ledger.alarms(since, MOST))
    return Digest(since, now, headline, wrong, mode, len(active), begun, len(ended), watched, packets, alarms, users)


def largest(entries: tuple[Entry, ...]) -> list[Entry]:
    """Those with the most attempts, then knocks; each target once."""
    newest = {e.key: e for e in sorted(entries, key=lambda e: e.number)}
    return sorted(newest.values(), key=lambda e: (-e.attempts, -e.knocks, e.number))[:LARGEST]


def subject(digest: Digest, host: str) -> str:
    """One line of our own words."""
    parts = [ngettext("{n} denial began", "{n} denials began", len(digest.begun))]
    if digest.mode == "watch":
        parts = [ngettext("{n} would have been denied", "{n} would have been denied", len(digest.watched))]
    if digest.alarms:
        parts.append(ngettext("{n} alarm", "{n} alarms", len(digest.alarms)))
    parts.append(_("something is wrong") if digest.wrong else _("all is well"))
    return f"[monzen] {host}: " + _(", ").join(parts)


def text(digest: Digest, zone: dt.tzinfo, host: str) -> str:
    """The page, for people."""

    def when(at: float) -> str:
        return stamp(at, zone, seconds=False)

    out = [
        digest.headline,
        _("{host}, from {since} to {until}").format(host=host or "?", since=when(digest.since), until=when(digest.now)),
    ]
    if digest.wrong:
        out += ["", _("What is wrong"), *(f"  ! {safe(sentence, 500)}" for sentence in digest.wrong)]
    out += ["", *_denied(digest)]
    out += ["", *_own(digest.users)]
    if digest.alarms:
        out += ["", _("What you should look at")]
        out += [f"  {when(alarm.at)}  {safe(retold(alarm.text), 300)}" for alarm in digest.alarms[:ALARMS]]
        if len(digest.alarms) > ALARMS:
            more = len(digest.alarms) - ALARMS
            out.append("  " + ngettext("and {n} more: monzen gate status", "and {n} more: monzen gate status", more))
    out += ["", _("What to do"), *_next(digest)]
    return "\n".join(out) + "\n"


def _denied(digest: Digest) -> list[str]:
    begun = ngettext("{n} denial began", "{n} denials began", len(digest.begun))
    over = ngettext("{n} ended", "{n} ended", digest.ended)
    knocks = ngettext("{n} packet was dropped", "{n} packets were dropped", digest.packets)
    now = ngettext("{n} target is turned away now", "{n} targets are turned away now", digest.active)
    out = [_("{begun}, {over}, {knocks}; {now}.").format(begun=begun, over=over, knocks=knocks, now=now)]
    entries = digest.begun
    if digest.mode == "watch":
        would = ngettext("{n} would have been denied", "{n} would have been denied", len(digest.watched))
        out.append(_("Watch-only: {would}.").format(would=would))
        entries = (*digest.begun, *digest.watched)
    for e in largest(entries):
        did = ngettext("{n} attempt", "{n} attempts", e.attempts) if e.attempts else because(e.rule, e.origin, e.note, 0, 0)
        knocked = ngettext("{n} packet was dropped", "{n} packets were dropped", e.knocks)
        said = _(", ").join([did, knocked] if e.knocks else [did])
        out.append("  " + _("{target}: {said}").format(target=network(*e.prefix), said=said))
    return out


def _own(users: Users | None) -> list[str]:
    if users is None:
        return [_("How your own users fared could not be counted. See: sudo monzen scan --since 1d")]
    if not users.logins:
        return [_("None of your own users logged in.")]
    logins = ngettext("{n} login", "{n} logins", users.logins)
    clients = ngettext("{n} client", "{n} clients", users.clients)
    failed = ngettext("{n} of them failed too", "{n} of them failed too", users.failing)
    out = [_("Your own users: {logins} from {clients}; {failed}.").format(logins=logins, clients=clients, failed=failed)]
    for client, count in users.failed:
        out.append(
            "  " + _("{target}: {attempts}").format(target=client, attempts=ngettext("{n} failure", "{n} failures", count))
        )
    return out


def _next(digest: Digest) -> list[str]:
    out = []
    if digest.wrong:
        out.append(("monzen status", _("what is wrong, and how to mend it")))
    if digest.mode == "watch":
        out.append(("monzen list --watched", _("whom it would have denied")))
        out.append(("sudo monzen arm", _("when you are content: deny them")))
    entries = largest((*digest.begun, *digest.watched))
    if entries:
        out.append((f"monzen why {network(*entries[0].prefix)}", _("why, with the log lines")))
    width = max((len(command) for command, _says in out), default=0)
    return [f"  {command.ljust(width)}  {says}" for command, says in out] or ["  " + _("Nothing.")]


def as_values(digest: Digest) -> dict[str, Any]:
    """For programs. Keys never change their meaning."""
    users = digest.users
    return {
        "since": iso(digest.since),
        "until": iso(digest.now),
        "mode": digest.mode,
        "problems": list(digest.wrong),
        "denied": digest.active,
        "begun": len(digest.begun),
        "ended": digest.ended,
        "would_deny": len(digest.watched),
        "packets": digest.packets,
        "largest": [
            {"target": network(*e.prefix), "attempts": e.attempts, "clients": e.clients, "knocks": e.knocks, "rule": e.rule}
            for e in largest((*digest.begun, *digest.watched))
        ],
        "alarms": [{"at": iso(a.at), "kind": a.kind, "text": a.text} for a in digest.alarms],
        "users": None
        if users is None
        else {
            "logins": users.logins,
            "clients": users.clients,
            "failing": users.failing,
            "failed": [{"client": client, "failures": count} for client, count in users.failed],
        },
    }
