"""Which firewall there is."""

from __future__ import annotations

from collections.abc import Iterator

from monzen.gate.look import ufw_settings
from monzen.gate.nftables import Nftables
from monzen.gate.target import GateError
from monzen.gate.ufw import Ufw
from monzen.show.text import safe
from monzen.show.words import _
from monzen.survey.finding import FAULT, GOOD, WARNING, Finding

LOUD = ("medium", "high", "full")  # levels of ufw at which what a deny rule drops is logged (FACTS D)


def findings(root: str = "/", *, privileged: bool = True) -> Iterator[Finding]:
    """nf_tables and ufw: what of them can be used, and what can be seen of who is denied."""
    nftables: bool | None = None
    if privileged:
        try:
            nft = Nftables()
            try:
                nft.state()
            finally:
                nft.close()
            nftables = True
            yield Finding(
                "firewall", GOOD, _("The kernel has nf_tables: a table of monzen's own is used, which counts what it drops.")
            )
        except GateError:
            nftables = False
    settings = ufw_settings(root)
    active: bool | None = settings is not None and settings.enabled
    if privileged and settings is not None:
        try:
            active = Ufw(root).active()
        except GateError:
            active = None
    if settings is None:
        yield Finding("firewall", GOOD, _("ufw is not installed."))
    elif not active:
        yield Finding("firewall", GOOD, _("ufw is installed and not active."))
    else:
        said = _("ufw is active: incoming {incoming} by default, logging {logging}; what lasts an hour is shown there, too.")
        yield Finding("firewall", GOOD, said.format(incoming=safe(settings.incoming, 20), logging=safe(settings.logging, 20)))
    if nftables is False:
        if not active:
            fix = _("load the module nf_tables, or: apt install ufw; monzen gate enable --default allow")
            yield Finding("firewall", FAULT, _("There is no firewall that monzen can use: nothing is denied."), fix)
        elif settings is not None and settings.logging not in LOUD:
            said = _("Who knocks after being denied cannot be seen: ufw logs no hit of a deny rule at level low.")
            yield Finding("firewall", WARNING, said, "ufw logging medium")
