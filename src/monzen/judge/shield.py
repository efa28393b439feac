"""Whom monzen never denies, whatever a log says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

Prefix = tuple[bytes, int]  # leading bytes of a network address, prefix length

NEVER: Final = (
    "127.0.0.0/8",  # loopback, RFC 1122
    "169.254.0.0/16",  # link-local, RFC 3927
    "224.0.0.0/4",  # multicast, RFC 5771
    "0.0.0.0/8",  # this network, RFC 1122
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "fe80::/10",  # link-local, RFC 4291
    "ff00::/8",  # multicast
)
PRIVATE: Final = (
    "10.0.0.0/8",  # RFC 1918
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",  # unique local, RFC 4193
)


def span(network: bytes, bits: int) -> tuple[int, int]:
    """The first and the last address of a network given by its leading bytes; an IPv6 one has more than 4 of them."""
    width = 32 if len(network) <= 4 else 128
    value = int.from_bytes(network, "big") << (width - 8 * len(network))
    hosts = width - bits
    first = value >> hosts << hosts
    return first, first + (1 << hosts) - 1


def disjoint(spans: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """First and last addresses of the same set of addresses, in order, with a gap between any two."""
    first: list[int] = []
    last: list[int] = []
    for low, high in sorted(spans):
        if last and low <= last[-1] + 1:
            last[-1] = max(last[-1], high)
        else:
            first.append(low)
            last.append(high)
    return first, last


class Shield:
    """What is never denied: loopback and its kin, private networks unless `private`, and the networks given.

    `own` are the addresses of this machine and of what it cannot do without (gateway, resolvers), `allow` what the admin
    allows: pairs of leading bytes (IPv4 up to 4, IPv6 5 or more) and prefix length. Asked by one bisection: 0.5 µs (Python 3.11,
    not compiled, 2026-11-25).
    """

    __slots__ = ("first4", "first6", "last4", "last6", "touched")

    def __init__(self, own: Iterable[Prefix] = (), allow: Iterable[Prefix] = (), private: bool = False) -> None:
        spans4: list[tuple[int, int]] = []
        spans6: list[tuple[int, int]] = []
        for text in NEVER if private else NEVER + PRIVATE:
            network = ip_network(text)
            (spans4 if network.version == 4 else spans6).append(span(network.network_address.packed, network.prefixlen))
        for given in (own, allow):
            for packed, bits in given:
                (spans4 if len(packed) <= 4 else spans6).append(span(packed, bits))
        self._hold(spans4, spans6)

    def _hold(self, spans4: list[tuple[int, int]], spans6: list[tuple[int, int]]) -> None:
        """Take these first and last addresses."""
        self.first4, self.last4 = disjoint(spans4)
        self.first6, self.last6 = disjoint(spans6)
        self.touched: list[bool] = [False] * 256  # by the first byte of an IPv4 address: whether any of those is in it
        for low, high in spans4:
            for first in range(low >> 24, (high >> 24) + 1):
                self.touched[first] = True

    def beside(self, own: Iterable[Prefix], allow: Iterable[Prefix]) -> Shield:
        """A shield of all that this one holds, and these."""
        more = Shield(own, allow, private=True)
        both = Shield()
        both._hold(
            [*zip(self.first4, self.last4, strict=True), *zip(more.first4, more.last4, strict=True)],
            [*zip(self.first6, self.last6, strict=True), *zip(more.first6, more.last6, strict=True)],
        )
        return both

    def covers(self, client: bytes) -> bool:
        """Whether an address (4 or 16 bytes) is never denied; of a /64 (8 bytes): whether any address in it is."""
        return self.holds(client, 8 * len(client))

    def holds(self, network: bytes, bits: int) -> bool:
        """Whether a network has any address that is never denied, so that it must not be denied whole."""
        if 0 < len(network) <= 4 and bits >= 8 and not self.touched[network[0]]:
            return False
        low, high = span(network, bits)
        if len(network) <= 4:
            at = bisect_right(self.first4, high)
            return at > 0 and self.last4[at - 1] >= low
        at = bisect_right(self.first6, high)
        return at > 0 and self.last6[at - 1] >= low
