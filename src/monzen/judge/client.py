"""What is remembered of one client: as little as possible of one that came once."""

from __future__ import annotations

from typing import Final

from monzen.judge.names import Name
from monzen.types import Verdict

EVIDENCE: Final = 3  # lines kept of a client: the first and the last ones
HURT: Final = 256  # users of a denied network that are kept: a /24 has no more
KEPT: Final = 64  # stamps, names and recipients kept of a client

UNHURT: frozenset[bytes] = frozenset()  # an empty set of its own would be 216 bytes a sentence
NOBODY: list[bytes] = []


class Record:
    """What a client did that offended more than once, or at once by several tries."""

    __slots__ = ("addresses", "did", "evidence", "named", "nameless", "names", "recipients", "signs", "single", "stamps")

    def __init__(self) -> None:
        self.stamps: list[float] = []  # of the last failures, oldest first
        self.names: list[Name] = []  # unlike ones, oldest first
        self.named: list[float] = []  # when each of them was last tried
        self.nameless: list[float] = []  # failures of which the log names nobody
        self.recipients: list[int] = []  # hashes of unlike recipients
        self.signs: list[float] = []  # of protocol abuse
        self.did: list[int] = []  # kind * 16 + service, how often, and so on
        self.evidence: list[bytes] = []
        self.addresses: list[bytes] = NOBODY  # of a /64: the full addresses seen, a few
        self.single = True  # all failures named one name, or none


class Trust:
    """What a client did well."""

    __slots__ = ("days", "first", "last", "logins", "mail_days", "mail_first", "mail_last", "mails", "names")

    def __init__(self) -> None:
        self.logins = self.days = self.mails = self.mail_days = 0
        self.first = self.last = self.mail_first = self.mail_last = 0.0
        self.names: list[Name] = []  # that logged in from here, the latest last


class Client:
    """One client: an IPv4 address or an IPv6 /64 (its bytes are the key in Judge.clients)."""

    __slots__ = ("attempts", "first", "last", "name", "points", "record", "returns", "sentence", "trust", "weak", "what")

    def __init__(self, time: float) -> None:
        self.first = self.last = time  # offences, or the last sign of life of one that never offended
        self.attempts = 0  # strong ones
        self.weak = 0
        self.points = 0.0  # unused until it offends
        self.what = 0  # kind * 16 + service of the only offence
        self.returns = 0
        self.name: Name | None = None  # the name of the only offence
        self.record: Record | None = None
        self.trust: Trust | None = None
        self.sentence: Sentence | None = None

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


class Sentence:
    """A verdict while it lasts: it ends when the source has been quiet for `length` seconds."""

    __slots__ = (
        "at",
        "attempts",
        "bits",
        "clients",
        "detail",
        "evidence",
        "hurt",
        "knocks",
        "last_knock",
        "length",
        "rule",
        "target",
        "until",
    )

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
        self.target, self.bits, self.at, self.length, self.rule = target, bits, at, length, rule
        self.clients, self.attempts, self.evidence = clients, attempts, evidence
        self.until = at + length
        self.last_knock = at
        self.knocks = 0
        self.detail = 0  # what the rule counted: unlike names, recipients, signs, offenders, networks
        self.hurt: frozenset[bytes] = UNHURT

    def knock(self, time: float, times: int = 1) -> None:
        """The source is not quiet: its sentence begins anew."""
        self.until = time + self.length
        self.last_knock = time
        self.knocks += times

    def hurt_by(self, key: bytes) -> None:
        """A user logged in from where it denies."""
        if key not in self.hurt and len(self.hurt) < HURT:
            self.hurt |= {key}

    def verdict(self) -> Verdict:
        """What is handed out: as it stands now."""
        return Verdict(self.target, self.bits, self.at, self.until, self.rule, self.clients, self.attempts, self.evidence)
