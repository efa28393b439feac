"""A routing table that the admin brings: which prefixes are announced on the internet, and by which AS.

Two sorted arrays for each family, asked by bisection: 12 bytes a prefix.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final

LONGEST6: Final = 56  # IPv6 prefixes beyond are dropped: nobody routes them, and 56 bits and a length are one number of 64 bits
NOBODY: Final = -1


class RoutesError(ValueError):
    """A line that is none: its number, what is wrong ("line", "prefix", "range", "asn"), and the words."""

    def __init__(self, number: int, what: str, words: bytes) -> None:
        super().__init__(number, what, words)
        self.number, self.what, self.words = number, what, words


class Routes:
    """The table. Prefixes are added in any order, then `sort` makes it ready to be asked."""

    __slots__ = ("asns4", "asns6", "keys4", "keys6")

    def __init__(self) -> None:
        self.keys4: array[int] = array("Q")  # address << 8 | length
        self.asns4: array[int] = array("I")
        self.keys6: array[int] = array("Q")  # the first 56 bits of the address << 8 | length
        self.asns6: array[int] = array("I")

    def __len__(self) -> int:
        return len(self.keys4) + len(self.keys6)

    def add4(self, first: int, length: int, asn: int) -> None:
        """An IPv4 prefix."""
        self.keys4.append(first << 8 | length)
        self.asns4.append(asn)

    def add6(self, first: int, length: int, asn: int) -> None:
        """An IPv6 prefix; `first` has 128 bits."""
        if length <= LONGEST6:
            self.keys6.append(first >> 72 << 8 | length)
            self.asns6.append(asn)

    def sort(self) -> Routes:
        """Itself, in order: tables of registries mostly are already."""
        self.keys4, self.asns4 = ordered(self.keys4, self.asns4)
        self.keys6, self.asns6 = ordered(self.keys6, self.asns6)
        return self

    def origin(self, network: bytes) -> int:
        """The AS that announces a /24 (3 bytes) or a /48 (6 bytes): that of the longest prefix around it; -1: none."""
        for length in range(8 * len(network), 0, -1):
            asn = self._announced(network, length)
            if asn != NOBODY:
                return asn
        return NOBODY

    def around(self, network: bytes, widest: int, asn: int) -> list[int]:
        """The lengths of the prefixes around a /24 or a /48 that this AS announces, the longest first, none beyond `widest`."""
        return [n for n in range(8 * len(network) - 1, widest - 1, -1) if self._announced(network, n) == asn]

    def shared(self, network: bytes, length: int, asn: int) -> bool:
        """Whether another AS announces this prefix or a part of it: then it is not one network."""
        keys, asns = (self.keys4, self.asns4) if len(network) == 3 else (self.keys6, self.asns6)
        key = key_of(network, length)
        end = key + (1 << (8 + (32 if len(network) == 3 else LONGEST6) - length))
        for i in range(bisect_left(keys, key), len(keys)):
            if keys[i] >= end - length:
                return False
            if asns[i] != asn:
                return True
        return False

    def _announced(self, network: bytes, length: int) -> int:
        keys, asns = (self.keys4, self.asns4) if len(network) == 3 else (self.keys6, self.asns6)
        key = key_of(network, length)
        at = bisect_left(keys, key)
        return asns[at] if at < len(keys) and keys[at] == key else NOBODY


def key_of(network: bytes, length: int) -> int:
    """The number under which the prefix of this length around a /24 (3 bytes) or a /48 (6 bytes) is kept."""
    size = 8 * len(network)
    whole = int.from_bytes(network, "big") >> (size - length) << (size - length)
    return whole << 16 | length  # 8 bits more than the network has, and 8 for the length


def ordered(keys: array[int], asns: array[int]) -> tuple[array[int], array[int]]:
    """Both by key."""
    last = 0
    for key in keys:
        if key < last:
            break
        last = key
    else:
        return keys, asns
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return array("Q", [keys[i] for i in order]), array(asns.typecode, [asns[i] for i in order])


def read(lines: Iterable[bytes]) -> Routes:
    """A table of lines `203.0.113.0/24 64500`, or of iptoasn.com: first and last address, AS number, and what follows.

    Empty lines and what begins with # are passed over, AS 0 (not routed) too. Raises RoutesError.
    """
    routes = Routes()
    number = 0
    for line in lines:
        number += 1
        words = line.split(None, 3)
        if not words or words[0].startswith(b"#"):
            continue
        if len(words) < 2:
            raise RoutesError(number, "line", line.strip())
        if b"/" in words[0]:
            asn = asn_of(words[1])
            if asn < 0:
                raise RoutesError(number, "asn", words[1])
            if not add_prefix(routes, words[0], asn):
                raise RoutesError(number, "prefix", words[0])
            continue
        if len(words) < 3:
            raise RoutesError(number, "line", line.strip())
        asn = asn_of(words[2])
        if asn < 0:
            raise RoutesError(number, "asn", words[2])
        if not add_range(routes, words[0], words[1], asn):
            raise RoutesError(number, "range", words[0] + b" " + words[1])
    return routes.sort()


def add_prefix(routes: Routes, text: bytes, asn: int) -> bool:
    """Adds `203.0.113.0/24`; False where that is no prefix."""
    address, _, bits = text.partition(b"/")
    if not bits.isdigit() or len(bits) > 3:
        return False
    length = int(bits)
    if b":" in address:
        first = ipv6(address)
        if first < 0 or length > 128 or first & ((1 << (128 - length)) - 1):
            return False
        if asn:
            routes.add6(first, length, asn)
        return True
    first = ipv4(address)
    if first < 0 or length > 32 or first & ((1 << (32 - length)) - 1):
        return False
    if asn:
        routes.add4(first, length, asn)
    return True


def add_range(routes: Routes, low: bytes, high: bytes, asn: int) -> bool:
    """Adds the prefixes of which a range consists; False where that is none."""
    six = b":" in low
    first, last = (ipv6(low), ipv6(high)) if six else (ipv4(low), ipv4(high))
    if first < 0 or last < first:
        return False
    width = 128 if six else 32
    while asn and first <= last:
        size = (last - first + 1).bit_length() - 1
        if first:
            size = min(size, (first & -first).bit_length() - 1)
        if six:
            routes.add6(first, width - size, asn)
        else:
            routes.add4(first, width - size, asn)
        first += 1 << size
    return True


def asn_of(text: bytes) -> int:
    """The number of `64500` or `AS64500`; -1: none."""
    digits = text[2:] if text[:2] in (b"AS", b"as") else text
    if not digits.isdigit() or len(digits) > 10:
        return NOBODY
    asn = int(digits)
    return asn if asn < 1 << 32 else NOBODY


def ipv4(text: bytes) -> int:
    """The 32 bits of an address; -1: none. Not `ipaddress`, which takes four times as long."""
    parts = text.split(b".")
    if len(parts) != 4:
        return -1
    value = 0
    for part in parts:
        if not part.isdigit() or len(part) > 3 or (len(part) > 1 and part[0] == 48):
            return -1
        byte = int(part)
        if byte > 255:
            return -1
        value = value << 8 | byte
    return value


def ipv6(text: bytes) -> int:
    """The 128 bits of an address; -1: none."""
    try:
        return int(IPv6Address(text.decode("ascii")))
    except ValueError:
        return -1
