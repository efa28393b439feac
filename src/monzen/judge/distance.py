"""How near a client is to each rule: what the judge would count at its next failure, beside what the policy asks for."""

from __future__ import annotations

from typing import NamedTuple

from monzen.judge.client import Client, Sentence
from monzen.judge.judge import Judge
from monzen.judge.prefixes import within
from monzen.judge.rules import HOUR, SSH, steady
from monzen.types import Kind

FAILURE = int(Kind.AUTH_FAILURE)


class Distance(NamedTuple):
    """One rule: how much of what it counts there is, and from how much on it denies."""

    rule: str  # the key of the policy that holds the limit
    have: int
    need: int


def distances(judge: Judge, key: bytes) -> list[Distance]:
    """Of each rule that has counted something of a client; most of its limit first. `key` is its address or /64."""
    client = judge.clients.get(key)
    if client is None:
        return []
    policy, record, now = judge.policy, client.record, judge.now
    since = now - policy.memory
    if client.sentence is not None:
        since = max(since, client.sentence.at)
    ssh = client.deed % 16 == SSH
    found: list[Distance] = []
    if record is not None:
        names = [n for n, t in zip(record.names, record.named, strict=True) if t > since]
        ghosts = sum(
            1 for n in names if not n.exists and (n.ghost or len(n.networks) >= policy.hot) and not judge.names.is_kin(n)
        )
        known = client.trust is not None and client.trust.days >= policy.known_days
        found.append(Distance("known_ghosts" if known else "ghosts", ghosts, policy.known_ghosts if known else policy.ghosts))
        real = all(n.exists for n in names)
        found.append(Distance("real_names" if real else "names", len(names), policy.real_names if real else policy.names))
        stamps = [t for t in record.stamps if t >= since]
        nameless = [t for t in record.nameless if t >= since]
        if ssh:
            found.append(Distance("ssh", len(stamps), policy.ssh))
        else:
            found.append(Distance("one_name", sum(t >= now - policy.window for t in stamps), policy.one_name))
            hour = [t for t in stamps if t >= now - HOUR]
            if len(hour) > 2 and not steady(hour):
                found.append(Distance("one_name_hour", len(hour), policy.one_name_hour))
            if not names:
                found.append(Distance("nameless", sum(t >= now - policy.window for t in nameless), policy.nameless))
            if len(names) != 1:
                found.append(Distance("slow", len(stamps), policy.slow))
        kinds = {what // 16 for what in record.did[::2]}
        if int(Kind.RELAY_DENIED) in kinds:
            found.append(Distance("relay", len(record.recipients), policy.relay))
        if int(Kind.RECIPIENT_UNKNOWN) in kinds:
            mails = client.trust.mails if client.trust is not None else 0
            found.append(Distance("recipients", len(record.recipients), policy.recipients + policy.recipients_per_mail * mails))
        found.append(Distance("abuse", len(record.signs), policy.abuse))
    if len(key) == 4 and (client.attempts or client.weak):
        others = judge.networks.get(key[:3])
        count = judge.others(others, key, now) if others is not None else 0
        found.append(Distance("offenders", count, policy.offenders))
    return sorted((d for d in found if d.have), key=lambda d: (-d.have / d.need, d.rule))


def network_distances(judge: Judge, target: bytes, bits: int) -> list[Distance]:
    """How near a /24 is to being closed, and to one failure being enough in it; nothing of other networks."""
    network = judge.networks.get(target) if (len(target), bits) == (3, 24) else None
    if network is None:
        return []
    policy, now = judge.policy, judge.now
    at_once = len(network.recent_members(now - policy.window))
    slowly = len(network.recent_members(now - policy.memory))
    found = [Distance("crowd", at_once, policy.crowd), Distance("slow_crowd", slowly, policy.offenders)]
    return [d for d in found if d.have]


def sentences(judge: Judge, target: bytes, bits: int) -> list[tuple[Sentence, float]]:
    """The denials of an address and of the networks around it, or inside a network, and from when; in order of time."""
    found = [(s, at) for s, at in judge.imposed() if within(s.target, target, bits) or within(target, s.target, s.bits)]
    return sorted(found, key=lambda x: x[1])


def mercies(judge: Judge, key: bytes, client: Client | None) -> list[str]:
    """What spares a client: "shielded", "known", "young" (logged in, but not on enough days), "neighbour" (its network only)."""
    found = []
    if judge.shield.covers(key):
        found.append("shielded")
    if client is not None and client.trust is not None and client.trust.logins:
        trust = client.trust
        known = trust.days >= judge.policy.known_days and trust.last >= judge.now - judge.policy.known_for
        found.append("known" if known else "young")
    if client is not None and client.trust is not None and client.trust.mail_days > 1:
        found.append("sender")
    if len(key) == 4 and any(k != key for k in [*judge.users.get(key[:3], ()), *judge.senders.get(key[:3], ())]):
        found.append("neighbour")
    return found
