"""Writes the table in docs/metrics.md from src/monzen/metrics/table.py; --check only says whether it is current.

    python scripts/metrics.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from monzen.metrics.table import METRICS, Metric

TARGET = Path(__file__).parent.parent / "docs/metrics.md"
BEGIN, END = "<!-- table: made by make formats -->\n", "<!-- end of the table -->\n"
SOURCES = {
    "itself": "of `monzen metrics` itself",
    "mode": "the mode",
    "ledger": "the ledger",
    "run": "what `monzen run` says",
    "gate": "what the gate says",
}


def row(metric: Metric) -> str:
    """A line of the table."""
    labels = "; ".join(
        f"`{label}`" + (": " + ", ".join(dict.fromkeys(values[i] for values in metric.values)) if metric.values else "")
        for i, label in enumerate(metric.labels)
    )
    kind = metric.kind + (f", from 0 when {metric.resets}" if metric.resets else "")
    return f"| `{metric.name}` | {kind} | {labels} | {metric.help} |\n"


def table() -> str:
    """The whole of it, by where it comes from."""
    out = ""
    for source, title in SOURCES.items():
        out += f"\n### {title[0].upper() + title[1:]}\n\n| metric | what it is | labels | what it says |\n|---|---|---|---|\n"
        out += "".join(row(metric) for metric in METRICS if metric.source == source)
    return out + "\n"


def main() -> int:
    """The command."""
    before = TARGET.read_text(encoding="utf-8")
    head, _begin, rest = before.partition(BEGIN)
    _old, _end, tail = rest.partition(END)
    after = head + BEGIN + table() + END + tail
    if sys.argv[1:] == ["--check"]:
        if before != after:
            print("docs/metrics.md is not what the code says: make formats", file=sys.stderr)
        return int(before != after)
    TARGET.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
