"""`monzen init`: find what there is, write a short configuration, and start, watch-only."""

from __future__ import annotations

import argparse
import os
import sys
import time

from monzen.gate.target import GateError
from monzen.gatehouse import opened
from monzen.mode import read_mode
from monzen.services import by_hand
from monzen.setup import CONFIG, SetupError, Step, difference, steps, text_of
from monzen.show.command import as_root
from monzen.show.text import as_json, network
from monzen.show.words import N_, _
from monzen.survey import FAULT, GOOD, Finding, Survey, survey
from monzen.survey.finding import MARKS
from monzen.verbs.common import EXIT_NO, EXIT_USE, Adder, agreed, complain, guarded, page, say, table

AREAS = {
    "logs": N_("logs"),
    "clock": N_("clock"),
    "mail": N_("mail"),
    "ssh": N_("SSH"),
    "firewall": N_("firewall"),
    "others": N_("beside it"),
    "you": N_("you"),
}


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "init",
        _("Find logs, mail programs and firewall, write a short configuration, and start: watch-only, nobody is denied."),
        "  monzen init --dry-run\n  sudo monzen init\n  sudo monzen init --yes --force",
    )
    p.add_argument("--dry-run", action="store_true", help=_("show all of it, and change nothing"))
    p.add_argument("--yes", action="store_true", help=_("do not ask"))
    p.add_argument("--force", action="store_true", help=_("write the configuration anew; the old one stays beside it"))
    p.add_argument("--json", action="store_true", help=_("for programs; never translated"))
    p.set_defaults(run=guarded(run_init))


def run_init(options: argparse.Namespace) -> int:
    """`monzen init`: 0 done (or shown), 1 not wanted, 2 where a step failed."""
    if os.geteuid() != 0 and not options.dry_run:
        raise GateError(
            _("this makes a user, folders and services. Run as root: {command}; to look first: monzen init --dry-run").format(
                command=as_root()
            )
        )
    found = survey()
    todo = list(steps(found, force=options.force))
    text = text_of(found)
    unlike = difference("/", text)
    if not options.json:
        _show(found, todo, text, unlike, force=options.force)
    if not options.dry_run and (status := _wanted(options, todo)) is not None:
        return status
    failed = "" if options.dry_run else _do(todo, quiet=options.json)
    if options.json:
        print(as_json(_values(found, todo, text, failed, dry=options.dry_run)))
    else:
        _next(todo, failed, dry=options.dry_run)
    if failed:
        sys.stdout.flush()
        complain(failed)
    return EXIT_USE if failed else 0


def _values(found: Survey, todo: list[Step], text: str, failed: str, *, dry: bool) -> dict[str, object]:
    return {
        "dry_run": dry,
        "findings": [f._asdict() for f in found.findings],
        "files": list(found.files),
        "journal": "auto" if found.journal is None else found.journal,
        "timezone": found.timezone or None,
        "admin": [network(a, 8 * len(a)) for a in found.admin],
        "configuration": text,
        "steps": [{"name": s.name, "says": s.says, "done": s.done} for s in todo],
        "failed": failed or None,
    }


def _show(found: Survey, todo: list[Step], text: str, unlike: list[str], *, force: bool) -> None:
    """What was found and what is to be done, for people."""
    rows = table("", _("what"), _("found"))
    for f in found.findings:
        rows.add_row(MARKS[f.state][0], _(AREAS.get(f.about, f.about)), f.says)
    page().print(rows)
    fixes = [f for f in found.findings if f.fix and f.state != GOOD]
    if fixes:
        say("")
        say(_("To mend (monzen works without it, but sees or does less):"), "bold")
        for f in sorted(fixes, key=lambda f: f.state != FAULT):
            say(f"  {MARKS[f.state][0]} {_short(f)}", MARKS[f.state][1])
            say("      " + _("do: {fix}").format(fix=f.fix))
    say("")
    if unlike and not force:
        said = _("/{path} is there and stays. What init would write differs in this (to take it: --force):")
        say(said.format(path=CONFIG), "bold")
        for line in unlike:
            say("    " + line)
    elif unlike or not os.path.lexists("/" + CONFIG):
        say(_("/{path}:").format(path=CONFIG), "bold")
        for line in text.splitlines():
            say(("    " + line).rstrip())
    if unlike or not os.path.lexists("/" + CONFIG):
        say("")
    say(_("To be done:"), "bold")
    for step in todo:
        say(("  ✓ " if step.done else "  · ") + step.says)


def _short(f: Finding) -> str:
    return _("{area}: {says}").format(area=_(AREAS.get(f.about, f.about)), says=f.says)


def _wanted(options: argparse.Namespace, todo: list[Step]) -> int | None:
    """The exit status where the person does not want it, or cannot be asked; None where it is wanted."""
    if options.yes or all(step.done for step in todo):
        return None
    if options.json or not sys.stdin.isatty():
        complain(_("nobody can be asked here, so nothing was changed. To do it unasked: --yes"))
        return EXIT_USE
    return None if agreed(_("Do this now? [y/N] ")) else EXIT_NO


def _do(todo: list[Step], *, quiet: bool) -> str:
    """Step after step; why the first that failed did, in words."""
    for step in todo:
        if step.done:
            continue
        try:
            step.do()
        except SetupError as error:
            return str(error)
        if not quiet:
            say(f"✓ {step.says}", "green")
    return ""


def _next(todo: list[Step], failed: str, *, dry: bool) -> None:
    """What happens now, and what to type."""
    say("")
    if dry:
        say(_("Nothing was changed. To do it: sudo monzen init"))
        return
    if failed:
        say(_("Not all was done; what failed is said below. When it is mended: sudo monzen init"), "bold")
        return
    if not any(step.name == "start" for step in todo):
        say(_("There is no systemd here. Start both by hand, as root:"))
        for line in by_hand():
            say("    " + line)
    mode = read_mode().at(time.time())
    if mode.open:
        say(opened(mode), "bold")
    elif mode.name == "watch":
        say(_("Now monzen reads back what the logs still hold, then watches. Nobody is denied: for as long as you want."), "bold")
    else:
        say(_("The gate is not watch-only: what is found is denied. See: monzen gate status"), "bold")
    say("    monzen status          " + _("is it working, what happened, what is wrong"))
    say("    monzen list --watched  " + _("whom it would have denied"))
    say("    monzen arm             " + _("when you are content: deny them"))
