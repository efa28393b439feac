"""The reader of blocks: however the bytes come, the same events; copies count once; years, order and daylight saving."""

import datetime as dt
import random
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monzen.parse.clock import Clock
from monzen.parse.join import Joiner
from monzen.parse.line import read_line
from monzen.parse.merge import TWICE, Twice, merge
from monzen.parse.reader import Reader
from monzen.types import Join, Kind, Weight
from tests.parse.lines import EXAMPLES, read, shapes

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ["samples/first_user.log", "samples/one_week.log", "tests/data/real_mail.log", "tests/data/real_mail.traditional.log"]
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC).timestamp()
FAILED = b"%s mail sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2\n"


def epoch(*when, zone=dt.UTC, fold=0):
    return dt.datetime(*when, tzinfo=zone, fold=fold).timestamp()


def times(stamps, newest=NOW, zone=dt.UTC, year=None, *, compiled=True):
    reader = Reader(Clock(newest, zone, year), compiled=compiled)
    return [e.time for e in reader.read(b"".join(FAILED % s for s in stamps))]


@pytest.fixture(params=[True, False], ids=["C", "Python"])
def compiled(request):
    return request.param


# ---- blocks


@pytest.mark.parametrize("name", SAMPLES)
def test_blocks_of_whole_lines(name, compiled):
    """A log in blocks of any number of lines gives the events of the whole."""
    text = (ROOT / name).read_bytes()[:60_000]
    text = text[: text.rindex(b"\n") + 1]
    whole = Reader(Clock(NOW), compiled=compiled).read(text)
    lines = text.splitlines(keepends=True)
    for size in (1, 2, 7):
        reader = Reader(Clock(NOW), compiled=compiled)
        parts = [e for i in range(0, len(lines), size) for e in reader.read(b"".join(lines[i : i + size]))]
        assert parts == whole
        assert reader.lines == len(lines)


def test_counts_of_what_was_not_understood(compiled):
    reader = Reader(Clock(NOW), compiled=compiled)
    text = b"Sep  4 16:59:45 mail sshd[7]: Authentication failed for somebody in a new format\nSep  4 16:59:45 mail x[1]: hello there\n" * 30
    assert reader.read(text) == []
    assert (reader.lines, reader.suspects, reader.understood) == (60, 30, 0)
    assert len(reader.samples) == 20


def test_repeated_by_rsyslog_and_by_syslogd(compiled):
    one = FAILED % b"Sep  4 16:59:45"
    wrapped = b"Sep  4 16:59:47 mail sshd[7]: message repeated 2 times: [ Failed password for root from 192.0.2.7 port 22 ssh2]\n"
    last = b"Sep  4 16:59:47 mail last message repeated 2 times\n"
    for more in (wrapped, last):
        events = Reader(Clock(NOW), compiled=compiled).read(one + more)
        assert [e.attempts for e in events] == [1, 2]


def test_what_is_repeated_may_stand_in_the_block_before(compiled):
    reader = Reader(Clock(NOW), compiled=compiled)
    reader.read(FAILED % b"Sep  4 16:59:45")
    assert [e.attempts for e in reader.read(b"Sep  4 16:59:47 mail last message repeated 2 times\n")] == [2]


@pytest.mark.parametrize("words", [b"", b" ehlo=1 mail=1 quit=1 commands=3", b" ehlo=1 auth=0 quit=1 commands=2", b" ehlo=1 auth=0/0 commands=1"])
def test_a_disconnect_is_understood_and_no_event(compiled, words):
    reader = Reader(Clock(NOW), compiled=compiled)
    assert reader.read(b"Sep  4 16:59:45 mail postfix/smtpd[7]: disconnect from a.example[192.0.2.7]" + words + b"\n") == []


@pytest.mark.parametrize("words", [b" ehlo=1 auth=1 mail=1 quit=1 commands=4", b" ehlo=1 auth=2/2", b" auth=1000000 commands=1", b" auth=2/1"])
@pytest.mark.parametrize("header", [b"Sep  4 16:59:45 mail ", b"<22>Sep  4 16:59:45 mail "])
def test_a_disconnect_after_a_good_auth_is_for_the_joiner_alone(compiled, header, words):
    """It may settle what auth said of a first database; nobody else hears of it."""
    reader = Reader(Clock(NOW), compiled=compiled)
    said = reader.read(header + b"postfix/smtpd[7]: disconnect from a.example[192.0.2.7]" + words + b"\n")
    assert [(e.fact.kind, e.fact.weight, e.fact.join, e.attempts) for e in said] == [(Kind.DISCONNECT, Weight.NONE, Join.SUMMARY, 1)]
    assert (reader.understood, Joiner().join(said)) == (1, [])


BARE = b"warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x"


@pytest.mark.parametrize(
    "line",
    [
        b"postfix/smtpd[7]: " + BARE,
        b"mail postfix/smtpd[7]: " + BARE,
        b"  postfix/smtpd[7]: " + BARE + b"\r",
        BARE,
        b"imap-login: Login: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<x>",
        b'{"_HOSTNAME":"mail","SYSLOG_IDENTIFIER":"sshd","_UID":"0","MESSAGE":"Failed password for root from 192.0.2.7 port 22 ssh2"}',
    ],
)
def test_what_has_no_stamp_is_counted_and_blames_nobody(compiled, line):
    """explain reads it; scan must know when."""
    assert read_line(line, Clock(NOW))[0] is not None
    reader = Reader(Clock(NOW), compiled=compiled)
    assert reader.read((line + b"\n") * 30) == []
    assert (reader.undated, reader.lines, reader.understood, reader.suspects) == (30, 30, 0, 0)
    assert reader.undated_samples == [line.removesuffix(b"\r")] * 20


@pytest.mark.parametrize(
    "line",
    [
        b"    at org.example.Login.check(Login.java:7): Authentication failed",
        b"postfix/smtpd[7]: connect from unknown[192.0.2.7]",
        b"postfix/smtpd[7]: disconnect from unknown[192.0.2.7] ehlo=1 quit=1 commands=2",
        b"x: " + BARE,  # some other program quotes it
        b"Sep  4 16:59:45 mail postfix/smtpd[7]: " + BARE,
        b"",
    ],
)
def test_what_is_no_line_without_a_stamp(compiled, line):
    reader = Reader(Clock(NOW), compiled=compiled)
    reader.read(line + b"\n")
    assert (reader.undated, reader.undated_samples) == (0, [])


@pytest.mark.parametrize("name", SAMPLES)
def test_line_ends_of_windows(compiled, name):
    """A log that went through a Windows machine: the same events, and its lines are copies of the original's."""
    text = (ROOT / name).read_bytes()
    plain, windows = Reader(Clock(NOW), compiled=compiled), Reader(Clock(NOW), compiled=compiled)
    assert windows.read(text.replace(b"\n", b"\r\n")) == plain.read(text)
    assert (windows.lines, windows.understood, windows.suspects, windows.samples) == (plain.lines, plain.understood, plain.suspects, plain.samples)


@pytest.mark.parametrize("shape", shapes(EXAMPLES[0][2]))
def test_line_ends_of_windows_under_every_header(compiled, shape):
    """Also where a pattern ends with the line, the name stands last, or the line repeats the one before."""
    for _, _, said, _ in EXAMPLES:
        if shape not in shapes(said):
            continue
        line = shapes(said)[shape].encode()
        text = line + b"\nSep  4 09:39:46 mail last message repeated 2 times\nSep  4 09:39:46 mail sshd[7]: message repeated 2 times: [ x]\n"
        events = read(text, compiled=compiled)
        assert read(text.replace(b"\n", b"\r\n"), compiled=compiled) == events, line
        assert read_line(line + b"\r", Clock(NOW)) == read_line(line, Clock(NOW))


def test_only_one_carriage_return_ends_a_line(compiled):
    """Any more are the client's own."""
    failed = (FAILED % b"Sep  4 16:59:45").strip()
    (event,) = Reader(Clock(NOW), compiled=compiled).read(failed + b"\r\n")
    assert event.line == failed
    assert [e.line for e in Reader(Clock(NOW), compiled=compiled).read(failed + b"\r\r\n")] in ([], [failed + b"\r"])


# ---- time


@pytest.mark.parametrize(
    ("stamps", "want"),
    [
        ([b"Sep  4 16:59:45"], [(2026, 9, 4, 16, 59, 45)]),
        ([b"Dec 31 23:59:59", b"Jan  1 00:00:01"], [(2025, 12, 31, 23, 59, 59), (2026, 1, 1, 0, 0, 1)]),
        ([b"Dec 31 23:59:59", b"Jan  1 00:00:01", b"Dec 31 23:59:58"], [(2025, 12, 31, 23, 59, 59), (2026, 1, 1, 0, 0, 1), (2025, 12, 31, 23, 59, 58)]),
        ([b"Feb 29 12:00:00"], [(2024, 2, 29, 12, 0, 0)]),
        ([b"2026-09-04T16:59:45.250000+09:00"], [(2026, 9, 4, 7, 59, 45, 250000)]),
        ([b"2026-09-04T16:59:45Z"], [(2026, 9, 4, 16, 59, 45)]),
        ([b"2026-09-04T16:59:45-03:30"], [(2026, 9, 4, 20, 29, 45)]),
    ],
)
def test_years_and_offsets(stamps, want, compiled):
    assert times(stamps, compiled=compiled) == [epoch(*w[:6]) + (w[6] / 1e6 if len(w) > 6 else 0) for w in want]


def test_a_stamp_in_the_future_is_not_believed(compiled):
    clock = Clock(NOW)
    reader = Reader(clock, compiled=compiled)
    events = reader.read(FAILED % b"2026-09-04T16:59:45.000000+00:00" + FAILED % b"2099-09-04T16:59:45.000000+00:00" + FAILED % b"2026-09-04T16:59:46.000000+00:00")
    assert [e.time for e in events] == [epoch(2026, 9, 4, 16, 59, 45), pytest.approx(epoch(2026, 9, 4, 16, 59), abs=60), epoch(2026, 9, 4, 16, 59, 46)]
    assert clock.clamped == 1


def test_the_year_given(compiled):
    assert times([b"Sep  4 16:59:45"], newest=float("inf"), year=2019, compiled=compiled) == [epoch(2019, 9, 4, 16, 59, 45)]


@pytest.mark.parametrize("name", ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe"])
def test_daylight_saving_at_both_ends(name, compiled):
    """A year of hours, written as local stamps in order, is told back as it was."""
    zone = ZoneInfo(name)
    begin = int(epoch(2025, 10, 1))
    whole = [begin + 600 * i for i in range(6 * 24 * 250)]
    stamps = [dt.datetime.fromtimestamp(t, zone).strftime("%b %e %H:%M:%S").encode() for t in whole]
    assert times(stamps, newest=whole[-1], zone=zone, year=2025, compiled=compiled) == whole


def test_lines_out_of_order_keep_their_own_time(compiled):
    chance = random.Random(5)
    whole = [int(epoch(2026, 3, 1)) + 37 * i for i in range(500)]
    mixed = sorted(whole, key=lambda t: t + chance.uniform(-300, 300))
    stamps = [dt.datetime.fromtimestamp(t, dt.UTC).strftime("%b %e %H:%M:%S").encode() for t in mixed]
    assert times(stamps, compiled=compiled) == mixed


@pytest.mark.parametrize("stamp", [b"Xyz 99 99:99:99", b"Feb 30 12:00:00", b"Sep  4 24:00:00", b"Sep  4 12:61:00"])
def test_a_stamp_that_is_none_is_as_late_as_the_line_before(stamp, compiled):
    assert times([b"Sep  4 16:59:45", stamp], compiled=compiled)[-1] == pytest.approx(epoch(2026, 9, 4, 16, 59), abs=60)


# ---- several streams


def stream(text, size=3):
    reader = Reader(Clock(NOW))
    lines = text.splitlines(keepends=True)
    for i in range(0, len(lines), size):
        yield reader.read(b"".join(lines[i : i + size]))


def one_stream_of(texts):
    twice = Twice()
    return [e for block in merge([stream(t) for t in texts], twice) for e in block], twice.dropped


LINES = [FAILED.replace(b"192.0.2.7", b"192.0.2.%d" % (i % 9 + 1)) % b"Sep  4 16:%02d:%02d" % (i // 60, i % 60) for i in range(600)]


def test_a_line_in_two_files_counts_once():
    mail, both = b"".join(LINES[::2]), b"".join(LINES)
    merged, dropped = one_stream_of([mail, both])
    assert [e.line for e in merged] == [line[:-1] for line in LINES]
    assert dropped == 300


def test_the_same_line_twice_in_one_file_counts_twice():
    text = LINES[0] * 3 + LINES[1]
    merged, dropped = one_stream_of([text, LINES[0] + LINES[1]])
    assert [e.line for e in merged].count(LINES[0][:-1]) == 3
    assert dropped == 2


def test_streams_come_in_order_of_time():
    chance = random.Random(3)
    parts = [[], [], []]
    for line in LINES:
        chance.choice(parts).append(line)
    merged, _ = one_stream_of([b"".join(p) for p in parts])
    assert [e.line for e in merged] == [line[:-1] for line in LINES]


def test_what_is_remembered_of_copies_is_bounded():
    twice = Twice()
    for i in range(50_000):
        twice.first(float(i), b"%d" % i, i % 2)
    assert len(twice.new) + len(twice.old) <= 2 * TWICE + 2
