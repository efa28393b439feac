"""What the kernel answers about our table, as values (pure)."""

from __future__ import annotations

import struct

from monzen.gate.netlink import attributes
from monzen.gate.target import Target


def read_elements(answer: bytes) -> list[tuple[bytes, float | None, float | None, tuple[int, int]]]:
    """Key, whole and remaining seconds, and counter (packets, bytes) of each element in an answer."""
    found = []
    for number, data in attributes(answer):
        if number != 3:
            continue
        for _n, item in attributes(data):
            key, timeout, expires, counter = b"", None, None, (0, 0)
            for kind, value in attributes(item):
                if kind == 1:
                    key = value[4:]
                elif kind == 4:
                    timeout = struct.unpack("!Q", value)[0] / 1000
                elif kind == 5:
                    expires = struct.unpack("!Q", value)[0] / 1000
                elif kind == 7:
                    values = dict(attributes(dict(attributes(value)).get(2, b"")))
                    if 1 in values and 2 in values:
                        counter = struct.unpack("!Q", values[2])[0], struct.unpack("!Q", values[1])[0]
            found.append((key, timeout, expires, counter))
    return found


def joined(found: dict[Target, float | None]) -> dict[Target, float | None]:
    """TCP and UDP of one port, as they were typed: one target for both where both end together."""
    out: dict[Target, float | None] = {}
    for target, left in found.items():
        other = target._replace(protocol={6: 17, 17: 6}.get(target.protocol, 0))
        if target.protocol and other in found and _close(left, found[other]):
            out[target._replace(protocol=0)] = left
        else:
            out[target] = left
    return out


def _close(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) < 1


def text_of(value: bytes | None) -> str:
    """A string attribute without its zero; empty where there is none."""
    return (value or b"").rstrip(b"\0").decode("ascii", "replace")


def word(name: str, data: bytes) -> str:
    """An expression in a word: its name, the set that it looks into, the verdict that it gives."""
    if name == "lookup":
        return f"lookup={text_of(dict(attributes(data)).get(1))}"
    if name == "immediate":
        for number, value in attributes(data):
            if number == 2:
                for kind, verdict in attributes(value):
                    code = dict(attributes(verdict)).get(1) if kind == 2 else None
                    if code is not None:
                        return f"immediate={ {0: 'drop', 1: 'accept'}.get(struct.unpack('!i', code)[0], 'goto') }"
    return name
