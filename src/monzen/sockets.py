"""TCP and UDP sockets of this machine, from /proc: who listens, who is connected to sshd, and how to end a connection.

Source: Linux, net/ipv4/tcp_ipv4.c get_tcp4_sock, net/ipv6/tcp_ipv6.c get_tcp6_sock: addresses are words in the machine's byte
order, ports are hexadecimal. Only root sees whose socket it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

LISTEN, ESTABLISHED, UDP_OPEN = 0x0A, 0x01, 0x07  # linux/tcp_states.h; a UDP socket that is not connected is in state 7
SSHD: Final = ("sshd", "sshd-session", "sshd-auth")  # OpenSSH up to 9.7; from 9.8; from 10.0
PRIVSEP: Final = "sshd"  # the user of sshd before a login: Debian, Ubuntu, upstream's default
ROOTS = re.compile(rb"sshd(?:-session)?: [^\0 \[]+\0*\Z").match
SOCKET = re.compile(r"socket:\[(\d+)\]").fullmatch
MAPPED: Final = bytes(10) + b"\xff\xff"
Peers = tuple[bytes, int, int]  # packed network, prefix length, our port or 0
Prefix = tuple[bytes, int]
SS: Final = 200  # targets in one call of ss: its filter is compiled into a program of at most 64 kB


class Socket(NamedTuple):
    """One socket: protocol (6 TCP, 17 UDP), our end, the other end, state, inode."""

    protocol: int
    local: bytes
    port: int
    peer: bytes
    peer_port: int
    state: int
    inode: int


def sockets(root: str = "/") -> list[Socket]:
    """All TCP and UDP sockets of this network namespace."""
    found: list[Socket] = []
    for name, protocol in (("tcp", 6), ("tcp6", 6), ("udp", 17), ("udp6", 17)):
        try:
            with open(os.path.join(root, "proc/net", name), encoding="ascii") as file:
                rows = file.read().splitlines()[1:]
        except OSError:  # a kernel without IPv6 has no tcp6
            continue
        for row in rows:
            words = row.split()
            try:
                local, port = _end(words[1])
                peer, peer_port = _end(words[2])
                found.append(Socket(protocol, local, port, peer, peer_port, int(words[3], 16), int(words[9])))
            except (IndexError, ValueError):
                continue
    return found


def listening(root: str = "/") -> list[Socket]:
    """The sockets that wait for anybody: TCP in LISTEN, UDP without a peer."""
    return [s for s in sockets(root) if s.state == (LISTEN if s.protocol == 6 else UDP_OPEN) and not s.peer_port]


def owners(root: str = "/") -> dict[int, str]:
    """The name of a process for each inode of a socket; of one that several share, the first. Needs root to be whole."""
    found: dict[int, str] = {}
    folder = os.path.join(root, "proc")
    for pid in filter(str.isdigit, _names(folder)):
        try:
            with open(os.path.join(folder, pid, "comm"), encoding="utf-8", errors="replace") as file:
                name = file.read().rstrip("\n")
        except OSError:
            continue
        for number in _names(os.path.join(folder, pid, "fd")):
            try:
                link = os.readlink(os.path.join(folder, pid, "fd", number))
            except OSError:
                continue
            if inode := SOCKET(link):
                found.setdefault(int(inode[1]), name)
    return found


def ssh_peers(root: str = "/") -> list[bytes]:
    """The other ends of every established connection of sshd.

    A socket is sshd's where a process of that name holds it, or where its port is one that such a process listens on: a
    connection that is just being accepted belongs to nobody yet.
    """
    owner = owners(root)
    everything = sockets(root)
    ports = {s.port for s in everything if s.state == LISTEN and s.protocol == 6 and owner.get(s.inode) in SSHD}
    peers = [
        s.peer
        for s in everything
        if s.protocol == 6 and s.state == ESTABLISHED and (s.port in ports or owner.get(s.inode) in SSHD) and any(s.peer)
    ]
    return list(dict.fromkeys(peers))


def ssh_logins(root: str = "/") -> list[bytes]:
    """The other ends of sshd's connections over which somebody is logged in: more than being connected to it.

    sshd has a process of the user's own for each of them, beside one of root's; before that only root's and the unprivileged one
    of the user sshd. root's session is root's process alone, whose title is then `sshd: root@pts/0`; others hold a blank or a
    bracket, as `[accepted]`, `root [priv]` and the listener's do (seen with OpenSSH 9.2 and 10.0).
    """
    import pwd

    try:
        apart = pwd.getpwnam(PRIVSEP).pw_uid
    except KeyError:
        apart = 0
    folder = os.path.join(root, "proc")
    held: set[int] = set()  # inodes of root's processes
    shown: set[int] = set()  # of those that show a login
    for pid in filter(str.isdigit, _names(folder)):
        try:
            with open(os.path.join(folder, pid, "comm"), encoding="utf-8", errors="replace") as file:
                if file.read().rstrip("\n") not in SSHD:
                    continue
            with open(os.path.join(folder, pid, "status"), encoding="utf-8", errors="replace") as file:
                uid = next(int(line.split()[2]) for line in file if line.startswith("Uid:"))
            with open(os.path.join(folder, pid, "cmdline"), "rb") as raw:
                title = raw.read(4096)
            links = [os.readlink(os.path.join(folder, pid, "fd", number)) for number in _names(os.path.join(folder, pid, "fd"))]
        except (OSError, StopIteration, IndexError, ValueError):
            continue  # it has ended
        inodes = {int(found[1]) for link in links if (found := SOCKET(link))}
        if not uid:
            held |= inodes
        if ROOTS(title) if not uid else uid != apart:
            shown |= inodes
    peers = [s.peer for s in sockets(root) if s.state == ESTABLISHED and s.inode in held & shown and any(s.peer)]
    return list(dict.fromkeys(peers))


def peers_at(ports: Iterable[int], root: str = "/") -> list[bytes]:
    """The other ends of the established TCP connections of these ports of ours: quick, for it looks at no process."""
    found: dict[bytes, None] = {}
    for port in ports:
        row = re.compile(rb"\n *\d+: [0-9A-F]+:%04X ((?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}) 01 " % port)
        for name in ("tcp", "tcp6"):
            try:
                with open(os.path.join(root, "proc/net", name), "rb") as file:
                    data = file.read()
            except OSError:
                continue
            for end in row.findall(data):
                found[_end(end.decode())[0]] = None
    return list(found)


def ssh_ports(root: str = "/") -> list[int]:
    """The TCP ports that sshd listens on now, or systemd for it (Ubuntu's ssh.socket: then port 22 if systemd has it)."""
    owner = owners(root)
    found = {s.port for s in listening(root) if s.protocol == 6 and owner.get(s.inode) in SSHD}
    if not found:
        found = {s.port for s in listening(root) if s.protocol == 6 and s.port == 22 and owner.get(s.inode) == "systemd"}
    return sorted(found)


def end_connections(
    targets: Iterable[Peers],
    passing: Callable[[bytes, int], Sequence[Prefix]] = lambda _network, _bits: (),
    run: str = "/usr/bin/ss",
) -> int:
    """End the TCP connections with these networks (packed, prefix length, our port or 0); returns how many it asked for.

    `passing` says which networks of one (packed, prefix length) keep theirs: whom the gate lets through. The kernel frees the
    socket and its daemon sees an error (`ss -K`, SOCK_DESTROY); the reset that it sends is dropped by the gate's output chain.
    Where ss is missing or the kernel was built without it nothing happens: the open connection is cut off all the same, and its
    daemon notices by its own time limit.
    """
    asked = 0
    for batch in _batches((t, passing(t[0], t[1])) for t in dict.fromkeys(targets)):
        try:
            subprocess.run(
                [run, "-K", "-t", " or ".join(_clause(*target, others) for target, others in batch)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return asked
        asked += len(batch)
    return asked


def _batches(targets: Iterable[tuple[Peers, Sequence[Prefix]]]) -> Iterator[list[tuple[Peers, Sequence[Prefix]]]]:
    """What fits into one filter. Where more pass than that, none of the network is ended: the gate denies the others anyway."""
    batch: list[tuple[Peers, Sequence[Prefix]]] = []
    room = SS
    for target, others in targets:
        if len(others) >= SS:
            continue
        if len(others) >= room:
            yield batch
            batch, room = [], SS
        batch.append((target, others))
        room -= 1 + len(others)
    if batch:
        yield batch


def _clause(network: bytes, bits: int, port: int, passing: Sequence[Prefix]) -> str:
    """What ss is asked for."""
    words = [_peer(network, bits), *(f"not {_peer(*prefix)}" for prefix in passing)]
    if port:
        words.append(f"sport = :{port}")
    return f"( {' and '.join(words)} )"


def _peer(network: bytes, bits: int) -> str:
    """A network as the far end of a connection; IPv4 also where a socket of IPv6 speaks it: the kernel compares mapped ones."""
    from ipaddress import ip_address

    text = f"{ip_address(network)}/{bits}"
    return f"dst [{text}]" if len(network) == 16 else f"dst {text}"


def _end(text: str) -> tuple[bytes, int]:
    """`0100007F:0016`: address and port; IPv4-mapped addresses as IPv4."""
    words, _colon, port = text.partition(":")
    raw = bytes.fromhex(words)
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    if len(raw) == 16 and raw.startswith(MAPPED):
        raw = raw[12:]
    if len(raw) not in (4, 16):
        raise ValueError(text)
    return raw, int(port, 16)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
