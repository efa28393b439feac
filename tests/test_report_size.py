"""A report stays below 2 MB, whatever attacked, also where each letter takes three bytes."""

import time

import pytest

from monzen.show.html.page import LARGEST
from tests.test_why import monzen

START = 1_788_000_000


def busy(networks):
    """A month in which so many networks came, each with a gang of its own, and twenty users logged in each day."""
    rows = []
    for i in range(networks):
        at, base = START + i * 2_500_000 // networks, f"100.{64 + i // 256 % 64}.{i % 256}"
        for k in range(6):
            name = f"{i:x}{k}" + "\N{HIRAGANA LETTER A}" * 20
            who = f"unknown[{base}.{k % 3 + 5}]: SASL LOGIN authentication failed: x, sasl_username={name}"
            rows.append((at + 9 * k, f"mail postfix/smtpd[{i % 30000 + 1}]: warning: {who}"))
    for user in range(20):
        for day in range(29):
            login = f"user=<u{user}@example.net>, method=PLAIN, rip=192.0.2.{user + 10}, lip=192.0.2.1, mpid=7, session=<x>"
            rows.append((START + day * 86_400 + user, f"mail dovecot: imap-login: Login: {login}"))
    return "".join(time.strftime("%Y-%m-%dT%H:%M:%S+00:00 ", time.gmtime(at)) + text + "\n" for at, text in sorted(rows))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_five_thousand_networks_fit(tmp_path, language):
    log, page = tmp_path / "mail.log", tmp_path / "report.html"
    log.write_text(busy(5_000), encoding="utf-8")
    done = monzen("report", str(log), "--html", str(page), "--names", "--compare", "none", LANGUAGE=language)
    assert done.returncode == 0, done.stderr
    assert LARGEST * 0.4 < page.stat().st_size <= LARGEST
    text = page.read_text(encoding="utf-8")
    assert text.count('"100.') > 5_000, "all targets, and the map"


def test_nothing_and_one_attack(tmp_path):
    log, page = tmp_path / "mail.log", tmp_path / "report.html"
    log.write_text("")
    assert monzen("report", str(log), "--html", str(page)).stdout.decode().startswith("There was nothing to read in ")
    assert "Nothing was found to report on." in page.read_text()
    log.write_text(next(line for line in busy(1).splitlines(keepends=True) if "SASL" in line))
    assert b"1 client attacked; none of them did enough" in monzen("report", str(log), "--html", str(page)).stdout
