"""Names of rotated logs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.sources import Source
from monzen.sources.plan import _oldest_first
from monzen.sources.rotation import age


@pytest.mark.parametrize(
    ("name", "stem", "date", "number"),
    [
        ("mail.log", "mail.log", "", -1),
        ("mail.log.gz", "mail.log", "", -1),
        ("mail.log.1", "mail.log", "", 1),
        ("mail.log.1.xz", "mail.log", "", 1),
        ("mail.log.52.gz", "mail.log", "", 52),
        ("maillog.0.bz2", "maillog", "", 0),
        ("syslog.7.zst", "syslog", "", 7),
        ("mail.log-20260904", "mail.log", "20260904", -1),
        ("mail.log-20260904.gz", "mail.log", "20260904", -1),
        ("mail.log.20260904", "mail.log", "20260904", -1),
        ("mail.log-2026-09-04.gz", "mail.log", "20260904", -1),
        ("mail.log-2026090416", "mail.log", "2026090416", -1),
        ("mail.log-20260904T165945", "mail.log", "20260904165945", -1),
        ("mail.log-20260904-1788533985.xz", "mail.log", "202609041788533985", -1),
        ("mail.log-1725436800", "mail.log", "20240904080000", -1),
        ("mail.log-20260904.2", "mail.log", "20260904", 2),
        ("mail.log-202609", "mail.log", "202609", -1),
        ("mail.log-2026", "mail.log", "2026", -1),
        ("mail-20260904.log.gz", "mail.log", "20260904", -1),
        # no rotation
        ("mail.log-20261399", "mail.log-20261399", "", -1),
        ("mail.log.old", "mail.log.old", "", -1),
        ("192.0.2.1", "192.0.2.1", "", -1),
        ("192.0.2.1.1", "192.0.2.1", "", 1),
        ("server-192.0.2.1", "server-192.0.2.1", "", -1),
        ("20260904.log", "20260904.log", "", -1),
        (".1", ".1", "", -1),
        (".gz", "", "", -1),
        ("", "", "", -1),
    ],
)
def test_age(name: str, stem: str, date: str, number: int) -> None:
    assert age(name) == (stem, date, number)


names = st.one_of(
    st.just(""),
    st.integers(0, 30).map(".{}".format),
    st.integers(0, 30).map(".{}.gz".format),
    st.dates().filter(lambda d: 1900 <= d.year < 2100).map("-{:%Y%m%d}".format),
    st.dates().filter(lambda d: 1900 <= d.year < 2100).map("-{:%Y%m%d}.xz".format),
)
# Not on disk: such twins are both kept, which is not what is tested here.
sets = st.lists(st.tuples(names, st.floats(1e9, 2e9)), min_size=1, max_size=12, unique_by=lambda pair: pair[0])


def made(files: list[tuple[str, float]]) -> list[Source]:
    return [Source(f"/nowhere/mail.log{name}", "/nowhere/mail.log", mtime, 0, "plain") for name, mtime in files]


@given(sets, st.randoms())
def test_the_order_is_total_and_that_of_the_names(files: list[tuple[str, float]], random: st.DrawFn) -> None:
    ordered = _oldest_first(made(files))
    random.shuffle(files)  # type: ignore[attr-defined]  # a random.Random
    assert _oldest_first(made(files)) == ordered
    ages = [age(source.path) for source in ordered]
    dates = [a.date for a in ages if a.date]
    numbers = [a.number for a in ages if a.number >= 0]
    assert dates == sorted(dates)
    assert numbers == sorted(numbers, reverse=True)
    assert all(a.date or a.number >= 0 for a in ages[:-1]) or not any(s.path == "/nowhere/mail.log" for s in ordered[:-1])
    # dated and numbered ones do not alternate
    kinds = [bool(a.date) for a in ages if a.date or a.number >= 0]
    assert sum(a != b for a, b in pairwise(kinds)) <= 1
