"""What the firewall really is, holds and lets in, as values: what `monzen gate status` shows, and others ask."""

from __future__ import annotations

import time
from typing import Any, Final

from monzen.gate.look import chains, drops_incoming, ufw_settings
from monzen.gate.target import PROTOCOLS, GateError, Held, Target
from monzen.gatehouse import LOOKED_AT, target_of
from monzen.keeper import Keeper
from monzen.knocks import covering, sorted_by_bits
from monzen.ledger import Entry
from monzen.mode import Mode
from monzen.show.stored import CHANGES
from monzen.show.text import PORTS, iso, network
from monzen.sockets import LISTEN, listening, owners, ssh_ports
from monzen.switch import pending
from monzen.verbs.common import named

LOUD: Final = ("medium", "high", "full")  # levels of ufw at which what a deny rule drops is logged (FACTS D)
ALARMS_OF: Final = 7 * 86_400.0  # seconds
ALARMS_SHOWN: Final = 10


def status(keeper: Keeper) -> dict[str, Any]:
    """What the firewall is and does, as values. Keys never change their meaning."""
    now = time.time()
    mode = keeper.mode()
    entries = keeper.ledger.active(now)
    firewall, found, missing = held(keeper, entries, mode, now)
    looked_at = entries[-LOOKED_AT:]
    settings = ufw_settings(keeper.root)
    base = chains()
    packets = octets = 0
    fresh: dict[int, list[int]] = {}
    table_state = "none"
    if firewall == "nftables":
        state = keeper.nft.state()
        table_state = "whole" if state.whole else "broken" if state.present else "missing"
        if state.present:
            packets, octets = keeper.nft.dropped()
            fresh = _fresh(keeper, entries)
    rules: dict[Target, Held] = {}
    active = False
    waiting = None
    try:
        waiting = pending(keeper.root)
    except GateError as error:
        keeper.warnings.append(str(error))
    if settings is not None:
        try:
            rules, active = keeper.ufw.held(), keeper.ufw.active()
        except GateError as error:
            keeper.warnings.append(str(error))
    return {
        "firewall": firewall,
        "table": table_state,
        "mode": mode.name,
        "until": None if mode.until is None else iso(mode.until),
        "confirm_before": None if waiting is None else int(waiting.deadline),
        "as_it_should_be": (
            table_state in ("missing", "none") and not rules
            if mode.open
            else not missing and (table_state == "whole" or not entries or firewall != "nftables")
        ),
        "denied": len(entries),
        "held": len(found),
        "looked_at": len(looked_at),
        "missing": [named(e) for e in missing[:1000]],
        "dropped": {"packets": packets, "bytes": octets},
        "targets": [
            {
                "number": e.number,
                "target": network(e.network, e.bits),
                "port": e.port or None,
                "protocol": PROTOCOLS[e.protocol] or None,
                "packets": e.knocks + fresh.get(e.number, [0, 0])[0],
                "bytes": e.octets + fresh.get(e.number, [0, 0])[1],
                "held": e.number in found,
                "in_ufw": target_of(e) in rules,
            }
            for e in entries
        ],
        "ufw": None
        if settings is None
        else {
            "enabled": settings.enabled,
            "active": active,
            "incoming": settings.incoming,
            "outgoing": settings.outgoing,
            "routed": settings.routed,
            "logging": settings.logging,
            "ipv6": settings.ipv6,
            "rules": len(rules),
        },
        "chains": [c._asdict() for c in base if not (c.family == "inet" and c.table == "monzen")],
        "incoming_by_default": "drop" if drops_incoming(base) else "accept",
        "open_ports": open_ports(keeper.root),
        "ssh_ports": ssh_ports(keeper.root),
        "alarms": [
            {"at": iso(a.at), "kind": a.kind, "text": a.text}
            for a in keeper.ledger.alarms(now - ALARMS_OF, ALARMS_SHOWN, but=CHANGES)
        ],
        "changes": [
            {"at": iso(a.at), "text": a.text} for a in keeper.ledger.alarms(now - ALARMS_OF, ALARMS_SHOWN, only=CHANGES)
        ],
        "knocks_visible": _visible(
            firewall, settings.logging if settings and settings.enabled else "off", keeper.config.gate.log
        ),
    }


def held(keeper: Keeper, entries: list[Entry], mode: Mode, now: float) -> tuple[str, dict[int, Held], list[Entry]]:
    """The firewall, what it really holds of these denials by their numbers, and what it should and does not. Raises GateError."""
    firewall, found = keeper.firewall(), keeper.held(entries)
    soon = now + 2  # seconds: what ends about now may have ended
    lacking = [e for e in entries[-LOOKED_AT:] if e.number not in found and (e.until is None or e.until > soon)]
    return firewall, found, [] if mode.open else lacking


def _fresh(keeper: Keeper, entries: list[Entry]) -> dict[int, list[int]]:
    """Packets and bytes that the kernel counted since the ledger was told last, by number of the denial."""
    by_bits = sorted_by_bits(entries)
    found: dict[int, list[int]] = {}
    for knock in keeper.nft.knocks():
        entry = covering(knock, by_bits)
        if entry is not None:
            row = found.setdefault(entry.number, [0, 0])
            row[0] += knock.packets
            row[1] += knock.octets
    return found


def _visible(firewall: str, level: str, log: bool) -> list[str]:
    """Where knocks of those who are denied can be seen: kernel (our counters), log (our lines), ufw (its log)."""
    found = []
    if firewall == "nftables":
        found += ["kernel"] + (["log"] if log else [])
    if level in LOUD:
        found.append("ufw")
    return found


def open_ports(root: str = "/") -> list[dict[str, Any]]:
    """What waits for anybody on an address that others can reach."""
    owner = owners(root)
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for s in listening(root):
        local = s.local
        if (len(local) == 4 and local[0] == 127) or local == bytes(15) + b"\1" or (len(local) == 16 and local[0] == 0xFE):
            continue
        if s.protocol == 17 and s.port >= 32768 and s.state != LISTEN and not owner.get(s.inode):
            continue  # a client's own port, for an answer
        row = found.setdefault(
            (s.port, s.protocol),
            {
                "port": s.port,
                "protocol": PROTOCOLS[s.protocol],
                "name": PORTS.get(s.port),
                "process": owner.get(s.inode),
                "addresses": [],
            },
        )
        text = network(local, 8 * len(local)) if any(local) else ("0.0.0.0" if len(local) == 4 else "::")
        if text not in row["addresses"]:
            row["addresses"].append(text)
    return [found[key] for key in sorted(found)]
