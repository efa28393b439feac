"""ufw's rule files as text (pure): whose rules are in them, and the same file with ours at its beginning.

Source: ufw 0.36.2, what it writes to /etc/ufw/user.rules and user6.rules, and `ufw-framework(8)`: between `### RULES ###` and
`### END RULES ###` each rule is a comment (`### tuple ###` action protocol port destination port source direction), the lines for
iptables-restore, and an empty line. A comment of the user's is hexadecimal. Ours says `monzen 12`: the number of `monzen list`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Final, NamedTuple

from monzen.gate.target import TCP, UDP, GateError, Target
from monzen.show.words import _

BEGIN: Final = b"### RULES ###\n"
END: Final = b"### END RULES ###\n"
TUPLE: Final = b"### tuple ### "
OURS = re.compile(rb"monzen (?:\d{1,18}|allow)").fullmatch
COMMENT = re.compile(rb" comment=([0-9a-f]*)$").search
ANY: Final = {4: b"0.0.0.0/0", 6: b"::/0"}
CHAIN: Final = {4: "ufw-user-input", 6: "ufw6-user-input"}
KERNEL = re.compile(
    r"-A ufw6?-user-input -s (?P<source>\S+) (?:-p (?P<protocol>tcp|udp) -m (?:tcp|udp) --dport (?P<port>\d+) )?"
    r"(?:-c (?P<packets>\d+) (?P<octets>\d+) )?-j (?P<verdict>DROP|ACCEPT)"
).fullmatch


class Rule(NamedTuple):
    """One rule of ours: deny, or `allow` for an exception that stands above the denials. `number` is that of the denial."""

    target: Target
    allow: bool = False
    number: int = 0

    def tuple(self) -> bytes:
        """The line that ufw knows it by, without the comment."""
        protocol = {0: b"any", TCP: b"tcp", UDP: b"udp"}[self.target.protocol if self.target.port else 0]
        port = str(self.target.port).encode() if self.target.port else b"any"
        action = b"allow" if self.allow else b"deny"
        return TUPLE + b" ".join((action, protocol, port, ANY[self.version], b"any", self.source(), b"in"))

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if len(self.target.network) == 4 else 6

    def source(self) -> bytes:
        """The network as ufw writes it: a single address without its length."""
        return str(self.target.whole).encode("ascii")

    def specs(self) -> list[str]:
        """What iptables takes behind the name of the chain: one rule, or one for TCP and one for UDP."""
        source, verdict = self.source().decode("ascii"), "ACCEPT" if self.allow else "DROP"
        if not self.target.port:
            return [f"-s {source} -j {verdict}"]
        names = {0: ("tcp", "udp"), TCP: ("tcp",), UDP: ("udp",)}[self.target.protocol]
        return [f"-p {name} --dport {self.target.port} -s {source} -j {verdict}" for name in names]

    def block(self) -> bytes:
        """The rule as it stands in the file."""
        comment = f"monzen {'allow' if self.allow else self.number}".encode().hex().encode()
        lines = [self.tuple() + b" comment=" + comment]
        lines += [f"-A {CHAIN[self.version]} {spec}".encode("ascii") for spec in self.specs()]
        return b"\n".join(lines) + b"\n\n"


class Kept(NamedTuple):
    """A rule file taken apart: what stands before the rules, the rules (each as it is), what stands behind."""

    before: bytes
    blocks: list[bytes]
    after: bytes


def take_apart(text: bytes, path: str) -> Kept:
    """Raises GateError where the file is not as ufw writes it: then it is left alone."""
    start, end = text.find(BEGIN), text.find(b"\n" + END)
    if start > 0 and end < 0 and TUPLE not in text and text.count(BEGIN) == 1:  # as the package brings it: never written by ufw
        return Kept(text[: start + len(BEGIN)], [], text[start + len(BEGIN) :])
    if start < 0 or end < start or text.count(BEGIN) != 1 or not text.startswith(b"*filter\n"):
        raise GateError(
            _("{path} is not as ufw writes it, so it was left alone. Let ufw write it anew: ufw reload").format(path=path)
        )
    body = text[start + len(BEGIN) : end + 1]
    first = body.find(TUPLE)
    head = body if first < 0 else body[:first]
    blocks = [] if first < 0 else re.split(rb"(?m)^(?=### tuple ### )", body[first:])
    return Kept(text[: start + len(BEGIN)] + head, [b for b in blocks if b], text[end + 1 :])


def is_ours(block: bytes) -> bool:
    """Whether a rule carries our comment."""
    first = block.partition(b"\n")[0]
    found = COMMENT(first)
    if not first.startswith(TUPLE) or found is None:
        return False
    try:
        return OURS(bytes.fromhex(found[1].decode("ascii"))) is not None
    except ValueError:
        return False


def specs_of(block: bytes) -> list[str]:
    """What a rule of ours is for iptables, as it stands in the file."""
    return [line.split(b" ", 2)[2].decode("ascii") for line in block.split(b"\n") if line.startswith(b"-A ufw")]


def together(kept: Kept, rules: Sequence[Rule]) -> tuple[bytes, list[Rule]]:
    """The file with these rules of ours, and no others, at its beginning; and which of them that are.

    What the user typed himself is his: where it comes before every allow of his it needs no second one of ours.
    """
    theirs = [block for block in kept.blocks if not is_ours(block)]
    effective: set[bytes] = set()
    for block in theirs:
        first = block.partition(b"\n")[0]
        words = first[len(TUPLE) :].split(b" ") if first.startswith(TUPLE) else [b"?"]
        if not words[0].startswith((b"deny", b"reject", b"route:")):
            break
        effective.add(known_as(block))
    wanted = [rule for rule in rules if rule.tuple() not in effective]
    before = kept.before
    if wanted and not before.endswith(b"\n\n"):
        before += b"\n"
    return before + b"".join(rule.block() for rule in wanted) + b"".join(theirs) + kept.after, wanted


def known_as(block: bytes) -> bytes:
    """The line that ufw knows a rule by, without its comment."""
    first = block.partition(b"\n")[0]
    found = COMMENT(first)
    return first[: found.start()] if found is not None else first


def of_kernel(line: str) -> tuple[Target, bool, str, int, int] | None:
    """A line of `iptables -v -S`: target, whether it accepts, its spec in our words, packets and bytes; None for other rules."""
    found = KERNEL(line.strip())
    if found is None:
        return None
    try:
        network = ip_network(found["source"])
    except ValueError:
        return None
    protocol = {None: 0, "tcp": TCP, "udp": UDP}[found["protocol"]]
    target = Target(network.network_address.packed, network.prefixlen, int(found["port"] or 0), protocol)
    accepts = found["verdict"] == "ACCEPT"
    return target, accepts, Rule(target, accepts).specs()[0], int(found["packets"] or 0), int(found["octets"] or 0)


def restore(version: int, old: Iterable[str], new: Sequence[str]) -> bytes:
    """For iptables-restore: `old` rules go, `new` ones stand first in this order. Atomic: no packet sees anything between."""
    chain = CHAIN[version]
    lines = ["*filter"]
    lines += [f"-D {chain} {spec}" for spec in old]
    lines += [f"-I {chain} {number} {spec}" for number, spec in enumerate(new, 1)]
    return "\n".join([*lines, "COMMIT", ""]).encode("ascii")


def commands(rules: Iterable[Rule], kept: Kept | None = None) -> list[str]:
    """What a person would type: `ufw prepend deny from 203.0.113.0/24`. A denial that stands below an allow does not move: it is
    deleted first."""
    theirs = {known_as(block) for block in kept.blocks} if kept is not None else set()
    out: list[str] = []
    for rule in rules:
        target = rule.target
        what = f"{'allow' if rule.allow else 'deny'}"
        what += f" proto {'tcp' if target.protocol == TCP else 'udp'}" if target.port and target.protocol else ""
        what += f" from {target.whole}" + (f" to any port {target.port}" if target.port else "")
        if rule.tuple() in theirs:
            out.append(f"ufw delete {what}")
        out.append(f"ufw prepend {what}")
    return out
