"""`monzen why`: the log judged as in `scan`, and of one address or network everything that was counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from monzen.judge.prefixes import within
from monzen.types import Event, Kind

FIRST, LAST = 3, 7  # lines of offences kept: how it began, and how it went on
LAST_OTHERS = 5

TELLING = frozenset((int(Kind.AUTH_SUCCESS), int(Kind.DELIVERED), int(Kind.BLOCKED)))


@dataclass(slots=True)
class Watch:
    """Events of one target while a log is read."""

    target: bytes  # leading bytes of the addresses: 4 or 8 of a client, fewer of a network
    bits: int
    counted: int = 0
    begun: list[Event] = field(default_factory=list)  # offences
    lately: list[Event] = field(default_factory=list)
    others: list[Event] = field(default_factory=list)  # logins, mails, knocks

    def see(self, events: list[Event]) -> None:
        """Keeps the first and the last lines that say something of the target."""
        for event in events:
            fact = event.fact
            if not within(fact.client, self.target, self.bits) or not (fact.weight or fact.kind in TELLING):
                continue
            self.counted += 1
            if fact.kind in TELLING:
                self.others.append(event)
                del self.others[:-LAST_OTHERS]
            elif len(self.begun) < FIRST:
                self.begun.append(event)
            else:
                self.lately.append(event)
                del self.lately[:-LAST]

    def lines(self) -> list[Event]:
        """What was kept, in order of time."""
        return sorted([*self.begun, *self.lately, *self.others], key=lambda e: e.time)


def target_of(text: str) -> tuple[bytes, int]:
    """The leading bytes and the prefix length of `203.0.113.7`, `2001:db8::1` (its /64) or a network.

    Raises ValueError with a sentence for people.
    """
    try:
        if "/" not in text:
            address = ip_address(text.strip().strip("[]"))
            mapped = getattr(address, "ipv4_mapped", None)
            packed = (mapped or address).packed
            return (packed, 32) if len(packed) == 4 else (packed[:8], 64)
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(text) from None
    bits = network.prefixlen
    if not 1 <= bits <= (32 if network.version == 4 else 64):
        raise ValueError(text)
    size = (bits + 7) // 8
    return network.network_address.packed[: size if network.version == 4 else max(5, size)], bits  # 4 bytes and fewer are IPv4's
