"""What the corpora beside the repository say of a line beyond its client: whose name, which time, how many attempts."""

import datetime as dt
import importlib.util
import json
from zoneinfo import ZoneInfo

import pytest

from monzen.parse.clock import Clock
from monzen.parse.line import read_line
from monzen.types import Kind, Weight

pytestmark = pytest.mark.shared
MEANT = (  # docs/differences.md: names; and words that are no names
    "Timeout waiting for handshake",
    "Timeout before authentication for connection from",
    "<invalid username>",
    "from 10.10.1.2 port 55555 ssh2 from 127.0.0.1",
    "reject_warning",
    "rhost=5.36.59.76.dynamic",  # a name as rhost: nobody is named, so nothing is said of him
)
LEAP = "@400000004c91b044077a9e94"  # docs/differences.md: TAI64N


@pytest.fixture(scope="module")
def check(shared):
    """cases/check.py as a module: it knows which lines are for later."""
    spec = importlib.util.spec_from_file_location("monzen_cases_check", shared / "cases/check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(shared, name):
    return [json.loads(line) for line in (shared / f"cases/{name}.jsonl").read_text(encoding="utf-8").split("\n") if line]


def read(line, *, zone=dt.UTC, newest=1_795_000_000.0, year=None):
    return read_line(line.replace("\n", " ").encode("utf-8", "surrogateescape"), Clock(newest, zone, year))


def name_of(fact):
    return fact.user.decode("utf-8", "replace") if fact is not None and fact.user else None


def users(found):
    """(right, wrong) of (line, name it should say)."""
    right, wrong = 0, []
    for line, want in found:
        fact, _ = read(line)
        if fact is None or any(words in line for words in MEANT):
            continue
        if name_of(fact) == want:
            right += 1
        else:
            wrong.append((name_of(fact), want, line))
    return right, wrong


def test_users_of_public_lines(shared, check):
    right, wrong = users((r["line"], r["user"]) for r in rows(shared, "public_lines") if r["user"] and r["product"] not in check.LATER)
    assert (right > 100, wrong) == (True, [])


def test_users_of_fail2ban(shared, check):
    right, wrong = users((r["line"], r["user"]) for r in rows(shared, "fail2ban") if r["user"] and r["match"] and r["service"] in check.FAIL2BAN)
    assert (right >= 10, wrong) == (True, [])


def test_users_of_crowdsec(shared, check):
    found = []
    for r in rows(shared, "crowdsec"):
        meta = r["expect"].get("meta") or {}
        user = r["expect"].get("username") or meta.get("username") or meta.get("target_user") or meta.get("user")
        if r["service"] in check.CROWDSEC and r["asserted"] and user:
            found.append((r["line"], user))
    right, wrong = users(found)
    assert (right > 60, wrong) == (True, [])


def test_attempts_of_public_lines(shared, check):
    right, wrong = 0, []
    for r in rows(shared, "public_lines"):
        fact, _ = read(r["line"])
        if fact is None or not r["count"] or fact.weight != Weight.STRONG or r["product"] in check.LATER:
            continue
        if fact.attempts == r["count"]:
            right += 1
        else:
            wrong.append((fact.attempts, r["count"], r["line"]))
    assert (right > 100, wrong) == (True, [])


def test_times_of_fail2ban(shared, check):
    """fail2ban's tests run in Europe/Zurich; the year of a stamp without one is what they say."""
    zone = ZoneInfo("Europe/Zurich")
    right, wrong = 0, []
    for r in rows(shared, "fail2ban"):
        if r["service"] not in check.FAIL2BAN or not r["time"] or r["line"].startswith(LEAP):
            continue
        fact, at = read(r["line"], zone=zone, newest=float("inf"), year=int(r["time"][:4]))
        if at is None:
            if fact is not None:
                wrong.append((None, r["time"], r["line"]))
            continue
        want = dt.datetime.strptime(r["time"][:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).timestamp()
        if abs(at - want) < 1:
            right += 1
        else:
            wrong.append((dt.datetime.fromtimestamp(at, zone).isoformat(), r["time"], r["line"]))
    assert (right > 200, wrong) == (True, [])


def test_kinds_of_crowdsec(shared, check):
    """What they call a failed login is one."""
    failed = [
        r["line"]
        for r in rows(shared, "crowdsec")
        if r["service"] == "dovecot" and r["asserted"] and (r["expect"].get("meta") or {}).get("dovecot_login_result") == "auth_failed"
    ]
    assert len(failed) > 20
    assert [line for line in failed if read(line)[0] is None or read(line)[0].kind not in (Kind.AUTH_FAILURE, Kind.AUTH_DETAIL)] == []
