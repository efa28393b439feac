"""Who is where, inside the sandbox, and what can reach what. Only documentation addresses; nothing leaves the sandbox.

      atk    any of 203.0.113.0/24, 198.51.100.128/25, 2001:db8:bad::/48: bind to what you like
       |
      core   (the sandbox's own namespace, a router)  ---  good   192.0.2.50, 2001:db8:600d::50
       |     \\
      srv     admin  192.0.2.130, 2001:db8:ad::130
      198.51.100.10, 2001:db8:1::10

A command runs in one of them by `ns`, a block of Python by `with inside(...)`: sockets, children and /proc/net are that one's.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

SRV4, SRV6 = "198.51.100.10", "2001:db8:1::10"
GOOD4, GOOD6 = "192.0.2.50", "2001:db8:600d::50"
ADMIN4, ADMIN6 = "192.0.2.130", "2001:db8:ad::130"
GANG4, OTHERS4, GANG6 = "203.0.113.0/24", "198.51.100.128/25", "2001:db8:bad::/48"

# Of each: its own addresses, then the router's on the same wire.
WIRES = {
    "srv": ((f"{SRV4}/25", f"{SRV6}/64"), ("198.51.100.1/25", "2001:db8:1::1/64")),
    "good": ((f"{GOOD4}/25", f"{GOOD6}/64"), ("192.0.2.1/25", "2001:db8:600d::1/64")),
    "admin": ((f"{ADMIN4}/26", f"{ADMIN6}/64"), ("192.0.2.129/26", "2001:db8:ad::1/64")),
    "atk": (("192.0.2.194/26", "2001:db8:a::2/64"), ("192.0.2.193/26", "2001:db8:a::1/64")),
}
_libc = ctypes.CDLL(None, use_errno=True)


def run(command: str | Sequence[str], check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command (text: through sh) in the calling thread's namespace; what it printed, both streams, is in `.stdout`."""
    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **({"stdin": subprocess.DEVNULL} if "input" not in options else {}) | options,
    )
    if check and done.returncode:
        raise AssertionError(f"{command!r} ended with {done.returncode}:\n{done.stdout}")
    return done


def ns(name: str, command: str | Sequence[str], check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in network namespace `name` and nowhere else than we are otherwise (`ip netns exec` would cover /sys)."""
    with inside(name):
        return run(command, check, **options)


def spawn(name: str, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Start a command in network namespace `name`; it ends with the sandbox at the latest."""
    with inside(name):
        return subprocess.Popen(command, text=True, **{"stdin": subprocess.DEVNULL} | options)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread is in network namespace `name` while the block runs; so are sockets and processes it makes."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(there)
        yield
    finally:
        _enter(before)
        os.close(before)
        os.close(there)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, 0x40000000):  # CLONE_NEWNET: linux/sched.h
        raise OSError(ctypes.get_errno(), "setns")


def _set(values: dict[str, int]) -> None:
    for name, value in values.items():
        Path("/proc/sys/net", name).write_text(str(value))


def topology() -> None:
    """Build the five places above; 0.05 s."""
    quick = {"ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0}
    _set(quick | {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1})
    run(["ip", "-batch", "-"], input="".join(f"netns add {name}\n" for name in WIRES))
    core: list[str] = []
    wired: dict[str, list[str]] = {}
    for name, (own, router) in WIRES.items():
        with inside(name):
            _set(quick)
        core.append(f"link add v-{name} type veth peer name eth0 netns {name}")
        core += [f"addr add {address} dev v-{name}" for address in router]
        core.append(f"link set v-{name} up")
        lines = ["link set lo up", "link set eth0 up"] + [f"addr add {address} dev eth0" for address in own]
        lines += [f"route add default via {address.partition('/')[0]}" for address in router]
        if name == "atk":
            lines += [f"route add local {network} dev lo" for network in (GANG4, OTHERS4, GANG6)]
            with inside(name):
                _set({"ipv6/ip_nonlocal_bind": 1})  # IPv4 asks the routing table whether an address is its own, IPv6 does not
        wired[name] = lines
    core += [f"route add {network} via 192.0.2.194" for network in (GANG4, OTHERS4)] + [f"route add {GANG6} via 2001:db8:a::2"]
    run(["ip", "-batch", "-"], input="\n".join(core))
    for name, lines in wired.items():
        ns(name, ["ip", "-batch", "-"], input="\n".join(lines))


class Answer(NamedTuple):
    """What became of one attempt to connect."""

    word: str  # "open", "silence", "refused", "reset", or the kernel's own words
    seconds: float
    socket: socket.socket | None


def connect(name: str, port: int, source: str = "", to: str = "", timeout: float = 3.0) -> Answer:
    """Connect over TCP from namespace `name` (and address `source`) to the server; `timeout` in seconds ends as "silence".

    3 s: the second SYN leaves after 1 s (RFC 6298, 2.1), so one lost on a busy machine does no harm.
    """
    six = ":" in (source or to)
    with inside(name):
        sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
    sock.settimeout(timeout)
    started = time.monotonic()
    try:
        if source:
            sock.bind((source, 0))
        sock.connect((to or (SRV6 if six else SRV4), port))
        return Answer("open", time.monotonic() - started, sock)
    except TimeoutError:
        word = "silence"
    except ConnectionRefusedError:
        word = "refused"
    except ConnectionResetError:
        word = "reset"
    except OSError as error:
        word = os.strerror(error.errno or 0)
    sock.close()
    return Answer(word, time.monotonic() - started, None)


def probe(name: str, port: int, source: str = "", **options: Any) -> str:
    """Whether `port` of the server is "open", "refused" or "silence" for that client."""
    answer = connect(name, port, source, **options)
    if answer.socket:
        answer.socket.close()
    return answer.word


def knock(name: str, port: int, source: str) -> None:
    """One SYN to the server and no more: nobody waits for an answer, so the kernel has no time to send a second."""
    six = ":" in source
    with inside(name), socket.socket(socket.AF_INET6 if six else socket.AF_INET) as sock:
        sock.bind((source, 0))
        sock.setblocking(False)
        sock.connect_ex((SRV6 if six else SRV4, port))


def probes(calls: Iterable[tuple[Any, ...]], **options: Any) -> list[str]:
    """Many probes at once: what stays silent costs its timeout only once."""
    calls = list(calls)
    with ThreadPoolExecutor(min(64, len(calls) or 1)) as pool:
        return list(pool.map(lambda call: probe(*call, **options), calls))


def until(check: Callable[[], Any], seconds: float = 120.0, what: str = "") -> Any:
    """Ask again and again until `check` says something true, and return that; `seconds` are for a machine that is busy with others."""
    end = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what or check}")
        time.sleep(0.02)
    return answer
