"""The sections of the page, each a piece of markup from the facts; what is long is cut here, the script shows the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from monzen.show import compared
from monzen.show.html.pieces import Pieces, details, folded
from monzen.show.html.tags import Markup, join, tag
from monzen.show.html.words import headline, number, period, until
from monzen.show.text import stamp
from monzen.show.words import _, language, ngettext

ROWS: Final = 30  # of a list that the script can show whole


class Sections(Pieces):
    """All sections of one page. `zone`: of the times that are shown."""

    def __init__(self, facts: dict[str, Any], zone: dt.tzinfo) -> None:
        super().__init__(zone)
        self.facts = facts

    def all(self) -> Markup:
        """From the headline to the last table."""
        parts: list[Callable[[], Markup | None]] = [
            self.top, self.breaches, self.numbers, self.gate_now, self.hours, self.targets, self.map, self.tried, self.knocks,
            self.users, self.alarms, self.spared, self.places, self.compared, self.read,
        ]  # fmt: skip
        return join([part() for part in parts])

    # ---- pieces

    def _first(self, row: dict[str, Any]) -> str:
        """When it was denied first, and how often."""
        first, times = self._when(row["denials"][0][0]), row["times"]
        return first if times < 2 else _("{time} ({n} times)").format(time=first, n=times)

    # ---- the sections

    def top(self) -> Markup:
        """The headline."""
        facts = self.facts
        mode = {
            "watch": _("Watch-only: monzen denies nobody by itself yet. This is what it would have done."),
            "paused": _("The gate is paused: nobody is turned away now."),
            "panic": _("The gate is open: nobody is turned away now."),
        }.get(facts["mode"] or "", None if facts["real"] else _("Read from logs alone: what monzen would have done."))
        return tag(
            "header",
            tag("p", period(facts, self.zone), class_="period"),
            tag("h1", headline(facts)),
            tag("p", mode, class_="mode") if mode and facts["first"] is not None else None,
        )

    def breaches(self) -> Markup | None:
        """Who got in."""
        found = self.facts["breaches"]
        if not found:
            return None
        title = ngettext("{n} of them got in", "{n} of them got in", len({b["client"] for b in found}))
        rows = [
            tag("li", tag("time", self._when(b["at"])), " ", b["why"], details(_("the line"), [b["line"]])) for b in found[:ROWS]
        ]
        advice = tag("p", _("Look at what these accounts sent."))
        return tag("section", tag("h2", title), advice, tag("ul", *rows), class_="alarm", role="alert")

    def numbers(self) -> Markup | None:
        """The few numbers that say it all."""
        facts = self.facts
        if facts["first"] is None:
            return None
        gate = facts["gate"]
        lasting = gate["lasting"] if gate is not None else facts["lasting"]
        tiles = [
            (facts["attempts"], _("attempts")),
            (facts["attackers"], _("clients that attacked")),
            (lasting, _("denied now") if gate is not None else _("denied at the end of the log")),
            (gate["packets"] if gate is not None and gate["packets"] else facts["knocks"], _("packets turned away")),
            (facts["users"], _("users of yours")),
            (facts["logins"], _("good logins")),
        ]
        shown = [(n, label) for n, label in tiles if n or label != _("packets turned away")]
        return tag("dl", *(tag("div", tag("dt", label), tag("dd", number(n))) for n, label in shown), class_="tiles")

    def gate_now(self) -> Markup | None:
        """Who is denied by the gate now; `monzen serve` puts its buttons here."""
        gate = self.facts["gate"]
        if gate is None or not gate["now"]:
            return None
        title = ngettext("{n} target is turned away now", "{n} targets are turned away now", gate["lasting"])
        return self._section("gate", title, *self._lasting(gate["now"], gate["lasting"], ROWS))

    def _lasting(
        self,
        rows: Sequence[dict[str, Any]],
        count: int,
        most: int,
        last: Callable[[Any], object] | None = None,
    ) -> list[Markup | None]:
        """A table of denials that last, the newest first, with what `last` makes of each behind it; how many more there are."""
        headings = [_("n"), _("target"), _("since"), _("until"), _("knocks since"), _("why"), *([""] if last is not None else [])]
        cells = [
            [
                str(r["number"]),
                tag("bdi", r["target"]),
                self._when(r["at"]),
                _("for good") if r["until"] is None else self._when(r["until"]),
                number(r["knocks"]),
                r["why"],
                *([last(r)] if last is not None else []),
            ]
            for r in sorted(rows, key=lambda r: -r["number"])[:most]
        ]
        left = count - len(cells)
        more = tag("p", ngettext("and {n} more", "and {n} more", left), class_="dim") if left > 0 else None
        return [self._table(headings, cells, (0, 4), id="denied"), more]

    def hours(self) -> Markup | None:
        """Attempts over time."""
        hours = self.facts["hours"]
        if not hours["through"]:
            return None
        by_day: dict[str, list[int]] = {}
        for i in range(len(hours["through"])):
            day = stamp(hours["start"] + i * hours["step"], self.zone)[:10]
            row = by_day.setdefault(day, [0] * 6)
            for place, name in enumerate(("through", "denied", "users", "logins", "knocks", "begun")):
                row[place] += hours[name][i]
        headings = [
            _("day"),
            _("attempts let through"),
            _("of who is denied"),
            _("of your users"),
            _("good logins"),
            _("packets"),
            _("denials"),
        ]
        rows = [[day, *map(number, row)] for day, row in by_day.items()]
        says = _("Attempts over time, with the denials that began; the same by day in the table below.")
        title = _("Attempts by hour") if hours["step"] == 3600 else _("Attempts by day")
        return self._section(
            "hours", title, self._chart("hours", says), folded(_("by day"), self._table(headings, rows, range(1, 7)))
        )

    def targets(self) -> Markup | None:
        """Who was denied: when it came, was denied, knocked, went quiet."""
        targets = self.facts["targets"]
        if not targets:
            return None
        headings = [_("target"), _("came"), _("denied"), _("now"), _("let through"), _("knocks since"), _("why")]
        rows = [
            [
                tag("button", tag("bdi", t["target"]), type="button", class_="link", data_target=str(i)),
                self._when(t["first"]),
                self._first(t),
                until(t, self.zone),
                number(t["attempts"]),
                number(t["knocks"]),
                join([t["why"], details(_("evidence"), t["evidence"])]),
            ]
            for i, t in enumerate(targets[:ROWS])
        ]
        title = _("Who would be turned away, and when")
        left = len(targets) + self.facts["more"] - ROWS
        more = tag("p", ngettext("and {n} more", "and {n} more", left), id="targets-more", class_="dim") if left > 0 else None
        says = _("One bar for each target: from its first attempt to its denial, its last knock, and the end of the denial.")
        find = tag(
            "p",
            tag("label", _("Find: "), tag("input", type="search", id="find", autocomplete="off")),
            tag("span", "", id="found", role="status"),
            class_="find",
            hidden=True,
        )
        table = self._table(headings, rows, (4, 5), id="targets-table")
        legend = tag(
            "ul",
            *(
                tag("li", tag("svg", tag("rect", width="100%", height="100%", class_=name), focusable="false"), said)
                for name, said in (
                    ("through", _("from its first attempt to its denial")),
                    ("denied", _("denied, and knocking")),
                    ("quiet", _("denied, and quiet")),
                )
            ),
            class_="legend",
            aria_hidden="true",
        )
        return self._section("targets", title, legend, self._chart("targets", says), find, table, more)

    def map(self) -> Markup | None:
        """The address space."""
        if not self.facts["map"]:
            return None
        rows = [[tag("bdi", text), number(clients), number(attempts), _STATES()[state]]
                for _n, _six, text, clients, attempts, state in self.facts["map"][:ROWS]]  # fmt: skip
        says = _(
            "Each circle is a network with attackers. Neighbours in the address space are neighbours here; many clients are"
            " a big circle."
        )
        headings = [_("network"), _("clients"), _("attempts"), _("state")]
        return self._section(
            "map",
            _("Where they are in the address space"),
            tag("p", says, class_="dim"),
            self._chart("map", says),
            folded(_("as a table"), self._table(headings, rows, (1, 2))),
        )

    def tried(self) -> Markup | None:
        """Names, doors, deeds."""
        facts = self.facts
        if not facts["deeds"]:
            return None
        names = facts["names"]
        hidden = None
        if names["hidden"]:
            said = ngettext(
                "{n} name may be somebody's and is not shown (--names shows it).",
                "{n} names may be somebody's and are not shown (--names shows them).",
                names["hidden"],
            )
            hidden = tag("p", said, class_="dim")
        unsaid = _("The log says of none that it is nobody's.") if names["count"] else _("The log does not say which.")
        none = tag("p", unsaid, class_="dim")
        return self._section(
            "tried",
            _("What they tried"),
            tag(
                "div",
                tag("div", tag("h3", _("What")), self._bars(facts["deeds"], _("what"), _("attempts"))),
                tag("div", tag("h3", _("Where")), self._bars(facts["services"], _("service"), _("attempts"))),
                tag(
                    "div",
                    tag("h3", ngettext("{n} name", "{n} names", names["count"])),
                    self._bars(names["top"], _("user name"), _("attempts")) if names["top"] else none,
                    hidden,
                ),
                class_="columns",
            ),
        )

    def knocks(self) -> Markup | None:
        """Packets at closed doors."""
        facts = self.facts
        gate = facts["gate"]
        ports = gate["ports"] if gate is not None and gate["ports"] else facts["ports"]
        if not ports:
            return None
        title, said = _("Who knocked at the firewall"), _("Packets that the firewall turned away, by port.")
        if gate is not None and gate["ports"]:
            title, said = _("Knocks"), _("What those who are denied still ask for: dropped without an answer.")
        return self._section("knocks", title, tag("p", said, class_="dim"), self._bars(ports, _("port"), _("packets")))

    def users(self) -> Markup | None:
        """Your own users' logins."""
        own = self.facts["own"]
        if not own:
            return None
        headings = [_("client"), _("users"), _("logins"), _("days"), _("failed"), _("last login")]
        rows = [
            [
                tag("bdi", r["client"]),
                number(r["users"]) if isinstance(r["users"], int) else tag("bdi", ", ".join(r["users"])),
                number(r["logins"]),
                number(r["days"]),
                number(r["failed"]),
                self._when(r["last"]),
            ]
            for r in own[:ROWS]
        ]
        left = self.facts["places_of_users"] - len(rows)
        more = tag("p", ngettext("and {n} more", "and {n} more", left), class_="dim") if left > 0 else None
        title = ngettext("{n} user of yours logged in", "{n} users of yours logged in", self.facts["users"])
        return self._section("users", title, self._table(headings, rows, (1, 2, 3, 4)), more)

    def alarms(self) -> Markup | None:
        """What to look at."""
        gate = self.facts["gate"]
        found = [(a["at"], a["text"]) for a in self.facts["alarms"]] + [
            (a["at"], a["text"]) for a in (gate or {}).get("alarms", ())
        ]
        if not found:
            return None
        rows = [tag("li", tag("time", self._when(at)), " ", said) for at, said in sorted(found, reverse=True)[:ROWS]]
        return self._section("alarms", _("What you should look at"), tag("ul", *rows))

    def spared(self) -> Markup | None:
        """Who was not denied though a rule said so."""
        rows = [
            [tag("bdi", s["target"]), self._when(s["at"]), number(s["attempts"]), s["why"]] for s in self.facts["spared"][:ROWS]
        ]
        if not rows:
            return None
        return self._section(
            "spared", _("Who was spared, and why"), self._table([_("who"), _("when"), _("attempts"), _("why")], rows, (2,))
        )

    def places(self) -> Markup | None:
        """Countries and owners, of a table that the user brought."""
        found = self.facts["places"]
        titles = {"country": (_("Countries"), _("country")), "owner": (_("Owners of the networks"), _("owner"))}
        parts = [
            tag(
                "div",
                tag("h3", titles[which][0]),
                self._bars([[name, n] for name, _c, n in rows], titles[which][1], _("attempts")),
            )
            for which, rows in found.items()
        ]
        return self._section("places", _("Whose networks they are"), tag("div", *parts, class_="columns")) if parts else None

    def compared(self) -> Markup | None:
        """What other policies would have done."""
        rows = self.facts["compare"]
        if not rows or not self.facts["attackers"]:
            return None
        blank = "" if language() == "ja" else " "
        titles = [title.replace("\n", blank) for title in compared.headings()]
        said = _("The same log under other policies; fail2ban, CrowdSec and sshguard are emulated with their default settings.")
        return self._section(
            "compare",
            _("What another policy would have done"),
            tag("p", said, class_="dim"),
            self._table(titles, [compared.cells(row) for row in rows], range(1, len(titles))),
        )

    def read(self) -> Markup:
        """What this was made from."""
        facts = self.facts
        lines = ngettext("{n} line was read", "{n} lines were read", facts["lines"])
        unread = ngettext(
            "{n} looks like a failure and was not understood", "{n} look like failures and were not understood", facts["unread"]
        )
        said = _("{lines} ({inputs}); {unread}.").format(lines=lines, inputs=", ".join(facts["inputs"][:6]) or "–", unread=unread)
        return tag("footer", tag("p", said))


def _STATES() -> tuple[str, str, str]:  # noqa: N802  # a table that needs the language
    return (_("attacked"), _("clients denied"), _("network denied"))
