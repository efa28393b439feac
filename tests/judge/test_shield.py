"""Whom monzen never denies: its own, what is allowed, what is private; and no network that has one of them."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.judge import Judge, Policy, Shield
from monzen.judge.shield import NEVER, PRIVATE
from tests.judge.test_judge import event, packed, targets


def prefix(text):
    network = ip_network(text)
    return network.network_address.packed, network.prefixlen


def shield(*allow, own=(), private=False):
    return Shield([prefix(o) for o in own], [prefix(a) for a in allow], private)


def test_our_own_addresses_and_what_holds_them():
    own = shield(own=("203.0.113.25", "2001:db8::25"))
    assert own.covers(packed("203.0.113.25"))
    assert not own.covers(packed("203.0.113.26"))
    assert own.covers(packed("2001:db8::25")[:8])
    assert own.holds(b"\xcb\x00\x71", 24)
    assert own.holds(b"\xcb\x00\x70", 20)
    assert own.holds(packed("2001:db8::")[:7], 56)
    assert not own.holds(b"\xcb\x00\x72", 24)
    assert Shield().holds(b"\x0a\x01\x02", 24)


@pytest.mark.parametrize("allowed", ["198.51.100.64/26", "198.51.0.0/16", "198.51.100.77"])
def test_a_network_with_an_allowed_part_is_never_denied_whole(allowed):
    gang = [event(i * 5, f"198.51.100.{1 + i % 3}") for i in range(6)]
    judge = Judge(Policy(), shield(allowed))
    judge.hear(gang)
    assert [s for s in judge.sentences if s.bits < 32] == []
    assert next((s.target, s.reason) for s in judge.spared.values()) == (b"\xc6\x33\x64", "shielded")


def test_its_offenders_are_denied_one_by_one():
    judge = Judge(Policy(), shield("198.51.100.0/30"))
    judge.hear(event(i, f"198.51.100.{n}") for n in (2, 9) for i in range(8))
    assert targets(judge) == [(packed("198.51.100.9"), 32, "burst")]
    judge = Judge(Policy(), shield("198.51.100.200"))
    judge.hear(event(i * 5, f"198.51.100.{1 + i % 3}") for i in range(6))
    assert sorted(targets(judge)) == [(packed(f"198.51.100.{n}"), 32, "crowd-member") for n in (1, 2, 3)]


@pytest.mark.parametrize("address", ["10.1.2.3", "172.20.0.5", "192.168.1.1", "fd00::1"])
def test_private_addresses_only_where_the_policy_says_so(address):
    events = [event(i, address) for i in range(8)]
    judge = Judge()
    judge.hear(events)
    assert targets(judge) == []
    judge = Judge(Policy(), Shield(private=True))
    judge.hear(events)
    assert [s.rule for s in judge.sentences] == ["burst"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1", "169.254.0.9", "255.255.255.255", "ff02::1"])
def test_loopback_and_its_kin_never(address):
    assert Shield(private=True).covers(packed(address))


ADDRESSES = st.one_of(st.integers(0, 2**32 - 1).map(lambda n: ip_address(n).packed), st.integers(0, 2**128 - 1).map(lambda n: n.to_bytes(16, "big")))
NETWORKS = st.tuples(ADDRESSES, st.integers(0, 128)).map(lambda n: ip_network((n[0], min(n[1], len(n[0]) * 8)), strict=False))
NEAR = st.tuples(st.sampled_from(["203.0.113.0", "2001:db8::"]), st.integers(0, 600), st.integers(0, 128)).map(
    lambda n: ip_network(((ip_address(n[0]) + n[1]).packed, min(n[2] + 14, 32 if "." in n[0] else 128)), strict=False)
)


@given(st.lists(NETWORKS | NEAR, max_size=8), NETWORKS | NEAR, st.booleans())
def test_it_is_what_the_standard_library_says(allowed, asked, private):
    fixed = [ip_network(n) for n in (NEVER if private else NEVER + PRIVATE)]
    expected = any(n.version == asked.version and n.overlaps(asked) for n in [*fixed, *allowed])
    made = Shield((), [prefix(str(n)) for n in allowed], private)
    assert made.holds(asked.network_address.packed, asked.prefixlen) is expected
