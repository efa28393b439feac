"""Which logs are followed, and what their ends say: alive, understood, on our clock, with the real clients in them."""

import datetime as dt
import os

import pytest

from monzen.survey import FAULT, GOOD, WARNING, logs
from monzen.survey.mail import Server

NOW = 1_789_000_000.0
BOTH = (Server(True, "3.7"), Server(True, "2.3"))
RUNNING = {"rsyslogd": [b"rsyslogd\0"], "master": [b""], "dovecot": [b""]}
DEBIAN = "auth,authpriv.* /var/log/auth.log\nmail.* -/var/log/mail.log\nkern.* /var/log/kern.log\n*.*;auth,authpriv.none /var/log/syslog\n"


def iso(at, hours=0.0):
    zone = dt.timezone(dt.timedelta(hours=hours))
    return dt.datetime.fromtimestamp(at, zone).isoformat(timespec="microseconds")


def bsd(at):
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%b %e %H:%M:%S")


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def tree(tmp_path):
    def make(path, text="", age=60.0):
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, (NOW - age, NOW - age))
        return str(tmp_path)

    make("etc/hostname", "mail\n")
    return make


def failure(at, client="203.0.113.7", stamp=iso):
    return f"{stamp(at)} mail postfix/smtpd[7]: warning: unknown[{client}]: SASL LOGIN authentication failed: x\n"


def check(root, *paths, running=RUNNING):
    return logs.check(paths or ("/var/log/mail.log",), root, NOW, running)


# ---- which


def test_debian_with_rsyslog(tree):
    root = tree("etc/rsyslog.conf", DEBIAN + ':msg,contains,"[UFW " /var/log/ufw.log\n')
    tree("run/systemd/journal/socket")
    found = logs.find(root, BOTH, "auth", RUNNING)
    assert found.files == ("/var/log/mail.log", "/var/log/auth.log", "/var/log/ufw.log")
    assert found.journal is None, "run tells by itself"


def test_programs_that_write_files_themselves(tree):
    root = tree("etc/rsyslog.conf", DEBIAN)
    servers = (Server(True, "3.7", ("/var/log/postfix.log",)), Server(True, "2.3", ("/var/log/dovecot.log",)))
    assert logs.find(root, servers, "auth", RUNNING).files == (
        "/var/log/auth.log", "/var/log/kern.log", "/var/log/postfix.log", "/var/log/dovecot.log",
    )  # fmt: skip


def test_a_facility_of_its_own(tree):
    root = tree("etc/rsyslog.conf", DEBIAN + "local1.* /var/log/dovecot\n")
    found = logs.find(root, (Server(True, "3.7"), Server(True, "2.3", (), "local1")), "auth", RUNNING)
    assert found.files[:2] == ("/var/log/mail.log", "/var/log/dovecot")


def test_other_names_need_no_journal_beside_them(tree):
    root = tree("etc/rsyslog.conf", "*.info;mail.none;authpriv.none /var/log/messages\nauthpriv.* /var/log/secure\nmail.* /var/log/maillog\n")
    tree("run/systemd/journal/socket")
    found = logs.find(root, BOTH, "authpriv", RUNNING)
    assert found.files == ("/var/log/maillog", "/var/log/secure", "/var/log/messages")
    assert found.journal is False, "or every line would come twice"


def test_without_rsyslog_the_journal(tree):
    root = tree("run/systemd/journal/socket")
    found = logs.find(root, BOTH, "auth", {})
    assert (found.files, found.journal) == ((), None)
    assert [f.state for f in found.findings] == [GOOD, WARNING], "in memory only"
    os.makedirs(root + "/var/log/journal")
    assert [f.state for f in logs.find(root, BOTH, "auth", {}).findings] == [GOOD]


def test_without_anything(tree):
    found = logs.find(tree("etc/x"), BOTH, "auth", {})
    assert [f.state for f in found.findings] == [FAULT]


# ---- how they are


def test_alive(tree):
    (found,), zone = check(tree("var/log/mail.log", failure(NOW - 60)))
    assert (found.state, zone) == (GOOD, "")


def test_silent_although_the_program_runs(tree):
    root = tree("var/log/mail.log", failure(NOW - 5 * 86_400), 5 * 86_400)
    (found,), _zone = check(root)
    assert found.state == WARNING
    assert "although Postfix, Dovecot runs" in found.says
    (found,), _zone = check(root, running={})
    assert found.state == WARNING
    assert "although" not in found.says


def test_empty_missing_and_without_times(tree):
    assert check(tree("var/log/mail.log"))[0][0].says.endswith("is empty.")
    root = tree("var/log/mail.log", "no header at all\n" * 3)
    assert "no line of it has a time" in check(root)[0][0].says
    assert check(root, "/var/log/other.log") == ([], "")


@pytest.mark.parametrize(("hours", "name"), [(9, "Etc/GMT-9"), (-5, "Etc/GMT+5"), (5.75, ""), (-0.25, None), (0.02, None)])
def test_stamps_of_another_zone(tree, hours, name):
    """The machine is in UTC, the log in another zone: its newest line is hours off the time at which it was written."""
    root = tree("var/log/mail.log", failure(NOW - 60 + hours * 3600, stamp=bsd))
    (found,), zone = check(root)
    if name is None:
        assert found.about == "logs"
        return
    assert (found.about, found.state, zone) == ("clock", FAULT, name)
    assert f"{hours:+g} hours" in found.says
    if name:
        assert found.fix == f'[sources] timezone = "{name}"'


def test_a_log_in_utc_on_a_machine_that_is_not(tree, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (found,), zone = check(tree("var/log/mail.log", failure(NOW - 60, stamp=bsd)))
    assert (found.state, zone) == (FAULT, "UTC")
    (found,), zone = check(tree("var/log/mail.log", failure(NOW - 60)))
    assert (found.state, zone) == (GOOD, ""), "whose stamps say their zone"


def test_the_future(tree):
    (found,), zone = check(tree("var/log/mail.log", failure(NOW + 4000)))
    assert (found.about, found.state, zone) == ("clock", FAULT, "")


def test_lines_that_are_not_understood(tree):
    line = f"{iso(NOW - 60)} mail sshd-session[7]: error: invalid user root wants in from 203.0.113.7\n"
    root = tree("var/log/auth.log", failure(NOW - 61) + line * 3)
    found, _zone = check(root, "/var/log/auth.log")
    assert [(f.about, f.state) for f in found] == [("logs", GOOD), ("ssh", WARNING)]
    assert "3 recent lines" in found[1].says
    assert found[1].fix == "monzen explain /var/log/auth.log"


@pytest.mark.parametrize(("client", "hidden"), [("172.17.0.1", True), ("10.0.0.7", True), ("203.0.113.7", False), ("127.0.0.1", False)])
def test_clients_behind_one_address_of_ours(tree, client, hidden):
    text = "".join(failure(NOW - 100 + n, client if n % 3 else f"203.0.113.{n}") for n in range(30))
    found, _zone = check(tree("var/log/mail.log", text))
    assert any("hidden behind it" in f.says for f in found) is hidden


def test_no_line_of_a_mail_server(tree):
    found, _zone = check(tree("var/log/mail.log", f"{iso(NOW - 60)} mail cron[7]: nothing\n"))
    assert "is this a mail server" in found[-1].says


def test_the_journal_of_programs_that_run():
    def ask(*_command):
        return f'{{"__REALTIME_TIMESTAMP":"{int((NOW - age) * 1e6)}","MESSAGE":"x"}}\n'

    age = 60.0
    (found,) = logs.journal_alive(ask, NOW, RUNNING)
    assert found.state == GOOD
    age = 3 * 86_400.0
    (found,) = logs.journal_alive(ask, NOW, RUNNING)
    assert found.state == WARNING
    assert list(logs.journal_alive(ask, NOW, {})) == []
    assert list(logs.journal_alive(lambda *_c: None, NOW, RUNNING)) == []
    (found,) = logs.journal_alive(lambda *_c: "", NOW, RUNNING)
    assert found.state == WARNING
