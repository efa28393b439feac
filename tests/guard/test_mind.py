"""The same records give the same mind: stopped or not, in whatever pieces, in however many streams; and a release is one."""

import marshal
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monzen.guard.mind import AHEAD, EVENTS, LIFT, PARDON, SHIELD, TICK, Mind
from monzen.judge import Judge, Policy
from monzen.judge.pardon import pardon
from monzen.judge.state import save as save_judge
from monzen.pardons import Pardons
from monzen.parse import saved
from monzen.parse.join import Joiner
from monzen.parse.merge import Twice, merge
from monzen.types import Kind, Service, Weight
from tests.guard.stories import STORIES, events
from tests.judge.test_judge import event

NET = (bytes([203, 0, 113, 0]), 24)
SMALL = Policy(clients=12, networks=4, sentences=6, name_table=8, knockers=4, shape_networks=3, shape_ratio=1, hot=2)


def again(mind, policy):
    """The mind as it is after a start."""
    return Mind.restore(marshal.loads(marshal.dumps(mind.save(), 4)), policy)


def stored(record):
    """A record as it comes back from the disk."""
    if record[0] == EVENTS:
        record = (EVENTS, [(name, position, caught, saved.rows(found)) for name, position, caught, found in record[1]])
    return marshal.loads(marshal.dumps(record, 4))


def split(name, rng, streams):
    """A story dealt out to streams, each in its order; all lines of a process stay in one."""
    out = [[] for _ in range(streams)]
    where = {}
    for found in events(name):
        out[where.setdefault(found.head, rng.randrange(streams))].append(found)
    return out


def story(name, seed, streams):
    """Records as a day brings them: blocks of several streams, ticks, shields, releases, refusals."""
    rng = random.Random(seed)
    left = split(name, rng, streams)
    records = [(EVENTS, [(f"s{n}", None, False, []) for n in range(streams)])]
    now, position = 0.0, 0
    while any(left):
        parts = []
        for number in range(streams):
            if left[number] and rng.random() < 0.6:
                cut = rng.choice((1, 3, 40, 300))
                found, left[number] = left[number][:cut], left[number][cut:]
                now = max(now, found[-1].time)
                position += 1
                parts.append((f"s{number}", (("f", position, b"x"), (now, 2026, 0.0)), not left[number] or rng.random() < 0.3, found))
        if parts:
            records.append((EVENTS, parts))
        chance = rng.random()
        if chance < 0.05:
            records.append((TICK, now + rng.choice((0.0, 5.0, 7.0))))
        elif chance < 0.07:
            records.append((SHIELD, ((bytes([192, 0, 2, rng.randrange(256)]), 32),), (), rng.random() < 0.5))
        elif chance < 0.09:
            records.append((PARDON, [(bytes([203, 0, 113, 0]), 24, now - rng.choice((0.0, 60.0))), (bytes([198, 51, 100, rng.randrange(4)]), 32, now)]))
        elif chance < 0.11:
            records.append((LIFT, bytes([203, 0, 113, rng.randrange(9)]), 32))
    records.append((TICK, float("inf")))
    return records


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("policy", [Policy(), SMALL], ids=["usual", "small"])
def test_stopped_at_random_moments_it_knows_what_it_would_have_known(name, policy):
    for streams in (1, 3):
        records = story(name, f"{name}{streams}", streams)
        whole, mind = Mind(policy), Mind(policy)
        rng = random.Random(name)
        kept = []  # what came since the snapshot
        snapshot = marshal.dumps(mind.save(), 4)
        for record in records:
            whole.hear(record)
            kept.append(stored(record))
            mind.hear(record if rng.random() < 0.5 else kept[-1])
            chance = rng.random()
            if chance < 0.05:
                snapshot, kept = marshal.dumps(mind.save(), 4), []
            elif chance < 0.15:  # killed
                mind = Mind.restore(marshal.loads(snapshot), policy)
                for old in kept:
                    mind.hear(old)
        assert mind.save() == whole.save()
        assert again(mind, policy).save() == whole.save()


@pytest.mark.parametrize("name", [s for s in STORIES if s != "real"])
@pytest.mark.parametrize("seed", range(3))
def test_several_streams_are_judged_in_order_of_time(name, seed):
    """As a scan judges them: whatever pieces they come in, as long as a stream that is behind says so."""
    rng = random.Random(seed)
    left = split(name, rng, 3)
    judge, joiner = Judge(Policy()), Joiner()
    for block in merge([iter([s]) for s in left], Twice()):
        judge.hear(joiner.join(block))
    judge.hear(joiner.wait_until(float("inf")))
    mind = Mind(Policy())
    mind.hear((EVENTS, [(f"s{n}", None, False, []) for n in range(3)]))
    while any(left):
        number = rng.choice([n for n in range(3) if left[n]])
        cut = rng.choice((1, 7, 90))
        found, left[number] = left[number][:cut], left[number][cut:]
        mind.hear((EVENTS, [(f"s{number}", None, not left[number], found)]))
    mind.hear((EVENTS, [(f"s{n}", None, True, []) for n in range(3)]))
    mind.hear((TICK, float("inf")))
    assert mind.copies.dropped == 0
    assert judge.sentences or name != "generated"
    assert save_judge(mind.judge) == save_judge(judge)


def test_a_stream_that_is_behind_is_waited_for_and_one_that_is_gone_is_not():
    mind = Mind()
    early, late = event(1000.0, "203.0.113.7"), event(2000.0, "203.0.113.8")
    mind.hear((EVENTS, [("a", None, False, []), ("b", None, False, [])]))
    mind.hear((EVENTS, [("a", None, True, [late])]))
    assert mind.heard == 0
    mind.hear((EVENTS, [("b", None, False, [early])]))
    assert mind.heard == 0, "b may say more of that moment"
    mind.hear((EVENTS, [("b", None, True, [])]))
    assert mind.heard == 2
    assert mind.now == late.time


@pytest.mark.parametrize("version", [0, 2, None])
def test_a_mind_of_another_version_is_refused(version):
    with pytest.raises(ValueError, match="version"):
        Mind.restore({**Mind().save(), "version": version})
    with pytest.raises(ValueError, match="no record"):
        Mind().hear(("x",))


# ---- a release

HOST = (bytes([203, 0, 113, 7]), 32)
GAPS = st.sampled_from([1.0, 5.0, 40.0, 400.0, 4000.0])
ROWS = st.lists(st.tuples(GAPS, st.sampled_from([f"203.0.113.{n}" for n in (7, 8, 9)] + ["198.51.100.7", "2001:db8::7"])), max_size=60)


def guesses(rows, start, first=0):
    """Guesses, each of another name: what was learned of names speaks for nobody."""
    time, out = start, []
    for number, (gap, client) in enumerate(rows, first):
        time += gap
        out.append(event(time, client, Kind.AUTH_FAILURE, Weight.STRONG, b"x%dq%d" % (number * 7919, number), 1, b"LOGIN", Service.SUBMISSION))
    return out


def inside(judge, since, networks=(NET,)):
    """Sentences in these networks that were given after a time: target, length of prefix, when and how many attempts."""
    found = []
    for s in judge.sentences:
        for network, bits in networks:
            if s.at > since and s.bits >= bits and s.target.ljust(len(network), b"\0")[: bits // 8] == network[: bits // 8]:
                found.append((s.target, s.bits, s.at, s.rule, s.attempts, s.clients))
    return found


@example([(1.0, "203.0.113.7"), (1.0, "203.0.113.8")], [(1.0, "203.0.113.9")] * 4 + [(1.0, "203.0.113.7"), (1.0, "203.0.113.8")], NET)
@example([(1.0, "203.0.113.7"), (1.0, "203.0.113.8")], [(1.0, "203.0.113.8")] * 4 + [(1.0, "203.0.113.7"), (1.0, "203.0.113.9")], HOST)
@settings(max_examples=200, deadline=None)
@given(ROWS, ROWS, st.sampled_from([NET, HOST, (bytes([203, 0, 0, 0]), 16)]))
def test_what_was_done_before_a_release_counts_no_more_and_what_comes_after_does(before, after, network):
    """As a scan that knows of the release."""
    early = guesses(before, 1_800_000_000.0)
    at = (early[-1].time if early else 1_800_000_000.0) + 1.0
    late = guesses(after, at + 1.0, 1000)
    mind = Mind()
    mind.hear((EVENTS, [("a", None, True, early)]))
    mind.hear((PARDON, [(*network, at)]))
    assert not [s for s in mind.judge.sentences if s.until > at and inside(mind.judge, 0.0, [network]) and s.target.startswith(network[0][: network[1] // 8])]
    mind.hear((EVENTS, [("a", None, True, late)]))
    scanned = Judge()
    scanned.hear(Pardons([(*network, at)]).filter([*early, *late]))
    assert inside(mind.judge, at, [network]) == inside(scanned, at, [network])


def test_who_was_released_and_goes_on_is_denied_again_after_as_much_as_anybody():
    rows = [(1.0, "203.0.113.7")] * 30
    early = guesses(rows, 1_800_000_000.0)
    at = early[-1].time + 1.0
    late = guesses(rows, at + 1.0, 1000)
    mind = Mind()
    mind.hear((EVENTS, [("a", None, True, early)]))
    (first,) = inside(mind.judge, 0.0)
    mind.hear((PARDON, [(*NET, at)]))
    mind.hear((EVENTS, [("a", None, True, late[:2])]))
    assert len(inside(mind.judge, 0.0)) == 1
    mind.hear((EVENTS, [("a", None, True, late[2:])]))
    _, second = inside(mind.judge, 0.0)
    assert second[2] - late[0].time == first[2] - early[0].time
    assert (second[0], second[3]) == (first[0], first[3])


@settings(max_examples=100, deadline=None)
@given(ROWS, ROWS)
def test_lines_from_before_a_release_that_are_read_after_it_count_no_more(before, after):
    """The log was read late: the release was known first."""
    early = guesses(before, 1_800_000_000.0)
    at = (early[-1].time if early else 1_800_000_000.0) + 1.0
    late = guesses(after, at + 1.0, 1000)
    mind, scanned = Mind(), Judge()
    mind.hear((PARDON, [(*NET, at)]))
    mind.hear((EVENTS, [("a", None, True, [*early, *late])]))
    scanned.hear(Pardons([(*NET, at)]).filter([*early, *late]))
    assert save_judge(mind.judge) == save_judge(scanned)
    assert again(mind, None).save() == mind.save()
    older = mind.save()
    mind.hear((PARDON, [(*NET, at - 5.0), (*NET, at)]))
    assert mind.save() == older, "an older release, and the same again, change nothing"


def test_the_judge_forgives_a_network_and_nobody_beside_it():
    judge = Judge()
    judge.hear(guesses([(1.0, "203.0.113.7")] * 30 + [(1.0, "198.51.100.7")] * 30, 1_800_000_000.0))
    lasting = {s.target for s in judge.sentences if s.until > judge.now}
    assert lasting == {bytes([203, 0, 113, 7]), bytes([198, 51, 100, 7])}
    assert pardon(judge, *NET, judge.now) == 1
    assert {s.target for s in judge.sentences if s.until > judge.now} == {bytes([198, 51, 100, 7])}
    assert pardon(judge, bytes(16), 1, judge.now) == 0


@pytest.mark.parametrize("others", [False, True])
def test_a_log_whose_time_stands_still_holds_up_nobody(others):
    """A log and its copy, one after the other: later lines are no later. What waits then is bounded, or nothing would be read on."""
    mind = Mind()
    if others:
        mind.hear((EVENTS, [("b", None, False, [event(2.0, "198.51.100.7")])]))
    few, many = ([event(1.0, "203.0.113.7") for _ in range(n)] for n in (5, AHEAD))
    mind.hear((EVENTS, [("a", None, False, few)]))
    assert mind.heard == 0
    assert len(mind.stream("a").waiting) == 5
    mind.hear((EVENTS, [("a", None, False, many)]))
    assert mind.stream("a").waiting == []
    if others:
        assert len(mind.stream("b").waiting) == 1


# ---- whom the gate shields, and what it refused


OWN = "203.0.113.7"


def lasting(mind):
    """Whom the judge takes for denied."""
    return {s.target for s in mind.judge.sentences if s.until > mind.judge.now}


def shield(own=(), private=False):
    return (SHIELD, tuple((bytes(map(int, address.split("."))), 32) for address in own), (), private)


@pytest.mark.parametrize("restarted", [False, True])
def test_whom_the_gate_shields_is_sentenced_no_more_and_who_is_not_is(restarted):
    """What the judge takes for denied it does not look at again: it must know whom the gate will refuse, also after a start."""
    mind = Mind()
    mind.hear(shield(own=[OWN]))
    if restarted:
        mind = again(mind, None)
    mind.hear((EVENTS, [("a", None, True, guesses([(1.0, OWN), (1.0, "198.51.100.7")] * 30, 1_800_000_000.0))]))
    assert lasting(mind) == {bytes([198, 51, 100, 7])}
    mind.hear(shield())
    if restarted:
        mind = again(mind, None)
    mind.hear((EVENTS, [("a", None, True, guesses([(1.0, OWN)] * 30, 1_800_000_100.0, 1000))]))
    assert lasting(mind) == {bytes([198, 51, 100, 7]), bytes([203, 0, 113, 7])}


@pytest.mark.parametrize("private", [False, True])
def test_private_addresses_are_sentenced_where_the_gate_may_deny_them(private):
    mind = Mind()
    mind.hear(shield(private=private))
    mind.hear((EVENTS, [("a", None, True, guesses([(1.0, "10.1.2.3")] * 30, 1_800_000_000.0))]))
    assert bool(lasting(mind)) is private


def test_what_the_gate_refused_does_not_last_and_what_comes_next_counts_again():
    mind = Mind()
    mind.hear((EVENTS, [("a", None, True, guesses([(1.0, OWN), (1.0, "198.51.100.7")] * 30, 1_800_000_000.0))]))
    assert len(lasting(mind)) == 2
    mind.hear((LIFT, bytes([203, 0, 113, 7]), 32))
    assert lasting(mind) == {bytes([198, 51, 100, 7])}
    given_before = mind.judge.given
    mind.hear((EVENTS, [("a", None, True, guesses([(1.0, OWN)] * 30, 1_800_000_100.0, 1000))]))
    assert [s.target for s in mind.since(given_before)] == [bytes([203, 0, 113, 7])]


def test_a_release_is_known_after_a_start_for_lines_that_are_read_later():
    early = guesses([(1.0, OWN)] * 30, 1_800_000_000.0)
    mind = Mind()
    mind.hear((PARDON, [(*NET, early[-1].time + 1.0)]))
    mind = again(mind, None)
    mind.hear((EVENTS, [("a", None, True, early)]))
    assert mind.judge.given == 0
    mind.hear((EVENTS, [("a", None, True, guesses([(1.0, OWN)] * 30, early[-1].time + 2.0, 1000))]))
    assert mind.judge.given == 1


# ---- which sentences are new


def test_since_tells_each_sentence_once():
    mind, told = Mind(), []
    for number in range(12):
        known = mind.judge.given
        mind.hear((EVENTS, [("a", None, True, guesses([(1.0, f"198.51.{number}.7")] * 30, 1_800_000_000.0 + 100 * number, 100 * number))]))
        new = mind.since(known)
        assert [s.number for s in new] == list(range(known, mind.judge.given))
        told += new
    assert [s.number for s in told] == list(range(mind.judge.given)) == [s.number for s in mind.since(0)]
    assert {s.target for s in told} >= {bytes([198, 51, n, 7]) for n in range(12)}
    assert mind.since(mind.judge.given) == []


# ---- copies and times


def test_what_stands_in_two_streams_is_heard_once():
    rows = guesses([(1.0, OWN)] * 3, 1_800_000_000.0)
    mind = Mind()
    mind.hear((EVENTS, [("a", None, True, rows), ("b", None, True, rows)]))
    assert (mind.heard, mind.copies.dropped) == (3, 3)
    mind = again(mind, None)
    mind.hear((EVENTS, [("b", None, True, guesses([(1.0, OWN)], 1_800_000_009.0, 99)), ("a", None, True, [])]))
    assert mind.heard == 4


def test_a_stamp_that_runs_backwards_waits_as_its_neighbours_do():
    """Of one stream the order of its lines stands, whatever their stamps say; and time does not go back."""
    mind = Mind()
    first, second, third = (event(at, f"203.0.113.{n}") for n, at in enumerate((2000.0, 1000.0, 3000.0), 7))
    heard = []
    mind.beside = heard.extend
    mind.hear((EVENTS, [("b", None, False, [event(1500.0, "198.51.100.7")])]))
    mind.hear((EVENTS, [("a", None, True, [first, second])]))
    assert heard == [], "b may still say something of 1500"
    mind.hear((EVENTS, [("b", None, False, [event(2500.0, "198.51.100.8")])]))
    mind.hear((TICK, float("inf")))
    assert [e.fact.client[-1] for e in heard if e.fact.client[0] == 203] == [7, 8]
    mind.hear((EVENTS, [("a", None, True, [third]), ("b", None, True, [])]))
    assert mind.now == third.time
    for stream in ("a", "b"):
        mind.hear((EVENTS, [(stream, None, True, [event(2600.0, "203.0.113.7")])]))
        assert mind.now == third.time, "who is late does not set back the time at which what is held is let go"
