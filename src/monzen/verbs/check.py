"""`monzen check`: what is wrong with configuration, logs, rights and firewall, and the one thing to do about each."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

from monzen.arguments import local_zone
from monzen.config import Config, ConfigError, load
from monzen.gate.look import chains, drops_incoming, ufw_settings
from monzen.gate.target import GateError
from monzen.gatehouse import opened
from monzen.keeper import Keeper
from monzen.ledger import LEDGER, Ledger, LedgerError
from monzen.mode import Mode, read_mode
from monzen.services import USER
from monzen.setup import HOME, not_theirs
from monzen.show.text import as_json
from monzen.show.words import _, ngettext
from monzen.survey import FAULT, GOOD, WARNING, Finding, asker, logs, mail, others, ssh
from monzen.survey.asking import processes
from monzen.survey.finding import MARKS
from monzen.survey.rights import unreadable
from monzen.verbs.common import CONFIG, EXIT_NO, Adder, configuration, gate_options, say
from monzen.verbs.firewall import status
from monzen.verbs.halves import asked, reader
from monzen.verbs.troubles import problems


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "check",
        _("Say what is wrong with the configuration, the logs, the rights and the firewall, and how to mend it."),
        "  monzen check\n  sudo monzen check\n  monzen check --json",
    )
    gate_options(p)
    p.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """`monzen check`: 0, 1 with faults."""
    findings = list(check(options))
    faults = [f for f in findings if f.state == FAULT]
    if options.json:
        print(as_json({"faults": len(faults), "findings": [f._asdict() for f in findings]}))
        return EXIT_NO if faults else 0
    for f in findings:
        mark, style = MARKS[f.state]
        say(f"{mark} {f.says}", style)
        if f.fix:
            say("    " + _("do: {fix}").format(fix=f.fix))
    warnings = sum(1 for f in findings if f.state == WARNING)
    say("")
    if not faults and not warnings:
        say(_("Nothing is wrong."), "green")
    else:
        counted = {
            "faults": ngettext("{n} fault", "{n} faults", len(faults)),
            "warnings": ngettext("{n} thing to look at", "{n} things to look at", warnings),
        }
        say(_("{faults}, {warnings}.").format(**counted), "bold")
    return EXIT_NO if faults else 0


def check(options: argparse.Namespace) -> Iterator[Finding]:
    """Everything that can be looked at with the rights that there are."""
    config = Config()
    try:
        config = configuration(options)
        path = options.config or CONFIG
        if os.path.lexists(path):
            yield Finding("config", GOOD, _("The configuration {path} is good.").format(path=path))
        else:
            yield Finding("config", GOOD, _("There is no configuration ({path}): every default is used.").format(path=path))
    except ConfigError as error:
        yield Finding("config", FAULT, str(error))
        try:
            config = load(options.config or CONFIG)
        except ConfigError:
            config = Config()
    yield from _names(config)
    yield from _tell(config)
    yield from _logs(config)
    yield from _programs()
    if os.geteuid() != 0:
        yield Finding("rights", WARNING, _("Not root: the firewall and the ledger were not looked at."), "sudo monzen check")
        return
    yield from _ledger()
    yield from _firewall(config)
    yield from _guard(config)


def _guard(config: Config) -> Iterator[Finding]:
    """Whether the two halves of the guard work, where it is set up, and whether the one without rights may read the logs."""
    home = HOME.lstrip("/")
    if not os.path.isdir(os.path.join("/", home)):
        return
    wrong = problems(Mode("armed", sound=read_mode().sound), reader(), asked(), time.time())
    for sentence in wrong:
        yield Finding("guard", FAULT, sentence)
    refused = unreadable(USER, [path for path in config.sources.files if os.path.exists(path)])
    for path, why in refused.items():
        said = _("{path}: the user {user}, who reads for the guard, may not read it: {why}")
        fix = f"chgrp adm {path}; chmod g+r {path}; usermod -aG adm {USER}; systemctl restart monzen"
        yield Finding("guard", FAULT, said.format(path=path, user=USER, why=_(why)), fix)
    lost = not_theirs()
    if lost:
        said = _("{names}: the user {user} could not write there, so the guard does not start.")
        yield Finding("guard", FAULT, said.format(names=", ".join("/" + name for name in lost), user=USER), "monzen init")
    if not wrong and not refused and not lost:
        yield Finding("guard", GOOD, _("The guard reads and its gate works."))


def _names(config: Config) -> Iterator[Finding]:
    """Whether the host names that are allowed mean something."""
    if config.names:
        from monzen.resolver import resolve_apart

        found = resolve_apart(config.names)
        for name in config.names:
            if name not in found:
                said = _("The allowed name {name} has no address now; its last good one is used.")
                yield Finding("config", WARNING, said.format(name=name), _("look at the name, or allow the address itself"))
    wide = [p for p in config.allow if p[1] < 8]
    if wide:
        said = _("The configuration allows networks so wide that hardly anybody is denied.")
        yield Finding("config", FAULT, said, _("name narrower ones in [shield] allow"))


def _tell(config: Config) -> Iterator[Finding]:
    """Whether anybody is told of alarms."""
    from monzen.tell.memory import WAYS, refusals
    from monzen.tell.rounds import obstacles

    if not config.tell.ways:
        yield Finding("tell", GOOD, _("Nobody is told of alarms: set mail, hook or post in [tell] (docs/telling.md)."))
        return
    wrong = obstacles(config) + refusals("/", local_zone())
    for sentence in wrong:
        yield Finding("tell", FAULT, sentence)
    if not wrong:
        ways = _(", ").join(_(WAYS[way]) for way in config.tell.ways)
        yield Finding("tell", GOOD, _("Alarms are told by: {ways}.").format(ways=ways), _("to see it: sudo monzen tell --test"))


def _logs(config: Config) -> Iterator[Finding]:
    """Whether there are logs, whether they are alive, and whether they are understood."""
    running = processes()
    found, _zone = logs.check(config.sources.files, running=running)
    yield from found
    if found and config.sources.journal is not True:
        return
    if not logs.has_journal() or shutil.which("journalctl") is None:
        if not found:
            yield logs.nothing()
        return
    yield Finding("logs", GOOD, _("Logs come from the journal."))
    yield from logs.journal_alive(asker(), time.time(), running)


def _programs() -> Iterator[Finding]:
    """What the mail programs and sshd hide or leave open, and what else denies."""
    ask = asker()
    yield from mail.postfix_findings(ask)
    yield from mail.dovecot_findings(ask)
    if os.geteuid() == 0:
        yield from ssh.findings(ask)
    yield from others.findings(processes())


def _ledger() -> Iterator[Finding]:
    """Whether the ledger can be read."""
    path = "/" + LEDGER
    if not os.path.lexists(path):
        yield Finding("ledger", GOOD, _("There is no ledger yet: nothing was denied."))
        return
    try:
        with Ledger.open(path, readonly=True) as ledger:
            sound = ledger.sound()
            count = len(ledger.active(time.time())) if sound else 0
    except LedgerError as error:
        yield Finding("ledger", FAULT, str(error))
        return
    if not sound:
        yield Finding("ledger", FAULT, _("The ledger {path} is damaged.").format(path=path), "monzen gate apply --rescue")
        return
    free = shutil.disk_usage(os.path.dirname(path)).free
    if free < 50 << 20:
        said = _("The disk of {path} is nearly full.")
        yield Finding("ledger", FAULT, said.format(path=path), "df -h /var; journalctl --vacuum-size=200M")
    yield Finding(
        "ledger",
        GOOD,
        ngettext("The ledger is sound: {n} target is denied.", "The ledger is sound: {n} targets are denied.", count),
    )


def _firewall(config: Config) -> Iterator[Finding]:
    """Whether the firewall does what it should."""
    try:
        with Keeper(config) as keeper:
            facts: dict[str, Any] = status(keeper)
    except (GateError, LedgerError) as error:
        if not getattr(error, "damaged", False):  # of which `_ledger` has told
            yield Finding("firewall", FAULT, str(error))
        return
    if facts["firewall"] == "dry":
        fix = _("install nftables or ufw, or load the module nf_tables")
        yield Finding("firewall", FAULT, _("There is no firewall that monzen can use: nothing is denied."), fix)
        return
    if not facts["as_it_should_be"]:
        said = _("The firewall does not hold what is denied.")
        if facts["mode"] in ("paused", "panic"):
            said = _("The gate is open, and something of monzen's stands in the firewall all the same.")
        yield Finding("firewall", FAULT, said, "monzen gate apply")
    elif facts["mode"] in ("paused", "panic"):
        yield Finding("firewall", WARNING, opened(read_mode().at(time.time())), "monzen arm")
    else:
        said = _("The firewall ({name}) holds everything that is denied.")
        yield Finding("firewall", GOOD, said.format(name=facts["firewall"]))
    if not facts["knocks_visible"]:
        said = _("Who knocks after being denied cannot be seen: ufw logs no hit of a deny rule at level low.")
        yield Finding("firewall", WARNING, said, "ufw logging medium")
    settings = ufw_settings()
    base = chains()
    if settings is not None and settings.enabled and not facts["ufw"]["active"]:
        yield Finding("firewall", FAULT, _("ufw is enabled, but its rules are not in the kernel."), "ufw reload")
    if not drops_incoming(base) and facts["open_ports"]:
        doors = ", ".join(f"{p['port']}/{p['protocol']}" for p in facts["open_ports"][:12])
        said = _("Everybody may connect to {ports} (unless your provider's packet filter closes them).")
        yield Finding("firewall", GOOD, said.format(ports=doors), "")
    conf = "/etc/nftables.conf"
    if os.path.exists(conf) and (asker()("systemctl", "is-enabled", "nftables") or "").strip() == "enabled":
        try:
            with open(conf, encoding="utf-8", errors="replace") as file:
                flushes = "flush ruleset" in file.read()
        except OSError:
            flushes = False
        if flushes:
            said = _(
                "{path} says `flush ruleset`: each start of nftables.service takes monzen's table away, until the next apply."
            )
            yield Finding("firewall", WARNING, said.format(path=conf), _("after it: monzen gate apply"))
