"""What is stored is English, and is told in the language of whoever reads, with the facts where they belong."""

import time

import pytest

from monzen.judge.client import Sentence
from monzen.judge.findings import Alarm, Breach
from monzen.judge.policy import Policy
from monzen.show import stored
from monzen.show.alarms import ALARMS, BREACHES, alarming, broken_in
from monzen.show.reasons import TEXTS, english, reason
from monzen.show.stored import GATE, retold
from monzen.show.words import _, ngettext, speak

HOSTILE = ["office", "", "a: b", "x was armed by y", "{who}", "{0.__class__}", "ask that user, or change the password", "x" * 79, "日本"]


@pytest.fixture(autouse=True)
def _quiet():
    yield
    speak()


@pytest.mark.parametrize("rule", TEXTS)
@pytest.mark.parametrize("number", [1, 2, 1234567])
def test_a_reason_is_told_as_if_it_had_been_said_in_that_language(rule, number):
    sentence = Sentence(b"\xcb\0q", 24, 0.0, 3600.0, rule, number, number, ())
    sentence.detail = number
    for policy in (Policy(), Policy()._replace(window=5400.0, memory=36 * 3600.0), Policy()._replace(window=600.0, memory=86400.0)):
        kept = reason(sentence, policy)
        assert kept.isascii()
        speak("ja")
        assert retold(kept) == reason(sentence, policy, _, ngettext)
        assert retold(kept) != kept
        speak("en")
        assert retold(kept) == kept


@pytest.mark.parametrize("user", HOSTILE)
@pytest.mark.parametrize("why", BREACHES)
def test_a_break_in(why, user):
    breach = Breach(bytes([203, 0, 113, 7]), user.encode() or None, 0.0, 3, why, b"")
    speak("ja")
    kept = broken_in(breach, english)
    assert retold(kept) == broken_in(breach)
    assert "次" not in kept


@pytest.mark.parametrize("user", ["", " as office", " as a before it began to guess: b"])
@pytest.mark.parametrize("what", ALARMS)
def test_an_alarm(what, user):
    alarm = Alarm(what, 0.0, 0.0, 1, bytes([203, 0, 113, 7]), b"")
    speak("ja")
    assert retold(alarming(alarm, user, english)) == alarming(alarm, user)


@pytest.mark.parametrize("text", GATE)
def test_what_the_gate_writes_down(text):
    facts = {"who": "root", "until": "2026-11-26 03:12:00", "n": 1234, "most": 5000, "target": "203.0.113.0/24"}
    kept = text.format(**facts)
    speak("ja")
    told = retold(kept)
    assert told != kept
    for name, fact in facts.items():
        if "{" + name in text:
            assert (f"{fact:,}" if isinstance(fact, int) else fact) in told
    speak("en")
    assert retold(kept) == kept


def test_what_is_none_of_these_stands_as_it_is():
    speak("ja")
    for text in ("", "the gate was armed", "門が開いた", "{who}", "the gate was armed by " + "x" * 65, "a" * 4000):
        assert retold(text) == text


def test_hostile_text_takes_no_time():
    began = time.process_time()
    for piece in (" guessed, then logged in as ", "; ", "1,", " of one network, ", " within ", ", none of which succeeded"):
        retold((piece * 500)[:400])
    assert time.process_time() - began < 1.0


def test_every_place_of_a_sentence_is_known():
    assert len(stored._sentences()) == len({*GATE, *BREACHES.values(), *ALARMS.values(), *TEXTS.values()}) - 1, "but {signs}"
