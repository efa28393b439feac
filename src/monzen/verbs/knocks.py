"""`monzen knocks`: who knocks at the firewall, at which ports, how often, and who of them is denied."""

from __future__ import annotations

import argparse
import glob
import os
import sys
import time
from typing import Any, Final

from monzen.arguments import count, progress_bar
from monzen.gate.table import Knock
from monzen.gate.target import PROTOCOLS, GateError
from monzen.keeper import Keeper
from monzen.knocks import covering
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError
from monzen.show.command import as_root
from monzen.show.refused import refused
from monzen.show.text import as_json, iso, network
from monzen.show.text import port as port_name
from monzen.show.words import _, ngettext
from monzen.show.wrap import glued
from monzen.types import Event, Kind
from monzen.verbs.common import (
    EXIT_USE,
    Adder,
    complain,
    configuration,
    gate_options,
    guarded,
    item,
    local_zone,
    moment,
    page,
    say,
    table,
)

LOGS: Final = ("/var/log/ufw.log*", "/var/log/kern.log*", "/var/log/syslog*")  # the first that is there has them all
SOURCES: Final = 200_000  # remembered: whoever knocks can forge as many as he likes
WEEK: Final = 7 * 86_400.0  # seconds of what was counted before
PORTS: Final = 200  # of one source


class Source:
    """One address that knocks."""

    __slots__ = ("count", "first", "last", "octets", "ports")

    def __init__(self, time: float) -> None:
        self.count = self.octets = 0
        self.first = self.last = time
        self.ports: dict[bytes, int] = {}

    def knocked(self, time: float, door: bytes, packets: int) -> None:
        """It did, at a door such as `25/tcp`."""
        self.count += packets
        self.first, self.last = min(self.first, time), max(self.last, time)
        if door in self.ports or len(self.ports) < PORTS:
            self.ports[door] = self.ports.get(door, 0) + packets


class Tally:
    """All that knock, bounded: who comes when the table is full is counted together."""

    def __init__(self) -> None:
        self.sources: dict[bytes, Source] = {}
        self.others = 0

    def add(self, client: bytes, time: float, door: bytes, packets: int = 1) -> None:
        """One more."""
        source = self.sources.get(client)
        if source is None:
            if len(self.sources) >= SOURCES:
                self.others += packets
                return
            source = self.sources[client] = Source(time)
        source.knocked(time, door, packets)

    def see(self, events: list[Event]) -> None:
        """The knocks among what a log says."""
        for event in events:
            # what asks for no port (IGMP and its kin) is the network's own housekeeping, as for the judge
            if event.fact.kind == Kind.BLOCKED and event.fact.client and event.fact.detail is not None:
                self.add(event.fact.client, event.time, event.fact.detail, event.attempts or 1)


def add(verb: Adder) -> None:
    """The verb."""
    p = verb(
        "knocks",
        _("Show who knocks at the firewall, at which ports, and who of them is denied."),
        "  monzen knocks\n  monzen knocks /var/log/ufw.log*\n  monzen knocks --top 50 --json",
    )
    p.add_argument(
        "files", nargs="*", metavar=_("FILE"), help=_("logs of the firewall (default: the kernel's own counters, and ufw.log)")
    )
    p.add_argument("--top", type=count, metavar=_("N"), help=_("rows of each table (default 20; with --json all)"))
    gate_options(p)
    p.set_defaults(run=guarded(run_knocks), year=None, timezone=None)


def run_knocks(options: argparse.Namespace) -> int:
    """`monzen knocks`: 0; 2 where a file could not be read."""
    from monzen.judge.judge import Judge
    from monzen.judge.policy import Policy, frugal
    from monzen.scan import Options, scan_sets
    from monzen.sources import plan

    now = time.time()
    tally, kernel = Tally(), Tally()
    files = options.files
    seen_kernel = False
    if not files:
        seen_kernel = _kernel(kernel, options, now)
        files = next((found for pattern in LOGS if (found := sorted(glob.glob(pattern)))), [])
    errors: list[Any] = []
    lines = 0
    if files:
        sets, failed = plan(files, now=now)
        total = sum(s.size for group in sets for s in group)
        with progress_bar(total, wanted=not options.json or sys.stderr.isatty()) as advance:
            reading = scan_sets(
                sets, list(failed), Options(now, local_zone(), None), Judge(frugal(Policy())), advance, watch=tally.see
            )
        errors, lines = reading.errors, reading.lines
    denied = _denied(now)
    if options.json:
        print(
            as_json(
                {
                    "kernel": _values(kernel, denied, options.top) if seen_kernel else None,
                    "log": {**_values(tally, denied, options.top), "lines": lines, "files": files} if files else None,
                }
            )
        )
    else:
        if seen_kernel:
            _show(_("Counted by the kernel: packets of those who are denied, of the last week"), kernel, denied, options.top)
        if files:
            _show(_("In the log"), tally, denied, options.top)
        if not seen_kernel and not files:
            if os.geteuid() == 0:
                said = _("There is no log of the firewall, and the kernel counts nobody: nobody is denied. Name a log")
            else:
                said = _("There is no log of the firewall, and no right to ask the kernel. Name a log, or: {command}")
                said = said.format(command=as_root())
            complain(said)
    sys.stdout.flush()
    for error in errors:
        complain(refused(error))
    return EXIT_USE if errors or not (seen_kernel or files) else 0


def _kernel(tally: Tally, options: argparse.Namespace, now: float) -> bool:
    """The kernel's own counters, where there is a right to ask and somebody is denied."""
    try:
        with Keeper(configuration(options)) as keeper:
            if keeper.firewall() != "nftables":
                return False
            for k in keeper.nft.knocks():
                name = PROTOCOLS.get(k.protocol) or str(k.protocol)
                tally.add(k.source, now - k.ago, f"{k.port}/{name}".encode() if k.port else name.encode(), k.packets)
            for known in keeper.ledger.knockers(now - WEEK):
                name = PROTOCOLS.get(known.protocol) or str(known.protocol)
                door = f"{known.port}/{name}" if known.port else name
                tally.add(known.source, known.last, door.encode(), known.packets)
            return keeper.nft.state().present or bool(tally.sources)
    except GateError:
        return False


Denied = dict[tuple[int, int], dict[tuple[bytes, int], Entry]]


def _denied(now: float) -> Denied:
    """Who is denied, where the ledger can be read."""
    found: Denied = {}
    try:
        with Ledger.open("/" + LEDGER, readonly=True) as ledger:
            for entry in ledger.active(now):
                found.setdefault((len(entry.network), entry.bits), {})[(entry.network, entry.port)] = entry
    except LedgerError:
        pass
    return found


def _by(client: bytes, denied: Denied) -> Entry | None:
    return covering(Knock(client, 0, 0, 0, 0, 0.0), denied)


def _ports(tally: Tally) -> list[tuple[bytes, int]]:
    found: dict[bytes, int] = {}
    for source in tally.sources.values():
        for door, packets in source.ports.items():
            found[door] = found.get(door, 0) + packets
    return sorted(found.items(), key=lambda p: (-p[1], p[0]))


def _ordered(tally: Tally) -> list[tuple[bytes, Source]]:
    return sorted(tally.sources.items(), key=lambda x: (-x[1].count, x[0]))


def _values(tally: Tally, denied: Denied, top: int | None) -> dict[str, Any]:
    rows = []
    for client, source in _ordered(tally)[:top]:
        entry = _by(client, denied)
        rows.append(
            {
                "client": network(client, 8 * len(client)),
                "count": source.count,
                "first": iso(source.first),
                "last": iso(source.last),
                "ports": {port_name(d): n for d, n in sorted(source.ports.items(), key=lambda p: (-p[1], p[0]))},
                "denied": entry.number if entry is not None else None,
            }
        )
    return {
        "count": sum(s.count for s in tally.sources.values()) + tally.others,
        "clients": len(tally.sources),
        "ports": {port_name(d): n for d, n in _ports(tally)},
        "sources": rows,
    }


def _show(title: str, tally: Tally, denied: Denied, top: int | None) -> None:
    """The same for people."""
    top = top or 20
    packets = ngettext("{n} packet", "{n} packets", sum(s.count for s in tally.sources.values()) + tally.others)
    clients = ngettext("{n} client", "{n} clients", len(tally.sources))
    say(
        _("{title}: {packets} of {clients}.").format(title=title, packets=packets, clients=clients),
        "bold",
    )
    if not tally.sources:
        return
    rows = table("SRC", _("packets"), _("last"), _("denied"), "DPT", right=(1,))
    for client, source in _ordered(tally)[:top]:
        entry = _by(client, denied)
        doors = sorted(source.ports.items(), key=lambda p: (-p[1], p[0]))
        shown = ", ".join(glued(port_name(d)) for d, _n in doors[:5]) + (glued(" …") if len(doors) > 5 else "")
        rows.add_row(
            network(client, 8 * len(client)),
            f"{source.count:,}",
            moment(source.last, local_zone()),
            _("no") if entry is None else _("number {n}").format(n=entry.number),
            shown,
        )
    page().print(rows)
    left = len(tally.sources) - top
    if left > 0:
        say("  " + ngettext("and {n} more (--top shows more)", "and {n} more (--top shows more)", left))
    item(_("Ports: ") + ", ".join(glued(f"{port_name(d)} {n:,}") for d, n in _ports(tally)[:10]))
