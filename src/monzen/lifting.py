"""Taking denials away without the configuration: whom that allows stands in the firewall, and nowhere else that can be read."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from monzen.gate.nftables import Nftables
from monzen.gate.target import Denial, GateError, Target
from monzen.gate.ufw import Ufw
from monzen.judge.shield import disjoint, span

NO_TABLES: Final = (errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)  # this kernel has no nf_tables
Span = tuple[int, int, int]  # octets of an address, first and last address


def lift(nft: Nftables, ufw: Ufw, gone: Collection[Target], allowed: Sequence[Span], single: Iterable[Target]) -> None:
    """These go from kernel and ufw, wherever they stand; `allowed` and `single` pass too, and who passes now goes on to.

    Raises GateError.
    """
    try:
        if nft.state().present:
            if nft.state().whole:
                spans, singles = nft.never()
                nft.allow(_joined([*spans, *allowed]), {*singles, *single})
            nft.release(gone)
    except GateError as error:
        if error.errno not in NO_TABLES:
            raise
    _lift_ufw(ufw, gone)


def _lift_ufw(ufw: Ufw, gone: Collection[Target]) -> None:
    """The rules of these, and the exceptions that stood above none but them: an allow opens what the default policy closes."""
    rules = [s.rule for s in ufw.standing()]
    if not any(rule.target in gone for rule in rules):
        return
    stay = [rule for rule in rules if rule.target not in gone and not rule.allow]
    around = [(len(r.target.network), *span(r.target.network, r.target.bits)) for r in stay]
    doors = [rule.target for rule in rules if rule.allow and _inside(rule.target, around)]
    ufw.mirror([Denial(rule.target, None) for rule in stay], {rule.target: rule.number for rule in stay}, doors)


def _inside(target: Target, around: Sequence[Span]) -> bool:
    first, last = span(target.network, target.bits)
    return any(octets == len(target.network) and low <= first and last <= high for octets, low, high in around)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The same addresses, with a gap between any two spans."""
    out = []
    for octets in (4, 16):
        first, last = disjoint([(low, high) for length, low, high in spans if length == octets])
        out += [(octets, low, high) for low, high in zip(first, last, strict=True)]
    return out
