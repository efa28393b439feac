"""Linear time for every declaration: a hostile line four times as long takes about four times as long, whatever it is made of."""

import time

import pytest

from monzen.parse.clock import Clock
from monzen.parse.line import read_line
from monzen.parse.program import FAMILIES
from monzen.parse.reader import Reader

NOW = 1_795_000_000.0
LARGE, SMALL = 64_000, 16_000
SLOPE = 12  # 4 is linear, 16 is quadratic
NEGLIGIBLE = 0.004  # seconds for 64 kB, below which nothing is worth a ratio
CASES = [(f, r) for f in FAMILIES for r in f.reads if r.examples]
FILLERS = [b"user=<", b"(", b"u", b" a=1", b"[", b":", b",1.1.1.1): unknown user"]


def cost(line):
    best = float("inf")
    for _ in range(3):
        reader = Reader(Clock(NOW), compiled=False)
        begin = time.process_time()
        reader.read(line)
        best = min(best, time.process_time() - begin)
    return best


@pytest.mark.parametrize(("family", "reads"), CASES, ids=[f"{f.name}: {r.about}" for f, r in CASES])
def test_linear(family, reads):
    example = next(iter(reads.examples)).encode()
    head, _, message = example.partition(b": ")
    line = b"Sep  4 16:59:45 mail " + head + b": "
    for filler in (*reads.literals, *FILLERS):
        for before, after in ((message[: len(message) // 2], message[len(message) // 2 :]), (message, b""), (b"", message), (reads.literals[0], b"")):

            def make(size, before=before, after=after, filler=filler):
                return line + before + filler * ((size - len(line + before + after)) // len(filler)) + after + b"\n"

            large = cost(make(LARGE))
            if large > NEGLIGIBLE:
                assert large < SLOPE * cost(make(SMALL)), (before, filler, after)


EXAMPLES = [(f, example.encode()) for f in FAMILIES for r in f.reads for example in r.examples]
MORE = [*FILLERS, b" ", b"]", b"<", b">", b": ", b", ", b"1.", b"rip=", b" from ", b"\\", b"x[1.2.3.4]: ", b"message repeated 2 times: [ "]


def alone(line):
    best = float("inf")
    for _ in range(2):
        begin = time.process_time()
        read_line(line, Clock(NOW))
        best = min(best, time.process_time() - begin)
    return best


@pytest.mark.parametrize("filler", MORE, ids=repr)
def test_every_example_alone(filler):
    """As explain reads it; in the middle, before its last letter, and behind it."""
    for _, example in EXAMPLES:
        line = b"Sep  4 16:59:45 mail " + example
        for at in (len(line) // 2, len(line) - 1, len(line)):

            def make(size, line=line, at=at):
                return line[:at] + filler * ((size - len(line)) // len(filler)) + line[at:]

            large = alone(make(LARGE))
            if large > 5 * NEGLIGIBLE:
                assert large < SLOPE * alone(make(SMALL)), (line[:at], filler, line[at:])
