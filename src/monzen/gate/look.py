"""Which firewalls there are on this machine and what they let in by default: read, never changed."""

from __future__ import annotations

import os
import re
import struct
from typing import NamedTuple

from monzen.gate.netlink import GETCHAIN, Netlink, attributes
from monzen.gate.target import GateError

HOOKS = {1: "input", 2: "forward", 3: "output", 0: "prerouting", 4: "postrouting"}  # linux/netfilter.h, enum nf_inet_hooks
FAMILIES = {1: "inet", 2: "ip", 10: "ip6", 5: "netdev", 7: "bridge", 3: "arp"}
SETTING = re.compile(r'^\s*([A-Z_0-9]+)\s*=\s*"?([^"#\n]*?)"?\s*(?:#.*)?$').match


class Chain(NamedTuple):
    """A chain that sees packets: whose table, which hook, at which priority, and what it does with what no rule decides."""

    family: str
    table: str
    name: str
    hook: str
    priority: int
    policy: str  # accept or drop


class UfwSettings(NamedTuple):
    """ufw as its files have it: whether it starts with the machine, default policies (accept, drop, reject), log level."""

    enabled: bool
    incoming: str
    outgoing: str
    routed: str
    logging: str
    ipv6: bool


def chains() -> list[Chain]:
    """All base chains of this network namespace, of iptables-nft too. Raises GateError."""
    found: list[Chain] = []
    with Netlink() as netlink:
        for family, name in FAMILIES.items():
            netlink.family = family
            try:
                bodies = list(netlink.ask(GETCHAIN, b"", dump=True))
            except GateError:
                continue  # a family that this kernel was built without
            for body in bodies:
                values = dict(attributes(body))
                if 4 not in values:
                    continue
                hook = dict(attributes(values[4]))
                number = struct.unpack("!I", hook[1])[0]
                priority = struct.unpack("!i", hook[2])[0]
                policy = "drop" if struct.unpack("!I", values.get(5, b"\0\0\0\1"))[0] == 0 else "accept"
                table, chain = (values[k].rstrip(b"\0").decode("ascii", "replace") for k in (1, 3))
                found.append(Chain(name, table, chain, HOOKS.get(number, str(number)), priority, policy))
    return list(dict.fromkeys(found))


def ufw_settings(root: str = "/") -> UfwSettings | None:
    """ufw's own files; None where it is not installed."""
    conf = _settings(os.path.join(root, "etc/ufw/ufw.conf"))
    default = _settings(os.path.join(root, "etc/default/ufw"))
    if conf is None or default is None:
        return None
    return UfwSettings(
        conf.get("ENABLED", "no").lower() == "yes",
        default.get("DEFAULT_INPUT_POLICY", "drop").lower(),
        default.get("DEFAULT_OUTPUT_POLICY", "accept").lower(),
        default.get("DEFAULT_FORWARD_POLICY", "drop").lower(),
        conf.get("LOGLEVEL", "low").lower(),
        default.get("IPV6", "yes").lower() == "yes",
    )


def _settings(path: str) -> dict[str, str] | None:
    """The assignments of a shell-like file; None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [SETTING(line) for line in file.read().splitlines()]
    except OSError:
        return None
    return {m[1]: m[2].strip() for m in rows if m is not None}


def drops_incoming(found: list[Chain]) -> bool:
    """Whether a chain of somebody's refuses by default what comes in."""
    return any(c.hook == "input" and c.policy == "drop" and c.family in ("inet", "ip") for c in found)
