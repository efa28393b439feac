"""Whom the gate never denies, and why: the machine itself, what it needs, the admin's own session, whom the admin allows.

Looked up anew for each change, from the kernel and from files that only root writes: never from a log.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final, NamedTuple

from monzen.judge.shield import NEVER, PRIVATE, Prefix, disjoint, span
from monzen.show.text import network as shown
from monzen.show.words import N_, _

REASONS: Final = {
    "own": N_("it is an address of this machine"),
    "gateway": N_("it is this machine's gateway"),
    "resolver": N_("it is this machine's name server"),
    "ssh": N_("somebody is logged in from there over SSH now"),
    "allowed": N_("it is allowed (monzen allow, or the configuration)"),
    "reserved": N_("it is a local or reserved address"),
    "private": N_("it is a private address"),
}


class Ward(NamedTuple):
    """A network that is never denied, and why (a key of REASONS)."""

    network: bytes  # packed, 4 or 16 bytes
    bits: int
    why: str

    def reason(self) -> str:
        """Why, in words."""
        return _(REASONS[self.why])

    def says(self) -> str:
        """The network and the reason, in words."""
        return _("{network}: {why}").format(network=shown(self.network, self.bits), why=self.reason())

    @property
    def passing(self) -> bool:
        """Whether it stands beside the denials in the kernel: single addresses that matter, not whole ranges nobody needs."""
        return self.why not in ("reserved", "private", "allowed")


def wards(
    root: str, allowed: Iterable[Prefix], *, own: Iterable[Prefix] = (), private: bool = False, ssh: Iterable[bytes] | None = None
) -> list[Ward]:
    """Everybody who is never denied on this machine, the most telling reason first. `ssh`: who is logged in over SSH (default:
    everybody who is connected to sshd)."""
    from monzen import machine
    from monzen.sockets import ssh_peers

    ssh = ssh_peers(root) if ssh is None else ssh
    found: list[Ward] = []
    for why, addresses in (
        ("ssh", [*ssh, *machine.admin(root)]),
        ("own", machine.addresses(root)),
        ("gateway", machine.gateways(root)),
        ("resolver", machine.resolvers(root)),
    ):
        found += [Ward(packed, 8 * len(packed), why) for packed in addresses if any(packed)]
    found += [Ward(_whole(*prefix), prefix[1], "own") for prefix in own]
    found += [Ward(_whole(*prefix), prefix[1], "allowed") for prefix in allowed]
    for why, texts in (("reserved", NEVER), ("private", () if private else PRIVATE)):
        for text in texts:
            network = ip_network(text)
            found.append(Ward(network.network_address.packed, network.prefixlen, why))
    return list({(w.network, w.bits): w for w in reversed(found)}.values())[::-1]


class Wards:
    """The same, to be asked: who of them is in a network."""

    def __init__(self, found: Iterable[Ward]) -> None:
        self.all = list(found)
        self.spans = [(len(w.network), *span(w.network, w.bits), w) for w in self.all]

    def inside(self, network: bytes, bits: int) -> list[Ward]:
        """Those that a denial of this network would hit: all of them are in it, or it is in theirs."""
        first, last = span(network, bits)
        return [w for length, low, high, w in self.spans if length == len(network) and low <= last and first <= high]

    def within(self, network: bytes, bits: int) -> list[Prefix]:
        """Networks that pass though this one is denied: a denial of theirs would hit them."""
        return [(w.network, w.bits) for w in self.inside(network, bits) if w.passing or w.why == "allowed"]

    def allowed(self) -> list[tuple[int, int, int]]:
        """What the admin allows: octets of an address, first and last address; disjoint."""
        out = []
        for octets in (4, 16):
            wide = 8 * octets
            spans = [
                (low, high)
                for length, low, high, w in self.spans
                if length == octets and (w.why == "allowed" or (w.passing and w.bits < wide))
            ]
            out += [(octets, first, last) for first, last in zip(*disjoint(spans), strict=True)]
        return out

    def single(self) -> list[bytes]:
        """The single addresses that pass whatever is denied: this machine's, what it needs, and the admin's."""
        return [w.network for w in self.all if w.passing and w.bits == 8 * len(w.network)]


def _whole(network: bytes, bits: int) -> bytes:
    """A network of its leading bytes with all of its bytes."""
    return network.ljust(4 if len(network) <= 4 and bits <= 32 else 16, b"\0")
