"""What programs of the system say of their own settings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Final

Ask = Callable[..., "str | None"]  # a program and its arguments; None where there is no such program, or it refused
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE: Final = 10.0  # seconds


def asker(root: str = "/") -> Ask:
    """Asks the programs of this machine; below another root nobody is asked: its programs are not for us to run."""
    return _ask if os.path.realpath(root) == "/" else Nobody()


class Nobody:
    """There are no programs."""

    def __call__(self, *_command: str) -> str | None:
        """None."""
        return None


def _ask(*command: str) -> str | None:
    program = shutil.which(command[0], path=PATH)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
            env={"PATH": PATH, "LC_ALL": "C", "LANGUAGE": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def pairs(answer: str | None, sign: str = "=") -> dict[str, str]:
    """`key = value` on each line."""
    rows = (line.partition(sign) for line in (answer or "").splitlines())
    return {key.strip(): value.strip() for key, found, value in rows if found}


def processes(root: str = "/") -> dict[str, list[bytes]]:
    """The command lines of what runs, by the name of the program (15 letters at most). Source: proc(5)."""
    found: dict[str, list[bytes]] = {}
    folder = os.path.join(root, "proc")
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for pid in filter(str.isdigit, names):
        try:
            with open(os.path.join(folder, pid, "comm"), encoding="utf-8", errors="replace") as file:
                name = file.read().rstrip("\n")
            with open(os.path.join(folder, pid, "cmdline"), "rb") as words:
                found.setdefault(name, []).append(words.read(65_536))
        except OSError:
            continue
    return found
