"""What is printed fits the terminal, in both languages: no line is wider, ends in blanks, or begins with what may begin none."""

import json
import re
import time
from pathlib import Path

import pytest

from monzen.show.wrap import NO_START, cells
from tests.test_why import monzen
from tests.widths import COUNTED, unfit

WEEK = "samples/one_week.log"
VERBS = [
    ("scan", WEEK),
    ("scan", WEEK, "--names", "--top", "30"),
    ("scan", "samples/first_user.log"),
    ("scan", WEEK, "--compare", "fail2ban", "--compare", "crowdsec", "--compare", "sshguard"),
    ("why", "198.51.100.66", WEEK),
    ("why", "203.0.113.0/24", WEEK),
    ("why", "192.0.2.44", WEEK),
    ("report", WEEK),
    ("report", WEEK, "--compare", "fail2ban", "--places", "{places}"),
    ("knocks", WEEK),
    ("status",),
    ("list",),
    ("scan", "--help"),
    ("report", "--help"),
    ("import", "--help"),
]


def printed(verb, language, width):
    done = monzen(*verb, LANGUAGE=language, COLUMNS=str(width))
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


@pytest.fixture
def places(tmp_path):
    path = tmp_path / "places.txt"
    path.write_text("203.0.113.0/24 JP Example Networks\n198.51.100.0/24 - Example Carrier of a rather long name that goes on\n2001:db8::/32 NL -\n")
    return str(path)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_line_fits(verb, width, language, places):
    said = printed([word.format(places=places) for word in verb], language, width)
    assert unfit(said, width) == []
    if language == "ja":
        wide = printed([word.format(places=places) for word in verb], language, 900)
        assert sorted(COUNTED.findall(said)) == sorted(COUNTED.findall(wide)), "a number parted from what it counts"


def test_the_report_says_whose_networks_they_are_and_what_others_would_have_done(places):
    said = printed(("report", WEEK, "--places", places, "--compare", "fail2ban", "--compare", "none"), "en", 80)
    assert re.search(r"^Countries\n  country +clients +attempts\n", said, re.MULTILINE)
    assert re.search(r"^  JP +5 +104$", said, re.MULTILINE)
    assert re.search(r"^  Example Carrier of a rather long name t… +8 +103$", said, re.MULTILINE)
    rows = said[said.index("What another policy would have done") :].split("\n")
    assert [row.split()[0] for row in rows[3:5]] == ["monzen", "fail2ban"]
    facts = json.loads(monzen("report", WEEK, "--compare", "fail2ban", "--json").stdout)["compare"]
    shown = [[int(n.replace(",", "")) for n in row.split()[1:]] for row in rows[3:5]]
    assert shown == [[f[key] for key in ("through", "never", "before", "denials", "targets", "addresses", "hurt")] for f in facts]
    assert "What another policy" not in printed(("report", WEEK), "en", 80), "unasked it is not computed"


def test_the_report_for_programs_writes_every_time_alike():
    found = json.loads(monzen("report", WEEK, "--json", "--compare", "none").stdout)
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").fullmatch
    denials = [d for t in found["targets"] for d in t["denials"]]
    assert len(denials) >= len(found["targets"]) > 5
    assert all(set(d) == {"at", "until", "last_knock"} and stamp(d["at"]) and stamp(d["until"]) for d in denials)
    assert {d["last_knock"] is None or bool(stamp(d["last_knock"])) for d in denials} == {True}
    assert any(d["last_knock"] for d in denials)
    assert stamp(found["hours"]["start"])
    now = time.time()

    def epochs(value, key=""):
        if isinstance(value, dict):
            return [e for k, v in value.items() for e in epochs(v, k)]
        if isinstance(value, list):
            return [e for v in value for e in epochs(v, key)]
        return [(key, value)] if isinstance(value, (int, float)) and now - 1e9 < value < now + 1e9 else []

    assert epochs(found) == [], "a time as a number"


def test_one_user_is_no_many(tmp_path):
    log = tmp_path / "mail.log"
    text = "mail postfix/smtpd[7]: warning: unknown[203.0.113.{}]: SASL LOGIN authentication failed: x, sasl_username=n{}\n"
    lines = [f"2026-09-04T00:{n:02}:00+00:00 " + text.format(n % 4, n) for n in range(40)]
    lines.append("2026-09-04T01:00:00+00:00 mail dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=9, TLS\n")
    log.write_text("".join(lines))
    said = monzen("report", str(log), COLUMNS="400").stdout.decode().split("\n")[0]
    assert said.endswith("; your user would not have been."), said
    assert monzen("report", str(log), LANGUAGE="ja", COLUMNS="400").stdout.decode().split("\n")[0].endswith("。正規ユーザーは拒否されません。")


def test_no_japanese_message_counts_with_a_blank():
    catalogue = Path("src/monzen/show/locale/ja/LC_MESSAGES/monzen.po").read_text(encoding="utf-8")
    said = "".join(line for line in catalogue.splitlines(keepends=True) if line.startswith(("msgstr", '"')))
    assert re.findall(r".{8}(?:\{n(?::[^}]*)?\}|\d) (?:件|個|回|人|行|時間|日|秒|分|文字|種類)", said) == []
    assert re.findall(r"方針|見逃し", said) == []
    assert re.findall(r".{8}[ぁ-ヶ一-鿿）]: ", said) == []


def test_the_rules_above_find_something():
    assert unfit("words " * 14 + "x", 80)
    assert unfit("blank ", 80)
    assert unfit("ab\n。cd", 80)
    assert "、" in NO_START
    assert cells("件") == 2
