"""Networks: gangs, slow networks, hoppers; and what a conviction means for the network around."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import NOBODY, Client, Sentence
from monzen.judge.network import Network
from monzen.judge.shield import holds_shielded, shielded
from monzen.judge.tables import Spared, Tables

SHOWN: Final = 6  # lines of evidence of a network
DAY: Final = 86400.0

# How strange a failure is, beside what its account's own user does.
OWN: Final = 0  # a name that logged in from this client
REAL: Final = 1  # a name that has an account
UNCLEAR: Final = 2  # a name of which the log says nothing, or one like an account's
NAMELESS: Final = 3
GHOST: Final = 4  # a name without account
HOT: Final = 5  # a name that unrelated networks try and that never works


def empty_parts(residents: list[int]) -> list[tuple[int, int]]:
    """The half and the quarter of a /24 (first host number, prefix length) in which nobody lives; none where people are many."""
    if len(set(residents)) > 2:
        return []
    parts: list[tuple[int, int]] = []
    for half in (0, 128):
        if not any(half <= r < half + 128 for r in residents):
            parts.append((half, 25))
            continue
        for quarter in (half, half + 64):
            if not any(quarter <= r < quarter + 64 for r in residents):
                parts.append((quarter, 26))  # noqa: PERF401  # a comprehension in a loop reads worse
    return parts


class Networks(Tables):
    """The rules that look at more than one client."""

    def _wide_sentence(self, key: bytes, now: float) -> Sentence | None:
        """The sentence of the /56 or /48 of an IPv6 client, if one lasts."""
        for size in (7, 6):
            network = self.wide.get(key[:size])
            if network is not None:
                sentence = network.sentence
                if sentence is not None and now <= sentence.until:
                    return sentence
        return None

    def _among(self, key: bytes, client: Client, strange: int, points: int, now: float) -> None:
        """An offence beside those of its neighbours."""
        policy = self.policy
        if len(key) == 8:
            self._among6(key, client, strange, now)
            return
        network = self.networks.get(key[:3])
        if network is None:
            network = self._network(key[:3], now)
        network.offended(key, points, now)
        if client.trust is not None and client.trust.logins:
            return
        since, window = now - policy.memory, now - policy.window
        if len(network.members) >= policy.crowd and network.crowd(window, policy.crowd, policy.crowd_points):
            self._crowd(key[:3], network, now)
            return
        offenders = network.offenders(since, window, key)
        if strange >= NAMELESS:
            group = self._group(key, now)
            if group is not None:
                offenders = max(offenders, group.offenders(since, window, key) - policy.offenders)
        if (network.convicted >= 2 and strange != REAL) or (offenders >= policy.offenders and strange >= NAMELESS):
            self._convict(key, client, "neighbours", now, max(len(network.members), offenders))

    def _group(self, key: bytes, now: float) -> Network | None:
        """The /22 around a client in which more than one /24 offends."""
        where = bytes((key[0], key[1], key[2] & 0xFC))
        group = self.groups.get(where)
        if group is None:
            for i in range(4):
                c = (key[2] & 0xFC) + i
                if c != key[2] and bytes((key[0], key[1], c)) in self.networks:
                    if len(self.groups) >= self.policy.clients:
                        del self.groups[next(iter(self.groups))]
                    group = self.groups[where] = Network()
                    break
            else:
                return None
        group.offended(key, 1, now)
        return group

    def _crowd(self, where: bytes, network: Network, now: float) -> None:
        """Several clients of one network at once: the network is denied for an hour, its offenders for longer."""
        policy = self.policy
        members = network.recent_members(now - policy.window)
        attempts = 0
        lines: list[bytes] = []
        for k in network.members:
            client = self.clients.get(k)
            if client is not None:
                attempts += client.attempts
        for k in members:
            client = self.clients.get(k)
            if client is not None:
                lines += self.evidence(k, client)[-1:]
        evidence = tuple(lines[:SHOWN])
        many = len(network.members)
        if holds_shielded(where, self.own):
            self._spare(Spared(where, 24, now, "crowd", "shielded", many, attempts, evidence))
            return
        if self._inhabited(where, now):
            self._spare(Spared(where, 24, now, "crowd", "known-neighbour", many, attempts, evidence))
        else:
            self._close(where, 24, network, "crowd", policy.network_sentence, many, attempts, evidence, now)
        for k in members:
            client = self.clients.get(k)
            if client is not None and (client.trust is None or not client.trust.logins):
                self._convict(k, client, "crowd-member", now)

    def _close(
        self,
        where: bytes,
        bits: int,
        network: Network,
        rule: str,
        length: float,
        many: int,
        attempts: int,
        evidence: tuple[bytes, ...],
        now: float,
    ) -> None:
        policy = self.policy
        length = min(length * policy.growth ** min(network.returns, 8), policy.longest) if rule != "crowd" else length
        network.returns += 1
        network.sentence = self._sentence(where, bits, now, length, rule, many, attempts, evidence)

    def _among6(self, key: bytes, client: Client, strange: int, now: float) -> None:
        policy = self.policy
        if client.trust is not None and client.trust.logins:
            return
        for size, most in ((7, policy.hop6_56), (6, policy.hop6_48)):
            where = key[:size]
            network = self.wide.get(where)
            if network is None:
                network = self.wide[where] = Network()
            network.offended(key, 1, now)
            if network.returns and strange >= NAMELESS:
                most = 1
            if (
                network.offenders(now - DAY, now, key) + 1 >= most
                and not self._inhabited6(where, now)
                and not holds_shielded(where, self.own)
            ):
                lines: list[bytes] = []
                attempts = 0
                for k in network.members:
                    c = self.clients.get(k)
                    if c is not None:
                        attempts += c.attempts
                        lines += self.evidence(k, c)[-1:]
                self._close(
                    where,
                    size * 8,
                    network,
                    "hopper",
                    policy.hop_sentence,
                    len(network.members),
                    attempts,
                    tuple(lines[-SHOWN:]),
                    now,
                )
                return

    def _network(self, where: bytes, now: float) -> Network:
        if len(self.networks) >= self.policy.clients:
            self._forget_networks(now)
        network = self.networks[where] = Network()
        return network

    def _inhabited(self, where: bytes, now: float) -> bool:
        """Whether somebody of a /24 logged in lately, or brings mail."""
        for k in self.users.get(where, NOBODY):
            client = self.clients.get(k)
            if client is not None and client.trust is not None and client.trust.last >= now - self.policy.known_for:
                return True
        return where in self.senders

    def _inhabited6(self, where: bytes, now: float) -> bool:
        return any(k.startswith(where) and self._inhabited(k, now) for k in self.users if len(k) == 8)

    def _convict(self, key: bytes, client: Client, rule: str, now: float, detail: int = 0) -> None:
        """A client is denied; its network remembers it."""
        policy = self.policy
        bits = 32 if len(key) == 4 else 64
        if shielded(key, self.own):
            self._spare(Spared(key, bits, now, rule, "shielded", 1, client.attempts, self.evidence(key, client)))
            return
        if client.sentence is not None and now <= client.sentence.until:
            return
        new = client.sentence is None
        length = policy.client_sentence
        if new:
            client.returns = -1 if rule == "campaign" else 0
        elif client.returns >= 0:
            client.returns += 1
            length = min(length * policy.growth**client.returns, policy.longest)
        sentence = self._sentence(key, bits, now, length, rule, 1, client.attempts + client.weak, self.evidence(key, client))
        client.sentence = sentence
        record = client.record
        if detail or record is None:
            sentence.detail = detail
        elif rule == "names":
            sentence.detail = len(record.names)
        elif rule in ("relay", "harvest"):
            sentence.detail = len(record.recipients)
        else:
            sentence.detail = len(record.stamps)
        if bits == 64:
            return
        where = key[:3]
        network = self.networks.get(where)
        if network is None:
            network = self._network(where, now)
        if key not in network.members:
            network.offended(key, 1, now)
        if new:
            network.convicted += 1
            if rule != "crowd-member":
                self._hopper(where, network, client.deed, now)
        elif (
            network.returns
            and not network.parts
            and rule != "crowd-member"
            and not self._inhabited(where, now)
            and not holds_shielded(where, self.own)
            and (network.sentence is None or now > network.sentence.until)
        ):
            self._close(
                where,
                24,
                network,
                "crowd",
                policy.network_sentence,
                len(network.members),
                client.attempts,
                self.evidence(key, client),
                now,
            )

    def _hopper(self, where: bytes, network: Network, deed: int, now: float) -> None:
        """Convicts that never come back, and new ones all the time: the attacker moves through its network, or its /22."""
        policy = self.policy
        old = back = 0
        for near in self._neighbourhood(where):
            beside = self.networks.get(near)
            if beside is None or (near != where and not beside.convicted):
                continue
            for k in beside.members:
                client = self.clients.get(k)
                if client is None or client.sentence is None or client.deed != deed:
                    continue
                if client.sentence.at < now - policy.hop_after:
                    old += 1
                    if client.last > client.sentence.at + policy.hop_after / 4:
                        back += 1
        if old < policy.hop_members or back * 4 > old or holds_shielded(where, self.own):
            return
        attempts = 0
        lines: list[bytes] = []
        for k in network.members:
            client = self.clients.get(k)
            if client is not None:
                attempts += client.attempts
                lines += self.evidence(k, client)[-1:]
        evidence = tuple(lines[-SHOWN:])
        many = len(network.members)
        if not self._inhabited(where, now):
            self._close(where, 24, network, "hopper", policy.hop_sentence, many, attempts, evidence, now)
            return
        self._spare(Spared(where, 24, now, "hopper", "known-neighbour", many, attempts, evidence))
        if network.parts and any(now <= s.until for s in network.parts):
            return
        residents = [k[3] for k in [*self.users.get(where, NOBODY), *self.senders.get(where, NOBODY)]]
        parts = empty_parts(residents)
        if parts:
            length = min(policy.hop_sentence * policy.growth ** min(network.returns, 8), policy.longest)
            network.returns += 1
            network.parts = [
                self._sentence(where + bytes((first,)), bits, now, length, "hopper", many, attempts, evidence)
                for first, bits in parts
            ]

    def _neighbourhood(self, where: bytes) -> list[bytes]:
        """The /24s of a /22."""
        base = where[2] & 0xFC
        return [bytes((where[0], where[1], base + i)) for i in range(4)]
