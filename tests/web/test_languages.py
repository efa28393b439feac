"""What the page and the ledger say, in the language of whoever reads."""

import pytest

pytest.importorskip("starlette", reason="starlette is not installed (the extra serve)")

from monzen.judge import Judge
from monzen.show.facts import Gate, _told
from monzen.show.lengths import LENGTHS, lengths
from monzen.show.words import speak
from monzen.verbs.common import seconds
from monzen.web.app import checked, preferred


@pytest.fixture(autouse=True)
def spoken():
    yield
    speak()


@pytest.mark.parametrize(("accepted", "language"), [
    ("", "en"), ("*", "en"), ("fr", "en"), ("ja", "ja"), ("JA-jp", "ja"), ("ja-JP,ja;q=0.9,en-US;q=0.8", "ja"), ("en,ja;q=0.9", "en"),
    ("en;q=0.5,ja", "ja"), ("fr,ja;q=0.2", "ja"), ("ja;q=0", "en"), ("ja;q=x", "en"), ("jam", "en"), ("," * 9000 + "ja", "en"),
])  # fmt: skip
def test_which_language_a_browser_would_rather_have(accepted, language):
    assert preferred(accepted) == language


@pytest.mark.parametrize(("verb", "target", "possible"), [
    ("deny", "203.0.113.7", True), ("deny", "203.0.113.0/24", True), ("deny", "2001:db8::1", True), ("deny", "hello", False),
    ("deny", "17", False), ("deny", "mail.example.net", False), ("release", "17", True), ("release", "hello", False),
    ("allow", "mail.example.net", True), ("allow", "-x", False), ("deny", "x" * 255, False), ("panic", "hello", True),
    ("why", "203.0.113.7", True), ("why", "hello", False), ("deny", "\ud800", False), ("allow", "203.0.113.7%\ud800", False),
])  # fmt: skip
def test_what_cannot_be_done_is_said_in_the_language_of_the_reader(verb, target, possible):
    for language, word in (("en", "Use"), ("ja", "ください")):
        said = checked(verb, target, language)["text"]
        assert (said == "") == possible
        assert possible or word in said


def test_what_the_ledger_keeps_is_told_to_each_reader():
    row = {"number": 1, "target": "203.0.113.9", "port": 25, "protocol": 6, "at": 1.0, "until": None, "knocks": 0}
    row |= {"rule": "hand", "origin": "cli", "note": "seen", "attempts": 2, "clients": 0}
    alarm = {"at": 1.0, "kind": "mode", "text": "the gate was armed by root"}
    gate = Gate("armed", (), 0, (), (row,), (alarm,), 1)
    for language, target, why, text in (
        ("en", "203.0.113.9 port 25/tcp", "typed by hand: 2 attempts; seen", "the gate was armed by root"),
        ("ja", "203.0.113.9 ポート25/tcp", "手動：試行2回　seen", "root が拒否を有効にしました"),
    ):
        speak(language)
        told = _told(gate, Judge())
        assert (told["now"][0]["target"], told["now"][0]["why"]) == (target, why)
        assert text in told["alarms"][0]["text"]
        assert set(told["now"][0]) == {"number", "target", "at", "until", "knocks", "why"}


def test_lengths_are_those_of_the_verb():
    assert [length for length, _name in lengths()] == ["", "1h", "24h", "7d"]
    assert [seconds(length) for length, _name in LENGTHS[1:]] == [3600, 86400, 7 * 86400]
