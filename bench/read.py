"""`make bench`: how fast `monzen scan` reads a log, beside fail2ban, sshguard and grep, all in one run on one machine.

For 2, 30 and 90 % attack lines and both stamp formats, a seeded log is read by each program; CPU time (user and system) and
peak memory are the kernel's figures for that process. Fast programs run three times: the least CPU time and the greatest
memory stand. fail2ban reads two parts of the log, and its time for the whole is a straight line through both. What the
programs do differs: `grep -c` counts lines with one word, sshguard's parser and fail2ban's filters name an address for each
line they know, monzen also joins lines into attempts, judges and prints a report. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench import measure
from bench.measure import Cost

SHARES = (0.02, 0.30, 0.90)
FORMATS = {"traditional": "Sep  4 16:59:45", "rfc3339": "2026-09-04T16:59:45"}
PARSERS = ("usr/libexec/sshguard", "usr/lib/sshguard", "usr/lib/x86_64-linux-gnu/sshguard", "usr/lib/aarch64-linux-gnu/sshguard")
FILTERS = ("postfix", "dovecot")
QUICK = 50_000
BYTES_PER_LINE = 200  # of these logs, rounded up
MONZEN, PARSER, FAIL2BAN = "monzen scan", "sshguard's parser", "fail2ban's two filters"


@dataclass(frozen=True, slots=True)
class Program:
    """Something that reads a log, in one or more commands that are added up; `{}` is the log."""

    name: str
    commands: list[list[str]]
    from_stdin: bool = False
    slow: bool = False
    extra: dict[str, str] | None = None

    def read(self, log: Path, lines: int, runs: int) -> Cost:
        """What reading this log costs."""
        if self.slow:
            few, many = lines // 100 or 1, lines // 10 or 1
            low, high = (self._read(first_lines(log, part), 1) for part in (few, many))
            return Cost(high.cpu + (high.cpu - low.cpu) / max(1, many - few) * (lines - many), high.peak)
        return self._read(log, runs)

    def _read(self, log: Path, runs: int) -> Cost:
        costs = []
        for command in self.commands:
            words = [word.replace("{}", str(log)) for word in command]
            costs.append(measure.best(words, runs, log if self.from_stdin else None, self.extra))
        return Cost(sum(cost.cpu for cost in costs), max(cost.peak for cost in costs))


def fail2ban(roots: list[Path]) -> Program | None:
    """fail2ban's own tool with its filters for Postfix and Dovecot, as they come; no name is resolved."""
    for root in roots:
        tool, settings = root / "usr/bin/fail2ban-regex", root / "etc/fail2ban"
        filters = [settings / f"filter.d/{name}.conf" for name in FILTERS]
        if tool.exists() and all(path.exists() for path in filters):
            head = ["/usr/bin/python3", "-s", str(tool), "-c", str(settings)]
            quiet = ["--raw", "--no-check-all", "--print-no-missed", "--print-no-ignored"]
            path = {"PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}
            return Program(FAIL2BAN, [[*head, *quiet, "{}", str(each)] for each in filters], slow=True, extra=path)
    return None


def sshguard(roots: list[Path]) -> Program | None:
    """sshguard's parser, the part that reads lines."""
    paths = (root / folder / "sshg-parser" for root in roots for folder in PARSERS)
    found = next((path for path in paths if path.exists()), None)
    return Program(PARSER, [[str(found)]], from_stdin=True) if found else None


def peers(roots: list[Path], filters: Program | None, parser: Program | None) -> str:
    """Which fail2ban and sshguard these are, or that they are not there."""
    words = []
    if filters:
        said = subprocess.run([*filters.commands[0][:3], "-V"], capture_output=True, text=True, check=False, env=filters.extra)
        words.append(f"fail2ban {said.stdout.strip() or 'of unknown version'}")
    if parser:
        scripts = (root / "usr/sbin/sshguard" for root in roots)
        text = next((script.read_text() for script in scripts if script.exists()), "")
        version = re.search(r'^version="(.*)"', text, re.MULTILINE)
        words.append(f"sshguard {version[1] if version else 'of unknown version'}")
    words += [f"{name} is not installed and left out" for name, it in (("fail2ban", filters), ("sshguard", parser)) if not it]
    return ", ".join(words)


def first_lines(log: Path, count: int) -> Path:
    """A file with the first lines of a log."""
    part = log.with_name("part.log")
    with log.open("rb") as whole, part.open("wb") as some:
        some.writelines(islice(whole, count))
    return part


def write_log(path: Path, lines: int, *options: str) -> None:
    """Generate a log in a process of its own: what measures stays small."""
    command = [sys.executable, "-m", "bench.generate", "--lines", str(lines), "--out", str(path), *options]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, cwd=Path(__file__).parent.parent)
    if done.returncode:
        sys.exit(f"monzen bench: cannot write a log of {lines} lines: {(done.stderr or '?').splitlines()[-1]}")


def rows(programs: list[Program], folder: Path, lines: int, shares: tuple[float, ...], runs: int) -> Iterator[list[str]]:
    """One row for each log and program; the first program is the measure of the others."""
    log = folder / "mail.log"
    for share in shares:
        for style, stamp in FORMATS.items():
            write_log(log, lines, "--attack-fraction", str(share), "--format", style)
            own = 0.0
            for program in programs:
                name = program.name + (" *" if program.slow else "")
                try:
                    cost = program.read(log, lines, runs)
                except measure.CommandError as error:
                    if not own:
                        raise
                    yield [f"{share:.0%}", stamp, name, f"failed: {error}", "", ""]
                    continue
                own = own or cost.cpu
                ratio = cost.cpu / own
                times = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"
                yield [f"{share:.0%}", stamp, name, measure.speed(lines, cost), times, measure.memory(cost.peak)]


def table(head: list[str], body: Iterator[list[str]], words: int = 3) -> None:
    """Print a Markdown table, row by row as it comes: the first columns are words, the others numbers."""
    print("| " + " | ".join(head) + " |")
    print("|" + "|".join("---" if i < words else "---:" for i in range(len(head))) + "|", flush=True)
    for row in body:
        print("| " + " | ".join(row) + " |", flush=True)


def monzen_command(text: str | None) -> list[str]:
    """The command in words; without one, monzen of this Python."""
    words = shlex.split(text) if text else [sys.executable, "-m", "monzen"]
    if shutil.which(words[0]) is None:
        sys.exit(f"monzen bench: there is no program {words[0]}: --monzen takes the command that starts monzen")
    return words


def mode(monzen: list[str]) -> str:
    """How the monzen that is measured was built; told by its own Python, where the command says which that is."""
    if monzen[1:] != ["-m", "monzen"]:
        return "monzen as installed"
    ask = "import monzen.parse.reader as r, monzen.parse.join as j; print(bool(r.Scanner), j.__file__.endswith('.so'))"
    done = subprocess.run([monzen[0], "-c", ask], capture_output=True, text=True, check=False)
    loop, modules = ({"True": True, "False": False}.get(word) for word in (done.stdout.split() or ["", ""])[:2])
    parts = [name for name, there in (("C", loop), ("mypyc", modules)) if there]
    return f"monzen compiled with {' and '.join(parts)}" if parts else "monzen in pure Python"


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.read", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of each log (1,000,000)")
    parser.add_argument("--quick", action="store_true", help=f"only a look: {QUICK:,} lines, 30 %% attack lines, one run")
    parser.add_argument("--monzen", metavar="CMD", help="the command that starts monzen (python -m monzen)")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where packages of others are unpacked, if not installed")
    wanted = parser.parse_args(arguments)
    lines = QUICK if wanted.quick else wanted.lines
    shares = SHARES[1:2] if wanted.quick else SHARES
    monzen = monzen_command(wanted.monzen)
    roots = [Path("/"), *([wanted.peers.resolve()] if wanted.peers else [])]
    parser_program, filter_program = sshguard(roots), fail2ban(roots)
    programs = [
        Program(MONZEN, [[*monzen, "scan", "{}"]]),
        Program("monzen scan --json", [[*monzen, "scan", "--json", "{}"]]),
        *(program for program in (parser_program, filter_program) if program),
        Program("grep -c", [["grep", "-c", "connect from", "{}"]]),
    ]
    others = peers(roots, filter_program, parser_program)
    print(f"Reading {lines:,} lines. {measure.machine()}; {mode(monzen)}; {others}.\n")
    with tempfile.TemporaryDirectory(prefix="monzen-bench-") as folder:
        measure.needs_space(folder, lines * BYTES_PER_LINE)
        head = ["attack lines", "stamps", "program", "lines per CPU second", "`monzen scan` is so many times as fast", "peak MiB"]
        try:
            table(head, rows(programs, Path(folder), lines, shares, 1 if wanted.quick else 3))
        except measure.CommandError as error:
            sys.exit(f"monzen bench: monzen failed: {error}")
    if filter_program:
        print(f"\n\\* One run of each on the first {lines // 10:,} lines, the times added and scaled.")


if __name__ == "__main__":
    main()
