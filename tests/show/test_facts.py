"""The numbers of a report: tile, chart and table count the same things."""

import datetime as dt
import ipaddress
from pathlib import Path

import pytest

from monzen.judge import Judge
from monzen.judge.compare import Comparison
from monzen.scan import Options, scan_sets
from monzen.show.chronicle import THROUGH, Chronicle
from monzen.show.facts import gather
from monzen.show.report import commands
from monzen.sources import plan
from tests.test_looking import failed, lines

WEEK = Path(__file__).resolve().parent.parent.parent / "samples" / "one_week.log"
ZONE = dt.UTC
END = dt.datetime(2026, 9, 14, tzinfo=ZONE).timestamp()


def login(name, client, number):
    return f"dovecot: imap-login: Login: user=<{name}>, method=PLAIN, rip={client}, lip=192.0.2.1, mpid={number}, session=<l{number}>"


def facts(since: float | None = None, path=WEEK, gate=None):
    judge = Judge()
    chronicle = Chronicle(judge, since)
    sets, errors = plan([str(path)], now=END)
    return gather(scan_sets(sets, errors, Options(END, ZONE, None, since), judge, watch=chronicle.see), chronicle, names=False, gate=gate)


def covers(wide, narrow):
    wide, narrow = (ipaddress.ip_network(t["target"], strict=False) for t in (wide, narrow))
    return wide != narrow and wide.version == narrow.version and narrow.subnet_of(wide)


@pytest.mark.parametrize("days", [None, 1.2, 3, 6])
def test_tile_chart_and_tables_agree(days):
    found = facts(END - 86400 * days if days else None)
    hours = found["hours"]
    assert found["attempts"] == sum(hours["through"]) + sum(hours["denied"]) > 0
    assert found["attempts"] == sum(n for _what, n in found["deeds"]) == sum(n for _where, n in found["services"])
    assert found["logins"] == sum(hours["logins"])
    widest = [t for t in found["targets"] if t["rule"] != "harvest" and not any(covers(o, t) for o in found["targets"])]
    assert 0 < sum(t["attempts"] for t in widest) <= sum(hours["through"])
    first = found["since"] or 0  # who was denied before still was then
    assert sum(hours["begun"]) == sum(at >= first for t in found["targets"] for at, _until, _knock in t["denials"])


def test_slips_before_a_first_login_are_a_users_and_a_guessers_logins_are_nobodys(tmp_path):
    log = tmp_path / "mail.log"
    slips = [(n * 40, failed("carol", "192.0.2.9", n)) for n in range(3)]
    guesses = [(200 + 3 * n, failed(f"n{n}", "203.0.113.9", n)) for n in range(30)]
    inside = [(300 + n, login("dave", "203.0.113.9", n)) for n in range(20)]
    log.write_text(lines(*slips, (160, login("carol", "192.0.2.9", 9)), *guesses, *inside))
    found = facts(path=log)
    hours = found["hours"]
    assert (sum(hours["users"]), sum(hours["logins"]), found["logins"]) == (3, 1, 1)
    assert found["attempts"] == sum(hours["through"]) + sum(hours["denied"]) == sum(n for _what, n in found["deeds"]) == 30
    assert "carol" not in {name for name, _n in found["names"]["top"]}
    assert found["own"][0]["failed"] == 3
    assert found["breaches"]


def test_who_lasts_is_in_a_command():
    """Also whose own denial outlasts that of its network."""
    judge = Judge()
    sets, errors = plan([str(WEEK)], now=END)
    found = scan_sets(sets, errors, Options(END, ZONE, None, None), judge, watch=(chronicle := Chronicle(judge)).see)
    lasting = {t["target"] for t in gather(found, chronicle, names=False)["targets"] if t["lasts"]}
    assert {command.split()[-1] for command in commands(judge)} == lasting
    assert "203.0.113.141" in lasting


def test_what_came_through_is_what_the_comparison_says():
    judge = Judge()
    chronicle, comparison = Chronicle(judge), Comparison(judge, [])
    sets, errors = plan([str(WEEK)], now=END)
    scan_sets(sets, errors, Options(END, ZONE, None, None), judge, watch=chronicle.see, comparison=comparison)
    assert sum(row[THROUGH] for row in chronicle.hours.values()) == comparison.rows()[0].through > 0


def test_what_came_before_the_time_that_was_asked_for_is_not_counted():
    before, after = facts(), facts(END - 86400 * 3)
    gang = [next(t for t in found["targets"] if t["target"] == "203.0.113.0/24") for found in (before, after)]
    assert gang[0]["attempts"] > gang[1]["attempts"] > 0
    assert gang[0]["times"] > gang[1]["times"]
