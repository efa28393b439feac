"""Who is here over SSH: the session that we descend from, the connections to sshd, the ports that it is configured for."""

from __future__ import annotations

import os
import shutil

from monzen.gate.ufw import run
from monzen.show.text import network as shown
from monzen.sockets import ESTABLISHED, listening, sockets, ssh_ports


def own_session(root: str) -> str:
    """SSH_CONNECTION of a process that we descend from: sudo takes the variable away from us."""
    pid = os.getpid()
    for _step in range(64):
        if pid <= 1:
            return ""
        try:
            with open(os.path.join(root, f"proc/{pid}/environ"), "rb") as file:
                for entry in file.read().split(b"\0"):
                    if entry.startswith(b"SSH_CONNECTION="):
                        return entry[15:].decode("ascii", "replace")
            with open(os.path.join(root, f"proc/{pid}/stat"), "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return ""
    return ""


def connections(root: str) -> tuple[str, ...]:
    """`address port` of the other end of every established connection to sshd's ports."""
    ports = set(ssh_ports(root)) | set(configured_ports())
    found = (s for s in sockets(root) if s.protocol == 6 and s.state == ESTABLISHED and s.port in ports)
    return tuple(dict.fromkeys(f"{shown(s.peer, 8 * len(s.peer))} {s.peer_port}" for s in found))


def configured_ports() -> list[int]:
    """The ports that sshd is configured for: what `sshd -T` tells."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        return []
    done = run([program, "-T"], b"")
    rows = (line.split() for line in done.stdout.decode("ascii", "replace").splitlines())
    found = [int(words[1]) for words in rows if len(words) == 2 and words[0] == "port" and words[1].isdigit()]
    return found if any(s.port in found for s in listening()) else []
