"""`monzen gate enable`, `confirm`, `disable`: a firewall for somebody who has none, without being locked out."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from monzen.gate.target import PROTOCOLS
from monzen.show.text import PORTS, as_json, network, stamp
from monzen.show.words import N_, _
from monzen.switch import DAY, SHORTEST, WAIT, Plan, arm, confirm, named, plan, restore
from monzen.verbs.common import EXIT_NO, EXIT_USE, agreed, complain, guarded, local_zone, only_root, part, port, say, seconds

MEANS: Final = {
    "allow": (
        N_("allow: everybody may connect to every port, except those whom you or monzen turned away."),
        N_("Nothing stops working. What listens is open to the world, unless your provider's packet filter closes it."),
    ),
    "deny": (
        N_("deny: only the ports named here can be reached; to all else there is no answer at all."),
        N_("Safest. Whatever you install later needs its own `ufw allow PORT`."),
    ),
    "reject": (
        N_("reject: only the ports named here can be reached; to all else the answer is: refused."),
        N_("As deny, but programs that try a closed port see it at once, and so do those who look for open ones."),
    ),
}


def add(parts: argparse._SubParsersAction[Any]) -> None:
    """The three verbs below `gate`."""
    p = part(
        parts,
        "enable",
        _("turn on a firewall (ufw) for a machine that has none, to be confirmed"),
        "  sudo monzen gate enable --default allow --dry-run\n  sudo monzen gate enable --default allow\n"
        "  sudo monzen gate enable --default deny --open 8443 --wait 5m",
    )
    p.add_argument("--default", choices=tuple(MEANS), required=True, help=_("what happens to connections that no rule decides"))
    p.add_argument(
        "--open",
        action="append",
        type=port,
        default=[],
        metavar=_("PORT"),
        help=_("with deny or reject: a further port that stays open; may be repeated"),
    )
    p.add_argument(
        "--ssh-port",
        action="append",
        type=port,
        default=[],
        metavar=_("PORT"),
        help=_("where sshd listens, if it is not found; may be repeated"),
    )
    p.add_argument(
        "--wait",
        type=_wait,
        default=WAIT,
        metavar=_("TIME"),
        help=_("how long to wait for a confirmation: 30s to 1d (default: 3m)"),
    )
    p.add_argument("--yes", action="store_true", help=_("do not ask before (a confirmation is needed all the same)"))
    p.add_argument("--dry-run", action="store_true", help=_("say what would be done, and do nothing"))
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    p.set_defaults(run=guarded(run_enable))
    p = part(parts, "confirm", _("keep the firewall on: from a NEW connection"), "  sudo monzen gate confirm")
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    p.set_defaults(run=guarded(run_confirm))
    p = part(parts, "disable", _("undo enable: as it was before"), "  sudo monzen gate disable")
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    p.set_defaults(run=guarded(run_disable))


def _wait(text: str) -> float:
    length = seconds(text)
    if SHORTEST <= length <= DAY:
        return length
    said = _("{text!r} is too short or too long to log in anew and confirm. Use 30s up to 1d, such as 3m")
    raise argparse.ArgumentTypeError(said.format(text=text))


def run_enable(options: argparse.Namespace) -> int:
    """`monzen gate enable`: 0 armed (or shown), 1 not wanted, 2 not possible."""
    only_root()
    chosen = plan(options.default, [p.number for p in options.open], [p.number for p in options.ssh_port])
    if not options.json:
        _show(chosen)
    if options.dry_run:
        if options.json:
            print(as_json({"dry_run": True, **_values(chosen)}))
        else:
            say(_("Nothing was changed."))
        return 0
    if not options.yes:
        if not sys.stdin.isatty():
            complain(_("nobody can be asked here, so nothing was changed. To do it unasked: --yes"))
            return EXIT_USE
        if not agreed(_("Turn it on? [y/N] ")):
            return EXIT_NO
    state = arm(chosen, options.wait)
    until = stamp(state.deadline, local_zone())
    if options.json:
        print(as_json({"dry_run": False, **_values(chosen), "confirm_before": int(state.deadline)}))
        return 0
    say(_("The firewall is on, FOR NOW. Leave this session open, log in ANEW from another window, and type there:"), "bold")
    say("")
    say("    sudo monzen gate confirm")
    say("")
    say(
        _(
            "Without it everything is as it was before at {time}, whatever happens to this session, to monzen or to the machine."
        ).format(time=until)
    )
    return 0


def run_confirm(options: argparse.Namespace) -> int:
    """`monzen gate confirm`: 0, 2 where it does not count."""
    only_root()
    state = confirm()
    if options.json:
        print(as_json({"confirmed": True, "default": state.default}))
    else:
        say(
            _("Confirmed: the firewall stays on, also after a restart (default: {default}). Undo: monzen gate disable").format(
                default=state.default
            ),
            "green",
        )
    return 0


def run_disable(options: argparse.Namespace) -> int:
    """`monzen gate disable`: 0, 1 where monzen had turned nothing on."""
    only_root()
    done = restore()
    if options.json:
        print(as_json({"restored": done}))
    elif done:
        say(_("As it was before: the rules and the default that monzen had set are gone. Who is denied stays denied."))
    else:
        say(_("There is nothing to undo: monzen did not turn on this firewall. ufw's own switch: ufw disable"))
    return 0 if done else EXIT_NO


def _values(chosen: Plan) -> dict[str, Any]:
    return {
        "default": chosen.default,
        "ssh_ports": list(chosen.ssh),
        "admin": [network(a, 8 * len(a)) for a in chosen.admin],
        "open": list(chosen.open) if chosen.default != "allow" else None,
        "closed": [f"{p}/{PROTOCOLS[protocol]}" for p, protocol in chosen.closed],
        "was_active": chosen.was_active,
        "was_default": chosen.was_default,
    }


def _show(chosen: Plan) -> None:
    for text in MEANS[chosen.default]:
        say(_(text))
    say("")
    if chosen.was_active:
        say(_("ufw is active, default {default}. Its rules stay.").format(default=chosen.was_default))
    say(_("SSH stays open to everybody: {ports}").format(ports=named(chosen.ssh)))
    for address in chosen.admin:
        say(
            _("You come from {address}, which is let in to SSH before all else.").format(
                address=network(address, 8 * len(address))
            )
        )
    if chosen.default != "allow":
        if chosen.open:
            say(_("These stay open: {ports}").format(ports=named(chosen.open)))
        if chosen.closed:
            doors = ", ".join(
                f"{p}/{PROTOCOLS[protocol]}" + (f" {PORTS[p]}" if p in PORTS else "") for p, protocol in chosen.closed
            )
            say(_("THESE WILL BE CLOSED (to keep one: --open PORT): {ports}").format(ports=doors), "yellow")
    say("")
