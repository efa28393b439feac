"""How people write a length of time, a host name, an address or a network: in the configuration, in a command, on the page."""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_network

from monzen.judge.shield import Prefix

LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?([smhdw])", re.ASCII).fullmatch
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
HOST = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z][A-Za-z0-9-]{0,62}\.?").fullmatch


def seconds_of(value: object) -> float | None:
    """A length of time: a number of seconds, or text such as 10m, 36h, 7d."""
    if isinstance(value, str) and (m := LENGTH(value.strip())):
        return float(m[1]) * UNITS[m[2]]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def prefix_of(text: str) -> Prefix | None:
    """`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`, `[2001:db8::1]`, `fe80::1%eth0`; IPv4-mapped ones are IPv4."""
    address, slash, bits = text.strip().strip("[]").partition("/")
    try:
        network = ip_network(address.partition("%")[0] + slash + bits, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None and network.prefixlen >= 96:
        return network.network_address.ipv4_mapped.packed, network.prefixlen - 96
    return network.network_address.packed, network.prefixlen
