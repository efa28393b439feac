"""What else is remembered: alarms, knocks by day, values, sums of what is long over; and how much there is of everything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from monzen.ledger.base import WORD, cut, moment, words
from monzen.ledger.denials import DAY
from monzen.ledger.records import Alarm, Counts, Knocked, Past
from monzen.ledger.totals import Totals

DETAIL = 4_000  # letters of the detail of an alarm; what is longer is left out whole, half a JSON is none


class Diary(Totals):
    """Alarms, knocks, values."""

    def alarm(self, kind: str, text: str, now: float, detail: Mapping[str, object] | None = None) -> int:
        """Something that a person should know. Returns its number."""
        extra = json.dumps(detail) if detail else ""
        with self._change():
            number = self.db.execute(
                "INSERT INTO alarm (at, kind, text, detail) VALUES (?, ?, ?, ?)",
                (moment(now), words(kind, WORD), words(text), extra if len(extra) <= DETAIL else ""),
            ).lastrowid
            self._add("alarm", kind)
        return number or 0

    def alarmed(self, kind: str, text: str, at: float) -> bool:
        """Whether this alarm is known: who reports it may not remember that it did."""
        with self._reading():
            key = (moment(at), words(kind, WORD), words(text))
            return self._value("SELECT number FROM alarm WHERE at = ? AND kind = ? AND text = ?", key) is not None

    def alarmed_since(self, kind: str, since: float) -> bool:
        """Whether there was an alarm of this kind since then: what goes on is said now and then."""
        with self._reading():
            return self._value("SELECT 1 FROM alarm WHERE at >= ? AND kind = ?", (since, kind)) is not None

    def alarms(
        self, since: float = 0.0, limit: int = 1000, *, untold: bool = False, only: str = "", but: str = ""
    ) -> list[Alarm]:
        """The alarms since then, newest first; `untold`: those that nobody was told of; `only` of a kind, or all `but` one."""
        which = "AND told IS NULL" if untold else ""
        which += " AND kind = ?" if only else " AND kind != ?"
        query = (
            f"SELECT at, kind, text, number, detail, told FROM alarm WHERE at >= ? {which} ORDER BY at DESC, number DESC LIMIT ?"
        )
        with self._reading():
            return [Alarm(*row) for row in self.db.execute(query, (since, only or but, limit))]

    def told(self, numbers: Iterable[int], now: float) -> None:
        """A person was told of these alarms."""
        with self._change():
            rows = [(moment(now), number) for number in numbers]
            self.db.executemany("UPDATE alarm SET told = ? WHERE number = ? AND told IS NULL", rows)

    def note(self, key: str, value: str) -> None:
        """Remember a value."""
        with self._change():
            self.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (words(key, WORD), words(value)))

    def noted(self, key: str) -> str | None:
        """A value that was remembered."""
        with self._reading():
            found = self._value("SELECT value FROM meta WHERE key = ?", (words(key, WORD),))
        return None if found is None else str(found)

    def knocked(self, since: float = 0.0) -> list[tuple[int, int, int, int, int]]:
        """Denial, port, protocol, packets and bytes of the days since then."""
        query = (
            "SELECT denial, port, protocol, sum(packets), sum(octets) FROM knock WHERE day >= ? GROUP BY denial, port, protocol"
        )
        with self._reading():
            return self.db.execute(query, (int(since // DAY),)).fetchall()

    def knockers(self, since: float = 0.0, limit: int = 200_000) -> list[Knocked]:
        """Who knocked on the days since then, at which port: the most packets first."""
        query = (
            "SELECT denial, port, protocol, sum(packets), sum(octets), max(last), source FROM knocker WHERE day >= ?"
            " GROUP BY denial, source, port, protocol ORDER BY sum(packets) DESC LIMIT ?"
        )
        with self._reading():
            return [Knocked(*row) for row in self.db.execute(query, (int(since // DAY), limit))]

    def past(self, network: bytes, bits: int) -> Past | None:
        """The sum of this network's denials that are forgotten one by one."""
        with self._reading():
            row = self.db.execute("SELECT * FROM past WHERE network = ? AND bits = ?", (cut(network, bits), bits)).fetchone()
        return None if row is None else Past(*row)

    def counts(self, now: float) -> Counts:
        """How much there is."""
        with self._reading():
            active = self._value("SELECT count(*) FROM denial WHERE ended IS NULL AND (until IS NULL OR until > ?)", (now,))
            return Counts(
                active,
                self._value("SELECT count(*) FROM denial") - active,
                self._value("SELECT count(*) FROM evidence"),
                self._value("SELECT ifnull(sum(length(line)), 0) FROM evidence"),
                self._value("SELECT count(*) FROM release"),
                self._value("SELECT count(*) FROM allow WHERE ended IS NULL"),
                self._value("SELECT count(*) FROM alarm"),
                self._value("SELECT count(*) FROM alarm WHERE told IS NULL"),
                self._value("SELECT count(*) FROM knock"),
                self._value("SELECT count(*) FROM past"),
                self._value("PRAGMA page_count") * self._value("PRAGMA page_size"),
            )
