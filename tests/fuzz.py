"""Hostile bytes for the reader, on and on: `python -m tests.fuzz --seconds 60 [--seed N]`; a short run is in the suite.

Each round makes a small log of spoilt examples and garbage and asks of it: nothing raises; C and Python read the same; it does not
matter where the blocks are cut; joining makes no attempts that no line proves; what is printed holds no control characters and is
valid JSON; nobody is blamed whose address is not in the log. A round that fails is printed with its seed, and its log is kept.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from monzen.explain import answer, describe
from monzen.judge import Judge
from monzen.parse.address import addresses
from monzen.parse.clock import Clock
from monzen.parse.declare import CAP
from monzen.parse.join import Joiner
from monzen.parse.line import read_line
from monzen.parse.program import FAMILIES
from monzen.parse.reader import Reader
from monzen.show.page import Page
from monzen.show.reading import Reading
from monzen.show.report import report
from monzen.show.terminal import Terminal
from monzen.show.text import as_json
from monzen.show.wrap import cells
from monzen.sources import unfold
from monzen.types import Event

NOW = 1_795_000_000.0
EXAMPLES = [example.encode() for family in FAMILIES for reads in family.reads for example in reads.examples]
HEADS = [
    b"Sep  4 16:59:%02d mail ",
    b"2026-09-04T16:59:%02d.123456+09:00 mail ",
    b"2026-09-04T16:59:%02dZ mail ",
    b"<22>Sep  4 16:59:%02d mail ",
    b"Sep  4 16:59:%02d <mail.info> mail ",
    b"mx1 | Sep  4 16:59:%02d mail ",
    b"Oct 25 02:30:%02d mail ",
    b"Feb 29 12:00:%02d m ",
    b"Xyz 99 99:99:%02d mail ",
]
PIECES = [b"\0", b"\r", b"\xff\xfe", b"\x1b[31m", b": ", b"[", b"]", b"user=<", b">, ", b", lip=", b", rip=192.0.2.9", b" from 192.0.2.9 port 22"]
PIECES += [b"message repeated 99 times: [ ", b"last message repeated 3 times", b"\\", b'"', b'{"MESSAGE":', b"\xe2\x80\xae", b"\t", b" " * 40, b"A" * 1000]


def spoilt(chance: random.Random) -> bytes:
    """An example in some header, spoilt somehow or not at all."""
    line = chance.choice(HEADS) % chance.randrange(60) + chance.choice(EXAMPLES)
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 5))):
        i, j = sorted(chance.randrange(len(line) + 1) for _ in range(2))
        how: Callable[[], bytes] = chance.choice(
            (
                lambda line=line, i=i: line[:i] + chance.choice(PIECES) + line[i:],
                lambda line=line, i=i: line[:i],
                lambda line=line, i=i, j=j: line[:i] + line[j:],
                lambda line=line, i=i: line[:i] + bytes([chance.randrange(256)]) + line[i + 1 :],
                lambda line=line, i=i: line[:i] + chance.choice(EXAMPLES) + line[i:],
            )
        )
        line = how()
    return line.replace(b"\n", b" ")


def a_log(chance: random.Random) -> bytes:
    """Some lines of a log, at times with garbage between them."""
    lines = [spoilt(chance) for _ in range(chance.randint(1, 40))]
    if chance.random() < 0.2:
        lines.insert(chance.randrange(len(lines)), bytes(chance.randrange(256) for _ in range(chance.randrange(2000))))
    return b"\n".join(lines) + b"\n"


def read(log: bytes, cuts: list[int], zone: ZoneInfo, *, compiled: bool) -> tuple[list[Event], tuple[object, ...]]:
    """The events of a log in blocks, and what was counted."""
    reader = Reader(Clock(NOW, zone), compiled=compiled)
    events = [e for a, b in pairwise([0, *cuts, len(log)]) if a < b for e in reader.read(log[a:b])]
    return events, (reader.lines, reader.understood, reader.suspects, reader.samples, reader.undated)


def controls(said: str) -> list[str]:
    """Characters that a terminal would obey."""
    return [c for c in said if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"]


def one_round(seed: int) -> None:
    """Raises AssertionError, or whatever it should not."""
    chance = random.Random(seed)
    log, zone = a_log(chance), ZoneInfo(chance.choice(("UTC", "Europe/Zurich", "Asia/Tokyo")))
    ends = [i + 1 for i, byte in enumerate(log) if byte == 10]
    cuts = sorted(chance.sample(ends, chance.randint(0, len(ends))))
    whole = read(log, [], zone, compiled=False)
    assert read(log, [], zone, compiled=True) == whole, "C and Python differ"
    assert read(log, cuts, zone, compiled=chance.random() < 0.5) == whole, f"cut at {cuts} it differs"
    events = whole[0]

    joiner, parts = Joiner(), Joiner()
    joined = joiner.join(events) + joiner.wait_until(float("inf"))
    i = chance.randint(0, len(events))
    assert parts.join(events[:i]) + parts.join(events[i:]) + parts.wait_until(float("inf")) == joined, "joined in parts it differs"
    assert sum(e.attempts for e in joined) <= sum(e.attempts for e in events), "attempts out of nothing"
    assert all(0 <= e.attempts <= CAP for e in joined)
    assert {e.fact.client for e in joined} <= {b"", *(addresses[w] for w in words(log))}, "an address that is not in the log"

    result = Reading(Judge())
    result.lines = len(ends)
    result.judge.hear(joined)
    result.samples.extend(whole[1][3])  # type: ignore[call-overload]  # the samples
    names = chance.random() < 0.5
    said = as_json(report(result, names=names))
    assert json.loads(said)["lines"] == len(ends)
    assert controls(said) == [], "JSON with control characters"
    out, page, width = io.StringIO(), io.StringIO(), chance.choice((120, 120, chance.randrange(40, 200)))
    Terminal(zone, names=names, console=Page(width, out, styled=True)).print(result)
    Terminal(zone, names=names, console=Page(width, page)).print(result)
    laid_out = "".join(line.rstrip(" ") + "\n" for line in out.getvalue().split("\n")[:-1])
    assert page.getvalue() == laid_out, "a terminal gets other words than a file"
    assert all(cells(line) <= width for line in page.getvalue().split("\n")), "a line is wider than the page"
    assert controls(out.getvalue()) == [], "control characters for the terminal"
    for number, line in enumerate(log[:-1].split(b"\n")):
        fact, at = read_line(line, Clock(NOW, zone))
        assert controls(answer(number, fact, at)) == []
        assert controls(describe(line, fact, at, zone)) == []
    unfolded = b"".join(unfold(iter([log]), always=True))
    assert unfolded.count(b"\n") <= log.count(b"\n")


def words(log: bytes) -> set[bytes]:
    """What may be an address: runs of hexadecimal digits, colons and dots."""
    found = set(re.findall(rb"[0-9A-Fa-f:.]{2,45}", log))
    return found | {w.strip(b".:") for w in found} | {w.partition(b":")[2] for w in found} | {w.rstrip(b":") for w in found}


def fuzz(seconds: float, seed: int) -> int:
    """Rounds until the time is over; how many."""
    begin, rounds = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        try:
            one_round(seed + rounds)
        except Exception:
            kept = Path(f"fuzz-{seed + rounds}.log")
            kept.write_bytes(a_log(random.Random(seed + rounds)))
            print(f"round {seed + rounds} failed; its log is {kept}; again: python -m tests.fuzz --only {seed + rounds}", file=sys.stderr)
            raise
        rounds += 1
    return rounds


def main() -> None:
    """The command."""
    p = argparse.ArgumentParser(description="Throws hostile bytes at the reader.")
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--seed", type=int, default=int(time.time()), help="where to begin (default: the time)")
    p.add_argument("--only", type=int, help="one round that failed before")
    options = p.parse_args()
    if options.only is not None:
        one_round(options.only)
        return
    print(f"from seed {options.seed} for {options.seconds:g} s")
    print(f"{fuzz(options.seconds, options.seed):,} rounds, nothing found")


if __name__ == "__main__":
    main()
