"""What the gate did, as the ledger has it, for whoever shows it beside what the logs say."""

from __future__ import annotations

import os
from typing import Final

from monzen.gate.target import PROTOCOLS, GateError
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError
from monzen.mode import read_mode
from monzen.show.facts import Gate
from monzen.show.stored import CHANGES, retold
from monzen.show.text import network, port, safe
from monzen.show.words import N_, _, ngettext

RULES: Final = {
    "hand": N_("typed by hand"),
    "import": N_("imported"),
    "found": N_("found in the kernel after the ledger was lost"),
}


def door(number: int, protocol: int) -> str:
    """` port 25/tcp`, or nothing for all of them."""
    if not number:
        return ""
    return " " + _("port {port}").format(port=f"{number}/{PROTOCOLS[protocol]}" if protocol else str(number))


def because(entry: Entry) -> str:
    """Why it was denied, in a few words."""
    parts = [_(RULES[entry.rule]) if entry.rule in RULES else safe(entry.rule, 40)]
    if entry.origin in ("scan", "run") and entry.note:  # the judge's own words, with its numbers
        return parts[0] + ": " + safe(retold(entry.note), 300)
    if entry.attempts:
        parts[0] += ": " + ngettext("{n} attempt", "{n} attempts", entry.attempts)
        if entry.clients > 1:
            parts[0] += ", " + ngettext("{n} client", "{n} clients", entry.clients)
    if entry.note:
        parts.append(safe(entry.note, 120))
    return "; ".join(parts)


def of_gate(since: float, now: float, root: str = "/") -> Gate | None:
    """What the ledger says of that time; None where there is none, or none that we may read."""
    path = os.path.join(root, LEDGER)
    if not os.path.lexists(path):
        return None
    try:
        with Ledger.open(path, readonly=True) as ledger:
            active = ledger.active(now)
            ended = [e for e in ledger.ended(since) if e.ending != "watch"]
            ports: dict[str, int] = {}
            packets = 0
            for _number, number, protocol, count, _octets in ledger.knocked(since):
                packets += count
                if number:
                    name = f"{number}/{PROTOCOLS[protocol] or protocol}" if protocol in PROTOCOLS else str(number)
                    ports[name] = ports.get(name, 0) + count
            lasting = [
                {
                    "number": e.number,
                    "target": network(e.network, e.bits) + door(e.port, e.protocol),
                    "at": e.since,
                    "until": e.until,
                    "knocks": e.knocks,
                    "why": because(e),
                }
                for e in active
            ]
            found = ledger.alarms(since, 200, but=CHANGES)
            alarms = [{"at": a.at, "kind": a.kind, "text": safe(retold(a.text), 300)} for a in found]
    except (LedgerError, GateError):
        return None
    doors = [(port(name.encode()), n) for name, n in sorted(ports.items(), key=lambda x: -x[1])]
    denied = [e.prefix for e in (*active, *ended) if not e.port]
    return Gate(read_mode(root).at(now).name, denied, packets, doors, lasting, alarms, len(active))
