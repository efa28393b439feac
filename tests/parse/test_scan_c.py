"""The loop in C and the loop in Python give the same events, whatever they read; the compiled program says the same as the plain one."""

import gc
import random
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monzen.parse import details, join
from monzen.parse import reader as module
from monzen.parse.clock import Clock
from monzen.parse.program import FAMILIES
from monzen.parse.reader import Reader
from monzen.types import Event, Fact

try:
    from monzen.parse import _scan as scan_c
except ImportError:
    scan_c = None

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = [example.encode() for family in FAMILIES for reads in family.reads for example in reads.examples]
HEADS = [
    b"Sep  4 16:59:45 mail ",
    b"2026-09-04T16:59:45.123456+09:00 mail ",
    b"2026-09-04T16:59:45Z mail ",
    b"<22>Sep  4 16:59:45 mail ",
    b"Sep  4 16:59:45 <mail.info> mail ",
    b"Sep  4 16:59:45 mail mail.info ",
    b"x | Sep  4 16:59:45 mail ",
    b"Mar 29 02:30:00 mail ",
    b"Oct 25 02:30:00 mail ",
    b"Feb 29 12:00:00 m ",
    b"Xyz 99 99:99:99 mail ",
    b"2026-13-45T99:99:99.123456+99:99 m ",
    b"",
]
PIECES = [b"\0", b"\r", b"\xff\xfe", b": ", b"[", b"]", b"user=<", b", lip=", b" auth=0/1", b"]: ", b"message repeated 2 times: [ "]
PIECES += [b"last message repeated 3 times", b",1.1.1.1): unknown user", b"     ", b"a" * 300, b"\n", b"warning: ", b"\t5", b'{"MESSAGE":[']

needs_c = pytest.mark.skipif(module.Scanner is None, reason="_scan.c is not built here: no C compiler, or no Python headers")


def read(text, cuts, zone, *, compiled):
    reader = Reader(Clock(1_795_000_000.0, zone), compiled=compiled)
    events = []
    edges = [0, *cuts, len(text)]
    for a, b in pairwise(edges):
        if a < b:
            events += reader.read(text[a:b])
    return events, reader.lines, reader.understood, reader.suspects, reader.samples, reader.undated, reader.undated_samples


def line_ends(text):
    return [i + 1 for i, byte in enumerate(text) if byte == 10]


def spoilt(chance):
    line = chance.choice(HEADS) + chance.choice(EXAMPLES)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        i, j = chance.randrange(len(line) + 1), chance.randrange(len(line) + 1)
        line = chance.choice(
            (
                line[:i] + chance.choice(PIECES) + line[i:],
                line[:i],
                line[: min(i, j)] + line[max(i, j) :],
                line[:i] + bytes([chance.randrange(256)]) + line[i + 1 :],
                line[:i] + chance.choice(EXAMPLES) + line[i:],
            )
        )
    return line


@needs_c
@pytest.mark.parametrize("name", ["samples/first_user.log", "samples/one_week.log", "tests/data/real_mail.log", "tests/data/real_mail.traditional.log"])
def test_logs(name):
    text = (ROOT / name).read_bytes()
    assert read(text, [], ZoneInfo("UTC"), compiled=True) == read(text, [], ZoneInfo("UTC"), compiled=False)


@needs_c
@pytest.mark.parametrize("seed", range(12))
def test_spoilt_lines_in_blocks_cut_anywhere(seed):
    chance = random.Random(seed)
    zone = ZoneInfo(chance.choice(("UTC", "Europe/Zurich", "America/New_York", "Asia/Tokyo")))
    for _ in range(300):
        text = b"\n".join(spoilt(chance) for _ in range(chance.randint(1, 12))) + b"\n"
        ends = line_ends(text)
        cuts = sorted(chance.sample(ends, chance.randint(0, len(ends))))
        whole = read(text, [], zone, compiled=True)
        assert whole == read(text, cuts, zone, compiled=False), text
        assert whole == read(text, cuts, zone, compiled=True), text


@needs_c
@pytest.mark.parametrize("options", [[], ["--format", "rfc3339"], ["--strangers"]], ids=str)
def test_generated_logs_in_blocks(tmp_path, options):
    log = tmp_path / "mail.log"
    command = [sys.executable, "-m", "bench.generate", "--lines", "6000", "--out", str(log), *options]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    text, zone = log.read_bytes(), ZoneInfo("Europe/Zurich")
    ends = line_ends(text)
    assert read(text, ends[::97], zone, compiled=True) == read(text, ends[50::211], zone, compiled=False)


BYTES = st.one_of(st.binary(max_size=40), st.sampled_from([*HEADS, *PIECES, *EXAMPLES, b"x" * 66_000, b": ", b" mail postfix/smtpd[7]: ", b"]:[ : "]))


@needs_c
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(BYTES, max_size=5).map(b"".join), min_size=1, max_size=8), st.sampled_from(("UTC", "Europe/Zurich", "America/New_York")))
def test_whatever_bytes(lines, zone):
    text = b"\n".join(lines) + b"\n"
    whole = read(text, [], ZoneInfo(zone), compiled=True)
    assert whole == read(text, [], ZoneInfo(zone), compiled=False)
    assert whole == read(text, line_ends(text), ZoneInfo(zone), compiled=True)


@needs_c
def test_garbage():
    chance = random.Random(7)
    for size in (0, 1, 17, 18, 19, 300, 70_000):
        for _ in range(20):
            text = bytes(chance.choice((chance.randrange(256), 32, 58, 10)) for _ in range(size)) + b"\n"
            assert read(text, [], ZoneInfo("UTC"), compiled=True) == read(text, [], ZoneInfo("UTC"), compiled=False)


@needs_c
def test_scanners_come_and_go():
    """A reader and its scanner know each other: the collector takes both, whichever it meets first."""
    for _ in range(300):
        readers = [Reader(Clock(1_795_000_000.0)) for _ in range(3)]
        for reader in readers:
            reader.read(b"Sep  4 16:59:45 mail sshd[7]: Invalid user x from 192.0.2.7 port 1\nSep  4 16:59:45 mail x: y\n")
        del reader, readers
    gc.collect()


def test_the_plain_program_says_the_same(tmp_path):
    shutil.copytree(ROOT / "src/monzen", tmp_path / "monzen", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    said = []
    for place in (ROOT / "src", tmp_path):
        command = [sys.executable, "-m", "monzen", "scan", "--json", "--names", str(ROOT / "samples/one_week.log")]
        done = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path, env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin"})
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    assert b'"verdicts": [{' in said[0]


@needs_c
@given(st.lists(st.sampled_from((b"session=<", b",<", b")<", b"><", b">: ", b">", b"<", b"abc", b"x" * 30, b" ")), max_size=9).map(b"".join))
def test_a_session_id_is_the_same_in_c(line):
    assert scan_c.session_id(line) == details.session_of(line)


@needs_c
def test_what_another_line_told_is_the_same_in_c():
    fact = Fact(1, 4, b"\xc0\0\2\7", None, 1, 1, None, b"LOGIN", 1, "x")
    event = Event(1.0, fact, 1, b"line", b"head")
    told = scan_c.told(event, b"alice", True)
    assert told == join.told_of(event, b"alice", True) == event._replace(fact=fact._replace(user=b"alice", account=True))
    assert (type(told), type(told.fact)) == (Event, Fact)
    for wrong in ((event, None), ((1, 2), None, None), ((0.0, (), 1, b"", b""), None, None)):
        with pytest.raises(TypeError):
            scan_c.told(*wrong)


@needs_c
@given(st.lists(st.sampled_from((b"0", b"1", b"01", b"00", b"127", b"255", b"256", b"999", b"1000", b"", b"x", b":", b" ")), min_size=1, max_size=6).map(b".".join))
def test_addresses_are_the_same_in_c(address):
    text = b"Sep  4 16:59:45 mail postfix/smtpd[7]: warning: x[" + address + b"]: SASL LOGIN authentication failed: no\n"
    assert read(text, [], ZoneInfo("UTC"), compiled=True) == read(text, [], ZoneInfo("UTC"), compiled=False)


PARTS_OF_IPV6 = (b"2001:db8", b"::", b":", b"ffff", b"FFFF", b"0", b"1", b"12345", b"g", b"192.0.2.7", b"0.0.0.0", b"%eth0", b"%", b"\0", b"\xff", b".")


@needs_c
@given(st.lists(st.sampled_from(PARTS_OF_IPV6), min_size=1, max_size=8).map(b"".join))
def test_ipv6_addresses_are_the_same_in_c(address):
    text = b"Sep  4 16:59:45 mail postfix/smtpd[7]: warning: x[" + address + b"]: SASL LOGIN authentication failed: no\n"
    assert read(text, [], ZoneInfo("UTC"), compiled=True) == read(text, [], ZoneInfo("UTC"), compiled=False)


def guesses(count, block):
    """Lines of as many guesses, no two alike."""
    line = b"Sep  4 16:59:45 mail postfix/smtpd[7]: warning: x[192.0.2.7]: SASL LOGIN authentication failed: no, sasl_username=u%d.%d\n"
    return b"".join(line % (block, i) for i in range(count))


@needs_c
def test_what_is_left_of_events_becomes_others_and_changes_none_that_is_held():
    reader, held = Reader(Clock(1_795_000_000.0)), []
    for block in range(6):  # more in a block than are kept for the next
        events = reader.read(guesses(1500, block))
        held += events[::7]
        made = [event._replace(attempts=2, fact=event.fact._replace(user=b"x")) for event in events]  # by Python, freed the same way
        assert [e.fact.user for e in events] == [b"u%d.%d" % (block, i) for i in range(1500)]
        assert {(e.attempts, e.fact.user) for e in made} == {(2, b"x")}
        del events, made
    assert [e.fact.user for e in held] == [b"u%d.%d" % (block, i) for block in range(6) for i in range(0, 1500, 7)]
    assert all(e.line.endswith(e.fact.user) and (type(e), type(e.fact)) == (Event, Fact) for e in held)


@needs_c
def test_events_let_go_of_what_they_held():
    Reader(Clock(1_795_000_000.0)).read(guesses(3, 0))  # from here on, C frees them
    what = b"held by events alone"
    before = sys.getrefcount(what)

    class Special(Event):  # with a __dict__, and another way to be freed
        pass

    for kind in (Event, Special):
        for _ in range(3):
            events = [kind(1.0, Fact(1, 4, what, what, 1, 1, None, what, 1, "x"), 1, what, what) for _ in range(2000)]
            assert sys.getrefcount(what) == before + 5 * 2000
            del events
            assert sys.getrefcount(what) == before
    special = Special(1.0, None, 1, what, what)
    special.own = what
    assert sys.getrefcount(what) == before + 3
    del special
    assert sys.getrefcount(what) == before
