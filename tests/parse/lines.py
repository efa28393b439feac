"""Log lines for the tests, and what is made of them: the header shapes of FACTS section C, a reader with and without its C loop."""

import datetime as dt
import json

from monzen.parse import reader as module
from monzen.parse.address import addresses, text
from monzen.parse.clock import Clock
from monzen.parse.join import Joiner
from monzen.parse.line import read_line
from monzen.parse.program import FAMILIES
from monzen.parse.reader import Reader
from monzen.types import Kind, Service, Weight

NOON = 1788526800.0  # 2026-09-04 13:00 UTC: a file that was last written then holds all of that day's morning
MARKED = addresses[b"198.51.100.66"]  # stands only where attackers write

# Every example of every declaration: (family, declaration, text, what it must say)
EXAMPLES = [(family, reads, said, keys) for family in FAMILIES for reads in family.reads for said, keys in reads.examples.items()]
LOOPS = [True, False] if module.Scanner is not None else [False]  # the loop in C, where it was built, and the loop in Python


def clock(zone=dt.UTC, newest=NOON + 86400.0, year=None):
    return Clock(newest, zone, year)


def says(line, zone=dt.UTC):
    """What one line says by itself."""
    return read_line(line if isinstance(line, bytes) else line.encode(), clock(zone))[0]


def read(block, *, zone=dt.UTC, newest=NOON + 86400.0, year=None, compiled=True):
    """The events of a block of lines."""
    return Reader(clock(zone, newest, year), compiled=compiled).read(block)


def wanted(reads, keys):
    """What an example must say: its keys, and for kind and weight what its declaration says where it has neither key nor refinement."""
    want = {"client": keys["client"]} if "client" in keys else {}
    for key in ("user", "attempts", "service"):
        if key in keys:
            want[key] = keys[key]
    fixed = reads.refine is None and reads.build is None  # else the match says more
    if "kind" in keys or fixed:
        want["kind"] = keys.get("kind", reads.kind.name.lower())
    if "weight" in keys or fixed:
        want["weight"] = keys.get("weight", reads.weight.name.lower())
    return want


def said(fact):
    """A Fact as the keys of an example."""
    if fact is None:
        return {"kind": None, "client": None, "user": None, "attempts": 0, "service": None, "weight": "none"}
    return {
        "kind": Kind(fact.kind).name.lower(),
        "client": text(fact.client) or None,
        "user": fact.user.decode("utf-8", "replace") if fact.user is not None else None,
        "attempts": fact.attempts,
        "service": Service(fact.service).name.lower(),
        "weight": Weight(fact.weight).name.lower(),
    }


def parts(example):
    """An example `program[pid]: message` taken apart: (program[pid], program, pid, message)."""
    tag, _, message = example.partition(": ")
    name, _, pid = tag.partition("[")
    return tag, name.partition("(")[0], pid.rstrip("]"), message


def json_record(example, **fields):
    """The example as `journalctl -o json` prints it, with the fields that only journald writes."""
    tag, name, pid, message = parts(example)
    if "(pam_unix)" in tag:
        message = "(pam_unix) " + message
    record = {"__REALTIME_TIMESTAMP": "1788514785123456", "_HOSTNAME": "mail", "SYSLOG_IDENTIFIER": name, "MESSAGE": message}
    if name == "kernel":
        record["_TRANSPORT"] = "kernel"
    else:
        record |= {"_TRANSPORT": "syslog", "_UID": "0", "_EXE": "/usr/sbin/x", "_PID": pid or "7"}
    return json.dumps(record | fields, separators=(",", ":"))  # as journalctl does


def shapes(example):
    """The example under every header that some syslog daemon, container or journal gives it, by name."""
    tag, name, pid, message = parts(example)
    found = {
        "RFC 3164": f"Sep  4 09:39:45 mail {example}",
        "RFC 3164, zero": f"Sep 04 09:39:45 mail {example}",
        "RFC 3164, no host": f"Sep  4 09:39:45 {example}",
        "RFC 3164, year": f"Sep  4 2026 09:39:45 mail {example}",
        "RFC 3339": f"2026-09-04T09:39:45Z mail {example}",
        "RFC 3339, offset": f"2026-09-04T18:39:45+09:00 mail {example}",
        "RFC 3339, fraction": f"2026-09-04T09:39:45.123456+00:00 mail {example}",
        "RFC 3339, milliseconds": f"2026-09-04T09:39:45.123Z mail {example}",
        "ISO with a blank": f"2026-09-04 09:39:45 mail {example}",
        "priority": f"<22>Sep  4 09:39:45 mail {example}",
        "priority, RFC 3339": f"<22>2026-09-04T09:39:45.1+00:00 mail {example}",
        "RFC 5424": f"<22>1 2026-09-04T09:39:45.123456Z mail {name} {pid or '-'} - - {message}",
        "RFC 5424, data": f'<22>1 2026-09-04T09:39:45Z mail {name} {pid or "-"} ID47 [a@1 k="]\\"x"][b@2] \ufeff{message}',
        "FreeBSD": f"Sep  4 09:39:45 <mail.info> mail {example}",
        "busybox": f"Sep  4 09:39:45 mail mail.info {example}",
        "busybox, before": f"Sep  4 09:39:45 mail.info mail {example}",
        "docker compose": f"mailserver  | Sep  4 09:39:45 mail {example}",
        "docker compose, RFC 3339": f"mail-1 | 2026-09-04T09:39:45.123456+00:00 mail {example}",
        "docker, two stamps": f"2026-09-04T09:39:45.123456789Z Sep  4 09:39:45 mail {example}",
        "TAI64N": f"@400000006a9a91eb075bca15 {example}",
        "journald": json_record(example),
        "journald, bytes": json_record(example, MESSAGE=list(json.loads(json_record(example))["MESSAGE"].encode())),
        "docker json-file": json.dumps({"log": f"Sep  4 09:39:45 mail {example}\n", "stream": "stdout", "time": "2026-09-04T09:39:45.1Z"}),
    }
    if name == "dovecot":  # Dovecot's own log file: log_path, log_timestamp
        found["Dovecot's own"] = f"Sep 04 09:39:45 {message}"
        _, _, rest = message.partition(": ")
        if rest and not rest.startswith(("Info: ", "Error: ", "Warning: ")) and "Error: " not in message:
            found["Dovecot's own, level"] = f"2026-09-04 09:39:45 Info: {message}"
    if "(" in tag:  # sshd(pam_unix)[7]: the tag itself says something, and RFC 5424 and busybox know no such tag
        found = {k: v for k, v in found.items() if not k.startswith(("RFC 5424", "journald"))}
    return found


def joined(story, *, compiled=True, host="mail"):
    """What is left of some lines after joining. Each line of `story` begins with its second, counted from 10:00:00."""
    lines = []
    for line in story.strip().split("\n"):
        second, _, message = line.strip().partition(" ")
        if message:
            moment = dt.datetime(2026, 9, 4, 10, tzinfo=dt.UTC) + dt.timedelta(seconds=float(second))
            lines.append(f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} {host} {message}\n".encode())
    joiner = Joiner()
    return joiner.join(read(b"".join(lines), compiled=compiled)) + joiner.wait_until(float("inf"))


def strong(events):
    """How many attempts some events count."""
    return sum(e.attempts for e in events if e.fact.weight == Weight.STRONG)


def weak(events):
    """How many weak signs."""
    return sum(e.attempts for e in events if e.fact.weight == Weight.WEAK)
