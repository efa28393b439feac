"""Write a seeded mail log (Postfix, Dovecot, perhaps sshd) as a busy server would, with a chosen share of attack lines.

    python -m bench.generate --lines 1000000 --seed 1 --out mail.log
    python -m bench.generate --lines 200000 --format rfc3339 --attack-fraction 0.05 --out -
    python -m bench.generate --strangers --lines 1000000 --out many.log

The log is made of whole sessions that overlap in time, so that process ids, queue ids and session ids are consistent and the
lines of different clients interleave. All addresses are from reserved space: shared (100.64.0.0/10) and benchmarking
(198.18.0.0/15) networks for IPv4, because documentation networks are too few, and 2001:db8::/32. The same options give the
same bytes. `--strangers` writes nothing but first visits: every line a failed login of an address never seen before.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from itertools import islice
from random import Random

from bench import attacks, innocents
from bench.attacks import Attack
from bench.innocents import Client, Neighbours
from bench.writer import Options, Writer

SERVERS = (
    "mail-lf1-f{n}.google.example mail-eopbgr{n}.outbound.example o{n}.ptr.sendgrid.example mx{n}.freemail.example "
    "mail{n}.isp.example smtp-out{n}.bank.example a{n}-31.smtp-out.ses.example mta{n}.newsletter.example "
    "relay{n}.university.example mout{n}.webmail.example"
).split()


@dataclass(frozen=True, slots=True)
class Campaign:
    """Some addresses that do the same during some shares of the whole time."""

    weight: float
    windows: list[tuple[float, float]]
    attack: Attack
    pool: list[str]


class World:
    """Who visits this server: attackers with their networks, and everybody else."""

    def __init__(self, writer: Writer) -> None:
        self._random = writer.random
        self._used: set[int] = set()
        self.campaigns: list[Campaign] = []
        self._attackers(writer.options)
        self.near = self._innocents(writer.users)

    def _net4(self) -> int:
        """A /24 that nobody uses yet."""
        r = self._random
        while True:
            high = r.choice(((198 << 8) | r.randrange(18, 20), *((100 << 8) | r.randrange(64, 128) for _ in range(9))))
            base = (high << 16) | (r.randrange(256) << 8)
            if base not in self._used:
                self._used.add(base)
                return base

    def _net4_wide(self, bits: int) -> int:
        """A network of up to 24 bits none of whose /24s is in use."""
        while True:
            base = self._net4() & (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
            parts = [base + (i << 8) for i in range(1 << (24 - bits))]
            if sum(part in self._used for part in parts) <= 1:
                self._used.update(parts)
                return base

    def _net6(self, bits: int) -> int:
        r = self._random
        number = (0x20010DB8 << 96) | (r.randrange(1 << 16) << 80) | (r.randrange(1 << 16) << 64)
        return number & ((1 << bits) - 1) << (128 - bits)

    def _single(self) -> str:
        return address4(self._net4() + self._random.randrange(1, 255))

    def _windows(self, count: int, share: float) -> list[tuple[float, float]]:
        """Windows that together cover this share of the time."""
        if share >= 1:
            return [(0.0, 1.0)]
        width = share / count
        starts = [i / count + self._random.random() * (1.0 / count - width) for i in range(count)]
        return [(start, start + width) for start in starts]

    def _attackers(self, options: Options) -> None:
        r = self._random

        def gang(weight: float, count: int, share: float, attack: Attack, pool: list[str]) -> None:
            self.campaigns.append(Campaign(weight, self._windows(count, share), attack, pool))

        def hosts(base: int, size: int, low: int = 1, high: int = 255) -> list[str]:
            return [address4(base + host) for host in r.sample(range(low, high), size)]

        def lone(count: int, weight: float, attack: Attack, v6: int = 0) -> None:
            pool = [self._single() for _ in range(count)]
            pool += [str(IPv6Address(self._net6(64) | r.randrange(1, 1 << 16))) for _ in range(v6)]
            gang(weight, 1, 1.0, attack, pool)

        for _ in range(6):  # a /24 guesses passwords, each address slowly
            base = self._net4()
            pool = hosts(base, r.choice((12, 24, 40, 60, 120)))
            gang(1.6, 3, r.uniform(0.25, 0.7), attacks.sasl, pool)
        gang(1.5, 2, 0.6, attacks.sasl, hosts(self._net4_wide(22), 160, high=1023))
        base = self._net4()  # half a /24 attacks, a customer lives in the other half
        gang(0.8, 2, 0.5, attacks.sasl, hosts(base, 30, low=128))
        self._neighbour = address4(base + 10)
        gang(1.4, 2, 0.6, attacks.imap, hosts(self._net4(), 50))
        gang(1.0, 4, 0.5, attacks.both, hosts(self._net4(), 20))
        gang(0.8, 2, 0.3, attacks.relay, hosts(self._net4(), 16))
        net = self._net6(64)  # many addresses in one /64
        gang(0.8, 2, 0.5, attacks.sasl, [str(IPv6Address(net | r.randrange(1, 1 << 64))) for _ in range(80)])
        net = self._net6(48)  # many /64s in one /48
        pool = [str(IPv6Address(net | (r.randrange(1 << 16) << 64) | r.randrange(1, 99))) for _ in range(40)]
        gang(0.5, 2, 0.4, attacks.imap, pool)
        lone(8, 0.9, attacks.brute, v6=2)
        lone(1500, 1.6, attacks.sasl, v6=60)
        lone(700, 1.0, attacks.imap, v6=30)
        lone(400, 1.2, attacks.scan, v6=10)
        lone(900, 1.6, attacks.refused, v6=20)
        lone(40, 0.6, attacks.relay)
        lone(150, 0.4, attacks.postscreen)
        lone(12, options.injection_weight, self._inject)
        if options.sshd_weight:
            gang(options.sshd_weight, 2, 0.6, attacks.ssh, hosts(self._net4(), 30))
            lone(60, options.sshd_weight, attacks.ssh, v6=4)

    def _inject(self, writer: Writer, t: float, address: str) -> None:
        people = self.near.people
        attacks.inject(writer, t, address, (people[-1].address, people[0].address))

    def _innocents(self, users: list[str]) -> Neighbours:
        r = self._random
        servers = []
        for i in range(160):
            address = self._single() if i % 9 else str(IPv6Address(self._net6(64) | r.randrange(1, 999)))
            servers.append(Client(r.choice(SERVERS).format(n=r.randrange(1, 99)), address))
        people = []
        for i in range(140):
            host = "unknown" if i % 3 else f"p{r.randrange(1 << 28):x}.dip0.isp.example"
            address = self._single() if i % 7 else str(IPv6Address(self._net6(64) | r.randrange(1 << 60)))
            people.append(Client(host, address, users[i % len(users)]))
        people.append(Client("customer.rdns.example", self._neighbour, users[3]))
        people.append(Client("admin.home.example", self._single(), "admin@example.org"))
        return Neighbours(servers, people, Client("nat.office.example", self._single()))


INNOCENT: dict[Callable[[Writer, float, Neighbours], None], float] = {
    innocents.inbound: 5.0,
    innocents.outbound: 2.2,
    innocents.imap: 4.5,
    innocents.typo: 0.5,
    innocents.stale: 0.35,
    innocents.greylist: 0.5,
    innocents.flaky: 0.25,
    innocents.monitor: 0.5,
    innocents.local: 0.3,
    innocents.bounce: 0.15,
    innocents.anvil: 0.1,
}


def address4(number: int) -> str:
    """An IPv4 address as text."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def mail_log(options: Options) -> Iterator[tuple[bool, str]]:
    """The lines, oldest first, each with whether it belongs to an attack."""
    writer = Writer(options)
    world = World(writer)
    return islice(sessions(writer, world), options.lines)


def sessions(writer: Writer, world: World) -> Iterator[tuple[bool, str]]:
    """One session after the other, for ever; the share of attack lines is steered to what is wanted."""
    options, r = writer.options, writer.random
    share = options.attack_fraction
    duration = options.days * 86400.0
    lines = {True: 40, False: 60}  # written by attackers and by others; a guess to start from
    count = {True: 10, False: 10}  # their sessions
    kinds, weights = list(INNOCENT), list(INNOCENT.values())
    t = 0.0
    while True:
        a, b = lines[True] / count[True], lines[False] / count[False]
        chance = 0.0 if share <= 0 else 1.0 if share >= 1 else share * b / (share * b + (1 - share) * a)
        attack = r.random() < chance
        before = writer.emitted
        now = min(0.999999, t / duration)
        if attack:
            active = [c for c in world.campaigns if c.weight > 0 and any(low <= now < high for low, high in c.windows)]
            campaign = r.choices(active, [c.weight for c in active])[0]
            # some addresses of a pool are far busier than others
            campaign.attack(writer, t, campaign.pool[int(len(campaign.pool) * r.random() ** 1.6)])
        else:
            r.choices(kinds, weights)[0](writer, t, world.near)
        lines[attack] += writer.emitted - before
        count[attack] += 1
        average = (lines[True] + lines[False]) / (count[True] + count[False])
        rhythm = 1 + (0.0 if attack else 0.55) * math.sin((t / 86400.0 - 0.3) * 2 * math.pi)  # people sleep at night
        t += r.expovariate(1.0) * average * duration / options.lines / max(0.2, rhythm)
        yield from writer.take(t)


def strangers(options: Options) -> Iterator[tuple[bool, str]]:
    """Failed logins, each of an address never seen before, IPv4 and IPv6 by turns: up to four million of each."""
    writer = Writer(options)
    r = Random(options.seed)
    step = options.days * 86400.0 / options.lines
    for i in range(options.lines):
        mixed = (i >> 1) * 2654435761 % (1 << 22)  # odd: each number once, in no order
        address = address4((100 << 24) + (64 << 16) + mixed)
        if i & 1:
            address = str(IPv6Address((0x20010DB8 << 96) | (mixed << 64) | r.randrange(1, 9)))
        text = f"warning: unknown[{address}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={writer.guess()}"
        yield True, f"{writer.stamp(i * step)} {options.host} postfix/smtpd[{1000 + i % 9000}]: {text}\n"


def write(path: str, lines: Iterator[tuple[bool, str]]) -> tuple[int, int]:
    """Write the lines to a file (`-` is stdout); how many there were, and how many belong to attacks."""
    total = hostile = 0
    target = sys.stdout.fileno() if path == "-" else path
    with open(target, "w", encoding="ascii", newline="\n", closefd=path != "-") as out:
        for attack, line in lines:
            out.write(line)
            total += 1
            hostile += attack
    return total, hostile


def main(arguments: list[str] | None = None) -> None:
    """Read the options and write the log."""
    default = Options()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", default="-", help="the file to write, - for stdout")
    parser.add_argument("--lines", type=int, default=default.lines)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--format", choices=("traditional", "rfc3339"), default="traditional")
    parser.add_argument("--attack-fraction", type=float, default=default.attack_fraction, help="share of attack lines")
    parser.add_argument("--days", type=float, default=default.days, help="time that the log covers")
    parser.add_argument("--start", default=default.start, help="its first moment, UTC")
    parser.add_argument("--utc-offset", type=int, default=default.utc_offset, help="minutes")
    parser.add_argument("--host", default=default.host)
    parser.add_argument("--sshd-weight", type=float, default=default.sshd_weight, help="more than 0 adds attacks on sshd")
    parser.add_argument("--dovecot24", action="store_true", help="failed logins only as Dovecot 2.4 words them")
    parser.add_argument("--long-queue-ids", action="store_true", help="as Postfix with enable_long_queue_ids=yes")
    parser.add_argument("--strangers", action="store_true", help="every line another attacker")
    parser.add_argument("--injection-weight", type=float, default=default.injection_weight, help="lines that blame others")
    wanted = vars(parser.parse_args(arguments))
    path, many = wanted.pop("out"), wanted.pop("strangers")
    options = Options(rfc3339=wanted.pop("format") == "rfc3339", **wanted)
    total, hostile = write(path, (strangers if many else mail_log)(options))
    print(f"{total:,} lines, {hostile:,} of attacks ({100 * hostile / max(1, total):.1f} %)", file=sys.stderr)


if __name__ == "__main__":
    main()
