"""Allowances, lines of the log, and peers that do not read."""

import logging
import socket

import pytest

from monzen.guard import peers as module
from monzen.guard.peers import QUEUE, WAITING, Allowance, Lines, Peer


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_so_much_at_once_and_so_much_a_second(clock):
    allowance = Allowance(10.0, 50.0)
    assert allowance.take(50)
    assert not allowance.take()
    assert allowance.wait() == pytest.approx(0.1)
    assert allowance.wait(20) == pytest.approx(2.0)
    clock[0] += 1.0
    assert allowance.take(10)
    assert not allowance.has()
    clock[0] += 1000.0
    assert not allowance.take(51)
    assert allowance.take(50)
    total = 0
    for _ in range(10_000):
        clock[0] += 0.01
        total += allowance.take()
    assert 990 <= total <= 1001


def test_of_too_many_lines_is_said_how_many(clock, caplog):
    caplog.set_level(logging.INFO)
    lines = Lines(logging.getLogger("x"), drop=(1.0, 5.0), peer=(1.0, 2.0))
    for number in range(1000):
        lines.say("drop", logging.INFO, "drop n=%d", number)
    lines.say("peer", logging.WARNING, "peer")
    lines.sum_up()
    lines.sum_up()
    assert caplog.messages == [*(f"drop n={n}" for n in range(5)), "peer", "more kind=drop lines=995"]


def test_who_does_not_read_is_known_in_time():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs:
        peer = Peer(ours, 1, 1)
        count = 0
        while peer.send({"x": "y" * 1000}):
            count += 1
            assert count < 5000
        assert QUEUE - 5 <= len(peer.queue) <= QUEUE
        assert peer.waiting == sum(map(len, peer.queue))
        read = 0
        theirs.setblocking(False)
        while True:
            try:
                while theirs.recv(1 << 16):
                    read += 1
            except BlockingIOError:
                if not peer.queue:
                    break
            assert peer.flush()
        assert read == count + 1
        assert peer.waiting == 0
        big = Peer(ours, 1, 1)
        while big.send({"x": "y" * 60_000}):
            pass
        assert big.waiting < WAITING + 61_000
        theirs.close()
        assert not big.flush()
