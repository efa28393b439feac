"""Names that were tried: which have an account, which never worked though half the world tried them."""

from __future__ import annotations

import re
from typing import Final

NETWORKS: Final = 8  # unrelated networks kept of a name
LONGEST_NAME: Final = 64  # bytes kept of a name
SHORTEST_TOKEN: Final = 3  # letters: `a` and `de` are in too many names
split = re.compile(rb"[._+-]+").split
NOWHERE: list[bytes] = []


class Name:
    """One name, as it was tried: in lower case, with its domain if it had one."""

    __slots__ = ("exists", "ghost", "good", "last", "local", "networks", "text")

    def __init__(self, text: bytes, time: float) -> None:
        self.text = text
        at = text.find(b"@")
        self.local = text[:at] if at > 0 else text
        self.exists = False  # the server said so, or somebody logged in with it
        self.ghost = False  # the server said that there is no such account
        self.good = 0.0  # the last good login with it, from anywhere
        self.last = time
        self.networks: list[bytes] = NOWHERE  # unrelated ones that failed with it


def alike(a: Name, b: Name) -> bool:
    """Whether a person may have meant the same: `max`, `max.muster`, `muster@example.org`."""
    if a.local == b.local or a.local.startswith(b.local) or b.local.startswith(a.local):
        return True
    tokens = split(a.local)
    others = split(b.local)
    return any(t in others for t in tokens if len(t) >= SHORTEST_TOKEN)


class Names:
    """All of them, bounded; names that logged in are kept before those that strangers made up."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.table: dict[bytes, Name] = {}
        self.kin: dict[bytes, int] = {}  # local parts of accounts and their tokens
        self.accounts = 0

    def find(self, text: bytes, time: float) -> Name:
        """The name of a text; made if it is new."""
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
        self.kin[name.local] = 1
        for token in split(name.local):
            if len(token) >= SHORTEST_TOKEN:
                self.kin[token] = 1

    def is_kin(self, name: Name) -> bool:
        """Whether an account is called like it: `max` of `max.muster@example.org`."""
        if name.local in self.kin:
            return True
        tokens = split(name.local)
        return len(tokens) > 1 and any(len(t) >= SHORTEST_TOKEN and t in self.kin for t in tokens)

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
