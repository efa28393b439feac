"""`monzen import`: whom another tool denied is denied, through the shield, once."""

import datetime as dt
import os
import sqlite3
import sys
import time
from pathlib import Path

from tests.imports.test_lists import HERE
from tests.lab import live
from tests.lab.net import ADMIN4, ns, probe
from tests.lab.server import listen, monzen, ruleset, told

BIPS = "CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL, bancount INTEGER, data JSON)"


def fail2ban(path="/etc/fail2ban.sqlite3"):
    now = int(time.time())
    db = sqlite3.connect(path)
    db.execute(BIPS)
    rows = [("203.0.113.7", "sshd", 3600), ("203.0.113.128/26", "recidive", -1), ("198.51.100.0/24", "recidive", -1), (ADMIN4, "sshd", -1), ("2001:db8:bad::7", "sshd", 86400), ("2.0.0.0/7", "x", -1)]
    db.executemany("INSERT INTO bips VALUES (?, ?, ?, ?, 1, '{\"failures\": 5}')", [(a, jail, now - 60, length) for a, jail, length in rows])
    db.commit()
    db.close()
    return path


@live(needs=("nft",))
def test_a_database_of_fail2ban():
    listen(25)
    path = fail2ban()
    monzen("allow", ADMIN4)
    before = ruleset()
    dry = told("import", path, "--dry-run")
    assert dry["would_deny"] == ["203.0.113.7", "203.0.113.128/26", "2001:db8:bad::7"]
    assert ruleset() == before
    assert "nobody can be asked" in monzen("import", path, status=2)
    assert ruleset() == before
    done = told("import", path, "--yes")
    assert (done["kind"], done["rows"], done["bad"], done["over"]) == ("fail2ban", 6, 0, 0)
    refused = {row["target"]: row["why"] for row in done["refused"]}
    assert "allowed" in refused[ADMIN4], refused
    assert "wider than /8" in refused["2.0.0.0/7"]
    assert "an address of this machine" in refused["198.51.100.0/24"]
    assert probe("atk", 25, "203.0.113.7") == "silence"
    assert probe("atk", 25, "203.0.113.8") == "open"
    rows = {row["target"]: row for row in told("list")["denied"]}
    assert rows["203.0.113.7"]["origin"] == "import"
    assert rows["203.0.113.7"]["note"] == "fail2ban: sshd"
    assert rows["203.0.113.7"]["attempts"] == 5
    again = told("import", path, "--yes")
    assert (again["denied"], again["already"]) == ([], len(done["denied"]))
    assert {row["target"]: row for row in told("list")["denied"]} == rows, "once"
    monzen("release", "203.0.113.7")
    later = told("import", path, "--yes")
    assert later["denied"] == []
    assert "let in on" in next(row["why"] for row in later["refused"] if row["target"] == "203.0.113.7")
    assert probe("atk", 25, "203.0.113.7") == "open"


@live(needs=("nft",))
def test_lists_and_how_long():
    listen(25)
    Path("/etc/drop.txt").write_text("203.0.113.0/24 ; SBL1\n203.0.113.9\n2001:db8:bad::/48\n\x1b[31mred\n10.0.0.0/8\n")
    said = monzen("import", "/etc/drop.txt", "--yes", "--until", "2h", "--note", "a list")
    assert "\x1b" not in said
    assert "\\x1b[31mred" in said
    rows = {row["target"]: row for row in told("list")["denied"]}
    assert set(rows) == {"203.0.113.0/24", "2001:db8:bad::/48"}
    assert {row["note"] for row in rows.values()} == {"a list; drop.txt"}
    until = dt.datetime.fromisoformat(rows["203.0.113.0/24"]["until"]).timestamp()
    assert 7000 < until - time.time() <= 7201
    told("import", "/etc/drop.txt", "--yes", "--keep")
    rows = {row["target"]: row for row in told("list")["denied"]}
    assert {row["until"] for row in rows.values()} == {None}
    assert len(rows) == 2
    assert probe("atk", 25, "203.0.113.9") == "silence"
    monzen("import", "/etc/none", status=2)
    monzen("import", "/etc/drop.txt", "--json", status=2)
    monzen("import", "-", status=2)
    monzen("import", "/etc/drop.txt", "--keep", "--until", "1h", status=2)


@live(needs=("nft",))
def test_a_wider_one_that_is_refused_does_not_hide_what_is_in_it():
    monzen("allow", "203.0.113.200")
    Path("/etc/drop.txt").write_text("203.0.113.0/24\n203.0.113.9\n203.0.113.200\n")
    done = told("import", "/etc/drop.txt", "--yes")
    assert [row["target"] for row in done["denied"]] == ["203.0.113.9"]
    assert {row["target"] for row in done["refused"]} == {"203.0.113.0/24", "203.0.113.200"}


@live(needs=("nft",))
def test_decisions_of_crowdsec_from_standard_input():
    text = (HERE / "crowdsec.json").read_bytes()
    Path("/etc/list.json").write_bytes(text)
    said = ns("srv", f"{sys.executable} -m monzen import - --yes < /etc/list.json", env=dict(os.environ)).stdout
    assert "2 are no bans of addresses" in said
    rows = {row["target"]: row["note"] for row in told("list")["denied"]}
    assert set(rows) == {"203.0.113.7", "2001:db8::7", "2001:db8:5::/48"}
    assert "198.51.100.0/24 is not denied, for in it is" in said, "this machine"
    assert rows["203.0.113.7"] == "crowdsec: manual 'ban' from 'me' (cscli)"


@live(needs=("nft", "script"))
def test_it_asks():
    Path("/etc/drop.txt").write_text("203.0.113.9\n")
    for typed, denied in (("n", []), ("y", ["203.0.113.9"])):
        command = f"printf '{typed}\\n' | script -qec '{sys.executable} -m monzen import /etc/drop.txt' /dev/null"
        said = ns("srv", command, env=dict(os.environ), check=False).stdout
        assert "[y/N]" in said, said
        assert [row["target"] for row in told("list")["denied"]] == denied


@live(needs=("nft",), seconds=300)
def test_twenty_thousand_and_no_more_than_fit():
    Path("/etc/long.txt").write_text("".join(f"11.{n >> 8}.{n & 255}.1\n" for n in range(20_000)))
    Path("/etc/monzen").mkdir(exist_ok=True)
    Path("/etc/monzen/monzen.toml").write_text("[gate]\nlimit = 10_000\n")
    assert "do not fit" in monzen("import", "/etc/long.txt", "--yes", status=2)
    assert told("list")["count"] == 0
    Path("/etc/monzen/monzen.toml").unlink()
    said = monzen("import", "/etc/long.txt", "--yes")
    assert "and 19,980 more" in said
    assert "denied 20,000 targets" in said
    assert told("list", "--top", "1")["count"] == 20_000
    assert told("gate", "status")["denied"] == 20_000
