"""Networks to deny for good: what no log can know, a person may."""

from __future__ import annotations

from typing import NamedTuple

from monzen.judge.client import Client, Sentence
from monzen.judge.judge import Judge
from monzen.judge.policy import DAY

DAYS = 3  # days on which a network attacked: once is a bad evening, twice may be chance
CLIENTS = 3


class Proposal(NamedTuple):
    """A network that came back on several days and from which nothing good ever came."""

    target: bytes
    bits: int
    days: int
    clients: int
    attempts: int
    first: float
    last: float
    evidence: tuple[bytes, ...]


def proposals(judge: Judge) -> list[Proposal]:
    """The networks that were denied, or clients of them, of which at least three clients attacked, on at least three days.

    Most attempts first. None in which somebody ever logged in, from which mail was accepted, or of which a part is shielded.
    """
    by_network: dict[tuple[bytes, int], list[Sentence]] = {}
    for s in judge.sentences:
        if s.rule == "wide":
            continue  # its networks have sentences of their own
        if len(s.target) <= 4:
            by_network.setdefault((s.target[:3], 24), []).append(s)
        else:
            by_network.setdefault((s.target[:6], 48), []).append(s)
    good = {k[:3] if len(k) == 4 else k[:6] for k, c in judge.clients.items() if c.trust is not None}
    good |= judge.users.keys() | judge.users6.keys() | judge.senders.keys()
    offenders: dict[bytes, list[Client]] = {}
    for k, c in judge.clients.items():
        if c.attempts or c.weak:
            offenders.setdefault(k[:3] if len(k) == 4 else k[:6], []).append(c)
    found = []
    for (target, bits), sentences in by_network.items():
        if len(sentences) == 1 and sentences[0].days < DAYS:
            continue
        days = max(len({int(t // DAY) for s in sentences for t in (s.at, s.last_knock)}), *(s.days for s in sentences))
        if days < DAYS or target in good or judge.shield.holds(target, bits):
            continue
        clients = offenders.get(target, [])
        if len(clients) < CLIENTS:
            continue
        found.append(
            Proposal(
                target,
                bits,
                days,
                len(clients),
                sum(c.attempts + c.weak for c in clients),
                min(c.first for c in clients),
                max(c.last for c in clients),
                tuple(line for s in sentences[-3:] for line in s.evidence[-1:]),
            )
        )
    return sorted(found, key=lambda p: (-p.attempts, p.target))
