"""What the guard costs, and how fast it is: from the line to the dropped packet, idle, busy and in a flood.

    python -m bench.guard [latency busy idle flood] [--seconds 60] [--rate 50000]

As root, in a sandbox of its own (`make bench-guard`): real Postfix, Dovecot, rsyslog, nftables; `monzen run` as its own user,
`monzen gate serve` as root. Latency is taken from the stamp that rsyslog gives the last line (when it took the message; its own
writing is part of what is measured) to the last of the attacker's datagrams that arrived: it sends one each quarter of a
millisecond. Beside it, in the same run: what one `nft add element` costs, which a tool that starts programs pays for each denial.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime as dt
import os
import random
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.generate import mail_log
from bench.writer import Options
from monzen.gate.nftables import Nftables
from monzen.gate.target import Target
from tests.lab.guard import Guard
from tests.lab.net import SRV4, inside, ns, topology, until
from tests.lab.peer import Peer

LOG = Path("/var/log/mail.log")
SOURCES = 'files = ["/var/log/mail.log"]\njournal = false'
PORT = 9999
GAP = 0.00025  # seconds between two datagrams
NAMES = "alice1 bob2 carol3 zed4 mike5".split()


def empty_log() -> None:
    """A new log that `run` may read."""
    LOG.unlink(missing_ok=True)
    LOG.touch(0o640)
    shutil.chown(LOG, "root", "adm")


def stamp(at: float) -> str:
    """As rsyslog writes it."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


class Sink(threading.Thread):
    """Takes datagrams in srv, and remembers when the last of each sender came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        with inside("srv"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((SRV4, PORT))
        self.last: dict[str, float] = {}

    def run(self) -> None:
        """For ever."""
        while True:
            _data, (host, _port) = self.socket.recvfrom(64)
            self.last[host] = time.time()


@contextlib.contextmanager
def sending(source: str) -> Iterator[None]:
    """Datagrams from an attacker, one after the other."""
    code = (
        "import socket,sys,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind((sys.argv[1],0))\n"
        f"end=time.time()+10\nwhile time.time()<end:\n s.sendto(b'x',('{SRV4}',{PORT}))\n time.sleep({GAP})"
    )
    with inside("atk"):
        child = subprocess.Popen([sys.executable, "-c", code, source])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def quantiles(values: list[float]) -> str:
    """Median, p99 and the worst, in milliseconds."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {1000 * statistics.median(ordered):.1f} ms, p99 {1000 * p99:.1f} ms, worst {1000 * ordered[-1]:.1f} ms"


def attackers(count: int) -> list[str]:
    """Addresses of different networks, none of them anybody's."""
    return [f"100.{64 + i // 250}.{i % 250}.{7 + i % 200}" for i in range(count)]


def synthetic(file: object, source: str, pid: int) -> float:
    """Four guesses at once, as Postfix would log them: when the last was written."""
    lines = ""
    for name in NAMES:
        lines += (
            f"{stamp(time.time())} mail postfix/smtpd[{pid}]: warning: unknown[{source}]: SASL LOGIN authentication failed: "
            f"UGFzc3dvcmQ6, sasl_username={name}{pid}\n"
        )
    os.write(file.fileno(), lines.encode())  # type: ignore[attr-defined]  # a file
    return time.time()


def from_line(count: int, sink: Sink, pause: float) -> list[float]:
    """Latencies of lines that are written by us."""
    found = []
    with LOG.open("ab") as file:
        for number, source in enumerate(attackers(count)):
            run_address(source)
            with sending(source):
                until(lambda source=source: source in sink.last, 5, what="datagrams arrive")
                at = synthetic(file, source, 1000 + number)
                until(lambda source=source: time.time() - sink.last[source] > 0.05, 5, what=f"{source} is denied")
                found.append(sink.last[source] - at)
            time.sleep(pause)
    return found


def run_address(source: str) -> None:
    """Give the attacker this address, and the router the way to it."""
    ns("atk", ["ip", "addr", "replace", f"{source}/32", "dev", "lo"])
    subprocess.run(["ip", "route", "replace", f"{source}/32", "via", "192.0.2.194"], check=True)


def guess(source: str, user: str) -> None:
    """One guess over SMTP; Dovecot answers after two seconds."""
    from tests.live.test_mail import Smtp

    with contextlib.suppress(OSError, AssertionError, EOFError, smtplib.SMTPException):
        client = Smtp("atk", source, 25)
        client.ehlo("lab.example.org")
        client.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{user}@example.net\0x".encode()).decode())
        client.close()


def with_postfix(count: int, sink: Sink) -> list[float]:
    """Latencies of guesses over SMTP: Postfix, Dovecot's auth, rsyslog, and then we.

    Three of a network guess once each, which closes it; a fourth of it sends the datagrams.
    """
    found = []
    for number in range(count):
        hosts = [f"100.80.{number}.{host}" for host in (7, 8, 9, 200)]
        for source in hosts:
            run_address(source)
        with sending(hosts[3]):
            until(lambda last=hosts[3]: last in sink.last, 5, what="datagrams arrive")
            with ThreadPoolExecutor(3) as pool:
                for source, name in zip(hosts[:3], NAMES, strict=False):
                    pool.submit(guess, source, f"{name}{number}")
            until(lambda last=hosts[3]: time.time() - sink.last[last] > 0.1, 5, what=f"{hosts[3]} is denied")
        lines = [x for x in LOG.read_text(errors="replace").splitlines() if f"[100.80.{number}." in x and "SASL PLAIN auth" in x]
        at = dt.datetime.fromisoformat(lines[2].split(" ")[0]).timestamp()
        found.append(sink.last[hosts[3]] - at)
    return found


def filler(rate: float, seconds: float) -> None:
    """Lines of an ordinary server, so many a second, with stamps of now."""
    text = [line for _attack, line in mail_log(Options(lines=20_000, seed=3, attack_fraction=0.0, rfc3339=True))]
    end, n, start = time.time() + seconds, 0, time.time()
    with LOG.open("ab") as file:
        while time.time() < end:
            due = int((time.time() - start) * rate)
            if due > n:
                now = stamp(time.time())
                block = "".join(now + text[i % len(text)][32:] for i in range(n, due))
                os.write(file.fileno(), block.encode())
                n = due
            time.sleep(0.001 if rate > 100 else 0.02)


def nft_program() -> float:
    """Seconds of the nft program for one element of a set that holds 1,000."""
    ns("srv", "nft add table inet peer; nft add set inet peer s '{ type ipv4_addr; }'")
    many = ", ".join(f"10.1.{i // 250}.{i % 250}" for i in range(1000))
    ns("srv", f"nft add element inet peer s '{{ {many} }}'")
    times = []
    for i in range(20):
        before = time.time()
        ns("srv", f"nft add element inet peer s '{{ 10.2.0.{i} }}'")
        times.append(time.time() - before)
    ns("srv", "nft delete table inet peer")
    return statistics.median(times)


def flood(guard: Guard, rate: int, seconds: int) -> tuple[int, list[float]]:
    """So many lines a second: how far behind it is, what it takes, and when the newest attackers are denied.

    Returns how many of these there were, and the seconds after which each was denied."""
    count = rate * seconds
    print(f"  writing {count:,} lines for it ...", flush=True)
    start = time.time() + count / 90_000 + 5
    begin = dt.datetime.fromtimestamp(start, dt.UTC).replace(tzinfo=None).isoformat()
    options = Options(lines=count, seed=7, attack_fraction=0.5, rfc3339=True, days=seconds / 86_400, start=begin)
    text = "".join(line for _attack, line in mail_log(options)).encode()
    step = len(text) // (seconds * 100)
    while time.time() < start:
        time.sleep(0.01)
    rng = random.Random(1)
    tries: list[tuple[str, float]] = []
    lag: list[float] = []
    memory: list[float] = []
    cpu = guard.cpu("run"), guard.cpu("serve")
    with inside("srv"):
        nft = Nftables()
    begun = time.time()
    open_tries: dict[str, float] = {}
    late: list[float] = []
    with LOG.open("ab") as file:
        at = 0
        for tick in range(seconds * 100 + 1):
            end = text.find(b"\n", min(len(text) - 1, (tick + 1) * step)) + 1 or len(text)
            os.write(file.fileno(), text[at:end])
            at = end
            if tick % 100 == 50 and tick // 100 < 250:
                source = f"100.99.{tick // 100}.{rng.randrange(2, 250)}"
                open_tries[source] = synthetic(file, source, 5000 + tick)
                tries.append((source, open_tries[source]))
            for source in list(open_tries):
                target = Target(socket.inet_aton(source), 32)
                if nft.holds([target]) or nft.holds([Target(target.network[:3] + b"\0", 24)]):
                    late.append(time.time() - open_tries.pop(source))
            if tick % 100 == 0:
                memory.append(guard.memory("run")[0])
            ahead = begun + (tick + 1) / 100 - time.time()
            if ahead > 0:
                time.sleep(ahead)
            else:
                lag.append(-ahead)
    wrote = time.time() - begun
    lines = text.count(b"\n") + 5 * len(tries)
    until(lambda: (status(guard).get("lines") or 0) >= lines, 60, what="all lines are read")
    after = time.time() - begun - wrote
    print(f"  {lines:,} lines in {wrote:.1f} s ({lines / wrote:,.0f} a second), all of them read {after:.1f} s later")
    while open_tries and time.time() - begun < wrote + 20:
        held = [source for source in open_tries if nft.holds([Target(socket.inet_aton(source), 32)])]
        late += [time.time() - open_tries.pop(source) for source in held]
        time.sleep(0.01)
    print(f"  newest attackers: {len(late)} of {len(tries)} denied, {quantiles(late)}")
    used = guard.cpu("run") - cpu[0], guard.cpu("serve") - cpu[1]
    print(f"  CPU: run {100 * used[0] / wrote:.0f} %, serve {100 * used[1] / wrote:.0f} % of a core")
    middle, most, gate = memory[len(memory) // 2], guard.memory("run")[1], guard.memory("serve")[1]
    print(f"  memory of run: {memory[0]:.0f} MiB before, {middle:.0f} in the middle, {memory[-1]:.0f} after, {most:.0f} at most")
    print(f"  memory of serve: {gate:.0f} MiB at most")
    with Peer("root", greet=False) as peer:  # not counted in its log, which a flood does not fill
        peer.say({"status": True})
        print(f"  denials imposed: {peer.hear()['status']['denied']:,}")
    return len(tries), late


def status(guard: Guard) -> dict[str, object]:
    """What `run` says of itself now."""
    import json

    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(Path("/var/lib/monzen-run/status.json").read_text()))
    return {}


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=["postfix", "latency", "busy", "idle", "flood"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    parts = options.parts
    topology()
    sink = Sink()
    sink.start()
    print(
        f"Linux {os.uname().release}, Python {sys.version.split()[0]}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    )
    if "postfix" in parts:
        from tests.lab.maild import start

        empty_log()
        start()
        with Guard(SOURCES).start():
            took = quantiles(with_postfix(options.count // 4, sink))
            print(f"from Postfix's line to the dropped packet ({options.count // 4} attackers): {took}")
        ns("srv", "nft delete table inet monzen; rm -rf /var/lib/monzen /var/lib/monzen-run")
        for name in ("rsyslogd", "master", "dovecot"):
            subprocess.run(["pkill", "-x", name], check=False)
        time.sleep(1)
    for part, rate in (("latency", 0), ("busy", 1000)):
        if part in parts:
            empty_log()
            with Guard(SOURCES).start() as guard:
                if rate:
                    threading.Thread(target=filler, args=(rate, 3600), daemon=True).start()
                took = quantiles(from_line(options.count, sink, 0.05))
                print(f"from a line to the dropped packet, {rate:,} other lines a second: {took}")
                print(f"  memory: run {guard.memory('run')[1]:.0f} MiB, serve {guard.memory('serve')[1]:.0f} MiB at most")
            ns("srv", "nft delete table inet monzen; rm -rf /var/lib/monzen /var/lib/monzen-run")
    print(f"one denial by the nft program: {1000 * nft_program():.1f} ms")
    if "idle" in parts:
        empty_log()
        with Guard(SOURCES).start() as guard:
            time.sleep(3)
            before = {half: guard.cpu(half) for half in ("run", "serve")}
            filler(10, options.seconds)
            for half in ("run", "serve"):
                used = 100 * (guard.cpu(half) - before[half]) / options.seconds
                print(f"10 lines a second: {half} takes {used:.2f} % of a core and {guard.memory(half)[1]:.0f} MiB")
        ns("srv", "rm -rf /var/lib/monzen /var/lib/monzen-run")
    if "flood" in parts:
        empty_log()
        with Guard(SOURCES).start() as guard:
            print(f"flood of {options.rate:,} lines a second for {options.seconds} s:")
            flood(guard, options.rate, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
