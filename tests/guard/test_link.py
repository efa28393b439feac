"""`monzen run`'s end of the socket, and a gate at the other that says what it likes."""

import json
import os
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monzen.guard import link as module
from monzen.guard import wire
from monzen.guard.link import Link
from tests.guard.test_wire import VALUES

MODE = {"monzen": 1, "mode": "armed", "private": False, "every": 60.0}
LIES = [
    b"{", b"[]", b"\xff" * 1000, b"[" * 60_000, b'{"mode":"armed"}', b'{"monzen":1,"mode":7,"private":0}', b'{"monzen":[],"mode":"armed"}', b'{"monzen":1,"mode":[[]]}',
    b'{"shield":7}', b'{"shield":[["zz",4]],"more":false}', b'{"shield":[["c0000200",99]],"more":0}', b'{"shield":{"a":1}}', b'{"shield":[null]}', b'{"shield":[[["x"],1]]}',
    b'{"releases":[["c0000200",24]]}', b'{"releases":[["c0000200",24,"x"]]}', b'{"releases":[["c0000200",24,-1]]}', b'{"releases":[["c0000200",24,1e400]]}', b'{"releases":3}',
    b'{"answers":[]}', b'{"id":[],"answers":[]}', b'{"id":77777,"answers":[["denied",1]]}', b'{"id":1,"answers":7}', b'{"id":1,"answers":[["denied",1.5]]}', b"x" * 65_536,
]  # fmt: skip


class Gate:
    """The other end."""

    def __init__(self):
        ours, self.socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.socket.setblocking(False)
        self.link = Link("/nowhere")
        self.link.socket = ours

    def say(self, *messages):
        for message in messages:
            self.socket.send(message if isinstance(message, bytes) else json.dumps(message).encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.lose("")
        self.socket.close()


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
def test_a_lie_ends_the_talk_and_nothing_else(lie):
    with Gate() as gate:
        gate.say(MODE)
        gate.link.read()
        assert gate.link.send("orders", [["x"]]) == 1
        gate.say(lie)
        news = gate.link.read()
        assert gate.link.socket is None
        assert not gate.link.ready
        assert not gate.link.on_way
        assert gate.link.error
        assert (news.answers, news.releases, news.shield) == ([], [], None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(VALUES, st.fixed_dictionaries({}, optional=dict.fromkeys(("monzen", "mode", "shield", "releases", "answers", "id", "more", "private"), VALUES))), max_size=5))
def test_whatever_it_says_what_is_heard_has_its_types(messages):
    with Gate() as gate:
        gate.link.send("orders", [["x"]])
        for message in messages:
            data = json.dumps(message).encode()
            if 0 < len(data) < wire.MESSAGE:
                gate.say(data)
        news = gate.link.read()
        assert news.mode in (None, "watch", "armed", "paused", "panic")
        for network, bits, at in news.releases:
            assert (type(network), type(bits), type(at)) == (bytes, int, float)
        for number, answers in news.answers:
            assert number == 1
            assert all(type(what) is str and type(n) is int for what, n in answers)
        if news.shield is not None:
            assert all(type(network) is bytes and type(bits) is int for network, bits in news.shield[0])


def test_a_shield_in_pieces_is_taken_whole():
    with Gate() as gate:
        one, two = ["c0000200", 24], ["cb007100", 24]
        gate.say({"shield": [one], "more": True}, {"shield": [two], "more": False}, MODE)
        assert gate.link.read().shield == (((b"\xc0\0\2\0", 24), (b"\xcb\0\x71\0", 24)), False)
        assert gate.link.ready
        gate.say({"shield": [two], "more": False}, {**MODE, "private": True})
        assert gate.link.read().shield == (((b"\xcb\0\x71\0", 24),), True)
        gate.say({"shield": [one], "more": True}, MODE)
        assert gate.link.read().shield is None, "half of it"


def test_a_gate_that_never_ends_to_talk_takes_no_more_than_a_turn():
    with Gate() as gate:
        for _ in range(module.TURN + 50):
            gate.say({"releases": []})
        gate.link.read()
        assert len(gate.link.socket.recv(100)) > 0, "the rest waits for the next"
        assert len(gate.link.socket.recv(100)) > 0
        many = {"shield": [["cb007100", 24]] * wire.PREFIXES, "more": True}
        for _ in range(module.SHIELDED // wire.PREFIXES + 2):
            if gate.link.socket is None:
                break
            gate.say(many)
            gate.link.read()
            gate.link.read()
        assert gate.link.socket is None
        assert "too large" in gate.link.error


def test_two_messages_on_their_way_and_none_where_it_takes_none():
    with Gate() as gate:
        assert not gate.link.free
        gate.say(MODE)
        gate.link.read()
        first, second = gate.link.send("orders", [[1]]), gate.link.send("orders", [[2]])
        assert not gate.link.free
        gate.say({"id": first, "answers": [["denied", 5]]})
        assert gate.link.read().answers == [(first, [("denied", 5)])]
        assert gate.link.free
        gate.say({"id": first, "answers": []})
        gate.link.read()
        assert gate.link.socket is None, "an answer to what was answered"
        assert second is not None
    with Gate() as gate:  # it reads nothing
        count = 0
        while gate.link.send("alarms", [["x" * 1000]]) is not None:
            count += 1
            assert count < 5000
        assert gate.link.socket is not None
    with Gate() as gate:
        gate.socket.close()
        assert gate.link.send("alarms", [[1]]) is None
        assert gate.link.socket is None


def test_a_shield_that_was_cut_off_is_no_part_of_that_of_the_next_gate():
    """Somebody who is no longer shielded would be for as long as `run` lives."""
    with Gate() as gate:
        gate.say({"shield": [["c0000200", 24]], "more": True})
        gate.link.read()
        gate.link.lose("it was killed")
        with Gate() as other:
            gate.link.socket, other.link.socket = other.link.socket, None
            other.say({"shield": [["cb007100", 24]], "more": False}, MODE)
            assert gate.link.read().shield == (((bytes([203, 0, 113, 0]), 24),), False)
            gate.link.lose("")


def test_it_is_reached_again_once_a_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    os.makedirs(tmp_path / "run/monzen")
    link = Link(str(tmp_path))
    link.connect("1")
    assert link.error == os.strerror(2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(link.path)
        door.listen()
        link.connect("1")
        assert link.socket is None, "too soon"
        now[0] += module.AGAIN
        link.connect("1")
        peer, _ = door.accept()
        with peer:
            assert json.loads(peer.recv(4096)) == {"monzen": 1, "hello": "run", "version": "1"}
        link.read()
        assert link.error == "the gate closed the connection"
