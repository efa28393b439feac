"""Sentences of the page: numbers and times as people read them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from monzen.show.text import in_zone, stamp
from monzen.show.words import _, ngettext


def headline(facts: dict[str, Any]) -> str:
    """What happened, in one sentence; in one more before it, whether somebody got in."""
    inside = len({b["client"] for b in facts["breaches"]})
    if not inside:
        return _happened(facts)
    said = ngettext("{n} client GOT IN.", "{n} clients GOT IN.", inside)
    return _("{inside} {happened}").format(inside=said, happened=_happened(facts))


def _happened(facts: dict[str, Any]) -> str:
    if facts["first"] is None and facts["lines"] and not facts["understood"]:
        return _("No line says anything about a client: is this the log of Postfix, Dovecot, sshd or ufw?")
    if facts["first"] is None:
        return _("Nothing was found to report on.")
    if not facts["attackers"] and facts["hidden"]:
        return _("Nobody can be told apart: failures come from behind one address (see below).")
    if not facts["attackers"]:
        return _("Nobody attacked.")
    attackers = ngettext("{n} attacker", "{n} attackers", facts["turned"])
    networks = ngettext("{n} network", "{n} networks", facts["networks"])
    real, users = facts["real"], facts["users"]
    if not facts["turned"]:
        who = ngettext("{n} client attacked", "{n} clients attacked", facts["attackers"])
        said = _("{who}; none of them did enough to be turned away").format(who=who)
    elif real:
        said = _("{attackers} in {networks} were turned away").format(attackers=attackers, networks=networks)
    else:
        said = _("{attackers} in {networks} would have been turned away").format(attackers=attackers, networks=networks)
    if not users or not facts["turned"]:
        return _("{sentence}.").format(sentence=said)
    if facts["hurt"]:
        hurt = ngettext(
            "{n} place from which one of your users logged in", "{n} places from which your users logged in", facts["hurt"]
        )
        return _("{sentence}; so was {hurt}.").format(sentence=said, hurt=hurt)
    if users == 1:
        end = _("{sentence}; your user was not.") if real else _("{sentence}; your user would not have been.")
        return end.format(sentence=said)
    own = ngettext("{n} user", "{n} users", users)
    end = _("{sentence}; none of your {users} was.") if real else _("{sentence}; none of your {users} would have been.")
    return end.format(sentence=said, users=own)


def period(facts: dict[str, Any], zone: dt.tzinfo) -> str:
    """From when to when, in which zone."""
    if facts["first"] is None:
        return ""
    name = in_zone(facts["last"], zone).tzname() or ""
    first, last = (stamp(facts[key], zone, seconds=False) for key in ("first", "last"))
    return _("{first} to {last} {zone}").format(first=first, last=last, zone=name)


def number(n: float) -> str:
    """`12,345`."""
    return f"{n:,}"


def until(row: dict[str, Any], zone: dt.tzinfo) -> str:
    """When a denial ends, or ended."""
    when = stamp(row["until"], zone, seconds=False)
    return _("until {time}").format(time=when) if row["lasts"] else _("ended {time}").format(time=when)
