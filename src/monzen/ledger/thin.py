"""What keeps the ledger small: old evidence goes, denials long over become a sum, and the file gives back the room."""

from __future__ import annotations

from typing import Final

from monzen.ledger.base import MOST, Base
from monzen.ledger.denials import DAY
from monzen.ledger.records import Limits

DEFAULT: Final = Limits()
KEYS: Final = {
    "knock": "day, denial, port, protocol",
    "knocker": "day, denial, source, port, protocol",
    "alarm": "number",
}
PAGES: Final = 5_000  # 4 kB each, given back to the disk at a time: 20 MB, 0.1 s


class Thin(Base):
    """Forgets."""

    def thin(self, now: float, limits: Limits = DEFAULT) -> int:
        """Forget what is old or too much; returns how many rows went. Whoever is denied or allowed now stays so."""
        before = self.db.total_changes
        with self._change():
            self._thin_evidence(now, limits)
            self._thin_denials(now, limits)
            self.db.execute("DELETE FROM allow WHERE ended < ?", (now - limits.ended_days * DAY,))
            self.db.execute("DELETE FROM knock WHERE day < ?", (int((now - limits.knock_days * DAY) // DAY),))
            self.db.execute("DELETE FROM knocker WHERE day < ?", (int((now - limits.knock_days * DAY) // DAY),))
            self._most("knock", "day, packets", limits.knocks_most)
            self._most("knocker", "day, packets", limits.knockers_most)
            self._most("alarm", "told IS NULL, at", limits.alarms_most)
            self._most("release", "at", limits.releases_most)
            self._most("past", "last", limits.past_most)
        gone = self.db.total_changes - before
        with self._reading():
            if self._value("PRAGMA freelist_count"):
                # a script, since execute takes one step of it, which is one page (Python 3.11, Modules/_sqlite/cursor.c)
                self.db.executescript(f"PRAGMA incremental_vacuum({PAGES})")
        return gone

    def _thin_evidence(self, now: float, limits: Limits) -> None:
        """What ended long ago needs none; of too much, that of the oldest denials goes, of what lasts last."""
        old = now - limits.evidence_days * DAY
        self.db.execute("DELETE FROM evidence WHERE denial IN (SELECT number FROM denial WHERE ended < ?)", (old,))
        excess = self._value("SELECT ifnull(sum(length(line)), 0) FROM evidence") - limits.evidence_bytes
        if excess <= 0:
            return
        rows = self.db.execute(
            "SELECT e.denial, sum(length(e.line)) FROM evidence e JOIN denial d ON d.number = e.denial"
            " GROUP BY e.denial ORDER BY d.ended IS NULL, ifnull(d.ended, max(e.at)), e.denial"
        ).fetchall()
        for denial, size in rows:
            if excess <= 0:
                break
            self.db.execute("DELETE FROM evidence WHERE denial = ?", (denial,))
            excess -= size

    def _thin_denials(self, now: float, limits: Limits) -> None:
        """What ended too long ago, or is too much, is only known as a sum of its network."""
        end = now - limits.ended_days * DAY
        count = self._value("SELECT count(*) FROM denial WHERE ended IS NOT NULL") - limits.ended_most
        if count > 0:
            newest = self._value("SELECT ended FROM denial WHERE ended IS NOT NULL ORDER BY ended LIMIT 1 OFFSET ?", (count,))
            end = max(end, newest if newest is not None else now + 1)
        self.db.execute(
            "INSERT INTO past (network, bits, times, first, last, attempts, knocks, octets)"
            " SELECT network, bits, count(*), min(since), max(ended),"
            " min(sum(attempts), ?1), min(sum(knocks), ?1), min(sum(octets), ?1)"
            " FROM denial WHERE ended < ?2 AND ending != 'watch' GROUP BY network, bits"  # which denied nobody
            " ON CONFLICT DO UPDATE SET times = times + excluded.times, first = min(first, excluded.first),"
            " last = max(last, excluded.last), attempts = min(attempts + excluded.attempts, ?1),"
            " knocks = min(knocks + excluded.knocks, ?1), octets = min(octets + excluded.octets, ?1)",
            (MOST, end),
        )
        self.db.execute("DELETE FROM denial WHERE ended < ?", (end,))

    def _most(self, table: str, order: str, most: int) -> None:
        """Of a table that has too many rows, the first in this order go."""
        excess = self._value(f"SELECT count(*) FROM {table}") - most
        if excess > 0:
            key = KEYS.get(table, "network, bits")
            self.db.execute(
                f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} ORDER BY {order} LIMIT ?)", (excess,)
            )
