"""What watch-only mode would have denied: told as long as it would last, and as nobody decided otherwise since."""

import pytest

from monzen.ledger import Ledger, Order
from monzen.watched import would_be_denied

NET, SIX = bytes([203, 0, 113, 0]), bytes.fromhex("20010db80bad") + bytes(10)


def order(network=NET, bits=24, until=1000.0, **more):
    return Order(network, bits, until=until, rule="crowd", origin="run", **more)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        yield ledger


def targets(ledger, now=10.0):
    return [(e.network, e.bits) for e in would_be_denied(ledger, now)]


def test_it_lasts_as_long_as_the_sentence(ledger):
    ledger.watched([order(), order(SIX, 48, 50.0)], 1.0)
    assert targets(ledger) == [(SIX, 48), (NET, 24)]
    assert targets(ledger, 50.0) == [(NET, 24)]
    assert targets(ledger, 1000.0) == []
    assert ledger.active(10.0) == []


def test_each_target_once_the_newest(ledger):
    ledger.watched([order(until=100.0, attempts=1)], 1.0)
    ledger.watched([order(until=200.0, attempts=7)], 2.0)
    assert [(e.until, e.attempts) for e in would_be_denied(ledger, 10.0)] == [(200.0, 7)]


@pytest.mark.parametrize("bits", [24, 20, 8])
def test_not_what_is_denied_all_the_same(ledger, bits):
    ledger.watched([order()], 1.0)
    ledger.impose([Order(NET, bits, until=20.0)], 2.0)
    assert targets(ledger) == []
    assert targets(ledger, 30.0) == [(NET, 24)]


def test_a_denial_of_one_port_or_of_a_part_is_another_thing(ledger):
    ledger.watched([order()], 1.0)
    ledger.impose([Order(NET, 24, 25), Order(bytes([203, 0, 113, 7]), 32)], 2.0)
    assert targets(ledger) == [(NET, 24)]


def test_not_what_was_let_in_since(ledger):
    ledger.watched([order()], 1.0)
    ledger.release([], 2.0, also=[(NET, 16)])
    assert targets(ledger) == []
    ledger.watched([order()], 3.0)
    assert targets(ledger) == [(NET, 24)], "it went on after the release"
    ledger.allow("203.0.113.0/24", [(NET, 24)], 4.0, name=False)
    assert targets(ledger) == []


def test_it_is_no_denial_of_the_past(ledger):
    ledger.watched([order(until=20.0)], 1.0)
    ledger.impose([Order(SIX, 48, until=20.0)], 1.0)
    ledger.settle([], 30.0)
    ledger.thin(1000 * 86_400.0)
    assert ledger.past(NET, 24) is None
    assert ledger.past(SIX, 48).times == 1
