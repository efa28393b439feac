"""Networks: gangs, slow networks, hoppers; and what a conviction means for the network around."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import NOBODY, Client, Sentence
from monzen.judge.findings import Spared
from monzen.judge.neighbours import BYTES
from monzen.judge.network import Network
from monzen.judge.policy import DAY
from monzen.judge.routed import CLOSERS, Routed
from monzen.judge.tables import number_of

MACHINES: Final = ("abuse", "relay", "harvest")  # what hosts of hosters do, whose addresses do not change hands
FEW: Final = 3  # users of a /24: where more live, one failure is a slip, also beside others

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


class Networks(Routed):
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
        since, window = now - policy.memory, now - policy.window
        where = key[:3]
        network = self._beside(where, key, window)
        offenders = people = 0
        if network is not None:
            network.offended(key, points, now, window)
        if client.trust is not None and client.trust.logins:
            return
        if network is not None:
            if len(network.members) >= policy.crowd and network.crowd(window, policy.crowd, policy.crowd_points):
                self._crowd(where, network, "crowd", now)
                return
            if (
                len(network.members) > policy.crowd
                and network.crowd(window, 2, 2)
                and self._offenders(network, since, now, key, policy.crowd) >= policy.crowd
                and where not in self.users
            ):
                self._crowd(where, network, "gang", now)
                return
            people = len(self.users.get(where, NOBODY)) // 2  # one in two may mistype in a week
            if network.convicted >= 2 + people // 2 and strange != REAL:
                self._convict(key, client, "neighbours", now, len(network.members))
                return
            offenders = self._offenders(network, since, window, key, policy.offenders + people)
        if strange < NAMELESS:
            return
        if offenders < policy.offenders + people:
            group = self._group(key, now)
            if group is None:
                return
            offenders = self._offenders(group, since, window, key, 2 * policy.offenders)
            if offenders < 2 * policy.offenders:
                return
        self._convict(key, client, "neighbours", now, offenders)

    def _among_waiting(self, key: bytes, client: Client, points: int, now: float) -> None:
        """A client that is given time to get in, beside its neighbours: a single try does not count, a gang tries again."""
        if len(key) == 8 or client.attempts < 2:
            return
        policy = self.policy
        window = now - policy.window
        where = key[:3]
        network = self._beside(where, key, window)
        if network is None:
            return
        if not network.has(key):
            network.offended(key, points, now, window)  # for the first time, when it was not noted
        network.offended(key, points, now, window)
        again = 0
        for k in network.recent_members(window):
            other = self.clients.get(k)
            if other is not None and other.attempts > 1:
                again += 1
        if again >= policy.crowd and network.crowd(window, policy.crowd, policy.crowd_points):
            self._crowd(where, network, "crowd", now)

    def _crowd(self, where: bytes, network: Network, rule: str, now: float) -> None:
        """Several clients of one network at once: the network is denied for an hour, its offenders for longer."""
        policy = self.policy
        members = network.recent_members(now - policy.window)
        attempts = self._together(network.members)[0]
        evidence = self._together(members)[1]
        many = len(network.members)
        if self.shield.holds(where, 24):
            self._spare(Spared(where, 24, now, rule, "shielded", many, attempts, evidence))
        elif self._inhabited(where, now):
            self._spare(Spared(where, 24, now, rule, "known-neighbour", many, attempts, evidence))
        else:
            self._close(where, 24, network, rule, policy.network_sentence, many, attempts, evidence, now)
        few = len(self.users.get(where, NOBODY)) <= FEW
        for k in members:
            client = self.clients.get(k)
            if client is None or (client.trust is not None and client.trust.logins) or self.shield.covers(k):
                continue
            if few or client.attempts > 1:
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
        length = min(length * policy.growth ** min(network.returns, 8), policy.longest) if rule == "hopper" else length
        network.returns += 1
        network.sentence = self._sentence(where, bits, now, length, rule, many, attempts, evidence)
        self.around = max(self.around, network.sentence.until)
        if self.routes is not None and bits in (24, 48) and rule in CLOSERS:
            self._widen(where, now)

    def _among6(self, key: bytes, client: Client, strange: int, now: float) -> None:
        policy = self.policy
        if (client.trust is not None and client.trust.logins) or strange < NAMELESS:
            return
        for size, most in ((7, policy.hop6_56), (6, policy.hop6_48)):
            where = key[:size]
            network = self.wide.get(where)
            if network is None:
                if len(self.wide) >= policy.networks:
                    self._forget_wide(now)
                network = self.wide[where] = Network()
            network.offended(key, 1, now, now)
            if network.returns:
                most = 1
            if (
                self._offenders(network, now - DAY, now, key, most) + 1 >= most
                and not self._inhabited6(where, now)
                and not self.shield.holds(where, size * 8)
            ):
                attempts, evidence = self._together(network.members)
                many = len(network.members)
                self._close(where, size * 8, network, "hopper", policy.hop_sentence, many, attempts, evidence, now)
                return

    def _convict(self, key: bytes, client: Client, rule: str, now: float, detail: int = 0) -> None:
        """A client is denied; its network remembers it."""
        policy = self.policy
        bits = 32 if len(key) == 4 else 64
        if self.shield.covers(key):
            self._spare(Spared(key, bits, now, rule, "shielded", 1, client.attempts, self.evidence(key, client)))
            return
        if client.sentence is not None and now <= client.sentence.until:
            return
        before = client.sentence
        new = before is None
        length = policy.client_sentence
        returns = -1 if rule == "campaign" else 0
        if before is not None:
            returns = before.returns
            if returns >= 0 and (rule in MACHINES or client.attempts + client.weak >= policy.returning):
                returns += 1
                length = min(length * policy.growth**returns, policy.longest)
        sentence = self._sentence(key, bits, now, length, rule, 1, client.attempts + client.weak, self.evidence(key, client))
        sentence.returns = returns
        client.sentence = sentence
        if rule not in MACHINES and rule != "knocks" and client.trust is not None and client.trust.logins:
            self._alarm("login-before", now, key, sentence.evidence[-1] if sentence.evidence else b"")
        if bits == 32:
            self._count_convict(key, now)
        record = client.record
        if detail or record is None:
            sentence.detail = detail or 1
        elif rule == "names":
            sentence.detail = len(record.names)
        elif rule == "abuse":
            sentence.detail = max(1, len(record.signs))
        elif rule in ("relay", "harvest"):
            sentence.detail = len(record.recipients)
        else:
            sentence.detail = len(record.stamps)
        if bits == 64:
            return
        where = key[:3]
        network = self._beside(where, key, now - policy.window)
        if network is None:
            if new and rule != "campaign":
                self._hopper(where, None, client.deed, now)
            return
        if not network.has(key):
            network.offended(key, 1, now, now - policy.window)
        if rule == "knocks":
            return
        if new:
            network.convicted += 1
            if rule != "crowd-member":
                self._hopper(where, network, client.deed, now)
        elif (
            network.returns
            and not network.parts
            and rule != "crowd-member"
            and not self._inhabited(where, now)
            and not self.shield.holds(where, 24)
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

    def _hopper(self, where: bytes, network: Network | None, deed: int, now: float) -> None:
        """Convicts that never come back, and new ones all the time: the attacker moves through its network, or its /22."""
        policy, clients = self.policy, self.clients
        before, after = now - policy.hop_after, self.back_after
        begun = self.convicts.get(number_of(where) >> 4, 0.0)
        if begun <= 0.0 or begun >= before:  # too few were convicted so long ago
            return
        enough = max(policy.hop_members, 4 * self.came_back.get(number_of(where) >> 2, 0))  # more change nothing
        old = back = 0
        front, base = where[:2], where[2] & 0xFC
        for turn in range(5):  # its own /24 first: it often decides
            near = where if not turn else front + BYTES[base + turn - 1]
            if turn and near == where:
                continue
            for k in self._members(near):
                client = clients.get(k)
                if client is None:
                    continue
                sentence = client.sentence
                if sentence is not None and sentence.at < before and client.deed == deed:
                    old += 1
                    back += client.last > sentence.at + after
                    if old >= enough:
                        break
            if old >= enough:
                break
        if old < policy.hop_members or back * 4 > old or self.shield.holds(where, 24):
            return
        members = self._members(where)
        attempts, evidence = self._together(members)
        many = len(members)
        if network is None:
            self.alone.pop(number_of(where), None)
            network = self.networks[where] = Network()
            network.members = members
            network.convicted = 1
        if not self._inhabited(where, now):
            self._close(where, 24, network, "hopper", policy.hop_sentence, many, attempts, evidence, now)
            return
        self._spare(Spared(where, 24, now, "hopper", "known-neighbour", many, attempts, evidence))
        if network.parts and any(now <= s.until for s in network.parts):
            return
        residents = [k[3] for k in [*self.users.get(where, NOBODY), *self.senders.get(where, NOBODY)]]
        parts = [p for p in empty_parts(residents) if any(p[0] <= k[3] < p[0] + (1 << (32 - p[1])) for k in members)]
        if parts:
            length = min(policy.hop_sentence * policy.growth ** min(network.returns, 8), policy.longest)
            network.returns += 1
            network.parts = [
                self._sentence(where + bytes((first,)), bits, now, length, "hopper", many, attempts, evidence)
                for first, bits in parts
            ]
            self.around = max(self.around, now + length)
