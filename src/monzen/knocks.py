"""Which denial a packet knocked at, and what knocks do to it: they are counted, and prolong it up to a cap."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Final

from monzen.gate.nftables import Nftables
from monzen.gate.table import Knock
from monzen.gate.target import GateError
from monzen.ledger import Entry, Knocked, Ledger

CAP: Final = 4  # packets can be forged: knocks prolong a denial to so many sentences after its last attempt, no further
ByBits = dict[tuple[int, int], dict[tuple[bytes, int], Entry]]  # octets, bits; network, port (0: each)


def count(nft: Nftables, ledger: Ledger, now: float) -> None:
    """Write down what knocked since the last time, and let knocks prolong denials, up to a cap."""
    if not nft.state().present:
        return
    try:
        knocks = nft.take_knocks()
    except GateError as error:
        if error.errno != errno.ENOENT:
            raise
        return  # of a table that is not whole nothing can be counted; it is made anew
    if not knocks:
        return
    by_bits = sorted_by_bits(ledger.active(now))
    counted: list[Knocked] = []
    longer: list[tuple[int, float]] = []
    for knock in knocks:
        entry = covering(knock, by_bits)
        if entry is None:
            continue
        last = now - knock.ago
        counted.append(Knocked(entry.number, knock.port, knock.protocol, knock.packets, knock.octets, last, knock.source))
        if entry.until is not None and entry.sentence:
            longer.append((entry.number, min(last + entry.sentence, entry.since + CAP * entry.sentence)))
    ledger.settle(counted, 0.0)
    ledger.prolong(longer)


def sorted_by_bits(entries: Iterable[Entry]) -> ByBits:
    """Denials by what `covering` asks for."""
    by_bits: ByBits = {}
    for e in entries:
        by_bits.setdefault((len(e.network), e.bits), {})[(e.network, e.port)] = e
    return by_bits


def covering(knock: Knock, by_bits: ByBits) -> Entry | None:
    """The denial that dropped a packet: the narrowest that its source is in."""
    octets = len(knock.source)
    value = int.from_bytes(knock.source, "big")
    for length, bits in sorted(by_bits, key=lambda k: -k[1]):
        if length != octets:
            continue
        hosts = 8 * octets - bits
        network = (value >> hosts << hosts).to_bytes(octets, "big")
        entries = by_bits[length, bits]
        entry = entries.get((network, 0)) or (entries.get((network, knock.port)) if knock.port else None)
        if entry is not None:
            return entry
    return None
