"""`monzen list --format`: what is denied, for other firewalls and programs; to a file, wholly or not at all."""

from __future__ import annotations

import argparse
import stat
import sys

from monzen.config import Config
from monzen.exports import Allowed, chosen, text
from monzen.gate.target import Denial, Target
from monzen.gatehouse import opened, target_of
from monzen.judge.shield import Prefix
from monzen.ledger import Entry, Ledger
from monzen.mode import Mode
from monzen.show.words import _, ngettext
from monzen.verbs.common import EXIT_USE, complain
from monzen.written import PUBLIC, STDOUT, WriteError, reached


def warn(said: str) -> None:
    """On stderr: standard output is the file."""
    complain(said)


def allowed(ledger: Ledger, config: Config) -> list[Prefix]:
    """Whom the admin allows, by `monzen allow` or in the configuration; of host names the last good answer."""
    found = [*config.own, *config.allow, *(p for name in config.names for p in ledger.name(name)[1])]
    return found + [p for a in ledger.allowed() for p in a.prefixes]


def export(entries: list[Entry], options: argparse.Namespace, mode: Mode, now: float, spared: list[Prefix]) -> int:
    """Write these, best first, in the form that was asked for, without those `spared`. Returns the exit status."""
    if mode.open and not options.watched:
        warn(opened(mode))
        warn(_("so the list is empty: elsewhere, too, nobody should be turned away. Write it again when the gate is closed"))
        entries = []
    elif options.watched:
        warn(_("monzen itself denies nobody of this list (--watched)"))
    elif mode.name == "watch":
        said = _("watch-only: whom the guard would deny is not in the list. Those: monzen list --watched --format {format}")
        warn(said.format(format=options.format))
    shield = Allowed(spared)
    best: dict[Target, int] = {}  # of what is left of each, its place among the entries
    pieces: list[Denial] = []
    for place, entry in enumerate(entries):
        for piece in shield.cut(Denial(target_of(entry), entry.until)):
            best.setdefault(piece.target, place)
            pieces.append(piece)
    denials, doors = chosen(pieces, options.format)
    if options.top and len(denials) > options.top:
        left = len(denials) - options.top
        top = {d.target for d in sorted(denials, key=lambda d: best[d.target])[: options.top]}
        denials = [d for d in denials if d.target in top]
        warn(ngettext("{n} more is not in the list (--top)", "{n} more are not in the list (--top)", left))
    if doors:
        said = ngettext(
            "{n} denial of a single port is not in the list: it would close every port. Only --format ufw can say a port",
            "{n} denials of a single port are not in the list: it would close every port. Only --format ufw can say a port",
            doors,
        )
        warn(said)
    return put(text(denials, options.format, now), options.output)


def put(written: str, path: str | None) -> int:
    """To standard output, or into a file. Returns the exit status."""
    if path in (None, STDOUT):
        sys.stdout.write(written)
        return 0
    try:
        replace(path, written.encode("utf-8"))
    except WriteError as error:
        warn(str(error))
        return EXIT_USE
    return 0


def replace(path: str, content: bytes) -> None:
    """Put it in its place in one step; what is there and the same stays. Raises WriteError.

    Readable for all: who is denied is no secret, and the mail server that reads it is not root.
    """
    with reached(path) as spot:
        found = spot.plain()
        same = found is not None and found.st_size == len(content) and stat.S_IMODE(found.st_mode) == PUBLIC
        if not same or spot.read() != content:  # else its time stays, too: whoever waits for a change is not woken
            spot.replace(content, public=True)
