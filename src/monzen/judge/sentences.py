"""The sentences that the judge gave: in order, as a firewall would get them, and which are forgotten first."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import Client, Sentence
from monzen.judge.findings import Findings
from monzen.judge.policy import Policy
from monzen.judge.prefixes import within

FAR: Final = float("inf")
SINGLE: Final = (32, 64)  # bits of a sentence of one client
SIX: Final = 1 << 60  # apart from the blocks of IPv4


class Sentences(Findings):
    """What was given, and to whom: a client knows its own."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.clients: dict[bytes, Client] = {}
        self.singles: list[Sentence] = []  # of one client each, and
        self.shared: list[Sentence] = []  # of networks: apart, since those of clients are forgotten first
        self.listed: list[Sentence] | None = None  # both in order, when somebody asked for them
        self.given = 0  # sentences, ever
        self.ends = 0.0  # no listed sentence ended before
        self.forgotten = 0
        self.now = 0.0

    def _sentence(
        self,
        target: bytes,
        bits: int,
        now: float,
        length: float,
        rule: str,
        clients: int,
        attempts: int,
        evidence: tuple[bytes, ...],
    ) -> Sentence:
        sentence = Sentence(target, bits, now, length, rule, clients, attempts, evidence)
        sentence.number = self.given
        self.given += 1
        (self.singles if bits in SINGLE else self.shared).append(sentence)
        if self.listed is not None:
            self.listed.append(sentence)
        if sentence.until < self.ends:
            self.ends = sentence.until
        if len(self.singles) + len(self.shared) > self.policy.sentences:
            self._forget_sentences(now)
        return sentence

    @property
    def sentences(self) -> list[Sentence]:
        """Those that are remembered, in the order in which they were given. Not to be changed."""
        listed = self.listed
        if listed is None:
            listed = self.listed = [*self.singles, *self.shared]
            listed.sort(key=lambda s: s.number)
        return listed

    @sentences.setter
    def sentences(self, listed: list[Sentence]) -> None:
        self.singles = [s for s in listed if s.bits in SINGLE]
        self.shared = [s for s in listed if s.bits not in SINGLE]
        self.listed = None
        self.given = listed[-1].number + 1 if listed else 0
        self.ends = 0.0

    def _block(self, key: bytes) -> int:
        """The number of the widest network that could be denied around a client or a network."""
        if len(key) <= 4:
            return int.from_bytes(key[:3], "big") >> (24 - self.policy.widest4)
        return SIX | int.from_bytes(key[:6], "big") >> (48 - self.policy.widest6)

    def imposed(self) -> list[tuple[Sentence, float]]:
        """The sentences as a firewall would get them, and from when: one that a wider one covers begins when that ends."""
        last = self.now
        wide: dict[bytes, list[Sentence]] = {}
        routed: dict[int, list[Sentence]] = {}
        for s in self.sentences:
            if s.rule == "wide":
                routed.setdefault(self._block(s.target), []).append(s)
            elif s.bits in (24, 48, 56):
                wide.setdefault(s.target, []).append(s)
        out: list[tuple[Sentence, float]] = []
        for s in self.sentences:
            at = s.at
            around: list[Sentence] = []
            for size in (3,) if s.bits == 32 else (6, 7) if s.bits == 64 else ():
                around += wide.get(s.target[:size], ())
            if routed and s.rule != "wide":
                around += [w for w in routed.get(self._block(s.target), ()) if within(s.target, w.target, w.bits)]
                around.sort(key=lambda w: w.at)
            for w in around:
                if w.at <= at + 1.0 and at <= w.until:
                    at = w.until
            if at == s.at or (at < s.until and at < last):
                out.append((s, at))
        out.sort(key=lambda x: x[1])
        return out

    def _forget_sentences(self, now: float) -> None:
        """Drops a tenth of the sentences, the oldest: first those that ended, then those of single clients, then of networks.

        What is not imposed any more does not last: its source's next offence counts again."""
        many = left = max(1, self.policy.sentences // 10)
        if now > self.ends:
            ends, last = FAR, self.given
            for s in self.sentences:
                if s.until < now:
                    left -= 1
                    if not left:
                        last = s.number
                        break
                elif s.until < ends:
                    ends = s.until
            else:
                self.ends = ends
            if left < many:
                self.singles = self._lasting(self.singles, last, now)
                self.shared = self._lasting(self.shared, last, now)
        for queue in (self.singles, self.shared):
            gone = queue[:left]
            del queue[:left]
            left -= len(gone)
            for s in gone:
                self._unlist(s, now)
        self.listed = None
        self.forgotten += many

    def _lasting(self, queue: list[Sentence], last: int, now: float) -> list[Sentence]:
        """Unlists the sentences that ended, up to the last one; the others."""
        kept: list[Sentence] = []
        for s in queue:
            if s.until < now and s.number <= last:
                self._unlist(s, now)
            else:
                kept.append(s)
        return kept

    def _unlist(self, sentence: Sentence, now: float) -> None:
        """A sentence is forgotten; its client remembers that it was."""
        sentence.evidence = ()
        sentence.until = min(sentence.until, now)
        if sentence.bits in SINGLE:
            client = self.clients.get(sentence.target)
            if client is not None and client.sentence is sentence:
                client.sentence = sentence.past()
