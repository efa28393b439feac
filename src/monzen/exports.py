"""What is denied, as other firewalls and programs read it: text, the same for the same denials, in the order of the addresses.

What stands in comments is English whoever writes it: the file must not change with the locale of a cron job.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from monzen.gate.target import Denial
from monzen.gate.ufw_rules import Rule, commands
from monzen.judge.shield import Prefix, disjoint, span
from monzen.show.text import network

NFT_TABLE: Final = "monzen_list"  # the gate's own table is inet monzen: the two never meet
IPSET: Final = {4: ("monzen4", "inet"), 16: ("monzen6", "inet6")}
# A set can only be made anew with the same numbers; memory is taken as it fills. Source: [gate] limit is at most that.
IPSET_MOST: Final = 4_194_304
IPSET_LONGEST: Final = 2_147_483  # seconds: what ipset takes. Source: ipset(8), 7.17, TIMEOUT
AGAIN: Final = "# Written by `monzen list`; to renew it, write it again (docs/exports.md)."


def outermost(denials: Iterable[Denial], *, lasting: bool = False) -> list[Denial]:
    """In the order of the addresses, without those inside a wider one. `lasting`: except those that end later than it."""
    kept: list[Denial] = []
    around: list[tuple[int, int, float]] = []  # octets, last address and end of the wider ones; each inside the one before
    for denial in sorted(denials, key=lambda d: (len(d.target.network), *d.target)):
        at = denial.target
        first, last = span(at.network, at.bits)
        ends = float("inf") if denial.until is None else denial.until
        while around and (around[-1][0] != len(at.network) or around[-1][1] < first):
            around.pop()
        if around and not (lasting and ends > around[-1][2]):
            continue
        kept.append(denial)
        if not at.port:
            around.append((len(at.network), last, max(ends, around[-1][2]) if around else ends))
    return kept


class Allowed:
    """Whom the admin allows: elsewhere, too, nobody should turn them away, though they are in a network that is denied."""

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        spans: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        for packed, bits in prefixes:
            spans[len(packed) <= 4].append(span(packed, bits))
        self.spans = {four: disjoint(found) for four, found in spans.items()}

    def cut(self, denial: Denial) -> list[Denial]:
        """The denial without them: itself, where none of them is in it, else the networks that are left of it."""
        octets = len(denial.target.network)
        first, last = self.spans[octets == 4]
        low, high = span(denial.target.network, denial.target.bits)
        at = bisect_left(last, low)
        if at == len(first) or first[at] > high:
            return [denial]
        left: list[Denial] = []
        while low <= high:
            end = min(high, first[at] - 1) if at < len(first) else high
            while low <= end:
                size = min(low & -low or 1 << 8 * octets, 1 << (end - low + 1).bit_length() - 1)
                target = denial.target._replace(network=low.to_bytes(octets, "big"), bits=8 * octets - size.bit_length() + 1)
                left.append(denial._replace(target=target))
                low += size
            if at == len(first):
                break
            low, at = last[at] + 1, at + 1
        return left


def _plain(denials: list[Denial], _now: float) -> Iterator[str]:
    """One address or network a line, and nothing else."""
    return (network(*d.target[:2]) for d in denials)


def _rspamd(denials: list[Denial], now: float) -> Iterator[str]:
    """A map of addresses. Source: the module multimap, type "ip"."""
    yield AGAIN
    yield "# Rspamd, local.d/multimap.conf; it looks for a newer file by itself:"
    yield '#   MONZEN { type = "ip"; map = "/etc/rspamd/monzen.map"; prefilter = true; action = "reject"; }'
    yield from _plain(denials, now)


def _postfix(denials: list[Denial], _now: float) -> Iterator[str]:
    """A table of cidr_table(5)."""
    yield AGAIN
    yield "# Postfix, main.cf; then, and after each change: postfix reload"
    yield "#   smtpd_client_restrictions = permit_mynetworks, check_client_access cidr:/etc/postfix/monzen.cidr"
    yield "# Try it: postmap -q 203.0.113.7 cidr:/etc/postfix/monzen.cidr"
    for denial in denials:
        yield f"{network(*denial.target[:2])} REJECT"


def _ufw(denials: list[Denial], _now: float) -> Iterator[str]:
    """The commands: the only form that can say which port."""
    yield "#!/bin/sh"
    yield AGAIN
    yield "# As root: sh FILE. Each rule comes before those that ufw has; what is there already, ufw skips."
    yield "# A rule stays until `ufw delete` takes it away, also when the denial has ended here."
    yield from commands([Rule(denial.target) for denial in denials])


def _nft(denials: list[Denial], _now: float) -> Iterator[str]:
    """A table of its own, which replaces that of the last time in one transaction. An interval set takes no overlaps."""
    yield AGAIN
    yield f"# As root: nft -f FILE; away again: nft delete table inet {NFT_TABLE}"
    yield "# Whoever is in it is cut off, open connections and yours too: look first."
    yield f"table inet {NFT_TABLE}"  # so that there is one to delete
    yield f"delete table inet {NFT_TABLE}"
    yield f"table inet {NFT_TABLE} {{"
    for octets, kind in ((4, "ipv4"), (16, "ipv6")):
        spans = [span(d.target.network, d.target.bits) for d in denials if len(d.target.network) == octets]
        yield f"  set denied{4 if octets == 4 else 6} {{"
        yield f"    type {kind}_addr"
        yield "    flags interval"
        if spans:
            yield "    elements = {"
            for first, last in zip(*disjoint(spans), strict=True):
                yield f"      {_between(octets, first, last)},"
            yield "    }"
        yield "  }"
    yield "  chain turned_away {"
    yield "    type filter hook prerouting priority raw; policy accept;"
    yield '    iif "lo" accept'
    yield "    ip saddr @denied4 drop"
    yield "    ip6 saddr @denied6 drop"
    yield "  }"
    yield "}"


def _between(octets: int, first: int, last: int) -> str:
    """From one address to another as nft writes it: an address, a network where it is one, else both ends."""
    size = last - first + 1
    low = first.to_bytes(octets, "big")
    if size & (size - 1) == 0 and first % size == 0:
        return network(low, 8 * octets - size.bit_length() + 1)
    return f"{network(low, 8 * octets)}-{network(last.to_bytes(octets, 'big'), 8 * octets)}"


def _ipset(denials: list[Denial], now: float) -> Iterator[str]:
    """What `ipset restore` takes: two sets, filled under another name and swapped, so that nobody passes meanwhile."""
    yield AGAIN
    yield "# As root: ipset restore < FILE. The rules, once:"
    yield "#   iptables -t raw -I PREROUTING -m set --match-set monzen4 src -j DROP"
    yield "#   ip6tables -t raw -I PREROUTING -m set --match-set monzen6 src -j DROP"
    yield f"# A denial ends there by itself, as it does here; after {IPSET_LONGEST} seconds at the latest, unless it is for good."
    for name, family in IPSET.values():
        yield f"create {name} hash:net family {family} maxelem {IPSET_MOST} timeout 0 -exist"
        yield f"create {name}.new hash:net family {family} maxelem {IPSET_MOST} timeout 0 -exist"
        yield f"flush {name}.new"
    for denial in denials:
        left = 0 if denial.until is None else max(1, min(IPSET_LONGEST, round(denial.until - now)))
        ends = f" timeout {left}" if left else ""
        yield f"add {IPSET[len(denial.target.network)][0]}.new {network(*denial.target[:2])}{ends}"
    for name, _family in IPSET.values():
        yield f"swap {name}.new {name}"
        yield f"destroy {name}.new"


FORMATS: Final[dict[str, Callable[[list[Denial], float], Iterator[str]]]] = {
    "plain": _plain,
    "nft": _nft,
    "ipset": _ipset,
    "ufw": _ufw,
    "postfix-cidr": _postfix,
    "rspamd": _rspamd,
}


def chosen(denials: Iterable[Denial], form: str) -> tuple[list[Denial], int]:
    """Those that this form can say, in order; and how many of a single port are left out, because it would close them all."""
    everything = outermost(denials, lasting=form == "ipset")
    if form == "ufw":
        return everything, 0
    whole = [d for d in everything if not d.target.port]
    return whole, len(everything) - len(whole)


def text(denials: list[Denial], form: str, now: float) -> str:
    """The file in this form, at this time (epoch seconds)."""
    return "".join(line + "\n" for line in FORMATS[form](denials, now))
