"""Who is allowed, alarms, values, counts, and what is forgotten."""

import os

import pytest

from monzen.ledger import Knocked, Ledger, Limits
from tests.ledger.made import DAY, LINE, NOW, A, B, C, fill, order


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(str(tmp_path / "lib/ledger.db")) as ledger:
        yield ledger


def test_a_name_stands_for_its_last_good_answer(ledger):
    row = ledger.allow("mail.example.org", [(A, 32)], NOW, name=True, actor="root", note="office")
    assert (row.prefixes, row.name, row.resolved, row.note) == (((A, 32),), True, NOW, "office")
    ledger.resolved(row.number, [(B, 32), (C, 128)], NOW + 60)
    assert ledger.allowed()[0].prefixes == ((C, 128), (B, 32))
    ledger.resolved(row.number, [], NOW + 120)
    assert ledger.allowed()[0] == row._replace(prefixes=((C, 128), (B, 32)), resolved=NOW + 60)


def test_allowed_again_keeps_number_and_note(ledger):
    first = ledger.allow("192.0.2.0/24", [(A, 24)], NOW, note="lan")
    assert first.prefixes == ((bytes((192, 0, 2, 0)), 24),)
    again = ledger.allow("192.0.2.0/24", [(A, 24)], NOW + 5)
    assert (again.number, again.note, again.at) == (first.number, "lan", NOW)


def test_taken_back_it_stays_in_the_history(ledger):
    ledger.allow("192.0.2.7", [(A, 32)], NOW, actor="root")
    gone = ledger.unallow("192.0.2.7", NOW + 5, "alice")
    assert (gone.ended, gone.ender, gone.prefixes) == (NOW + 5, "alice", ((A, 32),))
    assert ledger.unallow("192.0.2.7", NOW + 6) is None
    assert ledger.allowed() == []
    assert ledger.allowed(past=True) == [gone]
    ledger.resolved(gone.number, [(B, 32)], NOW + 9)
    assert ledger.allowed(past=True) == [gone]
    assert ledger.allow("192.0.2.7", [(A, 32)], NOW + 10).number == gone.number + 1


def test_alarms_are_told_once(ledger):
    one = ledger.alarm("gate", "the table was lost", NOW, {"denials": 3})
    two = ledger.alarm("full", "no room" * 200, NOW + 1, {"x": "y" * 9000})
    assert [(a.number, a.kind, a.detail) for a in ledger.alarms()] == [(two, "full", ""), (one, "gate", '{"denials": 3}')]
    ledger.told([one], NOW + 2)
    ledger.told([one], NOW + 9)
    assert [a.number for a in ledger.alarms(untold=True)] == [two]
    assert [a.told for a in ledger.alarms(limit=5)] == [None, NOW + 2]
    assert ledger.alarms(NOW + 5) == []


def test_values(ledger):
    assert ledger.noted("reconciled") is None
    ledger.note("reconciled", "1")
    ledger.note("reconciled", "2")
    assert ledger.noted("reconciled") == "2"


def test_counts_count(tmp_path):
    path = tmp_path / "ledger.db"
    fill(path, 20)
    with Ledger.open(str(path), readonly=True) as ledger:
        counts = ledger.counts(NOW + 60)
    assert counts[:3] == (20, 2, 40)
    assert counts[4:10] == (2, 2, 2, 1, 10, 1)
    assert counts.evidence_bytes > 20 * len(LINE)
    assert counts.file_bytes == path.stat().st_size


# ---- thin


def test_thin_forgets_evidence_then_the_denial_and_keeps_a_sum(ledger):
    for n in range(3):
        (entry,) = ledger.impose([order(A, evidence=(LINE,), attempts=5)], NOW + n * DAY)
        ledger.settle([Knocked(entry.number, 25, 6, 2, 100, NOW + n * DAY)], NOW + (n + 1) * DAY)
    (lasting,) = ledger.impose([order(B, 24, until=None, evidence=(LINE,))], NOW)
    ledger.thin(NOW + 92.25 * DAY)
    assert [bool(ledger.evidence(n)) for n in (1, 2, 3, lasting.number)] == [False, False, True, True]
    assert {row[0] for row in ledger.knocked()} == {3}
    assert ledger.past(A, 32) is None
    ledger.thin(NOW + 402.25 * DAY)
    assert ledger.past(A, 32)[2:] == (2, NOW, NOW + 2 * DAY, 10, 4, 200)
    ledger.thin(NOW + 500 * DAY)
    assert ledger.past(A, 32)[2:] == (3, NOW, NOW + 3 * DAY, 15, 6, 300)
    assert ledger.ended() == []
    assert ledger.active(NOW + 500 * DAY) == [lasting]
    assert ledger.evidence(lasting.number) == [LINE]


def test_thin_takes_the_oldest_where_there_is_too_much(ledger):
    entries = ledger.impose([order(bytes((10, 0, 0, n)), evidence=(b"x" * 100,)) for n in range(40)], NOW)
    for entry in entries[:20]:
        ledger.settle([Knocked(entry.number, 25, 6, 1, 1, NOW)], NOW)
        ledger.release([entry.number], NOW + entry.number)
        ledger.alarm("gate", str(entry.number), NOW + entry.number)
    ledger.told([20], NOW)
    ledger.thin(NOW + 100, Limits(evidence_bytes=2500))
    assert [bool(ledger.evidence(e.number)) for e in entries] == [False] * 15 + [True] * 25
    ledger.thin(NOW + 100, Limits(ended_most=8, alarms_most=6, releases_most=7, knocks_most=3, evidence_bytes=1000))
    assert sorted(e.number for e in ledger.ended()) == list(range(13, 21))
    assert [a.text for a in ledger.alarms()] == ["19", "18", "17", "16", "15", "14"]
    assert [r.at for r in ledger.releases()] == [NOW + n for n in range(14, 21)]
    assert len(ledger.knocked()) == 3
    assert [bool(ledger.evidence(e.number)) for e in entries] == [False] * 30 + [True] * 10
    assert len(ledger.active(NOW + 100)) == 20
    ledger.thin(NOW + 100, Limits(ended_most=0, past_most=5))
    assert ledger.ended() == []
    assert ledger.counts(NOW).past == 5
    assert ledger.past(entries[0].network, 32) is None
    assert ledger.past(entries[19].network, 32).times == 1


def test_thin_forgets_nobody_who_is_denied_or_allowed_now_however_long_ago_he_was_named(ledger):
    ledger.allow("192.0.2.7", [(A, 32)], NOW)
    ledger.allow("198.51.100.0/24", [(B, 24)], NOW)
    ledger.impose([order(C, 48, until=None, origin="hand")], NOW)
    ledger.unallow("198.51.100.0/24", NOW + 1000 * DAY)
    ledger.thin(NOW + 1300 * DAY)
    assert [a.text for a in ledger.allowed(past=True)] == ["192.0.2.7", "198.51.100.0/24"]
    ledger.thin(NOW + 1401 * DAY, Limits(ended_most=0, alarms_most=0, releases_most=0, knocks_most=0, past_most=0, evidence_bytes=0))
    assert [(a.text, a.prefixes) for a in ledger.allowed(past=True)] == [("192.0.2.7", ((A, 32),))]
    assert [e.network for e in ledger.active(NOW + 1401 * DAY)] == [C]


def test_an_alarm_is_known_by_its_moment_kind_and_words(ledger):
    ledger.alarm("breach", "somebody got in", NOW)
    assert ledger.alarmed("breach", "somebody got in", NOW)
    for other in (("leak", "somebody got in", NOW), ("breach", "somebody else got in", NOW), ("breach", "somebody got in", NOW - 1.0), ("breach", "somebody got in", NOW + 1.0)):
        assert not ledger.alarmed(*other)


def test_thin_gives_room_back(tmp_path):
    path = tmp_path / "ledger.db"
    with Ledger.open(str(path)) as ledger:
        lines = tuple(b"%d" % n + b"x" * 1500 for n in range(10))
        ledger.impose([order(bytes((10, 0, n >> 8, n & 255)), evidence=lines) for n in range(300)], NOW)
    before = path.stat().st_size
    with Ledger.open(str(path)) as ledger:
        ledger.end(range(1, 301), NOW, "lost")
        assert ledger.thin(NOW + 1) == 0
        assert ledger.thin(NOW + 100 * DAY) == 3000
        assert ledger.thin(NOW + 100 * DAY) == 0
    assert path.stat().st_size < before / 10
    assert not os.path.exists(f"{path}-wal")
