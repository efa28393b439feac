"""sshd: what it logs, and where it listens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from monzen.show.text import safe
from monzen.show.words import _
from monzen.survey.asking import Ask
from monzen.survey.finding import FAULT, GOOD, WARNING, Finding

CONFIG: Final = "/etc/ssh/sshd_config"
QUIET: Final = ("QUIET", "FATAL", "ERROR")  # levels at which it logs no failed login. Source: sshd_config(5), LogLevel


def settings(ask: Ask) -> dict[str, list[str]]:
    """What `sshd -T` says, of keys that may come more than once all values; empty without sshd, or without the right to ask."""
    found: dict[str, list[str]] = {}
    # -G, from 9.3 on, needs neither host keys nor /run/sshd
    for line in (ask("sshd", "-T") or ask("sshd", "-G") or "").splitlines():
        key, _blank, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value.strip())
    return found


def facility(ask: Ask) -> str:
    """The facility of syslog that it writes to, in rsyslog's words."""
    return settings(ask).get("syslogfacility", ["AUTH"])[0].lower()


def findings(ask: Ask) -> Iterator[Finding]:
    """What is to be said of sshd."""
    values = settings(ask)
    if not values:
        return
    level = values.get("loglevel", ["INFO"])[0].upper()
    ports = ", ".join(sorted({*values.get("port", [])}, key=lambda p: (len(p), p)))
    tries = values.get("maxauthtries", ["6"])[0]
    said = _("sshd: port {ports}, log level {level}, {tries} guesses a connection.")
    yield Finding("ssh", GOOD, said.format(ports=safe(ports, 80), level=safe(level, 20), tries=safe(tries, 8)))
    if level in QUIET:
        said = _("sshd does not log failed logins (LogLevel {level}): nobody is denied who guesses there.")
        yield Finding("ssh", FAULT, said.format(level=safe(level, 20)), _mend("LogLevel INFO"))
    if facility(ask) not in ("auth", "authpriv"):
        said = _("sshd logs under the facility {name}: in the journal its lines are not looked for there.")
        yield Finding("ssh", WARNING, said.format(name=safe(facility(ask), 20)), _mend("SyslogFacility AUTH"))


def _mend(line: str) -> str:
    return _("the line `{line}` in {path}; then: {command}").format(line=line, path=CONFIG, command="systemctl reload ssh")
