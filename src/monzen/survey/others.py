"""What else on this machine denies, or stands between the clients and the mail server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from monzen.show.text import PORTS, safe
from monzen.show.words import _
from monzen.survey.finding import GOOD, WARNING, Finding

DENIERS: Final = {  # the name of its process, as far as the kernel keeps it: the name of its unit
    "fail2ban-server": "fail2ban",
    "crowdsec": "crowdsec",
    "crowdsec-firewa": "crowdsec-firewall-bouncer",
    "sshguard": "sshguard",
    "sshg-blocker": "sshguard",
    "denyhosts": "denyhosts",
    "lfd": "lfd",
    "reaction": "reaction",
}
DOORS: Final = frozenset((22, 25, 110, 143, 465, 587, 993, 995, 4190))
HOST_PORT = re.compile(rb"-host-port\0(\d{1,5})").search
CONTAINER = re.compile(rb"-container-ip\0([0-9A-Fa-f:.]+)").search


def findings(running: Mapping[str, Sequence[bytes]]) -> Iterator[Finding]:
    """What is to be said of other tools, and of Docker."""
    known: dict[str, None] = {}
    for name, commands in running.items():
        if name in DENIERS:
            known[DENIERS[name]] = None
        for command in commands:  # a script's process has the name of its interpreter
            script = command.split(b"\0")[1:2]
            word = script[0].rpartition(b"/")[2].decode("ascii", "replace") if script else ""
            if word in ("fail2ban-server", "denyhosts", "denyhosts.py"):
                known[DENIERS[word.removesuffix(".py")]] = None
    for unit in known:
        said = _("{name} runs, too: both deny, and neither knows of the other's reasons. No fault while monzen only watches.")
        fix = _("when you are content with monzen: systemctl disable --now {unit}")
        yield Finding("others", WARNING, said.format(name=unit), fix.format(unit=unit))
    if not known:
        yield Finding("others", GOOD, _("No other program that denies attackers runs."))
    doors: dict[int, None] = {}
    for command in running.get("docker-proxy", ()):
        port = HOST_PORT(command)
        if port and int(port[1]) in DOORS:
            doors[int(port[1])] = None
    if doors:
        ports = ", ".join(f"{p} {PORTS[p]}" if p in PORTS else str(p) for p in sorted(doors))
        said = _(
            "Docker publishes {ports}: over IPv6, or where its proxy hands on, every client looks like Docker's own gateway,"
            " which is never denied; and the logs in the container are not read unless they are written to a file here."
        )
        fix = _('in the container\'s settings network_mode: host, or PROXY protocol; its logs: [sources] files = ["..."]')
        yield Finding("others", WARNING, said.format(ports=safe(ports, 120)), fix)
