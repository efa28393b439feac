"""All shapes of headers (FACTS section C): program, host, process, message; and which programs are believed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.address import text
from monzen.parse.clock import Clock
from monzen.parse.header import Header, split
from monzen.parse.line import read_line
from monzen.parse.program import identify, service_of
from monzen.parse.reader import Reader
from monzen.types import Service

NOW = 1_795_000_000.0
MESSAGE = b"Failed password for root from 192.0.2.7 port 22 ssh2"
T1, T2 = b"Sep  4 16:59:45", b"2026-09-04T16:59:45.123456+09:00"


@pytest.mark.parametrize(
    ("line", "stamp", "host"),
    [
        (T1 + b" mail sshd[7]: %s", T1, b"mail"),
        (b"Sep 04 16:59:45 mail sshd[7]: %s", b"Sep 04 16:59:45", b"mail"),
        (T1 + b" sshd[7]: %s", T1, b""),
        (T2 + b" mail sshd[7]: %s", T2, b"mail"),
        (b"2026-09-04T16:59:45+09:00 mail sshd[7]: %s", b"2026-09-04T16:59:45+09:00", b"mail"),
        (b"2026-09-04T16:59:45Z mail sshd[7]: %s", b"2026-09-04T16:59:45Z", b"mail"),
        (b"2026-09-04 16:59:45 mail sshd[7]: %s", b"2026-09-04 16:59:45", b"mail"),
        (b"Sep  4 2026 16:59:45 mail sshd[7]: %s", b"Sep  4 2026 16:59:45", b"mail"),
        (b"<22>" + T1 + b" mail sshd[7]: %s", T1, b"mail"),
        (b"<38>1 2026-09-04T16:59:45Z mail sshd 7 - - %s", b"2026-09-04T16:59:45Z", b"mail"),
        (b'<38>1 2026-09-04T16:59:45Z mail sshd 7 ID47 [a@32473 b="c\\"]d"][e f="g"] %s', b"2026-09-04T16:59:45Z", b"mail"),
        (b"<38>1 2026-09-04T16:59:45Z mail sshd 7 - - \xef\xbb\xbf%s", b"2026-09-04T16:59:45Z", b"mail"),
        (T1 + b" <auth.info> mail sshd[7]: %s", T1, b"mail"),
        (T1 + b" mail auth.info sshd[7]: %s", T1, b"mail"),
        (b"mailserver  | " + T1 + b" mail sshd[7]: %s", T1, b"mail"),
        (b"2026-09-04T07:59:45.123456789Z " + T1 + b" mail sshd[7]: %s", b"2026-09-04T07:59:45.123456789Z", b"mail"),
        (T1 + b" mail sshd[7]: [ID 800047 auth.info] %s", T1, b"mail"),
        (b"@4000000065a1b2c30a1b2c3d mail sshd[7]: %s", b"@4000000065a1b2c30a1b2c3d", b"mail"),
        (b"sshd[7]: %s", None, b""),
    ],
)
def test_shapes(line, stamp, host):
    header = split(line % MESSAGE)
    assert header == Header(stamp, host, identify(b"sshd"), True, b"7", MESSAGE)
    fact, _ = read_line(line % MESSAGE, Clock(NOW))
    assert text(fact.client) == "192.0.2.7"
    assert len(Reader(Clock(NOW)).read(line % MESSAGE + b"\n")) == (stamp is not None)  # scan asks when, explain does not


def test_dovecots_own_file():
    line = b"Sep 04 16:59:45 imap-login: Info: Login: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<x>"
    header = split(line)
    assert (header.program, header.stamp) == (identify(b"dovecot"), b"Sep 04 16:59:45")
    for own in (line, line.replace(b"Sep 04", b"2026-09-04").replace(b"2026-09-04 ", b"2026-09-04 "), line.replace(b"imap-login: Info", b"Info: imap-login")):
        assert text(read_line(own, Clock(NOW))[0].client) == "192.0.2.7"


def test_a_bracketed_program():
    assert split(T1 + b" [sshd]: " + MESSAGE).program is identify(b"sshd")


# ---- journald


def record(**more):
    fields = {"MESSAGE": MESSAGE.decode(), "SYSLOG_IDENTIFIER": "sshd", "_UID": "0", "_HOSTNAME": "mail", "_PID": "7", "__REALTIME_TIMESTAMP": "1788000000250000", **more}
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"_EXE": "/usr/sbin/sshd", "_COMM": "sshd"},
        {"_UID": "106", "_EXE": "/usr/sbin/sshd"},
        {"MESSAGE": list(MESSAGE)},
        {"SYSLOG_PID": "7", "_PID": "1"},
    ],
)
def test_the_journal(more):
    header = split(record(**more))
    assert header == Header(None, b"mail", identify(b"sshd"), True, b"7", MESSAGE, 1788000000.25)
    (event,) = Reader(Clock(NOW)).read(record(**more) + b"\n")
    assert (event.time, text(event.fact.client)) == (1788000000.25, "192.0.2.7")


@pytest.mark.parametrize(
    "more",
    [
        {"_UID": "1000", "_EXE": "/usr/bin/logger"},
        {"_UID": "1000"},
        {"_UID": None},
        {"_UID": "106", "_EXE": "/home/user/sshd"},
        {"_UID": None, "_EXE": "/home/user/sshd"},
        {"_UID": "-1"},
        {"_UID": "zero"},
        {"_UID": ["1000", "1001"]},
        {"_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": "sshd"},
    ],
)
def test_whom_the_journal_does_not_vouch_for(more):
    assert split(record(**more)).program is None
    assert Reader(Clock(NOW)).read(record(**more) + b"\n") == []
    assert read_line(record(**more), Clock(NOW))[0] is None


@pytest.mark.parametrize("line", [b"{", b"{}", b"[]", b'{"MESSAGE":', b'{"MESSAGE":null}', b'{"MESSAGE":{"a":1}}', b'{"log":1}', b'{"log":"{\\"log\\":1}"}', b"{" * 5000])
def test_json_that_is_no_record(line):
    assert read_line(line, Clock(NOW))[0] is None
    assert Reader(Clock(NOW)).read(line + b"\n") == []


def test_dockers_json():
    line = json.dumps({"log": (T1 + b" mail sshd[7]: " + MESSAGE).decode() + "\n", "stream": "stdout", "time": "2026-09-04T16:59:45.1Z"}).encode()
    assert text(read_line(line, Clock(NOW))[0].client) == "192.0.2.7"
    (event,) = Reader(Clock(NOW)).read(line + b"\n")
    assert text(event.fact.client) == "192.0.2.7"


# ---- programs


@pytest.mark.parametrize(
    ("name", "service"),
    [
        (b"postfix/smtpd", Service.SMTP),
        (b"postfix/smtp/smtpd", Service.SMTP),
        (b"postfix-out/smtpd", Service.SMTP),
        (b"postfix/smtp-25/smtpd", Service.SMTP),
        (b"postfix/submission/smtpd", Service.SUBMISSION),
        (b"postfix/smtps/smtpd", Service.SMTPS),
        (b"postfix/submissions/smtpd", Service.SMTPS),
        (b"postfix/submissions-proxyprotocol/smtpd", Service.SMTPS),
        (b"postfix/postscreen", Service.SMTP),
        (b"sshd-session", Service.SSH),
        (b"sshd-auth", Service.SSH),
        (b"kernel", Service.FIREWALL),
    ],
)
def test_doors(name, service):
    assert service_of(name, identify(name).family) == service


@pytest.mark.parametrize("name", [b"postfix/smtp", b"postfix/qmgr", b"smtpd", b"/smtpd", b"cron", b"xsshd", b"dovecot2", b"", b"a" * 5000])
def test_programs_that_are_not_ours(name):
    assert identify(name) is None


@pytest.mark.parametrize(
    "line",
    [
        T1 + b" mail cron[7]: sshd[7]: " + MESSAGE,
        T1 + b" mail cron[7]: (x) CMD (sshd[7]: %s)" % MESSAGE,
        T1 + b" mail postfix/cleanup[7]: 4A7B: warning: header Subject: sshd[7]: " + MESSAGE,
        T1 + b" mail x: y sshd[7]: " + MESSAGE,
    ],
)
def test_only_the_program_field_says_who_wrote(line):
    assert read_line(line, Clock(NOW))[0] is None
    assert Reader(Clock(NOW)).read(line + b"\n") == []


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_nothing_raises(line):
    for shape in (b"%s", T1 + b" %s", b"<22>%s", b'{"MESSAGE":"%s"}', T1 + b" mail sshd[%s]: x", b"<38>1 %s"):
        header = split(shape % line)
        assert isinstance(header.head, bytes)
