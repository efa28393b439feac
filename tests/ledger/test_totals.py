"""What is counted grows only: over thinning, ends, a rescue and a new start; and nobody can make it grow in rows."""

import re
from pathlib import Path

import pytest

from monzen.ledger import Knocked, Ledger, LedgerError, Limits, rescue
from monzen.ledger.totals import ALARMS, ENDINGS, ORIGINS
from monzen.show import alarms as shown
from monzen.watched import would_be_denied
from tests.ledger.made import DAY, NOW, A, B, C, fill, order

SOURCE = Path(__file__).parent.parent.parent / "src/monzen"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "ledger.db")


def test_each_thing_is_counted_once(path):
    with Ledger.open(path) as ledger:
        first, second = ledger.impose([order(A), order(B, 24, origin="hand")], NOW)
        ledger.impose([order(A, attempts=9)], NOW + 1)  # is denied already
        ledger.watched([order(C, 48), order(A)], NOW + 2)
        ledger.settle([Knocked(first.number, 25, 6, 3, 180, NOW + 5, A), Knocked(second.number, 25, 6, 4, 240, NOW + 5, A)], NOW + 6)
        ledger.alarm("breach", "somebody got in", NOW)
        ledger.release([first.number], NOW + 7)
        ledger.release([first.number], NOW + 8)  # is over already
        ledger.settle([], NOW + 2 * DAY)
        assert ledger.tally(NOW + 2 * DAY).totals == {
            ("denied", "scan"): 1, ("denied", "hand"): 1, ("watched", ""): 1, ("knocks", ""): 7, ("octets", ""): 420,
            ("alarm", "breach"): 1, ("ended", "released"): 1, ("ended", "expired"): 1,
        }  # fmt: skip


def test_what_lasts_is_as_the_rows_say(path):
    fill(path)
    with Ledger.open(path) as ledger:
        ledger.watched([order(bytes((192, 0, 2, n))) for n in range(40, 45)], NOW + 30)
        ledger.watched([order(bytes((192, 0, 2, 40)))], NOW + 31)  # the same again
        ledger.impose([order(bytes((192, 0, 2, 41)))], NOW + 32)
        ledger.release([], NOW + 33, also=[(bytes((192, 0, 2, 42)), 32)])
        for now in (NOW + 40, NOW + 40 * DAY):
            found, rows = ledger.tally(now), ledger.active(now)
            for family, octets in (("ipv4", 4), ("ipv6", 16)):
                mine = [e for e in rows if len(e.network) == octets]
                assert found.lasting[family, "address"] == sum(e.bits == 8 * octets for e in mine)
                assert found.lasting[family, "network"] == sum(e.bits < 8 * octets for e in mine)
            assert found.would == len(would_be_denied(ledger, now))
            assert found.allowed == len(ledger.allowed())
            if now < NOW + DAY:
                assert found.lasting["ipv4", "network"] == found.lasting["ipv6", "network"] == 1, "or they would not be told apart"
        assert found.last_alarm == {"gate": NOW, "full": NOW + 2}


def test_it_never_falls(path):
    fill(path)
    with Ledger.open(path) as ledger:
        before = ledger.tally(NOW).totals
        assert before["denied", "scan"] == 302
        ledger.thin(NOW + 2000 * DAY, Limits(ended_days=1, ended_most=0, past_most=0, alarms_most=0))
        assert ledger.ended() == []
        assert ledger.tally(NOW).totals == before
    saved = rescue(path, NOW)
    with saved.ledger as ledger:
        assert ledger.tally(NOW).totals == before


def test_a_change_that_failed_does_not_count(path):
    with Ledger.open(path) as ledger:
        with pytest.raises(ValueError, match="no time"):
            ledger.impose([order(A), order(B, 24, until=float("nan"))], NOW)
        assert ledger.tally(NOW).totals == {}


def test_names_that_run_invents_are_one_row(path):
    with Ledger.open(path) as ledger:
        for number in range(50):
            ledger.alarm(f"x{number}", "hostile", NOW)
        found = ledger.tally(NOW)
        assert found.totals == {("alarm", "other"): 50}
        assert found.last_alarm == {"other": NOW}
        ledger.note("total:denied:run", "many")  # nobody writes that; a damaged page may
        assert ("denied", "run") not in ledger.tally(NOW).totals


def test_every_kind_that_there_is_is_known():
    code = {path: path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    said = {kind for text in code.values() for kind in re.findall(r"\b_?alarm\(\s*\"([a-z-]+)\"", text)}
    assert {"breach", "leak"} <= said
    assert (said | set(shown.ALARMS)) - set(ALARMS) == set()
    endings = {word for text in code.values() for word in re.findall(r"\.end\([^()]*(?:\([^()]*\))?[^()]*, \"([a-z]+)\"\)", text)}
    assert "freed" in endings
    assert endings - set(ENDINGS) == set()
    assert {word for text in code.values() for word in re.findall(r"\borigin=\"([a-z]+)\"", text)} <= set(ORIGINS)


def test_a_reader_keeps_no_writer_waiting(path):
    fill(path)
    with Ledger.open(path) as writer, Ledger.open(path, readonly=True) as reader:
        reader.db.execute("BEGIN")
        before = reader._tally(NOW)
        writer.impose([order(bytes((192, 0, 2, 77)))], NOW)  # with a lock this would wait 10 s and raise
        assert reader._tally(NOW).totals == before.totals  # one moment for all of it
        reader.db.execute("COMMIT")
        assert reader.tally(NOW).totals["denied", "scan"] == before.totals["denied", "scan"] + 1


def test_a_damaged_file_is_said(path):
    fill(path)
    data = bytearray(Path(path).read_bytes())
    for at in range(4096, len(data), 512):
        data[at : at + 64] = b"\xff" * 64
    Path(path).write_bytes(data)
    with pytest.raises(LedgerError) as refused, Ledger.open(path, readonly=True) as ledger:
        ledger.tally(NOW)
    assert refused.value.damaged
