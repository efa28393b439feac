"""Saved and restored at any moment, the judge goes on as if nothing had been; and what is saved is plain."""

import marshal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.judge import Judge, Policy
from monzen.judge.network import Network
from monzen.judge.state import restore, save
from monzen.judge.tables import number_of
from monzen.types import Kind, Service, Weight

from .test_judge import event

SMALL = Policy(clients=12, networks=4, sentences=6, name_table=8, knockers=4, shape_networks=3, shape_ratio=1, hot=2)
CLIENTS = [
    *(f"203.0.113.{n}" for n in range(1, 6)),
    *(f"203.0.{n}.7" for n in range(112, 116)),
    *(f"{n}.51.100.7" for n in range(100, 110)),
    *(f"2001:db8:{n}::1" for n in range(1, 4)),
    *(f"2001:db8:1:{n}::1" for n in range(1, 8)),
    "10.0.0.1",
]
NAMES = [None, b"anna", b"anna.muster@example.org", b"info", b"sales", b"root", b"test@example.org", b"scan"]
KINDS = [*([Kind.AUTH_FAILURE] * 6), *([Kind.AUTH_SUCCESS] * 3), Kind.BLOCKED, Kind.DELIVERED, Kind.RELAY_DENIED, Kind.AUTH_OUTAGE]
KINDS += [Kind.RECIPIENT_UNKNOWN, Kind.PROTOCOL_ABUSE, Kind.LOST]
ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 20.0, 300.0, 2000.0, 40_000.0, 200_000.0]),
        st.sampled_from(CLIENTS),
        st.sampled_from(KINDS),
        st.sampled_from(NAMES),
        st.sampled_from([1, 1, 1, 2, 9]),
        st.sampled_from([None, None, True, False]),
        st.sampled_from([Service.SUBMISSION, Service.IMAP, Service.SSH]),
    ),
    max_size=120,
)
GOOD = (Kind.AUTH_SUCCESS, Kind.DELIVERED, Kind.AUTH_OUTAGE)


def made(rows):
    time, events = 0.0, []
    for gap, client, kind, name, attempts, account, service in rows:
        time += gap
        weight = Weight.NONE if kind in GOOD else Weight.WEAK if kind in (Kind.LOST, Kind.RECIPIENT_UNKNOWN) else Weight.STRONG
        events.append(event(time, client, kind, weight, name, attempts, b"LOGIN", service, account))
    return events


@settings(max_examples=150, deadline=None)
@given(ROWS, st.lists(st.integers(0, 120), max_size=6), st.sampled_from([SMALL, Policy()]))
def test_saving_changes_nothing(rows, cuts, policy):
    events = made(rows)
    whole = Judge(policy)
    whole.hear(events)
    judge = Judge(policy)
    edges = sorted({0, len(events), *(min(c, len(events)) for c in cuts)})
    for a, b in pairwise(edges):
        judge.hear(events[a:b])
        judge = restore(marshal.loads(marshal.dumps(save(judge))), policy)
    assert save(judge) == save(whole)
    assert [(s.target, at) for s, at in judge.imposed()] == [(s.target, at) for s, at in whole.imposed()]


def test_a_state_of_another_version_is_refused():
    state = save(Judge())
    state["judge"] = [(99, *state["judge"][0][1:])]
    with pytest.raises(ValueError, match="version 99"):
        restore(state)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from([SMALL, Policy()]))
def test_no_fewer_are_counted_than_were_convicted_or_came_back(rows, policy):
    """What `_hopper` leaves out, because it would change nothing, rests on it."""
    judge = Judge(policy)
    for one in made(rows):
        judge.hear([one])
        back, convicts = dict(judge.came_back), dict(judge.convicts)
        judge.count_convicts()
        assert all(back.get(number, 0) >= many for number, many in judge.came_back.items())
        for block in judge.convicts:
            given = sorted(c.sentence.at for k, c in judge.clients.items() if len(k) == 4 and number_of(k) >> 4 == block and c.sentence)
            said = convicts[block]
            if len(given) >= policy.hop_members:
                assert 0 < said <= given[policy.hop_members - 1]
                assert judge.convicts[block] == given[0]
            else:
                assert said > 0 or -said >= len(given)
        judge.came_back, judge.convicts = back, convicts


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1023)), max_size=400))
def test_a_network_knows_its_members(steps):
    """Of a /24 or a /22, however many there are."""
    network = Network()
    for offends, n in steps:
        key = bytes((203, 0, 112 + n // 256, n % 256))
        assert network.has(key) == (key in network.members)
        if offends:
            network.offended(key, 1, float(n), 0.0)
        else:
            network.forgive(key)
    assert len(set(network.members)) == len(network.members) <= 256
