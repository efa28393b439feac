"""What a client did, in words."""

from __future__ import annotations

from monzen.judge.client import Client
from monzen.show.text import safe
from monzen.show.words import N_, _, ngettext
from monzen.types import Kind, Service

DID = {
    int(Kind.AUTH_FAILURE): N_("password guesses"),
    int(Kind.AUTH_DETAIL): N_("password guesses"),
    int(Kind.RELAY_DENIED): N_("relay probes"),
    int(Kind.RECIPIENT_UNKNOWN): N_("unknown recipients"),
    int(Kind.REJECTED): N_("refused commands"),
    int(Kind.PROTOCOL_ABUSE): N_("protocol abuse"),
    int(Kind.LOST): N_("left while logging in"),
    int(Kind.BLOCKED): N_("firewall knocks"),
}
SERVICES = {int(s): s.name.lower() for s in Service}


def deeds(client: Client, names: bool) -> str:
    """What it did, how often, at which doors; names only where they are asked for."""
    sums: dict[str, tuple[int, list[str]]] = {}
    for what, n in sorted(client.deeds().items()):
        said = DID.get(what // 16)
        if said is None:
            continue
        count, doors = sums.get(said, (0, []))
        door = SERVICES[what % 16]
        sums[said] = (count + n, doors if door in doors or door == "other" else [*doors, door])
    parts = [
        (_("{what} {count:,} ({doors})") if doors else _("{what} {count:,}")).format(
            what=_(said), count=count, doors=", ".join(doors)
        )
        for said, (count, doors) in sums.items()
    ]
    if client.names and names:
        parts.append(_("names: {names}").format(names=", ".join(safe(u, 40) for u in sorted(client.names)[:6])))
    elif client.names and len(client.names) > 1:
        parts.append(ngettext("{n} name", "{n} names", len(client.names)))
    return _("; ").join(parts)
