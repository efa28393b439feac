"""Networks to deny for good: what no log can know, a person may."""

from __future__ import annotations

from typing import NamedTuple

from monzen.judge.client import Sentence
from monzen.judge.judge import Judge

DAYS = 3  # days on which a network attacked: once is a bad evening, twice may be chance
CLIENTS = 3
DAY = 86400.0


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
    """The networks of which at least three clients were denied, and that attacked on at least three days; most attempts first.

    None in which somebody ever logged in, or from which mail was accepted.
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
    found = []
    for (target, bits), sentences in by_network.items():
        if len(sentences) == 1 and sentences[0].days < DAYS:
            continue
        days = max(len({int(t // DAY) for s in sentences for t in (s.at, s.last_knock)}), *(s.days for s in sentences))
        if days < DAYS or target in good:
            continue
        keys = {s.target for s in sentences if s.bits in (32, 64)}
        network = judge.networks.get(target) or judge.wide.get(target)
        if network is not None:
            keys |= set(network.members)
        if len(keys) < CLIENTS:
            continue
        clients = [judge.clients[k] for k in keys if k in judge.clients]
        found.append(
            Proposal(
                target,
                bits,
                days,
                len(keys),
                sum(c.attempts + c.weak for c in clients),
                min(s.at for s in sentences),
                max(s.last_knock for s in sentences),
                tuple(line for s in sentences[-3:] for line in s.evidence[-1:]),
            )
        )
    return sorted(found, key=lambda p: (-p.attempts, p.target))
