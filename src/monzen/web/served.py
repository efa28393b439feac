"""The page of `monzen serve`: the report with who is denied now, what comes in, and what can be done about it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from monzen.parse.address import text as address
from monzen.show.deeds import SERVICES
from monzen.show.html.sections import Sections
from monzen.show.html.tags import Markup, join, tag
from monzen.show.html.words import number
from monzen.show.text import safe, stamp
from monzen.show.words import _, ngettext
from monzen.types import Event

SHOWN: Final = 50  # denials that last; the script shows all of them
LATEST: Final = 15


class Served(Sections):
    """All sections of the page as it is now. `may`: whether something can be done; `reading`: whether history is still read."""

    def __init__(
        self,
        facts: dict[str, Any],
        zone: dt.tzinfo,
        *,
        latest: list[tuple[Event, bool]],
        may: bool,
        names: bool,
        reading: bool,
    ) -> None:
        super().__init__(facts, zone)
        self.latest, self.may, self.names, self.reading = latest, may, names, reading

    def all(self) -> Markup:
        """The live part first."""
        hint = tag("p", _("The older logs are still being read."), class_="mode", role="status") if self.reading else None
        return join([hint, super().all()])

    def gate_now(self) -> Markup | None:
        """Who is denied now, and the latest attempts, side by side where there is room."""
        return join([self._denied(), self._latest()])

    def _denied(self) -> Markup | None:
        gate = self.facts["gate"]
        if gate is None and not self.may:
            said = _("The ledger cannot be read from here: run monzen serve as root to see who is denied and to change it.")
            return self._section("gate", _("The gate"), tag("p", said, class_="dim"))
        rows = gate["now"] if gate is not None else ()  # there is no ledger before the first denial
        title = ngettext("{n} target is turned away now", "{n} targets are turned away now", len(rows))
        headings = [_("n"), _("target"), _("since"), _("until"), _("knocks"), _("why"), ""]
        newest = sorted(rows, key=lambda r: -r["number"])
        cells = [
            [
                str(r["number"]),
                tag("bdi", r["target"]),
                self._when(r["at"]),
                _("for good") if r["until"] is None else self._when(r["until"]),
                number(r["knocks"]),
                r["why"],
                _button("release", r["target"], _("Release")) if self.may else "",
            ]
            for r in newest[:SHOWN]
        ]
        left = len(rows) - SHOWN
        more = tag("p", ngettext("and {n} more", "and {n} more", left), class_="dim") if left > 0 else None
        none = tag("p", _("Nobody is denied."), class_="dim")
        table = self._table(headings, cells, (0, 4), id="denied", class_="cards") if rows else none
        return self._section("gate", title, self._form() if self.may else None, table, more)

    def _form(self) -> Markup:
        """An address, and what shall become of it."""
        return tag(
            "form",
            tag("label", _("Address or network: "), tag("input", name="target", required=True, autocomplete="off", size="24")),
            *(
                tag("button", label, type="submit", class_="do", value=verb)
                for verb, label in (("deny", _("Deny")), ("release", _("Release")), ("allow", _("Allow")), ("why", _("Explain")))
            ),
            id="act",
        )

    def _latest(self) -> Markup | None:
        if not self.latest:
            return None
        rows = []
        for event, denied in reversed(self.latest[-LATEST:]):
            fact = event.fact
            name = safe(fact.user, 40) if fact.user and (self.names or fact.account is False) else ""
            rows.append(
                [
                    stamp(event.time, self.zone),
                    tag("bdi", address(fact.client)),
                    SERVICES[fact.service],
                    tag("bdi", name),
                    _("denied") if denied else "",
                ]
            )
        headings = [_("time"), _("client"), _("service"), _("name"), ""]
        return self._section("latest", _("The last attempts"), self._table(headings, rows, id="latest-table"))


def _button(verb: str, target: str, label: str) -> Markup:
    return tag("button", label, type="button", class_="do", data_do=verb, data_for=target, aria_label=f"{label} {target}")
