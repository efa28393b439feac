"""However a log is cut into rotated files, packed or not, the report is that of the whole; and a second copy of it changes nothing."""

import datetime as dt
import gzip
import lzma
import os
import random
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monzen.scan import Options, scan, scan_sets
from monzen.show.report import report
from monzen.sources import plan
from tests.parse.lines import EXAMPLES
from tests.parse.test_join_rules import Server

ROOT = Path(__file__).parent.parent
END = dt.datetime(2026, 9, 5, tzinfo=dt.UTC).timestamp()
COUNTED_TWICE = ("lines", "unread", "inputs", "twice", "not_understood", "clamped", "undated", "undated_lines")  # of two copies


def scanned(paths, **options):
    """The report of some files, as plain values, less what it says of the files themselves."""
    reading = scan([str(p) for p in paths], Options(now=END, zone=dt.UTC, **options))
    said = report(reading, names=True)
    assert said["errors"] == []
    del said["inputs"]
    return said


@lru_cache
def a_log(seed):
    """A day of random sessions, spoilt lines, empty ones, repeats; in order of time."""
    chance = random.Random(seed)
    server = Server(chance)
    lines = []
    for _ in range(60):
        kind = chance.choice((server.smtp, server.imap, server.ssh))
        lines += kind(chance.uniform(0, 5000), f"203.0.113.{chance.randrange(1, 9)}", chance.choice((1, 1, 2, 6)))
    for _ in range(60):
        _, _, example, _ = chance.choice(EXAMPLES)
        lines.append((chance.uniform(0, 5000), example))
    lines.sort(key=lambda line: line[0])
    text = []
    for t, message in lines:
        moment = dt.datetime(2026, 9, 4, 10, tzinfo=dt.UTC) + dt.timedelta(seconds=t)
        text.append(f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} mail {message}\n".encode())
        if chance.random() < 0.05:
            text.append(chance.choice((b"\n", b"\0\n", b"no stamp at all\n", b"x" * 9000 + b"\n", f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} mail last message repeated 2 times\n".encode())))
    return text


def write(folder, name, lines, age):
    """A file of a rotated set; `age` in minutes before the newest."""
    data = b"".join(lines)
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else lzma.compress(data) if name.endswith(".xz") else data)
    os.utime(path, (END - age * 60, END - age * 60))
    return path


@pytest.mark.parametrize("seed", range(3))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=5), packed=st.lists(st.sampled_from(["", ".gz", ".xz"]), min_size=6, max_size=6), dated=st.booleans())
def test_a_rotated_set(tmp_path_factory, seed, shares, packed, dated):
    lines = a_log(seed)
    whole = tmp_path_factory.mktemp("whole")
    wanted = scanned([write(whole, "mail.log", lines, 0)])
    assert wanted["attempts"] > 60
    folder = tmp_path_factory.mktemp("parts")
    edges = [0, *sorted(int(s * len(lines)) for s in shares), len(lines)]
    last = len(edges) - 2
    for i in range(last + 1):
        older = last - i
        name = "mail.log"
        if older:
            name += (f"-2026090{9 - older}" if dated else f".{older}") + packed[i]
        write(folder, name, lines[edges[i] : edges[i + 1]], older)
    paths = list(folder.iterdir())
    random.Random(seed).shuffle(paths)
    assert scanned(paths) == wanted  # in whatever order they are named
    assert scanned([folder]) == wanted
    assert scanned([folder / "mail.log*"]) == wanted


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("extra", [False, True])
def test_a_second_copy(tmp_path, seed, extra):
    """mail.log and syslog: the same lines, in the second among others."""
    lines = a_log(seed)
    alone = scanned([write(tmp_path, "mail.log", lines, 0)])
    chance = random.Random(seed)
    more = []
    for line in lines:
        if extra and chance.random() < 0.3:
            more.append(line[:15] + b" mail cron[1]: hello\n" if line[3:4] == b" " else b"hello\n")
        more.append(line)
    both = scanned([tmp_path / "mail.log", write(tmp_path, "syslog", more, 0)])
    for said in (alone, both):
        for key in COUNTED_TWICE:
            said.pop(key, None)
    assert both == alone


def test_a_second_copy_of_a_part(tmp_path):
    """The rotated mail.log.1 and the whole in syslog."""
    lines = [line for line in a_log(1) if line.startswith(b"Sep ") and b"last message" not in line]
    half = len(lines) // 2
    alone = scanned([write(tmp_path, "all.log", lines, 0)])
    write(tmp_path, "mail.log.1", lines[:half], 10)
    write(tmp_path, "mail.log", lines[half:], 0)
    write(tmp_path, "syslog", lines, 0)
    both = scanned([tmp_path / n for n in ("mail.log", "mail.log.1", "syslog")])
    for said in (alone, both):
        for key in COUNTED_TWICE:
            said.pop(key, None)
    assert both == alone


def test_since_and_until_take_a_part(tmp_path):
    path = write(tmp_path, "mail.log", a_log(2), 0)
    middle = dt.datetime(2026, 9, 4, 10, 40, tzinfo=dt.UTC).timestamp()
    before, after, whole = scanned([path], until=middle), scanned([path], since=middle), scanned([path])
    assert before["last"] <= "2026-09-04T10:40:00Z" <= after["first"]
    # a session that is under way at the cut may count its summary once more, or what was waited for once
    assert whole["attempts"] <= before["attempts"] + after["attempts"] <= whole["attempts"] + 12


def test_progress_counts_every_byte_once(tmp_path):
    paths = [write(tmp_path, "mail.log.1.gz", a_log(0), 1), write(tmp_path, "mail.log", a_log(1), 0)]
    sets, errors = plan([str(p) for p in paths], now=END)
    told = []
    scan_sets(sets, list(errors), Options(now=END, zone=dt.UTC), progress=told.append)
    assert sum(told) == sum(p.stat().st_size for p in paths)


def test_years_of_a_rotated_set(tmp_path):
    """Weekly files over two New Years, without a year in them: told back from the last write of the last one."""
    start = dt.datetime(2024, 11, 20, 6, 25, tzinfo=dt.UTC)
    days = [start + dt.timedelta(days=i) for i in range(600)]
    lines = [f"{d:%b} {d.day:2d} {d:%H:%M:%S} mail sshd[7]: Failed password for root from 203.0.113.{i % 200 + 1} port 5 ssh2\n".encode() for i, d in enumerate(days)]
    edges = list(range(0, 600, 7))
    for n, at in enumerate(edges):
        older = len(edges) - 1 - n
        path = write(tmp_path, f"mail.log.{older}" if older else "mail.log", lines[at : at + 7], 0)
        last = days[min(at + 6, 599)].timestamp()
        os.utime(path, (last, last))
    said = scanned([tmp_path])
    assert (said["first"], said["last"]) == ("2024-11-20T06:25:00Z", days[-1].strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert said["attempts"] == 600
