"""What is remembered of one client: as little as possible of one that came once."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from monzen.judge.lean import mypyc_attr
from monzen.judge.names import Name, akin, parts_of
from monzen.types import Verdict

EVIDENCE: Final = 3  # lines kept of a client: the first and the last ones
LONGEST: Final = 240  # bytes kept of a line
HURT: Final = 256  # users of a denied network that are kept: a /24 has no more
SLIPS: Final = 6  # names of a client that may be slips of others
KEPT: Final = 64  # stamps, names and recipients kept of a client

UNHURT: frozenset[bytes] = frozenset()  # an empty set of its own would be 216 bytes a sentence
NOBODY: list[bytes] = []
NAMELESS: list[Name] = []
NEVER: list[float] = []
NOTHING: list[int] = []


@mypyc_attr(acyclic=True)
class Record:
    """What a client did that offended more than once, or at once by several tries."""

    __slots__ = ("addresses", "asked", "did", "evidence", "named", "nameless", "names", "recipients", "signs", "stamps", "texts")

    def __init__(self) -> None:  # lists that may stay empty are one and the same until something is put in
        self.stamps: list[float] = []  # of the last failures, oldest first
        self.names: list[Name] = NAMELESS  # unlike ones, oldest first
        self.named: list[float] = NEVER  # when each of them was last tried
        self.nameless: list[float] = NEVER  # failures of which the log names nobody
        self.recipients: list[int] = NOTHING  # hashes of unlike recipients
        self.asked = 0.0  # when the first of them was asked for
        self.texts: list[int] = NOTHING  # hashes of names that were taken for slips of another
        self.signs: list[float] = NEVER  # of protocol abuse
        self.did: list[int] = NOTHING  # kind * 16 + service, how often, and so on
        self.evidence: list[bytes] = NOBODY
        self.addresses: list[bytes] = NOBODY  # of a /64: the full addresses seen, a few

    def name(self, name: Name, time: float) -> None:
        """Keeps one of each family of names that a person may mix up, and when it was last tried."""
        parts = parts_of(name.local)
        for i in range(len(self.names)):
            other = self.names[i]
            if other is name or other.text == name.text:
                self.named[i] = time
                return
            if akin(other.local, name.local, parts) and self._slip(crc32(name.text)):
                self.named[i] = time
                return
        if not self.names:
            self.names, self.named = [name], [time]
            return
        if len(self.names) >= KEPT:
            del self.names[0]
            del self.named[0]
        self.names.append(name)
        self.named.append(time)

    def _slip(self, text: int) -> bool:
        """Whether a name may pass for a slip of another: a person knows a few ways to write one, a list has hundreds."""
        texts = self.texts
        if text in texts:
            return True
        if len(texts) >= SLIPS:
            return False
        if texts:
            texts.append(text)
        else:
            self.texts = [text]
        return True

    def failed(self, time: float, times: int, named: bool) -> None:
        """Keeps the stamps of failures."""
        for _ in range(min(times, KEPT)):
            self.stamps.append(time)
        if len(self.stamps) > KEPT:
            del self.stamps[: len(self.stamps) - KEPT]
        if not named:
            if not self.nameless:
                self.nameless = []
            for _ in range(min(times, KEPT)):
                self.nameless.append(time)
            if len(self.nameless) > KEPT:
                del self.nameless[: len(self.nameless) - KEPT]


@mypyc_attr(acyclic=True)
class Trust:
    """What a client did well."""

    __slots__ = ("day", "days", "first", "last", "logins", "mail_days", "mail_last", "mails", "name", "names")

    def __init__(self) -> None:
        self.logins = self.days = self.mails = self.mail_days = 0
        self.first = self.last = self.mail_last = 0.0
        self.day = 0.0  # when the last of the days was counted
        self.name = b""  # that logged in from here first
        self.names: list[bytes] = NOBODY  # the others

    def holds(self, name: bytes) -> bool:
        """Whether a name logged in from here."""
        return name == self.name or name in self.names

    def people(self) -> int:
        """How many accounts logged in from here."""
        return len(self.names) + 1 if self.name else 0

    def add(self, name: bytes) -> None:
        """A name logged in from here."""
        if not self.name:
            self.name = name
        elif not self.names:
            self.names = [name]
        else:
            if len(self.names) >= KEPT:
                del self.names[0]
            self.names.append(name)


@mypyc_attr(acyclic=True)
class Client:
    """One client: an IPv4 address or an IPv6 /64 (its bytes are the key in Judge.clients)."""

    __slots__ = ("attempts", "first", "last", "name", "record", "sentence", "trust", "weak", "what")

    def __init__(self, time: float) -> None:
        self.first = self.last = time  # offences, or the last sign of life of one that never offended
        self.attempts = 0  # strong ones
        self.weak = 0
        self.what = 0  # kind * 16 + service of the only offence
        self.name: Name | None = None  # the name of the only offence
        self.record: Record | None = None
        self.trust: Trust | None = None
        self.sentence: Past | None = None

    @property
    def good(self) -> int:
        """Good logins."""
        return self.trust.logins if self.trust is not None else 0

    @property
    def deed(self) -> int:
        """What it did first: kind * 16 + service."""
        return self.record.did[0] if self.record is not None and self.record.did else self.what

    @property
    def names(self) -> list[bytes]:
        """Names it tried, unlike ones."""
        if self.record is not None and self.record.names:
            return [n.text for n in self.record.names]
        return [self.name.text] if self.name is not None else []

    @property
    def addresses(self) -> list[bytes]:
        """Of a /64: the full addresses seen, a few."""
        return self.record.addresses if self.record is not None else NOBODY

    def deeds(self) -> dict[int, int]:
        """What it did: kind * 16 + service to how often."""
        if self.record is None:
            return {self.what: self.attempts + self.weak} if self.what else {}
        did = self.record.did
        return dict(zip(did[::2], did[1::2], strict=True))


@mypyc_attr(acyclic=True)
class Past:
    """What a client's own record keeps of a sentence: all that its next offence asks for, in half the memory."""

    __slots__ = ("at", "last_knock", "length", "returns", "rule", "shape", "until")

    def __init__(self, at: float, length: float, rule: str) -> None:
        self.at, self.length, self.rule = at, length, rule
        self.until = at + length
        self.last_knock = at
        self.shape = 0  # of the session that a campaign's member was convicted for
        self.returns = 0  # how often a client was denied again, -1 of a campaign's member

    def knock(self, time: float, times: int = 1) -> None:
        """The source is not quiet: its sentence begins anew."""
        self.until = time + self.length
        self.last_knock = time

    def past(self) -> Past:
        """The same, without what only those that are listed have."""
        past = Past(self.at, self.length, self.rule)
        past.until, past.last_knock, past.shape, past.returns = self.until, self.last_knock, self.shape, self.returns
        return past


@mypyc_attr(acyclic=True)
class Sentence(Past):
    """A verdict while it lasts: it ends when the source has been quiet for `length` seconds."""

    __slots__ = ("attempts", "bits", "clients", "days", "detail", "evidence", "hurt", "knocks", "number", "target")

    def __init__(
        self,
        target: bytes,
        bits: int,
        at: float,
        length: float,
        rule: str,
        clients: int,
        attempts: int,
        evidence: tuple[bytes, ...],
    ) -> None:
        super().__init__(at, length, rule)
        self.target, self.bits = target, bits
        self.clients, self.attempts, self.evidence = clients, attempts, evidence
        self.knocks = 0
        self.number = 0  # in the order in which they were given
        self.days = 1  # on which it was done, or gone on with
        self.detail = 0  # what the rule counted: unlike names, recipients, signs, offenders, networks
        self.hurt: frozenset[bytes] = UNHURT

    def knock(self, time: float, times: int = 1) -> None:
        """The source is not quiet: its sentence begins anew."""
        self.until = time + self.length
        if time - self.last_knock > 600.0 and time // 86400.0 != self.last_knock // 86400.0:
            self.days += 1
        self.last_knock = time
        self.knocks += times

    def hurt_by(self, key: bytes) -> None:
        """A user logged in from where it denies."""
        if key not in self.hurt and len(self.hurt) < HURT:
            self.hurt |= {key}

    def verdict(self) -> Verdict:
        """What is handed out: as it stands now."""
        return Verdict(self.target, self.bits, self.at, self.until, self.rule, self.clients, self.attempts, self.evidence)
