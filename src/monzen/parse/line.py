"""One line by itself, whatever its shape: what `monzen explain` says, and what the tests of all examples ask."""

from __future__ import annotations

from monzen.parse.clock import Clock
from monzen.parse.declare import CAP
from monzen.parse.header import Header, split
from monzen.parse.program import FAMILIES, Program, read_message
from monzen.pattern import match
from monzen.types import Fact

LONGEST = 1 << 16  # a longer line is skipped and counted
REPEATED = match(rb"message repeated (\d{1,9}) times: \[ ?")

_every = tuple(Program(b"postfix/smtpd" if f.name == "smtpd" else b"sshd" if f.name == "sshd" else f.name.encode(), f) for f in FAMILIES)


def unwrap(message: bytes) -> tuple[bytes, int]:
    """`message repeated 3 times: [ text]` to text and 3 (capped); any other message to itself and 1. Source: rsyslog, repeatedmsgreduction."""
    if message.startswith(b"message repeated "):
        m = REPEATED(message)
        if m is not None:
            text = message[m.end() :].rstrip()
            if text.endswith(b"]"):
                text = text[:-1].removesuffix(b" ")
            return text, min(max(int(m[1]), 1), CAP)
    return message, 1


def meaning(header: Header, *, bare: bool, live: bool = False) -> Fact | None:
    """What the message of a header says; without a program, and only if `bare` is allowed, what any program's message would say.

    `live`: only what matters to scan and live."""
    message, times = unwrap(header.message)
    fact: Fact | None = None
    if header.program is not None:
        fact = read_message(message, header.program, live=live)
    elif bare and not header.named:
        for program in _every:
            fact = read_message(message, program, live=live)
            if fact is not None:
                break
    if fact is not None and times > 1:
        fact = fact._replace(attempts=min(fact.attempts * times, CAP))
    return fact


def read_line(line: bytes, clock: Clock, *, bare: bool = True) -> tuple[Fact | None, float | None]:
    """What a line says by itself and when, each None where it says nothing. Never raises."""
    if len(line) > LONGEST:
        return None, None
    line = line.removesuffix(b"\r")
    header = split(line)
    fact = meaning(header, bare=bare)
    time = header.time if header.time is not None else clock.of(header.stamp) if header.stamp else None
    return fact, time
