"""What a gate denies: a network, or one of its doors; and the one error of this package."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

TCP, UDP = 6, 17  # IANA protocol numbers
PROTOCOLS = {0: "", TCP: "tcp", UDP: "udp"}


class GateError(Exception):
    """The firewall refused: what failed and its own words, one sentence. `errno` is the kernel's, 0 where there is none."""

    def __init__(self, words: str, errno: int = 0) -> None:
        super().__init__(words)
        self.errno = errno


class Target(NamedTuple):
    """A network, on all ports (`port` 0) or on one; `protocol` 0 stands for TCP and UDP."""

    network: bytes  # packed, 4 or 16 bytes, host bits zero
    bits: int  # prefix length
    port: int = 0
    protocol: int = 0

    def __str__(self) -> str:
        """As ufw and people write it: `203.0.113.7`, `2001:db8::/48`; with a port `203.0.113.7 port 25/tcp`."""
        text = str(ip_address(self.network))
        if self.bits < 8 * len(self.network):
            text += f"/{self.bits}"
        if self.port:
            text += f" port {self.port}" + (f"/{PROTOCOLS[self.protocol]}" if self.protocol else "")
        return text

    @property
    def whole(self) -> Target:
        """The same network on all ports."""
        return Target(self.network, self.bits)


def target(network: bytes, bits: int, port: int = 0, protocol: int = 0) -> Target:
    """A Target of any address in the network: its host bits become zero."""
    width = 8 * len(network)
    if width not in (32, 128) or not 0 <= bits <= width or not 0 <= port <= 65535 or protocol not in PROTOCOLS:
        raise ValueError(f"no network: {network!r}/{bits} port {port} protocol {protocol}")
    value = int.from_bytes(network, "big") >> (width - bits) << (width - bits)
    return Target(value.to_bytes(len(network), "big"), bits, port, protocol if port else 0)


class Denial(NamedTuple):
    """A target that should be denied until then: epoch seconds UTC, None for good."""

    target: Target
    until: float | None


class Held(NamedTuple):
    """What the kernel holds of a target: when it lets go by itself, and what it has dropped so far."""

    until: float | None
    packets: int
    octets: int
