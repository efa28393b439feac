"""What root's half takes of the other one: word by word, and nothing but what is written as an address."""

import argparse
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.arguments import moment, year, zone
from monzen.notation import LENGTH, prefix_of
from monzen.settings import GateConfig
from monzen.verbs.common import port, seconds
from monzen.web.broker import WIDE, Broker, BrokerError, canonical, command, receive, send


@pytest.mark.parametrize(("verb", "typed", "shown"), [
    ("deny", "203.0.113.7", "203.0.113.7"), ("deny", "203.0.113.77/24", "203.0.113.0/24"), ("deny", "203.0.113.7/32", "203.0.113.7"),
    ("deny", "2001:DB8:0:0::1", "2001:db8::1"), ("why", "2001:db8::/32", "2001:db8::/32"), ("deny", "::ffff:203.0.113.7", "203.0.113.7"),
    ("release", "0017", "17"), ("release", "203.0.113.0/024", "203.0.113.0/24"), ("allow", "Mail.Example.NET.", "mail.example.net"),
])  # fmt: skip
def test_it_is_done_to_what_is_shown(verb, typed, shown):
    assert canonical(verb, typed) == shown
    assert canonical(verb, shown) == shown
    if verb != "why":
        assert command(verb, typed) == [verb, "--", shown]


@pytest.mark.parametrize("typed", [
    "203.0.113.80%\x1b[31mX<b>", "203.0.113.80%eth0", "fe80::1%eth0", "203.0.113.81/255.255.255.0", "203.0.113.81/0.0.0.255", " 203.0.113.9",
    "203.0.113.9\n", "203.0.113.9 ", "203.0.113. 9", "[2001:db8::1]", "203.0.113.9%\ud800", "\ud800", "203.0.113.\u0663", "203.0.113.0/\u0662\u0664",
    "\u0663", "", "/", ":", "203.0.113.9/", "203.0.113.9/33", "203.0.113.9/-1", "203.0.113.9/+8", "x" * 300, "1" * 300, "203.0.113.9\0",
    "2001:db8::1/129", "::1::", "--help", "-1",
])  # fmt: skip
@pytest.mark.parametrize("verb", ["deny", "release", "allow", "why"])
def test_other_forms_of_an_address_are_none(verb, typed):
    with pytest.raises(BrokerError):
        canonical(verb, typed)


@given(st.sampled_from(["deny", "release", "allow"]), st.text() | st.from_regex(r"[0-9a-f:./% \[\]]{1,40}"))
def test_what_is_handed_on_is_a_fixed_point(verb, typed):
    try:
        *_rest, target = command(verb, typed)
    except BrokerError:
        return
    assert canonical(verb, target) == target
    assert target.isascii()
    assert target.isprintable()
    assert not target.startswith("-")
    assert prefix_of(target) == prefix_of(typed)


@pytest.mark.parametrize("verb", ["release", "allow"])
@pytest.mark.parametrize(("target", "limits", "done"), [
    ("0.0.0.0/0", {}, False), ("::/0", {}, False), ("128.0.0.0/1", {}, False), ("203.0.113.9/7", {}, False), ("203.0.113.9/8", {}, True),
    ("2001:db8::/19", {}, False), ("2001:db8::/20", {}, True), ("203.0.113.0/24", {"widest4": 25}, False), ("203.0.113.0/25", {"widest4": 25}, True),
    ("2001:db8::/47", {"widest6": 48}, False), ("2001:db8::/48", {"widest6": 48}, True), ("::ffff:0.0.0.0/96", {}, False), ("203.0.113.9", {"widest4": 32}, True),
])  # fmt: skip
def test_nothing_wider_is_let_in_than_may_be_denied(verb, target, limits, done):
    broker = Idle(socket.socket(), None, lambda: GateConfig(**limits))
    with broker.link:
        answer = broker.answer({"do": verb, "target": target})
        assert (answer["status"], answer["text"] == WIDE) == ((0, False) if done else (2, True))
        assert broker.answer({"do": "release", "target": "17"})["status"] == 0


class Idle(Broker):
    """One that runs no verb: nothing of this machine is changed."""

    def act(self, arguments, language):
        return {"status": 0, "text": f"would run {arguments} in {language}"}


def answered(*asked):
    """What a Broker says to each."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(60)
        serving = threading.Thread(target=Idle(theirs, None).run, daemon=True)
        serving.start()
        found = []
        for one in asked:
            send(ours, one)
            found.append(receive(ours))
        ours.shutdown(socket.SHUT_RDWR)
        serving.join(60)
    return found


def test_a_refusal_is_in_our_words():
    """Whatever is asked: no word of Python's, nothing that cannot be written."""
    hostile = ("203.0.113.9%\ud800", "\ud800", "203.0.113.9\0", None, [1], {"a": 1}, 1e400, "x" * 9000)
    asked = [{"do": verb, "target": target} for verb in ("deny", "release", "allow") for target in hostile]
    asked += [{"do": "\ud800", "target": "203.0.113.9"}, {"do": "deny", "target": "203.0.113.9", "for": "\u0663h"}, {"do": "deny"}, {}, [], 7]
    asked += [{"do": "gate", "since": "x"}, {"do": "gate", "since": "\ud800"}, {"do": "gate"}]
    known = {f"refused: {why}" for why in ("no such verb", "no such target", "no such time", "no question")}
    for one, answer in zip(asked, answered(*asked), strict=True):
        assert (answer["status"], answer["text"] in known) == (2, True), (one, answer)
    done = {"status": 0, "text": "would run ['deny', '--for', '1h', '--', '203.0.113.0/24'] in ja"}
    assert answered({"do": "deny", "target": "203.0.113.9/24", "for": "1h", "language": "ja"}) == [done]


@pytest.mark.parametrize("digit", ["\u0663", "\uff13", "\u0969", "\u00b3"])
def test_a_number_has_digits_of_ascii(digit):
    assert LENGTH("3h")
    assert LENGTH(f"{digit}h") is None
    assert LENGTH(f"1.{digit}h") is None
    with pytest.raises(BrokerError):
        command("deny", "203.0.113.9", f"{digit}h")
    for read, text in ((seconds, f"{digit}h"), (port, f"2{digit}"), (year, f"202{digit}"), (zone, f"+0{digit}:00")):
        with pytest.raises(argparse.ArgumentTypeError):
            read(text)
    with pytest.raises(ValueError, match="Invalid isoformat"):
        moment(f"{digit}h", 1e9, zone("UTC"))
