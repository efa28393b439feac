"""Imposing, prolonging, ending and releasing."""

import math

import pytest

from monzen.ledger import Knocked, Ledger, LedgerError
from monzen.ledger.base import MOST
from monzen.ledger.denials import LINE as LINE_MOST
from monzen.ledger.denials import LINES
from tests.ledger.made import DAY, LINE, NOW, A, B, C, order


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(str(tmp_path / "lib/ledger.db")) as ledger:
        yield ledger


def test_a_denial_is_remembered_as_it_was_imposed(ledger):
    (entry,) = ledger.impose([order(B, 24, sentence=3600.0, clients=3, attempts=40, names=9, note="gang")], NOW, "root")
    assert entry == ledger.find(entry.number) == ledger.active(NOW)[0]
    assert entry.key == (B, 24, 0, 0)
    assert entry.prefix == (B, 24)
    assert (entry.since, entry.until, entry.sentence) == (NOW, NOW + DAY, 3600.0)
    assert (entry.rule, entry.origin, entry.note, entry.actor) == ("burst", "scan", "gang", "root")
    assert (entry.clients, entry.attempts, entry.names, entry.knocks, entry.ended, entry.ending) == (3, 40, 9, 0, None, "")


def test_host_bits_are_no_part_of_a_network(ledger):
    (entry,) = ledger.impose([order(A, 24)], NOW)
    assert entry.network == bytes((192, 0, 2, 0))
    assert ledger.impose([order(bytes((192, 0, 2, 200)), 24)], NOW)[0].number == entry.number


def test_again_keeps_the_number_and_never_shortens(ledger):
    first = ledger.impose([order(until=NOW + 100, attempts=5)], NOW)[0]
    longer = ledger.impose([order(until=NOW + 500, attempts=3)], NOW + 1)[0]
    assert (longer.number, longer.until, longer.attempts, longer.since) == (first.number, NOW + 500, 5, NOW)
    assert ledger.impose([order(until=NOW + 200)], NOW + 2)[0].until == NOW + 500
    assert ledger.impose([order(until=None)], NOW + 3)[0].until is None
    assert ledger.impose([order(until=NOW + 900)], NOW + 4)[0].until is None


def test_only_a_person_shortens(ledger):
    ledger.impose([order(until=None)], NOW)
    entry = ledger.impose([order(until=NOW + 60, origin="hand", rule="hand", note="mine")], NOW + 1, "alice")[0]
    assert (entry.until, entry.origin, entry.note, entry.actor) == (NOW + 60, "hand", "mine", "alice")
    entry = ledger.impose([order(until=NOW + 90, note="theirs")], NOW + 2, "root")[0]
    assert (entry.until, entry.origin, entry.rule, entry.note, entry.actor) == (NOW + 90, "hand", "hand", "mine", "alice")


def test_one_target_is_a_network_with_its_port(ledger):
    orders = [order(A), order(A, port=25), order(A, port=25, protocol=6), order(A, 24), order(C, 64)]
    assert [e.number for e in ledger.impose(orders, NOW)] == [1, 2, 3, 4, 5]
    assert len(ledger.active(NOW)) == 5


def test_what_ran_out_is_another_denial_when_it_comes_again(ledger):
    first = ledger.impose([order(sentence=60.0)], NOW)[0]
    second = ledger.impose([order(until=NOW + 3 * DAY)], NOW + DAY)[0]
    assert second.number == first.number + 1
    assert (ledger.find(first.number).ended, ledger.find(first.number).ending) == (NOW + DAY, "quiet")


def test_a_number_is_never_used_again(ledger):
    numbers = [e.number for e in ledger.impose([order(A), order(B, 24)], NOW)]
    ledger.release(numbers, NOW + 1)
    ledger.thin(NOW + 1000 * DAY)
    assert ledger.find(numbers[1]) is None
    assert ledger.impose([order(A, until=None)], NOW + 1001 * DAY)[0].number == numbers[1] + 1


def test_settle_counts_and_ends(ledger):
    a, b, c = ledger.impose([order(A, sentence=60.0), order(B, 24), order(C, 48, until=None)], NOW)
    assert ledger.settle([Knocked(a.number, 25, 6, 2, 120, NOW + 5), Knocked(a.number, 587, 6, 1, 60, NOW + 3)], NOW + 9) == []
    found = ledger.find(a.number)
    assert (found.knocks, found.octets, found.last_knock) == (3, 180, NOW + 5)
    assert sorted(ledger.knocked(NOW)) == [(a.number, 25, 6, 2, 120), (a.number, 587, 6, 1, 60)]
    over = ledger.settle([Knocked(c.number, 0, 0, 1, 40, NOW + DAY)], NOW + DAY)
    assert [(e.number, e.ending, e.ended) for e in over] == [(a.number, "quiet", NOW + DAY), (b.number, "expired", NOW + DAY)]
    assert [ledger.find(e.number) for e in over] == over
    assert [e.number for e in ledger.active(NOW + DAY)] == [c.number]
    assert ledger.knocked(NOW + DAY) == [(c.number, 0, 0, 1, 40)]


def test_counters_never_overflow_and_unknown_numbers_are_passed_over(ledger):
    entry = ledger.impose([order()], NOW)[0]
    for _ in range(3):
        ledger.settle([Knocked(entry.number, 25, 6, 1 << 70, 1 << 63, NOW), Knocked(99, 25, 6, 1, 1, NOW)], NOW)
    assert (ledger.find(entry.number).knocks, ledger.knocked()) == (MOST, [(entry.number, 25, 6, MOST, MOST)])


def test_prolong_makes_longer_only(ledger):
    a, b, c = ledger.impose([order(A), order(B, 24, until=None), order(C)], NOW)
    ledger.end([c.number], NOW, "lost")
    ledger.prolong([(a.number, NOW + 5), (b.number, NOW + 5), (c.number, NOW + 9 * DAY)])
    assert [ledger.find(e.number).until for e in (a, b, c)] == [NOW + DAY, None, NOW + DAY]
    ledger.prolong([(a.number, NOW + 2 * DAY)])
    assert ledger.find(a.number).until == NOW + 2 * DAY


def test_a_release_ends_and_is_remembered(ledger):
    a, b = ledger.impose([order(A), order(A, 24)], NOW)
    assert [(e.number, e.ending, e.ended) for e in ledger.release([a.number, 99], NOW + 5, "alice", "sorry")] == [
        (a.number, "released", NOW + 5)
    ]
    assert [e.number for e in ledger.active(NOW + 5)] == [b.number]
    assert ledger.release([a.number], NOW + 6) == []
    assert ledger.find(a.number).ended == NOW + 5
    found = ledger.released_after(A, 32)
    assert (found.at, found.network, found.bits) == (NOW + 6, A, 32)
    assert ledger.released_after(A, 24) is None
    ledger.release([b.number], NOW + 7, "alice", "all of them", [(C, 48)])
    assert ledger.released_after(A, 32).note == "all of them"
    assert ledger.released_after(C[:15] + b"\1", 128).at == NOW + 7
    assert ledger.released_after(B, 32) is None
    assert [r.at for r in ledger.releases()] == [NOW + 6, NOW + 7, NOW + 7]


def test_where_a_network_stands(ledger):
    host, net, wide, other, six = ledger.impose([order(A), order(A, 24), order(A, 20), order(B, 24), order(C, 48)], NOW)
    ledger.end([net.number], NOW, "replaced")
    assert [e.number for e in ledger.covering(A)] == [wide.number, net.number, host.number]
    assert [e.number for e in ledger.covering(A, 22)] == [wide.number]
    assert [e.number for e in ledger.inside(A, 20)] == [host.number, net.number]
    assert ledger.inside(A, 32) == []
    assert [e.number for e in ledger.history(A, 24)] == [wide.number, net.number, host.number]
    assert [e.number for e in ledger.inside(bytes(4), 0)] == [other.number, wide.number, host.number, net.number]
    assert [e.number for e in ledger.inside(bytes(16), 0)] == [six.number]
    assert ledger.covering(bytes((203, 0, 113, 1))) == []


def test_all_that_last_are_inside_however_many(ledger):
    ledger.impose([order(bytes((10, 0, n >> 8, n & 255))) for n in range(1500)], NOW)
    ledger.end(range(1, 301), NOW, "lost")
    assert len(ledger.inside(bytes((10, 0, 0, 0)), 8, limit=10)) == 1210


def test_evidence_is_kept_exactly_and_bounded(ledger):
    hostile = b"user=<\xff\x00\x1b[2J'; DROP TABLE denial; --\r>"
    entry = ledger.impose([order(evidence=(LINE, hostile, LINE, b"x" * 9000))], NOW)[0]
    assert ledger.evidence(entry.number) == [LINE, hostile, b"x" * LINE_MOST]
    ledger.impose([order(evidence=(hostile, *(b"%d" % n for n in range(100))))], NOW)
    kept = ledger.evidence(entry.number)
    assert len(kept) == LINES
    assert kept[:3] == [LINE, hostile, b"x" * LINE_MOST]
    assert kept[-1] == b"99"
    assert ledger.evidence(77) == []


@pytest.mark.parametrize("wrong", [{"network": b"abc"}, {"bits": 33}, {"until": math.nan}, {"until": math.inf}, {"sentence": math.nan}])
def test_what_is_no_denial_leaves_nothing_behind(ledger, wrong):
    with pytest.raises(ValueError, match="no "):
        ledger.impose([order(B, 24), order(**{"network": A, "bits": 32, **wrong})], NOW)
    assert ledger.active(NOW) == []


def test_what_the_tables_refuse_leaves_nothing_behind(ledger):
    with pytest.raises(LedgerError, match="CHECK constraint"):
        ledger.impose([order(B, 24), order(port=70_000)], NOW)
    assert ledger.active(NOW) == []


def test_text_of_a_command_line_is_taken_as_it_comes(ledger):
    entry = ledger.impose([order(note="caf\udce9\0門" * 200)], NOW, "x" * 999)[0]
    assert entry.note.startswith("caf\\udce9\0門")
    assert (len(entry.note), len(entry.actor)) == (500, 100)


def test_ended_newest_first(ledger):
    entries = ledger.impose([order(bytes((10, 0, 0, n))) for n in range(5)], NOW)
    for n, entry in enumerate(entries):
        ledger.end([entry.number], NOW + n, "lost")
    assert [e.number for e in ledger.ended(NOW + 1, limit=3)] == [5, 4, 3]
    assert len(ledger.ended()) == 5


def test_what_is_shown_in_ufw_lasts_an_hour_from_its_line_on(ledger):
    hour = 3600.0
    ledger.impose([order(B, 24, until=NOW + hour - 2.0, sentence=hour)], NOW)  # its line was written two seconds ago
    ledger.impose([order(bytes((203, 0, 113, 0)), 24, until=NOW + 1800.0, sentence=1800.0)], NOW)
    assert [e.network for e in ledger.shown(NOW + 1, hour, 10)] == [B]


def test_what_a_person_typed_is_shown_in_ufw_however_short_it_is(ledger):
    hour = 3600.0
    ledger.impose([order(A, origin="hand", until=NOW + 60.0), order(B, 24, until=NOW + 60.0), order(C, 48, origin="hand", until=None)], NOW)
    assert [e.network for e in ledger.shown(NOW + 1, hour, 10)] == [C, A]


def test_what_goes_last_where_there_is_no_room_is_what_people_typed(ledger):
    ledger.impose([order(A, origin="hand"), order(A, port=25, protocol=6, origin="hand"), order(B, 24), order(C, 48, origin="run")], NOW)
    ledger.impose([order(A, origin="run", until=NOW + 2 * DAY)], NOW)  # it goes on being his
    gone = ledger.impose([order(bytes((192, 0, 2, 8)), origin="hand")], NOW)
    ledger.release([gone[0].number], NOW)
    assert ledger.typed() == {(A, 32, 0, 0), (A, 32, 25, 6)}


def test_networks_of_the_guard_are_counted_by_family_and_width(ledger):
    wide = [order(bytes((100, n, 0, 0)), 20, origin="run") for n in range(3)] + [order(bytes((101, n, 0, 0)), 24, origin="run") for n in range(2)]
    six = [order(C[:4] + bytes((n, *bytes(11))), 40, origin="run") for n in range(4)]
    ledger.impose([*wide, *six, order(B, 20, origin="hand"), order(A, 20, origin="run", until=NOW + 5)], NOW)
    assert ledger.count_wide(4, 24, NOW) == 4
    assert ledger.count_wide(4, 24, NOW + 5) == 3
    assert ledger.count_wide(4, 25, NOW + 5) == 5
    assert ledger.count_wide(16, 48, NOW) == 4
    assert ledger.count_wide(16, 40, NOW) == 0


def test_the_last_knock_is_the_newest_in_whatever_order_they_are_told(ledger):
    (entry,) = ledger.impose([order()], NOW)
    for at in (5, 9, 7):
        ledger.settle([Knocked(entry.number, 25, 6, 1, 60, NOW + at)], NOW + 9)
    assert ledger.find(entry.number).last_knock == NOW + 9


def test_what_cannot_last_so_long_is_shortened_unless_a_person_said_so(ledger):
    year = 366 * DAY
    rows = [order(A, until=NOW + year, sentence=60.0), order(B, 24, until=NOW + year, origin="run"), order(C, 48, until=NOW + year, sentence=9.0 * DAY, origin="run")]
    kept = [order(bytes((10, 0, 0, n)), until=NOW + year, origin=origin) for n, origin in enumerate(("hand", "import", "kernel"))]
    ledger.impose([*rows, *kept, order(bytes((10, 0, 0, 9)), until=NOW + 7 * DAY), order(bytes((10, 0, 0, 8)), until=None)], NOW)
    assert ledger.shorten(NOW, 5.0 * DAY, 7.0 * DAY) == 3
    assert [e.until for e in ledger.active(NOW)] == [NOW + 60.0, NOW + 5 * DAY, NOW + 5 * DAY, *[NOW + year] * 3, NOW + 7 * DAY, None]


def test_no_password_is_written_down(ledger):
    """Dovecot writes them where auth_verbose_passwords says so; the file would keep them for years."""
    said = b"dovecot: auth: sql(office,192.0.2.7,<A>): unknown user (given password: Mitternacht)"
    entry = ledger.impose([order(A, evidence=(said, said[:-8], b"another"))], NOW)[0]
    kept = said.replace(b"Mitternacht", b"***")
    assert ledger.evidence(entry.number) == [kept, kept[:-1], b"another"]
