"""Times: years that are not written, zones, daylight saving at both ends, stamps that run backwards or cannot be."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.clock import MINUTES, SLACK, Clock, first_year

ZURICH, NEW_YORK, TOKYO = ZoneInfo("Europe/Zurich"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
FAR = float("inf")


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def traditional(moment):
    """`Sep  4 16:59:45` of a moment in its own zone."""
    return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}".encode()


def times(stamps, *, newest, zone=dt.UTC, year=None):
    """The times of some stamps of one file, as the reader asks for them: remembered minutes first."""
    clock = Clock(newest, zone, year)
    found = []
    for stamp in stamps:
        try:
            found.append(clock.minutes[stamp[:13]] + clock.seconds[stamp[13:15]] if len(stamp) == 15 else clock.of(stamp))
        except (KeyError, ValueError):
            found.append(clock.of(stamp))
    return found


def single(stamp, *, newest=1_795_608_000.0, zone=dt.UTC, year=None):
    return Clock(newest, zone, year).of(stamp)


# ---- the forms of stamps


@pytest.mark.parametrize(
    ("stamp", "wanted"),
    [
        (b"Sep  4 16:59:45", "2026-09-04T16:59:45"),
        (b"Sep 04 16:59:45", "2026-09-04T16:59:45"),
        (b"Sep 4 16:59:45", "2026-09-04T16:59:45"),
        (b"Sep 14 16:59:45.123", "2026-09-14T16:59:45.123"),
        (b"Sep  4 2025 16:59:45", "2025-09-04T16:59:45"),
        (b"Sep  4 16:59:45 2025 ", "2025-09-04T16:59:45"),
        (b"2026-09-04T16:59:45Z", "2026-09-04T16:59:45"),
        (b"2026-09-04T16:59:45+09:00", "2026-09-04T07:59:45"),
        (b"2026-09-04T16:59:45-0330", "2026-09-04T20:29:45"),
        (b"2026-09-04T16:59:45.123456+00:00", "2026-09-04T16:59:45.123456"),
        (b"2026-09-04T16:59:45,123Z", "2026-09-04T16:59:45.123"),
        (b"2026-09-04 16:59:45", "2026-09-04T16:59:45"),
        (b"2026-09-04 16:59", "2026-09-04T16:59:00"),
        (b"2026-09-04 16:59:45 +0200", "2026-09-04T14:59:45"),
        (b"2026-09-04T00:30:00+14:00", "2026-09-03T10:30:00"),
        (b"2026-09-04T23:30:00-12:00", "2026-09-05T11:30:00"),
        (b"@400000004c91b044077a9e94", "2010-09-16T05:50:50.125476500"),  # daemontools: ten seconds ahead of UTC, and leap seconds are not kept
    ],
)
def test_forms(stamp, wanted):
    whole, _, fraction = wanted.partition(".")
    assert single(stamp) == pytest.approx(utc(whole) + float("0." + (fraction or "0")), abs=1e-6)


@pytest.mark.parametrize(
    "stamp",
    [b"", b"x", b"Sep 31 16:59:45", b"Sep  0 16:59:45", b"Xyz  4 16:59:45", b"Sep  4 24:59:45", b"Sep  4 16:60:45", b"2026-13-04T16:59:45Z",
     b"2026-02-29T16:59:45Z", b"2026-09-04T24:00:00Z", b"2026-09-04T16:59:45+99:99", b"0000-09-04T16:59:45Z", b"@4000", b"@400000004c91b044", b"\xff\0"],
)
def test_what_is_no_stamp(stamp):
    assert single(stamp) is None


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_never_raises(stamp):
    for zone in (dt.UTC, ZURICH):
        single(stamp, zone=zone)


@settings(deadline=None)
@given(st.text(alphabet="0123456789-:T .+Z@abcdefSep", max_size=36), st.integers(0, 2**33))
def test_never_later_than_newest(stamp, newest):
    at = single(stamp.encode(), newest=float(newest), zone=NEW_YORK)
    assert at is None or at <= newest + SLACK + 120


# ---- years that are not written


def test_the_latest_year_that_is_not_in_the_future():
    assert single(b"Nov 25 11:59:00") == utc("2026-11-25T11:59:00")
    assert single(b"Nov 25 18:00:00") == utc("2026-11-25T18:00:00")  # a clock that runs ahead, a zone that is not known
    assert single(b"Nov 28 00:00:00") == utc("2025-11-28T00:00:00")
    assert single(b"Dec 31 23:59:59", newest=utc("2026-01-01T00:00:05")) == utc("2025-12-31T23:59:59")
    assert single(b"Jan  1 00:00:01", newest=utc("2025-12-31T23:59:58")) == utc("2026-01-01T00:00:01")


def test_new_year():
    stamps = [b"Dec 31 23:59:58", b"Dec 31 23:59:59", b"Jan  1 00:00:00", b"Jan  1 00:00:01", b"Jan  2 00:00:00"]
    wanted = [utc(f"{t}") for t in ("2025-12-31T23:59:58", "2025-12-31T23:59:59", "2026-01-01T00:00:00", "2026-01-01T00:00:01", "2026-01-02T00:00:00")]
    assert times(stamps, newest=utc("2026-01-02T00:00:00")) == wanted
    assert times(stamps, newest=FAR, year=2025) == wanted
    year = first_year([(12, 31), (1, 2)], utc("2026-01-02T00:00:00"))
    assert times(stamps, newest=utc("2026-01-02T00:00:00"), year=year) == wanted


def test_new_year_and_back():
    """Lines out of order around midnight of the New Year: each in its own year."""
    stamps = [b"Dec 31 23:59:59", b"Jan  1 00:00:00", b"Dec 31 23:59:58", b"Jan  1 00:00:02", b"Dec 31 23:59:57", b"Jan  1 00:01:00"]
    wanted = [utc("2025-12-31T23:59:59"), utc("2026-01-01T00:00:00"), utc("2025-12-31T23:59:58"), utc("2026-01-01T00:00:02")]
    wanted += [utc("2025-12-31T23:59:57"), utc("2026-01-01T00:01:00")]
    assert times(stamps, newest=FAR, year=2025) == wanted
    assert times(stamps, newest=utc("2026-01-01T00:01:00"), year=first_year([(12, 31), (1, 1), (12, 31), (1, 1)], utc("2026-01-01T00:01:00"))) == wanted


def test_a_log_of_a_week_written_years_ago():
    """A file that was copied long after it was written is read as the last year that fits; --year says which it was."""
    stamps = [b"Dec 30 12:00:00", b"Jan  3 12:00:00"]
    assert times(stamps, newest=FAR, year=2014) == [utc("2014-12-30T12:00:00"), utc("2015-01-03T12:00:00")]


def test_the_leap_day():
    assert single(b"Feb 29 12:00:00") == utc("2024-02-29T12:00:00")
    assert single(b"Feb 29 12:00:00", newest=utc("2028-03-01T00:00:00")) == utc("2028-02-29T12:00:00")
    stamps = [b"Feb 28 23:59:59", b"Feb 29 00:00:00", b"Feb 29 23:59:59", b"Mar  1 00:00:00"]
    wanted = [utc(f"2024-{t}") for t in ("02-28T23:59:59", "02-29T00:00:00", "02-29T23:59:59", "03-01T00:00:00")]
    assert times(stamps, newest=utc("2024-03-01T00:00:00")) == wanted
    # told from the samples: the file was touched two years later
    year = first_year([(2, 28), (2, 29), (3, 1)], utc("2026-03-01T00:00:00"))
    assert year == 2024
    assert times(stamps, newest=utc("2026-03-01T00:00:00"), year=year) == wanted


def test_the_leap_day_says_which_year_it_is():
    """--year 2025, and then a line of 29 February: the year was wrong, and from there on the lines are in the one before it."""
    first, leap, last = times([b"Feb 28 12:00:00", b"Feb 29 12:00:00", b"Mar  1 12:00:00"], newest=FAR, year=2025)
    assert (first, leap, last) == (utc("2025-02-28T12:00:00"), utc("2024-02-29T12:00:00"), utc("2024-03-01T12:00:00"))
    assert times([b"Feb 28 12:00:00", b"Feb 29 12:00:00"], newest=FAR, year=2022) == [utc("2022-02-28T12:00:00"), utc("2022-03-01T12:00:00")]


def test_a_file_out_of_order():
    stamps = [b"Sep  4 12:00:00", b"Sep  3 12:00:00", b"Sep  4 12:00:01", b"Aug 20 12:00:00", b"Sep  4 12:00:02"]
    wanted = [utc(f"2026-{t}") for t in ("09-04T12:00:00", "09-03T12:00:00", "09-04T12:00:01", "08-20T12:00:00", "09-04T12:00:02")]
    assert times(stamps, newest=utc("2026-09-04T12:00:02")) == wanted


@pytest.mark.parametrize("years", [1, 2, 3, 5])
def test_several_years_in_one_file(years):
    """A line a day over several New Years; the first year is told from samples."""
    begin = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC) - dt.timedelta(days=365 * years)
    days = [begin + dt.timedelta(days=i) for i in range(365 * years + 1)]
    year = first_year([(d.month, d.day) for d in days[::30]] + [(days[-1].month, days[-1].day)], days[-1].timestamp())
    assert year == begin.year
    assert times([traditional(d) for d in days], newest=days[-1].timestamp(), year=year) == [d.timestamp() for d in days]


def test_a_quiet_half_year():
    """A file whose neighbours lie months apart: forwards, as long as samples and file say so."""
    moments = [dt.datetime(2024, 11, 1, tzinfo=dt.UTC), dt.datetime(2025, 3, 1, tzinfo=dt.UTC), dt.datetime(2025, 8, 1, tzinfo=dt.UTC), dt.datetime(2025, 12, 1, tzinfo=dt.UTC)]
    newest = moments[-1].timestamp()
    year = first_year([(m.month, m.day) for m in moments], newest)
    assert times([traditional(m) for m in moments], newest=newest, year=year) == [m.timestamp() for m in moments]


@pytest.mark.parametrize(
    ("stamps", "newest", "year"),
    [
        ([], "2026-09-04", None),
        ([(9, 4)], "2026-09-04", 2026),
        ([(9, 5)], "2026-09-04", 2026),  # a day of slack
        ([(9, 6)], "2026-09-04", 2025),
        ([(12, 30), (1, 2)], "2026-09-04", 2025),
        ([(12, 30), (1, 2), (12, 31), (1, 1)], "2026-01-05", 2025),
        ([(5, 1), (10, 1), (2, 1), (7, 1), (12, 1), (1, 2)], "2026-01-05", 2024),
        ([(2, 29)], "2026-01-05", 2024),
        ([(2, 29), (5, 1)], "2023-06-05", 2020),
        ([(12, 30), (2, 29)], "2026-06-05", 2023),
    ],
)
def test_first_year(stamps, newest, year):
    assert first_year(stamps, utc(newest + "T12:00:00")) == year


# ---- stamps in the future


def test_a_stamp_in_the_future_is_not_believed():
    newest = utc("2026-09-04T12:00:00")
    clock = Clock(newest)
    assert clock.of(b"2026-09-04T11:00:00Z") == utc("2026-09-04T11:00:00")
    assert clock.of(b"2031-09-04T11:00:00Z") == utc("2026-09-04T11:00:00")
    assert clock.of(b"2026-09-04T11:00:05Z") == utc("2026-09-04T11:00:05")
    assert clock.clamped == 1
    assert Clock(newest).of(b"2031-09-04T11:00:00Z") == newest
    assert Clock(newest).of(b"@500000004c91b044077a9e94") == pytest.approx(newest, abs=1)
    clock = Clock(newest)
    assert clock.iso_minutes[b"2031-09-04T11:00"] == newest
    assert clock.iso_minutes[b"2026-09-04T11:00"] == utc("2026-09-04T11:00:00")


def test_a_stamp_in_the_future_does_not_drag_the_year_along():
    """One stamp of another year (a server that starts without a clock: 1970, or 2036) changes nothing for the lines after it."""
    stamps = [b"Sep  4 11:00:00", b"2036-02-07T06:28:15Z", b"Sep  4 11:00:01", b"1970-01-01T00:00:05Z", b"Sep  4 11:00:02"]
    found = times(stamps, newest=utc("2026-09-04T12:00:00"))
    assert (found[0], found[2]) == (utc("2026-09-04T11:00:00"), utc("2026-09-04T11:00:01"))
    assert found[3] == 5.0
    assert found[4] == utc("2026-09-04T11:00:02")


def test_a_start_without_a_clock():
    """Jan  1 after a power cut, and then the time server answers: the lines after it are in the year they were in."""
    stamps = [b"Sep  4 11:00:00", b"Jan  1 00:00:05", b"Jan  1 00:00:09", b"Sep  4 11:30:00", b"Sep  5 00:00:00"]
    found = times(stamps, newest=utc("2026-09-05T12:00:00"))
    assert (found[0], found[3], found[4]) == (utc("2026-09-04T11:00:00"), utc("2026-09-04T11:30:00"), utc("2026-09-05T00:00:00"))


# ---- daylight saving


def hourly(zone, begin, hours, step=3600):
    """Stamps without offset of a line every `step` seconds, and their true times."""
    start = dt.datetime.fromisoformat(begin).replace(tzinfo=dt.UTC).timestamp()
    true = [start + i * step for i in range(int(hours * 3600 / step))]
    return [traditional(dt.datetime.fromtimestamp(t, zone)) for t in true], true


CHANGES = [
    (ZURICH, "2026-03-28T20:00:00"),
    (ZURICH, "2026-10-24T20:00:00"),
    (NEW_YORK, "2026-03-08T02:00:00"),
    (NEW_YORK, "2026-11-01T02:00:00"),
    (ZoneInfo("Australia/Lord_Howe"), "2026-04-04T10:00:00"),  # half an hour
    (ZoneInfo("America/Santiago"), "2026-04-04T20:00:00"),  # at midnight
    (TOKYO, "2026-10-24T20:00:00"),
    (dt.UTC, "2026-10-24T20:00:00"),
    (dt.timezone(dt.timedelta(hours=-3, minutes=-30)), "2026-10-24T20:00:00"),
]


OFTEN = [(z, b, s) for z, b in CHANGES for s in (3000, 1801, 601, 60, 17) if s < 1500 or "Lord_Howe" not in str(z)]


@pytest.mark.parametrize(("zone", "begin", "step"), OFTEN, ids=[f"{z} {b[:10]} {s}" for z, b, s in OFTEN])
def test_through_the_change(zone, begin, step):
    """A log that speaks more often than the clock is set back has the right time before, in, between and after both turns of the hour."""
    stamps, true = hourly(zone, begin, 12, step)
    assert times(stamps, newest=true[-1], zone=zone) == true
    assert times(stamps, newest=FAR, zone=zone, year=2026) == true


@pytest.mark.parametrize("minute", [0, 1800, 3599])
@pytest.mark.parametrize(("zone", "begin"), CHANGES, ids=[f"{z} {b[:10]}" for z, b in CHANGES])
def test_a_line_an_hour_through_the_change(zone, begin, minute):
    """02:00:00 and an hour later 02:00:00 cannot be told from two lines of one second: that one line is an hour early, no other is wrong."""
    stamps, true = hourly(zone, begin, 12)
    stamps, true = [traditional(dt.datetime.fromtimestamp(t + minute, zone)) for t in true], [t + minute for t in true]
    found = times(stamps, newest=true[-1], zone=zone)
    off = [want - got for got, want in zip(found, true, strict=True) if got != want]
    assert off in ([], [3600.0], [1800.0])
    assert found == sorted(found)


def test_an_hour_that_does_not_exist():
    """02:30 in the night of the change: somebody's clock was not told. Nothing breaks, and it is within the hour."""
    found = times([b"Mar 29 01:59:00", b"Mar 29 02:30:00", b"Mar 29 03:01:00"], newest=utc("2026-04-01T00:00:00"), zone=ZURICH)
    assert found[0] == utc("2026-03-29T00:59:00")
    assert abs(found[1] - utc("2026-03-29T01:00:00")) <= 3600
    assert found[2] == utc("2026-03-29T01:01:00")


def test_an_hour_that_comes_twice_is_not_remembered():
    """The same minute in both turns: 02:30 and, an hour later, 02:30."""
    stamps = [b"Oct 25 02:30:00", b"Oct 25 02:59:00", b"Oct 25 02:00:00", b"Oct 25 02:30:00", b"Oct 25 03:00:00"]
    wanted = [utc(f"2026-10-25T{t}") for t in ("00:30:00", "00:59:00", "01:00:00", "01:30:00", "02:00:00")]
    assert times(stamps, newest=utc("2026-10-26T00:00:00"), zone=ZURICH) == wanted


def test_small_disorder_in_the_hour_that_comes_twice():
    """Two programs that write within seconds of each other, out of order, do not jump an hour ahead."""
    stamps = [b"Oct 25 02:10:05", b"Oct 25 02:10:03", b"Oct 25 02:10:06", b"Oct 25 02:09:59", b"Oct 25 02:10:07"]
    found = times(stamps, newest=utc("2026-10-26T00:00:00"), zone=ZURICH)
    assert found == [utc(f"2026-10-25T00:{t}") for t in ("10:05", "10:03", "10:06", "09:59", "10:07")]


def test_stamps_with_an_offset_need_no_guess():
    stamps = [b"2026-10-25T02:30:00+02:00", b"2026-10-25T02:30:00+01:00"]
    assert times(stamps, newest=FAR, zone=ZURICH) == [utc("2026-10-25T00:30:00"), utc("2026-10-25T01:30:00")]


@pytest.mark.parametrize("zone", [ZURICH, NEW_YORK, TOKYO, dt.UTC], ids=str)
@settings(deadline=None)
@given(begin=st.integers(1_600_000_000, 1_800_000_000), gaps=st.lists(st.integers(0, 3000), max_size=30))
def test_any_log_without_long_silence_has_its_own_times(zone, begin, gaps):
    true = [float(begin)]
    for gap in gaps:
        true.append(true[-1] + gap)
    local = dt.datetime.fromtimestamp(true[0], zone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return  # of a log that begins in the hour that comes twice nobody can know the turn
    stamps = [traditional(dt.datetime.fromtimestamp(t, zone)) for t in true]
    assert times(stamps, newest=true[-1], zone=zone, year=local.year) == true
    assert times(stamps, newest=true[-1], zone=zone) == true


# ---- caches


def test_caches_are_bounded_and_change_nothing():
    true = [utc("2026-01-01T00:00:00") + 60.0 * i for i in range(MINUTES + 500)]
    stamps = [traditional(dt.datetime.fromtimestamp(t, dt.UTC)) for t in true]
    clock = Clock(true[-1], dt.UTC, 2026)
    assert [clock.minutes[s[:13]] for s in stamps] == true
    assert len(clock.minutes) <= MINUTES
    for i in range(1000):
        with pytest.raises((ValueError, KeyError)):
            clock.seconds[b"x%d" % i]
        with pytest.raises((ValueError, KeyError)):
            clock.minutes[b"Xyz %2d 00:00:" % (i % 28)]
    assert len(clock.seconds) <= 100
    for i in range(MINUTES + 10):
        clock.iso_minutes[dt.datetime.fromtimestamp(true[0] - 60 * i, dt.UTC).strftime("%Y-%m-%dT%H:%M").encode()]
    assert len(clock.iso_minutes) <= MINUTES


def test_remembered_minutes_follow_the_year():
    """The same words a year apart are other times."""
    stamps = [b"Dec 31 12:00:00", b"Jan  1 12:00:00", b"May  1 12:00:00", b"Sep  1 12:00:00", b"Dec 31 12:00:00", b"Jan  1 12:00:00"]
    wanted = [utc(f"{t}T12:00:00") for t in ("2024-12-31", "2025-01-01", "2025-05-01", "2025-09-01", "2025-12-31", "2026-01-01")]
    assert times(stamps, newest=FAR, year=2024) == wanted


@given(
    st.sampled_from((dt.UTC, ZURICH, NEW_YORK, ZoneInfo("Australia/Lord_Howe"))),
    st.integers(1_711_800_000, 1_730_700_000),
    st.lists(st.sampled_from((0, 60, 61, 300, 3600, -60, -400, 86400, -86400 * 90, 86400 * 200)), max_size=40),
    st.sampled_from((FAR, 1_720_000_000.0)),
)
def test_a_minute_told_from_its_hour_is_that_of_the_calendar(zone, start, steps, newest):
    quick, slow = Clock(newest, zone, 2024), Clock(newest, zone, 2024)
    for step in steps:
        start += step
        stamp = traditional(dt.datetime.fromtimestamp(start, zone))[:13]
        slow.minutes.hour = slow.iso_minutes.hour = b""
        assert quick.minutes[stamp] == slow.minutes[stamp]
        iso = f"{dt.datetime.fromtimestamp(start, dt.UTC):%Y-%m-%dT%H:%M}".encode()
        assert quick.iso_minutes[iso] == slow.iso_minutes[iso]
        assert (quick.last, quick.year, quick.clamped, quick.minutes) == (slow.last, slow.year, slow.clamped, slow.minutes)
