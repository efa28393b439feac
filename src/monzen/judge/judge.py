"""The judge: a burst rule, a network rule, who is spared, who got in. Time comes in with the events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from monzen.judge.client import EVIDENCE, NAMES, Client, Sentence
from monzen.judge.policy import Policy
from monzen.judge.shield import holds_shielded, shielded
from monzen.types import Event, Kind, Weight

AUTH_SUCCESS, DELIVERED, BLOCKED, OUTAGE, FAILURE = (
    int(Kind.AUTH_SUCCESS),
    int(Kind.DELIVERED),
    int(Kind.BLOCKED),
    int(Kind.AUTH_OUTAGE),
    int(Kind.AUTH_FAILURE),
)
STRONG, WEAK = int(Weight.STRONG), int(Weight.WEAK)
RECENT = 64  # attempts of a network that are remembered


class Spared(NamedTuple):
    """Somebody who would have been turned away but for a reason."""

    target: bytes
    bits: int
    at: float
    rule: str
    reason: str  # "known", "names-known-client", "shielded", "known-neighbour"
    clients: int
    attempts: int
    evidence: tuple[bytes, ...]


class Breach(NamedTuple):
    """A good login that looks like a guessed password. `why`: "guessed", "denied" or "mixed"."""

    client: bytes
    user: bytes | None
    at: float
    attempts: int
    why: str
    line: bytes


class Alarm(NamedTuple):
    """Something the admin should look at. `what`: "outage", "hidden-clients", "known-client-fails"."""

    what: str
    at: float
    until: float
    count: int
    client: bytes
    line: bytes


class Knocker:
    """Who knocks at the firewall, how often, at which ports."""

    __slots__ = ("count", "first", "last", "ports")

    def __init__(self, time: float) -> None:
        self.count, self.first, self.last = 0, time, time
        self.ports: dict[bytes, int] = {}


class Network:
    """Recent strong attempts in one network: (time, client), oldest first."""

    __slots__ = ("recent", "returns", "verdict")

    def __init__(self) -> None:
        self.recent: deque[tuple[float, bytes]] = deque(maxlen=RECENT)
        self.verdict: Sentence | None = None
        self.returns = 0


class Judge:
    """Hears events in order and decides. All tables are bounded by the policy; what it found is in its attributes."""

    def __init__(self, policy: Policy | None = None, own: frozenset[bytes] = frozenset()) -> None:
        self.policy = policy or Policy()
        self.own = own
        self.clients: dict[bytes, Client] = {}
        self.networks: dict[bytes, Network] = {}
        self.knockers: dict[bytes, Knocker] = {}
        self.ports: dict[bytes, int] = {}
        self.sentences: list[Sentence] = []
        self.spared: dict[tuple[bytes, str], Spared] = {}
        self.breaches: list[Breach] = []
        self.alarms: dict[tuple[str, bytes], Alarm] = {}
        self.returns: dict[bytes, int] = {}
        self.first: float | None = None
        self.last: float | None = None
        self.now = 0.0
        self.events = self.attempts = self.forgotten = self.logins = 0
        self.offenders = 0

    def hear(self, events: Iterable[Event]) -> None:
        """Takes note of events and decides; a stamp that runs backwards counts as now."""
        now, clients = self.now, self.clients
        for event in events:
            time, fact, attempts, line = event
            if time > now:
                now = time
            elif self.first is None:
                now = time
            if self.first is None:
                self.first = time
                self.now = now
            self.events += 1
            packed = fact[2]
            if not packed:
                if fact[0] == OUTAGE:
                    self._outage(now, fact, line)
                continue
            key = packed if len(packed) == 4 else packed[:8]
            kind, weight = fact[0], fact[1]
            client = clients.get(key)
            if client is None:
                if kind == BLOCKED:
                    self._knock(key, fact.detail, now, None)
                    continue
                if not weight and kind not in (AUTH_SUCCESS, DELIVERED):
                    if kind == OUTAGE:
                        self._outage(now, fact, line)
                    elif kind == FAILURE:
                        self._hidden(packed, now, line)
                    continue
                client = clients[key] = Client(now)
                if len(clients) > self.policy.clients:
                    self._forget(now)
            client.last = now
            if weight:
                if kind == BLOCKED:
                    self._knock(key, fact.detail, now, client)
                else:
                    self._offence(key, client, event, now)
            elif kind == DELIVERED:
                client.mails += 1
            elif kind == AUTH_SUCCESS:
                self._login(key, client, event, now)
            elif kind == BLOCKED:
                self._knock(key, fact.detail, now, None)
            elif kind == OUTAGE:
                self._outage(now, fact, line)
        self.now = now
        if self.first is not None:
            self.last = now

    # ---- offences

    def _offence(self, key: bytes, client: Client, event: Event, now: float) -> None:
        fact, attempts, line = event.fact, event.attempts, event.line
        if attempts <= 0:
            if fact.detail == b"mixed":
                self._breach(key, client, event, now, "mixed")
            return
        sentence = client.verdict
        network_key = key[:3] if len(key) == 4 else key[:7]
        network = self.networks.get(network_key)
        if sentence is not None and now <= sentence.until:
            sentence.quiet_since = now
            sentence.knocks += attempts
            return
        if network is not None and network.verdict is not None and now <= network.verdict.until:
            network.verdict.quiet_since = now
            network.verdict.knocks += attempts
            if not client.attempts and not client.weak:
                self.offenders += 1
            self._note(client, fact.kind, fact.service, fact.user, attempts, line, fact.client)
            if fact.weight == STRONG:
                client.attempts += attempts
                self.attempts += attempts
            else:
                client.weak += attempts
            return
        if not client.attempts and not client.weak:
            self.offenders += 1
            client.first = now
        self._note(client, fact.kind, fact.service, fact.user, attempts, line, fact.client)
        if fact.weight != STRONG:
            client.weak += attempts
            if client.stamps and client.weak % 4 == 0:  # four weak signs are as much as an attempt, but never without one
                self._count(key, client, network_key, network, 1, now)
            return
        client.attempts += attempts
        self.attempts += attempts
        if fact.detail == b"mixed":
            self._breach(key, client, event, now, "mixed")
        self._count(key, client, network_key, network, attempts, now)

    def _note(self, client: Client, kind: int, service: int, user: bytes | None, attempts: int, line: bytes, full: bytes) -> None:
        did = client.did
        what = kind * 16 + service
        if did is None:
            client.did = {what: attempts}
        else:
            did[what] = did.get(what, 0) + attempts
        if user is not None:
            if client.names is None:
                client.names = {user}
            elif len(client.names) < NAMES:
                client.names.add(user)
        evidence = client.evidence
        if evidence is None:
            client.evidence = [line[:400]]
        else:
            evidence.append(line[:400])
            if len(evidence) > EVIDENCE:
                del evidence[1]  # the first stays: how it began
        if len(full) == 16:
            if client.addresses is None:
                client.addresses = {full}
            elif len(client.addresses) < 4:
                client.addresses.add(full)

    def _count(self, key: bytes, client: Client, network_key: bytes, network: Network | None, attempts: int, now: float) -> None:
        policy = self.policy
        stamps = client.stamps
        if stamps is None:
            stamps = client.stamps = [now]
            attempts -= 1
        for _ in range(min(attempts, policy.burst)):
            stamps.append(now)
        if len(stamps) > policy.burst:
            del stamps[: len(stamps) - policy.burst]
        if network is None:
            network = self.networks[network_key] = Network()
            if len(self.networks) > self.policy.clients:
                self._forget_networks(now)
        recent = network.recent
        for _ in range(min(max(attempts, 1), policy.crowd_attempts)):
            recent.append((now, key))
        if len(recent) >= policy.crowd_attempts and self._crowd(network_key, network, now):
            return
        if len(stamps) >= policy.burst and stamps[0] >= now - policy.window:
            self._burst(key, client, now)

    def _burst(self, key: bytes, client: Client, now: float) -> None:
        """Many attempts of one client in a short time."""
        bits = 32 if len(key) == 4 else 64
        evidence = tuple(client.evidence or ())
        client.stamps = None
        if shielded(key, self.own):
            self._spare(Spared(key, bits, now, "burst", "shielded", 1, client.attempts, evidence))
            return
        if self._known(client, now):
            names = len(client.names or ())
            if names < self.policy.names:
                self._spare(Spared(key, bits, now, "burst", "known", 1, client.attempts, evidence))
                self._alarm("known-client-fails", now, key, evidence[-1] if evidence else b"")
                return
        client.verdict = self._sentence(key, bits, now, self.policy.address_sentence, "burst", 1, client.attempts, evidence)

    def _crowd(self, network_key: bytes, network: Network, now: float) -> bool:
        """Several clients of one network in a short time: the network is denied, or its offenders one by one."""
        policy = self.policy
        since = now - policy.window
        recent = [(t, k) for t, k in network.recent if t >= since]
        members = dict.fromkeys(k for _, k in recent)
        if len(recent) < policy.crowd_attempts or len(members) < policy.crowd:
            return False
        network.recent.clear()
        bits = 24 if len(network_key) == 3 else 56
        everyone = [(k, c) for k, c in self.clients.items() if k.startswith(network_key)]
        offenders = [c for _, c in everyone if c.attempts]
        attempts = sum(c.attempts for c in offenders)
        lines = [line for k in members for line in ((self.clients[k].evidence or [])[-1:] if k in self.clients else [])]
        evidence = tuple(lines[:6])
        if holds_shielded(network_key, self.own):
            self._spare(Spared(network_key, bits, now, "crowd", "shielded", len(offenders), attempts, evidence))
            return True
        known = [k for k, c in everyone if self._known(c, now)]
        if known:
            self._spare(Spared(network_key, bits, now, "crowd", "known-neighbour", len(offenders), attempts, evidence))
            for k in members:
                client = self.clients.get(k)
                if client is not None and k not in known and (client.verdict is None or now > client.verdict.until):
                    client.verdict = self._sentence(
                        k, 32 if len(k) == 4 else 64, now, policy.address_sentence, "crowd-member", 1, client.attempts, tuple(client.evidence or ())
                    )
            return True
        network.verdict = self._sentence(network_key, bits, now, policy.network_sentence, "crowd", len(offenders), attempts, evidence)
        for k, c in everyone:
            if c.verdict is not None and c.verdict.until >= now:
                c.verdict.swallowed = True
                c.verdict.quiet_since = min(c.verdict.quiet_since, now) if k in members else c.verdict.quiet_since
        return True

    def _sentence(self, target: bytes, bits: int, now: float, length: float, rule: str, clients: int, attempts: int, evidence: tuple[bytes, ...]) -> Sentence:
        returns = self.returns.get(target, 0)
        self.returns[target] = returns + 1
        length = min(length * self.policy.growth**returns, self.policy.longest)
        sentence = Sentence(target, bits, now, length, rule, clients, attempts, evidence)
        self.sentences.append(sentence)
        return sentence

    def _spare(self, spared: Spared) -> None:
        self.spared.setdefault((spared.target, spared.rule), spared)

    # ---- good and odd things

    def _known(self, client: Client, now: float) -> bool:
        """Whether a good login, not bought by guessing, is old enough to be trusted and young enough to be remembered."""
        return bool(client.good) and client.good_first <= now - self.policy.known_after and client.good_last >= now - self.policy.known_for

    def _login(self, key: bytes, client: Client, event: Event, now: float) -> None:
        policy = self.policy
        self.logins += 1
        network = self.networks.get(key[:3] if len(key) == 4 else key[:7])
        if not self._known(client, now):
            denied = client.verdict is not None and now <= client.verdict.until
            if denied or client.attempts >= policy.guesses or len(client.names or ()) >= policy.names:
                self._breach(key, client, event, now, "denied" if denied else "guessed")
                return
        for sentence in (client.verdict, network.verdict if network else None):
            if sentence is not None and now <= sentence.until:
                sentence.hurt.add(key)
        if not client.good:
            client.good_first = now
        client.good += 1
        client.good_last = now

    def _breach(self, key: bytes, client: Client, event: Event, now: float, why: str) -> None:
        if any(b.client == event.fact.client and b.user == event.fact.user and b.why == why for b in self.breaches[-20:]):
            return
        if len(self.breaches) < 1000:
            self.breaches.append(Breach(event.fact.client, event.fact.user, event.time, client.attempts, why, event.line[:400]))

    def _outage(self, now: float, fact: object, line: bytes) -> None:
        self._alarm("outage", now, b"", line)

    def _hidden(self, packed: bytes, now: float, line: bytes) -> None:
        """Failures of an address that all clients may stand behind: web mail on this machine, a Docker gateway."""
        if shielded(packed, self.own):
            self._alarm("hidden-clients", now, packed, line)

    def _alarm(self, what: str, now: float, client: bytes, line: bytes) -> None:
        before = self.alarms.get((what, client))
        if before is not None:
            self.alarms[(what, client)] = before._replace(until=now, count=before.count + 1)
        elif len(self.alarms) < 1000:
            self.alarms[(what, client)] = Alarm(what, now, now, 1, client, line[:400])

    def _knock(self, key: bytes, port: bytes | None, now: float, client: Client | None) -> None:
        """A packet that the firewall turned away. A forged packet can be anybody's, so it never denies."""
        if client is not None and client.verdict is not None and now <= client.verdict.until:
            client.verdict.knocks += 1
            client.verdict.quiet_since = now
        knocker = self.knockers.get(key)
        if knocker is None:
            if len(self.knockers) >= self.policy.knockers:
                for old in list(self.knockers)[: self.policy.knockers // 10]:
                    del self.knockers[old]
                self.forgotten += 1
            knocker = self.knockers[key] = Knocker(now)
        knocker.count += 1
        knocker.last = now
        if port is not None:
            if port in knocker.ports or len(knocker.ports) < 16:
                knocker.ports[port] = knocker.ports.get(port, 0) + 1
            if port in self.ports or len(self.ports) < 4096:
                self.ports[port] = self.ports.get(port, 0) + 1

    # ---- bounds

    def _forget(self, now: float) -> None:
        """Drops a tenth of the clients: those that did least lately, never one that is known, denied or under suspicion of a breach."""
        clients = self.clients
        for key in list(clients)[: len(clients) // 5]:
            client = clients[key]
            if client.good or (client.verdict is not None and now <= client.verdict.until) or client.last > now - self.policy.window:
                del clients[key]
                clients[key] = client  # to the end: it is looked at again only after all the others
            else:
                del clients[key]
                self.forgotten += 1
        while len(clients) > self.policy.clients:  # all of them recent: the oldest go all the same
            del clients[next(iter(clients))]
            self.forgotten += 1

    def _forget_networks(self, now: float) -> None:
        networks = self.networks
        for key in list(networks)[: len(networks) // 5]:
            network = networks[key]
            if (network.verdict is not None and now <= network.verdict.until) or (network.recent and network.recent[-1][0] > now - self.policy.window):
                del networks[key]
                networks[key] = network
            else:
                del networks[key]
        while len(networks) > self.policy.clients:
            del networks[next(iter(networks))]
