"""Whatever comes over the wire is what it says, or a WireError: nothing else ever."""

import contextlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.guard import wire
from monzen.guard.wire import WireError
from monzen.ledger import Order

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["c0000200", "0" * 32, 24, 0, 1, 128, 1e308, -1]),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
GOOD = ["cb007100", 24, 1.0, 2.0, 3.0, "crowd", 3, 9, 2, "why", ["line"]]
PARSERS = (wire.order_of, wire.report_of, wire.number, wire.prefix, wire.release_of, wire.answer_of)


def parsed(parser, value):
    """What it says; None where it is refused."""
    try:
        return parser(value)
    except WireError:
        return None


@settings(max_examples=500)
@given(st.sampled_from(PARSERS), VALUES)
def test_anything_is_taken_or_refused(parser, value):
    parsed(parser, value)


@settings(max_examples=800)
@given(st.lists(st.tuples(st.integers(0, 11), VALUES), max_size=3))
def test_an_order_that_is_taken_is_one(changes):
    row = list(GOOD)
    for at, value in changes:
        row[at:at + 1] = [value]
    found = parsed(wire.order_of, row)
    if found is None:
        return
    order = found.order
    width = 8 * len(order.network)
    assert width in (32, 128)
    assert 1 <= order.bits <= width
    assert int.from_bytes(order.network, "big") & ((1 << width - order.bits) - 1) == 0
    for time in (found.at, order.until, order.sentence):
        assert type(time) is float
        assert math.isfinite(time)
        assert time >= 0
    assert (order.origin, order.port, order.protocol) == ("run", 0, 0)
    assert len(order.note) <= wire.NOTE
    order.note.encode()
    assert len(order.evidence) <= wire.LINES
    assert all(type(line) is bytes and len(line) <= wire.LINE for line in order.evidence)


@settings(max_examples=300)
@given(st.binary(max_size=400) | VALUES.map(lambda v: json.dumps(v).encode()) | st.text().map(str.encode))
def test_any_bytes_are_an_object_or_refused(data):
    with contextlib.suppress(WireError):
        assert isinstance(wire.unpacked(data), dict)


@pytest.mark.parametrize(
    "data",
    [b"[" * 60_000, b'{"a":' * 10_000, b'{"a":NaN}', b'{"a":Infinity}', b"{" + b" " * wire.MESSAGE + b"}", b'{"a":' + b"1" * 60_000 + b"}", b"\xff", b"", b"[]", b"7"],
)  # fmt: skip
def test_these_are_refused(data):
    with pytest.raises(WireError):
        wire.unpacked(data)


@settings(max_examples=300)
@given(
    st.sampled_from([4, 16]).flatmap(lambda n: st.tuples(st.binary(min_size=n, max_size=n), st.integers(1, 8 * n))),
    st.lists(st.binary(max_size=600), max_size=14),
    st.text(max_size=600),
    st.floats(0, 9e10),
    st.floats(0, 9e10),
    st.integers(0, 1 << 30),
)
def test_what_run_sends_the_gate_reads(network, lines, note, at, until, count):
    packed, bits = network
    hosts = 8 * len(packed) - bits
    packed = (int.from_bytes(packed, "big") >> hosts << hosts).to_bytes(len(packed), "big")
    order = Order(packed, bits, 0, 0, until, 60.0, "crowd", "run", note, count, count, tuple(lines), count)
    message = wire.packed({"id": 1, "orders": [wire.order_row(order, at)]})
    found = wire.order_of(wire.unpacked(message)["orders"][0])
    assert found.at == at
    assert found.order._replace(note="", evidence=()) == order._replace(note="", evidence=())
    assert len(found.order.evidence) <= 6
    assert all(any(line.startswith(kept) for line in lines) for kept in found.order.evidence)
    assert wire.prefix(wire.prefix_row((packed, bits))) == (packed, bits)


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 3456])
def test_rows_are_cut_into_messages_that_fit(count):
    rows = [["f" * 32, 128, 1764111111.123457] for _ in range(count)]
    parts = wire.pieces("releases", rows)
    assert [row for part in parts for row in part["releases"]] == rows
    assert [part["more"] for part in parts] == [True] * (len(parts) - 1) + [False]
    for part in parts:
        assert len(wire.packed(part)) < wire.MESSAGE
        wire.rows_of(wire.unpacked(wire.packed(part)), "releases")
