"""Events for the tests of the guard: real mail logs, examples of every format, generated attacks; each as its lines say."""

import datetime as dt
import random
from functools import lru_cache
from pathlib import Path

from bench.generate import mail_log
from bench.writer import Options
from monzen.parse.clock import Clock
from monzen.parse.reader import Reader
from tests.parse.lines import EXAMPLES
from tests.parse.test_join_rules import Server

ROOT = Path(__file__).parent.parent.parent
START = dt.datetime(2026, 9, 4, 10, tzinfo=dt.UTC)


def read(block, newest=2e9):
    """What a reader makes of whole lines."""
    return Reader(Clock(newest)).read(block)


@lru_cache
def text(name):
    """The lines of a story."""
    if name == "real":
        return (ROOT / "tests/data/real_mail.log").read_bytes()
    if name == "real, traditional":
        return (ROOT / "tests/data/real_mail.traditional.log").read_bytes()
    if name == "samples":
        return (ROOT / "samples/one_week.log").read_bytes()
    if name == "generated":
        return "".join(line for _attack, line in mail_log(Options(lines=6000, seed=5, attack_fraction=0.6))).encode()
    return examples(int(name.removeprefix("examples ")))


def examples(seed):
    """Every example now and then, and sessions of a random server, in order of time."""
    chance = random.Random(seed)
    server = Server(chance)
    lines = [(chance.uniform(0, 4000), example) for _, _, example, _ in EXAMPLES if chance.random() < 0.7]
    for _ in range(80):
        kind = chance.choice((server.smtp, server.imap, server.ssh))
        lines += kind(chance.uniform(0, 4000), f"203.0.113.{chance.randrange(1, 9)}", chance.choice((1, 1, 2, 6)))
    lines.sort(key=lambda line: line[0])
    return b"".join(f"{START + dt.timedelta(seconds=t):%b %e %H:%M:%S} mail {said}\n".encode("utf-8", "surrogateescape") for t, said in lines)


STORIES = ("real", "real, traditional", "samples", "generated", *(f"examples {n}" for n in range(8)))


@lru_cache
def events(name):
    """What its lines say."""
    found = read(text(name))
    assert len(found) > 50, name
    return found
