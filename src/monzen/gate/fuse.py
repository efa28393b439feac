"""The dead-man's switch in the kernel: rules of iptables before all others, and the policies that no rule decides."""

from __future__ import annotations

import os
import time
from typing import Final

from monzen.gate.target import GateError
from monzen.gate.ufw import run
from monzen.show.words import _

FUSE: Final = ("INPUT", "FORWARD")  # enabling ufw sets the policy of both
LAST: Final = "2038-01-19T03:14:07"  # the last moment that xt_time knows


def policies() -> tuple[tuple[str, str, str], ...]:
    """What iptables does now with what no rule decides."""
    found = []
    for program in ("iptables", "ip6tables"):
        done = run([program, "-w", "-S"], b"")
        for line in done.stdout.decode("ascii", "replace").splitlines():
            words = line.split()
            if words[:1] == ["-P"] and len(words) == 3:
                found.append((program, words[1], words[2]))
    return tuple(found)


def fuse(deadline: float) -> None:
    """From that moment on everything is accepted, before any other rule is asked."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(deadline))
    for program in ("iptables", "ip6tables"):
        for chain in FUSE:
            done = run(
                [program, "-w", "-I", chain, "1", "-m", "time", "--datestart", moment, "--datestop", LAST, "-j", "ACCEPT"], b""
            )
            if done.returncode != 0 and (program == "iptables" or os.path.exists("/proc/net/if_inet6")):
                detail = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
                raise GateError(
                    _("the kernel took no dead-man's switch ({detail}), so nothing was changed").format(detail=detail)
                )


def unfuse() -> None:
    """Take our rules away again; of the user's none looks like them."""
    for program in ("iptables", "ip6tables"):
        for chain in FUSE:
            done = run([program, "-w", "-S", chain], b"")
            for line in done.stdout.decode("ascii", "replace").splitlines():
                if line.startswith(f"-A {chain} -m time --datestart ") and line.endswith(f"--datestop {LAST} -j ACCEPT"):
                    run([program, "-w", "-D", *line.split()[1:]], b"")
