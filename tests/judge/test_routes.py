"""The routing table: lines, ranges, who announces what; and the rule "wide", which needs it."""

from ipaddress import ip_address, ip_network, summarize_address_range

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.judge import Judge, Policy, Shield
from monzen.judge.prefixes import cut, merge, within
from monzen.judge.proposals import proposals
from monzen.judge.routes import Routes, RoutesError, read
from monzen.judge.state import restore, save
from monzen.show.reasons import reason
from monzen.show.report import commands, standing
from monzen.show.text import network
from monzen.types import Kind
from tests.judge.test_judge import T, event, packed, success


def table(*lines):
    return read(line.encode() for line in lines)


# ---- reading


def test_lines():
    routes = table("# made by hand", "", "203.0.112.0/22 64500", "203.0.113.0/24\tAS64501 EXAMPLE-NET", "2001:db8::/32 64502\r\n", "192.0.2.0/24 0")
    assert len(routes) == 3
    assert routes.origin(packed("203.0.112.0")[:3]) == 64500
    assert routes.origin(packed("203.0.113.0")[:3]) == 64501
    assert routes.origin(packed("203.0.116.0")[:3]) == -1
    assert routes.origin(packed("192.0.2.0")[:3]) == -1
    assert routes.origin(packed("2001:db8:5::")[:6]) == 64502


def test_ranges_of_iptoasn():
    routes = table("198.51.100.0\t198.51.102.255\t64500\tZZ\tEXAMPLE A, B", "203.0.113.0\t203.0.113.255\t0\tNone\tNot routed", "2001:db8::\t2001:db8:2:ffff:ffff:ffff:ffff:ffff\t64501\tZZ\tX")
    assert len(routes) == 4
    assert [routes.around(packed(f"198.51.{n}.0")[:3], 8, 64500) for n in (100, 102)] == [[23], []]  # 102 is a /24 by itself
    assert routes.around(packed("2001:db8:1::")[:6], 32, 64501) == [47]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("203.0.113.0/24", "line"),
        ("203.0.113.0 64500", "line"),
        ("hello", "line"),
        ("203.0.113.1/24 64500", "prefix"),
        ("203.0.113.0/33 64500", "prefix"),
        ("203.0.113/24 64500", "prefix"),
        ("203.0.113.010/32 64500", "prefix"),
        ("256.0.113.0/24 64500", "prefix"),
        ("2001:db8::1/32 64500", "prefix"),
        ("x::/32 64500", "prefix"),
        ("203.0.113.0/-1 64500", "prefix"),
        ("203.0.113.0/24 4294967296", "asn"),
        ("203.0.113.0/24 -1", "asn"),
        ("203.0.113.0/24 ASX", "asn"),
        ("203.0.113.9 203.0.113.0 64500", "range"),
        ("203.0.113.0 2001:db8:: 64500", "range"),
        ("network,autonomous_system_number x y", "asn"),
        ("\udcff\udcfe 1 2", "range"),
    ],
)
def test_lines_that_are_none(line, what):
    with pytest.raises(RoutesError) as error:
        read([b"# first", line.encode("utf-8", "surrogateescape")])
    assert (error.value.number, error.value.what) == (2, what)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_range_is_the_prefixes_that_the_standard_library_finds(low, high):
    low, high = sorted((low, high))
    first, last = ip_address(low), ip_address(high)
    routes = read([f"{first} {last} 64500".encode()])
    found = {(key >> 8, key & 255) for key in routes.keys4}
    assert found == {(int(n.network_address), n.prefixlen) for n in summarize_address_range(first, last)}


PREFIXES = st.tuples(st.integers(0, 2**16 - 1), st.integers(8, 24), st.integers(1, 3)).map(lambda p: (ip_network(((0xCB00 << 16 | p[0] << 8), p[1]), strict=False), p[2]))


@given(st.lists(PREFIXES, max_size=12, unique_by=lambda p: p[0]), st.integers(0, 2**16 - 1))
def test_the_origin_is_that_of_the_longest_prefix(rows, asked):
    routes = read(f"{n} {asn}".encode() for n, asn in rows)
    where = ip_network((0xCB00 << 16 | asked << 8, 24))
    holders = sorted((n.prefixlen, asn) for n, asn in rows if where.subnet_of(n))
    key = where.network_address.packed[:3]
    asn = routes.origin(key)
    assert asn == (holders[-1][1] if holders else -1)
    assert asn < 0 or routes.around(key, 16, asn) == [n for n, a in reversed(holders) if a == asn and 16 <= n < 24]
    for length in range(16, 24):
        whole = where.supernet(new_prefix=length)
        assert routes.shared(key, length, 1) == any(n.subnet_of(whole) and a != 1 for n, a in rows)


# ---- merging

NEAR = st.tuples(st.integers(0, 63), st.integers(24, 32)).map(lambda p: ip_network((0xCB007100 + p[0] * 4, p[1]), strict=False))
NEAR6 = st.tuples(st.integers(0, 31), st.integers(40, 66)).map(lambda p: ip_network(((0x20010DB8 << 96) + (p[0] << 64), p[1]), strict=False))


@given(st.lists(NEAR | NEAR6, max_size=20))
def test_merging_denies_the_same_addresses(networks):
    rows = [(n.network_address.packed, n.prefixlen) for n in networks]
    merged = [ip_network(r) for r in merge(rows)]
    for version in (4, 6):
        given_, made = ([n for n in which if n.version == version] for which in (networks, merged))
        for inside in given_:
            assert any(inside.subnet_of(m) for m in made)
        assert sum(n.num_addresses for n in made) == union(given_)
    assert merge([(n.network_address.packed, n.prefixlen) for n in merged]) == merge(rows) == merge(rows[::-1])


def union(networks):
    total, end = 0, -1
    for first, last in sorted((int(n[0]), int(n[-1])) for n in networks):
        total += max(0, last - max(first, end + 1) + 1)
        end = max(end, last)
    return total


def test_merging():
    assert merge([(b"\xcb\0\x70", 24), (b"\xcb\0\x71", 24)]) == [(b"\xcb\0\x70\0", 23)]
    assert merge([(b"\xcb\0\x71", 24), (b"\xcb\0\x72", 24)]) == [(b"\xcb\0\x71\0", 24), (b"\xcb\0\x72\0", 24)]
    assert merge([(b"\xcb\0\x71\7", 32), (b"\xcb\0\x71", 24)]) == [(b"\xcb\0\x71\0", 24)]


@given(NEAR | NEAR6, NEAR | NEAR6)
def test_within_and_cut(inner, outer):
    a, b = inner.network_address.packed, outer.network_address.packed
    same = inner.version == outer.version
    assert within(a, b, outer.prefixlen) is (same and inner.network_address in outer)
    assert ip_network((cut(a, 20), 20)) == ip_network((a, 20), strict=False)


def test_two_networks_side_by_side_are_one_command():
    judge = judged(None, *gang("203.0.113", 9), *gang("203.0.112", 0))
    assert [network(s.target, s.bits) for s, _ in standing(judge)] == ["203.0.112.0/24", "203.0.113.0/24"]
    assert commands(judge) == ["ufw prepend deny from 203.0.112.0/23"]


# ---- the rule


def gang(where, at=0.0):
    return [event(at + i * 5, f"{where}.{1 + i % 3}") for i in range(6)]


def judged(routes, *events, policy=None, shield=None):
    judge = Judge(policy or Policy(), shield, routes)
    judge.hear(sorted(events, key=lambda e: e.time))
    return judge


def wide(judge):
    return [network(s.target, s.bits) for s in judge.sentences if s.rule == "wide"]


THREE = [*gang("203.0.112"), *gang("203.0.113", 60), *gang("203.0.115", 120)]
ROUTED = table("203.0.112.0/22 64500")


def test_three_closed_networks_close_their_prefix():
    judge = judged(ROUTED, *THREE)
    assert wide(judge) == ["203.0.112.0/22"]
    (sentence,) = [s for s in judge.sentences if s.rule == "wide"]
    assert (sentence.at, sentence.length, sentence.clients, sentence.attempts, sentence.detail) == (T + 145, 3600, 9, 18, 3)
    assert len(sentence.evidence) == 3
    assert "9 clients in 3 closed networks of one operator" in reason(sentence, judge.policy)
    assert [network(s.target, s.bits) for s, _ in standing(judge)] == ["203.0.112.0/22"]
    assert commands(judge) == ["ufw prepend deny from 203.0.112.0/22"]


def test_then_all_of_it_is_denied_and_a_user_in_it_hurt():
    judge = judged(ROUTED, *THREE, *(event(200 + i, "203.0.114.9") for i in range(8)), success(300, "203.0.114.77"))
    (sentence,) = [s for s in judge.sentences if s.rule == "wide"]
    assert not [s for s in judge.sentences if s.target == packed("203.0.114.9")]
    assert sentence.knocks == 8
    assert sentence.hurt == {packed("203.0.114.77")}
    judge = judged(ROUTED, *THREE, event(200, "203.0.114.9"), success(300, "203.0.114.9"))
    assert [b.why for b in judge.breaches] == ["network"]


def test_it_lasts_for_as_long_as_its_members_come():
    judge = judged(ROUTED, *THREE, event(2000, "203.0.112.1"), event(3000, "203.0.114.9"))
    (sentence,) = [s for s in judge.sentences if s.rule == "wide"]
    assert (sentence.until, sentence.last_knock, sentence.knocks) == (T + 2000 + sentence.length, T + 2000, 2)


def test_it_proposes_nothing_by_itself():
    judge = judged(ROUTED, *THREE)
    (sentence,) = [s for s in judge.sentences if s.rule == "wide"]
    sentence.days = 9
    assert proposals(judge) == []


def test_a_slow_gang_is_too_little_to_look_around():
    slow = [event(n * 700 + i * 5, f"203.0.{c}.{n + i}", user=b"scan", account=False) for c in (112, 113, 115) for n in (1, 3) for i in range(2)]
    judge = judged(ROUTED, *slow)
    assert {s.rule for s in judge.sentences if s.bits < 32} == {"gang"}
    assert wide(judge) == []


@pytest.mark.parametrize(
    "lines",
    [
        (),  # a table that knows nothing of it
        ("203.0.112.0/24 64500", "203.0.113.0/24 64500", "203.0.115.0/24 64500"),  # nothing wider is announced
        ("203.0.96.0/19 64500",),  # wider than the policy allows
        ("203.0.112.0/22 64500", "203.0.113.0/24 64501"),  # two of one AS only
        ("203.0.112.0/22 64500", "203.0.114.0/24 64501"),  # somebody else's is inside
        ("203.0.112.0/22 64500", "203.0.114.128/25 64501"),
        ("203.0.112.0/22 64500", "203.0.112.0/22 64501"),
    ],
)
def test_nothing_is_wider_than_its_prefix(lines):
    assert wide(judged(table(*lines), *THREE)) == []


def test_without_a_table_never():
    assert {s.bits for s in judged(None, *THREE).sentences} == {24, 32}


@pytest.mark.parametrize(("widest", "found"), [(24, []), (23, []), (22, ["203.0.112.0/22"]), (16, ["203.0.112.0/22"])])
def test_never_wider_than_the_policy_says(widest, found):
    assert wide(judged(ROUTED, *THREE, policy=Policy(widest4=widest))) == found


def test_networks_of_one_as_beside_the_prefix_count():
    routes = table("203.0.112.0/23 64500", "203.0.114.0/23 64500", "203.0.120.0/24 64501")
    assert wide(judged(routes, *THREE)) == ["203.0.114.0/23"]
    other = [*gang("203.0.112"), *gang("203.0.113", 60), *gang("203.0.120", 120)]
    assert wide(judged(routes, *other)) == []


def test_two_are_too_few_and_so_are_three_one_after_the_other():
    assert wide(judged(ROUTED, *THREE[:12])) == []
    assert wide(judged(ROUTED, *gang("203.0.112"), *gang("203.0.113", 4000), *gang("203.0.115", 8000))) == []


@pytest.mark.parametrize(
    ("before", "shield", "why"),
    [
        ([success(-40 * 86400.0, "203.0.114.9")], None, "known-neighbour"),
        ([event(-86400.0 * d, "203.0.114.25", Kind.DELIVERED, 0) for d in (3, 2)], None, "known-neighbour"),
        ([], Shield((), [(packed("203.0.114.9"), 32)]), "shielded"),
        ([], Shield([(b"\xcb\0\x72\x80", 25)]), "shielded"),
    ],
)
def test_where_somebody_lives_or_is_allowed_it_stays_open(before, shield, why):
    judge = judged(ROUTED, *before, *THREE, shield=shield)
    assert wide(judge) == []
    assert [(network(s.target, s.bits), s.reason) for s in judge.spared.values() if s.rule == "wide"] == [("203.0.112.0/22", why)]
    assert {network(s.target, s.bits) for s in judge.sentences if s.bits == 24} == {"203.0.112.0/24", "203.0.113.0/24", "203.0.115.0/24"}


def hops(site, at):
    """Five /64 of a /48, each in a /56 of its own."""
    return [event(at + i * 60, f"2001:db8:{site:x}:{i * 256:x}::1") for i in range(5)]


def test_ipv6():
    routes = table("2001:db8::/44 64500", "2001:db8::/32 64499")
    three = [*hops(1, 0), *hops(2, 1000), *hops(9, 2000)]
    assert wide(judged(None, *three)) == []
    judge = judged(routes, *three)
    assert wide(judge) == ["2001:db8::/44"]
    assert [network(s.target, s.bits) for s, _ in standing(judge)] == ["2001:db8::/44"]
    assert commands(judge) == ["ufw prepend deny from 2001:db8::/44"]
    assert wide(judged(routes, success(-9e6, "2001:db8:f::7"), *three)) == []
    assert wide(judged(table("2001:db8::/39 64500"), *three)) == []
    judge.hear([event(2500, "2001:db8:c::1"), success(2600, "2001:db8:d::1")])
    (sentence,) = [s for s in judge.sentences if s.rule == "wide"]
    assert (sentence.knocks, sentence.hurt) == (1, {packed("2001:db8:d::1")[:8]})
    assert sentence.until < T + 2500 + sentence.length  # who is no convict prolongs nothing


def test_it_is_saved_and_restored():
    judge = judged(ROUTED, *THREE)
    again = restore(save(judge), judge.policy, routes=ROUTED)
    for one in (judge, again):
        one.hear([event(200, "203.0.114.9")])
    assert [s.knocks for s in again.sentences if s.rule == "wide"] == [1]
    assert save(again) == save(judge)


def test_an_empty_table():
    assert Routes().sort().origin(b"\xcb\0\x71") == -1
