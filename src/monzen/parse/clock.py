"""Stamps of all forms to epoch seconds UTC: years that are not written, local zones, daylight saving, stamps that cannot be.

State is what the lines before said, nothing else: the same lines give the same times, however they were cut into blocks.
"""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

from monzen.pattern import match

DAY = 86400.0
SLACK = DAY  # how far past the newest moment a stamp may lie: a clock that runs ahead, a zone that is not known
MINUTES = 4096  # remembered minutes, before all are forgotten
MONTHS = {m: i for i, m in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
NEAR = 100 * DAY  # no other year can be nearer
TAI = (1 << 62) + 10  # TAI64 label of 1970-01-01 00:00:00 UTC as daemontools writes it (cr.yp.to/libtai/tai64.html)
SIXTY = {b"%02d:" % minute: 60.0 * minute for minute in range(60)}  # `07:` to the seconds since the hour began
REPEATED = 300.0  # an hour that comes twice is in its second turn when its first lies further back than this

TRADITIONAL = match(rb"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?: (\d{4})(?= ))?")
ISO = match(rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|[+-]\d\d:?\d\d))?")
TAI64N = match(rb"@([0-9a-f]{16})([0-9a-f]{8})")


def isleap(year: int) -> bool:
    """Whether a year has 29 February. Here and below, calendar's own would import the locales."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def epoch(year: int, month: int, day: int, hour: int, minute: int) -> int:
    """Epoch of a minute, UTC. Raises ValueError for what is no date."""
    return ((dt.date(year, month, day).toordinal() - 719163) * 24 + hour) * 3600 + minute * 60  # that day was 1970-01-01


class Clock:
    """Times of one stream of lines. `newest` is the latest moment it can hold (the file's last write, or now), `zone` what
    stamps without an offset mean, `year` that of the first stamp without one (else the latest that fits)."""

    def __init__(self, newest: float, zone: dt.tzinfo = dt.UTC, year: int | None = None) -> None:
        self.newest, self.zone, self.year = newest, zone, year
        self.first = year is not None
        self.last: float | None = None
        self.minutes = _Minutes(self)
        self.seconds = _Seconds()
        self.iso_minutes = _IsoMinutes(self)
        self.zones = _Zones()
        self.clamped = 0

    def local(self, year: int, month: int, day: int, hour: int, minute: int) -> float:
        """A wall-clock minute in our zone; of a repeated hour the turn that fits what came before. 29 February of a year that
        has none is 1 March."""
        if day == 29 and month == 2 and not isleap(year):
            month, day = 3, 1
        if self.zone is dt.UTC:
            return float(epoch(year, month, day, hour, minute))
        moment = dt.datetime(year, month, day, hour, minute, tzinfo=self.zone)
        early = moment.timestamp()
        late = moment.replace(fold=1).timestamp()
        if late > early and self.last is not None and early < self.last - REPEATED:
            return late
        return early

    def repeats(self, year: int, month: int, day: int, hour: int, minute: int) -> bool:
        """Whether this wall-clock minute comes twice (or never): its time depends on the order, so it must not be remembered."""
        if self.zone is dt.UTC:
            return False
        moment = dt.datetime(year, month, day, hour, minute, tzinfo=self.zone)
        return moment.utcoffset() != moment.replace(fold=1).utcoffset()

    def whole(self, year: int, month: int, day: int, hour: int) -> bool:
        """Whether no change of the clocks touches this hour: each of its minutes is 60 seconds after the one before."""
        if self.zone is dt.UTC:
            return True
        first = dt.datetime(year, month, day, hour, tzinfo=self.zone)
        ends = (first, first.replace(fold=1), first.replace(minute=59), first.replace(minute=59, fold=1))
        return len({end.utcoffset() for end in ends}) == 1

    def minute(self, month: int, day: int, hour: int, minute: int) -> tuple[float, bool]:
        """Epoch of a minute without a year, and whether it may be remembered. The year nearest to the line before; at first the
        latest that is not in the future. Raises ValueError for what is no date."""
        if self.last is not None and self.year is not None and not (month == 2 and day == 29):
            at = self.local(self.year, month, day, hour, minute)
            if abs(at - self.last) < NEAR and at <= self.newest + SLACK:
                self.last = at
                return at, not self.repeats(self.year, month, day, hour, minute)
        if month == 2 and day == 29:
            fits = isleap
        else:

            def fits(year: int) -> bool:
                return True

        if self.year is None or (self.last is None and not self.first):
            year = dt.datetime.fromtimestamp(self.newest, dt.UTC).year + 1
            while not fits(year) or self.local(year, month, day, hour, minute) > self.newest + SLACK:
                year -= 1
            at = self.local(year, month, day, hour, minute)
        elif self.last is None:
            year = self.year
            at = self.local(year, month, day, hour, minute)
        else:
            years = [y for y in (self.year, self.year + 1, self.year - 1) if fits(y)] or [self.year]
            last = self.last
            at, year = min(((self.local(y, month, day, hour, minute), y) for y in years), key=lambda c: abs(c[0] - last))
        if at > self.newest + SLACK:
            self.clamped += 1
            return (self.newest if self.last is None else self.last), False
        if year != self.year:
            self.minutes.clear()
        self.year, self.last = year, at
        return at, not self.repeats(year, month, min(day, 28) if month == 2 else day, hour, minute)

    def believed(self, at: float) -> float:
        """A stamp with a year: itself, or where it lies in the future the latest believed one."""
        if at > self.newest + SLACK:
            self.clamped += 1
            return self.newest if self.last is None else self.last
        self.last = at
        return at

    def of(self, stamp: bytes) -> float | None:
        """The time of a stamp of any form, None where there is none."""
        try:
            m = TRADITIONAL(stamp)
            if m is not None:
                month, year = MONTHS[m[1]], m[3] or m[8]
                parts = (month, int(m[2]), int(m[4]), int(m[5]))
                dt.datetime(2000, *parts)  # raises where it is no date in any year
                rest = int(m[6]) + float(m[7] or 0)
                if year:
                    return self.believed(self.local(int(year), *parts)) + rest
                return self.minute(*parts)[0] + rest
            m = ISO(stamp)
            if m is not None:
                rest = int(m[6] or 0) + float(b"0." + (m[7] or b"0"))
                whole = [int(x) for x in m.groups()[:5]]
                dt.datetime(*whole)  # type: ignore[arg-type]  # five ints; raises where it is no date
                if m[8]:
                    return self.believed(epoch(*whole) + self.zones[m[8]]) + rest
                return self.believed(self.local(*whole)) + rest
            m = TAI64N(stamp)
            if m is not None:
                return self.believed(float(int(m[1], 16) - TAI)) + int(m[2], 16) / 1e9
        except (ValueError, KeyError, OverflowError):
            return None
        return None


class _Minutes(dict[bytes, float]):
    """`Sep  4 16:59:` to the epoch of that minute."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.since = 0.0  # the first that is remembered: a year later the same text is another minute
        self.hour, self.year, self.begins = b"", 0, 0.0  # the last hour all of whose minutes are told from its first, and its year

    def __missing__(self, text: bytes) -> float:
        clock = self.clock
        minute = SIXTY.get(text[10:])
        if minute is not None and text[:10] == self.hour and clock.year == self.year and clock.last is not None:
            at = self.begins + minute
            keep = abs(at - clock.last) < NEAR and at <= clock.newest + SLACK
            if keep:
                clock.last = at
        else:
            keep = False
        if not keep:
            at, keep = self._asked(text)
        if len(self) >= MINUTES or abs(at - self.since) > NEAR:
            self.clear()
            self.since = at
        if keep:
            self[text] = at
        return at

    def _asked(self, text: bytes) -> tuple[float, bool]:
        """What the clock says of a minute, and whether it may be remembered."""
        clock = self.clock
        month, day, hour, minute = MONTHS[text[:3]], int(text[4:6]), int(text[7:9]), int(text[10:12])
        dt.datetime(2000, month, day, hour, minute)  # raises where it is no date
        at, keep = clock.minute(month, day, hour, minute)
        if keep and clock.year is not None and (month, day) != (2, 29) and clock.whole(clock.year, month, day, hour):
            self.hour, self.year, self.begins = text[:10], clock.year, at - 60 * minute
        return at, keep


class _Seconds(dict[bytes, float]):
    """`45` to 45.0."""

    def __missing__(self, text: bytes) -> float:
        if not text.isdigit():  # int() would take blanks and signs
            raise ValueError(text)
        value = float(int(text))
        if len(text) == 2 and len(self) < 100:
            self[text] = value
        return value


class _IsoMinutes(dict[bytes, float]):
    """`2026-09-04T16:59` to the epoch of that minute, were it UTC."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.hour, self.begins = b"", 0.0  # the last one that was a date, and its epoch

    def __missing__(self, text: bytes) -> float:
        if len(self) >= MINUTES:
            self.clear()
        minute = SIXTY.get(text[14:] + b":")
        if minute is None or text[:14] != self.hour:
            whole = (int(text[:4]), int(text[5:7]), int(text[8:10]), int(text[11:13]), int(text[14:16]))
            dt.datetime(*whole)  # raises where it is no date
            minute = 60.0 * whole[4]
            self.hour, self.begins = text[:14], float(epoch(*whole)) - minute
        at = self.begins + minute
        if at > self.clock.newest + SLACK + DAY:  # the offset, up to 14 hours, is not taken off yet
            return self.clock.believed(at)
        self.clock.last = at
        self[text] = at
        return at


class _Zones(dict[bytes, float]):
    """`+09:00` to what must be added to get UTC: -32400.0."""

    def __missing__(self, text: bytes) -> float:
        if text in (b"Z", b"z"):
            value = 0.0
        else:
            digits = text[1:].replace(b":", b"")
            hours, minutes = int(digits[:2]), int(digits[2:4])
            if len(digits) != 4 or hours > 15 or minutes > 59:
                raise ValueError(text)
            value = -60.0 * (hours * 60 + minutes)
            if text[:1] == b"-":
                value = -value
        if len(self) < 256:
            self[text] = value
        return value


def first_year(stamps: list[tuple[int, int]], newest: float) -> int | None:
    """The year of the first of some (month, day) that were sampled in file order, the last of them no later than `newest`.

    For a file that spans more than one New Year. None where a year cannot be told (no samples).
    """
    if not stamps:
        return None
    # +1 where a New Year lies between two neighbours, -1 where a line of the old year stands behind one of the new
    turns = [(back > 183) - (back < -183) for back in ((m - n) * 31 + d - e for (m, d), (n, e) in pairwise(stamps))]
    limit = dt.datetime.fromtimestamp(newest + SLACK, dt.UTC)
    month, day = stamps[-1]
    year = limit.year if (month, day) <= (limit.month, limit.day) else limit.year - 1
    year -= sum(turns)
    for at, (month, day) in enumerate(stamps):
        if (month, day) == (2, 29):  # a leap day says which years it can be
            before = sum(turns[:at])
            while not isleap(year + before):
                year -= 1
            break
    return year
