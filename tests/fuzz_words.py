"""What clients write, on and on: `python -m tests.fuzz_words --seconds 60 [--seed N]`. Beside tests.fuzz, which spoils whole lines.

Every line is one that a program writes, with random hostile words in the places that a client fills, and only there stands the
address 198.51.100.66. Asked of each: nothing raises; nobody but 192.0.2.7 is named; no failure becomes a success, and none counts
for more than it did; the reader of blocks says what explain says, under any header, with either loop; no line takes far longer than
its length allows. The first line that fails goes to stderr, exit 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from monzen.parse.address import addresses
from monzen.parse.clock import Clock
from monzen.parse.line import read_line
from monzen.parse.reader import Reader
from monzen.types import Fact, Kind
from tests.parse.lines import LOOPS, NOON, shapes
from tests.test_formats import HOSTILE, PLACES, VICTIM, essence

CLIENT, MARK = addresses[b"192.0.2.7"], addresses[VICTIM.encode()]
GOOD = (Kind.AUTH_SUCCESS, Kind.DELIVERED)
LONGEST = 800  # of longer lines the end is not believed: tests/parse/test_formats.py
PIECES = [
    *HOSTILE,
    *"<>()[],:;= '\"\\|",
    "x>, method=PLAIN, rip=",
    ", lip=192.0.2.1",
    ", session=<x>",
    ",<x>): ",
    "): ",
    "unknown user",
    "Password mismatch",
    " from ",
    " port 22",
    " ssh2",
    " ssh2: RSA x",
    " [preauth]",
    " rhost=",
    "  user=",
    " ruser=",
    "(auth failed, 9 attempts in 1 secs): user=<",
    "user=<",
    "rip=",
    ": Login: user=<",
    "sasl_username=",
    ", sasl_username=",
    ": SASL LOGIN authentication failed: ",
    "; from=<a> to=<b> proto=SMTP helo=<c>",
    "Relay access denied",
    "message repeated 9 times: [ ",
    "given password: ",
    "(given password: x)",
    "internal error",
    " timed out after 1 secs",
    "(auth process communication failure)",
    "Auth process broken (",
    "\t",
    "é",
    "\x7f",
]


class WrongError(Exception):
    """What a line should not have said."""


def words(chance: random.Random) -> bytes:
    """What a client writes into one place."""
    some = []
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        piece = chance.choice(PIECES)
        how = chance.random()
        if how < 0.15:
            piece = piece[: chance.randrange(len(piece) + 1)]
        elif how < 0.25:
            at = chance.randrange(len(piece) + 1)
            piece = piece[:at] + chance.choice(PIECES) + piece[at:]
        elif how < 0.3:
            piece *= chance.randrange(1, 4)
        elif how < 0.4:
            piece = piece.replace(VICTIM, chance.choice((f"{VICTIM}%x", f"::ffff:{VICTIM}", "2001:db8:bad::66", f"{VICTIM} ")))
        some.append(piece.encode("utf-8", "replace"))
    raw = b"".join(some)
    if chance.random() < 0.1 and raw:
        at = chance.randrange(len(raw))
        raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
    return raw.replace(b"\n", b"?")


def one(chance: random.Random, count: Counter[str]) -> None:
    """One line of one place; raises WrongError."""
    place = chance.choice(list(PLACES))
    raw = words(chance)
    bare = PLACES[place].replace("{0}", "{}").encode().replace(b"{}", raw)
    if len(bare) > LONGEST:
        count["long"] += 1
        return
    plain, _ = read_line(b"Sep  4 09:39:45 mail " + PLACES[place].replace("{0}", "{}").replace("{}", "office").encode(), Clock(NOON))
    header = chance.choice(("RFC 3164", "RFC 3339", "RFC 3339, fraction", "priority", "FreeBSD", "busybox", "docker compose"))
    mark = "\x00here\x00"
    shape = shapes(PLACES[place].partition(": ")[0] + ": " + mark)[header].encode()
    line = shape.replace(mark.encode(), bare.partition(b": ")[2])
    fact, _ = read_line(line, Clock(NOON))
    for compiled in LOOPS:
        events = Reader(Clock(NOON), compiled=compiled).read(line + b"\n")
        if [essence(e.fact) for e in events] not in ([], [essence(fact)]):
            raise WrongError(f"scan ({'C' if compiled else 'Python'}) says {events}, explain {fact}", line)
    check(fact, plain, line)
    count["silent" if fact is None else Kind(fact.kind).name.lower()] += 1


def check(fact: Fact | None, plain: Fact | None, line: bytes) -> None:
    """Whether what a line says of its client is no more than it would say of one with an ordinary name."""
    if fact is None or plain is None:
        return
    if fact.client not in (b"", CLIENT):
        raise WrongError(f"another client is named: {fact}", line)
    if (fact.kind in GOOD) > (plain.kind in GOOD):
        raise WrongError(f"a success: {fact}", line)
    if fact.attempts > plain.attempts:
        raise WrongError(f"more attempts: {fact}", line)
    if fact.weight > plain.weight and fact.kind not in (Kind.RELAY_DENIED, Kind.RECIPIENT_UNKNOWN, Kind.REJECTED, Kind.PROTOCOL_ABUSE):
        raise WrongError(f"more weight: {fact}", line)


def slow(chance: random.Random) -> None:
    """A line of 64 kB of some pieces against one of 16 kB: linear, or WrongError. Measured again where it seems not."""
    place = chance.choice(list(PLACES))
    piece = b"".join(chance.choice(PIECES).encode() for _ in range(chance.choice((1, 2, 3)))).replace(b"\n", b"?") or b"x"
    front, _, back = PLACES[place].replace("{0}", "{}").partition("{}")

    def cost(size: int) -> float:
        line = b"Sep  4 09:39:45 mail " + front.encode() + (piece * (size // len(piece) + 1))[:size] + back.replace("{}", "x").encode()
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            read_line(line, Clock(NOON))
            Reader(Clock(NOON), compiled=False).read(line + b"\n")
            best = min(best, time.process_time() - begin)
        return best

    for _ in range(3):
        large = cost(64_000)
        if large < 0.004 or large < 12 * cost(16_000):
            return
    raise WrongError("not linear", front.encode() + piece + b"..." + back.encode())


def fuzz(seed: int, *, seconds: float = float("inf"), rounds: int = 1 << 62) -> Counter[str]:
    """Lines until the time or the rounds are over; what they were read as."""
    count: Counter[str] = Counter()
    end = time.monotonic() + seconds
    for number in range(rounds):
        if time.monotonic() > end:
            break
        chance = random.Random(f"{seed}/{number}")
        one(chance, count)
        if number % 500 == 0:
            slow(chance)
            count["slow ones"] += 1
    return count


def main() -> int:
    """The command."""
    p = argparse.ArgumentParser(description="Writes hostile words into the lines of all programs.")
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--seed", type=int, default=int(time.time()), help="where to begin (default: the time)")
    options = p.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        count = fuzz(options.seed, seconds=options.seconds)
    except WrongError as failure:
        why, line = failure.args
        print(f"{why}\n{line!r}\nagain: python -m tests.fuzz_words --seed {options.seed}", file=sys.stderr)
        return 1
    print(", ".join(f"{n:,} {what}" for what, n in count.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
