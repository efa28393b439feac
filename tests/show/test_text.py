"""Small texts: JSON in pieces is the same JSON."""

import json
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from monzen.show.text import as_json, json_pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_pieces_are_the_whole(value):
    assert "".join(json_pieces(value)) == as_json(value)
    assert json.loads(as_json(value)) == value


def test_what_is_made_as_it_is_written_is_a_list():
    assert "".join(json_pieces({"a": iter(()), "b": iter([1, {"c": 2}])})) == '{"a": [], "b": [1, {"c": 2}]}'


def test_a_long_report_is_never_a_text():
    report = {"attackers": ({"client": f"192.0.2.{i % 256}", "did": {"x": i}} for i in range(100_000)), "first": "x" * 1000}
    tracemalloc.start()
    size = sum(map(len, json_pieces(report)))
    assert size > 4_000_000
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()
