"""Whom monzen never denies, whatever a log says."""

from __future__ import annotations

from ipaddress import ip_network

NEVER = tuple(
    ip_network(n)
    for n in (
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927
        "224.0.0.0/4",  # multicast, RFC 5771
        "0.0.0.0/8",  # this network, RFC 1122
        "255.255.255.255/32",
        "10.0.0.0/8",  # private, RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/128",
        "::1/128",
        "fe80::/10",  # link-local, RFC 4291
        "ff00::/8",  # multicast
        "fc00::/7",  # unique local, RFC 4193
    )
)
_MASKS = tuple((len(n.network_address.packed), int(n.netmask), int(n.network_address), n.prefixlen) for n in NEVER)


def shielded(packed: bytes, own: frozenset[bytes] = frozenset()) -> bool:
    """Whether an address (4, 8 for a /64, or 16 bytes) is never denied: not public, or one of `own`."""
    full = packed + bytes(8) if len(packed) == 8 else packed
    value = int.from_bytes(full, "big")
    if any(size == len(full) and value & mask == network for size, mask, network, _ in _MASKS):
        return True
    return any(o[: len(packed)] == packed for o in own)


def holds_shielded(network: bytes, own: frozenset[bytes]) -> bool:
    """Whether a network (leading bytes) contains an address of ours, or is itself never denied."""
    return shielded(network.ljust(4 if len(network) <= 4 else 16, b"\0")) or any(o.startswith(network) for o in own)
