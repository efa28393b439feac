"""What is said is true: the same packets everywhere, where was looked, no all-clear for who cannot be seen."""

import json
import subprocess
import sys

from tests.test_why import monzen

LOG = "samples/one_week.log"


def test_the_same_packets():
    knocks = json.loads(monzen("knocks", LOG, "--json").stdout)
    scan = json.loads(monzen("scan", LOG, "--json").stdout)["knocks"]
    assert scan["count"] > 100
    assert (knocks["log"]["count"], knocks["log"]["clients"]) == (scan["count"], scan["clients"])


def test_nothing_to_read_says_where_it_looked(tmp_path):
    empty = tmp_path / "mail.log"
    empty.write_text("")
    said = monzen("scan", str(empty), COLUMNS="400").stdout.decode()
    assert said.startswith(f"There was nothing to read in {str(empty)[:60]}")
    assert monzen("report", str(empty), COLUMNS="400").stdout.decode() == said
    page = tmp_path / "report.html"
    told = monzen("report", str(empty), "--html", str(page), COLUMNS="400").stdout.decode()
    assert page.exists()
    assert told == f"{said}The page is in {page}: open it in a browser. It needs nothing else.\n"


def test_a_report_that_was_mailed_is_not_offered_to_be_mailed_again():
    code = (
        "import sys, monzen.verbs.report as r; r.mailed = lambda *a: True; from monzen.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", LOG, "--mail", "admin@example.net", "--names"], capture_output=True, text=True, check=True
    )
    assert f"monzen report {LOG} --names --html report.html" in done.stdout
    assert "--mail" not in done.stdout


def test_clients_hidden_behind_one_address_are_no_all_clear(tmp_path):
    log = tmp_path / "mail.log"
    guess = "Nov 26 03:00:{:02} mail postfix/smtpd[7]: warning: unknown[172.17.0.1]: SASL LOGIN authentication failed: x, sasl_username=n{}\n"
    log.write_text("".join(guess.format(n, n) for n in range(30)))
    for verb in ("scan", "report"):
        said = monzen(verb, str(log)).stdout.decode()
        assert "Nobody attacked" not in said, verb
        assert "Nobody can be told apart" in said, verb


def test_a_stamp_of_no_calendar_ends_nothing(tmp_path):
    log = tmp_path / "mail.log"
    text = "mail postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username=a\n"
    log.write_text(f"0001-01-01T00:01:00+00:00 {text}1969-01-01T00:00:00+00:00 {text}2026-09-04T00:00:00+00:00 {text}")
    for verb in ("scan", "report", "why"):
        target = ("203.0.113.7",) if verb == "why" else ()
        done = monzen(verb, *target, str(log), TZ="America/New_York")
        assert b"Traceback" not in done.stderr, verb
    page = tmp_path / "report.html"
    assert monzen("report", str(log), "--html", str(page), TZ="America/New_York").returncode == 0
    assert page.stat().st_size < 1_500_000


def test_a_report_writes_through_nobodys_link(tmp_path):
    secret, link = tmp_path / "secret", tmp_path / "report.html"
    secret.write_text("mine")
    link.symlink_to(secret)
    done = monzen("report", LOG, "--html", str(link))
    assert done.returncode == 2
    assert b"is a link" in done.stderr
    assert secret.read_text() == "mine"
    assert monzen("report", LOG, "--html", "/dev/null").returncode == 0


def test_packets_of_strangers_are_no_knocks_of_the_denied():
    for language, title, other in (
        ("en", "Who knocked at the firewall", ">Knocks<"),
        ("ja", "ファイアウォールへのアクセス", "拒否中の相手からのアクセス"),
    ):
        page = monzen("report", LOG, "--html", "-", LC_ALL="C.UTF-8", LANGUAGE=language).stdout.decode()
        assert title in page
        assert other not in page
