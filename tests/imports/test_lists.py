"""What other tools denied, read from files as those tools write them, and from files that nobody wrote in good faith."""

import gzip
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.imports import ListError, crowdsec, read
from monzen.imports import found as bounds
from monzen.imports import kind as kinds
from monzen.show.words import speak

HERE = Path(__file__).parent
NOW = 1_795_665_600.0  # 2026-11-26 04:00 UTC, in the middle of what is in the files of CrowdSec
BIPS = (
    "CREATE TABLE {}(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL,"
    " bancount INTEGER NOT NULL default 1, data JSON)"
)
# fail2ban fills its database by its own code
REAL = """
import sys, time
sys.path.insert(0, "/usr/lib/python3/dist-packages")
from fail2ban.server.database import Fail2BanDb
from fail2ban.server.ticket import BanTicket
now = float(sys.argv[2])
class Actions:
    def getBanTime(self):
        return 600
class Jail:
    def __init__(self, name):
        self.name, self.actions = name, Actions()
db = Fail2BanDb(sys.argv[1], purgeAge=10**10)
for name in ("sshd", "postfix-sasl"):
    db.addJail(Jail(name))
def ban(ip, jail, ago, length, failures=5, lines=()):
    ticket = BanTicket(ip, now - ago, list(lines))
    ticket.setAttempt(failures)
    ticket.setBanTime(length)
    db.addBan(Jail(jail), ticket)
ban("203.0.113.7", "sshd", 60, 3600, 7, ["Nov 26 03:00:00 mail sshd[1]: Failed password for root from 203.0.113.7 port 1 ssh2"])
ban("203.0.113.7", "postfix-sasl", 90, 7200)
ban("203.0.113.8", "sshd", 7200, 600)
ban("203.0.113.9", "sshd", 60, 9000)
db.delBan(Jail("sshd"), "203.0.113.9")
ban("198.51.100.0/24", "sshd", 60, -1)
ban("2001:db8::7", "sshd", 60, 86400)
ban("office", "sshd", 60, 86400)
db.close()
"""


@pytest.fixture(autouse=True)
def _english():
    speak("en")
    yield
    speak()


def bans(found):
    """The bans by their networks: until when from NOW on, and what they say."""
    rows = {}
    for (network, bits), ban in found.bans.items():
        rows[str(ip_network((network, bits)))] = (None if ban.until is None else ban.until - NOW, ban.source)
    return rows


def put(path, content, age=0.0):
    path.write_bytes(content)
    os.utime(path, (NOW - age, NOW - age))
    return str(path)


def taken(tmp_path, content, kind=None, **options):
    return read(put(tmp_path / "list.txt", content), kind, NOW, **options)


def refused(path, kind=None):
    with pytest.raises(ListError) as error:
        read(str(path), kind, NOW)
    return str(error.value)


def answer(path, kind=None):
    """The networks that it names, or why it is refused."""
    try:
        return set(read(path, kind, NOW).bans)
    except ListError as error:
        return str(error)


def database(path, *statements):
    db = sqlite3.connect(path)
    for statement, *values in statements:
        db.execute(statement, values)
    db.commit()
    db.close()
    return str(path)


# ---- fail2ban


def test_a_database_that_fail2ban_made(tmp_path):
    python = "/usr/bin/python3"
    if not shutil.which("fail2ban-server") or subprocess.run([python, "-c", "import fail2ban"], check=False, capture_output=True).returncode:
        pytest.skip("not installed: fail2ban (scripts/apt-bench.txt)")
    path = str(tmp_path / "fail2ban.sqlite3")
    subprocess.run([python, "-c", REAL, path, str(NOW)], check=True, capture_output=True)
    before = Path(path).read_bytes()
    found = read(path, None, NOW)
    assert found.kind == "fail2ban"
    assert bans(found) == {
        "203.0.113.7/32": (7200 - 90, "postfix-sasl, sshd"),
        "198.51.100.0/24": (math.inf, "sshd"),
        "2001:db8::7/128": (86400 - 60, "sshd"),
    }
    ban = found.bans[bytes([203, 0, 113, 7]), 32]
    assert ban.attempts == 12
    assert ban.evidence == (b"Nov 26 03:00:00 mail sshd[1]: Failed password for root from 203.0.113.7 port 1 ssh2",)
    assert ban.since == NOW - 60
    assert (found.over, found.bad, found.first_bad) == (1, 1, ["office"])
    assert "203.0.113.8/32" in bans(read(path, "fail2ban", NOW, every=True))
    assert Path(path).read_bytes() == before
    assert os.listdir(tmp_path) == ["fail2ban.sqlite3"]


def test_an_older_one_has_only_bans_and_no_length(tmp_path):
    path = database(
        tmp_path / "f.db",
        ("CREATE TABLE fail2banDb(version INTEGER)",),
        ("CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON)",),
        ("INSERT INTO bans VALUES ('sshd', '203.0.113.7', ?, '{\"failures\": 3, \"matches\": [[\"Nov 26 \", \"x\"], 5, null]}')", int(NOW) - 60),
    )
    found = read(path, None, NOW)
    assert bans(found) == {"203.0.113.7/32": (None, "sshd")}
    assert found.bans[bytes([203, 0, 113, 7]), 32].evidence == (b"Nov 26 x",)


def test_what_is_no_ban_in_it_is_counted(tmp_path):
    rows = [
        (None, "sshd", 1, 1), (b"\xff\xfe", "sshd", int(NOW), 600), ("203.0.113.1", None, "x", 600), ("203.0.113.2", "j" * 5000, int(NOW), float("inf")),
        ("203.0.113.3", b"\xff", int(NOW), 600), ("203.0.113.4; rm -rf /", "sshd", int(NOW), 600), ("203.0.113.5", "sshd", 1 << 62, 1 << 62),
        ("\x1b[2J", "sshd", int(NOW), 600), ("203.0.113.6", "sshd", int(NOW) + 10**9, 600),
    ]  # fmt: skip
    data = [json.dumps({"failures": -5, "matches": {}}), "[" * 9000, "{" + "x" * 100_000, b"\xff", 7, None, "[]", "{}", json.dumps({"failures": 1e400, "matches": ["ab" * 1500] * 14})]
    put_in = [("INSERT INTO bips VALUES (?, ?, ?, ?, 1, ?)", *row, value) for row, value in zip(rows, data, strict=True)]
    with_nulls = BIPS.replace(" NOT NULL", "").format("bips")
    found = read(database(tmp_path / "f.db", (with_nulls,), *put_in), None, NOW)
    assert {str(ip_network((n, b))) for n, b in found.bans} == {"203.0.113.3/32", "203.0.113.6/32"}
    assert (found.rows, found.bad, len(found.first_bad)) == (9, 7, 5)
    assert all(text.isprintable() and len(text) <= 61 for text in found.first_bad)
    future = found.bans[bytes([203, 0, 113, 6]), 32]
    assert (future.since, future.until) == (NOW, NOW + 600)  # a clock that was ahead
    assert len(future.evidence) == bounds.LINES
    assert max(map(len, future.evidence)) <= bounds.LINE


# ---- CrowdSec


def test_a_database_that_crowdsec_made(tmp_path):
    db = sqlite3.connect(tmp_path / "crowdsec.db")
    db.executescript((HERE / "crowdsec.sql").read_text())
    db.close()
    found = read(str(tmp_path / "crowdsec.db"), None, NOW)
    assert found.kind == "crowdsec"
    assert bans(found) == {
        "203.0.113.7/32": (3 * 3600 + 720, "manual 'ban' from 'me' (cscli)"),
        "198.51.100.0/24": (23 * 3600 + 720, "a 'quoted' reason (cscli)"),
    }
    assert found.bans[bytes([203, 0, 113, 7]), 32].since == NOW - 2880
    assert (found.rows, found.over, found.other, found.bad) == (7, 3, 2, 0)


def test_in_wal_mode_beside_its_writer_and_after_him(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "crowdsec.db"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.executescript((HERE / "crowdsec.sql").read_text())
    assert len(read(str(path), None, NOW).bans) == 2, "what stands in the log alone"
    writer.close()
    assert os.listdir(folder) == ["crowdsec.db"]
    assert len(read(str(path), None, NOW).bans) == 2
    assert os.listdir(folder) == ["crowdsec.db"], "nothing is made beside it"


def test_what_cscli_printed(tmp_path):
    path = put(tmp_path / "list.json", (HERE / "crowdsec.json").read_bytes(), age=60.0)
    found = read(path, None, NOW)
    assert found.kind == "crowdsec"
    ends = {net: round(end) for net, (end, _source) in bans(found).items()}
    assert ends == {"203.0.113.7/32": 14395 - 60, "198.51.100.0/24": 86395 - 60, "2001:db8::7/128": 1795 - 60, "2001:db8:5::/48": 1796 - 60}
    assert (found.rows, found.other, found.bad) == (6, 2, 0)


@pytest.mark.parametrize("text", ['{"new": [%s], "deleted": [%s]}', "[%s, %s]", '[{"decisions": [%s]}, {"decisions": null}, {"decisions": [%s]}]'])
def test_the_forms_of_its_api(tmp_path, text):
    one = '{"duration": "4h", "origin": "CAPI", "scenario": "crowdsecurity/ssh-bf", "scope": "ip", "type": "ban", "value": "203.0.113.7"}'
    found = taken(tmp_path, (text % (one, one)).encode())
    assert bans(found) == {"203.0.113.7/32": (14400.0, "crowdsecurity/ssh-bf (CAPI)")}


def test_what_is_meant_and_no_more(tmp_path):
    """A decision that is simulated denies nobody there, so neither here; nor does one of another type, or of no address."""
    one = {"duration": "4h", "origin": "CAPI", "scenario": "x", "scope": "Ip", "type": "ban", "value": "203.0.113.7"}
    other = ({"simulated": True}, {"simulated": 1}, {"type": "captcha"}, {"type": None}, {"scope": "Country", "value": "XX"}, {"scope": "As"}, {"scope": None})
    rows = [one, *({**one, "value": f"203.0.113.{n}", **change} for n, change in enumerate(other, 20))]
    found = taken(tmp_path, json.dumps(rows).encode())
    assert set(bans(found)) == {"203.0.113.7/32"}
    assert (found.rows, found.other, found.bad) == (8, 7, 0)
    table = ("CREATE TABLE decisions (id INTEGER PRIMARY KEY, value, scope, type, simulated, origin, scenario, created_at, until)",)
    keys = ("value", "scope", "type", "simulated", "origin", "scenario")
    insert = "INSERT INTO decisions (value, scope, type, simulated, origin, scenario, until) VALUES (?, ?, ?, ?, ?, ?, '2026-11-26 05:00:00+00:00')"
    found = read(database(tmp_path / "c.db", table, *((insert, *({"simulated": False, **row}[key] for key in keys)) for row in rows)), None, NOW)
    assert set(bans(found)) == {"203.0.113.7/32"}
    assert (found.rows, found.other, found.bad) == (8, 7, 0)


def test_a_stamp_of_tomorrow_and_an_end_that_is_over(tmp_path):
    """What is written tomorrow was written now at the latest; what has ended is taken only when asked for, as if no end were said."""
    path = put(tmp_path / "drop.txt", b"203.0.113.7\n", age=-86_400.0)
    assert {b.since for b in read(path, None, NOW).bans.values()} == {NOW}
    rows = [("203.0.113.7", "sshd", int(NOW) - 900, 600), ("203.0.113.8", "sshd", int(NOW) - 600, 600), ("203.0.113.9", "sshd", int(NOW) - 599, 600)]
    path = database(tmp_path / "f.db", (BIPS.format("bips"),), *[("INSERT INTO bips VALUES (?, ?, ?, ?, 1, NULL)", *row) for row in rows])
    assert (bans(read(path, None, NOW)), read(path, None, NOW).over) == ({"203.0.113.9/32": (1.0, "sshd")}, 2)
    every = read(path, None, NOW, every=True)
    assert (bans(every), every.over) == ({"203.0.113.7/32": (None, "sshd"), "203.0.113.8/32": (None, "sshd"), "203.0.113.9/32": (1.0, "sshd")}, 0)


def test_of_two_bans_of_which_one_says_no_end_the_end_stands(tmp_path):
    rows = [("203.0.113.7", "a", int(NOW) - 9, -2), ("203.0.113.7", "b", int(NOW), 600), ("203.0.113.8", "a", int(NOW) - 9, 600), ("203.0.113.8", "b", int(NOW), -2)]
    path = database(tmp_path / "f.db", (BIPS.format("bips"),), *[("INSERT INTO bips VALUES (?, ?, ?, ?, 1, NULL)", *row) for row in rows])
    assert bans(read(path, None, NOW)) == {"203.0.113.7/32": (600.0, "a, b"), "203.0.113.8/32": (591.0, "a, b")}


@pytest.mark.parametrize(("length", "seconds"), [("4h", 14400), ("3h59m56.5s", 14396.5), ("853.9ms", 0.8539), ("1m", 60), ("12µs", 12e-6), ("-1h2m", -3720), ("168h0m0s", 604800)])
def test_lengths_as_go_writes_them(length, seconds):
    assert crowdsec._end(length, 0.0) == pytest.approx(seconds)


@pytest.mark.parametrize("length", ["", "-", "h", "4", "4d", "1e9h", "9" * 30 + "h", "4h 3m", None, 4, "nan"])
def test_what_is_no_length(length):
    assert crowdsec._end(length, 0.0) is None


@pytest.mark.parametrize("stamp", ["2026-11-26 04:00:00+00:00", "2026-11-26T04:00:00Z", "2026-11-26 04:00:00.123456789+00:00", "2026-11-26 04:00:00 +0000 UTC", "2026-11-26 13:00:00+09:00", "2026-11-26 04:00:00"])
def test_stamps_as_its_drivers_write_them(stamp):
    assert crowdsec._moment(stamp) == NOW


@pytest.mark.parametrize("content", [b"[", b"[{", b'{"a":', b"[" * 100_000, b'{"a":' * 100_000 + b"1", b'[{"value": ' + b"9" * 9000 + b"}]"])
def test_broken_json_is_refused_or_counted(tmp_path, content):
    said = answer(put(tmp_path / "x", content), "crowdsec")
    assert not said or "cscli decisions list -o json" in said or "no address" in said


def test_strange_json_denies_nobody(tmp_path):
    for content in (b"null", b"[]", b"{}", b"[null, 1, \"x\", [], {}]", b'{"new": 7}', b'[{"decisions": [null, 3]}]', b'[{"value": {"a": 1}, "scope": 7}]'):
        said = answer(put(tmp_path / "x", content), "crowdsec")
        assert not said or "no address" in said


# ---- plain lists

PLAIN = b"""\xef\xbb\xbf# a list
203.0.113.7
198.51.100.0/24 ; SBL000
203.0.113.9,3,"text"
  2001:db8::/48\tREJECT\r
[2001:db8:5::1]
; also a comment
203.0.113.77/24 # host bits
::ffff:192.0.2.9
junk
300.1.1.1
192.0.2.0/33
"""


def test_a_plain_list(tmp_path):
    path = put(tmp_path / "drop.txt", PLAIN, age=500.0)
    found = read(path, None, NOW)
    assert found.kind == "plain"
    nets = ("203.0.113.7/32", "198.51.100.0/24", "203.0.113.9/32", "2001:db8::/48", "2001:db8:5::1/128", "203.0.113.0/24", "192.0.2.9/32")
    assert bans(found) == dict.fromkeys(nets, (None, "drop.txt"))
    assert {b.since for b in found.bans.values()} == {NOW - 500}
    assert (found.rows, found.bad, found.first_bad) == (10, 3, ["junk", "300.1.1.1", "192.0.2.0/33"])


def test_what_is_no_list_is_said(tmp_path):
    (tmp_path / "dir").mkdir()
    assert "No such file" in refused(tmp_path / "none")
    assert "Is a directory" in refused(tmp_path / "dir")
    assert "compressed" in refused(put(tmp_path / "x.gz", gzip.compress(b"203.0.113.7\n")))
    assert "no address" in refused(put(tmp_path / "x", random.Random(1).randbytes(5000)))
    assert "no address" in refused(put(tmp_path / "x", b"hello\nworld\n"))
    assert "fail2ban.sqlite3" in refused(put(tmp_path / "x", b"203.0.113.7\n"), "fail2ban")
    assert "no JSON" in refused(put(tmp_path / "x", b"203.0.113.7\n"), "crowdsec")
    assert "tables are missing" in refused(database(tmp_path / "x.db", ("CREATE TABLE other(a)",)))
    assert "tables are missing" in refused(database(tmp_path / "y.db", (BIPS.format("bips"),)), "crowdsec")
    assert taken(tmp_path, b"").bans == {}


def test_too_much_is_refused_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "MOST", 3)
    lines = b"".join(b"203.0.113.%d\n" % n for n in range(5))
    assert "more than 3 rows" in refused(put(tmp_path / "x", lines))
    assert "more than 3 rows" in refused(put(tmp_path / "x", json.dumps([{"value": f"203.0.113.{n}"} for n in range(5)]).encode()))
    rows = [(f"INSERT INTO bips VALUES ('203.0.113.{n}', 'sshd', {int(NOW)}, 600, 1, NULL)",) for n in range(5)]
    assert "more than 3 rows" in refused(database(tmp_path / "x.db", (BIPS.format("bips"),), *rows))
    monkeypatch.setattr(kinds, "LARGEST", 100)
    assert "larger than" in refused(put(tmp_path / "x", b"203.0.113.7 " + b"x" * 100))


def test_hostile_databases(tmp_path, monkeypatch):
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    view = database(tmp_path / "view.db", (f"CREATE VIEW bips AS {endless} SELECT '203.0.113.7' ip, 'j' jail, 1 timeofban, -1 bantime, 1 data FROM c",))
    assert "tables are missing" in refused(view)
    whole = Path(database(tmp_path / "w.db", (BIPS.format("bips"),), *[("INSERT INTO bips VALUES ('203.0.113.7', ?, 1, -1, 1, NULL)", "x" * 4000)] * 50)).read_bytes()
    for size in (16, 100, 500, 5000, len(whole) // 2):
        said = refused(put(tmp_path / "cut.db", whole[:size]))
        assert "cannot read the database" in said
        assert "\n" not in said
    holes = random.Random(7)
    for _ in range(30):
        broken = bytearray(whole)
        for _ in range(40):
            broken[holes.randrange(16, len(broken))] = holes.randrange(256)
        said = answer(put(tmp_path / "cut.db", bytes(broken)))
        assert isinstance(said, set) or "database" in said or "no address" in said
    monkeypatch.setattr("monzen.imports.database.LONGEST", -1.0)
    monkeypatch.setattr("monzen.imports.database.STEPS", 1)
    assert "longer than a minute" in refused(put(tmp_path / "w.db", whole))


def test_a_database_that_is_written_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("monzen.imports.database.PATIENCE", 0.05)
    path = database(tmp_path / "f.db", (BIPS.format("bips"),))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    assert "is being written" in refused(path)
    writer.close()
    assert read(path, None, NOW).kind == "fail2ban"


@given(st.binary(max_size=300))
def test_whatever_a_list_holds_it_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    for kind in (None, *kinds.KINDS):
        try:
            found = read(put(path, content), kind, NOW)
        except ListError:
            continue
        assert found.bad + found.over + found.other + len(found.bans) <= found.rows


def test_two_bans_of_one_network_are_one(tmp_path):
    rows = [("203.0.113.7", f"jail{n}", int(NOW) - n, 600 + 100 * n) for n in range(6)]
    put_in = [("INSERT INTO bips VALUES (?, ?, ?, ?, 1, ?)", *row, '{"failures": 2}') for row in rows]
    found = read(database(tmp_path / "f.db", (BIPS.format("bips"),), *put_in), None, NOW)
    (ban,) = found.bans.values()
    assert (ban.until, ban.attempts, ban.source) == (int(NOW) - 5 + 1100, 12, "jail5, jail4, jail3")
