"""Sums that only grow, kept in the transaction of what they count: what is thinned stays counted."""

from __future__ import annotations

from typing import Final, NamedTuple

from monzen.ledger.base import MOST, Base
from monzen.ledger.file import damaged

# What may be counted apart. A closed set each: `run` names its alarms itself, and each name would be a row for ever.
ORIGINS: Final = ("hand", "scan", "run", "import", "kernel")
ENDINGS: Final = ("quiet", "expired", "released", "replaced", "freed", "lost")
ALARMS: Final = (
    "breach", "leak", "gate", "full", "ledger", "mode", "outage", "silent-outage", "hidden-clients", "late-login", "login-before",
    "device", "known-client-fails",
)  # fmt: skip
OTHER: Final = "other"
KNOWN: Final = {"denied": ORIGINS, "ended": ENDINGS, "alarm": ALARMS}
PLACES: Final = tuple((family, kind) for family in ("ipv4", "ipv6") for kind in ("address", "network"))
PREFIX: Final = "total:"  # of their keys in the table meta


class Tally(NamedTuple):
    """How much there is now, and how much there ever was since the ledger was made (or first used by a monzen that counts)."""

    lasting: dict[tuple[str, str], int]  # denials now, by family (ipv4, ipv6) and kind (address, network)
    would: int  # targets that are only watched, and would be denied
    allowed: int
    last_alarm: dict[str, float]  # kind: epoch seconds
    totals: dict[tuple[str, str], int]  # what and which, ("denied", "run"); which is "" where there is only one
    octets: int  # of the file

    @classmethod
    def empty(cls) -> Tally:
        """Of a ledger that is not there yet."""
        return cls(dict.fromkeys(PLACES, 0), 0, 0, {}, {}, 0)


class Totals(Base):
    """Counts."""

    def _add(self, what: str, which: str = "", number: int = 1) -> None:
        """Count, inside the transaction of the caller."""
        if number <= 0:
            return
        which = which if which in KNOWN.get(what, ("",)) else OTHER
        self.db.execute(
            "INSERT INTO meta (key, value) VALUES (?1, CAST(?2 AS TEXT))"
            " ON CONFLICT DO UPDATE SET value = CAST(min(CAST(value AS INTEGER) + ?2, ?3) AS TEXT)",
            (f"{PREFIX}{what}:{which}", min(number, MOST), MOST),
        )

    def tally(self, now: float) -> Tally:
        """All of it, in one look: counted by SQLite, so that no row is carried. With 100,000 denials: docs/metrics.md."""
        with self._reading():
            self.db.execute("BEGIN")  # one moment for all of it; a reader in WAL keeps no writer waiting
            try:
                return self._tally(now)
            finally:
                if self.db.in_transaction:
                    self.db.execute("COMMIT")

    def _tally(self, now: float) -> Tally:
        lasting = dict.fromkeys(PLACES, 0)
        query = (
            "SELECT length(network), bits = 8 * length(network), count(*) FROM denial"
            " WHERE ended IS NULL AND (until IS NULL OR until > ?) GROUP BY 1, 2"
        )
        for octets, whole, number in self.db.execute(query, (now,)):
            lasting["ipv4" if octets == 4 else "ipv6", "address" if whole else "network"] = number
        would = self._value(
            "SELECT count(*) FROM (SELECT DISTINCT network, bits, port, protocol FROM denial d"
            " WHERE ended IS NOT NULL AND ending = 'watch' AND until > ?1"
            " AND NOT EXISTS (SELECT 1 FROM denial e WHERE e.network = d.network AND e.bits = d.bits AND e.port = 0"
            " AND e.ended IS NULL AND (e.until IS NULL OR e.until > ?1))"
            " AND NOT EXISTS (SELECT 1 FROM release r WHERE r.network = d.network AND r.bits = d.bits AND r.at >= d.since))",
            (now,),
        )
        totals: dict[tuple[str, str], int] = {}
        for key, value in self.db.execute("SELECT key, value FROM meta WHERE key >= ? AND key < ?", (PREFIX, PREFIX[:-1] + ";")):
            what, _colon, which = key[len(PREFIX) :].partition(":")
            if type(value) is str and value.isascii() and value.isdigit() and len(value) < 19:
                totals[what, which] = int(value)
        last: dict[str, float] = {}
        for kind, at in self.db.execute("SELECT kind, max(at) FROM alarm GROUP BY kind"):
            known = kind if kind in ALARMS else OTHER
            if type(at) is not float:  # of a damaged page
                raise damaged(self.path)
            last[known] = max(last.get(known, 0.0), at)
        return Tally(
            lasting,
            would,
            self._value("SELECT count(*) FROM allow WHERE ended IS NULL"),
            last,
            totals,
            self._value("PRAGMA page_count") * self._value("PRAGMA page_size"),
        )
