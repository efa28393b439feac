"""What judging costs: CPU time for each event, and memory for each client, measured in processes of their own.

Part of `make bench`. The events are made beforehand, so that only the judge's time is counted; memory is what its tables add.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from monzen.judge.judge import Judge
from monzen.types import Event, Fact, Join, Kind, Service, Weight

LINE = b"Sep  4 16:59:45 mail postfix/smtpd[28414]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFzc, %d"
FAILURE = (int(Kind.AUTH_FAILURE), int(Weight.STRONG))
LOGIN = (int(Kind.AUTH_SUCCESS), int(Weight.NONE))


def client(number: int, networks: int) -> bytes:
    """The address of a client, `networks` /24s wide."""
    net, host = number % networks, number // networks
    return bytes((20 + net // 65536, net // 256 % 256, net % 256, host % 256))


def event(at: float, address: bytes, kind: tuple[int, int], user: bytes | None, number: int) -> Event:
    """One event with a line of its own."""
    fact = Fact(*kind, address, user, int(Service.SUBMISSION), 1, None, b"LOGIN", int(Join.ALONE), "bench")
    return Event(at, fact, 1, LINE % number, b" mail postfix/smtpd[28414]")


def once(many: int, networks: int) -> Iterator[Event]:
    """Each client fails once, with one of 500 names: the worst for memory."""
    for n in range(many):
        yield event(1.79e9 + n / 2, client(n, networks), FAILURE, b"info%d@example.org" % (n % 500), n)


def users(many: int, networks: int) -> Iterator[Event]:
    """Each client logs in once."""
    for n in range(many):
        yield event(1.79e9 + n / 2, client(n, networks), LOGIN, b"user%d@example.org" % (n % 50_000), n)


def day(many: int, networks: int) -> Iterator[Event]:
    """A tenth of the clients guess, each many times; the others are users who log in again and again."""
    clients = many // 20
    for n in range(many):
        who = n * 7919 % clients
        guesses = who % 10 == 0
        name = b"info%d@example.org" % (n % 40) if guesses else b"user%d@example.org" % who
        yield event(1.79e9 + n / 5, client(who, networks), FAILURE if guesses else LOGIN, name, n)


KINDS: dict[str, Callable[[int, int], Iterator[Event]]] = {"once": once, "users": users, "day": day}


def resident() -> float:
    """MiB of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def measure(kind: str, many: int, networks: int) -> None:
    """Prints one row."""
    gc.disable()
    judge = Judge()
    before, cpu = resident(), 0.0
    source = KINDS[kind](many, networks)
    for _ in range(0, many, 10_000):
        part = [e for e, _ in zip(source, range(10_000), strict=False)]
        start = time.process_time()
        judge.hear(part)
        cpu += time.process_time() - start
        del part
    mib = resident() - before
    each = mib * 2**20 / max(1, len(judge.clients))
    print(f"| {kind} | {many:,} | {len(judge.clients):,} | {networks:,} | {cpu / many * 1e6:.2f} | {mib:.0f} | {each:.0f} |")


def main(arguments: list[str] | None = None) -> int:
    """All rows, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--one", choices=KINDS, help="only this one, in this process")
    parser.add_argument("--networks", type=int, default=100_000)
    options = parser.parse_args(arguments)
    if options.one:
        measure(options.one, options.events, options.networks)
        return 0
    print("\nThe judge alone. `day`: users and guessers; `once`: each client fails once; `users`: each logs in once.\n")
    print("| events | number | clients | networks | CPU µs each | MiB | bytes for each client |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for kind, networks in (("day", 100_000), ("once", 100_000), ("once", 1_000_000), ("users", 100_000)):
        command = [sys.executable, "-m", "bench.judge", "--one", kind, "--events", str(options.events)]
        command += ["--networks", str(networks)]
        sys.stdout.flush()
        subprocess.run(command, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
