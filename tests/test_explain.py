"""`monzen explain` and the JSON of both verbs: what programs can rely on (DESIGN.md)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monzen.types import Kind, Service

ROOT = Path(__file__).parent.parent
FIRST, WEEK = ROOT / "samples/first_user.log", ROOT / "samples/one_week.log"
KEYS = ["n", "kind", "client", "user", "service", "time", "attempts", "weight"]
FAILED = b"Sep  4 16:00:01 mail sshd[7]: Failed password for %s from 192.0.2.7 port 22 ssh2"


def monzen(*arguments, stdin=b"", **environment):
    known = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": str(ROOT / "src"), **environment}
    return subprocess.run([sys.executable, "-m", "monzen", *map(str, arguments)], input=stdin, capture_output=True, check=False, env=known)


def explained(stdin, *arguments):
    done = monzen("explain", "--json", *arguments, "-", stdin=stdin)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_object_a_line_in_order():
    lines = [FAILED % b"root", b"", b"\0\0", FAILED % b"a\rb", b"x" * 70_000, FAILED % b"a\x0bb\x0c\x1c\xc2\x85\xe2\x80\xa8c", b"\r", FAILED % b"last"]
    for end in (b"", b"\n"):  # the last line may lack its end
        said = explained(b"\n".join(lines) + end)
        assert [s["n"] for s in said] == list(range(1, 9))
        assert all(list(s) == KEYS for s in said)
        assert [s["client"] for s in said] == ["192.0.2.7", None, None, "192.0.2.7", None, "192.0.2.7", None, "192.0.2.7"]
        assert [s["kind"] for s in said if s["client"] is None] == [None] * 4
        assert (said[0]["user"], said[3]["user"], said[7]["user"]) == ("root", "a\rb", "last")


def test_nothing_at_all():
    assert explained(b"") == []


def test_words_are_those_of_the_contract():
    said = explained(WEEK.read_bytes())
    assert len(said) == WEEK.read_bytes().count(b"\n")
    assert {s["kind"] for s in said} <= {None, *(k.name.lower() for k in Kind)}
    assert {s["service"] for s in said} <= {None, *(s.name.lower() for s in Service)}
    assert {s["weight"] for s in said} <= {"strong", "weak", "none"}
    assert all(s["attempts"] >= 0 for s in said)


def test_each_line_by_itself():
    lines = FIRST.read_bytes().splitlines()
    forth, back = (explained(b"\n".join(x) + b"\n", "--year", "2026") for x in (lines, lines[::-1]))
    assert [{**s, "n": 0} for s in forth] == [{**s, "n": 0} for s in back[::-1]]


def test_year_and_timezone():
    (said,) = explained(FAILED % b"root" + b"\n", "--year", "2019", "--timezone", "Asia/Tokyo")
    assert said["time"] == "2019-09-04T07:00:01Z"
    (said,) = explained(b"sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2\n")
    assert (said["time"], said["client"]) == (None, "192.0.2.7")


@pytest.mark.parametrize("arguments", [("scan", "--json", "--names", WEEK), ("explain", "--json", FIRST)])
def test_json_is_not_translated(arguments):
    english, japanese = monzen(*arguments), monzen(*arguments, LANG="ja_JP.UTF-8", LANGUAGE="ja", LC_ALL="ja_JP.UTF-8")
    assert english.returncode == japanese.returncode == 0
    assert english.stdout == japanese.stdout
    text = monzen(*(a for a in arguments if a != "--json"), LANG="ja_JP.UTF-8", LANGUAGE="ja", LC_ALL="ja_JP.UTF-8").stdout.decode()
    assert any("\u3041" <= c <= "\u30ff" for c in text)  # kana


def test_scan_has_the_keys_of_the_contract():
    said = json.loads(monzen("scan", "--json", WEEK).stdout)
    assert {"lines", "unread", "first", "last", "clients", "breaches", "verdicts", "spared", "alarms", "commands"} <= set(said)
    assert said["verdicts"]
    assert all({"target", "at", "until", "rule", "why", "clients", "attempts", "evidence"} <= set(v) for v in said["verdicts"])


def test_the_two_readings_name_the_same_clients():
    """Whoever scan counts, explain names with a weight."""
    attackers = {a["client"] for a in json.loads(monzen("scan", "--json", "--top", "10000", FIRST).stdout)["attackers"]}
    assert attackers == {s["client"] for s in explained(FIRST.read_bytes()) if s["weight"] != "none"}


def test_wrong_use():
    for arguments in (("explain", "--colour"), ("explain", "--year", "x", "-"), ("explain", "nothing.log"), ("frobnicate",)):
        done = monzen(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(b"monzen: ")
        assert b"Traceback" not in done.stderr
