"""What watch-only mode would have denied: written down by the guard, and denied by nobody."""

from __future__ import annotations

from monzen.ledger import Entry, Ledger
from monzen.ledger.records import Prefix


def would_be_denied(ledger: Ledger, now: float) -> list[Entry]:
    """Who would be denied at this time, had the gate been armed: newest first, each target once.

    Left out is who is denied all the same, or was let in since (monzen release, monzen allow).
    """
    found = ledger.would_be(now)
    if not found:
        return []
    lasting = {(network, bits) for network, bits, port, _protocol, _until in ledger.lasting(now) if not port}
    released: dict[Prefix, float] = {(r.network, r.bits): r.at for r in ledger.releases()}
    allowed = {p for a in ledger.allowed() for p in a.prefixes}
    return [e for e in found if not any(p in lasting or p in allowed or released.get(p, 0.0) >= e.since for p in _around(e))]


def _around(entry: Entry) -> list[Prefix]:
    """Its network, and every wider one around it."""
    width = 8 * len(entry.network)
    value = int.from_bytes(entry.network, "big")
    return [((value >> width - b << width - b).to_bytes(len(entry.network), "big"), b) for b in range(entry.bits, -1, -1)]
