"""What a command costs: CPU time and peak memory of its process, as the kernel counts them; and on which machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# A process inherits the peak of the one that started it (Linux adds the memory before exec to ru_maxrss). So commands are
# started by a Python that imports nothing and stays below what it measures; its own size is the floor of what can be seen.
STARTER = """
import os, sys
out = int(sys.argv[1])
os.set_inheritable(out, False)
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
os.write(out, b"%d %f %d" % (os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss))
"""


class CommandError(Exception):
    """A command that was to be measured failed; the words are its own."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    cpu: float  # seconds, user and system
    peak: float  # MiB of resident memory


def run(command: Sequence[str], stdin: Path | None = None, extra: dict[str, str] | None = None) -> Cost:
    """Run a command; what it prints goes to a file that vanishes (with /dev/null, grep would stop at its first hit).

    Errors: CommandError where it cannot be started or ends with another status than 0.
    """
    read, write = os.pipe()
    with open(stdin or os.devnull, "rb") as source, tempfile.TemporaryFile() as words, tempfile.TemporaryFile() as out:
        starter = [sys.executable, "-I", "-S", "-c", STARTER, str(write), *command]
        child = subprocess.Popen(
            starter,
            stdin=source,
            stdout=out,
            stderr=words,
            pass_fds=[write],
            env=os.environ | {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": ""} | (extra or {}),  # as installed: compiled once
        )
        os.close(write)
        with os.fdopen(read) as answer:
            result = answer.read().split()
        child.wait()
        words.seek(0)
        said = words.read().decode(errors="replace").strip().splitlines()
    if len(result) != 3 or result[0] != "0":
        raise CommandError(said[-1] if said else f"{command[0]} ended with status {result[0] if result else child.returncode}")
    return Cost(max(float(result[1]), 0.001), int(result[2]) / 1024)


def best(command: Sequence[str], runs: int, stdin: Path | None = None, extra: dict[str, str] | None = None) -> Cost:
    """The least CPU time and the greatest memory of several runs."""
    costs = [run(command, stdin, extra) for _ in range(runs)]
    return Cost(min(cost.cpu for cost in costs), max(cost.peak for cost in costs))


@cache
def floor() -> float:
    """The memory below which nothing can be told apart, MiB."""
    return run(["true"]).peak


def memory(peak: float) -> str:
    """A peak as it stands in a table."""
    return f"< {floor() + 1:.0f}" if peak <= floor() + 1 else f"{peak:.0f}"


def speed(lines: int, cost: Cost) -> str:
    """Lines per CPU second as they stand in a table: three digits are all that repeat."""
    return f"{float(f'{lines / cost.cpu:.3g}'):,.0f}"


def needs_space(folder: str, wanted: int) -> None:
    """Stop with a sentence where a folder has no room for so many bytes."""
    statistics = os.statvfs(folder)
    free = statistics.f_bavail * statistics.f_frsize
    if free < wanted:
        sys.exit(
            f"monzen bench: {folder} has {free >> 20} MiB free, {wanted >> 20} are needed. "
            "Name another folder with TMPDIR=, or take fewer lines with LINES="
        )


def machine() -> str:
    """The machine in one line: processor, cores, kernel, Python."""
    model = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = model[1] if model else platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{processor}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"
