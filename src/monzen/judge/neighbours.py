"""Who else is in a network: those that offended there, those that live there, and the /22 around."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import NOBODY
from monzen.judge.network import MEMBERS, RECENT, Network
from monzen.judge.tables import Tables, number_of

SHOWN: Final = 6  # lines of evidence of a network
BYTES: Final = [bytes((n,)) for n in range(256)]


class Neighbours(Tables):
    """Of a client, and of a network."""

    def _beside(self, where: bytes, key: bytes, window: float) -> Network | None:
        """The network of a /24 in which more than one client offended; of the others no more than who it was is kept."""
        network = self.networks.get(where)
        if network is not None:
            return network
        alone = self.alone
        number = number_of(where)
        host = alone.get(number)
        if host is None:
            if len(alone) >= self.policy.clients:
                for old in list(alone)[: self.policy.clients // 10 + 1]:
                    del alone[old]
            alone[number] = key[3]
        elif host != key[3]:
            del alone[number]
            if len(self.networks) >= self.policy.networks:
                self._forget_networks(window)
            network = self.networks[where] = Network()
            other = where + BYTES[host]
            client = self.clients.get(other)
            if client is not None and (client.trust is None or not client.trust.logins):
                record = client.record
                name = client.name if record is None else record.names[-1] if record.names else None
                points = 2 if name is not None and name.ghost else 1
                for time in [client.last] if record is None or not record.stamps else record.stamps[-RECENT:]:
                    network.offended(other, points, time, window)
                if client.sentence is not None:
                    network.convicted = 1
        return network

    def _offenders(self, network: Network, since: float, until: float, beside: bytes, enough: int) -> int:
        """How many others offended first before `until`, and last after `since`; no more than `enough` are counted."""
        found = 0
        clients = self.clients
        for k in network.members:
            client = clients.get(k)
            if client is not None and client.first <= until and client.last >= since and k != beside:
                found += 1
                if found >= enough:
                    break
        return found

    def others(self, network: Network, key: bytes, now: float) -> int:
        """How many neighbours of a client offended within the policy's memory, not only just now."""
        policy = self.policy
        return self._offenders(network, now - policy.memory, now - policy.window, key, MEMBERS)

    def _group(self, key: bytes, now: float) -> Network | None:
        """The /22 around a client in which more than one /24 offends."""
        front, base = key[:2], key[2] & 0xFC
        where = front + BYTES[base]
        group = self.groups.get(where)
        if group is None:
            for c in range(base, base + 4):
                if c != key[2]:
                    near = front + BYTES[c]
                    if near in self.networks or number_of(near) in self.alone:
                        break
            else:
                return None
            if len(self.groups) >= self.policy.networks:
                for old in list(self.groups)[: self.policy.networks // 10 + 1]:
                    del self.groups[old]
            group = self.groups[where] = Network()
            for near in self._neighbourhood(where):
                group.members += self._members(near)[: MEMBERS - len(group.members)]
        group.offended(key, 1, now, now)
        return group

    def _inhabited(self, where: bytes, now: float) -> bool:
        """Whether somebody of a /24 logged in lately, or brings mail."""
        for k in self.users.get(where, NOBODY):
            client = self.clients.get(k)
            if client is not None and client.trust is not None and client.trust.last >= now - self.policy.known_for:
                return True
        for k in self.senders.get(where, NOBODY):
            client = self.clients.get(k)
            if client is not None and client.trust is not None and client.trust.mail_last >= now - self.policy.known_for:
                return True
        return False

    def _inhabited6(self, where: bytes, now: float) -> bool:
        """The same for a /56 or a /48."""
        near = [*self.users6.get(where[:6], NOBODY), *self.senders6.get(where[:6], NOBODY)]
        return any(k.startswith(where) and self._inhabited(k, now) for k in near)

    def _suspected(self, key: bytes) -> bool:
        """Whether convicts live beside a client."""
        if len(key) == 8:
            return any(n is not None and n.returns for n in (self.wide.get(key[:6]), self.wide.get(key[:7])))
        network = self.networks.get(key[:3])
        return network is not None and network.convicted > 1

    def _members(self, where: bytes) -> list[bytes]:
        """Who offended in a /24."""
        network = self.networks.get(where)
        if network is not None:
            return network.members
        host = self.alone.get(number_of(where))
        return [] if host is None else [where + BYTES[host]]

    def _together(self, members: list[bytes]) -> tuple[int, tuple[bytes, ...]]:
        """The attempts of some clients, and the last line of each of the last ones."""
        attempts = 0
        lines: list[bytes] = []
        clients, firsts = self.clients, self.firsts
        for i in range(len(members) - 1, -1, -1):
            k = members[i]
            client = clients.get(k)
            if client is None:
                continue
            attempts += client.attempts
            if len(lines) < SHOWN:
                record = client.record
                line = firsts.get(k) if record is None or not record.evidence else record.evidence[-1]
                if line is not None:
                    lines.append(line)
        lines.reverse()
        return attempts, tuple(lines)

    def _neighbourhood(self, where: bytes) -> list[bytes]:
        """The /24s of a /22."""
        front, base = where[:2], where[2] & 0xFC
        return [front + BYTES[base + i] for i in range(4)]
