"""What somebody would try who knows how the judge decides: to have others denied, and not to be denied himself."""

import math

import pytest

from monzen.judge import Judge, Policy
from monzen.judge.state import restore, save
from monzen.types import Kind, Service, Weight

from .test_judge import T, event, ghosts, judged, packed, regular, success, targets

DAY = 86400


def mail(time, client):
    return event(time, client, Kind.DELIVERED, Weight.NONE)


def relay(time, client, n):
    return event(time, client, Kind.RELAY_DENIED, detail=b"r%d@example.net" % n)


def unknown(time, client, n):
    return event(time, client, Kind.RECIPIENT_UNKNOWN, Weight.WEAK, detail=b"u%d@example.org" % n)


# ---- others


def test_a_wrong_mx_does_not_deny_a_big_mail_server():
    assert targets(judged([*(mail(i, "203.0.113.5") for i in range(50)), *(relay(100 + i, "203.0.113.5", i) for i in range(60))])) == []


def test_years_of_lost_recipients_are_no_harvest():
    assert targets(judged([unknown(n * 2 * DAY, "203.0.113.5", n) for n in range(100)])) == []
    busy = [e for n in range(300) for e in (mail(n * 900, "203.0.113.5"), unknown(n * 900 + 5, "203.0.113.5", n))]
    assert targets(judged(busy)) == []


def test_a_known_office_may_forget_names():
    names = [b"anna", b"bernd", b"carla", b"dora", b"emil", b"frida", b"gustav"]
    tries = [event(3600 + i * 60, "203.0.113.5", user=name) for i, name in enumerate(names)]
    assert targets(judged([*regular("203.0.113.5"), *tries])) == []


def test_a_phone_in_an_ipv6_network_of_many_does_not_close_it():
    phone = [event(i * 600, f"2001:db8:1:{i}::1", user=b"anna", account=True, attempts=2) for i in range(20)]
    assert targets(judged(phone)) == []
    strangers = [event(i * 600, f"2001:db8:1:{i}::1") for i in range(8)]
    assert {t[2] for t in targets(judged(strangers))} == {"hopper"}
    for good in (success, mail):
        days = [good(-DAY * n, "2001:db8:1:ff::7") for n in (3, 2, 1)]
        assert [t for t in targets(judged([*days, *strangers])) if t[1] < 64] == []


def test_an_ipv6_network_that_is_closed_opens_though_a_newcomer_comes_every_day():
    strangers = [event(i * 600, f"2001:db8:1:{i}::1") for i in range(8)]
    daily = [event(DAY * n, "2001:db8:1:77::1") for n in range(1, 30)]
    judge = judged([*strangers, *daily])
    assert judge.sentences[0].until < T + 4 * DAY


def test_one_ipv6_owner_is_one_network_of_a_campaign():
    innocents = [event(i, f"{20 + i}.1.1.1", detail=b"LOGIN", service=Service.SUBMISSION) for i in range(15)]
    owner = [event(60 + i, f"2001:db8:{i:x}::1", detail=b"LOGIN", service=Service.SUBMISSION) for i in range(60)]
    judge = judged([*innocents, *owner, event(DAY, "198.51.100.1")])
    assert [t for t in targets(judge) if t[2] == "campaign"] == []


def test_a_network_is_not_held_guilty_for_ever():
    convicts = [event(i, f"203.0.113.{n}", attempts=8) for i, n in enumerate((7, 8))]
    assert len(targets(judged([*convicts, event(700 * DAY, "203.0.113.9")]))) == 2
    assert len(targets(judged([*convicts, event(700 * DAY, "203.0.113.7")]))) == 2


def test_an_heir_who_logged_in_is_no_convict():
    events = [event(i, "203.0.113.5") for i in range(8)]
    heir = [success(3 * DAY, "203.0.113.5", b"anna"), event(3 * DAY + 3600, "203.0.113.5")]
    assert len(targets(judged([*events, *heir]))) == 1


# ---- himself


@pytest.mark.parametrize("first", [b"info.sales.admin.root.test.office.mail", b"a", b"x"])
def test_a_list_of_names_is_no_device_whatever_its_first_name_is(first):
    names = [first, *(first[:1] + b"%d" % n for n in range(40)), b"info", b"sales", b"admin", b"root", b"test", b"office"]
    assert targets(judged(ghosts(0, "203.0.113.5", names, 130.0))) != []


def test_a_family_of_names_has_a_few_members():
    names = [b"anna", *(b"anna%d" % n for n in range(60))]
    assert targets(judged(ghosts(0, "203.0.113.5", names, 130.0))) != []


def test_mail_excuses_no_guess():
    users = [success(-9 - i, f"{30 + i}.7.7.7", b"anna") for i in range(2)]
    bots = [event(i * 60, f"{20 + i}.{i}.1.1", user=b"info", account=False, detail=b"LOGIN") for i in range(60)]
    bribes = [mail(i * 60 - 5, f"{20 + i}.{i}.1.1") for i in range(60)]
    plain = judged([*users, *bots, event(DAY, "198.51.100.1")])
    bought = judged([*users, *sorted([*bots, *bribes], key=lambda e: e.time), event(DAY, "198.51.100.1")])
    assert len(targets(plain)) == len(targets(bought)) > 40


def test_trust_is_not_had_around_midnight():
    midnight = -(T % DAY) + DAY
    logins = [success(midnight - 1, "203.0.113.5"), success(midnight + 1, "203.0.113.5")]
    assert targets(judged([*logins, *ghosts(midnight + 60, "203.0.113.5", [b"info", b"sales", b"root", b"scan"])])) != []


def test_an_outage_is_not_played_by_a_stolen_account():
    clients = [f"203.0.113.{n}" for n in range(1, 6)]
    stolen = [success(i, c, b"anna") for i, c in enumerate(clients)]
    noise = [event(60 + 10 * i, clients[i % 5], user=b"anna") for i in range(60)]
    guesses = ghosts(400, "198.51.100.9", [b"info", b"sales", b"root", b"scan"])
    assert (packed("198.51.100.9"), 32, "names") in targets(judged(sorted([*stolen, *noise, *guesses], key=lambda e: e.time)))


def test_two_mails_do_not_shield_a_network_for_ever():
    mails = [mail(-800 * DAY, "203.0.113.200"), mail(-799 * DAY, "203.0.113.200")]
    gang = [event(i * 5, f"203.0.113.{1 + i % 3}") for i in range(6)]
    assert (b"\xcb\x00\x71", 24, "crowd") in targets(judged([*mails, *gang]))


def test_successes_of_years_ago_hide_no_campaign():
    users = [success(-700 * DAY + i, f"{20 + i % 100}.{i // 100}.7.7", b"u%d" % i) for i in range(300)]
    bots = [event(i * 60, f"{20 + i}.{i}.1.1", user=b"info", account=False, detail=None) for i in range(60)]
    assert [t for t in targets(judged([*users, *bots, event(DAY, "198.51.100.1")])) if t[2] == "campaign"]


@pytest.mark.parametrize("name", [b"info", b"never"])
def test_a_gang_hides_in_no_campaign(name):
    """Its names are those that a botnet tries at that time: who waits whether a client gets in still looks at its neighbours."""
    users = [success(-9 - i, f"{130 + i}.7.7.7", b"anna") for i in range(2)]
    bots = [event(i * 60, f"{20 + i}.{i}.1.1", user=b"info", account=False, detail=b"LOGIN") for i in range(60)]
    gang = [event(3600 + i * 5, f"203.0.113.{1 + i % 3}", user=name, account=False, detail=b"LOGIN") for i in range(9)]
    alone = [event(3600 + i * 5, "198.51.100.9", user=b"info", account=False, detail=b"LOGIN") for i in range(3)]
    judge = judged([*users, *bots, *sorted([*gang, *alone], key=lambda e: e.time)])
    closed = [at for s, at in judge.imposed() if (s.target, s.bits) == (b"\xcb\x00\x71", 24)]
    assert len(closed) == 1
    assert closed[0] < T + 3600 + 60
    assert packed("198.51.100.9") not in {s.target for s, _at in judge.imposed()}, "by itself it may be somebody who gets in still"


CAMPAIGN = [event(i * 60, f"{20 + i}.{i}.1.1", user=b"info", account=False, detail=b"LOGIN") for i in range(60)]
SILENT = (b"kobayashi", b"whitfield", b"przybylski")  # accounts whose users are away; an outsider tries them from many networks
TRIED = [event(100 + 7 * k + i * 60, f"{90 + i}.{k + 1}.1.1", user=name, detail=b"LOGIN") for k, name in enumerate(SILENT) for i in range(5)]


def slip(time, host, name, network="203.0.113"):
    """A first try that fails, and gets in soon after."""
    client = f"{network}.{host}"
    return [event(time, client, user=name, detail=b"LOGIN"), success(time + 70, client, b"u%d" % host)]


@pytest.mark.parametrize(
    "around",
    [
        [*slip(4000, 10, b"info"), *slip(4030, 11, b"info"), *slip(4060, 12, b"info")],
        [*slip(4000, 10, SILENT[0]), *slip(4010, 11, SILENT[1]), *slip(4020, 12, SILENT[2]), *slip(4030, 13, SILENT[0])],
        [success(-50, "203.0.113.200", b"bert"), *(event(3990 + i, f"203.0.113.{50 + i % 2}", user=b"info", account=False, detail=b"LOGIN") for i in range(4)), *slip(4020, 10, SILENT[0])],
        [*(event(200 + 5 * i, f"203.0.{112 + i % 4}.{50 + i}", user=b"zz%d" % i, account=False, detail=b"PLAIN") for i in range(8)), *slip(4020, 10, SILENT[0])],
    ],
    ids=["an alias", "accounts that others try", "bots beside", "bad neighbours"],
)  # fmt: skip
def test_customers_who_slip_once_are_not_taken_for_a_gang(around):
    """While a campaign runs, whoever tries a name that it tries, too, has minutes to get in: so have his neighbours."""
    users = [success(-9 - i, f"{130 + i}.7.7.7", b"anna") for i in range(2)]
    judge = judged(sorted([*users, *CAMPAIGN, *TRIED, *around], key=lambda e: e.time))
    customers = [(packed(f"203.0.113.{n}"), 32) for n in (10, 11, 12, 13)]
    denied = {(s.target, s.bits) for s, _at in judge.imposed()}
    assert not denied & {*customers, (b"\xcb\x00\x71", 24)}


# ---- state


def test_slips_are_remembered_over_a_restart():
    judge = judged([success(0, "198.51.100.1", b"olsen")])
    for one in (judge, restore(save(judge))):
        one.hear(ghosts(10, "203.0.113.5", [b"oslen", b"root", b"scan"]))
        assert targets(one) == []


def test_what_is_not_imposed_any_more_does_not_last():
    judge = Judge(Policy(sentences=100))
    judge.hear([event(0, "203.0.113.5", attempts=20)])
    judge.hear([event(1 + i, f"{20 + i}.1.1.1", attempts=20) for i in range(200)])
    judge.hear([event(400, "203.0.113.5")])
    assert packed("203.0.113.5") in {s.target for s, _ in judge.imposed()}


def test_the_last_break_in_is_told_though_a_thousand_came_before():
    events = []
    for n in range(1100):
        client = f"{20 + n // 250}.{n % 250}.1.1"
        events += [event(n * 100, client, attempts=20), success(n * 100 + 5, client, b"u%d" % n)]
    judge = judged(events)
    assert len(judge.breaches) == 1000
    assert judge.breaches[-1].user == b"u1099"


@pytest.mark.parametrize("time", [math.inf, math.nan, -math.inf])
def test_a_time_that_is_none_is_passed_over(time):
    judge = judged([event(time, "203.0.113.5"), *(event(i, "203.0.113.5") for i in range(8))])
    assert [t[2] for t in targets(judge)] == ["burst"]
