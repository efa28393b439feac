"""Prefixes: leading bytes of a network address (IPv4 up to 4, IPv6 more) and a length in bits."""

from __future__ import annotations


def within(network: bytes, target: bytes, bits: int) -> bool:
    """Whether an address or a network, given by its leading bytes, lies in the prefix `target`/`bits`; unknown bytes say no."""
    whole, rest = bits // 8, bits % 8
    if (len(network) > 4) != (len(target) > 4) or len(network) < (whole + 1 if rest else whole):
        return False
    if network[:whole] != target[:whole].ljust(whole, b"\0"):
        return False
    if not rest:
        return True
    last = target[whole] if len(target) > whole else 0
    return network[whole] >> (8 - rest) == last >> (8 - rest)


def cut(network: bytes, bits: int) -> bytes:
    """The same leading bytes with all bits behind `bits` zero."""
    gone = 8 * len(network) - bits
    if gone <= 0:
        return network
    return (int.from_bytes(network, "big") >> gone << gone).to_bytes(len(network), "big")


def merge(prefixes: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    """The fewest prefixes with exactly the same addresses, in order; addresses of 4 or 16 bytes.

    What lies in another is dropped, two halves become the whole: lossless, so only for what is shown or exported, where nothing
    has an end of its own."""
    made: list[tuple[int, int, int]] = []  # width in bits, first address, prefix length
    rows: list[tuple[int, int, int]] = []
    for target, length in prefixes:
        width = 32 if len(target) <= 4 else 128
        first = int.from_bytes(target, "big") << (width - 8 * len(target))
        rows.append((width, first >> (width - length) << (width - length), length))
    for width, first, length in sorted(rows):
        if made:
            w, f, n = made[-1]
            if w == width and f >> (w - n) == first >> (w - n):
                continue
        while length and made and made[-1] == (width, first ^ (1 << (width - length)), length):
            del made[-1]  # its lower half: in order, so it came just before
            length -= 1
            first = first >> (width - length) << (width - length)
        made.append((width, first, length))
    return [(first.to_bytes(width // 8, "big"), length) for width, first, length in made]
