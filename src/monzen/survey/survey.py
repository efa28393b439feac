"""All of it together: for `monzen init`, and for `monzen check`."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from monzen import machine
from monzen.show.text import network
from monzen.show.words import _
from monzen.survey import logs, mail, others, ssh, wall
from monzen.survey.asking import Ask, asker, processes
from monzen.survey.finding import GOOD, WARNING, Finding


class Survey(NamedTuple):
    """What the configuration should say, and what there is to say."""

    files: tuple[str, ...]
    journal: bool | None
    timezone: str
    admin: tuple[bytes, ...]
    findings: tuple[Finding, ...]
    journald: bool = False  # whether there is a journal: then no file need be named


def survey(root: str = "/", ask: Ask | None = None, now: float | None = None) -> Survey:
    """Look at everything. Errors: none; what cannot be read is not there."""
    ask = ask or asker(root)
    now = time.time() if now is None else now
    running = processes(root)
    servers = (mail.postfix(ask), mail.dovecot(ask))
    where = logs.find(root, servers, ssh.facility(ask), running)
    said: list[Finding] = []
    alive, zone = logs.check(where.files, root, now, running)
    for path in where.files:
        if not os.path.exists(os.path.join(root, path.lstrip("/"))):
            text = _("{path} is not there yet: it is followed as soon as it is.")
            said.append(Finding("logs", GOOD, text.format(path=path)))
    said += [*alive, *where.findings]
    if where.journal is not False and not any(f.endswith(("mail.log", "maillog")) for f in where.files):
        said += logs.journal_alive(ask, now, running)
    said += mail.postfix_findings(ask)
    said += mail.dovecot_findings(ask)
    if not any(s.installed for s in servers):
        text = _("Neither Postfix nor Dovecot was found: nothing but sshd and the firewall is read.")
        said.append(Finding("mail", WARNING, text))
    said += ssh.findings(ask)
    said += wall.findings(root, privileged=os.geteuid() == 0 and root == "/")
    said += others.findings(running)
    admin = tuple(a for a in dict.fromkeys(machine.admin(root)) if any(a))
    for address in admin:
        text = _("You are logged in from {address}.")
        said.append(Finding("you", GOOD, text.format(address=network(address, 8 * len(address)))))
    return Survey(where.files, where.journal, zone, admin, tuple(said), logs.has_journal(root))
