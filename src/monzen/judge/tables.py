"""What the judge keeps: its tables, what it found, and how each is bounded."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import Final, NamedTuple

from monzen.judge.campaign import Campaigns
from monzen.judge.client import EVIDENCE, Client, Record, Sentence, Trust
from monzen.judge.lean import mypyc_attr
from monzen.judge.names import Names
from monzen.judge.network import Network
from monzen.judge.outage import Outages
from monzen.judge.policy import Policy
from monzen.judge.prefixes import within
from monzen.judge.routes import Routes
from monzen.judge.shield import Shield
from monzen.types import Event, Weight

STRONG: Final = int(Weight.STRONG)
LONGEST: Final = 240  # bytes kept of a line
FIRSTS: Final = 20_000  # lines kept of clients that offended once
OUTAGES: Final = ("outage", "silent-outage")
APART: Final = 600.0  # seconds without a sign of it after which an outage is over, and the next is another one
DAY: Final = 86400.0
FOUND: Final = 1000  # kept of those that were spared, of breaches and of alarms
FAR: Final = float("inf")
SINGLE: Final = (32, 64)  # bits of a sentence of one client
SIX: Final = 1 << 60  # apart from the blocks of IPv4


class Spared(NamedTuple):
    """Somebody who would have been turned away but for a reason."""

    target: bytes
    bits: int
    at: float
    rule: str
    reason: str  # "known", "shielded", "known-neighbour", "device"
    clients: int
    attempts: int
    evidence: tuple[bytes, ...]


class Breach(NamedTuple):
    """A good login that looks like a guessed password. `why`: "guessed", "denied", "network" or "mixed"."""

    client: bytes
    user: bytes | None
    at: float
    attempts: int
    why: str
    line: bytes


class Alarm(NamedTuple):
    """Something the admin should look at. `what`: "outage", "silent-outage", "hidden-clients", "known-client-fails", "device",
    "late-login", "login-before"."""

    what: str
    at: float
    until: float
    times: int
    client: bytes
    line: bytes


@mypyc_attr(acyclic=True)
class Knocker:
    """Who knocks at the firewall, how often, at which ports."""

    __slots__ = ("count", "first", "last", "lately", "ports", "since")

    def __init__(self, time: float) -> None:
        self.count, self.first, self.last = 0, time, time
        self.since, self.lately = time, 0  # of this week
        self.ports: dict[bytes, int] = {}


class Tables:
    """All state of the judge; the rules are in the classes that inherit it, one module for each kind."""

    def __init__(self, policy: Policy | None = None, shield: Shield | None = None, routes: Routes | None = None) -> None:
        self.policy = policy or Policy()
        self.shield = shield or Shield()
        self.routes = routes  # None: nothing wider than a /24 or a /48 is ever denied
        self.clients: dict[bytes, Client] = {}
        self.networks: dict[bytes, Network] = {}
        self.alone: dict[int, int] = {}  # by the number of a /24 in which one client offended: the last byte of its address
        self.wide: dict[bytes, Network] = {}  # /56 and /48 of IPv6
        self.routed: dict[int, list[Sentence]] = {}  # by block (judge/routed.py): of routed prefixes, those that last
        self.groups: dict[bytes, Network] = {}  # /22 with offenders in several /24
        self.names = Names(self.policy.name_table)
        self.campaigns = Campaigns()
        self.outages = Outages()
        self.silent: OrderedDict[bytes, tuple[float, int, int]] = OrderedDict()  # strangers that failed: when, shape, how strange
        self.hot: OrderedDict[bytes, tuple[float, int]] = OrderedDict()  # strangers with a hot name: when, in which shape
        self.firsts: dict[bytes, bytes] = {}  # the lines of clients that offended once
        self.users: dict[bytes, list[bytes]] = {}  # by network: clients that logged in
        self.users6: dict[bytes, list[bytes]] = {}  # by /48: /64s that logged in
        self.senders6: dict[bytes, list[bytes]] = {}  # by /48: /64s that brought mail on several days
        self.senders: dict[bytes, list[bytes]] = {}  # by network: clients that brought mail on several days
        self.knockers: dict[bytes, Knocker] = {}
        self.ports: dict[bytes, int] = {}
        self.singles: list[Sentence] = []  # of one client each, and
        self.shared: list[Sentence] = []  # of networks: apart, since those of clients are forgotten first
        self.listed: list[Sentence] | None = None  # both in order, when somebody asked for them
        self.given = 0  # sentences, ever
        self.spared: dict[tuple[bytes, str], Spared] = {}
        self.breaches: list[Breach] = []
        self.alarms: dict[tuple[str, bytes], Alarm] = {}  # the last of each kind and client
        self.told: list[Alarm] = []  # those before them
        self.first: float | None = None
        self.last: float | None = None
        self.now = 0.0
        self.passed: list[Event] | None = None  # offences that no denial kept out, for whoever put a list here
        self.events = self.attempts = self.forgotten = self.logins = 0
        self.offenders = 0
        self.full = self.policy.clients  # clients at which some are forgotten
        self.midnight = 0.0  # when the day of now began, UTC
        self.came_back: dict[int, int] = {}  # by the number of a /22: no fewer convicts than came back after their conviction
        self.convicts: dict[int, float] = {}  # of a /20: since when it has convicts enough for a hopper; before, -how many
        self.back_after = self.policy.hop_after / 4  # seconds after which it is coming back
        self.most_blocks = self.policy.networks  # of these two tables, before they are counted anew
        self.around = 0.0  # until when any network is denied
        self.ends = 0.0  # no listed sentence ended before
        self.listen = FAR  # when the oldest of the silent was silent long enough

    def _client(self, key: bytes, now: float) -> Client:
        """The client with this key; made if it is new."""
        client = self.clients.get(key)
        if client is None:
            if len(self.clients) >= self.full:
                self._forget(now)  # before, or the new one might be the one that goes
            client = self.clients[key] = Client(now)
        return client

    def _note(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """What a client did, for the report and the evidence; the same whether it is denied or not."""
        fact, attempts, line = event[1], event[2], event[3]
        if not client.attempts and not client.weak:
            self.offenders += 1
            client.first = now
        if client.sentence is not None:
            self._came_back(key, client, now)
        client.last = now
        if fact[1] == STRONG:
            client.attempts += attempts
            self.attempts += attempts
        else:
            client.weak += attempts
        what = fact[0] * 16 + fact[4]
        full = fact[2]
        record = client.record
        if record is None:
            if not client.what and attempts == 1:
                client.what = what
                firsts = self.firsts
                if len(firsts) >= FIRSTS:
                    for old in list(islice(firsts, FIRSTS // 10)):
                        del firsts[old]
                firsts[key] = line[:LONGEST]
                return
            record = client.record = Record()
            if client.what:
                record.did = [client.what, 1]
                first = self.firsts.pop(key, None)
                if first is not None:
                    record.evidence = [first]
        did = record.did
        if not did:
            record.did = [what, attempts]
        for i in range(0, len(did), 2):
            if did[i] == what:
                did[i + 1] += attempts
                break
        else:
            if did:
                did.append(what)
                did.append(attempts)
        evidence = record.evidence
        if not evidence:
            record.evidence = [line[:LONGEST]]
        elif len(evidence) < EVIDENCE:
            evidence.append(line[:LONGEST])
        else:  # the first stays: how it began
            evidence[1] = evidence[2]
            evidence[2] = line[:LONGEST]
        if len(full) == 16:
            if not record.addresses:
                record.addresses = [full]
            elif len(record.addresses) < 4 and full not in record.addresses:
                record.addresses.append(full)

    def _came_back(self, key: bytes, client: Client, now: float) -> None:
        """Counts a convict that comes back, before its last sign of life is noted; see `_hopper`."""
        sentence = client.sentence
        if sentence is None or not client.last <= sentence.at + self.back_after < now or len(key) != 4:
            return
        number = number_of(key) >> 2
        self.came_back[number] = self.came_back.get(number, 0) + 1
        if len(self.came_back) > self.most_blocks:
            self.count_convicts()

    def _count_convict(self, key: bytes, now: float) -> None:
        """Counts a new convict; see `_hopper`."""
        number = number_of(key) >> 4
        before = self.convicts.get(number, 0.0)
        if before <= 0.0:
            self.convicts[number] = before - 1.0 if before - 1.0 > -self.policy.hop_members else now
            if len(self.convicts) > self.most_blocks:
                self.count_convicts()

    def count_convicts(self) -> None:
        """Counts anew who was convicted and who came back, without those that are forgotten."""
        self.came_back.clear()
        many: dict[int, int] = {}
        first: dict[int, float] = {}
        for key, client in self.clients.items():
            sentence = client.sentence
            if sentence is not None and len(key) == 4:
                block = number_of(key) >> 4
                many[block] = many.get(block, 0) + 1
                first[block] = min(first.get(block, sentence.at), sentence.at)
                if client.last > sentence.at + self.back_after:
                    number = number_of(key) >> 2
                    self.came_back[number] = self.came_back.get(number, 0) + 1
        enough = self.policy.hop_members  # the first is no later than the last of so many
        self.convicts = {block: first[block] if n >= enough else float(-n) for block, n in many.items()}
        self.most_blocks = max(self.policy.networks, 2 * len(self.came_back), 2 * len(self.convicts))

    def _knocked(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """What a denied client did: counted, and nothing of it kept."""
        fact, attempts = event[1], event[2]
        if client.sentence is not None:
            self._came_back(key, client, now)
        client.last = now
        if fact[1] == STRONG:
            client.attempts += attempts
            self.attempts += attempts
        else:
            client.weak += attempts
        record = client.record
        if record is None:
            record = client.record = Record()
            if client.what:
                record.did = [client.what, 1]
        what = fact[0] * 16 + fact[4]
        did = record.did
        for i in range(0, len(did), 2):
            if did[i] == what:
                did[i + 1] += attempts
                return
        if did:
            did.append(what)
            did.append(attempts)
        else:
            record.did = [what, attempts]

    def evidence(self, key: bytes, client: Client) -> tuple[bytes, ...]:
        """The lines kept of a client."""
        if client.record is not None and client.record.evidence:
            return tuple(client.record.evidence)
        line = self.firsts.get(key)
        return (line,) if line is not None else ()

    def _known(self, trust: Trust, now: float) -> bool:
        """Whether good logins, on several days and not bought by guessing, are young enough to be remembered."""
        return trust.days >= self.policy.known_days and trust.last >= now - self.policy.known_for

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
        sentence = Sentence(target, bits, now, length, rule, clients, attempts, evidence)
        sentence.number = self.given
        self.given += 1
        (self.singles if bits in SINGLE else self.shared).append(sentence)
        if self.listed is not None:
            self.listed.append(sentence)
        if sentence.until < self.ends:
            self.ends = sentence.until
        if len(self.singles) + len(self.shared) > self.policy.sentences:
            self._forget_sentences(now)
        return sentence

    @property
    def sentences(self) -> list[Sentence]:
        """Those that are remembered, in the order in which they were given. Not to be changed."""
        listed = self.listed
        if listed is None:
            listed = self.listed = [*self.singles, *self.shared]
            listed.sort(key=lambda s: s.number)
        return listed

    @sentences.setter
    def sentences(self, listed: list[Sentence]) -> None:
        self.singles = [s for s in listed if s.bits in SINGLE]
        self.shared = [s for s in listed if s.bits not in SINGLE]
        self.listed = None
        self.given = listed[-1].number + 1 if listed else 0
        self.ends = 0.0

    def _block(self, key: bytes) -> int:
        """The number of the widest network that could be denied around a client or a network."""
        if len(key) <= 4:
            return int.from_bytes(key[:3], "big") >> (24 - self.policy.widest4)
        return SIX | int.from_bytes(key[:6], "big") >> (48 - self.policy.widest6)

    def imposed(self) -> list[tuple[Sentence, float]]:
        """The sentences as a firewall would get them, and from when: one that a wider one covers begins when that ends."""
        last = self.now
        wide: dict[bytes, list[Sentence]] = {}
        routed: dict[int, list[Sentence]] = {}
        for s in self.sentences:
            if s.rule == "wide":
                routed.setdefault(self._block(s.target), []).append(s)
            elif s.bits in (24, 48, 56):
                wide.setdefault(s.target, []).append(s)
        out: list[tuple[Sentence, float]] = []
        for s in self.sentences:
            at = s.at
            around: list[Sentence] = []
            for size in (3,) if s.bits == 32 else (6, 7) if s.bits == 64 else ():
                around += wide.get(s.target[:size], ())
            if routed and s.rule != "wide":
                around += [w for w in routed.get(self._block(s.target), ()) if within(s.target, w.target, w.bits)]
                around.sort(key=lambda w: w.at)
            for w in around:
                if w.at <= at + 1.0 and at <= w.until:
                    at = w.until
            if at == s.at or (at < s.until and at < last):
                out.append((s, at))
        out.sort(key=lambda x: x[1])
        return out

    def _spare(self, spared: Spared) -> None:
        if (spared.target, spared.rule) not in self.spared:
            if len(self.spared) >= FOUND:
                del self.spared[next(iter(self.spared))]
            self.spared[(spared.target, spared.rule)] = spared

    def _breach(self, attempts: int, event: Event, why: str) -> None:
        fact = event.fact
        for b in self.breaches[-20:]:
            if b.client == fact.client and b.user == fact.user and b.why == why:
                return
        if len(self.breaches) >= FOUND:
            del self.breaches[0]
        self.breaches.append(Breach(fact.client, fact.user, event.time, attempts, why, event.line[:LONGEST]))

    def _alarm(self, what: str, now: float, client: bytes, line: bytes) -> None:
        before = self.alarms.get((what, client))
        if before is not None and now - before.until > (APART if what in OUTAGES else DAY):  # another one
            if len(self.told) >= FOUND:
                del self.told[0]
            self.told.append(before)
            before = None
        if before is not None:
            self.alarms[(what, client)] = before._replace(until=now, times=before.times + 1)
        else:
            if len(self.alarms) >= FOUND:
                del self.alarms[next(iter(self.alarms))]
            self.alarms[(what, client)] = Alarm(what, now, now, 1, client, line[:LONGEST])

    def alarmed(self) -> list[Alarm]:
        """All alarms, in order of time."""
        return sorted([*self.told, *self.alarms.values()], key=lambda a: (a.at, a.what, a.client))

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
                if client.last <= recent and not client.good and (client.sentence is None or now > client.sentence.until):
                    if client.trust is not None:
                        self._forget_user(key)
                    del clients[key]
        if len(clients) > policy.clients:  # nobody but users and denied
            denied = [key for key, client in clients.items() if not client.good]
            users = [key for key, client in clients.items() if client.good]
            for key in (denied + users)[: len(clients) - kept]:
                if clients[key].trust is not None:
                    self._forget_user(key)
                del clients[key]
        self.forgotten += before - len(clients)
        self.full = max(policy.clients, len(clients) + tenth)

    def _forget_user(self, key: bytes) -> None:
        where = key[:3] if len(key) == 4 else key
        _drop(self.users, where, key)
        _drop(self.senders, where, key)
        if len(key) == 8:
            _drop(self.users6, key[:6], key)
            _drop(self.senders6, key[:6], key)

    def _forget_networks(self, since: float) -> None:
        """Drops a fifth of the networks, the oldest: first those that are not denied and had no offence since then."""
        _forget_quiet(self.networks, since, self.policy.networks * 4 // 5)

    def _forget_wide(self, now: float) -> None:
        """The same for IPv6."""
        _forget_quiet(self.wide, now, self.policy.networks * 4 // 5)

    def _forget_sentences(self, now: float) -> None:
        """Drops a tenth of the sentences, the oldest: first those that ended, then those of single clients, then of networks.

        What is not imposed any more does not last: its source's next offence counts again."""
        many = left = max(1, self.policy.sentences // 10)
        if now > self.ends:
            ends, last = FAR, self.given
            for s in self.sentences:
                if s.until < now:
                    left -= 1
                    if not left:
                        last = s.number
                        break
                elif s.until < ends:
                    ends = s.until
            else:
                self.ends = ends
            if left < many:
                self.singles = self._lasting(self.singles, last, now)
                self.shared = self._lasting(self.shared, last, now)
        for queue in (self.singles, self.shared):
            gone = queue[:left]
            del queue[:left]
            left -= len(gone)
            for s in gone:
                self._unlist(s, now)
        self.listed = None
        self.forgotten += many

    def _lasting(self, queue: list[Sentence], last: int, now: float) -> list[Sentence]:
        """Unlists the sentences that ended, up to the last one; the others."""
        kept: list[Sentence] = []
        for s in queue:
            if s.until < now and s.number <= last:
                self._unlist(s, now)
            else:
                kept.append(s)
        return kept

    def _unlist(self, sentence: Sentence, now: float) -> None:
        """A sentence is forgotten; its client remembers that it was."""
        sentence.evidence = ()
        sentence.until = min(sentence.until, now)
        if sentence.bits in SINGLE:
            client = self.clients.get(sentence.target)
            if client is not None and client.sentence is sentence:
                client.sentence = sentence.past()


def number_of(where: bytes) -> int:
    """The number of the /24 that a key begins with: as a key of a table it is smaller than its bytes."""
    return where[0] << 16 | where[1] << 8 | where[2]


def _drop(table: dict[bytes, list[bytes]], where: bytes, key: bytes) -> None:
    keys = table.get(where)
    if keys is not None and key in keys:
        keys.remove(key)
        if not keys:
            del table[where]


def _forget_quiet(networks: dict[bytes, Network], since: float, kept: int) -> None:
    for key in list(networks):
        if len(networks) <= kept:
            return
        network = networks[key]
        denied = network.sentence is not None and since <= network.sentence.until
        if not denied and network.last < since:
            del networks[key]
    for key in list(networks)[: len(networks) - kept]:
        del networks[key]
