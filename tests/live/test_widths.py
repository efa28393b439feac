"""What the verbs of the gate print fits the terminal, in both languages, with a filled ledger."""

import os
import re
import sqlite3
import time
from pathlib import Path

from monzen.ledger import Ledger, Order
from tests.lab import live
from tests.lab.server import monzen
from tests.widths import unfit

LEDGER = "/var/lib/monzen/ledger.db"
WHY = {
    "crowd": "5 clients of one network, 13 attempts; 3 clients within 10 minutes close it",
    "relay": "probes for an open relay: mail for 1 address elsewhere; 3 addresses or 3 separate times are too many, or one after a denial",
    "return": "2 attempts; it was turned away before and goes on",
}
ALARMS = {
    "breach": "198.51.100.66 guessed, then logged in as a user of yours: that user's password is known to somebody. Change it now.",
    "outage": "our own authentication server did not answer: failures of that time count for nobody",
    "full": "the gate is full: 1,204 denials that end soonest were lifted ([gate] limit)",
}
VERBS = [
    ("list",), ("list", "--ended"), ("list", "--watched"), ("status",), ("gate", "status"), ("check",), ("allow",), ("knocks",),
    ("why", "203.0.113.7"), ("arm", "--dry-run"), ("digest", "--print"), ("import", "/etc/bans.db", "--dry-run"), ("init", "--dry-run"),
]  # fmt: skip
BIPS = "CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL, bancount INTEGER, data JSON)"


def filled():
    now = time.time()
    monzen("deny", "203.0.113.99", "--port", "25", "--note", "kept guessing")
    monzen("allow", "192.0.2.128/25", "--note", "the office, and whoever works at home on a day like this")
    with Ledger.open(LEDGER) as ledger:
        orders = [
            Order(bytes([203, 0, 113, n]), 32, 0, 0, now + 90_000 * n, 3600, rule, "run", why, 5, 13, ())
            for n, (rule, why) in enumerate(WHY.items(), 7)
        ]
        ledger.impose(orders, now)
        ledger.watched([Order(bytes([198, 51, 100, 0]), 24, 0, 0, now + 3600, 3600, "crowd", "run", WHY["crowd"], 5, 13, ())], now, "monzen run")
        for kind, text in ALARMS.items():
            ledger.alarm(kind, text, now - 60)
    monzen("gate", "apply")
    monzen("release", "203.0.113.9")
    bans = sqlite3.connect("/etc/bans.db")
    bans.execute(BIPS)
    rows = [(f"198.51.100.{n}", "postfix-sasl", 3600 * n) for n in range(100, 130)] + [("203.0.113.200", "recidive", -1), ("2.0.0.0/7", "x", -1)]
    bans.executemany("INSERT INTO bips VALUES (?, ?, ?, ?, 1, '{}')", [(a, jail, int(now), length) for a, jail, length in rows])
    bans.commit()
    bans.close()


@live(needs=("nft", "ss"))
def test_every_line_fits():
    filled()
    for language in ("en", "ja"):
        for width in (60, 80):
            for verb in VERBS:
                said = monzen(*verb, status=None, LANGUAGE=language, COLUMNS=str(width), LANG="C.UTF-8")
                commands = [line for line in unfit(said, width) if "monzen run &" not in line]
                assert commands == [], (verb, language, width, said)
                assert not re.search(r"\b(?:crowd|(?<!open )relay|return):", said), (verb, "the key of a rule says nothing to people")
    said = monzen("list", LANGUAGE="ja", COLUMNS="80", LANG="C.UTF-8")
    assert "不正中継の試み：外部の1件のアドレス宛て。" in said
    assert "手動　kept guessing" in said


@live(needs=("nft", "ss"))
def test_import_says_until_when_before_it_asks():
    filled()
    said = monzen("import", "/etc/bans.db", "--dry-run", COLUMNS="80", TZ="UTC")
    rows = re.findall(r"^  198\.51\.100\.1\d\d +(\d{4}-\d\d-\d\d \d\d:\d\d) +fail2ban: postfix-sasl$", said, re.MULTILINE)
    assert len(rows) == 20
    assert rows == sorted(set(rows))
    assert re.search(r"^  and 11 more\n  The shortest until \S+ \S+, the longest for good\.$", said, re.MULTILINE), said
    Path("/etc/plain").write_text("".join(f"198.51.100.{n}\n" for n in range(40)))
    said = monzen("import", "/etc/plain", "--until", "2d", "--dry-run", COLUMNS="80", TZ="UTC")
    (until,) = set(re.findall(r"^  198\.51\.100\.\d+ +(\d\S+ \d\S+)", said, re.MULTILINE))
    assert f"  All of them until {until}." in said


@live(needs=("nft", "ss"))
def test_a_test_that_failed_is_not_told_to_test():
    os.makedirs("/etc/monzen", exist_ok=True)
    Path("/etc/monzen/monzen.toml").write_text('[tell]\nhook = ["/bin/false"]\npost = "http://127.0.0.1:9/"\n')
    said = monzen("tell", "--test", status=1)
    assert "the hook /bin/false failed (exit status 1). It runs as nobody" in said
    assert "the POST to http://127.0.0.1:9 failed (Connection refused). Look at the address" in said
    assert "tell --test" not in said
