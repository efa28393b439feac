"""`monzen gate status` and `monzen gate apply`: what the firewall really does, and making it what it should be."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from typing import Any, Final

from monzen.gatehouse import opened
from monzen.keeper import Keeper
from monzen.mode import read_mode
from monzen.show.stored import retold
from monzen.show.text import as_json, safe, stamp
from monzen.show.words import _, ngettext
from monzen.switch import overdue
from monzen.upkeep import Applied
from monzen.verbs.common import (
    EXIT_NO,
    Adder,
    configuration,
    gate_options,
    guarded,
    item,
    local_zone,
    named,
    page,
    part,
    say,
    table,
)
from monzen.verbs.firewall import status

SHOWN: Final = 20


def add(verb: Adder) -> None:
    """The verb and its own verbs."""
    p = verb(
        "gate",
        _("The firewall: what it really denies, and repairing it."),
        "  monzen gate status\n  monzen gate apply\n"
        "  monzen gate enable --default allow\n  monzen gate confirm\n  monzen gate disable",
    )
    parts = p.add_subparsers(dest="part", metavar=_("VERB"), required=True, prog="monzen gate", parser_class=type(p))
    says = _("which firewall there is, and what it really holds")
    status = part(parts, "status", says, "  sudo monzen gate status\n  sudo monzen gate status --json")
    gate_options(status)
    status.set_defaults(run=guarded(run_status))
    says = _("make the firewall what it should be, and count who knocked")
    apply = part(parts, "apply", says, "  sudo monzen gate apply\n  sudo monzen gate apply --rescue")
    apply.add_argument("--rescue", action="store_true", help=_("save what can be read of a damaged ledger, first"))
    gate_options(apply)
    apply.set_defaults(run=guarded(run_apply))
    from monzen.verbs import guard, switching

    switching.add(parts)
    guard.add_serve(parts)


def run_apply(options: argparse.Namespace) -> int:
    """`monzen gate apply`: 0."""
    if overdue():
        say(_("Nobody confirmed the firewall in time: everything was put back as it was before."), "yellow")
    with Keeper(configuration(options)) as keeper:
        done = keeper.apply(save=options.rescue)
        count = sum(1 for _row in keeper.ledger.lasting(time.time()))
    if options.json:
        print(as_json({**done._asdict(), "ended": [e.number for e in done.ended], "denied": count}))
        return 0
    for line in applied(done):
        say(line)
    for entry in done.ended[:SHOWN]:
        say(
            "  "
            + _("was quiet for its time, and is let in again: {target} (number {n})").format(target=named(entry), n=entry.number)
        )
    if done.open:
        say(ngettext("{n} target is on the list, and is not denied.", "{n} targets are on the list, and are not denied.", count))
    else:
        say(ngettext("{n} target is denied as it should be.", "{n} targets are denied as they should be.", count))
    return 0


def applied(done: Applied) -> list[str]:
    """What was mended, in sentences."""
    out = []
    if done.found:
        out.append(
            ngettext("{n} denial was read back from the kernel.", "{n} denials were read back from the kernel.", done.found)
        )
    if done.open:
        out.append(_("The gate is open, so nothing of monzen's stands in the firewall."))
    if done.closed:
        out.append(
            ngettext(
                "The gate was open and is closed again: {n} denial was restored.",
                "The gate was open and is closed again: {n} denials were restored.",
                done.missing,
            )
        )
    elif done.restored:
        out.append(
            ngettext(
                "The firewall had lost its table (nft flush ruleset does that): {n} denial was restored.",
                "The firewall had lost its table (nft flush ruleset does that): {n} denials were restored.",
                done.missing,
            )
        )
    elif done.missing and not done.closed:
        out.append(
            ngettext(
                "{n} denial was missing in the kernel, and was restored.",
                "{n} denials were missing in the kernel, and were restored.",
                done.missing,
            )
        )
    if done.extra:
        out.append(
            ngettext(
                "{n} denial in the kernel was nobody's, and was lifted.",
                "{n} denials in the kernel were nobody's, and were lifted.",
                done.extra,
            )
        )
    if done.freed:
        out.append(
            ngettext(
                "There was no room for {n} denial, which ended ([gate] limit).",
                "There was no room for {n} denials, which ended ([gate] limit).",
                done.freed,
            )
        )
    if done.mirrored:
        out.append(ngettext("{n} rule of ufw was changed.", "{n} rules of ufw were changed.", done.mirrored))
    return out


def run_status(options: argparse.Namespace) -> int:
    """`monzen gate status`: 0, 1 where the firewall does not hold what it should."""
    with Keeper(configuration(options)) as keeper:
        facts = status(keeper)
    if options.json:
        print(as_json(facts))
    else:
        _show(facts)
    return 0 if facts["as_it_should_be"] else EXIT_NO


def lost(count: int) -> str:
    """That denials are missing, in a sentence."""
    return ngettext(
        "{n} DENIAL IS MISSING in the firewall. Restore it: monzen gate apply",
        "{n} DENIALS ARE MISSING in the firewall. Restore them: monzen gate apply",
        count,
    )


def awaited(deadline: float) -> str:
    """That a firewall was turned on and waits to be confirmed, in a sentence."""
    said = _(
        "The firewall is on FOR NOW: until {time} confirm it from a NEW connection, or all is put back: sudo monzen gate confirm"
    )
    return said.format(time=stamp(deadline, local_zone()))


def _when(at: str) -> str:
    """A time for programs as people read it, in this machine's zone."""
    return stamp(dt.datetime.fromisoformat(at).timestamp(), local_zone(), seconds=False)


def _show(facts: dict[str, Any]) -> None:
    """What `status` tells, for people."""
    names = {
        "nftables": _("nftables, table inet monzen"),
        "ufw": _("ufw's rules"),
        "dry": _("none: nothing is denied, only written down"),
    }
    say(_("Gate: {name}.").format(name=names[facts["firewall"]]))
    if facts["confirm_before"] is not None:
        say(awaited(facts["confirm_before"]), "bold")
    if facts["mode"] in ("paused", "panic"):
        say(opened(read_mode().at(time.time())), "bold")
        if not facts["as_it_should_be"]:
            say(_("BUT SOMETHING OF MONZEN'S STANDS IN THE FIREWALL. Take it away: monzen gate apply"), "bold red")
    elif facts["table"] in ("missing", "broken") and facts["denied"]:
        words = {"missing": _("ITS TABLE IS MISSING"), "broken": _("ITS TABLE IS NOT WHOLE")}
        say(words[facts["table"]] + _(": nothing of it is sure. Restore it: monzen gate apply"), "bold red")
    elif facts["missing"]:
        say(lost(len(facts["missing"])), "bold red")
        for name in facts["missing"][:SHOWN]:
            say("  " + name)
    elif not facts["denied"]:
        say(_("Nobody is denied."))
    elif facts["firewall"] != "dry":
        said = ngettext(
            "{n} target is denied, and the firewall holds it.",
            "{n} targets are denied, and the firewall holds all of them.",
            facts["denied"],
        )
        say(said, "green")
    if facts["firewall"] == "nftables" and facts["table"] == "whole":
        dropped = facts["dropped"]
        count = ngettext("{n} packet", "{n} packets", dropped["packets"])
        say(_("Dropped since the table was made: {packets}, {n:,} bytes.").format(packets=count, n=dropped["bytes"]))
    ufw = facts["ufw"]
    if ufw is None:
        say(_("ufw is not installed."))
    elif not ufw["active"]:
        say(_("ufw is installed and not active."))
    else:
        said = _("ufw is active: incoming {incoming}, outgoing {outgoing}, routed {routed} by default; logging {logging}")
        say(said.format(**ufw) + "; " + ngettext("{n} rule of monzen's.", "{n} rules of monzen's.", ufw["rules"]))
    shown = [t for t in facts["targets"] if t["packets"]][:SHOWN]
    if shown:
        say("")
        rows = table(_("target"), _("packets"), _("bytes"), _("in ufw"), right=(1, 2))
        for t in sorted(shown, key=lambda t: -t["packets"]):
            rows.add_row(
                t["target"] + (f" {t['port']}" if t["port"] else ""),
                f"{t['packets']:,}",
                f"{t['bytes']:,}",
                _("yes") if t["in_ufw"] else "",
            )
        page().print(rows)
    say("")
    if facts["incoming_by_default"] == "accept" and facts["open_ports"]:
        say(_("By default everybody may connect to these (a packet filter of your provider may stand in front and close them):"))
        rows = table(_("port"), _("name"), _("program"), _("addresses"))
        for p in facts["open_ports"]:
            rows.add_row(f"{p['port']}/{p['protocol']}", p["name"] or "", safe(p["process"] or "", 40), ", ".join(p["addresses"]))
        page().print(rows)
    elif facts["incoming_by_default"] == "drop":
        say(_("What comes in is refused by default, except for what the rules of your firewall let in."))
    if facts["alarms"]:
        say(_("Of the last week:"))
        for alarm in facts["alarms"]:
            item(f"{_when(alarm['at'])}  {safe(retold(alarm['text']))}", "yellow")
    if facts["changes"]:
        say(_("Last changes"))
        for change in facts["changes"]:
            item(f"{_when(change['at'])}  {safe(retold(change['text']))}")
    if not facts["knocks_visible"]:
        say(
            _(
                "Who knocks after being denied CANNOT BE SEEN: at level low ufw logs no hit of a deny rule."
                " Either: ufw logging medium;"
                ' or let monzen count in the kernel: [gate] firewall = "nftables"'
            ),
            "yellow",
        )
