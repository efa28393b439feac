"""A report of a part of a log: what was found there, by a judge who heard all that was before."""

from __future__ import annotations

from monzen.judge.judge import Judge


def limit(inside: Judge, whole: Judge, since: float) -> None:
    """Gives `inside`, which heard only the events from `since` (epoch seconds) on, the findings of `whole` that lie there.

    So who guessed before and got in after is found, who was denied before still is, and attempts, clients and knocks are those of
    the time that was asked for.
    """
    inside.breaches = [b for b in whole.breaches if b.at >= since]
    inside.sentences = [s for s in whole.sentences if s.until >= since]
    inside.spared = {key: s for key, s in whole.spared.items() if s.at >= since}
    inside.alarms = {key: a for key, a in whole.alarms.items() if a.until >= since}
    inside.told = [a for a in whole.told if a.until >= since]
    inside.forgotten = whole.forgotten
    # who got in has attacked, though it were before
    for key in {b.client if len(b.client) == 4 else b.client[:8] for b in inside.breaches}:
        client = inside.clients.get(key)
        if client is None or not (client.attempts or client.weak):
            inside.offenders += 1
