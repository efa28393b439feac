"""A release, as the judge takes it: what a network did until then is as if it had not been. Logins and mail stay."""

from __future__ import annotations

from collections.abc import Iterable

from monzen.judge.client import Client, Sentence
from monzen.judge.judge import Judge
from monzen.judge.network import Network
from monzen.judge.prefixes import within
from monzen.judge.tables import number_of


def pardon(judge: Judge, network: bytes, bits: int, now: float) -> int:
    """Forget what this network (all of its bytes, prefix length) did: returns how many clients were forgiven.

    A denial of a wider network around it stays, as it does in the gate; its own, and those inside, are over.
    """
    forgiven = 0
    for key in _keys(judge, network, bits):
        _forgive(judge, key, judge.clients[key])
        forgiven += 1
    for s in judge.sentences:
        if s.until >= now and _inside(s.target, s.bits, network, bits):
            s.until = min(s.until, now)
    for table in (judge.networks, judge.wide, judge.groups):
        for key, about in _around(table, network):
            _expel(about, network, bits)
            if _inside(key, 8 * len(key), network, bits):
                about.sentence, about.parts, about.convicted, about.returns = None, [], 0, 0
    _dissolve(judge, network)
    judge.count_convicts()
    return forgiven


def lift(judge: Judge, target: bytes, bits: int, now: float) -> None:
    """The gate did not impose this: it does not last, so what comes next counts again."""
    for s in judge.sentences:
        if s.until >= now and s.bits == bits and target.startswith(s.target):
            s.until = min(s.until, now - 1.0)


def _inside(key: bytes, length: int, network: bytes, bits: int) -> bool:
    """Whether a key (leading bytes of an address) of this prefix length lies in a network."""
    if (len(key) <= 4 and length <= 32) != (len(network) == 4) or length < bits:
        return False
    return within(key.ljust(len(network), b"\0"), network, bits)


def _keys(judge: Judge, network: bytes, bits: int) -> list[bytes]:
    """The clients in a network. Of one address of a /64 that whole /64: it counts as one."""
    if len(network) == 4 and bits == 32:
        return [network] if network in judge.clients else []
    if len(network) == 16 and bits >= 64:
        return [network[:8]] if network[:8] in judge.clients else []
    size = 4 if len(network) == 4 else 8
    return [key for key in judge.clients if len(key) == size and within(key.ljust(len(network), b"\0"), network, bits)]


def _forgive(judge: Judge, key: bytes, client: Client) -> None:
    client.attempts = client.weak = client.what = 0
    client.name = client.record = None
    sentence = client.sentence
    if sentence is not None:
        if isinstance(sentence, Sentence):
            sentence.until = min(sentence.until, judge.now)
        client.sentence = None
    judge.firsts.pop(key, None)
    judge.silent.pop(key, None)
    judge.hot.pop(key, None)
    judge.knockers.pop(key, None)
    if len(key) == 4 and judge.alone.get(number_of(key)) == key[3]:
        del judge.alone[number_of(key)]


def _around(table: dict[bytes, Network], network: bytes) -> Iterable[tuple[bytes, Network]]:
    """The networks of a table that may have to do with this one: of the same family, sharing their first bytes."""
    return [(key, about) for key, about in table.items() if (len(key) <= 4) == (len(network) == 4) and network[:2] == key[:2]]


def _expel(about: Network, network: bytes, bits: int) -> None:
    size = len(network)
    kept = [m for m in about.members if not within(m.ljust(size, b"\0"), network, bits)]
    if len(kept) < len(about.members):
        about.members, about.hosts = kept, 0
        about.recent = [r for r in about.recent if not within(r[1].ljust(size, b"\0"), network, bits)]


def _dissolve(judge: Judge, network: bytes) -> None:
    """A /24 with fewer than two offenders left is none that the judge keeps: how it counts them would not be the same."""
    for key, about in _around(judge.networks, network):
        if len(about.members) > 1 or about.sentence is not None or about.parts or about.returns:
            continue
        del judge.networks[key]
        for member in about.members:
            judge.alone[number_of(key)] = member[3]
