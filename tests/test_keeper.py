"""What one decision does to those that were made before: nothing that a person said is lost by the way, and nobody gets in by it."""

import os
from types import SimpleNamespace

import pytest

from monzen.config import Config
from monzen.gate.table import Knock
from monzen.judge.policy import Policy
from monzen.keeper import Keeper
from monzen.knocks import CAP, count
from monzen.ledger import Order
from monzen.settings import GateConfig

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0
NET, HOST, OTHER = bytes([203, 0, 113, 0]), bytes([203, 0, 113, 7]), bytes([203, 0, 113, 8])
SIX = bytes.fromhex("20010db80bad0007") + bytes(8)


@pytest.fixture
def keeper(tmp_path):
    """One that denies nobody in a kernel (`dry`), in a folder of its own; its ledger is the real one."""
    for folder in ("proc/net", "etc", "run/monzen", "var/lib/monzen"):
        os.makedirs(tmp_path / folder, mode=0o750)
    clock = SimpleNamespace(at=NOW)
    config = Config(gate=GateConfig(firewall="dry", widest4=8, widest4_auto=16), policy=Policy())
    with Keeper(config, root=str(tmp_path), actor="test", now=lambda: clock.at) as made:
        made.clock = clock
        yield made


def lasting(keeper):
    """Who is denied, at which port, until when (None: for good)."""
    return {(e.network, e.bits, e.port): e.until for e in keeper.ledger.active(keeper.clock.at)}


def deny(keeper, *orders, **more):
    (*_, last) = keeper.deny(orders, **more)
    return last


def by_itself(network=HOST, bits=32, lasts=HOUR, **more):
    """As the judge orders it."""
    return Order(network, bits, until=NOW + lasts, sentence=lasts, rule="names", origin="run", **more)


# ---- a wider denial


def test_what_a_person_typed_stays_beside_a_wider_denial(keeper):
    deny(keeper, Order(HOST, 32))
    deny(keeper, Order(OTHER, 32, until=NOW + 60.0))
    deny(keeper, by_itself(NET, 24, DAY))
    assert lasting(keeper) == {(HOST, 32, 0): None, (OTHER, 32, 0): NOW + 60.0, (NET, 24, 0): NOW + DAY}
    keeper.clock.at += DAY + 1.0
    assert lasting(keeper) == {(HOST, 32, 0): None}, "when the network is let in again"


def test_what_ends_later_than_the_wider_one_stays(keeper):
    deny(keeper, by_itself(HOST, 32, 2 * DAY))
    deny(keeper, by_itself(OTHER, 32, HOUR))
    deny(keeper, by_itself(NET, 24, DAY))
    assert lasting(keeper) == {(HOST, 32, 0): NOW + 2 * DAY, (NET, 24, 0): NOW + DAY}
    deny(keeper, Order(NET, 24))
    assert lasting(keeper) == {(NET, 24, 0): None}


def test_a_denial_of_one_port_takes_the_place_of_none(keeper):
    deny(keeper, by_itself(HOST))
    deny(keeper, Order(NET, 24, 25, 6))
    assert lasting(keeper) == {(HOST, 32, 0): NOW + HOUR, (NET, 24, 25): None}


def test_inside_a_wider_denial_is_who_is_in_one_of_all_ports_that_lasts(keeper):
    deny(keeper, Order(NET, 24, 25, 6))
    assert deny(keeper, by_itself(HOST)).inside is None
    deny(keeper, Order(NET, 24, until=NOW + 60.0))
    assert deny(keeper, by_itself(OTHER)).inside.bits == 24
    keeper.clock.at += 61.0
    assert deny(keeper, by_itself(OTHER)).inside is None, "its time is over, though it was not looked at since"


# ---- a release


def test_a_release_of_an_address_leaves_the_network_around_it_denied(keeper):
    deny(keeper, by_itself(NET, 24, DAY))
    deny(keeper, by_itself(HOST, 32, 2 * DAY))
    released = keeper.release([], [(HOST, 32)])
    assert [(e.network, e.bits) for e in released] == [(HOST, 32)]
    assert lasting(keeper) == {(NET, 24, 0): NOW + DAY}
    keeper.release([], [(NET, 24)])
    assert lasting(keeper) == {}
    assert keeper.ledger.released_after(OTHER, 32) is not None, "older lines deny nobody in it"


def test_whom_an_admin_allows_is_released_and_older_lines_do_not_count_once_it_is_taken_back(keeper):
    deny(keeper, by_itself(HOST, 32, 2 * DAY), by_itself(NET, 24, DAY))
    _row, released = keeper.allow("203.0.113.7", [(HOST, 32)], name=False)
    assert [(e.network, e.bits) for e in released] == [(HOST, 32)], "the network stays denied; who is allowed passes before it"
    assert lasting(keeper) == {(NET, 24, 0): NOW + DAY}
    keeper.clock.at += 60.0
    keeper.allow("203.0.113.8", [(OTHER, 32)], name=False)  # who was not denied himself
    keeper.unallow("203.0.113.8")
    assert keeper.ledger.released_after(HOST, 32).at == NOW
    assert keeper.ledger.released_after(OTHER, 32).at == NOW + 60.0


# ---- how wide


@pytest.mark.parametrize(("origin", "bits", "good"), [("hand", 8, True), ("import", 8, True), ("run", 8, False), ("scan", 15, False), ("run", 16, True), ("hand", 7, False)])
def test_only_people_deny_very_wide_networks(keeper, origin, bits, good):
    outcome = deny(keeper, Order(bytes([100, 0, 0, 0]), bits, until=NOW + HOUR, origin=origin), dry=True)
    assert (not outcome.refused) is good


def test_a_range_that_nobody_may_deny_is_refused_also_where_it_would_be_kept_out(keeper):
    for network, bits in ((bytes([0, 0, 0, 0]), 8), (bytes([192, 168, 0, 0]), 15), (bytes([255, 0, 0, 0]), 8)):
        outcome = deny(keeper, Order(network, bits), keep=True, dry=True)
        assert outcome.refused, (network, bits)
        assert not outcome.keepable


# ---- knocks


class Kernel:
    """What was dropped since the last time."""

    def __init__(self, *knocks):
        self.knocks = list(knocks)

    def state(self):
        return SimpleNamespace(present=True)

    def take_knocks(self):
        return self.knocks


def knock(source=HOST, port=25, protocol=6, ago=0.0, packets=1):
    return Knock(source, protocol, port, packets, 60 * packets, ago)


def test_knocks_prolong_a_denial_by_its_sentence_and_to_no_more_than_four_of_them(keeper):
    """Packets can be forged: who is denied for an hour is let in after four, whoever knocks in his name."""
    deny(keeper, by_itself(HOST, lasts=HOUR))
    ends = []
    while lasting(keeper) and len(ends) < 100:
        keeper.clock.at += 600.0
        count(Kernel(knock(ago=100.0)), keeper.ledger, keeper.clock.at)
        ends.append(lasting(keeper).get((HOST, 32, 0)))
        keeper.ledger.settle([], keeper.clock.at)
    assert ends[0] == NOW + 500.0 + HOUR, "from the packet on"
    assert ends[1] == NOW + 1100.0 + HOUR
    assert max(filter(None, ends)) == NOW + CAP * HOUR
    assert keeper.clock.at == NOW + CAP * HOUR


def test_a_knock_shortens_no_denial_and_prolongs_none_that_was_typed(keeper):
    deny(keeper, by_itself(HOST, lasts=DAY)._replace(sentence=HOUR), Order(OTHER, 32, until=NOW + HOUR), Order(SIX, 64))
    keeper.clock.at += 600.0
    count(Kernel(knock(), knock(OTHER), knock(SIX[:8] + b"12345678")), keeper.ledger, keeper.clock.at)
    assert lasting(keeper) == {(HOST, 32, 0): NOW + DAY, (OTHER, 32, 0): NOW + HOUR, (SIX, 64, 0): None}
    assert [e.knocks for e in keeper.ledger.active(keeper.clock.at)] == [1, 1, 1]


def test_a_knock_counts_for_the_narrowest_denial_that_it_met_and_denies_nobody(keeper):
    deny(keeper, by_itself(HOST, 32, 2 * DAY), by_itself(NET, 24, DAY), Order(OTHER, 32, 143, 6))
    keeper.clock.at += 60.0
    stranger = bytes([198, 51, 100, 7])
    count(Kernel(knock(), knock(OTHER), knock(OTHER, 143), knock(stranger, packets=10_000)), keeper.ledger, keeper.clock.at)
    assert {(e.network, e.bits, e.port): e.knocks for e in keeper.ledger.active(keeper.clock.at)} == {(HOST, 32, 0): 1, (NET, 24, 0): 1, (OTHER, 32, 143): 1}
    assert lasting(keeper) == {(HOST, 32, 0): NOW + 60.0 + 2 * DAY, (NET, 24, 0): NOW + 60.0 + DAY, (OTHER, 32, 143): None}
