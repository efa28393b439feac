"""The prefix around networks that are closed: only with a routing table, which says that they are one."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import Sentence
from monzen.judge.findings import Spared
from monzen.judge.neighbours import SHOWN, Neighbours
from monzen.judge.prefixes import cut, within

CLOSERS: Final = ("crowd", "hopper")  # the rules that close a network on enough evidence to look around it
NONE: Final[list[Sentence]] = []


class Routed(Neighbours):
    """The rule "wide"."""

    def _routed_sentence(self, key: bytes, now: float) -> Sentence | None:
        """The sentence of the routed prefix that a client is in, if one lasts."""
        for sentence in self.routed.get(self._block(key), NONE):
            if now <= sentence.until and within(key, sentence.target, sentence.bits):
                return sentence
        return None

    def _widen(self, where: bytes, now: float) -> None:
        """A /24 or a /48 was closed: where enough others of the same AS around it are closed too, its prefix is.

        Never wider than the policy says, nor where somebody lives, nor where another AS announces a part of it."""
        routes, policy = self.routes, self.policy
        if routes is None:
            return
        asn = routes.origin(where)
        if asn < 0 or self._routed_sentence(where, now) is not None:
            return
        widest = policy.widest4 if len(where) == 3 else policy.widest6
        closed = [s for s in self._closed(where, widest, now) if routes.origin(s.target) == asn]
        if len(closed) < policy.wide_closed:
            return
        for bits in routes.around(where, widest, asn):
            if routes.shared(where, bits, asn):
                return
            self._close_prefix(cut(where, bits), bits, closed, now)
            return

    def _close_prefix(self, target: bytes, bits: int, closed: list[Sentence], now: float) -> None:
        many = sum(s.clients for s in closed)
        attempts = sum(s.attempts for s in closed)
        evidence = tuple(line for s in closed for line in s.evidence[-1:])[-SHOWN:]
        if self.shield.holds(target, bits):
            self._spare(Spared(target, bits, now, "wide", "shielded", many, attempts, evidence))
            return
        if self._settled(target, bits):
            self._spare(Spared(target, bits, now, "wide", "known-neighbour", many, attempts, evidence))
            return
        length = min(s.length for s in closed)  # no longer than any of what it is made of
        sentence = self._sentence(target, bits, now, length, "wide", many, attempts, evidence)
        sentence.detail = len(closed)
        self.around = max(self.around, sentence.until)
        block = self._block(target)
        lasting = [s for s in self.routed.get(block, NONE) if now <= s.until]
        if block not in self.routed and len(self.routed) >= self.policy.networks:
            del self.routed[next(iter(self.routed))]
        self.routed[block] = [*lasting, sentence]

    def _closed(self, where: bytes, widest: int, now: float) -> list[Sentence]:
        """The sentences of the /24 (or /48) around it that last."""
        table = self.networks if len(where) == 3 else self.wide
        first = int.from_bytes(cut(where, widest), "big")
        found: list[Sentence] = []
        for n in range(first, first + (1 << (8 * len(where) - widest))):
            network = table.get(n.to_bytes(len(where), "big"))
            if network is not None:
                sentence = network.sentence
                if sentence is not None and now <= sentence.until and sentence.rule in CLOSERS:
                    found.append(sentence)
        return found

    def _settled(self, target: bytes, bits: int) -> bool:
        """Whether anybody ever logged in from a prefix, or brings mail."""
        size = len(target)
        first = int.from_bytes(target, "big")
        users = self.users if size == 3 else self.users6
        for n in range(first, first + (1 << (8 * size - bits))):
            near = n.to_bytes(size, "big")
            if near in users or (size == 3 and near in self.senders):
                return True
        return size == 6 and any(len(k) == 8 and within(k, target, bits) for k in self.senders)
