"""Denials: imposed, prolonged, ended, released; and where a network stands among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from monzen.ledger.base import COLUMNS, MOST, WORD, around, counter, cut, moment, span, words
from monzen.ledger.records import Entry, Key, Knocked, Order, Prefix, Release
from monzen.ledger.totals import Totals
from monzen.show.text import without_password

LINE: Final = 2_000  # bytes of one evidence line: Postfix and Dovecot write no longer ones, syslog cuts at 8,096
LINES: Final = 12  # evidence lines of one denial: the first half and the last half
ON_THE_WAY: Final = 60.0  # seconds between a line and its denial: a sentence of an hour is then a little less than one
DAY: Final = 86_400
KEY: Final = "network = ? AND bits = ? AND port = ? AND protocol = ?"
COUNTERS: Final = ("clients", "attempts", "names")


class Denials(Totals):
    """Who is denied, was denied, and was let in again."""

    def impose(self, orders: Iterable[Order], now: float, actor: str = "") -> list[Entry]:
        """Write down who is denied. What is denied already keeps its number; only a person makes it shorter."""
        with self._change():
            return [self._impose(order, moment(now), words(actor, WORD)) for order in orders]

    def watched(self, orders: Iterable[Order], now: float, actor: str = "") -> list[Entry]:
        """Write down who would be denied, and is not: watch-only. What is denied already stays so; the rest ends at once."""
        with self._change():
            found = []
            for order in orders:
                key = (cut(order.network, order.bits), order.bits, order.port, order.protocol)
                old = self._one(f"SELECT {COLUMNS} FROM denial WHERE {KEY} AND ended IS NULL", key)
                if old is not None and (old.until is None or old.until > now):
                    found.append(old)
                    continue
                entry = self._impose(order, moment(now), words(actor, WORD), watched=True)
                self._end([entry.number], moment(now), "watch")
                found.append(entry._replace(ended=now, ending="watch"))
            return found

    def count_wide(self, octets: int, bits: int, now: float) -> int:
        """How many networks of addresses of so many octets, wider than that, `run` denies."""
        which = "ended IS NULL AND until > ? AND bits < ? AND length(network) = ? AND origin = 'run'"
        query = f"SELECT count(*) FROM denial WHERE {which}"
        with self._reading():
            return int(self._value(query, (now, bits, octets)))

    def typed(self) -> set[Key]:
        """What lasts of what people denied: it goes last where there is no room."""
        with self._reading():
            query = "SELECT network, bits, port, protocol FROM denial WHERE ended IS NULL AND origin = 'hand'"
            return {(row[0], row[1], row[2], row[3]) for row in self.db.execute(query)}

    def lasting_numbers(self, keys: Iterable[Key]) -> list[int]:
        """The numbers of what lasts of these."""
        query = f"SELECT number FROM denial WHERE {KEY} AND ended IS NULL"
        with self._reading():
            return [row[0] for key in keys for row in self.db.execute(query, key)]

    def would_be(self, now: float) -> list[Entry]:
        """Who would be denied now, had it not been watch-only, or open: newest first, each target once."""
        query = f"SELECT {COLUMNS} FROM denial WHERE ending = 'watch' AND until > ? ORDER BY number DESC"
        return list({e.key: e for e in reversed(self._all(query, (now,)))}.values())[::-1]

    def _impose(self, order: Order, now: float, actor: str, *, watched: bool = False) -> Entry:
        key = (cut(order.network, order.bits), order.bits, order.port, order.protocol)
        until = None if order.until is None else moment(order.until)
        sentence = None if order.sentence is None else moment(order.sentence)
        rule, origin, note = words(order.rule, WORD), words(order.origin, WORD), words(order.note)
        counts = [counter(getattr(order, name)) for name in COUNTERS]
        old = self._one(f"SELECT {COLUMNS} FROM denial WHERE {KEY} AND ended IS NULL", key)
        if old is not None and old.until is not None and old.until <= now:
            self._over([old], now)
            old = None
        if old is None:
            number = self.db.execute(
                "INSERT INTO denial (network, bits, port, protocol, since, until, sentence, rule, origin, note, actor,"
                " clients, attempts, names) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, now, until, sentence, rule, origin, note, actor, *counts),
            ).lastrowid
            self._add(*(("watched",) if watched else ("denied", origin)))
        else:
            number = old.number
            if order.origin != "hand":
                until = None if until is None or old.until is None else max(until, old.until)
                if old.origin == "hand":  # what a person said stands, but it may last longer
                    rule, origin, sentence, actor, note = old.rule, old.origin, old.sentence, old.actor, old.note
            self.db.execute(
                "UPDATE denial SET until = ?, sentence = ?, rule = ?, origin = ?, note = ?, actor = ?,"
                " clients = max(clients, ?), attempts = max(attempts, ?), names = max(names, ?) WHERE number = ?",
                (until, sentence, rule, origin, note or old.note, actor, *counts, number),
            )
        assert number is not None  # of a row that was inserted
        self._witness(number, order.evidence, now)
        found = self.find(number)
        assert found is not None  # written above, in the same transaction
        return found

    def _witness(self, number: int, lines: Sequence[bytes], now: float) -> None:
        """Evidence of a denial: of many lines the first and the last, and no password that Dovecot wrote into them."""
        if not lines:
            return
        known = {row[0] for row in self.db.execute("SELECT line FROM evidence WHERE denial = ?", (number,))}
        new = [line for line in dict.fromkeys(without_password(line[:LINE]) for line in lines) if line not in known]
        self.db.executemany("INSERT INTO evidence (denial, at, line) VALUES (?, ?, ?)", [(number, now, line) for line in new])
        if len(known) + len(new) > LINES:
            rows = [row[0] for row in self.db.execute("SELECT rowid FROM evidence WHERE denial = ? ORDER BY rowid", (number,))]
            middle = rows[LINES // 2 : len(rows) - LINES // 2]
            self.db.executemany("DELETE FROM evidence WHERE rowid = ?", [(row,) for row in middle])

    def prolong(self, ends: Iterable[tuple[int, float]]) -> None:
        """Later ends of denials, by number: they still knock."""
        with self._change():
            rows = [(moment(until), number, until) for number, until in ends]
            self.db.executemany("UPDATE denial SET until = ? WHERE number = ? AND ended IS NULL AND until < ?", rows)

    def shorten(self, now: float, longest: float, never: float) -> int:
        """Denials that nobody typed and that end later than `never` (seconds from now) end after their sentence, or `longest`."""
        with self._change():
            which = "ended IS NULL AND origin IN ('run', 'scan') AND until > ?"
            change = f"UPDATE denial SET until = ? + min(ifnull(sentence, ?), ?) WHERE {which}"
            return self.db.execute(change, (moment(now), longest, longest, now + never)).rowcount

    def settle(self, knocks: Iterable[Knocked], now: float) -> list[Entry]:
        """Count what knocked, and end what has been quiet for its time. Returns what ended."""
        with self._change():
            total, size = 0, 0
            for k in knocks:
                packets, octets = counter(k.packets), counter(k.octets)
                total, size = total + packets, size + octets
                done = self.db.execute(
                    "UPDATE denial SET knocks = min(knocks + ?, ?), octets = min(octets + ?, ?),"
                    " last_knock = max(ifnull(last_knock, ?), ?) WHERE number = ?",
                    (packets, MOST, octets, MOST, moment(k.last), k.last, k.number),
                )
                if not done.rowcount:
                    continue  # forgotten meanwhile
                self.db.execute(
                    "INSERT INTO knock (day, denial, port, protocol, packets, octets) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO"
                    " UPDATE SET packets = min(packets + excluded.packets, ?), octets = min(octets + excluded.octets, ?)",
                    (int(k.last // DAY), k.number, k.port, k.protocol, packets, octets, MOST, MOST),
                )
                if k.source:
                    self.db.execute(
                        "INSERT INTO knocker (day, denial, source, port, protocol, packets, octets, last)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET packets = min(packets + excluded.packets, ?),"
                        " octets = min(octets + excluded.octets, ?), last = max(last, excluded.last)",
                        (int(k.last // DAY), k.number, k.source, k.port, k.protocol, packets, octets, k.last, MOST, MOST),
                    )
            self._add("knocks", number=total)
            self._add("octets", number=size)
            over = self._all(f"SELECT {COLUMNS} FROM denial WHERE ended IS NULL AND until <= ? ORDER BY number", (moment(now),))
            return self._over(over, now)

    def _over(self, entries: Iterable[Entry], now: float) -> list[Entry]:
        """Their time is over: they were quiet for it, or it was fixed."""
        found = [e._replace(ended=now, ending="expired" if e.sentence is None else "quiet") for e in entries]
        for ending in ("quiet", "expired"):
            self._end([e.number for e in found if e.ending == ending], now, ending)
        return found

    def end(self, numbers: Iterable[int], now: float, ending: str) -> None:
        """These denials are over, for another reason."""
        with self._change():
            self._end(numbers, moment(now), words(ending, WORD))

    def _end(self, numbers: Iterable[int], now: float, ending: str) -> None:
        rows = [(now, ending, number) for number in numbers]
        done = self.db.executemany("UPDATE denial SET ended = ?, ending = ? WHERE number = ? AND ended IS NULL", rows)
        if ending != "watch":
            self._add("ended", ending, done.rowcount)

    def release(
        self, numbers: Iterable[int], now: float, actor: str = "", note: str = "", also: Iterable[Prefix] = ()
    ) -> list[Entry]:
        """Let them in again, and remember it: older lines deny none of these networks anew, nor those of `also`.

        Returns the denials that ended by it.
        """
        with self._change():
            found = [entry for number in dict.fromkeys(numbers) if (entry := self.find(number)) is not None]
            lasting = [e for e in found if e.ended is None]
            self._end([e.number for e in lasting], moment(now), "released")
            for network, bits in dict.fromkeys([*(e.prefix for e in found), *((cut(n, b), b) for n, b in also)]):
                self.db.execute(
                    "INSERT OR REPLACE INTO release (network, bits, at, actor, note) VALUES (?, ?, ?, ?, ?)",
                    (network, bits, now, words(actor, WORD), words(note)),
                )
            return [e._replace(ended=now, ending="released") for e in lasting]

    # ---- looked up ----------------------------------------------------------------------------------------------------

    def find(self, number: int) -> Entry | None:
        """The denial of this number, also one that ended."""
        return self._one(f"SELECT {COLUMNS} FROM denial WHERE number = ?", (number,)) if 0 < number < 1 << 62 else None

    def active(self, now: float) -> list[Entry]:
        """Who is denied at this time, in the order of the numbers."""
        query = f"SELECT {COLUMNS} FROM denial WHERE ended IS NULL AND (until IS NULL OR until > ?) ORDER BY number"
        return self._all(query, (now,))

    def lasting(self, now: float) -> Iterator[tuple[bytes, int, int, int, float | None]]:
        """Network, bits, port, protocol and end of the same, one by one: a million need no memory at once."""
        query = "SELECT network, bits, port, protocol, until FROM denial WHERE ended IS NULL AND (until IS NULL OR until > ?)"
        query += " ORDER BY number"
        with self._reading():
            yield from self.db.execute(query, (now,))

    def count(self) -> int:
        """How many last, those whose time is just over among them."""
        with self._reading():
            return int(self._value("SELECT count(*) FROM denial WHERE ended IS NULL"))

    def shown(self, now: float, length: float, limit: int) -> list[Entry]:
        """Who of them people look for: what they typed, and networks denied for `length` seconds or longer, less what their
        lines were on the way; those first that last longest. At most `limit`: 1 ms among a million."""
        query = (
            f"SELECT {COLUMNS} FROM denial INDEXED BY denial_shown"
            " WHERE ended IS NULL AND (origin = 'hand' OR bits < 8 * length(network))"
            " AND (until IS NULL OR (until > ? AND (origin = 'hand' OR until - since >= ?)))"
            " ORDER BY origin = 'hand' DESC, ifnull(until, 9e99) DESC LIMIT ?"
        )
        return self._all(query, (now, length - ON_THE_WAY, limit))

    def ended(self, since: float = 0.0, limit: int = 10_000, *, watched: bool = False) -> list[Entry]:
        """Denials that ended since then, the last first; `watched`: instead those that watch-only mode wrote down, of nobody."""
        which = "ending = 'watch'" if watched else "ending != 'watch'"
        query = f"SELECT {COLUMNS} FROM denial WHERE ended >= ? AND {which} ORDER BY ended DESC, number DESC LIMIT ?"
        return self._all(query, (since, limit))

    def covering(self, network: bytes, bits: int | None = None) -> list[Entry]:
        """Every denial, past or present, of this address or network, or of a wider one around it; newest first."""
        joined, values = _among(around(network, 8 * len(network) if bits is None else bits))
        return self._all(
            f"{joined} SELECT {COLUMNS} FROM among CROSS JOIN denial ON network = n AND bits = b ORDER BY number DESC", values
        )

    def inside(self, network: bytes, bits: int, limit: int = 1000) -> list[Entry]:
        """Every denial of a narrower network in this one: all that last, then at most `limit` that ended; each newest first."""
        query = f"SELECT {COLUMNS} FROM denial WHERE network BETWEEN ? AND ? AND length(network) = ? AND bits > ?"
        values = (*span(network, bits), len(network), bits)
        lasting = self._all(f"{query} AND ended IS NULL ORDER BY number DESC", values)
        return lasting + self._all(f"{query} AND ended IS NOT NULL ORDER BY number DESC LIMIT ?", (*values, limit))

    def history(self, network: bytes, bits: int, limit: int = 1000) -> list[Entry]:
        """Both together, newest first."""
        found = [*self.covering(network, bits), *self.inside(network, bits, limit)]
        return sorted(found, key=lambda e: -e.number)

    def evidence(self, number: int) -> list[bytes]:
        """The lines that a denial rests on, oldest first."""
        with self._reading():
            return [row[0] for row in self.db.execute("SELECT line FROM evidence WHERE denial = ? ORDER BY rowid", (number,))]

    def last_release(self) -> tuple[float, int]:
        """When somebody was let in last, and how many releases are remembered: whether there is a new one."""
        with self._reading():
            row = self.db.execute("SELECT ifnull(max(at), 0.0), count(*) FROM release").fetchone()
            return row[0], row[1]

    def releases(self) -> list[Release]:
        """Every release, oldest first."""
        with self._reading():
            return [Release(*row) for row in self.db.execute("SELECT network, bits, at, actor, note FROM release ORDER BY at")]

    def released_after(self, network: bytes, bits: int) -> Release | None:
        """The newest release of this network, or of a wider one around it: lines from before it deny nobody in it."""
        joined, values = _among(around(network, bits))
        found = "SELECT network, bits, at, actor, note FROM among CROSS JOIN release ON network = n AND bits = b"
        query = f"{joined} {found} ORDER BY at DESC LIMIT 1"
        with self._reading():
            row = self.db.execute(query, values).fetchone()
        return None if row is None else Release(*row)


def _among(prefixes: Sequence[Prefix]) -> tuple[str, list[bytes | int]]:
    """The table `among` of these networks, to be joined: one look into an index for each, 129 for an IPv6 address.

    Not `(network, bits) IN (VALUES ...)`: for that SQLite 3.40 reads the whole table (8 ms for 100,000 rows instead of 0.3).
    """
    return f"WITH among (n, b) AS (VALUES {', '.join(['(?, ?)'] * len(prefixes))})", [part for p in prefixes for part in p]
