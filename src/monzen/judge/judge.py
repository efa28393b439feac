"""The judge: events in order of time become sentences. Pure, bounded; each rule is one method, each number is in the policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from monzen.judge.client import Client, Record, Sentence, Trust
from monzen.judge.findings import Alarm, Breach, Spared
from monzen.judge.names import LONGEST_NAME, Name, alike
from monzen.judge.policy import DAY
from monzen.judge.rules import SSH, Rules, clockwork
from monzen.judge.tables import Knocker
from monzen.types import Event, Kind

__all__ = ["Alarm", "Breach", "Judge", "Knocker", "Spared"]

AUTH_SUCCESS: Final = int(Kind.AUTH_SUCCESS)
DELIVERED: Final = int(Kind.DELIVERED)
BLOCKED: Final = int(Kind.BLOCKED)
OUTAGE: Final = int(Kind.AUTH_OUTAGE)
FAILURE: Final = int(Kind.AUTH_FAILURE)
FARTHEST: Final = 1e11  # seconds: the year 5138
PLACES: Final = 256  # users kept of a network: a /24 has no more


class Judge(Rules):
    """Hears events in order and decides. All tables are bounded by the policy; what it found is in its attributes."""

    def hear(self, events: Iterable[Event]) -> None:
        """Takes note of events and decides; a stamp that runs backwards counts as now."""
        now, clients, networks, wide, routed = self.now, self.clients, self.networks, self.wide, self.routed
        heard = 0
        begun = self.first is not None
        for event in events:
            time = event[0]
            if not time < FARTHEST:  # no time at all
                continue
            fact = event[1]
            kind, weight, packed = fact[0], fact[1], fact[2]
            heard += 1
            if time > now or not begun:
                now = time
                if not begun:
                    self.first = time
                    begun = True
                if now > self.listen:
                    self._silence(now)
                if now >= self.midnight + DAY:
                    self.midnight = now // DAY * DAY
            if not packed:
                if kind == OUTAGE:
                    self._alarm("outage", now, b"", event[3])
                continue
            key = packed if len(packed) == 4 else packed[:8]
            if kind == BLOCKED:
                self._knock(key, fact[7], now, event[3])
            elif kind == AUTH_SUCCESS:
                self._login(key, event, now)
            elif kind == DELIVERED:
                self._mail(key, now)
            elif weight:
                if event[2] <= 0:
                    self._mixed(key, event)
                    continue
                client = clients.get(key)
                if client is not None:
                    own = client.sentence
                    if own is not None and now <= own.until:
                        self._knocked(key, client, event, now)
                        own.knock(now, event[2])
                        if now <= self.around and len(key) == 4:
                            network = networks.get(key[:3])
                            if network is not None:
                                around = network.sentence
                                if around is not None and now <= around.until:  # for as long as its members keep coming
                                    around.knock(now, event[2])
                                    self.around = max(self.around, around.until)
                        if routed:
                            around = self._routed_sentence(key, now)
                            if around is not None:
                                around.knock(now, event[2])
                                self.around = max(self.around, around.until)
                        continue
                if len(key) == 4:
                    network = networks.get(key[:3])
                    if network is not None:
                        sentence = network.sentence
                        if sentence is not None and now <= sentence.until:
                            self._swallow(key, client, sentence, event, now)
                            continue
                        if network.parts:
                            sentence = network.part(key, now)
                            if sentence is not None:
                                self._swallow(key, client, sentence, event, now)
                                continue
                elif wide:
                    sentence = self._wide_sentence(key, now)
                    if sentence is not None:
                        self._swallow(key, client, sentence, event, now)
                        continue
                if routed:
                    sentence = self._routed_sentence(key, now)
                    if sentence is not None:
                        self._swallow(key, client, sentence, event, now)
                        continue
                if client is None:
                    client = self._client(key, now)
                if self.passed is not None:
                    self.passed.append(event)
                self._note(key, client, event, now)
                self._offence(key, client, event, now)
            elif kind == OUTAGE:
                self._alarm("outage", now, b"", event[3])
            elif kind == FAILURE and self.shield.covers(packed):
                self._alarm("hidden-clients", now, packed, event[3])
        self.now = now
        self.events += heard
        if self.first is not None:
            self.last = now

    def _swallow(self, key: bytes, client: Client | None, sentence: Sentence, event: Event, now: float) -> None:
        """A line of a denied network: a knock. Only its members' knocks prolong it: a customer's phone knocks too, for ever."""
        if client is None:
            client = self._client(key, now)
            self._note(key, client, event, now)
        else:
            self._knocked(key, client, event, now)
        sentence.knocks += event[2]
        if client.sentence is not None:
            sentence.until = now + sentence.length
            sentence.last_knock = now
            self.around = max(self.around, sentence.until)

    def _login(self, key: bytes, event: Event, now: float) -> None:
        self.logins += 1
        fact = event[1]
        user, service = fact[3], fact[4]
        client = self._client(key, now)
        trust = client.trust
        if (
            trust is not None
            and client.attempts == client.weak == 0
            and client.sentence is None
            and trust.last >= self.midnight
            and now > self.around
            and user
            and trust.logins
            and trust.holds(user)
        ):  # the same as before, and nothing else is to be thought of: most logins of a server
            trust.logins += 1
            trust.last = now
            self.outages.succeeded(event[4])
            return
        where = key[:3] if len(key) == 4 else key
        known = trust is not None and self._known(trust, now)
        network = self.networks.get(where) if len(key) == 4 else None
        wide: Sentence | None = None
        if network is not None:
            wide = network.sentence
            if network.parts and (wide is None or now > wide.until):
                wide = network.part(key, now)
        elif self.wide and len(key) == 8:
            wide = self._wide_sentence(key, now)
        if wide is not None and now > wide.until:
            wide = None
        if wide is None and self.routed:
            wide = self._routed_sentence(key, now)
        own = client.sentence
        if own is not None and now > own.until:
            own = None
        if not known and (client.attempts or client.weak):
            denied = own is not None or wide is not None
            if denied or self._guessed(key, client, user, event[3], now):
                self._breach(client.attempts, event, "guessed" if not denied else "denied" if own is not None else "network")
                return
        if own is not None and isinstance(own, Sentence):
            own.hurt_by(key)
        if wide is not None:
            wide.hurt_by(key)
        self.outages.succeeded(event[4])
        if trust is None:
            trust = client.trust = Trust()
        if not trust.logins:
            trust.first = now
            _keep(self.users, where, key)
            if len(key) == 8:
                _keep(self.users6, key[:6], key)
        if not trust.logins or (trust.last < self.midnight and now - trust.day >= DAY / 2):
            trust.days += 1
            trust.day = now
        trust.logins += 1
        trust.last = now
        if user:
            name = self.names.find(b"ssh:" + user if service == SSH else user, now)
            name.good = now
            if not name.exists:
                self.names.exists(name)
            if not trust.holds(name.text):
                trust.add(name.text)
            if client.record is not None:
                self._forgive(client.record, name)
            if service != SSH and trust.logins == 1:
                shape = service * 4096 + (len(fact[7]) * 64 + fact[7][0] if fact[7] else 0)
                self.campaigns.succeeded(shape, key[:3] if len(key) == 4 else key[:4], now)
        client.name = None
        if network is not None:
            network.forgive(key)
        elif len(key) == 8 and self.wide:
            for size in (6, 7):
                network = self.wide.get(key[:size])
                if network is not None:
                    network.forgive(key)

    def _guessed(self, key: bytes, client: Client, user: bytes | None, line: bytes, now: float) -> bool:
        """Whether a good login follows so many failures of a day that it is no bad memory, or comes from a convict that tried
        this very name."""
        record = client.record
        if record is None:
            return False
        day = now - DAY
        strange = 0
        named = None if user is None else (b"ssh:" + user if client.deed % 16 == SSH else user)[:LONGEST_NAME].lower()
        for i in range(len(record.names)):
            name = record.names[i]
            if record.named[i] >= day and not name.exists and not self.names.is_kin(name):
                strange += 1
            if client.sentence is not None and record.named[i] <= client.sentence.at and name.text == named:
                return True
        if strange >= self.policy.names:
            return True
        stamps = [t for t in record.stamps if t >= day]
        if client.trust is not None or len(stamps) < self.policy.guesses:
            return False
        if len(record.names) > 1 or not clockwork(stamps):
            return True
        self._alarm("late-login", now, key, line)  # a device that was given the right password at last, or a patient guesser
        return False

    def _forgive(self, record: Record, name: Name) -> None:
        """Slips before a success were slips."""
        if record.names:
            kept = [i for i in range(len(record.names)) if not alike(record.names[i], name)]
            if len(kept) < len(record.names):
                record.names = [record.names[i] for i in kept]
                record.named = [record.named[i] for i in kept]
        if record.nameless:
            record.nameless.clear()
        record.stamps.clear()

    def _mail(self, key: bytes, now: float) -> None:
        """An accepted mail."""
        client = self._client(key, now)
        trust = client.trust
        if trust is None:
            trust = client.trust = Trust()
        if not trust.mails or trust.mail_last < self.midnight:
            trust.mail_days += 1
            if trust.mail_days == 2:
                where = key[:3] if len(key) == 4 else key
                _keep(self.senders, where, key)
                if len(key) == 8:
                    _keep(self.senders6, key[:6], key)
        trust.mails += 1
        trust.mail_last = now

    def _mixed(self, key: bytes, event: Event) -> None:
        """Failures and successes in one session: more failures than a person's typos are an alarm."""
        if event.fact.detail == b"mixed" and event.fact.attempts >= self.policy.names:
            client = self.clients.get(key)
            self._breach(client.attempts if client is not None else event[1][5], event, "mixed")

    def _knock(self, key: bytes, port: bytes | None, now: float, line: bytes) -> None:
        """A packet that the firewall turned away. A forged packet can be anybody's, so it never denies; one that asks for no
        port (IGMP and its kin) is the network's own housekeeping."""
        if port is None:
            return
        knocker = self.knockers.get(key)
        if knocker is None:
            if len(self.knockers) >= self.policy.knockers:
                for old in list(self.knockers)[: self.policy.knockers // 10]:
                    del self.knockers[old]
                self.forgotten += 1
            knocker = self.knockers[key] = Knocker(now)
        if now - knocker.since > self.policy.memory:
            knocker.since, knocker.lately = now, 0
        knocker.count += 1
        knocker.lately += 1
        knocker.last = now
        if port in knocker.ports or len(knocker.ports) < 16:
            knocker.ports[port] = knocker.ports.get(port, 0) + 1
        if port in self.ports or len(self.ports) < 4096:
            self.ports[port] = self.ports.get(port, 0) + 1
        self._knocks(key, knocker.lately, now)

    def _knocks(self, key: bytes, count: int, now: float) -> None:
        """What knocks add to what is known: they prolong a denial up to a cap, and count where more than packets came before."""
        policy = self.policy
        client = self.clients.get(key)
        sentence = client.sentence if client is not None else None
        if sentence is not None and now <= sentence.until:
            until = min(now + sentence.length, sentence.last_knock + max(sentence.length, policy.knock_cap))
            sentence.until = max(sentence.until, until)
            if isinstance(sentence, Sentence):
                sentence.knocks += 1
            return
        if client is None or not client.attempts or client.last < now - policy.memory or count < policy.knocks:
            return
        if client.trust is None or not client.trust.logins:
            self._convict(key, client, "knocks", now, count)


def _keep(table: dict[bytes, list[bytes]], where: bytes, key: bytes) -> None:
    """Keeps a client of a network that is not among its clients yet."""
    keys = table.get(where)
    if keys is None:
        table[where] = [key]
        return
    if len(keys) >= PLACES:
        del keys[0]
    keys.append(key)
