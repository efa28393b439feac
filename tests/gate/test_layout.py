"""The table and its elements as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.gate import layout
from monzen.gate.netlink import attributes
from monzen.gate.target import TCP, UDP, Target, target

TARGETS = st.one_of(
    st.builds(target, st.binary(min_size=4, max_size=4), st.integers(0, 32), st.integers(0, 65535), st.sampled_from([0, TCP, UDP])),
    st.builds(target, st.binary(min_size=16, max_size=16), st.integers(0, 128), st.integers(0, 65535), st.sampled_from([0, TCP, UDP])),
)


@given(TARGETS)
def test_a_target_is_found_again_from_its_set_and_keys(wanted):
    found = [layout.target_of(layout.set_name(wanted), key) for key in layout.keys(wanted)]
    if wanted.port and not wanted.protocol:
        assert found == [wanted._replace(protocol=TCP), wanted._replace(protocol=UDP)]
    else:
        assert found == [wanted]


@given(TARGETS, st.integers(1, 10**15))
def test_the_quick_form_of_an_element_is_the_same(wanted, milliseconds):
    for key in layout.keys(wanted):
        assert layout.lasting(key, milliseconds) == layout.element(key, milliseconds)


@given(st.lists(st.binary(min_size=4, max_size=4), max_size=5000))
def test_elements_fit_into_their_messages(keys):
    messages = list(layout.elements(layout.NEWSETELEM, "d4_32", [layout.element(k) for k in keys]))
    found = []
    for _kind, _flags, body in messages:
        assert len(body) < 0x10000
        for number, data in attributes(body):
            if number == 3:
                found += [dict(attributes(dict(attributes(item))[1]))[1] for _n, item in attributes(data)]
    assert found == keys


@pytest.mark.parametrize("text", ["allow4", "shield6", "knocks4", "d5_24", "d4_", "p4_1234", "x4_24"])
def test_other_sets_hold_no_targets(text):
    assert layout.target_of(text, b"\0" * 24) is None


def test_text_of_targets():
    assert str(target(bytes([203, 0, 113, 7]), 24)) == "203.0.113.0/24"
    assert str(target(bytes([203, 0, 113, 7]), 32, 25, TCP)) == "203.0.113.7 port 25/tcp"
    assert str(Target(bytes.fromhex("20010db8") + bytes(12), 48, 53)) == "2001:db8::/48 port 53"
    with pytest.raises(ValueError, match="no network"):
        target(b"abc", 8)
