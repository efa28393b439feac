"""The page of `monzen serve`: the report with who is denied now, what comes in, and what can be done about it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from monzen.parse.address import text as address
from monzen.show.deeds import DID, SERVICES
from monzen.show.html.sections import Sections
from monzen.show.html.tags import Markup, join, tag
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
        rows, count = (
            (gate["now"], gate["lasting"]) if gate is not None else ((), 0)
        )  # there is no ledger before the first denial
        title = ngettext("{n} target is turned away now", "{n} targets are turned away now", count)
        last = self._release if self.may else None
        none = tag("p", _("Nobody is denied."), class_="dim")
        return self._section(
            "gate", title, self._form() if self.may else None, *(self._lasting(rows, count, SHOWN, last) if rows else [none])
        )

    def _release(self, row: dict[str, Any]) -> Markup:
        """The button for one denial, by its number: a port's is another than the whole target's."""
        return _button("release", str(row["number"]), f"{_('Release')}", row["target"])

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
        rows: list[list[object]] = []
        named = False
        for event, denied in reversed(self.latest[-LATEST:]):
            fact = event.fact
            name = safe(fact.user, 40) if fact.user and (self.names or fact.account is False) else ""
            rows.append(
                [
                    stamp(event.time, self.zone),
                    tag("bdi", address(fact.client)),
                    SERVICES[fact.service],
                    _(DID[fact.kind]) if fact.kind in DID else _("other offences"),
                    (_("denied") if self.facts["real"] else _("would be denied")) if denied else "",
                    tag("bdi", name),
                ]
            )
            named = named or bool(name)
        headings = [_("time"), _("client"), _("service"), _("what"), _("state"), _("user name")]
        if not named:
            headings, rows = headings[:-1], [row[:-1] for row in rows]
        return self._section("latest", _("The last attempts"), self._table(headings, rows, id="latest-table"))


def _button(verb: str, target: str, label: str, shown: str) -> Markup:
    more = {"data_do": verb, "data_for": target, "data_shown": shown, "aria_label": f"{label} {shown}"}
    return tag("button", label, type="button", class_="do", **more)
