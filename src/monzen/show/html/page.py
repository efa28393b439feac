"""The whole document: one file with its styles, its scripts and its facts, that asks nobody for anything."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
from functools import cache
from typing import Any, Final

from monzen.show.html.sections import Sections
from monzen.show.html.tags import Markup, data, join, tag
from monzen.show.html.words import headline
from monzen.show.text import in_zone
from monzen.show.words import _

HERE: Final = os.path.dirname(__file__)
LARGEST: Final = 2_000_000  # bytes of a report: what a mail may carry
# targets with evidence and targets in all, tried until it fits
FEWER: Final = ((5000, 5000), (2000, 5000), (1000, 5000), (500, 5000), (200, 5000), (200, 2000), (100, 500))


@cache
def part(name: str) -> str:
    """A file of ours that goes into the page: `page.css`, `page.js`, `charts.min.js`."""
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def allowed(text: str) -> str:
    """A script or a style in the words of a content security policy (CSP level 2): its own hash, nothing else."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(scripts: tuple[str, ...], styles: tuple[str, ...], connect: str = "'none'") -> str:
    """The content security policy of a page with exactly these scripts and styles."""
    return (
        f"default-src 'none'; script-src {' '.join(map(allowed, scripts))}; style-src {' '.join(map(allowed, styles))}; "
        f"img-src data:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def document(title: str, body: Markup, facts: dict[str, Any], *, language: str, more: tuple[str, ...] = ()) -> str:
    """The page. `facts`: what the script draws (`drawn`); `more`: further scripts."""
    scripts = (part("charts.min.js"), part("page.js"), *more)
    style = part("page.css")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(scripts, (style,), "'self'" if more else "'none'")),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="generator", content="monzen"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    inner = [tag("script", data(facts), id="data", type="application/json"), *(tag("script", Markup(s)) for s in scripts)]
    page = tag("html", head, tag("body", tag("main", body), join(inner)), lang=language)
    return f"<!doctype html>\n{page}\n"


def report(facts: dict[str, Any], zone: dt.tzinfo, *, language: str = "en", largest: int = LARGEST) -> str:
    """The report as one file; evidence of the lighter targets is left out where it would be larger than `largest` bytes."""
    body = Sections(facts, zone).all()
    title = f"monzen: {headline(facts)}"
    page = ""
    for evidence, targets in FEWER:
        page = document(title, body, drawn(facts, zone, evidence, targets), language=language)
        if len(page.encode()) <= largest:
            break
    return page


def drawn(facts: dict[str, Any], zone: dt.tzinfo, evidence: int = FEWER[0][0], targets: int = FEWER[0][1]) -> dict[str, Any]:
    """What the script needs of the facts, with all times moved into the zone, as if that were UTC.

    A target is a row: name, first, its denials (from, until, last knock or 0, one after the other), whether it lasts, attempts,
    knocks, clients, times, then the numbers of why, country and owner among `texts` (0: none), and its evidence.
    """

    def local(time: float | None) -> int:
        if time is None:
            return 0
        shift = in_zone(time, zone).utcoffset()
        return int(time + (shift.total_seconds() if shift is not None else 0))

    texts: dict[str, int] = {"": 0}
    rows: list[list[Any]] = []
    for i, row in enumerate(facts["targets"][:targets]):
        denials = [local(time) for times in row["denials"] for time in times]
        numbers = [texts.setdefault(row.get(key, ""), len(texts)) for key in ("why", "country", "owner")]
        counts = [row[key] for key in ("attempts", "knocks", "clients", "times")]
        lines = [row["evidence"]] if i < evidence and row["evidence"] else []
        rows.append([row["target"], local(row["first"]), denials, int(row["lasts"]), *counts, *numbers, *lines])
    hours = facts["hours"]
    start = [local(hours["start"] + i * hours["step"]) for i in range(len(hours["through"]))]
    return {
        "hours": {**hours, "start": start},
        "targets": rows,
        "texts": list(texts),
        "map": facts["map"],
        "end": local(facts["last"]),
        "words": words(real=facts["real"]),
    }


def words(*, real: bool) -> dict[str, str]:
    """What the script says, in the reader's language."""
    return {
        "through": _("attempts let through"),
        "denied": _("attempts of who is denied"),
        "users": _("slips of your users"),
        "begun": _("denials that began"),
        "logins": _("good logins"),
        "knocks": _("knocks"),
        "came": _("came"),
        "was-denied": _("denied at") if real else _("would be denied at"),
        "knocked": _("last knock"),
        "until": _("until"),
        "ended": _("ended"),
        "until-time": _("until {time}"),
        "quiet-since": _("ended {time}"),
        "tried": _("let through"),
        "owner": _("owner"),
        "attempts": _("attempts: {n}"),
        "clients": _("clients: {n}"),
        "of-clients": _(" (clients: {n})"),
        "evidence": _("evidence"),
        "close": _("Close"),
        "found": _("{n} found, {shown} shown"),
        "nothing": _("Nothing found"),
        "times": _("{time} ({n} times)"),
        "state-0": _("attacked"),
        "state-1": _("clients denied"),
        "state-2": _("network denied"),
        "ipv4": "IPv4",
        "ipv6": "IPv6",
    }
