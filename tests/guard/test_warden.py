"""The gate's own judgement of an order, without a kernel (`dry`): what it writes down, for how long, and whom it leaves alone."""

import os
from types import SimpleNamespace

import pytest

from monzen.config import Config
from monzen.gate.target import Denial, GateError, Target
from monzen.guard import warden as module
from monzen.guard.warden import AHEAD, COUNTED, Warden
from monzen.guard.wire import Found
from monzen.judge.policy import Policy
from monzen.ledger import Ledger, Order
from monzen.mode import Mode, write_mode
from monzen.settings import GateConfig

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0
NET, HOST, OTHER = bytes([203, 0, 113, 0]), bytes([203, 0, 113, 7]), bytes([203, 0, 113, 8])
LONGEST = Policy().longest


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A warden in a folder of its own, armed, with both clocks in our hand; `other` is somebody else with the ledger open."""
    for folder in ("proc/net", "etc", "run/monzen", "var/lib/monzen"):
        os.makedirs(tmp_path / folder, mode=0o750)
    write_mode(Mode("armed", None, NOW, "test"), str(tmp_path))
    clock = SimpleNamespace(at=NOW)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.at)
    warden = Warden(Config(gate=GateConfig(firewall="dry")), root=str(tmp_path), actor="monzen run", now=lambda: clock.at)
    warden.clock, warden.folder = clock, str(tmp_path)
    with warden, Ledger.open(warden.path) as other:
        warden.other = other
        yield warden


def found(network=HOST, bits=32, until=NOW + HOUR, sentence=HOUR, at=NOW, origin="run"):
    return Found(Order(network, bits, 0, 0, until, sentence, "names", origin), at)


def follow(gate, *wanted):
    return [answer.what for answer in gate.follow(list(wanted))]


def lasting(gate):
    return {(e.network, e.bits): (e.until, e.sentence) for e in gate.other.active(gate.clock.at)}


def test_what_was_released_is_denied_by_newer_lines_only(gate):
    """Of this address, or of a network around it; to the moment."""
    gate.other.release([], NOW - 60.0, also=[(HOST, 32), (NET, 25)])
    assert follow(gate, found(at=NOW - 100.0), found(OTHER, at=NOW - 61.0), found(at=NOW - 60.0)) == ["released"] * 3
    assert lasting(gate) == {}
    assert follow(gate, found(at=NOW - 59.0), found(NET, 24, at=NOW - 100.0)) == ["denied", "denied"], "newer lines, and a network that was not"


def test_no_denial_lasts_longer_than_the_policy_says_whoever_asks(gate):
    """Neither by its end nor by the sentence, by which knocks prolong it."""
    assert follow(gate, found(until=1e10, sentence=1e10), found(OTHER, sentence=0.0)) == ["denied", "denied"]
    assert lasting(gate) == {(HOST, 32): (NOW + LONGEST, LONGEST), (OTHER, 32): (NOW + HOUR, LONGEST)}


def test_what_is_over_or_of_the_future_is_not_denied(gate):
    assert follow(gate, found(until=NOW), found(OTHER, at=NOW + AHEAD + 1.0), found(bytes([203, 0, 113, 9]), at=NOW + AHEAD)) == ["over", "future", "denied"]


def test_what_is_denied_already_is_the_same_until_it_would_last_longer(gate):
    assert follow(gate, found()) == ["denied"]
    assert follow(gate, found(), found(until=NOW + HOUR + 1.0), found(until=NOW + 60.0)) == ["same"] * 3
    assert follow(gate, found(until=NOW + 2 * HOUR)) == ["denied"]
    assert lasting(gate) == {(HOST, 32): (NOW + 2 * HOUR, HOUR)}
    assert gate.ledger.counts(NOW).ended == 0, "it keeps its number"


def test_inside_a_network_that_is_denied_for_as_long_it_is_the_same_and_for_longer_it_is_not(gate):
    assert follow(gate, found(NET, 24, until=NOW + HOUR)) == ["denied"]
    assert follow(gate, found(), found(OTHER, until=NOW + 2 * HOUR)) == ["same", "denied"]
    gate.other.impose([Order(bytes([198, 51, 100, 0]), 24, 25, 6)], NOW)
    assert follow(gate, found(bytes([198, 51, 100, 7]))) == ["denied"], "of one port only"
    gate.other.impose([Order(bytes([198, 51, 100, 8]), 32, 25, 6)], NOW)
    assert follow(gate, found(bytes([198, 51, 100, 8]))) == ["denied"]


def test_what_an_admin_typed_is_neither_shortened_nor_taken_over(gate):
    gate.other.impose([Order(HOST, 32, note="since May"), Order(OTHER, 32, until=NOW + 60.0)], NOW)
    assert follow(gate, found(), found(OTHER)) == ["same", "denied"]
    typed = {e.network: e for e in gate.other.active(NOW)}
    assert (typed[HOST].until, typed[HOST].note, typed[HOST].origin) == (None, "since May", "hand")
    assert (typed[OTHER].until, typed[OTHER].origin) == (NOW + HOUR, "hand"), "longer, and still his"


def test_whom_somebody_allowed_a_moment_ago_is_not_denied(gate):
    assert follow(gate, found()) == ["denied"]
    gate.other.allow("203.0.113.8", [(OTHER, 32)], NOW)
    assert follow(gate, found(OTHER), found(NET, 24)) == ["shielded", "shielded"]
    gate.other.unallow("203.0.113.8", NOW)
    assert follow(gate, found(OTHER)) == ["denied"]


@pytest.mark.parametrize("mode", ["watch", "paused", "panic"])
def test_only_an_armed_gate_denies(gate, mode, monkeypatch):
    """Not in the ledger, and not in the kernel either, which is asked before anything else."""
    asked = []
    monkeypatch.setattr(gate, "_at_once", lambda orders, now: asked.append(orders))
    write_mode(Mode(mode, None, NOW, "test", "armed"), gate.folder)
    assert follow(gate, found(), found(until=NOW)) == [{"watch": "watched"}.get(mode, "open"), "over"]
    assert (lasting(gate), asked) == ({}, [])
    assert len(gate.other.would_be(NOW)) == (mode == "watch")
    assert follow(gate, found()) == [{"watch": "same"}.get(mode, "open")], "and it is written down once"
    write_mode(Mode("armed", None, NOW, "test"), gate.folder)
    assert follow(gate, found()) == ["denied"]
    assert len(asked) == 1
    assert set(lasting(gate)) == {(HOST, 32)}


def test_a_pause_that_is_over_is_one_no_more(gate):
    write_mode(Mode("paused", NOW + 60.0, NOW, "test", "armed"), gate.folder)
    assert follow(gate, found()) == ["open"]
    gate.clock.at += 60.0
    assert follow(gate, found()) == ["denied"]


def test_the_kernel_is_asked_before_the_ledger_and_what_it_refuses_is_no_secret(gate, monkeypatch):
    order = []
    monkeypatch.setattr(gate, "firewall", lambda: "nftables")
    kernel = SimpleNamespace(deny=lambda denials, now: order.append(list(denials)))
    monkeypatch.setattr(type(gate), "nft", kernel)
    impose = gate.ledger.impose
    monkeypatch.setattr(gate.ledger, "impose", lambda *a: order.append("ledger") or impose(*a))

    def refuse(entries, gone, guarded, now):
        order.append("again")
        raise GateError("no")

    monkeypatch.setattr(gate, "_enforce", refuse)
    with pytest.raises(GateError):
        gate.follow([found(until=NOW + 9 * LONGEST)])
    assert order == [[Denial(Target(HOST, 32), NOW + LONGEST)], "ledger", "again"]


def test_of_very_wide_networks_no_more_than_could_be_true(gate, monkeypatch):
    monkeypatch.setattr(module, "WIDE", ((4, 24, 3), (4, 25, 6)))
    twenties = [found(bytes([100, n, 0, 0]), 20) for n in range(5)]
    assert follow(gate, *twenties) == ["denied"] * 3 + ["wide"] * 2
    assert follow(gate, *[found(bytes([101, n, 0, 0]), 24) for n in range(5)]) == ["denied"] * 3 + ["wide"] * 2
    assert follow(gate, found(bytes([102, 0, 0, 7]))) == ["denied"], "single ones"
    gate.other.end([e.number for e in gate.other.active(NOW)], NOW, "lost")
    gate.clock.at += COUNTED + 1.0
    assert follow(gate, found(bytes([103, 0, 0, 0]), 20, at=gate.clock.at)) == ["denied"], "there is room again"


def test_a_clock_that_was_ahead_leaves_no_denial_for_years_and_what_was_typed_stays(gate):
    """Within a day of what may be: nothing; beyond it: what nobody typed ends as if it came now."""
    year = 365 * DAY
    gate.other.impose(
        [
            Order(HOST, 32, until=NOW + year, sentence=HOUR, origin="run"), Order(OTHER, 32, until=NOW + year, origin="hand"),
            Order(NET, 24, until=NOW + year, origin="scan"), Order(bytes([198, 51, 100, 7]), 32, until=NOW + LONGEST, sentence=LONGEST, origin="run"),
            Order(bytes([198, 51, 100, 8]), 32, until=NOW + year, sentence=9 * LONGEST, origin="run"), Order(bytes([198, 51, 100, 9]), 32, origin="run"),
        ],
        NOW,
    )  # fmt: skip
    gate.come_to_senses()
    assert {e.network: e.until for e in gate.other.active(NOW)} == {
        HOST: NOW + HOUR, OTHER: NOW + year, NET: NOW + LONGEST,
        bytes([198, 51, 100, 7]): NOW + LONGEST, bytes([198, 51, 100, 8]): NOW + LONGEST, bytes([198, 51, 100, 9]): None,
    }  # fmt: skip
