"""One thing that was looked at."""

from __future__ import annotations

from typing import Final, NamedTuple

GOOD, WARNING, FAULT = "good", "warning", "fault"
MARKS: Final = {GOOD: ("✓", "green"), WARNING: ("!", "yellow"), FAULT: ("✗", "bold red")}


class Finding(NamedTuple):
    """What was looked at, how it is, and what to do."""

    about: str  # config, logs, clock, mail, ssh, rights, firewall, guard, ledger, others, you; never translated
    state: str  # good, warning, fault
    says: str
    fix: str = ""
