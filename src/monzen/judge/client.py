"""What is remembered of one client, and of one network."""

from __future__ import annotations

from monzen.types import Verdict

EVIDENCE = 3  # lines kept of a client: the last ones
HURT = 256  # users of a denied network that are kept: a /24 has no more
NAMES = 8  # names kept of a client; more are only counted


# Shared by all that have nothing yet, and never written to: most clients are seen once.
NOTHING: list[int] = []
NOBODY: list[bytes] = []
UNHURT: frozenset[bytes] = frozenset()  # an empty set of its own would be 216 bytes a sentence


class Client:
    """One client: an IPv4 address or an IPv6 /64 (its bytes are the key in Judge.clients)."""

    __slots__ = (
        "abuse",
        "addresses",
        "attempts",
        "did",
        "evidence",
        "first",
        "good",
        "good_first",
        "good_last",
        "last",
        "mails",
        "names",
        "ordinal",
        "stamps",
        "verdict",
        "weak",
    )

    def __init__(self, time: float) -> None:
        self.first = self.last = time
        self.attempts = 0  # strong ones
        self.weak = 0  # weak ones
        self.abuse = 0
        self.stamps: list[float] | None = None  # of the last strong attempts, oldest first
        self.did: list[int] = NOTHING  # kind * 16 + service, how often, and so on: a list of four is a third of a dict of two
        self.names: list[bytes] = NOBODY
        self.addresses: list[bytes] = NOBODY  # of a /64: the full addresses seen, a few
        self.evidence: list[bytes] = NOBODY
        self.good = self.mails = 0
        self.good_first = self.good_last = 0.0
        self.verdict: Sentence | None = None
        self.ordinal = 0


    def deeds(self) -> dict[int, int]:
        """What it did: kind * 16 + service to how often."""
        return dict(zip(self.did[::2], self.did[1::2], strict=True))


class Sentence:
    """A verdict while it lasts: it ends when the source has been quiet for `length` seconds."""

    __slots__ = ("at", "attempts", "bits", "clients", "evidence", "hurt", "knocks", "length", "rule", "target", "until")

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
        self.knocks = 0
        self.hurt: frozenset[bytes] = UNHURT

    def knock(self, time: float, times: int = 1) -> None:
        """The source is not quiet: its sentence begins anew."""
        self.until = time + self.length
        self.knocks += times

    def hurt_by(self, key: bytes) -> None:
        """A user logged in from where it denies."""
        if key not in self.hurt and len(self.hurt) < HURT:
            self.hurt |= {key}

    def verdict(self) -> Verdict:
        """What is handed out: as it stands now."""
        return Verdict(self.target, self.bits, self.at, self.until, self.rule, self.clients, self.attempts, self.evidence)
