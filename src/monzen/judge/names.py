"""Names that were tried: which have an account, which never worked though half the world tried them."""

from __future__ import annotations

import re
from typing import Final

from monzen.judge.lean import mypyc_attr

NETWORKS: Final = 8  # unrelated networks kept of a name
LONGEST_NAME: Final = 64  # bytes kept of a name
SHORTEST_TYPO: Final = 5  # letters of a name of which slips are looked for: among shorter ones everything is near everything
NEAR: Final = 500_000  # slips remembered of accounts: about 13 each
TOKENS: Final = 3  # parts of a person's name; more are a list in one
SHORTEST_TOKEN: Final = 3  # letters: `a` and `de` are in too many names
split = re.compile(rb"[._+-]+").split
NOWHERE: list[bytes] = []


@mypyc_attr(acyclic=True)
class Name:
    """One name, as it was tried: in lower case, with its domain if it had one."""

    __slots__ = ("asked", "exists", "ghost", "good", "kin", "last", "local", "networks", "text")

    def __init__(self, text: bytes, time: float) -> None:
        self.text = text
        at = text.find(b"@")
        self.local = text[:at] if at > 0 else text
        self.exists = False  # the server said so, or somebody logged in with it
        self.ghost = False  # the server said that there is no such account
        self.good = 0.0  # the last good login with it, from anywhere
        self.kin = False  # an account is called like it, when there were `asked` accounts
        self.asked = -1
        self.last = time
        self.networks: list[bytes] = NOWHERE  # unrelated ones that failed with it


def alike(a: Name, b: Name) -> bool:
    """Whether a person may have meant the same: `max`, `max.muster`, `muster@example.org`."""
    return akin(a.local, b.local, parts_of(b.local))


def parts_of(local: bytes) -> list[bytes]:
    """The parts of a person's name that tell who it is."""
    return [t for t in split(local)[:TOKENS] if len(t) >= SHORTEST_TOKEN]


def akin(a: bytes, b: bytes, parts: list[bytes]) -> bool:
    """Whether two names are alike; `parts` are those of `b`, for who compares it with many."""
    if a == b or close(a, b):
        return True
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    if len(short) >= SHORTEST_TOKEN and long.startswith(short):
        return True
    return any(a.find(t) >= 0 and t in split(a)[:TOKENS] for t in parts)  # `in` would make an error's text first, and drop it


def close(a: bytes, b: bytes) -> bool:
    """Whether one is a slip of the other: all but two neighbouring letters are the same (`oslen`, `olsenn` of `olsen`)."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    if len(short) < SHORTEST_TYPO or len(long) - len(short) > 1:
        return False
    front = 0
    while front < len(short) and short[front] == long[front]:
        front += 1
    back = 0
    while back < len(short) - front and short[len(short) - 1 - back] == long[len(long) - 1 - back]:
        back += 1
    return len(long) - front - back <= 2


class Names:
    """All of them, bounded; names that logged in are kept before those that strangers made up."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.table: dict[bytes, Name] = {}
        self.kin: dict[bytes, int] = {}  # local parts of accounts and their tokens
        self.near: set[bytes] = set()  # local parts of accounts with one letter left out
        self.accounts = 0

    def find(self, text: bytes, time: float) -> Name:
        """The name of a text; made if it is new."""
        name = self.table.get(text)  # mostly it is written as it is kept
        if name is None:
            key = text[:LONGEST_NAME].lower()
            name = self.table.get(key)
            if name is None:
                if len(self.table) >= self.most:
                    self._forget()
                name = self.table[key] = Name(key, time)
        name.last = time
        return name

    def exists(self, name: Name) -> None:
        """The name has an account; names like it may be its owner's slips."""
        if name.exists:
            return
        name.exists = True
        name.ghost = False
        self.accounts += 1
        local = name.local
        if len(self.kin) >= NEAR:
            return
        self.kin[local] = 1
        for token in split(local)[:TOKENS]:
            if len(token) >= SHORTEST_TOKEN:
                self.kin[token] = 1
        if len(local) >= SHORTEST_TYPO and len(self.near) < NEAR:
            for i in range(len(local)):
                self.near.add(local[:i] + local[i + 1 :])

    def is_kin(self, name: Name) -> bool:
        """Whether an account is called like it: `max` or `max.mutser` where there is `max.muster@example.org`."""
        if name.asked != self.accounts:
            name.asked = self.accounts
            name.kin = self._is_kin(name.local)
        return name.kin

    def _is_kin(self, local: bytes) -> bool:
        if local in self.kin:
            return True
        tokens = split(local)
        if len(tokens) > 1:
            for t in tokens:
                if len(t) >= SHORTEST_TOKEN and t in self.kin:
                    return True
        if len(local) < SHORTEST_TYPO:
            return False
        near = self.near
        if local in near:  # a letter is missing
            return True
        for i in range(len(local)):  # one too many, another one, or two exchanged
            rest = local[:i] + local[i + 1 :]
            if rest in near or rest in self.kin:
                return True
        return False

    def tried(self, name: Name, network: bytes) -> None:
        """A failure with it from an unrelated network (a /16, a /32)."""
        networks = name.networks
        if len(networks) < NETWORKS and network not in networks:
            if networks:
                networks.append(network)
            else:
                name.networks = [network]

    def _forget(self) -> None:
        """Drops a tenth: names that have no account and were tried from few networks, the oldest first."""
        table = self.table
        tenth = max(1, self.most // 10)
        kept = self.most - tenth
        for few in (2, NETWORKS, NETWORKS + 1):
            for key in [k for k, n in table.items() if not n.exists and len(n.networks) < few]:
                if len(table) <= kept:
                    return
                del table[key]
        for key in [k for k, n in table.items()]:
            if len(table) <= kept:
                return
            del table[key]
