"""`monzen deny`, `monzen release`, `monzen allow`: what a person decides."""

from __future__ import annotations

import argparse
import time

from monzen.gate.look import ufw_settings
from monzen.gate.target import Target
from monzen.gate.ufw_rules import Rule, commands
from monzen.keeper import Keeper, Outcome
from monzen.ledger import Allowed, Ledger, Order
from monzen.notation import HOST, prefix_of
from monzen.show.terminal import ufw_sleeps
from monzen.show.text import as_json, iso, network, safe, stamp
from monzen.show.words import _, ngettext
from monzen.verbs.common import (
    EXIT_NO,
    EXIT_USE,
    Adder,
    Port,
    complain,
    configuration,
    configuration_or_none,
    door,
    gate_options,
    guarded,
    line,
    local_zone,
    moment,
    named,
    page,
    port,
    prefix,
    say,
    seconds,
    table,
    until,
    values,
)

ALLOWED4, ALLOWED6 = 8, 16  # the widest network that can be allowed: more than a /8 nobody holds, and a /16 is a continent


def add(verb: Adder) -> None:
    """The three verbs."""
    p = verb(
        "deny",
        _("Turn an address or a network away, on every port, without an answer."),
        "  monzen deny 203.0.113.7\n  monzen deny 203.0.113.0/24 --for 7d --note 'guesses since May'\n"
        "  monzen deny 2001:db8::1 --port 25/tcp\n  monzen deny 203.0.113.0/24 --dry-run",
    )
    p.add_argument("targets", nargs="+", type=prefix, metavar=_("TARGET"), help=_("an address or a network"))
    p.add_argument(
        "--for", dest="length", type=seconds, metavar=_("TIME"), help=_("for how long: 30m, 12h, 7d (default: for good)")
    )
    p.add_argument("--note", default="", metavar=_("TEXT"), help=_("why: shown by list and why"))
    p.add_argument(
        "--port",
        dest="ports",
        action="append",
        type=port,
        metavar=_("PORT"),
        help=_("only this port: 25, 25/tcp, smtp; may be repeated (default: all)"),
    )
    p.add_argument(
        "--keep-shielded",
        action="store_true",
        help=_("deny a network although somebody in it is never denied: that one stays reachable"),
    )
    gate_options(p, dry=True)
    p.set_defaults(run=guarded(run_deny))

    p = verb(
        "release",
        _("Let somebody in again at once. Older log lines will not deny them again."),
        "  monzen release 203.0.113.7\n  monzen release 12\n  monzen release 203.0.113.0/24 --note 'a customer'",
    )
    p.add_argument("targets", nargs="+", metavar=_("TARGET|N"), help=_("an address, a network, or a number of monzen list"))
    p.add_argument("--note", default="", metavar=_("TEXT"), help=_("why: kept in the ledger"))
    gate_options(p, dry=True)
    p.set_defaults(run=guarded(run_release))

    p = verb(
        "allow",
        _("Never deny an address, a network or a host name; without any, show who is allowed."),
        "  monzen allow\n  monzen allow 192.0.2.0/24 --note office\n  monzen allow home.example.net\n"
        "  monzen allow 192.0.2.0/24 --remove",
    )
    p.add_argument("targets", nargs="*", metavar=_("TARGET"), help=_("an address, a network or a host name"))
    p.add_argument("--remove", action="store_true", help=_("no longer: it may be denied like anybody"))
    p.add_argument("--note", default="", metavar=_("TEXT"), help=_("why: shown by allow"))
    gate_options(p, dry=True)
    p.set_defaults(run=guarded(run_allow))


def run_deny(options: argparse.Namespace) -> int:
    """`monzen deny`: 0, 1 where somebody is never denied, 2 where it could not be done."""
    now = time.time()
    ports: list[Port] = options.ports or [Port(0, 0)]
    ends = None if options.length is None else now + options.length
    orders = [
        Order(_full(*target), target[1], p.number, p.protocol, ends, None, note=options.note)
        for target in dict.fromkeys(options.targets)
        for p in dict.fromkeys(ports)
    ]
    with Keeper(configuration(options)) as keeper:
        outcomes = keeper.deny(orders, keep=options.keep_shielded, dry=options.dry_run)
        firewall = keeper.firewall()
    refused = [o for o in outcomes if o.refused]
    if options.json:
        print(
            as_json(
                {
                    "dry_run": options.dry_run,
                    "firewall": firewall,
                    "denied": [_row(o) for o in outcomes if not o.refused],
                    "refused": [{"target": network(o.order.network, o.order.bits), "why": o.refused} for o in refused],
                }
            )
        )
        return EXIT_NO if refused else 0
    for outcome in outcomes:
        _say(outcome, options, firewall)
    if firewall == "dry" or options.dry_run:
        by_hand([o.order for o in outcomes if not o.refused])
    return EXIT_NO if refused else 0


def by_hand(orders: list[Order]) -> None:
    """What a person would type for the same."""
    if orders:
        say(_("By hand:"))
    for order in orders:
        rule = Rule(Target(order.network, order.bits, order.port, order.protocol))
        for command in commands([rule]):
            say(f"  sudo {command}")
    ufw = ufw_settings()
    if orders and ufw is not None and not ufw.enabled:
        say("  " + ufw_sleeps(), "yellow")


def _full(packed: bytes, bits: int) -> bytes:
    """The network address: host bits that were typed are dropped."""
    hosts = 8 * len(packed) - bits
    return (int.from_bytes(packed, "big") >> hosts << hosts).to_bytes(len(packed), "big")


def _row(outcome: Outcome) -> dict[str, object]:
    order = outcome.order
    row = values(outcome.entry) if outcome.entry is not None else {}
    return {
        **row,
        "target": network(order.network, order.bits),
        "port": order.port or None,
        "until": None if order.until is None else iso(order.until),
        "kept": [network(w.network, w.bits) for w in outcome.kept],
    }


def _say(outcome: Outcome, options: argparse.Namespace, firewall: str) -> None:
    order, entry = outcome.order, outcome.entry
    name = network(order.network, order.bits) + door(order.port, order.protocol)
    if outcome.refused:
        line(outcome.refused, "yellow")
        if outcome.keepable:
            say("  " + _("To deny the rest of it all the same: --keep-shielded"))
        return
    end = _("for good") if order.until is None else _("until {time}").format(time=stamp(order.until, local_zone(), seconds=False))
    if entry is None:
        line(_("would deny {target}, {end}").format(target=name, end=end))
    elif firewall == "dry":
        line(
            _('{target} is denied in the ledger only ([gate] firewall = "dry"), {end}; number {n}').format(
                target=name, end=end, n=entry.number
            )
        )
    else:
        said = _("denied {target}, {end}; number {n} (undo: monzen release {n})")
        line(said.format(target=name, end=until(entry, local_zone()) if order.until is None else end, n=entry.number))
    for ward in outcome.kept:
        say("  " + _("stays reachable: {ward}").format(ward=ward.says()))
    if outcome.inside is not None:
        say(
            "  "
            + _("it was denied already, inside {target} (number {n})").format(
                target=named(outcome.inside), n=outcome.inside.number
            )
        )


def run_release(options: argparse.Namespace) -> int:
    """`monzen release`: 0, 1 where nothing like it is denied."""
    numbers: list[int] = []
    networks: list[tuple[bytes, int]] = []
    for text in options.targets:
        if text.isascii() and text.isdigit() and len(text) < 19:
            numbers.append(int(text))
        else:
            try:
                packed, bits = prefix(text)
            except argparse.ArgumentTypeError as error:
                complain(str(error))
                return EXIT_USE
            networks.append((_full(packed, bits), bits))
    with Keeper(configuration_or_none(options)) as keeper:
        entries = keeper.release(numbers, networks, note=options.note, dry=options.dry_run)
        ledger: Ledger = keeper.ledger
        allowed = {p for a in ledger.allowed() for p in a.prefixes}
        gone = {e.number for e in entries}
        wider = [
            (target, e)
            for target in networks
            for e in ledger.history(*target)
            if target not in allowed
            and e.number not in gone
            and e.ended is None
            and e.bits < target[1]
            and (e.until is None or e.until > time.time())
        ]
    found = {e.number for e in entries}
    missing = [str(n) for n in numbers if n not in found]
    nothing = [
        network(*target)
        for target in networks
        if not any(e.bits >= target[1] and _full(e.network, target[1]) == target[0] for e in entries)
    ]
    if options.json:
        answer = {
            "dry_run": options.dry_run,
            "released": [values(e) for e in entries],
            "not_denied": [*missing, *nothing],
            "still_denied_by": [values(e) for _target, e in wider],
        }
        print(as_json(answer))
    else:
        for entry in entries:
            said = _("would release {target} (number {n})") if options.dry_run else _("released {target} (number {n})")
            line(said.format(target=named(entry), n=entry.number))
        for text in missing:
            line(_("no denial has the number {n} now. See: monzen list").format(n=text))
        for text in nothing:
            line(_("{target} is not denied by itself; older lines will not deny it").format(target=text))
        for target, entry in wider:
            said = _("{target} is still denied, inside {wider}. Release that (monzen release {n}), or: monzen allow {target}")
            line(said.format(target=network(*target), wider=named(entry), n=entry.number), "yellow")
    return EXIT_NO if missing or nothing or wider else 0


def run_allow(options: argparse.Namespace) -> int:
    """`monzen allow`: 0, 1 where what is to be removed is not allowed."""
    if not options.targets and (options.remove or options.note or options.dry_run):
        option = "--remove" if options.remove else "--note" if options.note else "--dry-run"
        said = _("{option} of whom? Name an address, a network or a host name. Who is allowed: monzen allow")
        complain(said.format(option=option))
        return EXIT_USE
    config = configuration(options) if options.remove else configuration_or_none(options)
    with Keeper(config) as keeper:
        if not options.targets:
            return _listed(keeper, options)
        rows: list[dict[str, object]] = []
        failed = False
        for text in options.targets:
            found = prefix_of(text)
            if found is None and not HOST(text):
                said = _("{text!r} is no address, network or host name")
                complain(said.format(text=safe(text, 60)))
                return EXIT_USE
            if found is not None and not options.remove and found[1] < (ALLOWED4 if len(found[0]) == 4 else ALLOWED6):
                said = _("{text} is so wide that hardly anybody would be denied, so it was not allowed. Name narrower networks")
                complain(said.format(text=safe(text, 60)))
                return EXIT_USE
            name = found is None
            full = None if found is None else (_full(*found), found[1])
            canonical = text.rstrip(".").lower() if full is None else network(*full)
            if options.remove:
                failed = _remove(keeper, canonical, options, rows) or failed
                continue
            if name:
                from monzen.resolver import resolve_apart

                prefixes = resolve_apart((canonical,)).get(canonical, [])
                if not prefixes:
                    say(_("{name} has no address now: it is allowed as soon as it has one").format(name=canonical), "yellow")
            else:
                assert full is not None  # it is no name
                prefixes = [full]
            if options.dry_run:
                rows.append({"text": canonical, "prefixes": [network(*p) for p in prefixes]})
                if not options.json:
                    say(_("would allow {target}").format(target=canonical))
                continue
            row, released = keeper.allow(canonical, prefixes, name=name, note=options.note)
            rows.append({**_allowed(row), "released": [values(e) for e in released]})
            if not options.json:
                stands = ", ".join(network(*p) for p in row.prefixes)
                say(_("allowed {target}").format(target=canonical) + (f" ({stands})" if name and stands else ""))
                for entry in released:
                    say("  " + _("released {target} (number {n})").format(target=named(entry), n=entry.number))
        if options.json:
            print(as_json({"dry_run": options.dry_run, "removed" if options.remove else "allowed": rows}))
        return EXIT_NO if failed else 0


def _remove(keeper: Keeper, text: str, options: argparse.Namespace, rows: list[dict[str, object]]) -> bool:
    """Take one off the list; whether it was not on it."""
    known = next((a for a in keeper.ledger.allowed() if a.text == text), None)
    row = known if options.dry_run else keeper.unallow(text)
    if row is not None:
        rows.append(_allowed(row))
    if not options.json:
        if row is None:
            say(_("{target} is not on the list. See: monzen allow").format(target=text))
        else:
            say(
                (_("would no longer allow {target}") if options.dry_run else _("no longer allowed: {target}")).format(target=text)
            )
    return row is None


def _allowed(row: Allowed) -> dict[str, object]:
    return {
        "text": row.text,
        "prefixes": [network(*p) for p in row.prefixes],
        "at": iso(row.at),
        "resolved": None if row.resolved is None or not row.name else iso(row.resolved),
        "note": row.note,
        "actor": row.actor,
    }


def _listed(keeper: Keeper, options: argparse.Namespace) -> int:
    """Everybody who is never denied, and why."""
    rows = keeper.ledger.allowed()
    wards = [w for w in keeper.wards().all if w.why not in ("reserved", "private", "allowed")]
    if options.json:
        print(
            as_json(
                {
                    "allowed": [_allowed(r) for r in rows],
                    "configured": [network(*p) for p in keeper.config.allow] + list(keeper.config.names),
                    "shielded": [{"target": network(w.network, w.bits), "why": w.why} for w in wards],
                }
            )
        )
        return 0
    if rows or keeper.config.allow or keeper.config.names:
        shown = table(_("allowed"), _("stands for"), _("since"), _("note"))
        for row in rows:
            stands = ", ".join(network(*p) for p in row.prefixes) if row.name else ""
            shown.add_row(row.text, stands, moment(row.at, local_zone()), safe(row.note, 120))
        for text in [*(network(*p) for p in keeper.config.allow), *keeper.config.names]:
            shown.add_row(text, "", "", _("from the configuration"))
        page().print(shown)
    else:
        say(_("Nobody is on the list. Put your own networks there: monzen allow 192.0.2.0/24"))
    if wards:
        say("\n" + _("Never denied besides:"))
        for ward in wards:
            say("  " + ward.says())
    say(
        ngettext(
            "{n} private or reserved range is never denied either.",
            "{n} private or reserved ranges are never denied either.",
            sum(1 for w in keeper.wards().all if w.why in ("reserved", "private")),
        )
    )
    return 0
