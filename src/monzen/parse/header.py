"""Cuts a line's header off: when, who (host), which program, and the message. All shapes of FACTS section C.

Source: RFC 3164, RFC 3339, RFC 5424; FreeBSD syslogd (<mail.info>), busybox syslogd (mail.info), Solaris ([ID n mail.info]),
docker and docker compose prefixes, TAI64N (multilog), Dovecot's own log files, journald's JSON.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from monzen.parse.program import Program, identify
from monzen.pattern import match

STAMP = (
    rb"(?:[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4}(?= ))?"
    rb"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
    rb"|@[0-9a-f]{24})(?=[ \]]|\Z)"
)
STAMPED = match(STAMP)
COMPOSE = match(rb"[\w.-]{1,64} *\| +")
PRIORITY = match(rb"<(?:\d{1,3}|\w{1,12}\.\w{1,12})>")
RFC5424 = match(
    rb"1 (?P<stamp>\S++) (?P<host>\S++) (?P<name>\S++) (?P<pid>\S++) (?P<id>\S++) ?"
    rb'(?:(?P<sd>-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+)(?: (?:\xef\xbb\xbf)?|\Z))?(?P<message>.*)\Z',
    re.DOTALL,
)
FACILITY = match(rb"(?:<\w{1,12}\.\w{1,12}>|[a-z]+\d?\.[a-z]+:?) +")
OWN = match(rb"(?:(?:Info|Warning|Error|Notice): )?(?:(?:imap|pop3|managesieve|sieve|submission)-login|auth(?:-worker)?)(?=[:(<])")  # Dovecot's own log file
LEVEL = re.compile(rb"\A(?:Info|Warning|Error|Notice): ")
NAME = rb"(?P<name>[A-Za-z_][\w./-]*+)(?:\((?P<pam>pam_\w++)\))?"
TAG = match(rb"(?:(?P<host>[^\s:\[\]]++) +)?(?:[a-z]+\d?\.[a-z]+:? +)?" + NAME + rb"(?:\[(?P<pid>\d{1,10})\](?::|(?= [a-z]+: ))|:)(?: |\Z)")
BRACKETED = match(rb"\[(?P<name>[a-z][\w-]*+)\]:? ")
SOLARIS = match(rb"\[ID \d++ \w++\.\w++\] ")
DAEMON_UID = 1000  # system accounts lie below (login.defs, SYS_UID_MAX 999)
DAEMONS = (b"/usr/", b"/sbin/", b"/opt/", b"/snap/")


class Header(NamedTuple):
    """A line taken apart. `stamp` is None where there is none, `program` None where it is not one of ours or not to be trusted;
    `named` whether a program was named at all. `time` is set where the header brings an epoch itself (journald)."""

    stamp: bytes | None
    host: bytes
    program: Program | None
    named: bool
    pid: bytes
    message: bytes
    time: float | None = None

    @property
    def head(self) -> bytes:
        """` host program[pid]`: what the lines of one session share, as it stands in the commonest header (parse/reader.py cuts it there)."""
        host = b" " + self.host if self.host else b""
        pid = b"[" + self.pid + b"]" if self.pid else b""
        return host + b" " + (self.program.name if self.program else b"") + pid


def split(line: bytes) -> Header:
    """The parts of a line in any shape we know; never raises."""
    if line.startswith(b"{"):
        record = journal(line)
        if record is not None:
            return record
    at = 0
    m = COMPOSE(line)
    if m is not None:
        at = m.end()
    m = PRIORITY(line, at)
    if m is not None:
        at = m.end()
        m = RFC5424(line[at:])
        if m is not None:
            program = identify(m["name"])
            return Header(m["stamp"], m["host"], program, True, m["pid"].strip(b"-"), m["message"])
    while at < len(line) and line[at] in b" \t":
        at += 1
    stamp = None
    for _ in range(2):  # docker writes its own stamp before the program's
        m = STAMPED(line, at)
        if m is None:
            break
        stamp = stamp if stamp and stamp[-1:] in b"Z0123456789" and b"T" in stamp else m[0]
        at = m.end()
        while at < len(line) and line[at] in b" \t":
            at += 1
        m = FACILITY(line, at)
        if m is not None:
            at = m.end()
    rest = line[at:]
    if OWN(rest):
        return Header(stamp, b"", identify(b"dovecot"), True, b"", LEVEL.sub(b"", rest, count=1))
    m = BRACKETED(rest)
    if m is not None and identify(m["name"]):
        return Header(stamp, b"", identify(m["name"]), True, b"", rest[m.end() :])
    m = TAG(rest)
    if m is None:
        return Header(stamp, b"", None, False, b"", rest)
    program = identify(m["name"])
    if program is None and stamp is None and m["pid"] is None:
        return Header(stamp, b"", None, False, b"", rest)
    message = rest[m.end() :]
    if m["pam"]:
        message = b"(" + m["pam"] + b") " + message
    solaris = SOLARIS(message)
    if solaris is not None:
        message = message[solaris.end() :]
    return Header(stamp, m["host"] or b"", program, True, m["pid"] or b"", message.lstrip(b" ") if message[:1] == b" " else message)


def _text(value: object) -> bytes:
    """A journal field as bytes: a string, or a list of bytes where it was not UTF-8; of several the last."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, list):
        if value and all(isinstance(b, int) and 0 <= b < 256 for b in value):
            return bytes(value)
        if value:
            return _text(value[-1])
    return b""


def journal(line: bytes) -> Header | None:
    """A record of `journalctl -o json`, or a line of docker's json-file log; None where it is neither.

    Any local user can write any SYSLOG_IDENTIFIER, so a line counts only with the trusted fields (they begin with `_`, and journald
    alone writes them): root, or a system account whose program lies where root alone installs. Source: systemd.journal-fields(7).
    """
    import json

    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    inner = record.get("log")
    if isinstance(inner, str) and "MESSAGE" not in record:
        stamp = _text(record.get("time")) or None
        inner_header = split(inner.rstrip("\n").encode("utf-8", "surrogatepass")) if not inner.startswith("{") else None
        return inner_header._replace(stamp=inner_header.stamp or stamp) if inner_header else None
    if "MESSAGE" not in record:
        return None
    message = _text(record.get("MESSAGE"))
    name = _text(record.get("SYSLOG_IDENTIFIER"))
    try:
        at: float | None = int(_text(record.get("__REALTIME_TIMESTAMP"))) / 1e6
    except ValueError:
        at = None
    pid = _text(record.get("SYSLOG_PID")) or _text(record.get("_PID"))
    program = identify(name) if _trusted(record) else None
    return Header(None, _text(record.get("_HOSTNAME")), program, True, pid, message, at)


def _trusted(record: dict[str, Any]) -> bool:
    if _text(record.get("_TRANSPORT")) == b"kernel":
        return _text(record.get("SYSLOG_IDENTIFIER")) == b"kernel"
    uid, path = _text(record.get("_UID")), _text(record.get("_EXE"))
    if not uid.isdigit() or len(uid) > 10:
        return path.startswith(DAEMONS) and not uid
    if int(uid) == 0:
        return True
    return int(uid) < DAEMON_UID and (path.startswith(DAEMONS) if path else True)
