"""The judge: a burst rule, a network rule, who is spared, who got in. Time comes in with the events."""

from __future__ import annotations

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
LONGEST = 240  # bytes kept of a line
LONGEST_NAME = 64  # bytes kept of a name
SHOWN = 6  # lines of evidence of a network
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
    times: int
    client: bytes
    line: bytes


class Knocker:
    """Who knocks at the firewall, how often, at which ports."""

    __slots__ = ("count", "first", "last", "ports")

    def __init__(self, time: float) -> None:
        self.count, self.first, self.last = 0, time, time
        self.ports: dict[bytes, int] = {}


class Network:
    """Recent strong attempts in one network: (time, client), oldest first; and all its offenders."""

    __slots__ = ("members", "recent", "verdict")

    def __init__(self) -> None:
        self.members: list[bytes] = []
        self.recent: list[tuple[float, bytes]] = []
        self.verdict: Sentence | None = None


class Judge:
    """Hears events in order and decides. All tables are bounded by the policy; what it found is in its attributes."""

    def __init__(self, policy: Policy | None = None, own: frozenset[bytes] = frozenset()) -> None:
        self.policy = policy or Policy()
        self.own = own
        self.clients: dict[bytes, Client] = {}
        self.networks: dict[bytes, Network] = {}
        self.users: dict[bytes, list[bytes]] = {}  # by network: clients that logged in
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
        self.full = self.policy.clients  # clients at which some are forgotten

    def hear(self, events: Iterable[Event]) -> None:
        """Takes note of events and decides; a stamp that runs backwards counts as now."""
        now, clients, networks = self.now, self.clients, self.networks
        heard = 0
        for event in events:
            time, fact, attempts, line, _head = event
            kind, weight, packed, _user, _service, _guesses, _account, detail, _join, _about = fact
            heard += 1
            if time > now or self.first is None:
                now = time
                if self.first is None:
                    self.first = time
            if not packed:
                if kind == OUTAGE:
                    self._alarm("outage", now, b"", line)
                continue
            key = packed if len(packed) == 4 else packed[:8]
            client = clients.get(key)
            if client is None:
                if kind == BLOCKED:
                    self._knock(key, detail, now, None)
                    continue
                if not weight and kind != AUTH_SUCCESS and kind != DELIVERED:
                    self._weightless(packed, kind, now, line)
                    continue
                if len(clients) >= self.full:
                    self._forget(now)  # before, or the new one might be the one that goes
                client = clients[key] = Client(now)
            client.last = now
            if kind == DELIVERED:
                client.mails += 1
            elif kind == AUTH_SUCCESS:
                self._login(key, client, event, now)
            elif kind == BLOCKED:
                self._knock(key, detail, now, client)
            elif weight:
                if attempts <= 0:
                    self._mixed(client, event)
                    continue
                self._note(client, event, now)
                sentence = client.verdict
                if sentence is not None and now <= sentence.until:
                    sentence.knock(now, attempts)
                    continue
                network = networks.get(key[:3] if len(key) == 4 else key[:7])
                if network is not None:
                    sentence = network.verdict
                    if sentence is not None and now <= sentence.until:
                        sentence.knock(now, attempts)
                        continue
                self._offence(key, client, network, event, now)
            else:
                self._weightless(packed, kind, now, line)
        self.now = now
        self.events += heard
        if self.first is not None:
            self.last = now

    # ---- offences

    def _offence(self, key: bytes, client: Client, network: Network | None, event: Event, now: float) -> None:
        """An offence of a client that is not denied."""
        fact, attempts = event.fact, event.attempts
        if fact.weight != STRONG:
            self._mixed(client, event)
            if client.stamps and client.weak % 4 == 0:  # four weak signs are as much as an attempt, but never without one
                self._count(key, client, network, 1, now)
            return
        self._mixed(client, event)
        self._count(key, client, network, attempts, now)

    def _note(self, client: Client, event: Event, now: float) -> None:
        """What a client did, for the report; the same whether it is denied as part of a network or not."""
        _time, fact, attempts, line, _head = event
        kind, weight, full, user, service, _guesses, _account, _detail, _join, _about = fact
        if not client.attempts and not client.weak:
            self.offenders += 1
            client.first = now
        if weight == STRONG:
            client.attempts += attempts
            self.attempts += attempts
        else:
            client.weak += attempts
        did = client.did
        what = kind * 16 + service
        if not did:
            client.did = [what, attempts]
        elif did[0] == what:
            did[1] += attempts
        else:
            for i in range(2, len(did), 2):
                if did[i] == what:
                    did[i + 1] += attempts
                    break
            else:
                did.append(what)
                did.append(attempts)
        if user is not None:
            if len(user) > LONGEST_NAME:
                user = user[:LONGEST_NAME]
            names = client.names
            if not names:
                client.names = [user]
            elif len(names) < NAMES and user not in names:
                names.append(user)
        if len(line) > LONGEST:
            line = line[:LONGEST]
        evidence = client.evidence
        if not evidence:
            client.evidence = [line]
        elif len(evidence) < EVIDENCE:
            evidence.append(line)
        else:  # the first stays: how it began
            evidence[1], evidence[2] = evidence[2], line
        if len(full) == 16:
            if not client.addresses:
                client.addresses = [full]
            elif len(client.addresses) < 4 and full not in client.addresses:
                client.addresses.append(full)

    def _count(self, key: bytes, client: Client, network: Network | None, attempts: int, now: float) -> None:
        policy = self.policy
        burst, least = policy.burst, policy.crowd_attempts
        stamps = client.stamps
        fresh = stamps is None
        if stamps is None:
            stamps = client.stamps = []
        for _ in range(min(attempts, burst)):
            stamps.append(now)
        if len(stamps) > burst:
            del stamps[: len(stamps) - burst]
        network_key = key[:3] if len(key) == 4 else key[:7]
        if network is None:
            network = self.networks[network_key] = Network()
            if len(self.networks) > policy.clients:
                self._forget_networks(now)
        recent = network.recent
        if fresh and key not in network.members:
            network.members.append(key)
        for _ in range(min(attempts, least)):
            recent.append((now, key))
        if len(recent) > RECENT:
            del recent[: len(recent) - RECENT]
        if len(recent) >= least and recent[-least][0] >= now - policy.window and self._crowd(network_key, network, now):
            return
        if len(stamps) >= burst and stamps[0] >= now - policy.window:
            self._burst(key, client, now)

    def _burst(self, key: bytes, client: Client, now: float) -> None:
        """Many attempts of one client in a short time."""
        bits = 32 if len(key) == 4 else 64
        evidence = tuple(client.evidence)
        client.stamps = None
        if shielded(key, self.own):
            self._spare(Spared(key, bits, now, "burst", "shielded", 1, client.attempts, evidence))
            return
        if self._known(client, now):
            names = len(client.names)
            if names < self.policy.names:
                self._spare(Spared(key, bits, now, "burst", "known", 1, client.attempts, evidence))
                self._alarm("known-client-fails", now, key, evidence[-1] if evidence else b"")
                return
        client.verdict = self._sentence(key, bits, now, self.policy.address_sentence, "burst", 1, client.attempts, evidence)

    def _crowd(self, network_key: bytes, network: Network, now: float) -> bool:
        """Several clients of one network in a short time: the network is denied, or its offenders one by one."""
        policy = self.policy
        since = now - policy.window
        members: dict[bytes, None] = {}
        attempts_now = 0
        for t, k in network.recent:
            if t >= since:
                attempts_now += 1
                members[k] = None
        if attempts_now < policy.crowd_attempts or len(members) < policy.crowd:
            return False
        network.recent.clear()
        bits = 24 if len(network_key) == 3 else 56
        offenders = 0
        attempts = 0
        for k in network.members:
            client = self.clients.get(k)
            if client is not None:
                offenders += 1
                attempts += client.attempts
        lines: list[bytes] = []
        for k in members:
            client = self.clients.get(k)
            if client is not None and client.evidence and len(lines) < SHOWN:
                lines.append(client.evidence[-1])
        evidence = tuple(lines)
        if holds_shielded(network_key, self.own):
            self._spare(Spared(network_key, bits, now, "crowd", "shielded", offenders, attempts, evidence))
            return True
        known: list[bytes] = []
        for k in self.users.get(network_key, ()):
            client = self.clients.get(k)
            if client is not None and self._known(client, now):
                known.append(k)
        if known:
            self._spare(Spared(network_key, bits, now, "crowd", "known-neighbour", offenders, attempts, evidence))
            for k in members:
                client = self.clients.get(k)
                if client is not None and k not in known and (client.verdict is None or now > client.verdict.until):
                    own = tuple(client.evidence)
                    width = 32 if len(k) == 4 else 64
                    client.verdict = self._sentence(
                        k, width, now, policy.address_sentence, "crowd-member", 1, client.attempts, own
                    )
            return True
        network.verdict = self._sentence(network_key, bits, now, policy.network_sentence, "crowd", offenders, attempts, evidence)
        return True

    def _sentence(
        self,
        target: bytes,
        bits: int,
        now: float,
        length: float,
        rule: str,
        clients: int,
        attempts: int,
        evidence: tuple[bytes, ...],
    ) -> Sentence:
        returns = self.returns.get(target, 0)
        self.returns[target] = returns + 1
        if len(self.returns) > self.policy.clients:
            for old in list(self.returns)[: self.policy.clients // 10 + 1]:
                del self.returns[old]
        length = min(length * self.policy.growth**returns, self.policy.longest)
        sentence = Sentence(target, bits, now, length, rule, clients, attempts, evidence)
        self.sentences.append(sentence)
        if len(self.sentences) > self.policy.sentences:
            self._forget_sentences(now)
        return sentence

    def _spare(self, spared: Spared) -> None:
        if len(self.spared) < 1000:
            self.spared.setdefault((spared.target, spared.rule), spared)

    # ---- good and odd things

    def _known(self, client: Client, now: float) -> bool:
        """Whether a good login, not bought by guessing, is old enough to be trusted and young enough to be remembered."""
        policy = self.policy
        return bool(client.good) and client.good_first <= now - policy.known_after and client.good_last >= now - policy.known_for

    def _login(self, key: bytes, client: Client, event: Event, now: float) -> None:
        policy = self.policy
        self.logins += 1
        network = self.networks.get(key[:3] if len(key) == 4 else key[:7])
        if client.attempts and not self._known(client, now):
            denied = client.verdict is not None and now <= client.verdict.until
            if network is not None and network.verdict is not None and now <= network.verdict.until and client.attempts:
                denied = True
            if denied or client.attempts >= policy.guesses or len(client.names) >= policy.names:
                self._breach(client, event, "denied" if denied else "guessed")
                return
        for sentence in (client.verdict, network.verdict if network else None):
            if sentence is not None and now <= sentence.until:
                sentence.hurt_by(key)
        if not client.good:
            client.good_first = now
            self.users.setdefault(key[:3] if len(key) == 4 else key[:7], []).append(key)
        client.good += 1
        client.good_last = now

    def _breach(self, client: Client, event: Event, why: str) -> None:
        fact = event.fact
        for b in self.breaches[-20:]:
            if b.client == fact.client and b.user == fact.user and b.why == why:
                return
        if len(self.breaches) < 1000:
            self.breaches.append(Breach(fact.client, fact.user, event.time, client.attempts, why, event.line[:LONGEST]))

    def _mixed(self, client: Client, event: Event) -> None:
        """Failures and successes in one session: more failures than a person's typos are an alarm."""
        if event.fact.detail == b"mixed" and event.fact.attempts >= self.policy.names:
            self._breach(client, event, "mixed")

    def _weightless(self, packed: bytes, kind: int, now: float, line: bytes) -> None:
        """What counts for nobody, but says something of our own server: an outage; failures of an address that all clients may
        stand behind (web mail on this machine, a Docker gateway)."""
        if kind == OUTAGE:
            self._alarm("outage", now, b"", line)
        elif kind == FAILURE and shielded(packed, self.own):
            self._alarm("hidden-clients", now, packed, line)

    def _alarm(self, what: str, now: float, client: bytes, line: bytes) -> None:
        before = self.alarms.get((what, client))
        if before is not None:
            self.alarms[(what, client)] = before._replace(until=now, times=before.times + 1)
        elif len(self.alarms) < 1000:
            self.alarms[(what, client)] = Alarm(what, now, now, 1, client, line[:LONGEST])

    def _knock(self, key: bytes, port: bytes | None, now: float, client: Client | None) -> None:
        """A packet that the firewall turned away. A forged packet can be anybody's, so it never denies; one that asks for no
        port (IGMP and its kin) is the network's own housekeeping."""
        if port is None:
            return
        if client is not None and client.verdict is not None and now <= client.verdict.until:
            client.verdict.knock(now)
        knocker = self.knockers.get(key)
        if knocker is None:
            if len(self.knockers) >= self.policy.knockers:
                for old in list(self.knockers)[: self.policy.knockers // 10]:
                    del self.knockers[old]
                self.forgotten += 1
            knocker = self.knockers[key] = Knocker(now)
        knocker.count += 1
        knocker.last = now
        if port in knocker.ports or len(knocker.ports) < 16:
            knocker.ports[port] = knocker.ports.get(port, 0) + 1
        if port in self.ports or len(self.ports) < 4096:
            self.ports[port] = self.ports.get(port, 0) + 1

    # ---- bounds

    def _forget(self, now: float) -> None:
        """Drops a tenth of the clients: first those that did nothing lately, then the oldest.

        Who logged in or is denied stays, so that no number of strangers can make it forget a user; where these alone
        are too many, the oldest of them go, the denied first. Until the next walk there may be a tenth more: one for each
        new client would take quadratic time."""
        clients, policy = self.clients, self.policy
        tenth = max(1, policy.clients // 10)
        kept = policy.clients - tenth
        before = len(clients)
        for recent in (now - policy.window, float("inf")):
            for key in list(clients):
                if len(clients) <= kept:
                    break
                client = clients[key]
                if client.last <= recent and not client.good and (client.verdict is None or now > client.verdict.until):
                    del clients[key]
        if len(clients) > policy.clients:  # nobody but users and denied
            denied = [key for key, client in clients.items() if not client.good]
            users = [key for key, client in clients.items() if client.good]
            for key in (denied + users)[: len(clients) - kept]:
                if clients[key].good:
                    self._forget_user(key)
                del clients[key]
        self.forgotten += before - len(clients)
        self.full = max(policy.clients, len(clients) + tenth)

    def _forget_user(self, key: bytes) -> None:
        network_key = key[:3] if len(key) == 4 else key[:7]
        users = self.users.get(network_key)
        if users is not None and key in users:
            users.remove(key)
            if not users:
                del self.users[network_key]

    def _forget_networks(self, now: float) -> None:
        """Drops a fifth of the networks, the oldest: first those that are not denied and quiet."""
        networks = self.networks
        kept = self.policy.clients - max(1, self.policy.clients // 5)
        for key in list(networks):
            if len(networks) <= kept:
                return
            network = networks[key]
            denied = network.verdict is not None and now <= network.verdict.until
            if not denied and not (network.recent and network.recent[-1][0] > now - self.policy.window):
                del networks[key]
        for key in list(networks)[: len(networks) - kept]:
            del networks[key]

    def _forget_sentences(self, now: float) -> None:
        """Drops a tenth of the sentences, the oldest: first those that ended."""
        sentences = self.sentences
        many = max(1, self.policy.sentences // 10)
        ended = [s for s in sentences if s.until < now]
        lasting = [s for s in sentences if s.until >= now]
        gone = {id(s) for s in (ended + lasting)[:many]}
        self.sentences = [s for s in sentences if id(s) not in gone]
        self.forgotten += len(gone)
