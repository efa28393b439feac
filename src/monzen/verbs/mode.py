"""`monzen arm`, `monzen pause`, `monzen panic`: whether the gate denies at all."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from monzen import machine
from monzen.config import ConfigError
from monzen.gate.target import GateError
from monzen.gatehouse import opened, who
from monzen.keeper import Keeper
from monzen.ledger import Entry, LedgerError
from monzen.mode import Mode, read_mode, write_mode
from monzen.notation import LENGTH, UNITS
from monzen.panic import open_all, open_kernel
from monzen.services import GATE, RUN, start, stop_gate
from monzen.show.stored import ARMED, CHANGES, PANIC, PAUSED, WATCH
from monzen.show.text import as_json, iso, network, safe, stamp
from monzen.show.words import N_, _, ngettext
from monzen.sockets import ssh_peers, ssh_ports
from monzen.switch import armed
from monzen.upkeep import Applied, Upkeep
from monzen.verbs.common import (
    EXIT_NO,
    EXIT_USE,
    Adder,
    agreed,
    because,
    complain,
    configuration,
    configuration_or_none,
    ends,
    gate_options,
    guarded,
    local_zone,
    named,
    only_root,
    page,
    say,
    table,
    values,
)
from monzen.verbs.status import set_up
from monzen.watched import would_be_denied

PAUSE: Final = 3600.0  # seconds: long enough to look into something, short enough to be forgotten
LONGEST: Final = 7 * 86_400.0  # who wants it longer wants watch-only: monzen arm --off
PATIENCE: Final = 2.0  # seconds that a panic waits for the lock
SHOWN: Final = 20
SOCKET: Final = "run/monzen/gate.sock"
GOOD, WARNING = "good", "warning"
NAMES: Final = {
    "watch": N_("watch-only: nobody is denied but by hand"),
    "armed": N_("armed"),
    "paused": N_("paused"),
    "panic": N_("open in a panic"),
}


def add(verb: Adder) -> None:
    """The three verbs."""
    p = verb(
        "arm",
        _("Deny from now on what the guard finds; also ends a pause or a panic. First shows what that means, and asks."),
        "  monzen arm --dry-run\n  monzen arm\n  monzen arm --off",
    )
    p.add_argument(
        "--off", action="store_true", help=_("back to watch-only: what the guard finds is shown, and nobody is denied")
    )
    p.add_argument("--yes", action="store_true", help=_("do not ask"))
    gate_options(p, dry=True)
    p.set_defaults(run=guarded(run_arm))

    p = verb(
        "pause",
        _("Open the gate for a while: nobody is denied, nothing is forgotten, and it closes by itself."),
        "  monzen pause\n  monzen pause --for 10m\n  monzen arm",
    )
    p.add_argument(
        "--for", dest="length", type=_length, default=PAUSE, metavar=_("TIME"), help=_("for how long: 10m, 1h, 2d (default: 1h)")
    )
    gate_options(p)
    p.set_defaults(run=guarded(run_pause))

    p = verb(
        "panic",
        _("Open the gate now, all of it, whatever else is broken. It stays open until: monzen arm"),
        "  sudo monzen panic",
    )
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    p.set_defaults(run=guarded(run_panic))


def _length(text: str) -> float:
    found = LENGTH(text.strip())
    length = float(found[1]) * UNITS[found[2]] if found else 0.0
    if 1 <= length <= LONGEST:
        return length
    said = _(
        "{text!r} is no length of a pause. Use one up to 7d, such as 10m or 1h; for longer: monzen arm --off, or monzen panic"
    )
    raise argparse.ArgumentTypeError(said.format(text=text))


def run_arm(options: argparse.Namespace) -> int:
    """`monzen arm`: 0 done (or shown), 1 not wanted, 2 not possible."""
    only_root()
    wanted = "watch" if options.off else "armed"
    config = configuration_or_none(options) if options.off else configuration(options)
    with Keeper(config) as keeper:
        now = time.time()
        mode = keeper.mode()
        if config.broken and mode.open:
            said_so = _("the gate is open, and cannot be closed without the configuration. Mend it, then: monzen arm --off")
            raise ConfigError(said_so)
        firewall = keeper.firewall()
        lasting = keeper.ledger.active(now)
        pending = would_be_denied(keeper.ledger, now)
        said = list(checks(keeper, [*lasting, *([] if options.off else pending)], firewall))
        answer: dict[str, Any] = {
            "mode": wanted, "before": mode.name, "dry_run": options.dry_run, "firewall": firewall,
            "checks": [{"state": state, "says": says, "do": fix} for state, says, fix in said],
            "closes": len(lasting) if mode.open else 0,
            "would_deny": [] if options.off else [values(e) for e in pending],
        }  # fmt: skip
        if not options.json:
            _show(mode, wanted, lasting, pending, said)
        if options.dry_run:
            if options.json:
                print(as_json(answer))
            return 0
        if not options.yes and (mode.open or not options.off) and mode.name != wanted:
            refused = _refused(_("Close it again? [y/N] ") if options.off else _("Arm the gate? [y/N] "), asked=not options.json)
            if refused is not None:
                return refused
        with keeper.lock():
            _write(Mode(wanted, None, now, who(), wanted), keeper.root)
        done = keeper.apply() if not config.broken else Applied(firewall, False, 0, 0, [], 0, 0, 0)
        with contextlib.suppress(LedgerError):
            told = ARMED if wanted == "armed" else WATCH
            keeper.ledger.alarm(CHANGES, told.format(who=who()), now)
    if options.json:
        print(as_json({**answer, "restored": done.missing}))
        return 0
    if done.closed or (mode.open and done.restored):
        say(ngettext("Closed again: {n} target is denied.", "Closed again: {n} targets are denied.", len(lasting)))
    if wanted == "watch":
        say(_("Watch-only: from now on the guard denies nobody; what it would have done: monzen list --watched"), "green")
        ending = sum(1 for e in lasting if e.until is not None)
        if ending:
            say(
                ngettext(
                    "{n} target is denied still, until its time is over. To let it in: monzen release",
                    "{n} targets are denied still, until their time is over. To let them in: monzen release",
                    ending,
                )
            )
        if len(lasting) > ending:
            say(
                ngettext(
                    "{n} target is denied for good. To let it in: monzen release",
                    "{n} targets are denied for good. To let them in: monzen release",
                    len(lasting) - ending,
                )
            )
        return 0
    say(
        _("The gate is armed: what the guard finds is denied. Undo: monzen arm --off. In an emergency: sudo monzen panic"),
        "green",
    )
    if not set_up(keeper.root, by_init=True):
        say(_("monzen is not set up on this machine, so nothing is found. To set it up: sudo monzen init"), "yellow")
    elif not _guard_runs(keeper.root):
        said_so = _("The guard does not run, so nothing is found. Start it: {command}")
        say(said_so.format(command=start(GATE, RUN)), "yellow")
    return 0


def _show(mode: Mode, wanted: str, lasting: list[Entry], pending: list[Entry], said: list[tuple[str, str, str]]) -> None:
    """What it would mean, for people."""
    say(_("Now: {mode}.").format(mode=_(NAMES[mode.name])), "bold")
    for state, says, fix in said:
        say(("✓ " if state == GOOD else "! ") + says, "green" if state == GOOD else "yellow")
        if fix:
            say("    " + _("do: {fix}").format(fix=fix))
    if mode.open:
        say(
            ngettext(
                "The gate is open. Closed again, it denies {n} target that still lasts.",
                "The gate is open. Closed again, it denies {n} targets that still last.",
                len(lasting),
            )
        )
    if wanted == "watch" or mode.name == "armed":
        return
    if not pending:
        if mode.name == "watch":
            say(_("Watch-only mode has nobody on its list now: nothing is denied at once."))
        return
    say(
        ngettext(
            "This {n} target would be denied within a minute:",
            "These {n} targets would be denied within a minute:",
            len(pending),
        ),
        "bold",
    )
    rows = table(_("target"), _("until"), _("why"))
    for entry in pending[:SHOWN]:
        rows.add_row(named(entry), ends(entry, local_zone()), because(entry))
    page().print(rows)
    if len(pending) > SHOWN:
        left = len(pending) - SHOWN
        say("  " + ngettext("and {n} more: monzen list --watched", "and {n} more: monzen list --watched", left))


def checks(keeper: Keeper, denied: list[Entry], firewall: str) -> Iterator[tuple[str, str, str]]:
    """Whether the person at this terminal stays in, and whether anything is denied at all: state, words, what to do."""
    if firewall == "dry":
        yield WARNING, _("There is no firewall that monzen can use: nothing would be denied, only written down."), "monzen check"
    here = [a for a in dict.fromkeys(machine.admin(keeper.root)) if any(a)]
    peers = [a for a in ssh_peers(keeper.root) if a not in here]
    allowed = [*keeper.config.allow, *(p for a in keeper.ledger.allowed() for p in a.prefixes)]
    for address in here:
        name = network(address, 8 * len(address))
        if any(_holds(p, address) for p in allowed):
            yield GOOD, _("You come from {address}, which is allowed: it is never denied.").format(address=name), ""
            continue
        hit = [e for e in denied if _holds((e.network, e.bits), address)]
        if hit:
            said = _(
                "Your own address {address} is in {target}: you stay in as long as you are logged in, and not one moment longer."
            )
            yield WARNING, said.format(address=name, target=named(hit[0])), f"monzen allow {name}"
        else:
            said = _("You come from {address}: it is not denied as long as you are logged in. So that it never is:")
            yield GOOD, said.format(address=name), f"monzen allow {name}"
    if peers:
        said = ngettext(
            "{n} other address is logged in over SSH, and is not denied as long as it is.",
            "{n} other addresses are logged in over SSH, and are not denied as long as they are.",
            len(peers),
        )
        yield GOOD, said, ""
    if not ssh_ports(keeper.root):
        said = _("No sshd was found listening: who is logged in over SSH cannot be told, and is not spared for it.")
        yield WARNING, said, _("allow your own address: monzen allow ADDRESS")


def _holds(prefix: tuple[bytes, int], address: bytes) -> bool:
    """Whether an address is in a network, of which trailing zero bytes may be left out."""
    packed, bits = prefix
    packed = packed.ljust(4 if len(packed) <= 4 and bits <= 32 else 16, b"\0")
    hosts = 8 * len(packed) - bits
    return len(packed) == len(address) and int.from_bytes(packed, "big") >> hosts == int.from_bytes(address, "big") >> hosts


def run_pause(options: argparse.Namespace) -> int:
    """`monzen pause`: 0; 1 where the gate is open already until somebody arms it."""
    only_root()
    now = time.time()
    before = read_mode().at(now)
    if before.name == "panic":
        if options.json:
            print(as_json({"mode": "panic", "until": None, "open": True}))
        else:
            say(opened(before), "bold")
        return EXIT_NO
    mode = Mode("paused", now + options.length, now, who(), before.before if before.open else before.name)
    _write(mode, "/")
    try:
        with Keeper(configuration(options)) as keeper:
            done = keeper.apply()  # which counts what knocked until now
            keeper.warnings = [w for w in keeper.warnings if w != opened(mode)]
            with contextlib.suppress(LedgerError):
                ends = stamp(mode.until or 0.0, local_zone())
                keeper.ledger.alarm(CHANGES, PAUSED.format(until=ends, who=mode.actor), now)
        good, failed = done.open, []
    except Exception as error:  # noqa: BLE001  # whatever is broken: opening is never wrong, and what was broken is said
        opening = open_all(mode)
        good, failed = opening.open, [str(error), *opening.failed]
    if options.json:
        print(as_json({"mode": "paused", "until": iso(mode.until or 0.0), "open": good, "failed": failed}))
    elif good:
        say(opened(mode), "bold")
        if _guard_runs("/"):
            say(_("It closes by itself then, and what still lasts is denied again."))
        else:
            said = _(
                "The guard does not run: then the next command closes it, such as monzen gate apply; nothing does it by itself."
            )
            say(said, "yellow")
    _failed(failed)
    return 0 if good else EXIT_USE


def run_panic(options: argparse.Namespace) -> int:
    """`monzen panic`: 0; 2 where something of ours is still in the firewall, or may come back."""
    only_root()
    now = time.time()
    before = read_mode().at(now)
    mode = Mode("panic", None, now, who(), before.before if before.open else before.name)
    with contextlib.ExitStack() as stack:
        open_kernel()  # before anything that may wait
        with contextlib.suppress(GateError):
            stack.enter_context(_lock())
        opening = open_all(mode)
    todo = "" if opening.kept else stop_gate()
    if options.json:
        print(as_json({"mode": "panic", "open": opening.open, "kept": opening.kept, "failed": list(opening.failed), "do": todo}))
    else:
        if opening.open:
            say(_("THE GATE IS OPEN: monzen denies nobody. It stays open until: monzen arm"), "bold")
        if not opening.kept:
            said = _("BUT IT MAY BE CLOSED AGAIN within a minute, for the guard was not told. Stop it: {command}")
            say(said.format(command=todo), "bold red")
        with contextlib.suppress(GateError):
            if armed() is not None:
                say(_("What `monzen gate enable` turned on is ufw's own and stays. To undo it: monzen gate disable"))
    _failed(list(opening.failed))
    sys.stdout.flush()
    with contextlib.suppress(Exception):  # the diary is no reason to fail: the gate is open
        _diary(mode, now)
    return 0 if opening.open and opening.kept else EXIT_USE


def _lock() -> contextlib.AbstractContextManager[None]:
    from monzen.config import Config

    return Upkeep(Config()).lock(PATIENCE)


def _diary(mode: Mode, now: float) -> None:
    from monzen.ledger import LEDGER, Ledger

    if os.path.exists("/" + LEDGER):
        with Ledger.open("/" + LEDGER) as ledger:
            ledger.alarm(CHANGES, PANIC.format(who=mode.actor), now)


def _failed(words: list[str]) -> None:
    """What could not be done, on stderr."""
    sys.stdout.flush()
    for text in words:
        complain(safe(text))


def _write(mode: Mode, root: str) -> None:
    try:
        write_mode(mode, root)
    except OSError as error:
        said = _("cannot write the mode: {detail}. Nothing was changed. To open the gate all the same: sudo monzen panic")
        raise GateError(said.format(detail=_(error.strerror or str(error)))) from None


def _refused(question: str, *, asked: bool) -> int | None:
    """The exit status where the person does not want it, or nobody can be asked; None where it is wanted."""
    if not asked or not sys.stdin.isatty():
        complain(_("nobody can be asked here, so nothing was changed. To do it unasked: --yes"))
        return EXIT_USE
    return None if agreed(question) else EXIT_NO


def _guard_runs(root: str) -> bool:
    """Whether `monzen gate serve` listens. Source: Linux, net/unix/af_unix.c unix_seq_show: flags 00010000 mean listening."""
    try:
        with open(os.path.join(root, "proc/net/unix"), encoding="utf-8", errors="replace") as file:
            return any(words[-1] == "/" + SOCKET and words[3] == "00010000" for line in file if len(words := line.split()) == 8)
    except OSError:
        return False
