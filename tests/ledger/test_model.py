"""A dict beside the ledger: whatever is done, both give the same answers, also after it was closed and opened again."""

import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monzen.ledger import Knocked, Ledger, Limits
from monzen.ledger.base import cut
from tests.ledger.made import DAY, NOW, order

NETWORKS = [(bytes((192, 0, 2, 7)), 32), (bytes((192, 0, 2, 0)), 24), (bytes((192, 0, 0, 0)), 20), (bytes((198, 51, 100, 9)), 32)]
NETWORKS += [(bytes.fromhex("20010db8") + bytes(11) + b"\1", 128), (bytes.fromhex("20010db8") + bytes(12), 48)]
networks = st.sampled_from(NETWORKS)
untils = st.one_of(st.none(), st.integers(1, 20))
numbers = st.integers(0, 30)


def covers(wide, narrow):
    return len(wide[0]) == len(narrow[0]) and wide[1] <= narrow[1] and cut(narrow[0], wide[1]) == wide[0]


class Beside(RuleBasedStateMachine):
    """The ledger and what it should say."""

    @initialize()
    def begin(self):
        self.folder = tempfile.mkdtemp()
        self.path = f"{self.folder}/ledger.db"
        self.ledger = Ledger.open(self.path)
        self.now, self.given = NOW, 0
        self.rows, self.released, self.allowed = {}, {}, {}

    def teardown(self):
        self.ledger.close()
        shutil.rmtree(self.folder)

    def lasting(self, key):
        return next((n for n, row in self.rows.items() if row["key"] == key and row["ended"] is None), None)

    def end(self, number, ending):
        if number in self.rows and self.rows[number]["ended"] is None:
            self.rows[number].update(ended=self.now, ending=ending)

    def quiet(self):
        over = [n for n, r in self.rows.items() if r["ended"] is None and r["until"] is not None and r["until"] <= self.now]
        for number in over:
            self.end(number, "expired" if self.rows[number]["sentence"] is None else "quiet")
        return over

    @rule(seconds=st.integers(0, 6))
    def later(self, seconds):
        self.now += seconds

    @rule(
        orders=st.lists(
            st.tuples(networks, st.sampled_from([0, 25]), untils, st.booleans(), st.booleans(), st.lists(st.binary(max_size=3), max_size=3)),
            max_size=4,
        )
    )
    def impose(self, orders):
        made, expected = [], []
        for network, port, length, hand, quiet, evidence in orders:
            until = None if length is None else self.now + length
            sentence = 60.0 if quiet else None
            made.append(
                order(*network, port=port, until=until, sentence=sentence, origin="hand" if hand else "scan", evidence=tuple(evidence))
            )
            key = (*network, port, 0)
            number = self.lasting(key)
            row = self.rows.get(number)
            if row is not None and row["until"] is not None and row["until"] <= self.now:
                self.end(number, "expired" if row["sentence"] is None else "quiet")
                row = None
            if row is None:
                self.given += 1
                number, row = self.given, {"key": key, "since": self.now, "ended": None, "ending": "", "knocks": 0, "lines": []}
                row.update(until=until, sentence=sentence, hand=hand)
                self.rows[number] = row
            elif hand:
                row.update(until=until, sentence=sentence, hand=True)
            else:
                row["until"] = None if until is None or row["until"] is None else max(until, row["until"])
                if not row["hand"]:
                    row["sentence"] = sentence
            lines = list(dict.fromkeys([*row["lines"], *evidence]))
            row["lines"] = lines if len(lines) <= 12 else lines[:6] + lines[-6:]
            expected.append(number)
        assert [e.number for e in self.ledger.impose(made, self.now)] == expected

    @rule(chosen=st.lists(numbers, max_size=3), also=st.lists(networks, max_size=1))
    def release(self, chosen, also):
        expected = [n for n in dict.fromkeys(chosen) if n in self.rows and self.rows[n]["ended"] is None]
        for number in chosen:
            if number in self.rows:
                self.released[self.rows[number]["key"][:2]] = self.now
                self.end(number, "released")
        self.released.update(dict.fromkeys(also, self.now))
        assert [e.number for e in self.ledger.release(chosen, self.now, also=also)] == expected

    @rule(knocks=st.lists(st.tuples(numbers, st.integers(0, 5)), max_size=4))
    def settle(self, knocks):
        for number, packets in knocks:
            if number in self.rows:
                self.rows[number]["knocks"] += packets
        over = self.quiet()
        rows = [Knocked(number, 25, 6, packets, 1, self.now) for number, packets in knocks]
        assert [e.number for e in self.ledger.settle(rows, self.now)] == over

    @rule(ends=st.lists(st.tuples(numbers, st.integers(1, 30)), max_size=3))
    def prolong(self, ends):
        for number, length in ends:
            row = self.rows.get(number)
            if row is not None and row["ended"] is None and row["until"] is not None:
                row["until"] = max(row["until"], self.now + length)
        self.ledger.prolong([(number, self.now + length) for number, length in ends])

    @rule(text=st.sampled_from(["a.example.org", "b.example.org"]), prefixes=st.lists(networks, max_size=2))
    def allow(self, text, prefixes):
        self.allowed[text] = tuple(sorted(set(prefixes))) or self.allowed.get(text, ())
        assert sorted(self.ledger.allow(text, prefixes, self.now, name=True).prefixes) == list(self.allowed[text])

    @rule(text=st.sampled_from(["a.example.org", "b.example.org"]))
    def unallow(self, text):
        found = self.ledger.unallow(text, self.now)
        assert (found is None) == (self.allowed.pop(text, None) is None)

    @rule()
    def thin(self):
        """What is left of the ended ones is the newest; a test of its own says what goes."""
        self.ledger.thin(self.now, Limits(ended_days=10 / DAY))
        self.rows = {n: r for n, r in self.rows.items() if r["ended"] is None or r["ended"] >= self.now - 10}

    @rule(readonly=st.booleans())
    def reopen(self, readonly):
        self.ledger.close()
        if readonly:
            with Ledger.open(self.path, readonly=True) as ledger:
                assert len(ledger.active(self.now)) == len(self.active())
        self.ledger = Ledger.open(self.path)

    def active(self):
        return [n for n, r in self.rows.items() if r["ended"] is None and (r["until"] is None or r["until"] > self.now)]

    @invariant()
    def both_say_the_same(self):
        assert [e.number for e in self.ledger.active(self.now)] == self.active()
        assert sorted(row[:4] for row in self.ledger.lasting(self.now)) == sorted(self.rows[n]["key"] for n in self.active())
        assert sorted(e.number for e in self.ledger.ended()) == [n for n, r in self.rows.items() if r["ended"] is not None]
        for number, row in self.rows.items():
            entry = self.ledger.find(number)
            said = (entry.key, entry.since, entry.until, entry.sentence, entry.ended, entry.ending, entry.knocks, entry.origin == "hand")
            assert said == tuple(row[k] for k in ("key", "since", "until", "sentence", "ended", "ending", "knocks", "hand"))
            assert self.ledger.evidence(number) == row["lines"]
        for network in NETWORKS:
            around = sorted((n for n, r in self.rows.items() if covers(r["key"][:2], network)), reverse=True)
            within = {n for n, r in self.rows.items() if covers(network, r["key"][:2]) and r["key"][1] > network[1]}
            assert [e.number for e in self.ledger.covering(*network)] == around
            assert {e.number for e in self.ledger.inside(*network)} == within
            at = max((at for wide, at in self.released.items() if covers(wide, network)), default=None)
            found = self.ledger.released_after(*network)
            assert (found and found.at) == at
        assert {a.text: a.prefixes for a in self.ledger.allowed()} == self.allowed
        assert self.ledger.past(*NETWORKS[0]) is None or self.ledger.past(*NETWORKS[0]).times > 0


TestBeside = Beside.TestCase
TestBeside.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
