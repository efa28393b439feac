"""Stamps to times, by themselves: what the reader's tests do not ask of blocks."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.clock import SLACK, Clock, first_year


def epoch(*when, zone=dt.UTC, fold=0):
    return dt.datetime(*when, tzinfo=zone, fold=fold).timestamp()


NOW = epoch(2026, 11, 25, 12)


def of(*stamps, newest=NOW, zone=dt.UTC, year=None):
    clock = Clock(newest, zone, year)
    return [clock.of(s) for s in stamps]


@pytest.mark.parametrize(
    ("stamp", "want"),
    [
        (b"Sep  4 16:59:45", epoch(2026, 9, 4, 16, 59, 45)),
        (b"Sep 04 16:59:45.5", epoch(2026, 9, 4, 16, 59, 45) + 0.5),
        (b"Sep  4 2019 16:59:45", epoch(2019, 9, 4, 16, 59, 45)),
        (b"Sep  4 16:59:45 2019 ", epoch(2019, 9, 4, 16, 59, 45)),
        (b"2026-09-04T16:59:45.123456+09:00", epoch(2026, 9, 4, 7, 59, 45) + 0.123456),
        (b"2026-09-04T16:59:45-0330", epoch(2026, 9, 4, 20, 29, 45)),
        (b"2026-09-04 16:59:45,5", epoch(2026, 9, 4, 16, 59, 45) + 0.5),
        (b"2026-09-04 16:59", epoch(2026, 9, 4, 16, 59)),
        (b"@400000003b9aca0a00000000", 1_000_000_000.0),  # TAI64: 2^62 + 10 + the epoch (daemontools)
        (b"@400000003b9aca0a1dcd6500", 1_000_000_000.5),
    ],
)
def test_forms(stamp, want):
    assert of(stamp) == [pytest.approx(want, abs=1e-6)]


@pytest.mark.parametrize(
    "stamp",
    [b"", b"x", b"Xyz  4 16:59:45", b"Sep 31 16:59:45", b"Feb 30 00:00:00", b"Sep  4 24:00:00", b"Sep  4 23:60:00", b"2026-02-29T00:00:00Z", b"2026-13-01T00:00:00Z", b"0000-01-01T00:00:00Z"],
)
def test_what_is_no_stamp(stamp):
    assert of(stamp) == [None]


def test_new_year_both_ways():
    newest = epoch(2027, 1, 2)
    assert of(b"Dec 31 23:59:59", b"Jan  1 00:00:01", newest=newest) == [epoch(2026, 12, 31, 23, 59, 59), epoch(2027, 1, 1, 0, 0, 1)]
    assert of(b"Jan  1 00:00:01", b"Dec 31 23:59:59", b"Jan  1 00:00:02", newest=newest) == [
        epoch(2027, 1, 1, 0, 0, 1), epoch(2026, 12, 31, 23, 59, 59), epoch(2027, 1, 1, 0, 0, 2)
    ]


def test_leap_days():
    assert of(b"Feb 28 12:00:00", b"Feb 29 12:00:00", b"Mar  1 12:00:00", year=2024) == [epoch(2024, 2, 28, 12), epoch(2024, 2, 29, 12), epoch(2024, 3, 1, 12)]
    assert of(b"Feb 29 12:00:00", b"Mar  1 12:00:00") == [epoch(2024, 2, 29, 12), epoch(2024, 3, 1, 12)]  # the latest that has one
    assert of(b"Feb 29 12:00:00", year=2023, newest=epoch(2023, 12, 1)) == [epoch(2023, 3, 1, 12)]  # said by the user, though wrong


def test_the_future_is_not_believed():
    clock = Clock(NOW)
    good = clock.of(b"2026-11-25T11:00:00Z")
    assert clock.of(b"2027-11-25T11:00:00Z") == pytest.approx(good, abs=60)
    assert clock.of(b"2026-11-26T11:00:00Z") == epoch(2026, 11, 26, 11)  # within a day: a zone that is not known
    assert clock.clamped == 1
    assert of(b"2099-01-01T00:00:00Z") == [NOW]
    assert of(b"@7fffffffffffffff00000000") == [NOW]


@pytest.mark.parametrize("name", ["Europe/Zurich", "America/New_York"])
def test_both_ends_of_daylight_saving(name):
    zone = ZoneInfo(name)
    ends = [t for t in range(int(epoch(2025, 9, 1)), int(epoch(2026, 9, 1)), 3600) if dt.datetime.fromtimestamp(t - 1, zone).utcoffset() != dt.datetime.fromtimestamp(t, zone).utcoffset()]
    assert len(ends) == 2
    for end in ends:
        whole = list(range(end - 7200, end + 7200, 30))
        stamps = [dt.datetime.fromtimestamp(t, zone).strftime("%b %e %H:%M:%S").encode() for t in whole]
        assert of(*stamps, newest=float(whole[-1]), zone=zone) == whole


def test_an_hour_that_does_not_exist_and_one_that_comes_twice():
    zone = ZoneInfo("Europe/Zurich")
    (at,) = of(b"Mar 29 02:30:00", zone=zone)
    assert at in (epoch(2026, 3, 29, 0, 30), epoch(2026, 3, 29, 1, 30))
    first, again = of(b"Oct 25 02:50:00", b"Oct 25 02:10:00", zone=zone)
    assert (first, again) == (epoch(2026, 10, 25, 0, 50), epoch(2026, 10, 25, 1, 10))


# ---- the first year of a set


def days(begin, end, step=30):
    return [((begin + dt.timedelta(d)).month, (begin + dt.timedelta(d)).day) for d in range(0, (end - begin).days, step)]


@pytest.mark.parametrize("span", [0, 1, 2, 5])
def test_over_several_years(span):
    begin, end = dt.date(2026 - span, 3, 5), dt.date(2026, 11, 25)
    assert first_year(days(begin, end), NOW) == begin.year
    assert first_year(days(begin, end, 7), NOW) == begin.year


def test_a_set_that_cannot_be_told():
    assert first_year([], NOW) is None


def test_an_old_line_after_new_year():
    newest = epoch(2027, 1, 3)
    assert first_year([(12, 30), (1, 1), (12, 31), (1, 2)], newest) == 2026
    assert first_year([(12, 30), (12, 31)], newest) == 2026
    assert first_year([(2, 28), (2, 29), (3, 1)], newest) == 2024


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dates(dt.date(2015, 1, 1), dt.date(2026, 11, 20)), min_size=1, max_size=40))
def test_samples_no_further_than_five_months_apart(dates):
    dates = sorted(dates)
    if any((b - a).days > 150 for a, b in pairwise(dates)) or (dt.date(2026, 11, 25) - dates[-1]).days > 150:
        return
    assert first_year([(d.month, d.day) for d in dates], NOW) == dates[0].year


# ---- laws


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.from_regex(rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", fullmatch=True), st.from_regex(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", fullmatch=True)), max_size=10))
def test_never_raises_and_never_beyond(stamps):
    for at in of(*stamps, zone=ZoneInfo("Europe/Zurich")):
        assert at is None or at <= NOW + SLACK + 100
