"""`monzen check`: what is wrong with configuration, logs, rights and firewall, and the one thing to do about each."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from monzen.config import Config, ConfigError, load
from monzen.gate.look import chains, drops_incoming, ufw_settings
from monzen.gate.target import GateError
from monzen.keeper import Keeper
from monzen.ledger import Ledger, LedgerError
from monzen.mode import read_mode
from monzen.parse.clock import Clock
from monzen.parse.header import split
from monzen.parse.reader import Reader
from monzen.scan import Options, years
from monzen.show.refused import refused
from monzen.show.text import as_json, safe, stamp
from monzen.show.words import _, ngettext
from monzen.sources import Source, plan
from monzen.sources.probe import probe
from monzen.upkeep import LEDGER, opened
from monzen.verbs.common import CONFIG, EXIT_NO, Adder, configuration, gate_options, local_zone, say
from monzen.verbs.gate import status

TAIL: Final = 256 << 10  # bytes of the end of a log that are read
OLD: Final = 2 * 86_400.0  # seconds without a line in a mail log: nobody leaves a mail server alone for so long
AHEAD: Final = 300.0  # seconds that a stamp may be ahead of the clock
GOOD, WARNING, FAULT = "good", "warning", "fault"


class Finding(NamedTuple):
    """What was looked at, how it is, and what to do."""

    about: str  # config, logs, rights, firewall, ledger, mail; never translated
    state: str  # good, warning, fault
    says: str
    fix: str = ""


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
    marks = {GOOD: ("✓", "green"), WARNING: ("!", "yellow"), FAULT: ("✗", "bold red")}
    for f in findings:
        mark, style = marks[f.state]
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
    yield from _logs()
    yield from _mail()
    if os.geteuid() != 0:
        yield Finding("rights", WARNING, _("Not root: the firewall and the ledger were not looked at."), "sudo monzen check")
        return
    yield from _ledger()
    yield from _firewall(config)


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


def _logs() -> Iterator[Finding]:
    """Whether there are logs, whether they are alive, and whether they are understood."""
    now = time.time()
    sets, errors = plan([], now=now)
    for error in errors:
        yield Finding("logs", FAULT, refused(error))
    understood = 0
    for sources in sets:
        last = sources[-1]
        if last.form in ("stdin", "journal") or not os.path.isfile(last.path):
            yield Finding("logs", GOOD, _("Logs come from the journal."))
            understood += 1
            continue
        newest, known, lines = _tail(last, now)
        understood += known
        name = safe(last.path, 80)
        if not lines:
            yield Finding("logs", WARNING, _("{path} is empty.").format(path=name), "systemctl status rsyslog")
        elif newest is None:
            yield Finding("logs", WARNING, _("{path}: no line of it has a time that can be read.").format(path=name))
        elif newest > now + AHEAD:
            said = _("{path}: its newest line is from {time}, which is still to come: clock or time zone differ.")
            fix = _("compare: date; timedatectl. For logs of another zone: --timezone")
            yield Finding("logs", FAULT, said.format(path=name, time=stamp(newest, local_zone())), fix)
        elif now - newest > OLD and "mail" in os.path.basename(last.path):
            said = _("{path}: its newest line is from {time}. Is it still written?")
            yield Finding(
                "logs", WARNING, said.format(path=name, time=stamp(newest, local_zone())), "systemctl status rsyslog postfix"
            )
        else:
            said = _("{path} is written and read; newest line {time}.")
            yield Finding("logs", GOOD, said.format(path=name, time=stamp(newest, local_zone())))
    if sets and not understood:
        said = _("No recent line says anything about a client: is this a mail server, and does it log?")
        yield Finding("logs", WARNING, said, "postconf maillog_file; doveconf log_path syslog_facility")


def _tail(source: Source, now: float) -> tuple[float | None, int, int]:
    """Of the end of a log: its newest time, lines that are understood, lines."""
    with open(source.path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        data = file.read(TAIL)
    if size > TAIL:
        data = data.partition(b"\n")[2]
    clock = Clock(source.mtime, local_zone(), years([source], Options(now, local_zone())))
    clock.newest = float("inf")
    reader = Reader(clock)
    events = reader.read(data if data.endswith(b"\n") or not data else data + b"\n")
    times = [e.time for e in events]
    return max(times, default=_any_time(source, clock)), reader.understood, reader.lines


def _any_time(source: Source, clock: Clock) -> float | None:
    """The time of the last line that has one, whoever wrote it."""
    found = None
    for line in probe(source):
        header = split(line)
        read = header.time if header.time is not None else clock.of(header.stamp) if header.stamp else None
        found = found if read is None else read
    return found


def _mail() -> Iterator[Finding]:
    """What the mail programs hide, or leave open."""
    if shutil.which("doveconf"):
        answer = _ask("doveconf", "-h", "auth_verbose")
        if answer == "no":
            said = _("Dovecot logs no reason of failed logins (auth_verbose = no): names without an account cannot be told.")
            yield Finding("mail", WARNING, said, "auth_verbose = yes")
        elif answer:
            yield Finding("mail", GOOD, _("Dovecot logs why logins fail (auth_verbose)."))
    if shutil.which("postconf"):
        answer = _ask("postconf", "-h", "smtpd_sasl_auth_enable")
        port25 = _ask("postconf", "-P", "smtp/inet/smtpd_sasl_auth_enable")
        if answer == "yes" and "no" not in port25.split():
            said = _("Postfix takes passwords on port 25 too, where only other servers need to come: most guesses go there.")
            yield Finding("mail", WARNING, said, "postconf -P smtp/inet/smtpd_sasl_auth_enable=no")


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


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
    if os.path.exists(conf) and _ask("systemctl", "is-enabled", "nftables") == "enabled":
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
