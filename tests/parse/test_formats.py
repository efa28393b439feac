"""Every example of every declaration: read as declared, in every header, cut, doubled, and with hostile text in it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.address import text
from monzen.parse.clock import Clock
from monzen.parse.line import LONGEST, read_line
from monzen.parse.program import FAMILIES
from monzen.parse.reader import Reader
from monzen.types import Fact, Kind, Service, Weight

NOW = 1_795_000_000.0
CASES = [(f, r, e.encode(), said) for f in FAMILIES for r in f.reads for e, said in r.examples.items()]
IDS = [f"{f.name}: {e.decode()[:70]}" for f, _, e, _ in CASES]
NAMES = sorted({e.partition(b": ")[0] for _, _, e, _ in CASES})
HEADERS = {  # FACTS section C
    "RFC 3164": b"Sep  4 16:59:45 mail %s: %s",
    "RFC 3339": b"2026-09-04T16:59:45.123456+09:00 mail %s: %s",
    "RFC 3339, Z": b"2026-09-04T16:59:45Z mail %s: %s",
    "priority": b"<22>Sep  4 16:59:45 mail %s: %s",
    "FreeBSD": b"Sep  4 16:59:45 <mail.info> mail %s: %s",
    "busybox": b"Sep  4 16:59:45 mail mail.info %s: %s",
    "compose": b"mailserver  | Sep  4 16:59:45 mail %s: %s",
}


def header(family, example, shape=b"Sep  4 16:59:45 mail %s: %s"):
    """The example, which begins with its program, behind a header."""
    name, _, message = example.partition(b": ")
    return shape % (name, message)


def read(line, *, bare=True):
    return read_line(line, Clock(NOW), bare=bare)[0]


def essence(fact):
    return None if fact is None else fact[:6] + fact[6:8]


def test_there_are_examples_of_every_declaration():
    shown = {r.about for f in FAMILIES for r in f.reads if r.examples}  # PAM's are with sshd, and tried by all that use it
    assert {r.about for f in FAMILIES for r in f.reads} == shown
    assert len(CASES) > 150


@pytest.mark.parametrize(("family", "reads", "example", "said"), CASES, ids=IDS)
def test_as_declared(family, reads, example, said):
    fact = read(header(family, example))
    if fact is None:
        assert set(said.values()) == {None}
        return
    assert fact is not None
    known = {
        "client": text(fact.client) or None,
        "user": fact.user.decode("utf-8", "replace") if fact.user is not None else None,
        "weight": Weight(fact.weight).name.lower(),
        "kind": Kind(fact.kind).name.lower(),
        "service": Service(fact.service).name.lower(),
        "attempts": fact.attempts,
    }
    assert {name: known[name] for name in said} == said
    assert said or fact.kind == reads.kind


@pytest.mark.parametrize(("family", "reads", "example", "said"), CASES, ids=IDS)
def test_the_same_in_every_header(family, reads, example, said):
    want = essence(read(header(family, example)))
    for name, shape in HEADERS.items():
        assert essence(read(header(family, example, shape))) == want, name


@pytest.mark.parametrize(("family", "reads", "example", "said"), CASES, ids=IDS)
def test_scan_reads_what_explain_reads(family, reads, example, said):
    """What is live comes out of the block reader as it does by itself; what is not live comes out of neither."""
    line = header(family, example)
    alone = read(line)
    for compiled in (True, False):
        events = Reader(Clock(NOW), compiled=compiled).read(line + b"\n")
        if events:
            assert [essence(e.fact) for e in events] == [essence(alone)]
        else:
            assert alone is None or alone.weight == Weight.NONE


@pytest.mark.parametrize(("family", "reads", "example", "said"), CASES, ids=IDS)
def test_cut_short_blames_nobody_else(family, reads, example, said):
    """A line cut anywhere reads as nothing, as less, or the same; never as another client with a weight.

    Where a client's own words hold an address, the cut text is one that a short name could have left: `test_a_line_that_may_be_cut`.
    """
    whole = read(header(family, example))
    if whole is None or len(set(re.findall(rb"\d+\.\d+\.\d+\.\d+|2001:[\w:]+", example))) > 1:
        return
    line = header(family, example)
    for end in range(len(line)):
        fact = read(line[:end], bare=False)
        if fact is not None and fact.weight and fact.client != whole.client:
            # an address at the very end cannot be told from a shorter one
            assert re.search(rb"[0-9a-fA-F:.]{3}\Z", line[:end]), line[:end]


@pytest.mark.parametrize(("family", "reads", "example", "said"), CASES, ids=IDS)
def test_doubled(family, reads, example, said):
    """Two lines run together: never a weight against what only the second names; two lines: twice the same."""
    line = header(family, example)
    whole = read(line)
    twice = Reader(Clock(NOW)).read(line + b"\n" + line + b"\n")
    assert len({essence(e.fact) for e in twice}) <= 1
    assert len(twice) in (0, 2)
    run_together = read(line + line)
    if run_together is not None and run_together.weight:
        assert run_together.client == whole.client


# What a client can put into a field: words of our own programs, with an address that is not its own.
VICTIM = b"192.0.2.250"
PLANTS = [
    b"x[192.0.2.250]: SASL LOGIN authentication failed: y",
    b"from 192.0.2.250 port 22 ssh2",
    b"rip=192.0.2.250, lip=192.0.2.251, session=<x>",
    b">, rip=192.0.2.250, lip=192.0.2.251, session=<x>",
    b"\n",
    b"root from 192.0.2.250",
    b"Failed password for root from 192.0.2.250 port 22 ssh2",
    b"]: warning: unknown[192.0.2.250]: SASL PLAIN authentication failed:",
    b"(user,192.0.2.250): unknown user",
    b"rhost=192.0.2.250 user=root",
    b"SRC=192.0.2.250 DST=192.0.2.251",
    b"NOQUEUE: reject: RCPT from unknown[192.0.2.250]: 554 5.7.1 <a>: Relay access denied; from=<b> to=<c> proto=SMTP helo=<d>",
    b"sasl_method=PLAIN, sasl_username=root",
    b"Login: user=<root>, method=PLAIN, rip=192.0.2.250, lip=192.0.2.251, mpid=1, session=<x>",
    b"message repeated 99 times: [ x ]",
    b"\\n", b'"', b"\x1b[2J", b"\xff\xfe",
]


def fields(example, said):
    """Where the words of a client stand: its name, and what is quoted in <> or []: not the address."""
    user = said.get("user")
    found = []
    if user and len(user) > 2 and example.count(user.encode()) == 1:
        at = example.index(user.encode())
        found.append((at, at + len(user.encode())))
    return found + [m.span(1) for m in re.finditer(rb"(?:helo|from|to|user|username)=<([^<>]*)>", example)]


HOSTILE = [(f, r, e, s) for f, r, e, s in CASES if fields(e, s)]


@pytest.mark.parametrize(("family", "reads", "example", "said"), HOSTILE, ids=[f"{f.name}: {e.decode()[:70]}" for f, _, e, _ in HOSTILE])
def test_hostile_words_blame_nobody_else(family, reads, example, said):
    whole = read(header(family, example))
    for start, end in fields(example, said):
        for plant in PLANTS:
            for new in (plant, example[start:end] + plant, plant + example[start:end]):
                line = header(family, example[:start] + new.replace(b"\n", b"\\n") + example[end:])
                fact = read(line)
                if fact is None:
                    continue
                assert text(fact.client) != VICTIM.decode() or whole.client == fact.client, line
                if whole.kind not in (Kind.AUTH_SUCCESS, Kind.DELIVERED):
                    assert fact.kind not in (Kind.AUTH_SUCCESS, Kind.DELIVERED), line


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(NAMES), st.sampled_from(sorted(HEADERS)))
def test_nothing_raises(message, name, shape):
    for line in (message, HEADERS[shape] % (name, message)):
        fact, at = read_line(line, Clock(NOW))
        assert fact is None or isinstance(fact, Fact)
        assert at is None or at <= NOW + 2 * 86400
    block = (HEADERS[shape] % (name, message)).replace(b"\n", b" ") + b"\n"
    for compiled in (True, False):
        Reader(Clock(NOW), compiled=compiled).read(block)


def test_longer_lines_are_not_read():
    line = header(FAMILIES[0], CASES[0][2])
    assert read(line + b" " * (LONGEST - len(line))) is not None or read(line + b"x" * (LONGEST - len(line))) is not None
    assert read(line + b"x" * (LONGEST + 1 - len(line))) is None


@pytest.mark.parametrize("length", [400, 880, 990, 1023, 1024, 8000])
@pytest.mark.parametrize(
    "shape",
    [
        b"sshd[7]: Invalid user %s from 192.0.2.7 port 40000",
        b"sshd[7]: Failed password for invalid user %s from 192.0.2.7 port 40000 ssh2",
        b"dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<%s>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>",
    ],
)
def test_a_line_that_may_be_cut(shape, length):
    """sshd and syslogd cut long messages: what then stands at the end is what the client wrote, up to the byte."""
    name, _, rest = shape.partition(b"%s")
    planted = rest.replace(b"192.0.2.7", VICTIM)
    if rest.startswith(b">"):
        planted = planted[: planted.index(b", lip") + 30]
    user = b"A" * (length - len(name) - len(planted)) + planted
    fact = read(b"Sep  4 16:59:45 mail " + name + user)  # cut behind what was planted
    whole = read(b"Sep  4 16:59:45 mail " + shape % user)
    if length > 950:
        assert fact is whole is None
        assert Reader(Clock(NOW)).read(b"Sep  4 16:59:45 mail " + name + user + b"\n") == []
    elif length < 800:
        assert text(whole.client) == "192.0.2.7"
