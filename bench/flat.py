"""Part of `make bench`: the memory of `monzen scan` does not grow with the log.

Three logs at a fifth, once and five times the size: an ordinary one, the same compressed, and one in which every line is an
attacker never seen before, which is the worst case for whoever remembers clients.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import measure
from bench.read import BYTES_PER_LINE, mode, monzen_command, table, write_log

SIZES = (0.2, 1, 5)


def compress(log: Path) -> Path:
    """The log as .gz, in place of the log."""
    packed = log.with_name("mail.log.gz")
    with log.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as out:
        shutil.copyfileobj(plain, out, 1 << 20)
    log.unlink()
    return packed


def rows(monzen: list[str], folder: Path, lines: int) -> Iterator[list[str]]:
    """One row for each log: its kind, its size, and what reading it costs."""

    def row(kind: str, log: Path, count: int) -> list[str]:
        size = f"{log.stat().st_size / 2**20:,.0f} MiB"
        cost = measure.run([*monzen, "scan", str(log)])
        return [kind, size, f"{count:,}", measure.speed(count, cost), measure.memory(cost.peak)]

    for factor in SIZES:
        count, log = max(1, int(lines * factor)), folder / "mail.log"
        write_log(log, count, "--days", str(7 * factor))
        yield row("ordinary", log, count)
        yield row("ordinary, .gz", compress(log), count)
        write_log(log, count, "--strangers", "--days", str(7 * factor))
        yield row("only new attackers", log, count)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.flat", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of the middle size (1,000,000)")
    parser.add_argument("--monzen", metavar="CMD", help="the command that starts monzen (python -m monzen)")
    wanted = parser.parse_args(arguments)
    monzen = monzen_command(wanted.monzen)
    print(f"\nMemory of `monzen scan` and the size of the log ({mode(monzen)}):\n")
    with tempfile.TemporaryDirectory(prefix="monzen-bench-") as folder:
        measure.needs_space(folder, int(max(SIZES) * wanted.lines * BYTES_PER_LINE * 1.2))
        head = ["log", "size", "lines", "lines per CPU second", "peak MiB"]
        try:
            table(head, rows(monzen, Path(folder), wanted.lines), words=1)
        except measure.CommandError as error:
            sys.exit(f"monzen bench: monzen failed: {error}")


if __name__ == "__main__":
    main()
