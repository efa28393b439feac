"""ufw's chain in the kernel as text (pure): which of its rules are ours, and what makes it what it should be.

ufw gives the kernel no comments, so a rule of ours looks like one that the user typed. What tells them apart: the user's are in
his file (`foreign` counts them), and of several equal ones ours are the first. What is neither in the file nor known to be ours
was put there by somebody else, and stays.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from monzen.gate.target import Target
from monzen.gate.ufw_rules import CHAIN, NUMBERS, Rule

KERNEL = re.compile(
    r"-A ufw6?-user-input -s (?P<source>\S+) (?:-p (?P<protocol>tcp|udp) -m (?:tcp|udp) --dport (?P<port>\d{1,5}) )?"
    r"(?:-c (?P<packets>\d+) (?P<octets>\d+) )?-j (?P<verdict>DROP|ACCEPT)"
).fullmatch


class Row(NamedTuple):
    """A rule of the chain that could be ours: in our words, with what it has counted."""

    rule: Rule
    spec: str  # what iptables takes behind the name of the chain
    packets: int
    octets: int


def read(line: str) -> Row | None:
    """A line of `iptables -v -S`; None for what no rule of ours looks like. Source: iptables 1.8.9, nft and legacy."""
    found = KERNEL(line.strip())
    if found is None:
        return None
    try:
        network = ip_network(found["source"])
    except ValueError:
        return None
    at = Target(network.network_address.packed, network.prefixlen, int(found["port"] or 0), NUMBERS[found["protocol"]])
    rule = Rule(at, found["verdict"] == "ACCEPT")
    return Row(rule, rule.specs()[0], int(found["packets"] or 0), int(found["octets"] or 0))


def ours(chain: Sequence[Row | None], foreign: Counter[str], known: Collection[str]) -> list[int]:
    """The places of our rules in the chain."""
    candidates: dict[str, list[int]] = {}
    for place, row in enumerate(chain):
        if row is not None and row.spec in known:
            candidates.setdefault(row.spec, []).append(place)
    return sorted(n for spec, places in candidates.items() for n in places[: max(0, len(places) - foreign[spec])])


def plan(chain: Sequence[Row | None], foreign: Counter[str], known: Collection[str], new: Sequence[str]) -> list[str]:
    """The orders that make our rules in the chain `new`, first and in this order; none where they are.

    Each is `-D ...` or `-I ...` without the chain's name. What stays is not touched: its counters go on. A rule is taken away by
    what it says, not by its number, as long as that cannot mean another: if somebody changes the chain between our look and
    this, the kernel refuses all of it.
    """
    mine = ours(chain, foreign, {*known, *new})
    rows = [row.spec if row is not None else "" for row in chain]
    left = Counter(new)
    stay: list[int] = []
    for place in mine:
        if left[rows[place]] > 0:
            left[rows[place]] -= 1
            stay.append(place)
    # one of somebody else's above one of ours, or another order: all of ours go and come again
    if stay and (stay[-1] > _first_gap(mine) or not _follows([rows[place] for place in stay], new)):
        stay = []
    places: dict[str, list[int]] = {}
    for place in reversed(range(len(rows))):
        places.setdefault(rows[place], []).append(place)
    orders: list[str] = []
    kept = set(stay)
    for place in (n for n in mine if n not in kept):  # downwards: what went before stood above
        same = places[rows[place]]
        plain = same[-1] == place
        orders.append(f"-D {rows[place]}" if plain else f"-D {place - len(orders) + 1}")
        same.remove(place)
    have = iter([rows[place] for place in stay])
    next_ = next(have, None)
    for number, spec in enumerate(new, 1):
        if spec == next_:
            next_ = next(have, None)
        else:
            orders.append(f"-I {number} {spec}")
    return orders


def _first_gap(places: Sequence[int]) -> int:
    """The first place that is not among these, which ascend."""
    return next((n for n, place in enumerate(places) if place != n), len(places))


def _follows(some: Sequence[str], every: Sequence[str]) -> bool:
    """Whether these come in `every` in the same order."""
    rest = iter(every)
    return all(spec in rest for spec in some)


def restore(version: int, orders: Sequence[str]) -> bytes:
    """For iptables-restore: all of it or nothing, and no packet sees anything between."""
    chain = CHAIN[version]
    lines = [f"{order[:2]} {chain} {order[3:]}" for order in orders]
    return "\n".join(["*filter", *lines, "COMMIT", ""]).encode("ascii")
