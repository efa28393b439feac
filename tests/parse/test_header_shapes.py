"""Headers of all shapes: when, which host, which program and process, and the message to the byte."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.header import split
from monzen.parse.program import identify
from monzen.types import Service
from tests.parse.lines import says

MESSAGE = b"warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x"
SAYS = b"postfix/smtpd[28414]: " + MESSAGE


def parts(line):
    header = split(line)
    return header.stamp, header.host, header.program.name if header.program else None, header.pid, header.message


@pytest.mark.parametrize(
    ("line", "stamp", "host"),
    [
        (b"Sep  4 16:59:45 mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep 04 16:59:45 mail " + SAYS, b"Sep 04 16:59:45", b"mail"),
        (b"Sep 4 16:59:45 mail " + SAYS, b"Sep 4 16:59:45", b"mail"),
        (b"Sep 14 16:59:45 mail.example.org " + SAYS, b"Sep 14 16:59:45", b"mail.example.org"),
        (b"Sep 14 16:59:45.123456 mail " + SAYS, b"Sep 14 16:59:45.123456", b"mail"),
        (b"Sep 14 2026 16:59:45 mail " + SAYS, b"Sep 14 2026 16:59:45", b"mail"),
        (b"Sep 14 16:59:45 2026 mail " + SAYS, b"Sep 14 16:59:45 2026", b"mail"),
        (b"Sep  4 16:59:45 " + SAYS, b"Sep  4 16:59:45", b""),
        (b"Sep  4 16:59:45  mail  " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"  Sep  4 16:59:45 mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep  4 16:59:45 192.0.2.1 " + SAYS, b"Sep  4 16:59:45", b"192.0.2.1"),
        (b"2026-09-04T16:59:45Z mail " + SAYS, b"2026-09-04T16:59:45Z", b"mail"),
        (b"2026-09-04T16:59:45+09:00 mail " + SAYS, b"2026-09-04T16:59:45+09:00", b"mail"),
        (b"2026-09-04T16:59:45.123456+09:00 mail " + SAYS, b"2026-09-04T16:59:45.123456+09:00", b"mail"),
        (b"2026-09-04 16:59:45 mail " + SAYS, b"2026-09-04 16:59:45", b"mail"),
        (b"2026-09-04 16:59:45,123 mail " + SAYS, b"2026-09-04 16:59:45,123", b"mail"),
        (b"<22>Sep  4 16:59:45 mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"<mail.info>Sep  4 16:59:45 mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep  4 16:59:45 <mail.info> mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep  4 16:59:45 mail mail.warn " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep  4 16:59:45 mail mail.warn: " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep  4 16:59:45 mail.warn mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"Sep  4 16:59:45 auth.info " + SAYS, b"Sep  4 16:59:45", b""),
        (b"@400000004c91b044077a9e94 " + SAYS, b"@400000004c91b044077a9e94", b""),
        (b"mailserver  | Sep  4 16:59:45 mail " + SAYS, b"Sep  4 16:59:45", b"mail"),
        (b"mail-1 | 2026-09-04T16:59:45.123456+00:00 mail " + SAYS, b"2026-09-04T16:59:45.123456+00:00", b"mail"),
        (b"2026-09-04T16:59:45.123456789Z Sep  4 16:59:44 mail " + SAYS, b"2026-09-04T16:59:45.123456789Z", b"mail"),
        (b"Sep  4 16:59:44 2026-09-04T16:59:45.1Z mail " + SAYS, b"2026-09-04T16:59:45.1Z", b"mail"),
        (b"<22>1 2026-09-04T16:59:45.1Z mail postfix/smtpd 28414 - - " + MESSAGE, b"2026-09-04T16:59:45.1Z", b"mail"),
        (b'<22>1 2026-09-04T16:59:45.1Z mail postfix/smtpd 28414 ID [a@1 b="]\\]\\""][c] ' + MESSAGE, b"2026-09-04T16:59:45.1Z", b"mail"),
        (b"<22>1 2026-09-04T16:59:45.1Z mail postfix/smtpd 28414 - - \xef\xbb\xbf" + MESSAGE, b"2026-09-04T16:59:45.1Z", b"mail"),
        (b"Sep  4 16:59:45 mail postfix/smtpd[28414]: [ID 197553 mail.info] " + MESSAGE, b"Sep  4 16:59:45", b"mail"),
    ],
)
def test_shapes(line, stamp, host):
    assert parts(line) == (stamp, host, b"postfix/smtpd", b"28414", MESSAGE)
    assert says(line).client == b"\xc0\x00\x02\x07"


@pytest.mark.parametrize(
    ("line", "program", "pid", "message"),
    [
        (b"Sep  4 16:59:45 mail sshd: Invalid user x", b"sshd", b"", b"Invalid user x"),
        (b"Sep  4 16:59:45 mail sshd(pam_unix)[7]: authentication failure; x", b"sshd", b"7", b"(pam_unix) authentication failure; x"),
        (b"2026-09-04T16:59:45Z [sshd] Invalid user x", b"sshd", b"", b"Invalid user x"),
        (b"2026-09-04T16:59:45Z [sshd]: Invalid user x", b"sshd", b"", b"Invalid user x"),
        (b"Sep  4 16:59:45 mail kernel: [ 2115.99] [UFW BLOCK] IN=", b"kernel", b"", b"[ 2115.99] [UFW BLOCK] IN="),
        (b"Sep  4 16:59:45 mail kernel: [UFW BLOCK] IN=", b"kernel", b"", b"[UFW BLOCK] IN="),
        (b"Sep 04 16:59:45 imap-login: Info: Login: user=<x>", b"dovecot", b"", b"imap-login: Info: Login: user=<x>"),
        (b"2026-09-04 16:59:45 imap-login: Info: Login: user=<x>", b"dovecot", b"", b"imap-login: Info: Login: user=<x>"),
        (b"Sep 04 16:59:45 auth-worker(7): Info: sql(", b"dovecot", b"", b"auth-worker(7): Info: sql("),
        (b"Sep 04 16:59:45 Info: imap-login: Login: user=<x>", b"dovecot", b"", b"imap-login: Login: user=<x>"),
        (b"Sep  4 16:59:45 mail dovecot: imap-login: x", b"dovecot", b"", b"imap-login: x"),
        (b"Sep  4 16:59:45 mail dovecot[7]: imap-login: x", b"dovecot", b"7", b"imap-login: x"),
        (b"Sep  4 16:59:45 mail postfix/smtpd[7]:", b"postfix/smtpd", b"7", b""),
        (b"Sep  4 16:59:45 mail postfix/smtpd[7]: ", b"postfix/smtpd", b"7", b""),
    ],
)
def test_programs(line, program, pid, message):
    assert parts(line)[2:] == (program, pid, message)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"Sep  4 16:59:45",
        b"Sep  4 16:59:45 ",
        b"Sep  4 16:59:45 mail",
        b"Sep  4 16:59:45 mail something without a colon",
        b"Sep  4 16:59:45 mail cron[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail postfix/smtp[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail /smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail postfix/smtpd[x]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail postfix/smtpd [7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail logger: postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail x: Sep  4 16:59:45 mail postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x",
        b"Sep  4 16:59:45 mail amavis[7]: (1) Blocked SPAM, sshd[8]: Failed password for root from 192.0.2.7 port 5 ssh2",
        b"{}",
        b"[]",
        b'{"MESSAGE": null}',
        b'{"log": 5}',
        b'{"log": {"MESSAGE": "x"}}',
        b"{" * 5000,
        b"[" * 100_000,
        b"<22>1 ",
        b"<22>1 - - - - - -",
    ],
)
def test_what_is_none_of_ours(line):
    assert split(line).program is None or not split(line).message
    fact = says(line)
    assert fact is None or not fact.weight


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_never_raises(line):
    split(line)
    split(b"Sep  4 16:59:45 " + line)
    split(b"<22>1 2026-09-04T16:59:45Z mail postfix/smtpd 7 - " + line)
    split(b'{"MESSAGE":' + line)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_the_message_is_kept_to_the_byte(message):
    for head in (b"Sep  4 16:59:45 mail sshd[7]: ", b"2026-09-04T16:59:45.123456+00:00 mail sshd[7]: ", b"<22>1 2026-09-04T16:59:45Z mail sshd 7 - - "):
        header = split(head + b"|" + message)
        assert header.message == b"|" + message
        assert header.program.name == b"sshd"


# ---- names of programs


@pytest.mark.parametrize(
    ("name", "service"),
    [
        (b"postfix/smtpd", Service.SMTP),
        (b"postfix/smtp/smtpd", Service.SMTP),
        (b"postfix/submission/smtpd", Service.SUBMISSION),
        (b"postfix/smtps/smtpd", Service.SMTPS),
        (b"postfix/submissions/smtpd", Service.SMTPS),
        (b"postfix/465/smtpd", Service.SMTPS),
        (b"postfix/587/smtpd", Service.SUBMISSION),
        (b"postfix-out/smtpd", Service.SMTP),
        (b"postfix/smtp-25/smtpd", Service.SMTP),
        (b"postfix/submission-proxyprotocol/smtpd", Service.SUBMISSION),
        (b"postfix/submissions-proxyprotocol/smtpd", Service.SMTPS),
        (b"mail.example.org/smtpd", Service.SMTP),
        (b"postfix/postscreen", Service.SMTP),
        (b"sshd", Service.SSH),
        (b"sshd-session", Service.SSH),
        (b"sshd-auth", Service.SSH),
        (b"kernel", Service.FIREWALL),
        (b"dovecot", Service.OTHER),
    ],
)
def test_services(name, service):
    program = identify(name)
    assert program.service == service
    assert identify(name) is program


@pytest.mark.parametrize("name", [b"postfix/smtp", b"smtpd", b"/smtpd", b"postfix/qmgr", b"sshd2", b"xsshd", b"", b"a" * 5000, b"postfix/smtpdx", b"postfix/"])
def test_other_programs(name):
    assert identify(name) is None


def test_names_of_strangers_are_not_hoarded():
    from monzen.parse import program

    for i in range(5000):
        identify(b"stranger%d" % i)
    assert len(program._programs) <= 1024
    assert identify(b"sshd") is not None


# ---- the same session, whatever the header


def test_head_is_the_same_in_every_header():
    """What lines of one process share: the joiner knows a session by it, so a `message repeated` must have it too."""
    heads = {split(line).head for line in (b"Sep  4 16:59:45 mail " + SAYS, b"2026-09-04T16:59:45Z mail " + SAYS, b"<22>Sep  4 16:59:45 mail " + SAYS)}
    assert heads == {b" mail postfix/smtpd[28414]"}
    assert split(b"Sep  4 16:59:45 sshd: x").head == b" sshd"


# ---- the journal: only what journald itself vouches for


def record(**fields):
    base = {
        "__REALTIME_TIMESTAMP": "1788512385123456",
        "_HOSTNAME": "mail",
        "SYSLOG_IDENTIFIER": "sshd",
        "MESSAGE": "Failed password for root from 192.0.2.7 port 5 ssh2",
        "_UID": "0",
        "_EXE": "/usr/sbin/sshd",
        "_PID": "7",
        "_TRANSPORT": "syslog",
    }
    return json.dumps({k: v for k, v in (base | fields).items() if v is not None}).encode()


def test_journal():
    header = split(record())
    assert (header.time, header.host, header.program.name, header.pid) == (1788512385.123456, b"mail", b"sshd", b"7")
    assert header.head == b" mail sshd[7]"
    assert split(record(SYSLOG_PID="9")).pid == b"9"
    assert split(record(MESSAGE=list("Failed päss".encode()))).message == "Failed päss".encode()
    assert split(record(MESSAGE=["first", "last"])).message == b"last"
    assert split(record(MESSAGE=[])).message == b""
    assert split(record(MESSAGE=5)).message == b""
    assert split(record(__REALTIME_TIMESTAMP=None)).time is None
    assert split(record(__REALTIME_TIMESTAMP="x" * 5000)).time is None
    assert split(record(__REALTIME_TIMESTAMP="9" * 5000)).time is None


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"_UID": "106", "_EXE": "/usr/sbin/sshd"}, True),
        ({"_UID": "106", "_EXE": None}, True),
        ({"_UID": "1000", "_EXE": "/usr/bin/logger"}, False),
        ({"_UID": "1000", "_EXE": "/usr/sbin/sshd"}, False),
        ({"_UID": "33", "_EXE": "/var/www/x"}, False),
        ({"_UID": "33", "_EXE": "/home/x/sshd"}, False),
        ({"_UID": "65534", "_EXE": "/usr/bin/logger"}, False),
        ({"_UID": None, "_EXE": None, "_PID": None}, False),
        ({"_UID": "", "_EXE": ""}, False),
        ({"_UID": "-1"}, False),
        ({"_UID": "0x0"}, False),
        ({"_UID": ["1000", "0"]}, True),  # journald writes each trusted field once
        ({"_TRANSPORT": "kernel"}, False),
        ({"_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": "kernel", "_UID": None, "_EXE": None, "_PID": None}, False),  # not sshd's line
    ],
)
def test_whom_the_journal_vouches_for(fields, counts):
    fact = says(record(**fields))
    assert (fact is not None and fact.weight > 0) is counts


def test_a_local_user_cannot_speak_for_the_kernel():
    packet = "[UFW BLOCK] IN=eth0 OUT= MAC=x SRC=192.0.2.7 DST=198.51.100.2 LEN=40 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=1 DPT=23 WINDOW=1 RES=0x00 SYN URGP=0 "
    kernel = {"SYSLOG_IDENTIFIER": "kernel", "MESSAGE": packet}
    assert says(record(**kernel, _TRANSPORT="kernel", _UID=None, _EXE=None)).client == b"\xc0\x00\x02\x07"
    assert says(record(**kernel, _UID="1000", _EXE="/usr/bin/logger")) is None
    assert says(record(**kernel, _TRANSPORT="syslog", _UID=None, _EXE=None)) is None


def test_docker_json_file():
    inner = "Sep  4 16:59:45 mail sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2\n"
    line = json.dumps({"log": inner, "stream": "stdout", "time": "2026-09-04T16:59:45.123456789Z"}).encode()
    assert parts(line)[1:4] == (b"mail", b"sshd", b"7")
    assert says(line).client == b"\xc0\x00\x02\x07"
    bare = json.dumps({"log": "sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2\n", "time": "2026-09-04T16:59:45Z"}).encode()
    assert split(bare).stamp == b"2026-09-04T16:59:45Z"
    # what a program of the container writes into its log is no record of the journal
    nested = json.dumps({"log": record().decode(), "stream": "stdout", "time": "2026-09-04T16:59:45Z"}).encode()
    assert says(nested) is None
