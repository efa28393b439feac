"""The table `inet monzen` as netlink messages (pure): sets, chains and rules, and elements that deny.

    prerouting, raw - 10   loopback passes; IPv4 goes to in4, IPv6 to in6
    in4                    ip saddr @allow4, @shield4 pass; for each prefix length: ip saddr & mask @d4_24 -> denied4
    denied4                counts the packet for its source and port (@knocks4), logs a few, drops
    output, raw - 10       the same for what we would send: out4, out6; nothing is counted there

Raw - 10 stands before connection tracking, so that an open connection stops too, before Docker's address translation, and behind
the defragmentation at -400. One *hash* set with timeouts per prefix length: an interval set costs 174 ms per decision at a
million elements, a hash set 0.01 ms (FACTS E). Denials with a port have sets of their own, `p4_24`: address, protocol, port.

What is dropped is counted per source and port in two bounded sets that the rules fill themselves, not in each element: a million
elements with a counter each need memory for every processor, and those that are never knocked at would count nothing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from sys import byteorder
from typing import Final

from monzen.gate.netlink import (
    DELTABLE,
    MOST,
    NESTED,
    NEWCHAIN,
    NEWRULE,
    NEWSET,
    NEWSETELEM,
    NEWTABLE,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Message,
    attribute,
    be32,
    be64,
    nest,
    text,
)
from monzen.gate.target import TCP, UDP, Target

TABLE: Final = "monzen"
PRIORITY: Final = -310  # raw is -300 (linux/netfilter_ipv4.h NF_IP_PRI_RAW)
PREROUTING, OUTPUT = 0, 3  # NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT
LOOPBACK: Final = 1  # the index of `lo` in every network namespace (Linux, net/core/dev.c dev_new_index)
DROP, ACCEPT, GOTO, JUMP = 0, 1, -4, -3
PREFIX: Final = "[MONZEN BLOCK] "  # of the log lines; parse/ufw.py reads them
INTERVAL, TIMEOUT, EVAL, CONCAT = 4, 0x10, 0x20, 0x80  # NFT_SET_*
KNOCKERS: Final = 65_536  # sources and ports counted in the kernel: about 10 MiB when a flood of forged addresses fills it
KNOCK_MEMORY: Final = 86_400  # seconds that a silent one is remembered: whoever reads the counters comes by far more often
LOGGED: Final = (10, 60, 20)  # packets, seconds, burst: our own log stays small under any flood (PROBLEMS 51)
TYPES: Final = {4: 7, 6: 8}  # nft's own numbers: ipv4_addr, ipv6_addr; 12 inet_proto, 13 inet_service
NAME = re.compile(r"([dp])([46])_(\d{1,3})").fullmatch

REGISTER: Final = 8  # NFT_REG32_00: sixteen registers of four bytes
VERDICT: Final = 0  # NFT_REG_VERDICT


def version(target: Target) -> int:
    """4 or 6."""
    return 4 if len(target.network) == 4 else 6


def set_name(target: Target) -> str:
    """The set that a target stands in."""
    return f"{'p' if target.port else 'd'}{version(target)}_{target.bits}"


def keys(target: Target) -> list[bytes]:
    """The keys that stand for a target in its set: one, or one for TCP and one for UDP."""
    if not target.port:
        return [target.network]
    protocols = [target.protocol] if target.protocol else [TCP, UDP]
    return [target.network + struct.pack("!B3xH2x", protocol, target.port) for protocol in protocols]


def target_of(name: str, key: bytes) -> Target | None:
    """The target of a key in a set of ours; None for another set. What a set does not name cannot be told: `d4_24` says 24."""
    if (found := NAME(name)) is None:
        return None
    length = 4 if found[2] == "4" else 16
    if found[1] == "d":
        return Target(key[:length], int(found[3]))
    protocol, port = struct.unpack_from("!B3xH", key, length)
    return Target(key[:length], int(found[3]), port, protocol)


def elements(kind: int, name: str, items: Iterable[bytes]) -> Iterator[Message]:
    """Elements of one set to add (NEWSETELEM) or to delete (DELSETELEM), in as many messages as they need."""
    head = text(1, TABLE) + text(2, name)
    flags = NLM_F_CREATE if kind == NEWSETELEM else 0
    room = MOST - len(head) - 64
    part: list[bytes] = []
    size = 0
    for item in items:
        if size + len(item) > room:
            yield kind, flags, head + nest(3, *part)
            part, size = [], 0
        part.append(item)
        size += len(item)
    if part:
        yield kind, flags, head + nest(3, *part)


def element(key: bytes, milliseconds: int | None = None, *, end: bool = False) -> bytes:
    """One element; it leaves the set by itself after `milliseconds`, None: never. `end`: the first address behind an interval."""
    body = nest(1, attribute(1, key))
    if end:
        body += be32(3, 1)
    if milliseconds is not None:
        body += be64(4, max(1, milliseconds))
    return nest(1, body)


_FORMS: Final = {n: struct.Struct(f"=HHHHHH{n}sHHQ") for n in (4, 12, 16, 24)}


def lasting(key: bytes, milliseconds: int) -> bytes:
    """`element(key, milliseconds)`, packed at once: a million of them are 0.7 s instead of 3."""
    length = len(key)
    left = max(1, milliseconds).to_bytes(8, "big")
    return _FORMS[length].pack(
        length + 24, 1 | NESTED, length + 8, 1 | NESTED, length + 4, 1, key, 12, 4, int.from_bytes(left, byteorder)
    )


def interval(first: int, last: int, octets: int) -> list[bytes]:
    """The elements of an interval of addresses."""
    found = [element(first.to_bytes(octets, "big"))]
    if last + 1 < 1 << 8 * octets:
        found.append(element((last + 1).to_bytes(octets, "big"), end=True))
    return found


def create_set(name: str, key_type: int, key_length: int, flags: int, size: int, timeout: int = 0) -> Message:
    """A set; `size` bounds its elements. `timeout` seconds by default."""
    body = text(1, TABLE) + text(2, name) + be32(3, flags) + be32(4, key_type) + be32(5, key_length)
    body += nest(9, be32(1, size)) + be32(10, 1)  # the id is only looked at within a batch, and only where a rule uses it
    if timeout:
        body += be64(11, timeout * 1000)
    # nft reads the byte order of a key from here (libnftnl, udata: KEYBYTEORDER = 0; 2 is big endian)
    body += attribute(13, struct.pack("=BBI", 0, 4, 2))
    return NEWSET, NLM_F_CREATE, body


def deny_set(name: str, size: int) -> Message:
    """The set of the denials of one prefix length, by its name."""
    found = NAME(name)
    assert found is not None, name
    octets = 4 if found[2] == "4" else 16
    kind = TYPES[int(found[2])]
    if found[1] == "d":
        return create_set(name, kind, octets, TIMEOUT, size)
    return create_set(name, (kind << 6 | 12) << 6 | 13, octets + 8, TIMEOUT, size)


def deny_rules(name: str) -> list[Message]:
    """What sends packets of the set's networks to be dropped: one rule for what comes in, one for what goes out."""
    found = NAME(name)
    assert found is not None, name
    with_port, ip, bits = found[1] == "p", int(found[2]), int(found[3])
    came, goes = (f"{way} /{bits}" + (" and port" if with_port else "") for way in ("from a denied", "to a denied"))
    return [
        rule(f"in{ip}", *_match(name, ip, bits, with_port, source=True), _verdict(GOTO, f"denied{ip}"), says=came),
        rule(f"out{ip}", *_match(name, ip, bits, with_port, source=False), _verdict(DROP), says=goes),
    ]


def table(names: dict[str, int], *, log: bool = True) -> list[Message]:
    """The whole table anew, empty: the old one goes in the same transaction. `names` are the deny sets and their sizes."""
    named = text(1, TABLE)
    out: list[Message] = [(NEWTABLE, NLM_F_CREATE, named), (DELTABLE, 0, named), (NEWTABLE, NLM_F_CREATE, named)]
    for ip in (4, 6):
        octets = 4 if ip == 4 else 16
        out += [
            create_set(f"allow{ip}", TYPES[ip], octets, INTERVAL, 65_536),
            create_set(f"shield{ip}", TYPES[ip], octets, TIMEOUT, 65_536),
            create_set(f"knocks{ip}", (TYPES[ip] << 6 | 12) << 6 | 13, octets + 8, TIMEOUT | EVAL, KNOCKERS, KNOCK_MEMORY),
        ]
    out += [deny_set(name, size) for name, size in names.items()]
    out += [chain(name) for ip in (4, 6) for name in (f"denied{ip}", f"in{ip}", f"out{ip}")]
    out += [chain("prerouting", PREROUTING), chain("output", OUTPUT)]
    for ip in (4, 6):
        out += _count(ip)
        if log:
            out.append(rule(f"denied{ip}", _limit(*LOGGED), _log(PREFIX)))
        out.append(rule(f"denied{ip}", _expression("counter"), _verdict(DROP)))
        for way, source in (("in", True), ("out", False)):
            for name in (f"allow{ip}", f"shield{ip}"):
                match = _match(name, ip, 32 if ip == 4 else 128, False, source=source)
                out.append(rule(f"{way}{ip}", *match, _verdict(ACCEPT), says="never denied"))
    for name in names:
        out += deny_rules(name)
    for hook, way, key in (("prerouting", "in", 4), ("output", "out", 5)):  # NFT_META_IIF, NFT_META_OIF
        out.append(rule(hook, _meta(key), _equal(struct.pack("=I", LOOPBACK)), _verdict(ACCEPT)))
        for ip, number in ((4, 2), (6, 10)):  # NFPROTO_IPV4, NFPROTO_IPV6
            out.append(rule(hook, _meta(15), _equal(bytes([number])), _verdict(GOTO, f"{way}{ip}")))
    return out


def chain(name: str, hook: int | None = None) -> Message:
    """A chain; with a hook it sees packets, at our priority, and lets pass what no rule drops."""
    body = text(1, TABLE) + text(3, name)
    if hook is not None:
        body += nest(4, be32(1, hook), be32(2, PRIORITY)) + be32(5, ACCEPT) + text(7, "filter")
    return NEWCHAIN, NLM_F_CREATE, body


def rule(of: str, *expressions: bytes, says: str = "") -> Message:
    """A rule at the end of a chain; `says` is the comment that `nft list` shows beside it (libnftnl, udata: COMMENT = 0)."""
    body = text(1, TABLE) + text(2, of) + nest(4, *expressions)
    if says:
        comment = says.encode() + b"\0"
        body += attribute(7, bytes([0, len(comment)]) + comment)
    return NEWRULE, NLM_F_CREATE | NLM_F_APPEND, body


def _expression(name: str, *parts: bytes) -> bytes:
    return nest(1, text(1, name), nest(2, *parts))


def _verdict(code: int, to: str | None = None) -> bytes:
    verdict = be32(1, code) + (text(2, to) if to is not None else b"")
    return _expression("immediate", be32(1, VERDICT), nest(2, nest(2, verdict)))


def _meta(key: int, register: int = REGISTER) -> bytes:
    return _expression("meta", be32(2, key), be32(1, register))


def _equal(value: bytes, register: int = REGISTER, *, differs: bool = False) -> bytes:
    return _expression("cmp", be32(1, register), be32(2, 1 if differs else 0), nest(3, attribute(1, value)))


def _address(ip: int, source: bool, register: int = REGISTER) -> bytes:
    """Load an address from the network header: RFC 791, RFC 8200."""
    offset, octets = ((12 if source else 16), 4) if ip == 4 else ((8 if source else 24), 16)
    return _expression("payload", be32(1, register), be32(2, 1), be32(3, offset), be32(4, octets))


def _port(source: bool, register: int) -> bytes:
    """Load a port from the transport header: the peer's door is ours, so what goes out has it as its source."""
    return _expression("payload", be32(1, register), be32(2, 2), be32(3, 0 if source else 2), be32(4, 2))


def _lookup(name: str) -> bytes:
    return _expression("lookup", text(1, name), be32(2, REGISTER))


def _match(name: str, ip: int, bits: int, with_port: bool, *, source: bool) -> list[bytes]:
    """Whether the packet's network stands in the set; with a port, whether its protocol and our port do too."""
    octets = 4 if ip == 4 else 16
    found = [_address(ip, source)]
    if bits < 8 * octets:
        mask = ((1 << bits) - 1) << (8 * octets - bits)
        found.append(
            _expression(
                "bitwise",
                be32(1, REGISTER),
                be32(2, REGISTER),
                be32(3, octets),
                nest(4, attribute(1, mask.to_bytes(octets, "big"))),
                nest(5, attribute(1, bytes(octets))),
            )
        )
    if with_port:
        after = REGISTER + octets // 4
        found += [_meta(16, after), _port(not source, after + 1)]  # NFT_META_L4PROTO
    return [*found, _lookup(name)]


def _limit(packets: int, seconds: int, burst: int) -> bytes:
    return _expression("limit", be64(1, packets), be64(2, seconds), be32(3, burst), be32(4, 0))


def _log(prefix: str) -> bytes:
    return _expression("log", text(2, prefix))


def _count(ip: int) -> list[Message]:
    """Count a dropped packet for its source, protocol and port; of other protocols than TCP and UDP the port is 0.

    A full set counts no new ones: the packet is dropped all the same, and the chain's own counter has it.
    """
    after = REGISTER + (1 if ip == 4 else 4)
    counted = _expression(
        "dynset",
        text(1, f"knocks{ip}"),
        be32(3, 1),  # NFT_DYNSET_OP_UPDATE: each packet begins the memory anew, so that the last one can be told
        be32(4, REGISTER),
        be64(6, KNOCK_MEMORY * 1000),
        nest(7, text(1, "counter"), nest(2)),
    )
    load = [_address(ip, True), _meta(16, after)]
    other = [_equal(bytes([protocol]), after, differs=True) for protocol in (TCP, UDP)]
    no_port = _expression("immediate", be32(1, after + 1), nest(2, attribute(1, bytes(4))))
    return [
        *(rule(f"denied{ip}", *load, _equal(bytes([p]), after), _port(False, after + 1), counted) for p in (TCP, UDP)),
        rule(f"denied{ip}", *load, *other, no_port, counted),
    ]
