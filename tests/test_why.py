"""`monzen why`: what was counted of an address, how near it is to each limit, what spares it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monzen.why import target_of

ROOT = Path(__file__).parent.parent
WEEK = str(ROOT / "samples/one_week.log")
FIRST = str(ROOT / "samples/first_user.log")


def monzen(*arguments, stdin=b"", **environment):
    return subprocess.run(
        [sys.executable, "-m", "monzen", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "en", "TZ": "UTC", **environment},
    )


def said(target, *files):
    done = monzen("why", target, *files, "--json", "--year", "2026")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_who_got_in():
    found = said("198.51.100.66", WEEK)
    assert [v["rule"] for v in found["verdicts"]] == ["slow"]
    assert [b["client"] for b in found["breaches"]] == ["198.51.100.66"]
    assert not found["denied"]
    assert "Login: user=<***>" in found["breaches"][0]["evidence"][0]
    text = monzen("why", "198.51.100.66", WEEK).stdout.decode()
    assert "It got in at 2026-09-11 01:52:53, after 30 attempts." in text


def test_who_was_spared_and_by_what():
    found = said("192.0.2.44", WEEK)
    assert found["verdicts"] == []
    assert found["mercies"] == ["known", "neighbour"]
    assert [s["reason"] for s in found["spared"]] == ["known"]
    assert found["clients"][0]["attempts"] == 48
    assert sum("auth failed" in line for line in found["evidence"]) == 10


def test_a_member_of_a_gang_and_its_network():
    member, network = said("212.70.149.52", FIRST), said("212.70.149.0/24", FIRST)
    assert [v["target"] for v in member["verdicts"]] == ["212.70.149.0/24"]
    assert member["denied"]
    assert {c["client"]: c["attempts"] for c in network["clients"]} == {f"212.70.149.{n}": 2 for n in (20, 52, 83)}
    assert "3 clients attacked, 6 attempts" in monzen("why", "212.70.149.0/24", FIRST).stdout.decode()


def test_a_network_of_which_only_parts_are_denied():
    found = said("203.0.113.128/25", WEEK)
    assert not found["denied"]
    assert len(found["clients"]) == 5
    text = monzen("why", "203.0.113.0/24", WEEK, "--top", "3").stdout.decode()
    assert "At the end of the log it is not denied as a whole; 1 part of it is." in text
    assert "203.0.113.141  from 2026-09-13" in text
    assert "more (--top shows more)" in text


def test_how_near_somebody_is_who_was_not_denied():
    lines = b"".join(
        b"Sep  4 16:%02d:00 mail dovecot: auth: passwd-file(%s,203.0.113.7,<AbCd%d>): unknown user\n"
        b"Sep  4 16:%02d:03 mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 3 secs): "
        b"user=<%s>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, TLS, session=<AbCd%d>\n" % (i, name, i, i, name, i)
        for i, name in enumerate((b"info", b"sales"))
    )
    done = monzen("why", "203.0.113.7", "-", "--json", stdin=lines)
    found = json.loads(done.stdout)
    assert not found["denied"]
    assert {"rule": "ghosts", "have": 2, "need": 3} in [{k: d[k] for k in ("rule", "have", "need")} for d in found["distances"]]
    text = monzen("why", "203.0.113.7", "-", stdin=lines).stdout.decode()
    assert "It would not be denied." in text
    assert "2 of 3  unlike names without an account, within 7 days" in text
    assert "info" not in text
    assert "info" in monzen("why", "203.0.113.7", "-", "--names", stdin=lines).stdout.decode()


def test_who_is_not_in_the_log():
    done = monzen("why", "192.0.2.250", FIRST)
    assert (done.returncode, done.stdout) == (1, b"The log says nothing of 192.0.2.250.\n")
    assert said("192.0.2.250", FIRST)["found"] is False


@pytest.mark.parametrize("wrong", ["foo", "2001:db8::/65", "1.2.3", "", "203.0.113.7/33", "0.0.0.0/0", "::/0"])
def test_what_is_no_target(wrong):
    done = monzen("why", wrong, FIRST)
    assert done.returncode == 2
    words = {"2001:db8::/65": b"a part of a /64", "0.0.0.0/0": b"is so wide", "::/0": b"is so wide"}
    assert words.get(wrong, b"is no address") in done.stderr


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("203.0.113.7", (b"\xcb\x00\x71\x07", 32)),
        ("::ffff:203.0.113.7", (b"\xcb\x00\x71\x07", 32)),
        ("2001:db8::1", (bytes.fromhex("20010db800000000"), 64)),
        ("203.0.113.0/24", (b"\xcb\x00\x71", 24)),
        ("[2001:db8::1]", (bytes.fromhex("20010db800000000"), 64)),
        ("203.0.113.200/25", (b"\xcb\x00\x71\x80", 25)),
        ("198.51.100.0/22", (b"\xc6\x33\x64", 22)),
        ("2001:db8::/32", (bytes.fromhex("20010db800"), 32)),
        ("2001:db8:1::/48", (bytes.fromhex("20010db80001"), 48)),
    ],
)
def test_targets(text, target):
    assert target_of(text) == target


def test_options_may_stand_anywhere():
    policy = str(ROOT / "docs/policy.toml")
    wanted = monzen("why", "198.51.100.66", WEEK, "--policy", policy, "--json").stdout
    assert wanted == monzen("why", "198.51.100.66", "--policy", policy, "--json", WEEK).stdout
    assert wanted == monzen("why", "--json", f"--policy={policy}", "198.51.100.66", WEEK).stdout
    assert wanted == monzen("why", "--json", "--policy", policy, "--", "198.51.100.66", WEEK).stdout


def test_whom_it_is_about_must_be_said():
    done = monzen("why")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"monzen why 203.0.113.7" in done.stderr


def test_how_near_a_network_is():
    log = "".join(
        f"Sep  4 16:0{n}:00 mail postfix/smtpd[7]: warning: unknown[203.0.113.{n}]: SASL LOGIN authentication failed: x\n" for n in (1, 2)
    )
    done = monzen("why", "203.0.113.0/24", "-", "--json", stdin=log.encode())
    assert [(d["rule"], d["have"], d["need"]) for d in json.loads(done.stdout)["distances"]] == [("crowd", 2, 3), ("slow_crowd", 2, 3)]
    assert "2 of 3  clients of it that offended within 10 minutes" in monzen("why", "203.0.113.0/24", "-", stdin=log.encode()).stdout.decode()
