"""A mail log in the making: lines of overlapping sessions put in time order, and the names and numbers that stand in them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
QUEUE_DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"  # Postfix: base 52, no vowels
DOMAINS = ("example.org", "example.com", "shop.example.net", "verein.example.de")
NAMES = (
    "anna bernd carla dieter eva frank greta hans ines jonas karin lukas maria nils olga paul quirin rosa stefan tanja "
    "uwe vera walter xaver yvonne zoe alice bob carol dave erin george heidi ivan judy mallory oscar peggy sybil trent "
    "victor wendy akira haruto yuki sakura kenji mei ren sora"
).split()
GUESSES = (
    "admin info test office support sales contact postmaster webmaster root user scan scanner printer copier fax backup "
    "noreply mail smtp ftp www hr billing accounts marketing newsletter service orders helpdesk abuse careers media "
    "invoice finance jobs team hello kontakt buchhaltung bewerbung rechnung spam web master server guest demo temp oracle "
    "postgres mysql nagios zabbix git jenkins ubuntu pi adm administrator manager webadmin sysadmin"
).split()


@dataclass(frozen=True, slots=True)
class Options:
    """What log is wanted. The same options give the same bytes."""

    lines: int = 1_000_000
    seed: int = 1
    attack_fraction: float = 0.30
    rfc3339: bool = False
    days: float = 7.0
    start: str = "2026-03-01T00:00:00"
    utc_offset: int = 0  # minutes
    host: str = "mx1"
    injection_weight: float = 0.03
    sshd_weight: float = 0.0
    dovecot24: bool = False
    long_queue_ids: bool = False


class Writer:
    """Collects the lines of sessions, and knows what a host would fill in: pids, queue ids, session ids, names of clients."""

    local4 = "192.0.2.25"
    local6 = "2001:db8:25::25"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.random = Random(options.seed)
        self.emitted = 0
        self.users = [f"{name}@{DOMAINS[i % len(DOMAINS)]}" for i, name in enumerate(NAMES)]
        self._heap: list[tuple[float, int, str, str, bool]] = []
        self._pids: dict[str, int] = {}
        self._reverse: dict[str, str] = {}
        self._start = datetime.fromisoformat(options.start).replace(tzinfo=UTC) + timedelta(minutes=options.utc_offset)
        hours, minutes = divmod(abs(options.utc_offset), 60)
        self._zone = f"{'-' if options.utc_offset < 0 else '+'}{hours:02d}:{minutes:02d}"
        self._second = -1
        self._stamp = ""

    def emit(self, t: float, program: str, text: str, attack: bool = False) -> None:
        """One line, `t` seconds after the start; lines may come in any order."""
        self.emitted += 1
        heapq.heappush(self._heap, (t, self.emitted, program, text, attack))

    def take(self, until: float) -> Iterator[tuple[bool, str]]:
        """The lines up to a moment, oldest first, each with whether it belongs to an attack."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            t, _, program, text, attack = heapq.heappop(heap)
            yield attack, f"{self.stamp(t)} {self.options.host} {program}: {text}\n"

    def stamp(self, t: float) -> str:
        """The stamp of a moment, RFC 3164 or RFC 3339 with microseconds."""
        if self.options.rfc3339:
            d = self._start + timedelta(seconds=t)
            return f"{d:%Y-%m-%dT%H:%M:%S}.{d.microsecond:06d}{self._zone}"
        if int(t) != self._second:
            self._second = int(t)
            d = self._start + timedelta(seconds=self._second)
            self._stamp = f"{MONTHS[d.month - 1]} {d.day:2d} {d:%H:%M:%S}"
        return self._stamp

    def pid(self, program: str, fresh: float = 0.12) -> int:
        """A process of this program: mostly the one that served the client before."""
        pid = self._pids.get(program)
        if pid is None or self.random.random() < fresh:
            pid = self._pids[program] = self.random.randrange(1000, 32768)
        return pid

    def tag(self, program: str, fresh: float = 0.12) -> str:
        """`program[pid]`."""
        return f"{program}[{self.pid(program, fresh)}]"

    def queue_id(self) -> str:
        """A queue id, short or long (Postfix `enable_long_queue_ids`)."""
        if self.options.long_queue_ids:
            return f"4{''.join(self.random.choices(QUEUE_DIGITS, k=9))}z{''.join(self.random.choices(QUEUE_DIGITS, k=4))}"
        return f"{self.random.randrange(1 << 40):010X}"

    def session(self) -> str:
        """A Dovecot session id."""
        return "".join(self.random.choices(BASE64, k=16))

    def local(self, address: str) -> str:
        """The server's address that this client reached."""
        return self.local6 if ":" in address else self.local4

    def reverse(self, address: str) -> str:
        """The name that Postfix found for an attacker, always the same."""
        name = self._reverse.get(address)
        if name is None:
            x = self.random.random()
            if x < 0.72 or ":" in address:
                name = "unknown"
            elif x < 0.88:
                name = f"hosted-by.{self.random.choice(('vps', 'cloud', 'bulletproof', 'dedi'))}.example"
            else:
                name = f"{address.replace('.', '-')}.dyn.isp.example"
            self._reverse[address] = name
        return name

    def guess(self) -> str:
        """A user name that an attacker tries; now and then it exists."""
        x = self.random.random()
        if x < 0.18:
            return self.random.choice(self.users)
        if x < 0.80:
            return f"{self.random.choice(GUESSES)}@{self.random.choice(DOMAINS)}"
        return self.random.choice(GUESSES)
