"""How a program's module declares what it can read: a literal, an anchored pattern, what it means, and examples.

Patterns are matched from the start of the message, on bytes, with DOTALL. Rules that keep hostile text harmless and the
time linear: fixed words up to the address (Postfix) or an address anchored at the end (Dovecot, sshd); possessive
repeats on character classes; no possessive or atomic *groups* (wrong in CPython 3.11.2, which Debian 12 ships: gh-106052).

Named groups a pattern may have: address, user, attempts, detail; the rest is for `refine`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from monzen.parse.address import addresses, is_local
from monzen.types import Fact, Join, Kind, Service, Weight

WHOLE = 900
"""Bytes. sshd cuts its messages at 1,023 bytes and old syslogds whole lines at 1,024, rsyslog at 8,192: of a longer message the end,
and with it the address, may be what a client wrote into its name. No honest login writes so much."""
CAP = 100  # attempts that one line can claim; rsyslog's and Dovecot's own counters stay far below it

ADDRESS = rb"(?P<address>[0-9A-Fa-f:.]{1,44}(?:[0-9A-Fa-f]|::)(?:%[\w.-]{1,16})?)"  # what follows it may begin with a colon
PEER = rb"[^\s\[\]]*+\[(?P<address>[^\s\[\]]*+)\](?::\d++)?"  # Postfix: name[address], name[address]:port


class Key(IntEnum):
    """Which part of a message says it all, so that the next line with the same part need not be matched again."""

    NEVER = 0  # ports, ids or counters everywhere
    WHOLE = 1
    AFTER_ID = 2  # Postfix: what follows the queue id
    BEFORE_SESSION = 3  # Dovecot: up to and including the last `lip=`


class Reads(NamedTuple):
    """One kind of line. `weight` and `kind` are what it means by itself; `refine` may say more from the match."""

    about: str
    literal: bytes | tuple[bytes, ...]  # without one of these in it, a line is not of this kind
    pattern: bytes
    kind: Kind
    weight: Weight = Weight.NONE
    join: Join = Join.ALONE
    account: bool | None = None
    service: Service | None = None  # None: the program's
    key: Key = Key.NEVER
    longest: int = 1 << 16  # bytes of message that are believed; WHOLE where the address stands behind a client's words
    live: bool = True  # whether scan and live need it; if not, it is read by explain only
    refine: Callable[[re.Match[bytes]], Mapping[str, Any] | None] | None = None
    build: Callable[[re.Match[bytes], int], Fact | None] | None = None  # instead of all this, for the lines that come most
    examples: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    @property
    def literals(self) -> tuple[bytes, ...]:
        """The literals as a tuple, also where there is one."""
        return self.literal if isinstance(self.literal, tuple) else (self.literal,)


Reader = Callable[[bytes, int], "Fact | None"]


def fact(
    kind: int,
    weight: int,
    client: bytes,
    user: bytes | None,
    service: int,
    attempts: int,
    account: bool | None,
    detail: bytes | None,
    join: int,
    about: str,
) -> Fact:
    """A Fact; what would be held against nobody, this machine or a gateway that all clients look like, has no weight."""
    if weight and (not client or is_local(client)):
        weight = 0
    return new(Fact, (kind, weight, client, user, service, attempts, account, detail, join, about))


new = tuple.__new__


def reader(reads: Reads) -> Reader:
    """A function from message and the program's service to its Fact, or None where the line is of another kind."""
    pattern = re.compile(reads.pattern, re.DOTALL)
    match, build, refine, longest = pattern.match, reads.build, reads.refine, reads.longest
    if build is not None:

        def hot(message: bytes, service: int) -> Fact | None:
            m = match(message) if len(message) <= longest else None
            return None if m is None else build(m, service)

        return hot
    has_address, has_user, has_attempts, has_detail = (n in pattern.groupindex for n in ("address", "user", "attempts", "detail"))
    kind, weight, account, join, about = int(reads.kind), int(reads.weight), reads.account, int(reads.join), reads.about
    own_service = int(reads.service or 0)

    def read(message: bytes, service: int) -> Fact | None:
        m = match(message) if len(message) <= longest else None
        if m is None:
            return None
        said = fact(
            kind,
            weight,
            addresses[m["address"]] if has_address and m["address"] else b"",
            (m["user"][:255] or None) if has_user and m["user"] else None,
            own_service or service,
            min(int(m["attempts"] or 1), CAP) if has_attempts else 1,
            account,
            (m["detail"][:255] or None) if has_detail and m["detail"] else None,
            join,
            about,
        )
        if refine is not None:
            more = refine(m)
            if more is None:
                return None
            if more:
                # what has no client or a local one was made weightless above; what the declaration says of the weight holds again
                said = fact(*said._replace(**{"weight": weight, **more}))
        return said

    return read


class Family(NamedTuple):
    """A program, under all the names it logs under, and what can be read of it, in the order it is tried."""

    name: str
    reads: tuple[Reads, ...]
