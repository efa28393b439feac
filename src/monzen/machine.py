"""What this machine is and needs: its addresses, its gateways, its resolvers; and what the admin's own names stand for.

Read from /proc and /etc below `root`; what is not there, or has another form, is passed over.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address

from monzen.judge.shield import Prefix

PATIENCE = 3.0  # seconds for all names together: a scan must not wait for a resolver that is down


def prefixes(root: str = "/") -> list[Prefix]:
    """Own addresses, gateways and resolvers, each once; without those that stand for nobody."""
    found = [*addresses(root), *gateways(root), *resolvers(root)]
    return [(packed, 8 * len(packed)) for packed in dict.fromkeys(found) if any(packed)]


def addresses(root: str = "/") -> list[bytes]:
    """The addresses of all interfaces. Source: Linux, net/ipv4/fib_trie.c fib_trie_seq_show, net/ipv6/addrconf.c if6_seq_show."""
    found: list[bytes] = []
    last = ""
    for line in _lines(root, "proc/net/fib_trie"):
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[-1]
        elif words == ["/32", "host", "LOCAL"]:
            found += _packed(last)
    for line in _lines(root, "proc/net/if_inet6"):
        found += _hex(line.split()[:1])
    return found


def gateways(root: str = "/") -> list[bytes]:
    """The next hops of all routes. Source: Linux, fib_route_seq_show (in the machine's byte order), net/ipv6/ip6_fib.c."""
    found: list[bytes] = []
    for line in _lines(root, "proc/net/route")[1:]:
        found += [packed if sys.byteorder == "big" else packed[::-1] for packed in _hex(line.split()[2:3])]
    for line in _lines(root, "proc/net/ipv6_route"):
        found += _hex(line.split()[4:5])
    return found


def resolvers(root: str = "/") -> list[bytes]:
    """The name servers, also those behind the stub of systemd-resolved. Source: resolv.conf(5)."""
    found: list[bytes] = []
    for path in ("etc/resolv.conf", "run/systemd/resolve/resolv.conf"):
        for line in _lines(root, path):
            words = line.split()
            if words[:1] == ["nameserver"]:
                found += _packed("".join(words[1:2]))
    return found


def admin(root: str = "/") -> list[bytes]:
    """Where the person at this terminal is logged in from: SSH_CONNECTION of this process, else of one it descends from.

    sudo and `env -i` take the variable away from us, not from the shell above. Source: sshd(8), ENVIRONMENT; proc(5), environ.
    """
    found = _packed(os.environ.get("SSH_CONNECTION", "").partition(" ")[0])
    pid = os.getpid()
    for _step in range(64):
        if found or pid <= 1:
            break
        try:
            with open(os.path.join(root, f"proc/{pid}/environ"), "rb") as file:
                for entry in file.read().split(b"\0"):
                    if entry.startswith(b"SSH_CONNECTION="):
                        found += _packed(entry[15:].split(b" ")[0].decode("ascii", "replace"))
        except OSError:
            pass
        try:
            with open(os.path.join(root, f"proc/{pid}/stat"), "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])  # a name may hold blanks and brackets: the last ends it
        except (OSError, IndexError, ValueError):
            break
    return found


def resolve(names: tuple[str, ...], patience: float = PATIENCE) -> tuple[list[Prefix], list[str]]:
    """The addresses of host names that the admin allows, and the names that have none or did not answer in time.

    Each name is asked for in a thread of its own, which is left alone when the time is over: getaddrinfo cannot be stopped.
    """
    import socket
    import threading
    import time

    answers: dict[str, list[bytes]] = {}

    def ask(name: str) -> None:
        try:
            rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        answers[name] = [packed for row in rows for packed in _packed(str(row[4][0]))]

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in dict.fromkeys(names)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    known = dict(answers)
    packed = dict.fromkeys(p for found in known.values() for p in found if any(p))
    return [(p, 8 * len(p)) for p in packed], [name for name in dict.fromkeys(names) if not known.get(name)]


def _lines(root: str, path: str) -> list[str]:
    try:
        with open(os.path.join(root, path), encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _packed(text: str) -> list[bytes]:
    try:
        return [ip_address(text.partition("%")[0]).packed]
    except ValueError:
        return []


def _hex(words: list[str]) -> list[bytes]:
    try:
        return [packed for packed in map(bytes.fromhex, words) if len(packed) in (4, 16)]
    except ValueError:
        return []
