"""`monzen status`, the verb of who types none: does it work, what happened, what is wrong."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any, Final

from monzen.config import ConfigError
from monzen.gate.target import GateError
from monzen.guard.run import STATE
from monzen.keeper import Keeper
from monzen.ledger import LEDGER, Entry, LedgerError
from monzen.mode import Mode, read_mode
from monzen.show.stored import CHANGES, retold
from monzen.show.text import as_json, iso, safe, stamp
from monzen.show.words import _, ngettext
from monzen.switch import pending
from monzen.tell.memory import refusals
from monzen.verbs.common import (
    CONFIG,
    EXIT_NO,
    Adder,
    because,
    configuration,
    gate_options,
    guarded,
    item,
    local_zone,
    moment,
    named,
    page,
    say,
    table,
)
from monzen.verbs.firewall import held
from monzen.verbs.gate import awaited, lost
from monzen.verbs.halves import STALE, asked, reader
from monzen.verbs.troubles import nowhere, problems
from monzen.watched import would_be_denied

DAY: Final = 86_400.0
ALARMS: Final = 7 * DAY
ROWS: Final = 10
LAST: Final = 3  # of the changes that people made to the gate


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "status",
        _("Say whether monzen works, what it did, and what is wrong (also without a verb)."),
        "  monzen\n  monzen status\n  monzen status --json",
    )
    gate_options(p)
    p.set_defaults(run=guarded(run_status))


def set_up(root: str = "/", *, by_init: bool = False) -> bool:
    """Whether there is anything on this machine that a status could be about; `by_init`: what only `monzen init` makes."""
    places = (CONFIG, STATE) if by_init else (CONFIG, STATE, LEDGER)
    return any(os.path.lexists(os.path.join(root, path.lstrip("/"))) for path in places)


def run_status(options: argparse.Namespace) -> int:
    """`monzen status`: 0 where all is well, 1 where something is wrong."""
    now = time.time()
    if not set_up():
        said = _("monzen is not set up on this machine. To look first: sudo monzen scan. To set it up: sudo monzen init")
        if options.json:
            print(as_json(as_values(read_mode().at(now), None, "", {}, [*_awaited(), said])))
        else:
            for sentence in (*_awaited(), said):
                say(sentence)
            say(_("What else it can do: monzen --help"))
        return EXIT_NO
    config_error = ""
    try:
        configuration(options)
    except ConfigError as error:
        config_error = str(error)
    mode, run, gate = read_mode().at(now), reader(), asked()
    wrong = [*_awaited(), *problems(mode, run, gate, now), *refusals("/", local_zone())]
    if config_error:
        wrong.insert(0, config_error)
    facts: dict[str, Any] = {}
    try:
        with Keeper(configuration(options) if not config_error else _plain()) as keeper:
            facts = of_ledger(keeper, now)
            if os.geteuid() == 0:
                facts |= of_firewall(keeper, facts["active"], mode, now)
    except (GateError, LedgerError) as error:
        wrong.append(str(error))
    if facts.get("missing") and not mode.open:
        wrong.append(lost(facts["missing"]) if facts["firewall"] != "dry" else nowhere())
    wrong = list(dict.fromkeys(wrong))
    if options.json:
        print(as_json(as_values(mode, run, gate, facts, wrong)))
    else:
        show(mode, run, gate, facts, wrong, now)
    return EXIT_NO if wrong else 0


def _awaited() -> list[str]:
    """That `gate enable` waits to be confirmed, if it does."""
    try:
        waiting = pending()
    except GateError as error:
        return [str(error)]
    return [] if waiting is None else [awaited(waiting.deadline)]


def _plain() -> Any:  # noqa: ANN401  # a Config, which need not be loaded to say so
    from monzen.config import Config

    return Config()


def of_ledger(keeper: Keeper, now: float) -> dict[str, Any]:
    """What the ledger knows of the last day and week."""
    if not os.path.exists(keeper.path):
        return {"active": [], "ended": [], "would": [], "alarms": [], "changes": [], "knocks": 0, "day": 0}
    ledger = keeper.ledger
    active = ledger.active(now)
    ended = ledger.ended(now - DAY)
    return {
        "active": active,
        "ended": ended,
        "would": would_be_denied(ledger, now),
        "alarms": ledger.alarms(now - ALARMS, 200, but=CHANGES),
        "changes": ledger.alarms(now - ALARMS, LAST, only=CHANGES),
        "knocks": sum(row[3] for row in ledger.knocked(now - DAY)),
        "day": sum(1 for e in (*active, *ended) if e.since >= now - DAY),
    }


def of_firewall(keeper: Keeper, active: list[Entry], mode: Mode, now: float) -> dict[str, Any]:
    """What of it the firewall really holds. Raises GateError."""
    firewall, _held, absent = held(keeper, active, mode, now)
    return {"firewall": firewall, "missing": len(absent)}


def headline(mode: Mode, wrong: list[str], facts: dict[str, Any]) -> tuple[str, str]:
    """The first sentence, and its colour."""
    zone = local_zone()
    if mode.name == "panic":
        return _("The gate is open: nobody is turned away."), "bold red"
    if mode.name == "paused":
        until = stamp(mode.until, zone, seconds=False) if mode.until is not None else _("somebody arms it")
        return _("Paused until {time}: nobody is turned away.").format(time=until), "bold yellow"
    count = len(facts.get("active", ()))
    denied = ngettext("{n} target is turned away now", "{n} targets are turned away now", count)
    if facts.get("missing"):
        denied = _("{held:,} of {n:,} targets are turned away now").format(held=count - facts["missing"], n=count)
    elif not facts:
        denied = _("whom it turns away cannot be told")
    if mode.name == "watch":
        would = ngettext("{n} would be", "{n} would be", len(facts.get("would", ())))
        return _("Watch-only: monzen looks and denies nobody by itself ({denied}; {would}).").format(
            denied=denied, would=would
        ), "bold yellow"
    if wrong:
        return _("Armed, but something is wrong ({denied}).").format(denied=denied), "bold red"
    return _("Armed, and all is well: {denied}.").format(denied=denied), "bold green"


def show(
    mode: Mode, run: dict[str, Any] | None, gate: dict[str, Any] | str, facts: dict[str, Any], wrong: list[str], now: float
) -> None:
    """For people."""
    zone = local_zone()
    say(*headline(mode, wrong, facts))
    for sentence in wrong:
        item("! " + sentence, "yellow")
    if facts:
        begun = ngettext("{n} denial began", "{n} denials began", facts["day"])
        over = ngettext("{n} ended", "{n} ended", len(facts["ended"]))
        knocks = ngettext("{n} packet was dropped", "{n} packets were dropped", facts["knocks"])
        say(_("Last 24 hours: {begun}, {over}, {knocks}.").format(begun=begun, over=over, knocks=knocks))
    if run is not None and not run.get("stopped") and now - run["at"] <= STALE:
        lines = ngettext("{n} line", "{n} lines", run["lines"])
        since = stamp(run["started"], zone, seconds=False)
        say(
            _("Reading since {time}: {lines}, of which {events:,} tell of a client.").format(
                time=since, lines=lines, events=run["events"]
            )
        )
        for source in run["sources"]:
            when = stamp(source["last"], zone, seconds=False) if source["last"] else _("nothing yet")
            state = "" if source["caught_up"] else _(", still reading what is older")
            say("  " + _("{path}: last {time}{state}").format(path=safe(str(source["path"]), 80), time=when, state=state))
    entries = facts.get("would" if mode.name == "watch" else "active", [])
    if entries:
        say("")
        say(_("Who would be turned away") if mode.name == "watch" else _("Turned away last"), "bold")
        newest = sorted(entries, key=lambda e: -e.number)[:ROWS]
        rows = table(_("n"), _("target"), _("since"), _("knocks"), _("why"), right=(0, 3))
        for e in newest:
            rows.add_row(str(e.number), named(e), moment(e.since, zone), f"{e.knocks:,}", because(e))
        page().print(rows)
        if len(entries) > len(newest):
            more = "monzen list --watched" if mode.name == "watch" else "monzen list"
            say("  " + _("and {n:,} more: {command}").format(n=len(entries) - len(newest), command=more))
    if facts.get("alarms"):
        say("")
        say(_("What you should look at"), "bold")
        for alarm in facts["alarms"][:ROWS]:
            item(stamp(alarm.at, zone, seconds=False) + "  " + safe(retold(alarm.text), 300), "yellow")
        if len(facts["alarms"]) > ROWS:
            say("  " + _("and {n:,} more of this week: monzen gate status").format(n=len(facts["alarms"]) - ROWS))
    if facts.get("changes"):
        say("")
        say(_("Last changes"), "bold")
        for change in facts["changes"]:
            item(stamp(change.at, zone, seconds=False) + "  " + safe(retold(change.text), 300))
    if mode.name == "watch" and not wrong:
        say("")
        say(_("To let it turn them away: sudo monzen arm"))


def as_values(
    mode: Mode, run: dict[str, Any] | None, gate: dict[str, Any] | str, facts: dict[str, Any], wrong: list[str]
) -> dict[str, Any]:
    """For programs. Keys never change their meaning."""
    return {
        "mode": mode.name,
        "until": iso(mode.until) if mode.until is not None else None,
        "problems": wrong,
        "denied": len(facts.get("active", ())),
        "missing": facts.get("missing"),
        "would_deny": len(facts.get("would", ())),
        "begun_24h": facts.get("day", 0),
        "ended_24h": len(facts.get("ended", ())),
        "packets_24h": facts.get("knocks", 0),
        "alarms": [{"at": iso(a.at), "kind": a.kind, "text": a.text} for a in facts.get("alarms", ())],
        "changes": [{"at": iso(a.at), "text": a.text} for a in facts.get("changes", ())],
        "run": run,
        "gate": gate if isinstance(gate, dict) else {"error": gate},
    }
