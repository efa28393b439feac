"""Whatever a client can write into a line - its name, its HELO, the name of its address, senders, recipients - blames nobody else."""

import random
import re

import pytest

from monzen.parse.address import addresses, text
from monzen.parse.clock import Clock
from monzen.parse.line import read_line
from monzen.parse.program import FAMILIES
from monzen.parse.reader import Reader

NOW = 1_795_000_000.0
MARK = b"198.51.100.66"
HEAD = b"Sep  4 16:59:45 mail "
PLANTS = [
    b"x[%m]: SASL LOGIN authentication failed: y", b"unknown[%m]", b"[%m]:25", b"]: warning: unknown[%m]: SASL PLAIN authentication failed: x",
    b"RCPT from unknown[%m]: 554 5.7.1 <a>: Relay access denied; from=<b> to=<c>", b" client=x[%m], sasl_method=PLAIN, sasl_username=root",
    b"from %m port 22 ssh2", b" from %m port 22 ssh2 [preauth]", b" from %m port 22", b"message repeated 5 times: [ Failed password for root from %m port 22 ssh2]",
    b">, method=PLAIN, rip=%m, lip=192.0.2.1, session=<x>", b" rip=%m,", b"user=<a>, rip=%m", b"Login: user=<root>, rip=%m, lip=192.0.2.1, session=<x>",
    b",%m,<s>): unknown user", b"sql(x,%m): unknown user", b"(%m)", b"@%m", b"): unknown user", b"auth failed, 9 attempts",
    b"rhost=%m", b" rhost=%m", b" rhost=%m  user=root", b"SRC=%m DST=192.0.2.1 ",
    b"\rwarning: unknown[%m]: SASL PLAIN authentication failed: x", b"\x1b[2J", b"\0", b"\xff\xfe",
]  # fmt: skip
PLANTS = [p.replace(b"%m", MARK) for p in PLANTS]


def places(example, user):
    """Where a client's words stand, and whether only what a DNS name may hold."""
    found = {(*m.span(), False) for m in re.finditer(re.escape(user.encode()), example)} if user else set()
    found |= {(*m.span(1), False) for m in re.finditer(rb"(?:helo|from|to|user|username|sender|recipient)=<([^<>]*)>", example)}
    if b"tty=ssh" not in example and b"tty=NODEVssh" not in example:  # sshd sets no ruser
        found |= {(*m.span(1), False) for m in re.finditer(rb"ruser=(\S*) ", example)}
    return sorted(found | {(*m.span(1), True) for m in re.finditer(rb"(?:from|to|:) ([\w.-]+)\[[\d.:a-f]+\]", example)})


CASES = [(e.encode(), places(e.encode(), said.get("user"))) for f in FAMILIES for r in f.reads for e, said in r.examples.items()]
CASES = [(e, spots) for e, spots in CASES if spots]


def readings(line):
    fact, _ = read_line(line, Clock(NOW))
    yield from () if fact is None else (fact,)
    for compiled in (True, False):
        yield from (e.fact for e in Reader(Clock(NOW), compiled=compiled).read(line + b"\n"))


@pytest.mark.parametrize(("example", "spots"), CASES, ids=[e.decode()[:80] for e, _ in CASES])
def test_the_marker_is_never_blamed(example, spots):
    chance = random.Random(example)
    for begin, end, is_name in spots:
        singles = [(p,) for p in PLANTS]
        for parts in singles + [tuple(chance.choices(PLANTS, k=chance.choice((2, 3)))) for _ in range(40)]:
            plant = b"".join(parts)
            if is_name:
                plant = re.sub(rb"[^\w.-]", b".", plant)
            old = example[begin:end]
            for new in (plant, old + plant, plant + old):
                line = HEAD + example[:begin] + new + example[end:]
                assert [f.about for f in readings(line) if f.client == addresses[MARK]] == [], line


@pytest.mark.parametrize(
    ("message", "client"),
    [
        # Dovecot gives PAM the name as ruser: it may begin with a blank where auth_username_chars is empty
        (b"auth: pam_unix(dovecot:auth): %s ruser= rhost=198.51.100.66  user=root rhost=192.0.2.7", ""),
        (b"auth: pam_unix(dovecot:auth): %s ruser= rhost=198.51.100.66  user=root rhost=192.0.2.7  user=root", ""),
        (b"auth: pam_unix(dovecot:auth): %s ruser=a rhost=198.51.100.66  user=root rhost=192.0.2.7", ""),
        (b"auth: pam_unix(dovecot:auth): %s ruser=a rhost=198.51.100.66 rhost=192.0.2.7", "192.0.2.7"),
        (b"auth: pam_unix(dovecot:auth): %s ruser=rhost=198.51.100.66 rhost=192.0.2.7", "192.0.2.7"),
        (b"auth: pam_unix(dovecot:auth): %s ruser=office rhost=192.0.2.7  user=office", "192.0.2.7"),
        (b"auth: pam_unix(dovecot:auth): %s ruser= rhost=192.0.2.7  user=office", "192.0.2.7"),
        # sshd sets no ruser, so the first is its own
        (b"sshd[7]: pam_unix(sshd:auth): %s ruser= rhost=192.0.2.7  user=x rhost=198.51.100.66", "192.0.2.7"),
    ],
)
def test_pam_says_rhost_twice(message, client):
    line = HEAD + message % b"authentication failure; logname= uid=0 euid=0 tty=x"
    assert {text(f.client) for f in readings(line) if f.weight} == ({client} if client else set())
