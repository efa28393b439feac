"""What the judge keeps of clients and networks, and which of them are forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import Final

from monzen.judge.campaign import Campaigns
from monzen.judge.client import EVIDENCE, LONGEST, Client, Record, Sentence, Trust
from monzen.judge.lean import mypyc_attr
from monzen.judge.names import Names
from monzen.judge.network import Network
from monzen.judge.outage import Outages
from monzen.judge.policy import Policy
from monzen.judge.routes import Routes
from monzen.judge.sentences import FAR, Sentences
from monzen.judge.shield import Shield
from monzen.types import Event, Weight

STRONG: Final = int(Weight.STRONG)
FIRSTS: Final = 20_000  # lines kept of clients that offended once


@mypyc_attr(acyclic=True)
class Knocker:
    """Who knocks at the firewall, how often, at which ports."""

    __slots__ = ("count", "first", "last", "lately", "ports", "since")

    def __init__(self, time: float) -> None:
        self.count, self.first, self.last = 0, time, time
        self.since, self.lately = time, 0  # of this week
        self.ports: dict[bytes, int] = {}


class Tables(Sentences):
    """All state of the judge; the rules are in the classes that inherit it, one module for each kind."""

    def __init__(self, policy: Policy | None = None, shield: Shield | None = None, routes: Routes | None = None) -> None:
        super().__init__(policy or Policy())
        self.shield = shield or Shield()
        self.routes = routes  # None: nothing wider than a /24 or a /48 is ever denied
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
        self.first: float | None = None
        self.last: float | None = None
        self.passed: list[Event] | None = None  # offences that no denial kept out, for whoever put a list here
        self.events = self.attempts = self.logins = 0
        self.offenders = 0
        self.full = self.policy.clients  # clients at which some are forgotten
        self.midnight = 0.0  # when the day of now began, UTC
        self.came_back: dict[int, int] = {}  # by the number of a /22: no fewer convicts than came back after their conviction
        self.convicts: dict[int, float] = {}  # of a /20: since when it has convicts enough for a hopper; before, -how many
        self.back_after = self.policy.hop_after / 4  # seconds after which it is coming back
        self.most_blocks = self.policy.networks  # of these two tables, before they are counted anew
        self.around = 0.0  # until when any network is denied
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
