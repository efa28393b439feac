"""Who is never denied: as a person typed it, and the networks that this stands for."""

from __future__ import annotations

from collections.abc import Iterable

from monzen.ledger.base import WORD, Base, cut, moment, words
from monzen.ledger.records import Allowed, Prefix


class Allows(Base):
    """What a person allowed. Taken back, it is still remembered until `thin` forgets it."""

    def allow(
        self, text: str, prefixes: Iterable[Prefix], now: float, *, name: bool = False, actor: str = "", note: str = ""
    ) -> Allowed:
        """Never deny these. What is allowed already gets the new networks (and a new note) and keeps its number."""
        typed, said = words(text), words(note)
        with self._change():
            number: int | None = self._value("SELECT number FROM allow WHERE text = ? AND ended IS NULL", (typed,))
            if number is None:
                number = self.db.execute(
                    "INSERT INTO allow (text, name, note, at, actor) VALUES (?, ?, ?, ?, ?)",
                    (typed, int(name), said, moment(now), words(actor, WORD)),
                ).lastrowid
            elif said:
                self.db.execute("UPDATE allow SET note = ? WHERE number = ?", (said, number))
            assert number is not None  # found, or inserted
            self._stands_for(number, prefixes, now)
            return next(a for a in self._allowed() if a.number == number)

    def resolved(self, number: int, prefixes: Iterable[Prefix], now: float) -> None:
        """What a host name stands for now; nothing: the last good answer is kept."""
        with self._change():
            self._stands_for(number, prefixes, now)

    def name(self, text: str) -> tuple[float, list[Prefix]]:
        """What a host name of the configuration stood for when there was an answer last, and when that was; 0: never."""
        with self._reading():
            row = self._value("SELECT value FROM meta WHERE key = ?", (f"name:{text}",))
        try:
            at, *found = str(row).split()
            prefixes = [(bytes.fromhex(hexed), 4 * len(hexed)) for hexed in found]
            return float(at), [(network, bits) for network, bits in prefixes if len(network) in (4, 16)]
        except ValueError:
            return 0.0, []

    def name_stands_for(self, text: str, prefixes: Iterable[Prefix], now: float) -> None:
        """What it stands for now: single addresses."""
        value = " ".join([str(moment(now)), *(network.hex() for network, _bits in prefixes)])
        with self._change():
            self.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (f"name:{words(text)}", value))

    def _stands_for(self, number: int, prefixes: Iterable[Prefix], now: float) -> None:
        found = list(dict.fromkeys((cut(network, bits), bits) for network, bits in prefixes))
        if not found or not self._value("SELECT 1 FROM allow WHERE number = ? AND ended IS NULL", (number,)):
            return
        self.db.execute("DELETE FROM allow_prefix WHERE allow = ?", (number,))
        self.db.executemany("INSERT INTO allow_prefix (allow, network, bits) VALUES (?, ?, ?)", [(number, *p) for p in found])
        self.db.execute("UPDATE allow SET resolved = ? WHERE number = ?", (moment(now), number))

    def unallow(self, text: str, now: float, actor: str = "") -> Allowed | None:
        """No longer allow what was typed like this; None where nothing is."""
        typed, who = words(text), words(actor, WORD)
        with self._change():
            for allowed in self._allowed():
                if allowed.text == typed:
                    self.db.execute("UPDATE allow SET ended = ?, ender = ? WHERE number = ?", (moment(now), who, allowed.number))
                    return allowed._replace(ended=now, ender=who)
        return None

    def allowed(self, *, past: bool = False) -> list[Allowed]:
        """Who is never denied, in the order in which they were typed; `past`: with those that were taken back."""
        with self._reading():
            return self._allowed("" if past else "WHERE ended IS NULL")

    def _allowed(self, which: str = "WHERE ended IS NULL") -> list[Allowed]:
        prefixes: dict[int, list[Prefix]] = {}
        for number, network, bits in self.db.execute("SELECT allow, network, bits FROM allow_prefix ORDER BY network, bits"):
            prefixes.setdefault(number, []).append((network, bits))
        rows = self.db.execute(
            f"SELECT number, text, name, resolved, note, at, actor, ended, ender FROM allow {which} ORDER BY number"
        )
        return [Allowed(row[0], row[1], tuple(prefixes.get(row[0], ())), bool(row[2]), *row[3:]) for row in rows]
