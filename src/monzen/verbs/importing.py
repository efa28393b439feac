"""`monzen import`: turn away whom another tool denied, through the same shield as everybody else."""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any, Final

from monzen.gate.target import GateError
from monzen.imports import KINDS, Ban, Found, ListError, read
from monzen.judge.shield import span
from monzen.keeper import Keeper, Outcome
from monzen.ledger import Order
from monzen.show.text import as_json, network, stamp
from monzen.show.words import _, ngettext
from monzen.verbs.apply import carry_out
from monzen.verbs.common import EXIT_USE, LONGEST, Adder, complain, configuration, gate_options, guarded, local_zone, say, seconds

WEEK: Final = 7 * 86_400.0  # seconds: a list that does not say is refreshed within days, and forgotten addresses change hands
SHOWN: Final = 20  # rows of each kind
STEP: Final = 5_000  # denials at a time: they take a second or two, and the guard's gate waits for the lock
Released = tuple[Ban, float]  # and when it was let in


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "import",
        _("Turn away whom another tool denied: fail2ban, CrowdSec, or a plain list. Shows them and asks first."),
        "  monzen import /var/lib/fail2ban/fail2ban.sqlite3 --dry-run\n  monzen import /var/lib/crowdsec/data/crowdsec.db\n"
        "  cscli decisions list -o json --limit 0 | monzen import - --yes\n  monzen import drop.txt --until 2d --yes",
    )
    p.add_argument("file", metavar=_("FILE"), help=_("a database or a list, or - for standard input"))
    p.add_argument("--from", dest="kind", choices=KINDS, help=_("what it is (default: told from its content)"))
    length = p.add_mutually_exclusive_group()
    length.add_argument(
        "--until",
        dest="length",
        type=seconds,
        default=WEEK,
        metavar=_("TIME"),
        help=_("for how long, where the file does not say: 12h, 7d (default: 7d)"),
    )
    length.add_argument("--keep", action="store_true", help=_("for good, where the file does not say"))
    p.add_argument("--all", dest="every", action="store_true", help=_("also those whose time there is over"))
    p.add_argument("--note", default="", metavar=_("TEXT"), help=_("why: shown by list and why"))
    p.add_argument("--yes", action="store_true", help=_("without asking"))
    gate_options(p, dry=True)
    p.set_defaults(run=guarded(run_import))


def run_import(options: argparse.Namespace) -> int:
    """`monzen import`: 0, or 2 where the file cannot be read or nobody can be asked."""
    if options.json and not (options.yes or options.dry_run):
        complain(_("--json asks nobody: give --yes or --dry-run, too"))
        return EXIT_USE
    if options.file == "-" and not (options.yes or options.dry_run):
        complain(_("standard input is the list, so nobody can be asked: give --yes or --dry-run, too"))
        return EXIT_USE
    now = time.time()
    config = configuration(options)
    try:
        found = read(options.file, options.kind, now, every=options.every)
    except ListError as error:
        complain(str(error))
        return EXIT_USE
    with Keeper(config) as keeper:
        told: dict[str, Any] = {
            "kind": found.kind,
            "dry_run": options.dry_run,
            "firewall": keeper.firewall(),
            "rows": found.rows,
            "bad": found.bad,
            "first_bad": found.first_bad,
            "over": found.over,
            "other": found.other,
            "denied": [],
        }
        orders, told["already"], released = sift(found, keeper, options, now)
        told["refused"] = [{"target": network(b.network, b.bits), "why": _since(at)} for b, at in released]
        outcomes = in_steps(keeper, orders, dry=True)
        outer = outside(outcomes)
        told["already"] += len(outcomes) - len(outer)
        if not options.json:
            _say(found, told, released)
        new, room = sum(1 for o in outer if not o.refused), config.gate.limit - keeper.ledger.count()
        if new > room:
            said = _("{n:,} more do not fit: the gate holds {most:,} ([gate] limit), so nobody was denied. Shorten the list")
            raise GateError(said.format(n=new, most=config.gate.limit))
        status = carry_out(outer, options, partial(in_steps, keeper), told, SHOWN) if outer else 0
        if options.json:
            print(as_json(told))
        elif not outer:
            say(_("There is nobody to turn away now."))
        elif told["denied"] and told["firewall"] == "dry":
            say(_('They are denied in the ledger only: [gate] firewall = "dry"'))
    return status


def sift(found: Found, keeper: Keeper, options: argparse.Namespace, now: float) -> tuple[list[Order], int, list[Released]]:
    """Orders for those who are not denied yet as long, in the order of the addresses; how many are; who was let in since."""
    standing = {(n, bits): until for n, bits, port, _protocol, until in keeper.ledger.lasting(now) if not port}
    allowed = {p for a in keeper.ledger.allowed() for p in a.prefixes}  # of them the shield knows better what to say
    let_in = {(r.network, r.bits): r.at for r in keeper.ledger.releases() if (r.network, r.bits) not in allowed}
    widths = {octets: sorted({b for n, b in (*standing, *let_in) if len(n) == octets}) for octets in (4, 16)}
    orders: list[Order] = []
    released: list[Released] = []
    already = 0
    default = None if options.keep else now + options.length
    for ban in sorted(found.bans.values(), key=lambda b: (len(b.network), b.network, b.bits)):
        until = default if ban.until is None else None if ban.until - now > LONGEST else ban.until
        first, wide = span(ban.network, ban.bits)[0], 8 * len(ban.network)
        around = [((first >> wide - b << wide - b).to_bytes(wide // 8, "big"), b) for b in widths[wide // 8] if b <= ban.bits]
        if any(_lasts(standing[prefix], until) for prefix in around if prefix in standing):
            already += 1
            continue
        at = max((let_in[prefix] for prefix in around if prefix in let_in), default=0.0)
        if at >= (now if ban.since is None else ban.since):
            released.append((ban, at))
            continue
        tool = "" if found.kind == "plain" else f"{found.kind}: "
        note = "; ".join(part for part in (options.note, tool + ban.source) if part)
        evidence, attempts = ban.evidence, ban.attempts
        orders.append(Order(ban.network, ban.bits, 0, 0, until, None, "import", "import", note, 0, attempts, evidence))
    return orders, already, released


def in_steps(keeper: Keeper, orders: list[Order], *, dry: bool = False) -> list[Outcome]:
    """Keeper.deny of many: another monzen need not wait for all of them. Killed in between, the next import does the rest."""
    return [o for at in range(0, len(orders), STEP) for o in keeper.deny(orders[at : at + STEP], dry=dry)]


def outside(outcomes: list[Outcome]) -> list[Outcome]:
    """Without those inside a wider one of the same list, in the order of the addresses, that lasts as long and is not refused."""
    kept: list[Outcome] = []
    around: list[tuple[int, int, float | None]] = []  # octets, last address and end
    for outcome in outcomes:
        order = outcome.order
        first, last = span(order.network, order.bits)
        while around and (around[-1][0] != len(order.network) or around[-1][1] < first):
            around.pop()
        if any(_lasts(end, order.until) for _octets, _last, end in around):
            continue
        kept.append(outcome)
        if not outcome.refused:
            around.append((len(order.network), last, order.until))
    return kept


def _lasts(end: float | None, other: float | None) -> bool:
    """Whether one end is no earlier than another; None is for good."""
    return end is None or (other is not None and end >= other)


def _since(at: float) -> str:
    return _("it was let in on {time}, after that; to deny it: monzen deny").format(time=stamp(at, local_zone(), seconds=False))


def _say(found: Found, told: dict[str, Any], released: list[Released]) -> None:
    """What was read, and what of it is not taken over."""
    kinds = {
        "fail2ban": _("a database of fail2ban"),
        "crowdsec": _("decisions of CrowdSec"),
        "plain": _("a plain list"),
    }
    networks = ngettext("{n} address or network", "{n} addresses and networks", len(found.bans))
    say(_("{kind}: {networks}").format(kind=kinds[found.kind], networks=networks))
    if found.bad:
        say("  " + ngettext("{n} row names no address:", "{n} rows name no address:", found.bad), "yellow")
        for row in found.first_bad:
            say(f"    {row}")
    if found.over:
        say(
            "  "
            + ngettext("{n} has ended there (--all takes it, too)", "{n} have ended there (--all takes them, too)", found.over)
        )
    if found.other:
        say("  " + ngettext("{n} is no ban of an address", "{n} are no bans of addresses", found.other))
    if told["already"]:
        n = told["already"]
        say("  " + ngettext("{n} is denied already, or inside another", "{n} are denied already, or inside others", n))
    for ban, at in released[:SHOWN]:
        said = _("not {target}: {why}").format(target=network(ban.network, ban.bits), why=_since(at))
        say("  " + said, "yellow")
    if len(released) > SHOWN:
        say("  " + ngettext("and {n} more", "and {n} more", len(released) - SHOWN))
