"""`monzen status`, the verb of who types none: does it work, what happened, what is wrong."""

from __future__ import annotations

import argparse
import errno
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from typing import Any, Final

from monzen.config import ConfigError
from monzen.gate.target import GateError
from monzen.guard import wire
from monzen.guard.run import STATE
from monzen.keeper import Keeper
from monzen.ledger import LEDGER, Entry, LedgerError
from monzen.mode import PATH as MODE
from monzen.mode import Mode, read_mode
from monzen.services import GATE, RUN, log_of, start
from monzen.show.command import remedy
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
from monzen.watched import would_be_denied

DAY: Final = 86_400.0
STALE: Final = 45.0  # seconds after which `run` has missed its turn to say that it lives
SILENT: Final = 3 * DAY  # without a line a source is worth a word
ALARMS: Final = 7 * DAY
ROWS: Final = 10
LAST: Final = 3  # of the changes that people made to the gate
LARGEST: Final = 1 << 20  # bytes read of what run says of itself


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


def asked(root: str = "/", patience: float = 2.0) -> dict[str, Any] | str:
    """What `monzen gate serve` says of itself; why it does not, where it does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as link:
        link.settimeout(patience)
        try:
            link.connect(os.path.join(root, wire.SOCKET))
            link.send(wire.packed({"status": True}))
            found = wire.unpacked(link.recv(wire.MESSAGE)).get("status")
        except (OSError, wire.WireError) as error:
            return getattr(error, "strerror", None) or str(error)
    return found if isinstance(found, dict) else "?"


def reader(root: str = "/") -> dict[str, Any] | None:
    """What `monzen run` wrote of itself, checked word by word: it reads hostile text all day. None where there is nothing sound.

    Its folder is its own, so the file may be a link or a pipe: root opens neither.
    """
    try:
        descriptor = os.open(os.path.join(root, STATE, "status.json"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        said = _("cannot read what monzen run says of itself: no right to. {remedy}")
        raise GateError(said.format(remedy=remedy())) from None
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return sound(json.loads(os.read(descriptor, LARGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    finally:
        os.close(descriptor)


def sound(found: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever JSON holds
    """A status with all that is shown of it, each of its type. Raises KeyError, TypeError, ValueError for another."""

    def number(value: Any) -> float:  # noqa: ANN401  # as above
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
            raise ValueError("no number")
        return float(value)

    gate, state = found["gate"], found["state"]
    return {
        **{key: number(found[key]) for key in ("at", "started")},
        **{
            key: int(number(found[key]))
            for key in ("pid", "lines", "events", "suspects", "clients", "sentences", "twice", "waiting")
        },
        "version": str(found["version"])[:64],
        "samples": [str(sample)[:300] for sample in found["samples"][:20]],
        "stopped": found["stopped"] is True,
        "history": found["history"] is True,
        "sources": [
            {
                "path": str(source["path"])[:400],
                "caught_up": source["caught_up"] is True,
                "last": number(source["last"]) if source["last"] is not None else None,
                "lines": int(number(source["lines"])),
                "late": max(-1e7, min(1e7, float(source["late"]))),
                "error": str(source["error"])[:400],
            }
            for source in found["sources"][:100]
        ],
        "gate": {"connected": gate["connected"] is True, "mode": str(gate["mode"])[:32], "error": str(gate["error"])[:200]},
        "state": {
            "records": int(number(state["records"])),
            "snapshot": int(number(state["snapshot"])),
            "behind": state["behind"] is True,
        },
    }


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


def nowhere() -> str:
    """That there is nothing to deny with, in a sentence."""
    return _("there is no firewall that monzen could use, so nobody is turned away. See: monzen gate status")


def problems(mode: Mode, run: dict[str, Any] | None, gate: dict[str, Any] | str, now: float) -> list[str]:
    """What is wrong, each with what to do."""
    return [text for _kind, text in troubles(mode, run, gate, now)]


def troubles(mode: Mode, run: dict[str, Any] | None, gate: dict[str, Any] | str, now: float) -> Iterator[tuple[str, str]]:
    """The same with the kind of each, a word that is never translated (tell/topics.py says who is told of it)."""
    if not mode.sound:
        said = _("{path} says no mode: taken as {mode}. Say what it shall be: monzen arm, monzen arm --off or monzen panic")
        yield "mode", said.format(path="/" + MODE, mode=mode.name)
    if mode.name == "panic":
        yield "panic", _("the gate is open since a panic: nobody is turned away. Close it again: monzen arm")
    if isinstance(gate, str):
        yield "no-gate", _silent(gate)
    else:
        if gate.get("trouble"):
            yield "trouble", safe(str(gate["trouble"]), 400)
        if gate.get("firewall") == "dry":
            yield "no-firewall", nowhere()
    if run is None or run.get("stopped") or now - run["at"] > STALE:
        said = _("monzen does not read the logs now. Start it: {command}").format(command=start(RUN))
        yield "no-run", said + (_("; why it ended: {command}").format(command=log_of(RUN)) if log_of(RUN) else "")
        return
    if not isinstance(gate, str) and not run["gate"]["connected"]:
        why = safe(str(run["gate"]["error"]))
        said = _("monzen run does not reach the gate ({why}). See: {command}")
        yield "no-link", said.format(why=why, command=log_of(RUN) or "monzen gate status")
    if not run["sources"]:
        yield "no-source", _("no log and no journal is followed. Name them: [sources] files in {path}").format(path=CONFIG)
    for source in run["sources"]:
        path = safe(str(source["path"]), 80)
        if source.get("error"):
            yield "source", safe(str(source["error"]), 400)
        if source["late"]:
            said = _("the clock of {path} differs from this machine's by {n:.0f} minutes; its times are taken as so much later")
            yield "late", said.format(path=path, n=source["late"] / 60)
    last = max((s["last"] or 0.0 for s in run["sources"]), default=0.0)
    if last and now - last > SILENT:
        said = _("no line about a client since {when}: does the mail server still log there? See: monzen check")
        yield "silent", said.format(when=stamp(last, local_zone(), seconds=False))
    if run["state"]["behind"]:
        yield (
            "behind",
            _("monzen run cannot write what it must remember: is the disk full? It goes on, and reads again after a restart"),
        )
    if run["suspects"]:
        said = ngettext(
            "{n} line looks like a failure in a format that monzen does not know; see them: monzen status --json",
            "{n} lines look like failures in a format that monzen does not know; see them: monzen status --json",
            run["suspects"],
        )
        yield "formats", said


def _silent(why: str) -> str:
    """What it means that the gate does not say how it is."""
    if why in (os.strerror(errno.ENOENT), os.strerror(errno.ECONNREFUSED)):
        return _("the gate does not run: nobody new is turned away. Start it: {command}").format(command=start(GATE))
    if why == os.strerror(errno.EACCES):
        return _("whether the gate works cannot be told: no right to ask it. {remedy}").format(remedy=remedy())
    said = _("the gate does not answer ({why}), so nobody new may be turned away. Start it anew: {command}")
    return said.format(why=safe(why), command=start(GATE).replace(" start ", " restart "))


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
