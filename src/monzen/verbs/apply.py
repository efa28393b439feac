"""`monzen scan --apply`: impose what a scan found, after showing it and asking."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from monzen.judge import Judge
from monzen.keeper import Keeper, Outcome
from monzen.ledger import Order
from monzen.pardons import Pardons
from monzen.show.reasons import reason
from monzen.show.report import got_in, standing
from monzen.show.stored import retold
from monzen.show.text import network, safe, stamp
from monzen.show.words import _, ngettext
from monzen.verbs.common import (
    EXIT_USE,
    agreed,
    complain,
    configuration,
    guarded,
    line,
    local_zone,
    moment,
    named,
    page,
    say,
    table,
    until,
)

Deny = Callable[[list[Order]], list[Outcome]]  # Keeper.deny, or the same in steps


class Imposing:
    """What follows a scan: what it must know of earlier releases, and the step after it."""

    def __init__(self, keeper: Keeper, options: argparse.Namespace) -> None:
        self.keeper, self.options = keeper, options
        self.pardons = Pardons((r.network, r.bits, r.at) for r in keeper.ledger.releases())
        # the judge must know whom the gate will refuse: then it denies a network's offenders one by one
        options.shielded = [(w.network, w.bits) for w in keeper.wards().all if w.why not in ("reserved", "private")]

    def impose(self, judge: Judge) -> tuple[int, dict[str, Any]]:
        """Show, ask, impose. Returns the exit status and what a program is told."""
        return impose(judge, self.options, self.keeper)


def with_keeper(options: argparse.Namespace, scan: Callable[[argparse.Namespace, Imposing], int]) -> int:
    """`monzen scan --apply`: rights and configuration are looked at before a long log is read."""
    if options.json and not (options.yes or options.dry_run):
        complain(_("--json asks nobody: with --apply give --yes or --dry-run"))
        return EXIT_USE

    def run(options: argparse.Namespace) -> int:
        with Keeper(configuration(options)) as keeper:
            return scan(options, Imposing(keeper, options))

    return guarded(run)(options)


def orders(judge: Judge, now: float) -> tuple[list[Order], int]:
    """Whom the judge would have denied now, and how many of those that it denied have been quiet since the log ended."""
    lasting: list[Order] = []
    over = 0
    for s, _at in standing(judge):
        if s.until < judge.now or got_in(judge, s):
            continue
        if s.until <= now:
            over += 1
            continue
        whole = s.target.ljust(4 if len(s.target) <= 4 and s.bits <= 32 else 16, b"\0")
        why = reason(s, judge.policy)
        lasting.append(
            Order(whole, s.bits, 0, 0, s.until, s.length, s.rule, "scan", why, s.clients, s.attempts, tuple(s.evidence))
        )
    return lasting, over


def impose(judge: Judge, options: argparse.Namespace, keeper: Keeper) -> tuple[int, dict[str, Any]]:
    """Show, ask, impose. Returns the exit status and what a program is told."""
    wanted, over = orders(judge, time.time())
    quiet = options.json
    told: dict[str, Any] = {"denied": [], "refused": [], "over": over}
    if not quiet:
        say("")
    if over and not quiet:
        said = ngettext(
            "{n} target has been quiet since the log ended: its denial would be over. To deny it anyway: monzen deny",
            "{n} targets have been quiet since the log ended: their denials would be over. To deny them anyway: monzen deny",
            over,
        )
        say(said)
    if not wanted:
        if not quiet:
            say(_("There is nobody to turn away now."))
        return 0, told
    return carry_out(keeper.deny(wanted, dry=True), options, keeper.deny, told), told


def carry_out(
    outcomes: list[Outcome], options: argparse.Namespace, deny: Deny, told: dict[str, Any], most: int | None = None
) -> int:
    """Show what would become of orders, ask, impose; a program is told in `told`. Of more than `most` only so many are shown.

    Returns the exit status.
    """
    quiet = options.json
    good = [o.order for o in outcomes if not o.refused]
    refused = [{"target": network(o.order.network, o.order.bits), "why": o.refused} for o in outcomes if o.refused]
    told["refused"] = told.get("refused", []) + refused
    if not quiet:
        _show(outcomes, most)
    if options.dry_run or not good:
        told["would_deny"] = [network(o.network, o.bits) for o in good]
        return 0
    if not options.yes and not _asked(len(good)):
        return EXIT_USE if not sys.stdin.isatty() else 0
    done = [o for o in deny(good) if o.entry is not None]
    told["denied"] = [{"number": o.entry.number, "target": network(o.order.network, o.order.bits)} for o in done if o.entry]
    if not quiet and most is not None and len(done) > most:
        say(ngettext("denied {n} target. See: monzen list", "denied {n} targets. See: monzen list", len(done)))
    elif not quiet:
        for outcome in done:
            if outcome.entry is not None:
                said = _("denied {target} until {time}; number {n} (undo: monzen release {n})")
                if outcome.entry.until is None:
                    said = _("denied {target}, {time}; number {n} (undo: monzen release {n})")
                line(said.format(target=named(outcome.entry), time=until(outcome.entry, local_zone()), n=outcome.entry.number))
    return 0


def _show(outcomes: list[Outcome], most: int | None) -> None:
    """Whom it would deny, then whom not and why; at most so many of each."""
    good, refused = [o for o in outcomes if not o.refused], [o for o in outcomes if o.refused]
    say(_("To be turned away now, on every port:") if good else _("There is nobody to turn away now."), "bold")
    rows = table(_("target"), _("until"), _("why"))
    for outcome in good[:most]:
        order = outcome.order
        end = _("for good") if order.until is None else moment(order.until, local_zone())
        rows.add_row(network(order.network, order.bits), end, safe(retold(order.note), 120))
    if rows.rows:
        page().print(rows)
    for outcome in refused[:most]:
        say("  " + outcome.refused, "yellow")
    left = 0 if most is None else max(0, len(good) - most) + max(0, len(refused) - most)
    if left:
        say("  " + ngettext("and {n} more", "and {n} more", left))
        ends = [float("inf") if o.order.until is None else o.order.until for o in good]
        if ends and min(ends) == max(ends):
            say("  " + _("All of them {until}.").format(until=_ends(good[0].order.until)))
        elif ends:
            first, last = (_ends(end if end < float("inf") else None) for end in (min(ends), max(ends)))
            say("  " + _("The shortest {first}, the longest {last}.").format(first=first, last=last))


def _ends(until: float | None) -> str:
    """How long a denial would last."""
    if until is None:
        return _("for good")
    return _("until {time}").format(time=stamp(until, local_zone(), seconds=False))


def _asked(count: int) -> bool:
    """Whether the person at the terminal says yes."""
    if not sys.stdin.isatty():
        complain(_("nobody can be asked here, so nothing was denied. To do it unasked: --yes"))
        return False
    return agreed(ngettext("Turn {n} target away now? [y/N] ", "Turn these {n} targets away now? [y/N] ", count))
