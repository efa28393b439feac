"""Addresses as programs write them, to packed bytes and back."""

from __future__ import annotations

MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2
NOBODY = (b"", b"\0\0\0\0", b"\0" * 16)  # no address, or the unspecified one: no client
LOOPBACK6 = b"\0" * 15 + b"\1"


class Addresses(dict[bytes, bytes]):
    """Text to packed address, remembered: 4 or 16 bytes, `b""` for what is no address; names are never resolved.

    IPv4-mapped IPv6 becomes IPv4, a zone id (`%eth0`) is cut off, leading zeros are refused (inet_pton does), and the
    unspecified address is nobody's. Bounded: forgets everything at 16,384 entries (about 3 MiB).
    """

    def __missing__(self, text: bytes) -> bytes:
        if len(self) >= 1 << 14:
            self.clear()
        from socket import AF_INET, AF_INET6, inet_pton  # imported when first needed: of IPv4 the reader in C knows all

        packed = b""
        if len(text) <= 64:  # the longest address with a zone id; text is hostile, so no key is longer
            try:
                if b":" in text:
                    packed = inet_pton(AF_INET6, text.partition(b"%")[0].decode("ascii"))
                    if packed.startswith(MAPPED):
                        packed = packed[12:]
                else:
                    packed = inet_pton(AF_INET, text.decode("ascii"))
            except (OSError, ValueError):
                packed = b""
            if packed in NOBODY:
                packed = b""
            self[text] = packed
        return packed


addresses = Addresses()


def text(packed: bytes) -> str:
    """The address as people write it, `""` for nobody."""
    if len(packed) == 4:
        return ".".join(map(str, packed))
    from socket import AF_INET6, inet_ntop

    return inet_ntop(AF_INET6, packed) if packed else ""


def client_of(packed: bytes) -> bytes:
    """What is counted as one client: the IPv4 address, or the /64 (8 bytes) of an IPv6 address."""
    return packed if len(packed) == 4 else packed[:8]


def is_local(packed: bytes) -> bool:
    """Loopback, or a Docker bridge gateway (172.16-31.x.1 with x = 0): all clients look like it, so none may be blamed.

    Source: FACTS section A, last row; userland proxy and IPv6 NAT of Docker (moby issues 4737, 22054).
    """
    if len(packed) == 4:
        return packed[0] == 127 or (packed[0] == 172 and 16 <= packed[1] <= 31 and packed[2:] == b"\0\1")
    return packed == LOOPBACK6
