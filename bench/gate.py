"""What the gate costs: one decision, many at once, and a packet that is let through. In a network namespace of its own, as root.

    python -m bench.gate [--sizes 1000,100000,1000000] [--packets 100000]

Ratios against a peer of the same run: a decision against the `nft` program, a packet against an empty firewall and against as
many rules of ufw as its user might have (5,000 denies, one after the other). CPU time of this process and of the programs it
starts; the kernel's work for a packet that crosses a pair of virtual interfaces is done on the sender's time.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from monzen.gate.nftables import Nftables
from monzen.gate.target import Denial, GateError, Target

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
HERE, THERE = "198.51.100.1", "198.51.100.2"
UFW = 5_000


def cpu() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def timed(work: Callable[[], object], times: int = 1) -> float:
    """CPU seconds of one call."""
    before = cpu()
    for _ in range(times):
        work()
    return (cpu() - before) / times


def run(*command: str, given: str = "") -> None:
    """A program of the system."""
    subprocess.run(command, input=given, text=True, check=True, capture_output=True)


def apart() -> None:
    """Into namespaces of our own: nothing here reaches the machine's firewall."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def neighbour() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A second namespace at the other end of a wire; a socket here that sends to it."""
    other = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
    time.sleep(0.3)
    pid = str(other.pid)
    run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", pid)
    for command in (
        ("ip", "addr", "add", f"{HERE}/24", "dev", "wire"),
        ("ip", "link", "set", "wire", "up"),
        ("nsenter", "-t", pid, "-n", "ip", "addr", "add", f"{THERE}/24", "dev", "eth0"),
        ("nsenter", "-t", pid, "-n", "ip", "link", "set", "eth0", "up"),
        # static: the first packet asks nobody, and an answer would be somebody else's time
    ):
        run(*command)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((HERE, 0))
    sender.setblocking(True)
    for _ in range(100):
        sender.sendto(b"x", (THERE, 9))
        time.sleep(0.002)
    return sender, other


def packet(sender: socket.socket, packets: int) -> float:
    """CPU seconds of one packet to a closed port over there; the best of three rounds."""

    def round_() -> float:
        before = cpu()
        for _ in range(packets):
            sender.sendto(b"x", (THERE, 9))
        return (cpu() - before) / packets

    return min(round_() for _ in range(3))


def denials(count: int, now: float, first: int = 0x0B000000) -> list[Denial]:
    """So many single addresses that nobody here has."""
    return [Denial(Target((first + i).to_bytes(4, "big"), 32), now + 86_400) for i in range(count)]


def decisions(gate: Nftables, size: int) -> tuple[float, float, float]:
    """CPU seconds of loading so many at once, of one decision more, and of one release."""
    now = time.time()
    gate.load([], [], [], now)
    bulk = timed(lambda: gate.load(denials(size, now), [], [], now))
    more = iter(denials(2_000, now, 0x0C000000))
    gone = iter(denials(2_000, now, 0x0C000000))
    gate.deny([next(more)], now)
    one = timed(lambda: gate.deny([next(more)], now), 500)
    released = timed(lambda: gate.release([next(gone).target]), 500)
    return bulk, one, released


def program(size: int) -> float:
    """CPU seconds that the `nft` program takes to add one element to a set of this size."""
    if shutil.which("nft") is None or size > 100_000:
        return 0.0
    return timed(lambda: run("nft", "add element inet monzen d4_32 { 203.0.113.77 timeout 1h }"))


def main() -> int:
    """Print the three tables."""
    options = argparse.ArgumentParser(description="What the gate costs")
    options.add_argument("--sizes", default="1000,100000,1000000")
    options.add_argument("--packets", type=int, default=100_000)
    chosen = options.parse_args()
    if os.geteuid() != 0:
        print("bench.gate: needs root, for a network namespace of its own", file=sys.stderr)
        return 0
    apart()
    run("ip", "link", "set", "lo", "up")
    sender, other = neighbour()
    try:
        gate = Nftables()
    except GateError as error:
        print(f"bench.gate: {error}", file=sys.stderr)
        return 0
    try:
        print(f"{'denied':>9} {'bulk, s':>9} {'us each':>8} {'one, ms':>8} {'release, ms':>12} {'nft program, ms':>16}  ratio")
        empty = packet(sender, chosen.packets)
        rows = []
        for size in map(int, chosen.sizes.split(",")):
            bulk, one, released = decisions(gate, size)
            nft = program(size)
            ratio = f"{nft / one:,.0f}" if nft else "-"
            print(
                f"{size:>9,} {bulk:>9.3f} {bulk / size * 1e6:>8.2f} {one * 1e3:>8.3f} {released * 1e3:>12.3f} "
                f"{nft * 1e3:>16.1f} {ratio:>6}"
            )
            rows.append((size, packet(sender, chosen.packets)))
        gate.remove()
        print()
        print(f"{'firewall':<40} {'us a packet':>12} {'times empty':>12}")
        print(f"{'empty':<40} {empty * 1e6:>12.2f} {1:>12.2f}")
        for size, cost in rows:
            print(f"{f'monzen, {size:,} denied':<40} {cost * 1e6:>12.2f} {cost / empty:>12.2f}")
        rules = [f"-A OUTPUT -d 11.{i >> 8 & 255}.{i & 255}.0/24 -j DROP" for i in range(UFW)]
        if shutil.which("iptables-restore"):
            run("iptables-restore", given="\n".join(["*filter", *rules, "COMMIT", ""]))
            cost = packet(sender, max(1_000, chosen.packets // 50))
            print(f"{f'{UFW:,} rules one after the other, as ufw':<40} {cost * 1e6:>12.2f} {cost / empty:>12.2f}")
    finally:
        gate.close()
        sender.close()
        other.kill()
        other.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
