"""`monzen list`: who is denied now, why, and until when."""

from __future__ import annotations

import argparse
import time

from monzen.arguments import count
from monzen.exports import FORMATS
from monzen.gatehouse import opened
from monzen.judge.shield import Prefix
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError
from monzen.mode import read_mode
from monzen.show.text import as_json
from monzen.show.words import _, ngettext
from monzen.verbs.common import (
    EXIT_USE,
    Adder,
    because,
    complain,
    configuration,
    ends,
    gate_options,
    guarded,
    local_zone,
    named,
    page,
    say,
    table,
    values,
)
from monzen.verbs.exporting import allowed, export, put, warn
from monzen.watched import would_be_denied

SORTS = {
    "number": lambda e: e.number,
    "target": lambda e: (len(e.network), e.network, e.bits, e.port),
    "attempts": lambda e: (-e.attempts, e.number),
    "knocks": lambda e: (-e.knocks, e.number),
    "until": lambda e: (e.until is None, e.until or 0.0, e.number),
    "last": lambda e: (-(e.last_knock or 0.0), e.number),
}


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "list",
        _("Show who is denied, why, how often they knocked since, and until when."),
        "  monzen list\n  monzen list --networks --sort knocks\n  monzen list --ended --top 20\n  monzen list --watched\n"
        "  monzen list --json\n  monzen list --format postfix-cidr --output /etc/postfix/monzen.cidr",
    )
    kinds = p.add_mutually_exclusive_group()
    kinds.add_argument("--networks", action="store_true", help=_("only networks"))
    kinds.add_argument("--hosts", action="store_true", help=_("only single addresses"))
    p.add_argument("--sort", choices=tuple(SORTS), default="number", help=_("the order of the rows (default: number)"))
    which = p.add_mutually_exclusive_group()
    which.add_argument("--ended", action="store_true", help=_("those whose denial is over, the last first"))
    which.add_argument("--watched", action="store_true", help=_("those who would be denied, were it not for watch-only mode"))
    p.add_argument("--top", type=count, metavar=_("N"), help=_("rows at most (default: all)"))
    p.add_argument("--format", choices=("json", *FORMATS), help=_("for another firewall or program: docs/exports.md"))
    p.add_argument("--output", metavar=_("FILE"), help=_("with --format: into this file, wholly or not at all"))
    gate_options(p)
    p.set_defaults(run=guarded(run_list))


def run_list(options: argparse.Namespace) -> int:
    """`monzen list`: 0, or 2 where what was asked for does not go together."""
    wrong = _does_not_go(options)
    if wrong:
        complain(wrong)
        return EXIT_USE
    now, none_yet = time.time(), False
    asked = options.format not in (None, "json")
    entries: list[Entry] = []
    spared: list[Prefix] = []
    try:
        with Ledger.open("/" + LEDGER, readonly=True) as ledger:
            entries = would_be_denied(ledger, now) if options.watched else ledger.ended() if options.ended else ledger.active(now)
            spared = allowed(ledger, configuration(options)) if asked else []
    except LedgerError as error:
        if not error.missing:
            raise
        none_yet = True
    if options.networks:
        entries = [e for e in entries if e.bits < 8 * len(e.network)]
    elif options.hosts:
        entries = [e for e in entries if e.bits == 8 * len(e.network)]
    if not (options.ended or options.watched) or options.sort != "number":
        entries.sort(key=SORTS[options.sort])
    shown: list[Entry] = entries[: options.top] if options.top else entries
    if asked:
        if none_yet:
            warn(_("Nobody is denied: there is no ledger yet. To set monzen up: sudo monzen init"))
        return export(entries, options, read_mode().at(now), now, spared)
    if options.json or options.format == "json":
        key = "watched" if options.watched else "ended" if options.ended else "denied"
        return put(as_json({key: [values(e) for e in shown], "count": len(entries)}) + "\n", options.output)
    mode = read_mode().at(now)
    if mode.open and not (options.ended or options.watched):
        say(opened(mode), "bold")
    if none_yet:
        say(_("Nobody is denied: there is no ledger yet. To set monzen up: sudo monzen init"))
        return 0
    if not entries:
        none = _("Nobody would be denied.") if options.watched else _("No denial has ended yet.")
        say(none if options.watched or options.ended else _("Nobody is denied."))
        return 0
    if options.watched:
        say(_("These would be denied, and are not: watch-only. To deny them: monzen arm"), "bold")
    zone = local_zone()
    rows = table(_("n"), _("target"), _("until"), _("knocks"), _("why"), right=(0, 3))
    endings = {
        "quiet": _("was quiet"),
        "expired": _("its time was over"),
        "released": _("released"),
        "replaced": _("inside a wider one"),
        "freed": _("no room"),
        "lost": _("lost"),
    }
    for entry in shown:
        lasts = entry.ended is None or options.watched
        ending = ends(entry, zone) if lasts else endings.get(entry.ending, entry.ending)
        rows.add_row(str(entry.number), named(entry), ending, f"{entry.knocks:,}", because(entry))
    page().print(rows)
    if len(entries) > len(shown):
        left = len(entries) - len(shown)
        say("  " + ngettext("and {n} more (--top shows more)", "and {n} more (--top shows more)", left))
    return 0


def _does_not_go(options: argparse.Namespace) -> str:
    """What was asked for and does not go together, in a sentence."""
    if options.json and options.format not in (None, "json"):
        return _("--json and --format {format} are two forms. Give one of them").format(format=options.format)
    if options.ended and options.format not in (None, "json"):
        return _("--format is about whom is denied, and --ended about who is no more. Give one of them")
    if options.output and not (options.format or options.json):
        formats = ", ".join(("json", *FORMATS))
        return _("--output needs a form to write. Give --format, too: one of {formats}").format(formats=formats)
    return ""
