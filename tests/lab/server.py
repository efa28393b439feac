"""What the live tests of the gate start in the place of a mail server, and `monzen` as its admin types it."""

import json
import os
import sys

from tests.lab.net import SRV4, ns, probe, spawn, until

LISTEN = """
import socket, sys, threading
kept = []
def accept(door):
    while True:
        kept.append(door.accept())
for port in map(int, sys.argv[1:]):
    door = socket.socket(socket.AF_INET6)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    door.bind(("::", port))
    door.listen(64)
    threading.Thread(target=accept, args=(door,)).start()
"""


def listen(*ports):
    """A program in srv that takes every connection to these ports, IPv4 and IPv6, and keeps it."""
    process = spawn("srv", [sys.executable, "-c", LISTEN, *map(str, ports)])
    for port in ports:
        until(lambda port=port: probe("good", port) == "open", what=f"port {port}")
    return process


def monzen(*arguments, status=0, place="srv", **environment):
    """What `monzen` prints in srv; its exit status must be `status`."""
    done = ns(place, [sys.executable, "-m", "monzen", *map(str, arguments)], check=False, env={**os.environ, **environment})
    assert status is None or done.returncode == status, f"monzen {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def told(*arguments, status=0, **environment):
    """The same with --json, as values; what it warns of stands before or behind them."""
    said = monzen(*arguments, "--json", status=status, **environment)
    return json.JSONDecoder().raw_decode(said[max(0, said.find("{")) :])[0]


def ruleset():
    """What nft shows of srv, counters and times left out."""
    import re

    text = ns("srv", "nft list ruleset").stdout
    return re.sub(r"(packets|bytes) \d+|expires \S+", r"\1", text)


def numbers():
    """The targets of `monzen list`, by number."""
    return {row["number"]: row["target"] for row in told("list")["denied"]}


__all__ = ["SRV4", "listen", "monzen", "numbers", "ruleset", "told"]
