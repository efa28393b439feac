"""Released targets: what their log lines say of them before the release counts no more."""

from __future__ import annotations

from collections.abc import Iterable

from monzen.types import Event


class Pardons:
    """Releases, to be laid over events: offences of a released network that are older than its release are left out.

    Logins and mail stay: they speak for it. A network covers what is inside; of several the newest counts.
    """

    def __init__(self, releases: Iterable[tuple[bytes, int, float]]) -> None:
        self.by_bits: dict[tuple[int, int], dict[int, float]] = {}
        for network, bits, at in releases:
            width = 8 * len(network)
            times = self.by_bits.setdefault((width, bits), {})
            key = int.from_bytes(network, "big") >> (width - bits)
            times[key] = max(at, times.get(key, at))
        self.last = max((t for times in self.by_bits.values() for t in times.values()), default=float("-inf"))

    def filter(self, events: list[Event]) -> list[Event]:
        """The events that count."""
        if not events or not self.by_bits or min(e.time for e in events) > self.last:
            return events
        return [e for e in events if not e.fact.weight or e.time > self.since(e.fact.client)]

    def since(self, client: bytes) -> float:
        """From when on the offences of an address count."""
        width = 8 * len(client)
        value = int.from_bytes(client, "big")
        found = float("-inf")
        for (length, bits), times in self.by_bits.items():
            if length == width:
                found = max(found, times.get(value >> (width - bits), found))
        return found
