"""What other programs would have denied with their default settings: emulations in event time, pure and bounded.

Each hears the joined events that monzen's judge hears and takes no notice of an address while it denies it. Sources, versions and
what flatters them: docs/compare.md. Addresses are packed, times epoch seconds, durations seconds.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from monzen.types import Event, Kind, Service, Weight

STRONG: Final = int(Weight.STRONG)
FAILURE: Final = int(Kind.AUTH_FAILURE)
DETAIL: Final = int(Kind.AUTH_DETAIL)
OUTAGE: Final = int(Kind.AUTH_OUTAGE)
RELAY: Final = int(Kind.RELAY_DENIED)
RECIPIENT: Final = int(Kind.RECIPIENT_UNKNOWN)
REJECTED: Final = int(Kind.REJECTED)
ABUSE: Final = int(Kind.PROTOCOL_ABUSE)
LOST: Final = int(Kind.LOST)
SSH: Final = int(Service.SSH)
POSTFIX: Final = frozenset((int(Service.SMTP), int(Service.SUBMISSION), int(Service.SMTPS)))
TENTH: Final = 10  # of a full table so many parts make one that is forgotten

# Fact.about of kinds of lines that one of them knows by itself
PIPELINING: Final = "Postfix: pipelining where none is allowed"
TOO_MANY: Final = "Postfix: too many errors"
EARLY: Final = "postscreen: spoke before the greeting"
LEFT: Final = "Postfix: connection lost while logging in"
REFUSED: Final = "Postfix: refused a command"

# Reasons of a refusal that fail2ban 1.0.2's filter postfix[mode=more] knows and monzen holds against nobody, or weakly; the
# answer's code and what stands before the reason are Postfix's own.
KNOWN_REFUSAL: Final = re.compile(
    rb" from [^\[]*+\[[^\]]*+\](?::\d++)?: [45][50][04] [45]\.\d\.\d++ (?:<[^>]*+>: )?"
    rb"(?:(?:Helo command|Sender address|Recipient address) rejected: )?"
    rb"(?:Service unavailable|(?:Client host|Command|Data command) rejected|(?:Host|Domain) not found|"
    rb"need fully-qualified hostname)\b"
).search
HELO_REFUSAL: Final = re.compile(rb" from [^\[]*+\[[^\]]*+\](?::\d++)?: \d{3} [\d.]++ <[^>]*+>: Helo command rejected").search


def login_failed(event: Event) -> bool:
    """Whether it is a wrong password."""
    fact = event[1]
    return fact[1] == STRONG and fact[0] in (FAILURE, DETAIL) and event[2] > 0


class Peer:
    """What all of them have: whom they deny until when, how often they did, and how many different ones.

    `most` bounds each table; `since` is from when on denials are counted.
    """

    name = ""

    def __init__(self, most: int = 1_000_000, since: float | None = None) -> None:
        self.most = most
        self.since = since if since is not None else float("-inf")
        self.until: dict[bytes, float] = {}
        self.counted: set[bytes] = set()  # the targets
        self.denials = self.targets = self.addresses = self.forgotten = 0

    def denied(self, address: bytes, now: float) -> bool:
        """Whether nothing comes in from an address now."""
        until = self.until.get(address)
        return until is not None and now <= until

    def hear(self, event: Event, now: float) -> None:
        """Takes note of an event, unless its client is denied."""
        address = event[1][2]
        if address and not self.denied(address, now):
            self.count(address, event, now)

    def count(self, address: bytes, event: Event, now: float) -> None:
        """What the policy makes of an event of a client that is not denied."""
        raise NotImplementedError  # each policy has its own

    def deny(self, address: bytes, now: float, seconds: float) -> None:
        """Nothing comes in from the address for so long."""
        if address not in self.until and len(self.until) >= self.most:
            self.forgotten += forget(self.until, [key for key, until in self.until.items() if until < now], self.most)
        self.until[address] = now + seconds
        if now < self.since:
            return
        self.denials += 1
        if address not in self.counted:
            if len(self.counted) < self.most:
                self.counted.add(address)
            self.targets += 1
            if len(address) == 4:
                self.addresses += 1


def forget(table: dict[bytes, Any], past: list[bytes], most: int) -> int:
    """Drops the entries that are past, and where these are less than a tenth, the oldest besides: how many of those.

    Less than a tenth at once would take quadratic time."""
    for key in past:
        del table[key]
    lost = list(table)[: max(0, most // TENTH + 1 - len(past))]
    for key in lost:
        del table[key]
    return len(lost)


class Rate(NamedTuple):
    """Failures of one address in one jail: as many as are said to lie between the first and the last of them."""

    first: float
    last: float
    failures: int


class Fail2ban(Peer):
    """fail2ban 1.0.2: `maxretry` failures within `findtime` by address and jail, then a ban of `bantime`, all at their defaults.

    It keeps no list of stamps: once the first failure is older than `findtime`, it takes their number for a rate and counts on
    from what that makes in one `findtime` (FailTicket.adjustTime). Jails: sshd, postfix-sasl, postfix, dovecot.
    """

    name = "fail2ban"
    maxretry = 5
    findtime = 600.0
    bantime = 600.0  # bantime.increment is commented out in jail.conf: a ban is never longer

    def __init__(self, most: int = 1_000_000, since: float | None = None) -> None:
        super().__init__(most, since)
        self.rates: dict[bytes, Rate] = {}

    def jail(self, event: Event) -> bytes:
        """Which filter finds the line; `b""` for none."""
        fact = event[1]
        kind, service, about = fact[0], fact[4], fact[9]
        if login_failed(event):
            return b"sshd" if service == SSH else b"postfix-sasl" if service in POSTFIX else b"dovecot"
        if kind in (RELAY, RECIPIENT) or about in (PIPELINING, TOO_MANY):
            return b"postfix"
        if kind == REJECTED and KNOWN_REFUSAL(event[3][:1000]) is not None:
            return b"postfix"
        return b""

    def count(self, address: bytes, event: Event, now: float) -> None:
        """One more failure of its jail."""
        jail = self.jail(event)
        if not jail:
            return
        key = address + jail
        rate = self.rates.get(key)
        many = max(event[2], 1)
        if rate is None or rate.last + self.findtime <= now:  # FailManager.cleanup
            if rate is None and len(self.rates) >= self.most:
                old = [k for k, r in self.rates.items() if r.last + self.findtime <= now]
                self.forgotten += forget(self.rates, old, self.most)
            first, failures = now, many
        else:
            first, failures = rate.first, rate.failures
            if first < now - self.findtime:
                failures = round(failures / (now - first) * self.findtime)
                first = now - self.findtime
            failures += many
        if failures >= self.maxretry:
            self.rates.pop(key, None)
            self.deny(address, now, self.bantime)
        else:
            self.rates[key] = Rate(first, now, failures)


class Scenario(NamedTuple):
    """A leaky bucket of CrowdSec: it takes `capacity` events, one leaks in `leakspeed` seconds, the next one runs over."""

    capacity: int
    leakspeed: float


# crowdsecurity/hub, collections sshd, postfix and dovecot; the names are those of the scenarios.
HUB: Final = {
    b"ssh-bf": Scenario(5, 10.0),
    b"ssh-slow-bf": Scenario(10, 60.0),
    b"postfix-spam": Scenario(5, 10.0),
    b"postfix-relay-denied": Scenario(1, 600.0),
    b"postfix-helo-rejected": Scenario(1, 600.0),
    b"postscreen-rbl": Scenario(0, 10.0),  # a trigger: the first one runs over
    b"dovecot-spam": Scenario(3, 360.0),
}


class CrowdSec(Peer):
    """CrowdSec's scenarios for sshd, Postfix and Dovecot by address (`groupby: evt.Meta.source_ip`); four hours of ban."""

    name = "crowdsec"
    duration = 4 * 3600.0  # profiles.yaml: duration: 4h

    def __init__(self, most: int = 1_000_000, since: float | None = None, scenarios: dict[bytes, Scenario] | None = None) -> None:
        super().__init__(most, since)
        self.scenarios = HUB if scenarios is None else scenarios
        self.longest = max(s.capacity * s.leakspeed for s in self.scenarios.values())  # then every bucket is dry
        self.buckets: dict[bytes, tuple[float, float]] = {}  # address and scenario: level, and when that was

    def heard_by(self, event: Event) -> tuple[bytes, ...]:
        """The scenarios that take an event."""
        fact = event[1]
        kind, service, about = fact[0], fact[4], fact[9]
        if login_failed(event):
            if service == SSH:
                return (b"ssh-bf", b"ssh-slow-bf")
            return (b"postfix-spam",) if service in POSTFIX else (b"dovecot-spam",)
        if kind == RELAY:
            return (b"postfix-spam", b"postfix-relay-denied")
        if kind == REJECTED and HELO_REFUSAL(event[3][:1000]) is not None:
            return (b"postfix-spam", b"postfix-helo-rejected")
        if kind in (RECIPIENT, REJECTED) and about == REFUSED:
            return (b"postfix-spam",)
        if about == LEFT or (kind == OUTAGE and service in POSTFIX):
            return (b"postfix-spam",)
        return (b"postscreen-rbl",) if about == EARLY else ()

    def count(self, address: bytes, event: Event, now: float) -> None:
        """Pours it into its buckets."""
        for name in self.heard_by(event):
            scenario = self.scenarios.get(name)
            if scenario is None:
                continue
            key = address + name
            bucket = self.buckets.get(key)
            if bucket is None:
                if len(self.buckets) >= self.most:
                    dry = [k for k, b in self.buckets.items() if b[1] + self.longest <= now]
                    self.forgotten += forget(self.buckets, dry, self.most)
                level = 0.0
            else:
                level = max(0.0, bucket[0] - (now - bucket[1]) / scenario.leakspeed)
            level += max(event[2], 1)
            if level > scenario.capacity:
                self.buckets.pop(key, None)
                self.deny(address, now, self.duration)
                return
            self.buckets[key] = (level, now)


class Sshguard(Peer):
    """sshguard 2.4.2: attacks of 10 each; at THRESHOLD (30) an address is blocked for BLOCK_TIME (120 s), then twice as long.

    A score is dropped DETECTION_TIME (1800 s) after its first attack. The subnets are its defaults: /32 and /128.
    """

    name = "sshguard"
    danger = 10
    threshold = 30
    block_time = 120.0
    detection_time = 1800.0
    longest = 40  # doublings: longer than any log

    def __init__(self, most: int = 1_000_000, since: float | None = None) -> None:
        super().__init__(most, since)
        self.scores: dict[bytes, tuple[float, int]] = {}  # since when, how much
        self.blocks: dict[bytes, int] = {}  # how often blocked before

    def attack(self, event: Event) -> bool:
        """Whether its parser takes a line for an attack."""
        fact = event[1]
        kind, service, about = fact[0], fact[4], fact[9]
        return login_failed(event) or (kind == OUTAGE and service in POSTFIX) or about in (EARLY, LEFT)

    def count(self, address: bytes, event: Event, now: float) -> None:
        """Adds to its score."""
        if not self.attack(event):
            return
        score = self.scores.get(address)
        if score is None or now - score[0] > self.detection_time:
            if score is None and len(self.scores) >= self.most:
                old = [k for k, s in self.scores.items() if now - s[0] > self.detection_time]
                self.forgotten += forget(self.scores, old, self.most)
            score = (now, 0)
        points = score[1] + self.danger * max(event[2], 1)
        if points < self.threshold:
            self.scores[address] = (score[0], points)
            return
        self.scores.pop(address, None)
        times = self.blocks.get(address, 0)
        if not times and len(self.blocks) >= self.most:
            self.forgotten += forget(self.blocks, [], self.most)
        self.blocks[address] = times + 1
        self.deny(address, now, self.block_time * 2.0 ** min(times, self.longest))


PEERS: Final[dict[str, type[Peer]]] = {"fail2ban": Fail2ban, "crowdsec": CrowdSec, "sshguard": Sshguard}
