"""Who got in is nobody's old device: no view says so any more."""

import datetime as dt
import json
import os
import re
import subprocess
import sys

import pytest

from monzen.judge import Judge
from monzen.judge.findings import Breach
from monzen.scan import Options, scan_sets
from monzen.show.alarms import BREACHES, broken_in, unrefuted
from monzen.show.chronicle import Chronicle
from monzen.show.facts import Gate, gather
from monzen.show.reasons import english
from monzen.show.stored import retold
from monzen.show.words import speak
from monzen.sources import plan
from tests.show.test_facts import WEEK
from tests.test_looking import failed, lines

END = dt.datetime(2026, 9, 14, tzinfo=dt.UTC).timestamp()
GUESSER, PHONE = "198.51.100.66", "192.0.2.9"
PROBABLY = "old password on a device"


@pytest.fixture
def log(tmp_path):
    """Two try one name over and over and are taken for devices; one of them goes on, is to be denied, and gets in."""
    guesses = [line for line in WEEK.read_text().splitlines(keepends=True) if GUESSER in line]
    path = tmp_path / "mail.log"
    path.write_text(lines(*((3600 * n, failed("carol", PHONE, n)) for n in range(16))) + "".join(guesses))
    return path


def monzen(*arguments):
    return subprocess.run([sys.executable, "-m", "monzen", *arguments], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "400"}).stdout


def judged(log):
    judge = Judge()
    chronicle = Chronicle(judge)
    sets, errors = plan([str(log)], now=END)
    return scan_sets(sets, errors, Options(END, dt.UTC, None, None), judge, watch=chronicle.see), chronicle


def test_the_judge_did_take_both_for_devices_before(log):
    reading, _chronicle = judged(log)
    assert {a.client for a in reading.judge.alarmed() if a.what == "device"} == {bytes([198, 51, 100, 66]), bytes([192, 0, 2, 9])}
    assert [b.client for b in reading.judge.breaches] == [bytes([198, 51, 100, 66])]


@pytest.mark.parametrize("verb", [("scan",), ("report",), ("watch", "--once"), ("why", GUESSER)])
def test_no_verb_says_it_of_who_got_in(log, verb):
    said = monzen(verb[0], *verb[1:], str(log))
    about = [line for line in said.splitlines() if GUESSER in line]
    assert about
    assert not [line for line in about if PROBABLY in line or "spared" in line or "no list of names" in line], said
    if verb[0] == "scan":
        assert said.count("no list of names") == 1  # of the other one
    if verb[0] != "why":
        assert [line for line in said.splitlines() if PHONE in line and PROBABLY in line]


def test_no_json_does(log):
    found = json.loads(monzen("scan", str(log), "--json"))
    assert [s["target"] for s in found["spared"]] == [a["client"] for a in found["alarms"]] == [PHONE]
    found = json.loads(monzen("report", str(log), "--json"))
    assert [s["target"] for s in found["spared"]] == [PHONE]
    assert len(found["alarms"]) == 1
    assert GUESSER not in found["alarms"][0]["text"]


def test_nor_what_the_ledger_kept_from_before(log):
    reading, chronicle = judged(log)
    kept = [
        {"at": 1.0, "kind": "device", "text": f"{who} tries one name over and over: probably an {PROBABLY}"}
        for who in (GUESSER, PHONE)
    ]
    kept += [{"at": 2.0, "kind": "breach", "text": f"{GUESSER} guessed"}]
    assert unrefuted(reading.judge, kept) == kept[1:]
    gate = Gate("armed", (), 0, (), (), kept)
    told = gather(reading, chronicle, names=False, gate=gate)["gate"]["alarms"]
    assert [a["text"].split()[0] for a in told] == [PHONE, GUESSER]


@pytest.mark.parametrize("why", BREACHES)
def test_a_break_in_without_a_name_has_no_blank_where_japanese_has_none(why):
    breach = Breach(bytes([203, 0, 113, 7]), None, 0.0, 3, why, b"")
    speak("ja")
    try:
        for said in (broken_in(breach), retold(broken_in(breach, english))):
            assert " " not in re.sub(r" ?203\.0\.113\.7 ", "", said), said
            assert said.endswith("。"), said
    finally:
        speak()
