"""The judge: one client, its network, who is spared, who got in, what is remembered. Campaigns and the rest: test_rules.py."""

import gc
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.judge import Judge, Policy, Shield
from monzen.judge import client as kept
from monzen.judge.network import Network
from monzen.judge.proposals import proposals
from monzen.types import Event, Fact, Join, Kind, Service, Weight

T = 1_788_500_000.0


def packed(text):
    return ip_address(text).packed


def event(
    time, client, kind=Kind.AUTH_FAILURE, weight=Weight.STRONG, user=None, attempts=1, detail=None, service=Service.SMTP, account=None
):
    fact = Fact(int(kind), int(weight), packed(client), user, int(service), attempts, account, detail, int(Join.ALONE), "test")
    return Event(T + time, fact, attempts, f"{time} {client}".encode(), b" mx postfix/smtpd[7]")


def ghosts(time, client, names, gap=60.0):
    """Failures for names without an account."""
    return [event(time + i * gap, client, user=name, account=False) for i, name in enumerate(names)]


def regular(client, user=b"office", days=2):
    """Good logins on several days before T."""
    return [success(-86400.0 * (days - i), client, user) for i in range(days)]


def success(time, client, user=b"office"):
    return event(time, client, Kind.AUTH_SUCCESS, Weight.NONE, user)


def judged(events, **policy):
    judge = Judge(Policy(**policy))
    judge.hear(events)
    return judge


def targets(judge):
    return [(s.target, s.bits, s.rule) for s in judge.sentences]


def test_eight_at_once_without_a_name_are_too_many():
    assert targets(judged([event(i * 80, "203.0.113.5") for i in range(8)])) == [(packed("203.0.113.5"), 32, "burst")]
    assert targets(judged([event(i * 90, "203.0.113.5") for i in range(8)])) == []
    assert targets(judged([event(0, "203.0.113.5", attempts=8)])) == [(packed("203.0.113.5"), 32, "burst")]


def unsteady(many, client="203.0.113.5", **more):
    """Failures an hour or so apart, not by the clock."""
    return [event(i * 3600 + i * i % 7 * 400, client, **more) for i in range(many)]


def test_many_in_a_week_without_a_name_are_too_many():
    slow = [(packed("203.0.113.5"), 32, "slow")]
    assert targets(judged(unsteady(19))) == []
    assert targets(judged(unsteady(20))) == slow
    assert targets(judged([event(i * 10 * 3600, "203.0.113.5") for i in range(40)])) == []  # 17 a week


def test_a_device_of_which_the_log_gives_no_name():
    """By the clock, and as users log in: not even for weeks. One of both: three times as many as else."""
    slow = [(packed("203.0.113.5"), 32, "slow")]
    users = [event(-5 - i, f"198.51.{100 + i}.7", Kind.AUTH_SUCCESS, Weight.NONE, b"anna", detail=b"LOGIN") for i in range(2)]
    clock = [event(i * 1800, "203.0.113.5", detail=b"LOGIN") for i in range(500)]
    assert targets(judged([*users, *clock])) == []
    assert targets(judged(clock)) == []  # to the second: no need to know how users log in
    rough = [event(i * 1800 + i * i % 7 * 55, "203.0.113.5", detail=b"LOGIN") for i in range(60)]
    assert targets(judged(rough[:59])) == []
    assert targets(judged(rough)) == slow
    assert targets(judged([*users, *rough])) == []
    assert targets(judged([*users, *unsteady(59, detail=b"LOGIN")])) == []
    assert targets(judged([*users, *unsteady(60, detail=b"LOGIN")])) == slow


@pytest.mark.parametrize(
    ("names", "account", "denied"),
    [
        ([b"info", b"sales", b"root"], False, True),
        ([b"info", b"sales"], False, False),
        ([b"max", b"max.muster", b"muster@example.org", b"MAX@example.org"], False, False),  # a person's slips
        ([b"anna", b"bernd", b"carla", b"dora"], None, True),
        ([b"anna", b"bernd", b"carla"], None, False),
        ([b"anna", b"bernd", b"carla", b"dora"], True, False),  # a family at a new address
        ([b"anna", b"bernd", b"carla", b"dora", b"emil"], True, True),
    ],
)
def test_many_names_are_an_attack_at_any_speed(names, account, denied):
    events = [event(i * 86400, "203.0.113.5", user=name, account=account) for i, name in enumerate(names)]
    assert [rule for _, _, rule in targets(judged(events))] == ["names"] * denied


def test_names_are_forgotten_after_a_week():
    assert targets(judged(ghosts(0, "203.0.113.5", [b"a", b"b", b"c", b"d"], 4 * 86400))) == []


def test_one_name_is_a_device_unless_it_is_too_fast():
    phone = [event(i * 300, "203.0.113.5", user=b"deleted", account=False) for i in range(500)]
    judge = judged(phone)
    assert targets(judge) == []
    assert [s.reason for s in judge.spared.values()] == ["device"]
    assert [a.what for a in judge.alarms.values()] == ["device"]
    assert targets(judged([event(i * 30, "203.0.113.5", user=b"office") for i in range(20)])) == [(packed("203.0.113.5"), 32, "burst")]
    monitor = [event(i * 60, "203.0.113.5", user=b"office") for i in range(500)]
    assert targets(judged(monitor)) == []
    unsteady = [event(i * 80 + i % 5 * 40, "203.0.113.5", user=b"office") for i in range(60)]
    assert targets(judged(unsteady)) == [(packed("203.0.113.5"), 32, "slow")]


def test_an_ipv6_client_is_its_64():
    events = [event(i, f"2001:db8:1:2::{i + 1}") for i in range(8)]
    assert targets(judged(events)) == [(packed("2001:db8:1:2::")[:8], 64, "burst")]


def imposed(judge):
    return [(s.target, s.bits, s.rule) for s, _ in judge.imposed()]


def test_a_gang_closes_its_network():
    events = [event(i * 5, f"203.0.113.{1 + i % 3}") for i in range(6)]
    judge = judged(events)
    assert imposed(judge) == [(b"\xcb\x00\x71", 24, "crowd")]
    assert judge.sentences[0].clients == 3
    assert judge.sentences[0].attempts == 6
    assert judge.sentences[0].at == T + 25
    assert targets(judged(events[:5])) == []
    assert targets(judged([event(i * 5, f"203.0.113.{1 + i % 2}") for i in range(6)])) == []
    assert imposed(judged([event(i * 121, f"203.0.113.{1 + i % 3}") for i in range(6)])) == []


def test_its_members_are_denied_for_longer_than_their_network():
    judge = judged([*(event(i * 5, f"203.0.113.{1 + i % 3}") for i in range(6)), event(9000, "198.51.100.1")])
    assert [(s.bits, at) for s, at in judge.imposed()] == [(24, T + 25), *[(32, T + 25 + 3600)] * 3]
    assert judge.sentences[0].until == T + 25 + 3600
    assert {s.until for s in judge.sentences[1:]} == {T + 25 + 36 * 3600}


def test_a_network_with_a_user_is_not_closed_but_its_offenders_are():
    events = [success(0, "203.0.113.9"), *(event(7200 + i * 5, f"203.0.113.{1 + i % 3}") for i in range(6))]
    judge = judged(events)
    assert sorted(targets(judge)) == [(packed(f"203.0.113.{n}"), 32, "crowd-member") for n in (1, 2, 3)]
    assert [(s.target, s.reason) for s in judge.spared.values()] == [(b"\xcb\x00\x71", "known-neighbour")]


def test_a_known_client_is_spared_until_it_tries_many_names():
    logins = regular("203.0.113.5")
    phone = [event(7200 + i, "203.0.113.5", user=b"office") for i in range(40)]
    judge = judged([*logins, *phone])
    assert targets(judge) == []
    assert [s.reason for s in judge.spared.values()] == ["known"]
    assert [a.what for a in judge.alarms.values()] == ["known-client-fails"]
    names = [b"info", b"sales", b"root", b"test", b"admin", b"scan"]
    assert targets(judged([*logins, *ghosts(7200, "203.0.113.5", names[:5])])) == []
    assert targets(judged([*logins, *ghosts(7200, "203.0.113.5", names)])) == [(packed("203.0.113.5"), 32, "names")]


def test_trust_is_not_had_at_once():
    names = [b"info", b"sales", b"root", b"scan"]
    assert targets(judged([success(0, "203.0.113.5"), *ghosts(3600, "203.0.113.5", names)])) != []
    assert targets(judged([*regular("203.0.113.5"), *ghosts(3600, "203.0.113.5", names)])) == []


@pytest.mark.parametrize("slip", [b"anan.muster", b"anna.mustr", b"annna.muster", b"ana.muster@example.net", b"anna.muzter", b"muster", b"a.muster"])
def test_slips_of_letters_are_an_accounts_own(slip):
    judge = judged([success(0, "198.51.100.1", b"anna.muster@example.org"), *ghosts(9, "203.0.113.5", [slip, b"root", b"scan"])])
    assert targets(judge) == []
    assert targets(judged(ghosts(9, "203.0.113.5", [slip, b"root", b"scan"]))) != []


def test_slips_before_a_success_are_forgiven():
    """An office of many people behind one address."""
    events = []
    for i, user in enumerate((b"anna", b"bernd", b"carla", b"dora", b"emil", b"frida")):
        events += [event(i * 100, "203.0.113.5", user=user, account=True), success(i * 100 + 20, "203.0.113.5", user)]
    judge = judged(events)
    assert targets(judge) == []
    assert judge.breaches == []


def test_a_login_after_guessing_is_a_breach_and_no_pardon():
    guesses = [event(i * 200 + i * i % 7 * 9, "203.0.113.5", user=b"office") for i in range(12)]
    judge = judged([*guesses, success(3000, "203.0.113.5")])
    assert [(b.why, b.user, b.attempts) for b in judge.breaches] == [("guessed", b"office", 12)]
    assert not judge.clients[packed("203.0.113.5")].good


def test_a_device_that_gets_its_new_password_is_an_alarm_and_no_breach():
    phone = [event(i * 300, "203.0.113.5", user=b"office") for i in range(30)]
    judge = judged([*phone, success(9200, "203.0.113.5")])
    assert judge.breaches == []
    assert "late-login" in {a.what for a in judge.alarms.values()}
    assert judge.clients[packed("203.0.113.5")].good


def test_a_few_typos_before_the_first_login_are_no_breach():
    assert judged([event(i * 20, "203.0.113.5", user=b"office") for i in range(4)] + [success(100, "203.0.113.5")]).breaches == []


def test_a_login_of_somebody_who_would_be_denied():
    guesses = [event(i, "203.0.113.5") for i in range(8)]
    assert [b.why for b in judged([*guesses, success(10, "203.0.113.5")]).breaches] == ["denied"]
    gang = [event(i * 5, f"203.0.113.{1 + i % 3}") for i in range(6)]
    assert [b.why for b in judged([*gang, event(60, "203.0.113.77"), success(100, "203.0.113.77")]).breaches] == ["network"]
    judge = judged([*gang, success(100, "203.0.113.77")])
    assert judge.breaches == []
    assert judge.sentences[0].hurt == {packed("203.0.113.77")}


@pytest.mark.parametrize(("failures", "breaches"), [(1, 0), (3, 0), (6, 1)])
def test_failures_and_successes_in_one_session(failures, breaches):
    judge = judged([Event(T, event(0, "203.0.113.5", attempts=failures, weight=Weight.WEAK, detail=b"mixed").fact, 0, b"x")])
    assert len(judge.breaches) == breaches


def test_a_login_before_the_guessing_is_an_alarm():
    bought = [success(0, "203.0.113.5", b"alice"), *ghosts(7 * 3600, "203.0.113.5", [b"admin", b"backup", b"scanner", b"oracle"])]
    judge = judged(bought)
    assert targets(judge) == [(packed("203.0.113.5"), 32, "names")]
    assert [(a.what, a.client) for a in judge.alarmed()] == [("login-before", packed("203.0.113.5"))]
    assert judged(bought[1:]).alarmed() == []


def test_a_denial_ends_when_it_has_been_quiet():
    events = [event(i, "203.0.113.5") for i in range(8)]
    knocks = [event(1000 * i, "203.0.113.5") for i in range(1, 10)]
    judge = judged([*events, *knocks])
    assert len(judge.sentences) == 1
    assert judge.sentences[0].until == T + 9000 + 36 * 3600
    assert judge.sentences[0].knocks == 9
    judge = judged([*events, *knocks, event(3 * 86400, "203.0.113.5")])  # a convict's next failure is enough
    assert [(s.rule, s.length) for s in judge.sentences] == [("burst", 36 * 3600), ("return", 4 * 36 * 3600)]


def test_a_convicts_heir_may_mistype():
    events = [event(i, "203.0.113.5") for i in range(8)]
    heir = [event(3 * 86400, "203.0.113.5", user=b"anna", account=True), success(3 * 86400 + 20, "203.0.113.5", b"anna")]
    judge = judged([*events, *heir])
    assert len(judge.sentences) == 1
    assert judge.breaches == []


@pytest.mark.parametrize(
    ("kind", "weight", "many", "rule"),
    [
        (Kind.PROTOCOL_ABUSE, Weight.WEAK, 2, "abuse"),
        (Kind.PROTOCOL_ABUSE, Weight.STRONG, 1, "abuse"),
        (Kind.RELAY_DENIED, Weight.STRONG, 3, "relay"),
        (Kind.RECIPIENT_UNKNOWN, Weight.WEAK, 10, "harvest"),
        (Kind.LOST, Weight.WEAK, 32, "burst"),
    ],
)
def test_other_signs_add_up(kind, weight, many, rule):
    events = [event(i, "203.0.113.5", kind, weight, detail=b"r%d@example.net" % i) for i in range(many)]
    assert targets(judged(events[:-1])) == []
    assert targets(judged(events)) == [(packed("203.0.113.5"), 32, rule)]


def test_mail_excuses_unknown_recipients_and_nothing_else():
    mails = [event(-86400 * n, "203.0.113.5", Kind.DELIVERED, Weight.NONE) for n in (2, 1)]
    lost = [event(i, "203.0.113.5", Kind.RECIPIENT_UNKNOWN, Weight.WEAK, detail=b"r%d" % i) for i in range(15)]
    assert targets(judged([*mails, *lost])) == []
    assert targets(judged([*mails, *ghosts(0, "203.0.113.5", [b"info", b"sales", b"root"])])) != []


def test_a_phone_that_sends_without_a_login_has_few_recipients():
    again = [event(i * 60, "203.0.113.5", Kind.RELAY_DENIED, detail=b"r%d@example.net" % (i % 2)) for i in range(50)]
    assert targets(judged(again)) == []


def test_knocks_never_deny_and_are_counted_by_port():
    judge = judged([event(i, "203.0.113.5", Kind.BLOCKED, Weight.WEAK, detail=b"23/tcp") for i in range(500)])
    assert targets(judge) == []
    assert judge.knockers[packed("203.0.113.5")].ports == {b"23/tcp": 500}


def blocked(time, client, port=b"23/tcp"):
    return event(time, client, Kind.BLOCKED, Weight.WEAK, detail=port)


def test_knocks_add_up_where_more_than_packets_came():
    """A packet can be forged; a failed login cannot."""
    knocks = [blocked(100 + i, "203.0.113.5") for i in range(10)]
    denied = [(packed("203.0.113.5"), 32, "knocks")]
    assert targets(judged([event(0, "203.0.113.5"), *knocks[:9]])) == []
    assert targets(judged([event(0, "203.0.113.5"), *knocks])) == denied
    assert targets(judged([success(0, "203.0.113.5"), event(1, "203.0.113.5"), *knocks])) == []
    assert targets(judged([event(0, "203.0.113.5", Kind.LOST, Weight.WEAK), *knocks])) == []
    assert targets(judged([event(0, "203.0.113.5"), *(blocked(86400 * 8 * i, "203.0.113.5") for i in range(1, 30))])) == []


def test_packets_alone_never_deny_but_one_failure_after_them_does_beside_convicts():
    convicts = [event(i, f"203.0.113.{n}", attempts=8) for i, n in enumerate((7, 8))]
    knocks = [blocked(100 + i, f"203.0.113.{n}") for n in (99, 98, 97) for i in range(300)]
    assert len(targets(judged([*convicts, *knocks]))) == 2
    assert targets(judged([*knocks, event(500, "203.0.113.99")])) == []
    assert packed("203.0.113.99") in {t for t, _, _ in targets(judged([*convicts, *knocks, event(500, "203.0.113.99")]))}


def test_knocks_prolong_a_denial_up_to_a_cap():
    burst = [event(i, "203.0.113.5") for i in range(8)]
    judge = judged([*burst, *(blocked(3600 * i, "203.0.113.5") for i in range(1, 24 * 12))])
    assert [s.until for s in judge.sentences] == [T + 7 + 7 * 86400]
    one = judged([*burst, blocked(3600, "203.0.113.5")])
    assert one.sentences[0].until == T + 3600 + 36 * 3600


def test_a_network_that_comes_back_and_never_brought_anything_good_is_proposed():
    gang = [event(day * 86400 + i * 5, f"203.0.113.{1 + i % 4}") for day in range(4) for i in range(12)]
    (proposal,) = proposals(judged(gang))
    assert (proposal.target, proposal.bits, proposal.days, proposal.clients) == (b"\xcb\x00\x71", 24, 4, 4)
    assert proposals(judged(gang[:24])) == []
    assert proposals(judged([*gang, success(5 * 86400, "203.0.113.77")])) == []
    (proposal,) = proposals(judged(gang))
    assert (proposal.first, proposal.attempts) == (T, 48)
    shielded = Judge(shield=Shield(allow=[(packed("203.0.113.200"), 32)]))
    shielded.hear(gang)
    assert proposals(shielded) == []
    assert proposals(judged([event(-9, "203.0.113.77", Kind.DELIVERED, Weight.NONE), *gang])) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "172.20.0.5", "192.168.1.1", "169.254.1.1", "224.0.0.1", "::1", "fe80::1", "fc00::1"])
def test_some_are_never_denied(address):
    assert targets(judged([event(i, address) for i in range(30)])) == []
    assert Shield().covers(packed(address))


@pytest.mark.parametrize("address", ["192.0.2.1", "198.18.0.1", "240.0.0.1", "100.64.0.1", "2001:db8::1", "1.1.1.1"])
def test_every_other_address_counts_as_public(address):
    assert not Shield().covers(packed(address))


def test_an_outage_is_an_alarm_and_counts_for_nobody():
    judge = judged([event(i, "203.0.113.5", Kind.AUTH_OUTAGE, Weight.NONE) for i in range(50)])
    assert targets(judge) == []
    assert [(a.what, a.times) for a in judge.alarms.values()] == [("outage", 50)]


def test_each_outage_is_an_alarm_of_its_own():
    down = [event(start + i, "203.0.113.5", Kind.AUTH_OUTAGE, Weight.NONE) for start in (0, 90_000, 200_000) for i in range(0, 600, 60)]
    judge = judged(down)
    assert [(a.what, a.at - T, a.until - T, a.times) for a in judge.alarmed()] == [
        ("outage", start, start + 540, 10) for start in (0, 90_000, 200_000)
    ]


def test_hidden_clients_are_an_alarm():
    judge = judged([event(i, "172.17.0.1", weight=Weight.NONE) for i in range(50)])
    assert [(a.what, a.times) for a in judge.alarms.values()] == [("hidden-clients", 50)]


def test_memory_is_bounded_and_users_and_denied_stay():
    judge = Judge(Policy(clients=100, knockers=50))
    judge.hear([success(0, "198.51.100.1"), *(event(10 + i, "203.0.113.5") for i in range(8))])
    judge.hear(event(1000 + i / 4, f"{1 + i // 60000}.{i // 250 % 250}.{i % 250}.7") for i in range(5000))
    judge.hear(event(7000 + i, f"198.18.{i // 250}.{i % 250}", Kind.BLOCKED, Weight.WEAK, detail=b"23/tcp") for i in range(2000))
    assert len(judge.clients) <= 100
    assert len(judge.networks) <= 100
    assert len(judge.knockers) <= 50
    assert packed("198.51.100.1") in judge.clients
    assert packed("203.0.113.5") in judge.clients
    assert judge.offenders == 5001
    assert judge.forgotten > 4000


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 5000),
        st.sampled_from(["203.0.113.1", "203.0.113.2", "203.0.113.3", "198.51.100.7", "2001:db8::1", "2001:db8:0:1::1", "10.0.0.1", "127.0.0.1"]),
        st.sampled_from([Kind.AUTH_FAILURE, Kind.AUTH_SUCCESS, Kind.BLOCKED, Kind.DELIVERED, Kind.RELAY_DENIED, Kind.AUTH_OUTAGE]),
        st.sampled_from(list(Weight)),
        st.integers(0, 7),
    ),
    max_size=60,
)


@given(EVENTS, st.lists(st.integers(0, 60), max_size=5))
def test_the_same_events_give_the_same_verdicts_however_they_come(rows, cuts):
    events = [event(t, c, k, w if k not in (Kind.AUTH_SUCCESS, Kind.DELIVERED) else Weight.NONE, b"u", n, b"25/tcp") for t, c, k, w, n in rows]
    whole = judged(events)
    parts = Judge()
    edges = sorted({0, len(events), *(min(c, len(events)) for c in cuts)})
    for a, b in pairwise(edges):
        parts.hear(events[a:b])
    said = [(s.target, s.bits, s.at, s.until, s.rule, s.clients, s.attempts, s.knocks, s.hurt) for s in whole.sentences]
    assert said == [(s.target, s.bits, s.at, s.until, s.rule, s.clients, s.attempts, s.knocks, s.hurt) for s in parts.sentences]
    assert whole.breaches == parts.breaches
    assert not any(Shield().holds(s.target, s.bits) for s in whole.sentences)
    assert all(s.at <= s.until for s in whole.sentences)


@pytest.mark.parametrize("what", ["logins", "bursts"])
def test_what_is_kept_is_bounded_and_users_stay(what):
    """Full of users, or of denied clients: new ones cost no walk each, and strangers make it forget no user."""
    judge = Judge(Policy(clients=200, sentences=50))
    for i in range(100):
        judge.hear([event(float(i), f"10.{i}.0.1", Kind.AUTH_SUCCESS, Weight.NONE, b"u", 1, None)])
    users = set(judge.clients)
    for i in range(3000):
        at, client = 10_000.0 + i, f"{20 + i % 200}.{i // 200}.0.9"
        if what == "logins":
            judge.hear([event(at, client, Kind.AUTH_SUCCESS, Weight.NONE, b"v", 1, None)])
        else:
            judge.hear([event(at, client, Kind.AUTH_FAILURE, Weight.STRONG, b"v", 20, None)])
    assert len(judge.clients) <= 221
    assert len(judge.sentences) <= 51
    assert sum(len(keys) for keys in judge.users.values()) <= 221
    assert judge.forgotten > 2000
    if what == "bursts":
        assert users <= set(judge.clients)


def test_what_goes_first_of_too_many_sentences():
    """Those that ended, then the oldest of single clients, then the oldest of networks; each a tenth at a time."""
    judge = Judge(Policy(sentences=10))
    many = [judge._sentence(bytes((20, 0, n, 7)), 32, 1000.0 + n, 500.0 if n == 7 else 9000.0, "names", 1, 1, ()) for n in range(8)]
    many += [judge._sentence(bytes((20, 1, n)), 24, 1010.0, 9000.0, "crowd", 3, 9, ()) for n in range(2)]
    left = []
    for n in range(11):
        many.append(judge._sentence(bytes((20, 2, n)), 24, 2000.0 + n, 9000.0, "crowd", 3, 9, ()))
        left.append(next(s.target for s in many if s not in judge.sentences and s.target not in left))
        assert len(judge.sentences) == 10
    single = [bytes((20, 0, n, 7)) for n in (7, 0, 1, 2, 3, 4, 5, 6)]
    assert left == [*single, bytes((20, 1, 0)), bytes((20, 1, 1)), bytes((20, 2, 0))]


def test_a_convict_whose_sentence_was_forgotten_returns():
    judge = Judge(Policy(sentences=10))
    judge.hear(ghosts(0, "203.0.113.5", [b"anna", b"bruno", b"carla"]))
    judge.hear(e for n in range(30) for e in ghosts(1000 + 300 * n, f"{20 + n}.0.0.9", [b"anna", b"bruno", b"carla"], 1))
    client = judge.clients[packed("203.0.113.5")]
    assert not isinstance(client.sentence, kept.Sentence)
    assert (client.sentence.at, client.sentence.rule) == (T + 120, "names")
    assert client.sentence.until < judge.now
    judge.hear(ghosts(20_000, "203.0.113.5", [b"dora"]))
    assert targets(judge)[-1] == (packed("203.0.113.5"), 32, "return")


@pytest.mark.skipif(str(kept.__file__).endswith(".py"), reason="not compiled")
def test_what_there_are_a_million_of_is_small():
    """Bytes on a 64-bit machine. Without the collector's 16 bytes before each, since no cycle can be among them."""
    sentence = kept.Sentence(b"", 32, 1.0, 1.0, "names", 1, 1, ())
    things = [kept.Client(1.0), sentence.past(), kept.Trust(), sentence]
    assert [t.__sizeof__() for t in things] == [96, 80, 104, 160]
    assert not any(gc.is_tracked(t) for t in [*things, kept.Record(), Network()])
