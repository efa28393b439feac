"""What the gate hears of: each sentence once, the newest first, none of them lost, whatever it answers."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.guard import offers as module
from monzen.guard import wire
from monzen.guard.offers import Offers
from monzen.judge.client import Sentence
from monzen.judge.policy import Policy

NOW = 1_800_000_000.0


class Mind:
    """Sentences, as a mind has them."""

    def __init__(self):
        self.policy = Policy()
        self.now = NOW
        self.judge = SimpleNamespace(sentences=[], given=0, clients={}, policy=self.policy, breaches=[], spared={}, alarms={})

    def give(self, n, until=NOW + 3600, evidence=(b"line",), target=None, rule="names"):
        s = Sentence(target or bytes([203, 0, n // 250, n % 250 + 1]), 32, NOW, 3600.0, rule, 1, 9, evidence)
        s.until, s.number = until, self.judge.given
        self.judge.sentences.append(s)
        self.judge.given += 1
        return s

    def since(self, number):
        return [s for s in self.judge.sentences if s.number >= number]


def targets(rows):
    return [s.target for _key, s, _row in rows]


def test_the_newest_first_and_each_once():
    mind, offers = Mind(), Offers()
    given = [mind.give(n) for n in range(250)]
    offers.collect(mind)
    offers.collect(mind)
    found = []
    while rows := offers.rows(mind, NOW):
        assert len(rows) <= wire.ORDERS
        found += targets(rows)
    assert found == [s.target for s in reversed(given)]
    again = mind.give(7)
    offers.collect(mind)
    assert targets(offers.rows(mind, NOW)) == [again.target]


def test_who_is_sentenced_again_is_among_the_newest():
    mind, offers = Mind(), Offers()
    first, second = mind.give(1), mind.give(2)
    offers.collect(mind)
    longer = mind.give(1, until=NOW + 9000)
    offers.collect(mind)
    assert [s for _key, s, _row in offers.rows(mind, NOW)] == [longer, second]
    assert first.target == longer.target


@pytest.mark.parametrize("how", ["hurt", "login"])
def test_where_a_user_logged_in_since_nobody_is_denied(how):
    """What the judge meant before it knew of him."""
    mind, offers = Mind(), Offers()
    s, other = mind.give(1), mind.give(2)
    offers.collect(mind)
    if how == "hurt":
        s.hurt = frozenset({bytes([203, 0, 113, 2])})
    else:
        mind.judge.clients[s.target] = SimpleNamespace(trust=SimpleNamespace(logins=1, last=s.at + 1.0))
        mind.judge.clients[other.target] = SimpleNamespace(trust=SimpleNamespace(logins=1, last=other.at - 1.0))
    assert targets(offers.rows(mind, NOW)) == [other.target]
    assert offers.rows(mind, NOW) == []


def test_what_is_over_is_not_sent():
    mind, offers = Mind(), Offers()
    over, lasts = mind.give(1, until=NOW), mind.give(2)
    offers.collect(mind)
    assert targets(offers.rows(mind, NOW)) == [lasts.target]
    offers.everything(mind, NOW)
    assert over.target not in {key[0] for key in offers.pending}


def test_what_could_not_be_sent_is_on_offer_as_before_and_what_came_meanwhile_stays():
    mind, offers = Mind(), Offers()
    for n in range(5):
        mind.give(n)
    offers.collect(mind)
    rows = offers.rows(mind, NOW)
    longer = mind.give(2, until=NOW + 9000)
    offers.collect(mind)
    offers.back(rows)
    found = [s for _key, s, _row in offers.rows(mind, NOW)]
    assert sorted(s.target for s in found) == sorted(targets(rows))
    assert longer in found


def test_an_order_names_the_last_line_it_rests_on():
    """By which the gate tells who went on after a release from who did not."""
    mind, offers = Mind(), Offers()
    s = mind.give(1)
    s.last_knock = NOW + 77.0
    offers.collect(mind)
    ((_key, _s, row),) = offers.rows(mind, NOW)
    found = wire.order_of(row)
    assert found.at == NOW + 77.0
    assert (found.order.until, found.order.sentence) == (s.until, s.length)


@pytest.mark.parametrize(("target", "bits", "network"), [
    ((203, 0, 113), 24, bytes([203, 0, 113, 0])), ((203, 0), 16, bytes([203, 0, 0, 0])), ((203, 0, 112), 20, bytes([203, 0, 112, 0])),
    (tuple(bytes.fromhex("20010db80bad")), 48, bytes.fromhex("20010db80bad") + bytes(10)), (tuple(bytes.fromhex("20010db8000000ad")), 64, bytes.fromhex("20010db8000000ad") + bytes(8)),
])  # fmt: skip
def test_a_network_of_leading_bytes_is_ordered_whole(target, bits, network):
    mind, offers = Mind(), Offers()
    s = mind.give(1, target=bytes(target))
    s.bits = bits
    offers.collect(mind)
    ((_key, _s, row),) = offers.rows(mind, NOW)
    order = wire.order_of(row).order
    assert (order.network, order.bits) == (network, bits)


def test_a_message_fits_whatever_the_lines_are():
    mind, offers = Mind(), Offers()
    for n in range(200):
        mind.give(n, evidence=tuple(bytes([255 - i]) * 5000 for i in range(20)))
    offers.collect(mind)
    count = 0
    while rows := offers.rows(mind, NOW):
        count += len(rows)
        data = wire.packed({"id": 1 << 50, "orders": [row for *_, row in rows]})
        assert len(data) < wire.MESSAGE
        for row in wire.unpacked(data)["orders"]:
            wire.order_of(row)
    assert count == 200


ANSWERS = ("denied", "same", "watched", "open", "over", "released", "shielded", "wide", "future", "failed", "nonsense", "")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.lists(st.sampled_from(ANSWERS), max_size=120), st.booleans()), max_size=12))
def test_none_is_lost_whatever_is_answered(turns):
    """After each turn a sentence is on offer, held, known to fail, or was answered for good."""
    mind, offers = Mind(), Offers()
    done, number, count = set(), 0, 0
    for new, answers, lost in turns:
        for _ in range(new):
            mind.give(count)
            count += 1
        offers.collect(mind)
        rows = offers.rows(mind, NOW)
        if rows:
            number += 1
            offers.sent(number, rows)
            if lost:
                offers.everything(mind, NOW)
                done.clear()
            else:
                refused = offers.answered(number, [(a, 1) for a in answers], mind)
                said = dict(zip(targets(rows), answers, strict=False))
                assert {s.target for s in refused} == {t for t, a in said.items() if a in ("shielded", "wide", "future")}
                done |= {t for t, a in said.items() if a != "failed"}
        offers.again()
        assert not offers.failed
        on_offer = {key[0] for key in offers.pending}
        assert on_offer | done == {s.target for s in mind.judge.sentences}
        assert not on_offer & done


def test_what_failed_waits_for_the_next_second_and_stands_behind_what_is_newer():
    mind, offers = Mind(), Offers()
    old = [mind.give(n) for n in range(3)]
    offers.collect(mind)
    offers.sent(1, offers.rows(mind, NOW))
    offers.answered(1, [("failed", 0)] * 3, mind)
    assert offers.rows(mind, NOW) == []
    new = mind.give(9)
    offers.collect(mind)
    offers.again()
    assert targets(offers.rows(mind, NOW)) == [new.target, *(s.target for s in old)]


def test_an_answer_to_nothing_changes_nothing():
    mind, offers = Mind(), Offers()
    mind.give(1)
    offers.collect(mind)
    assert offers.answered(99, [("denied", 1), ("wide", 2)], mind) == []
    assert len(offers.pending) == 1


def test_what_is_over_is_forgotten_though_the_gate_is_away():
    mind, offers = Mind(), Offers()
    for n in range(100):
        mind.give(n, until=NOW + n)
    offers.collect(mind)
    offers.lengthen(mind, NOW + 50)
    assert len(offers.pending) == 49


@pytest.mark.parametrize("answer", ["denied", "same"])
def test_what_grows_is_told_when_it_grew_enough(answer):
    """`same`: it was denied already, as all that lasts is after a start of `run`."""
    mind, offers = Mind(), Offers()
    s = mind.give(1)
    offers.collect(mind)
    offers.sent(1, offers.rows(mind, NOW))
    offers.answered(1, [(answer, 1)], mind)
    s.until += 300
    offers.lengthen(mind, NOW)
    assert not offers.pending
    s.until += 100
    offers.lengthen(mind, NOW)
    assert targets(offers.rows(mind, NOW)) == [s.target]


def test_who_is_denied_and_goes_on_leaks_once_for_each_so_many():
    mind, offers = Mind(), Offers()
    s = mind.give(1)
    offers.collect(mind)
    offers.sent(1, offers.rows(mind, NOW))
    offers.answered(1, [("denied", 1)], mind)
    client = SimpleNamespace(last=NOW + 10, attempts=9, sentence=s)
    mind.judge.clients[s.target] = client
    assert offers.leaks(mind) == [], "still on its way"
    client.last, client.attempts = NOW + module.GRACE + 1, 12
    assert offers.leaks(mind) == []
    client.attempts += module.LEAKS - 1
    assert offers.leaks(mind) == []
    client.attempts += 1
    assert offers.leaks(mind) == [s]
    assert offers.leaks(mind) == []
