"""What one client must not do: guess names or passwords, probe for a relay, look for mailboxes, send what is no mail."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from monzen.judge.client import KEPT, NEVER, NOTHING, Client, Record
from monzen.judge.findings import Spared
from monzen.judge.names import NETWORKS, Name
from monzen.judge.networks import GHOST, HOT, NAMELESS, OWN, REAL, UNCLEAR
from monzen.judge.policy import DAY
from monzen.judge.strangers import Strangers
from monzen.judge.tables import STRONG
from monzen.types import Event, Kind, Service

RELAY: Final = int(Kind.RELAY_DENIED)
RECIPIENT: Final = int(Kind.RECIPIENT_UNKNOWN)
ABUSE: Final = int(Kind.PROTOCOL_ABUSE)
SSH: Final = int(Service.SSH)
HOUR: Final = 3600.0
BEAT: Final = 10.0  # seconds: no device tries more often
APART: Final = 6 * HOUR  # a program that has one mail to bring has given up or brought it


def steady(stamps: list[float]) -> bool:
    """Whether a program tries again by the clock: four of five gaps are the middle one, or some of it, within a fifth.

    Some of it, because what it tried while the server was down left no line.
    """
    gaps = sorted(stamps[i + 1] - stamps[i] for i in range(len(stamps) - 1))
    middle = gaps[len(gaps) // 2]
    if middle <= 0:
        return False
    even = sum(1 for g in gaps if abs(g - middle * max(1.0, float(round(g / middle)))) <= 0.2 * middle + 1)
    return even * 5 >= len(gaps) * 4


def clockwork(stamps: list[float]) -> bool:
    """Whether most gaps are the same to the second or two: a device that tries three times a job, whenever somebody has a job."""
    if len(stamps) < 3:
        return False
    gaps = sorted(stamps[i + 1] - stamps[i] for i in range(len(stamps) - 1))
    middle = gaps[len(gaps) // 2]
    slack = max(2.0, 0.02 * middle)
    return middle >= BEAT and sum(1 for g in gaps if abs(g - middle) <= slack) * 5 >= len(gaps) * 3


class Rules(Strangers):
    """The rules that look at one client."""

    def _offence(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """An offence of a client that is not denied."""
        kind = event[1][0]
        if kind == RELAY:
            self._relay(key, client, event, now)
        elif kind == RECIPIENT:
            self._recipient(key, client, event, now)
        elif kind == ABUSE:
            self._sign(key, client, event, now)
        elif (
            event[1][1] == STRONG or client.weak // 4 > (client.weak - event[2]) // 4
        ):  # four weak signs (lost after AUTH, rate limits) are as much as a failure
            self._failure(key, client, event, now)

    def _strangeness(self, client: Client, name: Name | None, event: Event) -> int:
        """How strange a failure is, beside what its account's own user does."""
        if name is None:
            return NAMELESS
        trust = client.trust
        if trust is not None and trust.holds(name.text):
            return OWN
        account = event[1][6]
        names = self.names
        if account is True:
            names.exists(name)
        if name.exists:
            return REAL
        if names.is_kin(name):
            return UNCLEAR
        if account is False:
            name.ghost = True
        if len(name.networks) >= self.policy.hot:
            return HOT
        return GHOST if name.ghost else UNCLEAR

    def _failure(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """A failed login."""
        policy = self.policy
        fact, attempts = event[1], event[2]
        user, service = fact[3], fact[4]
        ssh = service == SSH
        name: Name | None = None
        if user:
            name = self.names.find(b"ssh:" + user if ssh else user, now)
        strange = self._strangeness(client, name, event)
        trust = client.trust
        known = trust is not None and self._known(trust, now)
        if known and self.outages.failed(event[4], name.text if name is not None else key, now, policy.outage_clients):
            self._alarm("silent-outage", now, b"", event[3])
        if self.outages.last and self.outages.down(event[4], now):
            return
        if name is not None and not ssh:
            self.names.tried(name, key[:2] if len(key) == 4 else key[:4])
        if strange == OWN and self.outages.last >= now:
            return
        shape = service * 4096 + (len(fact[7]) * 64 + fact[7][0] if fact[7] else 0)
        stranger = trust is None or not trust.logins  # mail is cheap: it excuses no guess
        if not ssh and stranger:
            self.campaigns.failed(shape, key[:3] if len(key) == 4 else key[:4], now)

        record = client.record
        if record is None and client.attempts <= attempts and attempts == 1:
            client.name = name
        else:
            if record is None:
                record = client.record = Record()
            if client.attempts > attempts and not record.stamps:  # the one before, of which little was kept
                if client.name is not None:
                    record.name(client.name, client.first)
                    client.name = None
                record.failed(client.first, 1, bool(record.names))
            record.failed(now, attempts, name is not None)
            if name is not None and strange != OWN:
                record.name(name, now)

        if known or strange == OWN:
            self._known_failure(key, client, record, strange, now)
            return
        # -- alone
        rule = ""
        if (
            strange >= GHOST
            and policy.campaign
            and strange == HOT
            and not ssh
            and stranger
            and self.campaigns.runs(shape, policy, now)
        ):
            if client.sentence is None:
                self._wait(key, shape, now)
                self._among_waiting(key, client, 2 * min(attempts, 3), now)
                return
            rule = "campaign"
        elif self._convicted(client, now) and (strange >= NAMELESS or ssh):
            rule = "return"
        elif (
            client.sentence is not None
            and client.sentence.rule == "campaign"
            and client.sentence.shape == shape
            and stranger
            and self.campaigns.runs(shape, policy, now)
        ):
            rule = "campaign"
        elif record is not None:
            usual = not record.names and self.campaigns.usual(shape)
            rule = self._alone(client, record, ssh, usual, now)
            if not rule and len(record.names) <= 1 and len(record.stamps) == policy.device and not ssh:
                self._spare(
                    Spared(
                        key, 32 if len(key) == 4 else 64, now, "slow", "device", 1, client.attempts, self.evidence(key, client)
                    )
                )
                self._alarm("device", now, key, event[3])
        if rule:
            if rule == "campaign":
                self._join_campaign(key, client, shape, now)
            else:
                self._convict(key, client, rule, now)
            return
        if policy.campaign and stranger and not ssh:
            self._hush(key, shape, strange, now)
        knocker = self.knockers.get(key)
        if (
            knocker is not None
            and strange >= NAMELESS
            and knocker.lately >= policy.knocks
            and now - knocker.last <= policy.memory
            and self._suspected(key)
        ):
            self._convict(key, client, "knocks", now, knocker.lately)
            return
        # -- among others
        points = 2 if strange >= GHOST else 1
        if strange != REAL or attempts > 1:
            self._among(key, client, strange, points * min(attempts, 3), now)

    def _alone(self, client: Client, record: Record, ssh: bool, usual: bool, now: float) -> str:
        """The rule that a client broke by itself, or nothing."""
        policy = self.policy
        since = now - policy.memory
        if client.sentence is not None and client.sentence.at > since:
            since = client.sentence.at  # what came before it was paid for
        stamps = record.stamps
        while stamps and stamps[0] < since:
            del stamps[0]
        while record.nameless and record.nameless[0] < since:
            del record.nameless[0]
        if ssh:
            return "ssh" if len(stamps) >= policy.ssh else ""
        ghosts = real = many = 0
        hot = 0
        for i in range(len(record.names)):
            name = record.names[i]
            if record.named[i] <= since:
                continue
            many += 1
            if name.exists:
                real += 1
            elif (name.ghost or len(name.networks) >= policy.hot) and not self.names.is_kin(name):
                ghosts += 1
                hot += len(name.networks) >= policy.hot
        people = client.trust.people() if client.trust is not None else 0  # each may mistype
        if ghosts >= policy.ghosts + people or (hot > 1 and ghosts >= policy.ghosts - 1 + people):
            return "names"
        if many >= policy.real_names + people or (many >= policy.names + people and real < many):
            return "names"
        window = now - policy.window
        if many > 1 and len(stamps) >= policy.slow:
            return "slow"
        if many == 0:
            nameless = record.nameless
            if len(nameless) >= policy.nameless and nameless[-policy.nameless] >= window:
                return "burst"
            if len(nameless) >= policy.slow:
                if clockwork(nameless[-policy.slow :]):
                    return ""
                clock = steady(nameless)
                if not (usual or clock) or (len(nameless) >= policy.slow_nameless and not (usual and clock)):
                    return "slow"
        if len(stamps) >= policy.one_name and stamps[-policy.one_name] >= window:
            return "burst"
        if (
            real == 1
            and many == 1
            and len(stamps) >= policy.targeted
            and stamps[-1] - stamps[0] > policy.targeted * HOUR
            and (client.trust is None or not client.trust.logins)
            and len(record.names[-1].networks) >= NETWORKS
            and not steady(stamps)
            and not clockwork(stamps)
        ):
            return "targeted"
        often = policy.one_name_hour
        if len(stamps) >= often and stamps[-often] >= now - HOUR and not steady(stamps[-often:]):
            return "slow"
        return ""

    def _convicted(self, client: Client, now: float) -> bool:
        """Whether a client was denied lately, and nobody logged in from there since."""
        sentence = client.sentence
        if sentence is None or sentence.until < now - self.policy.longest:
            return False
        return client.trust is None or not client.trust.logins or client.trust.last < sentence.at

    def _known_failure(self, key: bytes, client: Client, record: Record | None, strange: int, now: float) -> None:
        """A failure of somebody who also logs in: an alarm, unless it is plainly a list of names."""
        policy = self.policy
        if record is None:
            return
        stamps = record.stamps
        if len(stamps) >= policy.alarm and stamps[-policy.alarm] >= now - policy.window:
            self._spare(
                Spared(key, 32 if len(key) == 4 else 64, now, "burst", "known", 1, client.attempts, self.evidence(key, client))
            )
            self._alarm("known-client-fails", now, key, record.evidence[-1] if record.evidence else b"")
        if strange == OWN:
            return
        day = now - DAY
        ghosts = 0
        for i in range(len(record.names)):
            name = record.names[i]
            strange_name = name.ghost or len(name.networks) >= policy.hot
            if record.named[i] >= day and strange_name and not name.exists and not self.names.is_kin(name):
                ghosts += 1
        if ghosts >= policy.known_ghosts:
            self._convict(key, client, "names", now)

    def _relay(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """Mail for somebody elsewhere, without a login."""
        record = self._recipients(client, event, now)
        trust = client.trust
        if trust is not None and trust.logins:
            return
        self._fresh_signs(record, now)
        signs = record.signs
        if not signs:
            record.signs = signs = [now]
        elif now - signs[-1] >= APART and len(signs) < KEPT:
            signs.append(now)
        most = self.policy.relay
        if trust is not None:  # others' mail may lead here by a wrong MX, or one that is meant to
            most += self.policy.recipients_per_mail * trust.mails
        again = len(signs) >= most and not self._inhabited(key[:3] if len(key) == 4 else key, now)  # the same ones, day after day
        if client.sentence is not None or len(record.recipients) >= most or again:
            self._convict(key, client, "relay", now)
            return
        self._among(key, client, GHOST, 2, now)

    def _fresh_signs(self, record: Record, now: float) -> None:
        """Drops signs that are older than the policy remembers."""
        since = now - self.policy.memory
        if record.signs and record.signs[0] < since:
            record.signs = [t for t in record.signs if t >= since] or NEVER

    def _recipients(self, client: Client, event: Event, now: float) -> Record:
        record = client.record
        if record is None:
            record = client.record = Record()
            if client.what:
                record.did = [client.what, 1]
        who = crc32(event[1][7] or b"")
        if not record.recipients or now - record.asked > self.policy.memory:
            record.recipients = [who]
            record.asked = now
        elif who not in record.recipients and len(record.recipients) < KEPT:
            record.recipients.append(who)
        return record

    def _recipient(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """Mail for somebody who is not here."""
        policy = self.policy
        record = self._recipients(client, event, now)
        trust = client.trust
        most = policy.recipients
        if trust is not None:
            if trust.logins:
                return
            most += policy.recipients_per_mail * trust.mails
        if len(record.recipients) >= most:
            self._convict(key, client, "harvest", now)
            record.recipients = NOTHING
        elif client.sentence is not None and trust is None:
            self._convict(key, client, "return", now)
        elif trust is None and len(key) == 4 and not self._inhabited(key[:3], now):
            self._harvest(key, client, now)

    def _harvest(self, key: bytes, client: Client, now: float) -> None:
        """Several strangers of a /24 in which nobody lives, each with a few addresses that are not here."""
        policy = self.policy
        network = self._beside(key[:3], key, now - policy.window)
        if network is None:
            return
        network.offended(key, 0, now, now - policy.window)
        found: set[int] = set()
        hosts = 0
        for k in network.members:
            other = self.clients.get(k)
            if other is not None and other.trust is None and other.record is not None and other.last >= now - policy.memory:
                hosts += len(other.record.recipients) > 0
                found.update(other.record.recipients)
        if hosts >= policy.crowd and len(found) >= policy.recipients:
            self._convict(key, client, "harvest", now, len(found))

    def _sign(self, key: bytes, client: Client, event: Event, now: float) -> None:
        """What no mail software does."""
        record = client.record
        trust = client.trust
        if trust is not None and (trust.logins or trust.mail_days > 1):
            return
        if record is None:
            if event[1][1] == STRONG or client.sentence is not None:
                self._convict(key, client, "abuse", now)
            else:
                self._among(key, client, GHOST, 1, now)
            return
        self._fresh_signs(record, now)
        signs = record.signs[-KEPT:]
        if not signs and client.attempts + client.weak > event[2]:
            signs.append(client.first)
        signs.append(now)
        if event[1][1] == STRONG:
            signs.append(now)
        record.signs = signs
        if client.sentence is not None or len(record.signs) >= self.policy.abuse:
            self._convict(key, client, "abuse", now)
            record.signs = NEVER
        else:
            self._among(key, client, GHOST, 1, now)
