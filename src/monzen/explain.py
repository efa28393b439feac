"""`monzen explain`: how each line reads by itself, for people and as JSON (stateless, one object a line)."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
import time
from collections.abc import Callable

from monzen.parse.address import text
from monzen.parse.clock import Clock
from monzen.parse.header import split
from monzen.parse.line import read_line
from monzen.show.refused import refused
from monzen.show.speech import columns
from monzen.show.text import as_json, iso, safe, stamp
from monzen.show.words import _, ngettext
from monzen.show.wrap import margined, wrap
from monzen.sources import SourceError, blocks, plan
from monzen.types import Fact, Kind, Service, Weight

KINDS = {int(k): k.name.lower() for k in Kind}
SERVICES = {int(s): s.name.lower() for s in Service}
WEIGHTS = {int(w): w.name.lower() for w in Weight}


def answer(number: int, fact: Fact | None, at: float | None) -> str:
    """One line of `explain --json`. Keys never change their meaning."""
    return as_json(
        {
            "n": number,
            "kind": KINDS[fact.kind] if fact else None,
            "client": text(fact.client) or None if fact else None,
            "user": fact.user.decode("utf-8", "replace") if fact and fact.user is not None else None,
            "service": SERVICES[fact.service] if fact else None,
            "time": iso(at) if at is not None else None,
            "attempts": fact.attempts if fact else 0,
            "weight": WEIGHTS[fact.weight] if fact else "none",
        }
    )


def describe(line: bytes, fact: Fact | None, at: float | None, zone: dt.tzinfo) -> str:
    """The line, and below it how it reads, for people."""
    if fact is None:
        said = _("says nothing about a client")
    else:
        if fact.weight == Weight.STRONG:
            weight = ngettext("counts as {n} attempt", "counts as {n} attempts", fact.attempts)
        else:
            weight = _("counts as a quarter of an attempt") if fact.weight else _("does not count")
        parts = [_(fact.about), text(fact.client) or _("no address"), weight]
        if fact.user is not None:
            parts.insert(2, _("user {user}").format(user=safe(fact.user, 80)))
        said = _(", ").join(parts)
    when = stamp(at, zone) if at is not None else _("no time")
    return f"{safe(line, 1000)}\n    {when}: {said}"


def run(what: list[str], *, year: int | None, zone: dt.tzinfo, as_json_lines: bool, complain: Callable[[str], None]) -> int:
    """The verb: an argument that names a file is read, one that is a log line is explained; without any, standard input."""
    now = time.time()
    status = number = 0
    out = sys.stdout
    width = columns() if out.isatty() and not as_json_lines else 0

    def say(line: bytes, newest: float) -> None:
        nonlocal number
        number += 1
        line = line.removesuffix(b"\r")
        fact, at = read_line(line, Clock(newest if year is None else float("inf"), zone, year))
        said = answer(number, fact, at) if as_json_lines else describe(line, fact, at, zone)
        if width:
            whole, how = said.split("\n")
            said = "\n  ".join(wrap(whole, width, width - 2)) + "\n" + "\n".join(margined(how, width))
        out.write(said + "\n")

    for argument in what or ["-"]:
        if argument != "-" and not os.path.lexists(argument) and is_line(os.fsencode(argument)):
            say(os.fsencode(argument), now)
            continue
        if not re.search(r"[-/.*?\[]", argument) and not os.path.lexists(argument):
            said = _("{text!r} is no file here, and no log line. Name a file, or put a whole line in quotes")
            complain(said.format(text=safe(argument, 80)))
            status = 2
            continue
        sets, errors = plan([argument], now=now)
        problems: list[SourceError] = list(errors)
        for source in (s for group in sets for s in group):
            try:
                for block in blocks(source, instead=b"\n"):
                    for line in block[:-1].split(b"\n"):
                        say(line, source.mtime)
            except SourceError as error:
                problems.append(error)
        out.flush()
        for problem in problems:
            complain(refused(problem))
            status = 2
    return status


def is_line(argument: bytes) -> bool:
    """Whether an argument that names no file is a log line: it has blanks, and a stamp, a program or a known text."""
    if b" " not in argument.strip():
        return False
    header = split(argument)
    return (
        header.stamp is not None
        or header.named
        or not re.fullmatch(rb"[\w./*?\[\]{}~-]+(?: [\w./*?-]+)*\.(?:log|gz|xz|zst|bz2)(?:\.\d+)?", argument)
    )
