"""How the two halves of the guard are started, stopped and asked on this machine: by systemd, or by hand."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Final

GATE: Final = "monzen-gate"
RUN: Final = "monzen"
USER: Final = "monzen"
GROUPS: Final = ("adm", "systemd-journal")  # who may read the logs of Debian and Ubuntu, and the journal
# the package from where this one came from; -I: nothing else is taken from the folder somebody stands in, or from the environment
RUN_IT: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from monzen.cli import main; sys.exit(main())"
ROOT: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def by_systemd(root: str = "/") -> bool:
    """Whether systemd runs this machine. Source: sd_booted(3)."""
    return os.path.isdir(os.path.join(root, "run/systemd/system"))


def command(*given: str) -> list[str]:
    """What runs this very monzen once more, however it was installed."""
    return [sys.executable, "-I", "-c", RUN_IT, ROOT, *given]


def executable() -> str:
    """What starts this monzen."""
    given = os.path.abspath(sys.argv[0])
    if os.path.basename(given) == "monzen" and os.access(given, os.X_OK):
        return given
    return shutil.which("monzen") or f"{sys.executable} -m monzen"


def by_hand(program: str = "") -> list[str]:
    """How both are started where there is no systemd: what root types."""
    name = program or executable()
    return [f"{name} gate serve &", f"setpriv --reuid={USER} --regid={USER} --init-groups {name} run &"]


def start(*units: str) -> str:
    """What root types to start these."""
    if by_systemd():
        return " ".join(["systemctl", "start", *units])
    lines = dict(zip((GATE, RUN), by_hand(), strict=True))
    return " ".join(lines[unit] for unit in units)


def stop_gate() -> str:
    """What root types to stop the half with the rights."""
    return f"systemctl stop {GATE}" if by_systemd() else "pkill -f 'monzen gate serve'"


def log_of(unit: str) -> str:
    """The command that shows what a half wrote; empty where it went to whoever started it."""
    return f"journalctl -u {unit}" if by_systemd() else ""
