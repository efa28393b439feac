"""ufw's rule files as text (pure): whose rules are in them, and the same file with ours at its beginning.

Source: ufw 0.36.2, what it writes to /etc/ufw/user.rules and user6.rules, and `ufw-framework(8)`: between `### RULES ###` and
`### END RULES ###` each rule is a comment (`### tuple ###` action protocol port destination port source direction), the lines for
iptables-restore, and an empty line. A comment of the user's is hexadecimal. Ours says `monzen 12`: the number of `monzen list`.
What we write is what ufw makes of it when it writes the file anew, byte for byte (tests/live/test_ufw.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Final, NamedTuple

from monzen.gate.target import TCP, UDP, GateError, Target, target
from monzen.show.words import _

BEGIN: Final = b"### RULES ###\n"
END: Final = b"### END RULES ###\n"
TUPLE: Final = b"### tuple ### "
OURS = re.compile(rb"monzen (?:(\d{1,18})|allow)").fullmatch
COMMENT = re.compile(rb" comment=([0-9a-f]*)$").search
ANY: Final = {4: b"0.0.0.0/0", 6: b"::/0"}
CHAIN: Final = {4: "ufw-user-input", 6: "ufw6-user-input"}
INPUT = re.compile(rb"(?m)^-A ufw6?-user-input ").search
LINE = re.compile(
    r"-A ufw6?-user-input (?:-p (?P<protocol>tcp|udp) --dport (?P<port>\d{1,5}) )?-s (?P<source>\S+)"
    r" -j (?P<verdict>DROP|ACCEPT|REJECT(?: --reject-with [a-z0-9-]+)?)"
).fullmatch
NAMES: Final = {0: ("tcp", "udp"), TCP: ("tcp",), UDP: ("udp",)}
NUMBERS: Final = {None: 0, "tcp": TCP, "udp": UDP}


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
        return [f"-p {name} --dport {self.target.port} -s {source} -j {verdict}" for name in NAMES[self.target.protocol]]

    def block(self) -> bytes:
        """The rule as it stands in the file."""
        comment = f"monzen {'allow' if self.allow else self.number}".encode().hex().encode()
        lines = [self.tuple() + b" comment=" + comment]
        lines += [f"-A {CHAIN[self.version]} {spec}".encode("ascii") for spec in self.specs()]
        return b"\n".join(lines) + b"\n\n"


class Kept(NamedTuple):
    """A rule file taken apart: what stands before the rules; ours; all others, each as it is; what stands behind."""

    before: bytes
    ours: list[Rule]
    theirs: list[bytes]
    after: bytes
    bare: bool = False  # as the package brings it: ufw has not written it yet, and there is no line that ends the rules


def take_apart(text: bytes, path: str) -> Kept:
    """Raises GateError where the file is not as ufw writes it: then it is left alone."""
    start, end = text.find(BEGIN), text.find(b"\n" + END)
    if start > 0 and end < 0 and TUPLE not in text and text.count(BEGIN) == 1:
        return Kept(text[: start + len(BEGIN)], [], [], text[start + len(BEGIN) :], True)
    if start < 0 or end < start or text.count(BEGIN) != 1 or not text.startswith(b"*filter\n"):
        raise GateError(
            _("{path} is not as ufw writes it, so it was left alone. Let ufw write it anew: ufw reload").format(path=path)
        )
    body = text[start + len(BEGIN) : end + 1]
    first = body.find(TUPLE)
    head = body if first < 0 else body[:first]
    blocks = [] if first < 0 else re.split(rb"(?m)^(?=### tuple ### )", body[first:])
    known = [(block, rule_of(block)) for block in blocks if block]
    mine = [rule for _block, rule in known if rule is not None]
    return Kept(text[: start + len(BEGIN)] + head, mine, [b for b, rule in known if rule is None], text[end + 1 :])


def rules_of(block: bytes) -> list[Rule]:
    """What the lines of a rule for iptables are, in our words: one, or one for TCP and one for UDP; REJECT counts as a denial.

    The networks are as the kernel will have them: ufw writes host bits of IPv6 as they were typed. Lines that are anything else
    (a destination, an interface, `limit`) are left out.
    """
    found = []
    for line in block.split(b"\n"):
        match = LINE(line.decode("ascii", "replace"))
        if match is None:
            continue
        try:
            network = ip_network(match["source"], strict=False)
        except ValueError:
            continue
        at = Target(network.network_address.packed, network.prefixlen, int(match["port"] or 0), NUMBERS[match["protocol"]])
        found.append(Rule(at, match["verdict"] == "ACCEPT"))
    return found


def specs_of(block: bytes) -> list[str]:
    """The same as iptables takes it, without what is rejected: that is never ours."""
    return [rule.specs()[0] for rule in rules_of(block) if b"-j REJECT" not in block]


def rule_of(block: bytes) -> Rule | None:
    """A rule of ours as it stands in the file; None for anything that we would not write so, whatever its comment says."""
    first = block.partition(b"\n")[0]
    comment = COMMENT(first)
    if comment is None or len(comment[1]) % 2 or (said := OURS(bytes.fromhex(comment[1].decode("ascii")))) is None:
        return None
    lines = rules_of(block)
    if not lines or block.count(b"\n-A ") != len(lines):
        return None
    at = lines[0].target if len(lines) == 1 else lines[0].target._replace(protocol=0)
    rule = Rule(at, lines[0].allow, int(said[1] or 0))
    words = rule.tuple().split(b" ")
    found = known_as(block).split(b" ")
    source = len(words) - 2  # its text is ufw's business
    same = len(found) == len(words) and all(a == b for n, (a, b) in enumerate(zip(words, found, strict=True)) if n != source)
    return rule if same and [r.specs()[0] for r in lines] == rule.specs() and rule.allow == (said[1] is None) else None


def foreign(kept: Kept) -> Counter[str]:
    """How often the user himself has a rule that could be one of ours."""
    return Counter(spec for block in kept.theirs for spec in specs_of(block))


def effective(kept: Kept) -> set[str]:
    """What the user himself denies before he allows anything, as our rules would say it; his `reject` and `deny log` too."""
    found: set[str] = set()
    for block in kept.theirs:
        if not INPUT(block):
            continue  # outgoing and routed packets pass other chains
        if not block.startswith((TUPLE + b"deny", TUPLE + b"reject")):
            break
        found.update(rule._replace(allow=False).specs()[0] for rule in rules_of(block))
    return found


def together(kept: Kept, rules: Iterable[Rule]) -> tuple[bytes, list[Rule]]:
    """The file with these rules of ours, and no others, at its beginning; and which of them that are, in their order.

    Exceptions come first, then denials; new ones before those that are there already, as `ufw prepend` does it: a rule that
    stays does not move, and the kernel goes on counting for it. What the user denies himself is his: where that comes before
    every allow of his, no second one of ours is needed.
    Raises GateError where a rule would be for every address there is.
    """
    hits = effective(kept)
    there = {rule.tuple(): n for n, rule in enumerate(kept.ours)}
    wanted: dict[bytes, Rule] = {}
    for rule in rules:
        if not rule.target.bits or target(*rule.target).network != rule.target.network:
            said = _("{target} is no network for a rule of ufw, so nothing was changed. Name one: 203.0.113.0/24")
            raise GateError(said.format(target=rule.target))
        if rule.allow or not hits.issuperset(rule.specs()):
            wanted.setdefault(rule.tuple(), rule)
    ordered = sorted(wanted.values(), key=lambda rule: (not rule.allow, there.get(rule.tuple(), -1)))
    before, after = kept.before, kept.after
    if ordered and not before.endswith(b"\n\n"):
        before += b"\n"
    if ordered and kept.bare:
        after = END + b"\n" + after
    return before + b"".join(rule.block() for rule in ordered) + b"".join(kept.theirs) + after, ordered


def known_as(block: bytes) -> bytes:
    """The line that ufw knows a rule by, without its comment."""
    first = block.partition(b"\n")[0]
    found = COMMENT(first)
    return first[: found.start()] if found is not None else first


def commands(rules: Sequence[Rule], kept: Kept | None = None) -> list[str]:
    """What a person would type: `ufw prepend deny from 203.0.113.0/24`. Nothing for what is denied already.

    A denial that stands below an allow does not move (ufw says "Skipping" and exits with 0): it is deleted first.
    """
    hits = effective(kept) if kept is not None else set()
    theirs = {known_as(block) for block in kept.theirs} if kept is not None else set()
    ours = {rule.tuple() for rule in kept.ours} if kept is not None else set()
    out: list[str] = []
    for rule in rules:
        at = rule.target
        if rule.tuple() in ours or (not rule.allow and hits.issuperset(rule.specs())):
            continue
        what = "allow" if rule.allow else "deny"
        what += f" proto {NAMES[at.protocol][0]}" if at.port and at.protocol else ""
        what += f" from {at.whole}" + (f" to any port {at.port}" if at.port else "")
        if rule.tuple() in theirs:
            out.append(f"ufw delete {what}")
        out.append(f"ufw prepend {what}")
    return out
