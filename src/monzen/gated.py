"""What the gate did, as the ledger has it, for whoever shows it beside what the logs say."""

from __future__ import annotations

import os
from typing import Final

from monzen.gate.target import PROTOCOLS, GateError
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError
from monzen.mode import read_mode
from monzen.show import stored
from monzen.show.facts import Gate
from monzen.show.stored import CHANGES, door
from monzen.show.text import network, port

NOTE: Final = 1_000  # letters of a note or an alarm that are passed on: what is told is far shorter


def because(entry: Entry) -> str:
    """Why it was denied, in a few words."""
    return stored.because(entry.rule, entry.origin, entry.note, entry.attempts, entry.clients)


def of_gate(since: float, now: float, root: str = "/") -> Gate | None:
    """What the ledger says of that time; None where there is none, or none that we may read.

    Nothing in it is translated: it crosses from one process to another, and is told to readers of any language (show/facts.py).
    """
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
                    "target": network(e.network, e.bits),
                    "port": e.port,
                    "protocol": e.protocol,
                    "at": e.since,
                    "until": e.until,
                    "knocks": e.knocks,
                    "rule": e.rule,
                    "origin": e.origin,
                    "note": e.note[:NOTE],
                    "attempts": e.attempts,
                    "clients": e.clients,
                }
                for e in active
            ]
            found = ledger.alarms(since, 200, but=CHANGES)
            alarms = [{"at": a.at, "kind": a.kind, "text": a.text[:NOTE]} for a in found]
    except (LedgerError, GateError):
        return None
    doors = [(port(name.encode()), n) for name, n in sorted(ports.items(), key=lambda x: -x[1])]
    denied = [e.prefix for e in (*active, *ended) if not e.port]
    return Gate(read_mode(root).at(now).name, denied, packets, doors, lasting, alarms, len(active))


__all__ = ["because", "door", "of_gate"]
