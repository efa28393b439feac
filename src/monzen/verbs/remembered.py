"""What the ledger says of an address or a network: for `monzen why`."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

from monzen.gatehouse import opened
from monzen.ledger import LEDGER, Entry, Ledger, LedgerError
from monzen.mode import read_mode
from monzen.show.text import PORTS, iso, masked, safe, stamp
from monzen.show.words import _, ngettext
from monzen.verbs.common import because, named, values

SHOWN = 20


class Remembered:
    """The denials of a target, of what is around it and of what is in it, with their evidence; newest first."""

    def __init__(self, packed: bytes, bits: int) -> None:
        self.entries: list[tuple[Entry, list[bytes]]] = []
        self.trouble = ""  # why the ledger says nothing
        self.released: float | None = None
        self.allowed: list[str] = []
        self.ports: dict[int, list[tuple[int, int, int]]] = {}
        try:
            with Ledger.open("/" + LEDGER, readonly=True) as ledger:
                found = ledger.history(packed, bits, SHOWN)
                self.entries = [(e, ledger.evidence(e.number)) for e in found]
                release = ledger.released_after(packed, bits)
                self.released = None if release is None else release.at
                self.allowed = [a.text for a in ledger.allowed() if any(_around(p, (packed, bits)) for p in a.prefixes)]
                numbers = {e.number for e in found}
                for number, port, protocol, packets, _octets in ledger.knocked():
                    if number in numbers:
                        self.ports.setdefault(number, []).append((packets, port, protocol))
        except LedgerError as error:
            self.trouble = "" if error.missing else str(error)  # the logs still say something

    @property
    def found(self) -> bool:
        """Whether it says anything."""
        return bool(self.entries or self.released or self.allowed)

    def as_values(self, names: bool) -> dict[str, Any]:
        """For programs. Keys never change their meaning."""
        return {
            "denials": [
                {**values(e), "evidence": [masked(x, names).decode("utf-8", "backslashreplace") for x in lines]}
                for e, lines in self.entries
            ],
            "released": None if self.released is None else iso(self.released),
            "allowed": self.allowed,
        }

    def in_words(self, zone: dt.tzinfo, *, names: bool) -> Iterator[str]:
        """For people."""
        now = time.time()
        for text in self.allowed:
            yield _("It is allowed: {text} (monzen allow).").format(text=text)
        mode = read_mode().at(now)
        if mode.open and any(e.ended is None for e, _lines in self.entries):
            yield opened(mode)
        for entry, lines in self.entries:
            since = stamp(entry.since, zone)
            if entry.ending == "watch":
                said = _("{target} WOULD HAVE BEEN DENIED from {since}, {until}: watch-only (number {n}): {why}.")
            elif entry.ended is not None:
                said = _("{target} was denied from {since} to {ended} (number {n}, {ending}): {why}.")
            elif entry.until is None or entry.until > now:
                said = _("{target} IS DENIED since {since}, {until} (number {n}): {why}.")
            else:
                said = _("{target} was denied from {since} {until} (number {n}): {why}.")
            endings = {
                "quiet": _("it was quiet"),
                "expired": _("its time was over"),
                "released": _("released"),
                "replaced": _("inside a wider one"),
                "freed": _("no room"),
            }
            yield said.format(
                target=named(entry),
                since=since,
                ended=stamp(entry.ended or 0.0, zone),
                ending=endings.get(entry.ending, entry.ending),
                until=_("for good") if entry.until is None else _("until {time}").format(time=stamp(entry.until, zone)),
                n=entry.number,
                why=because(entry),
            )
            if entry.knocks:
                doors = sorted(self.ports.get(entry.number, []), reverse=True)[:5]
                at = ", ".join(f"{p} {PORTS[p]}" if p in PORTS else str(p) for _n, p, _protocol in doors if p)
                count = ngettext("{n} packet", "{n} packets", entry.knocks)
                last = stamp(entry.last_knock or 0.0, zone)
                yield (
                    "  "
                    + _("knocked since: {packets}, the last at {time}").format(packets=count, time=last)
                    + (f" ({at})" if at else "")
                )
            for line in lines:
                yield "  " + safe(masked(line, names))
        if self.released is not None:
            yield _("Released at {time}: nothing older denies it again.").format(time=stamp(self.released, zone))
        if self.found:
            yield ""
            yield _("By the log alone:")


def _around(wide: tuple[bytes, int], narrow: tuple[bytes, int]) -> bool:
    """Whether the first network holds the second."""
    width = 8 * len(wide[0])
    if len(wide[0]) != len(narrow[0]) or wide[1] > narrow[1]:
        return False
    hosts = width - wide[1]
    return int.from_bytes(wide[0], "big") >> hosts == int.from_bytes(narrow[0], "big") >> hosts
