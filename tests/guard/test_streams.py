"""A source as events: where its reader stands, and a clock that is not ours."""

import datetime as dt

import pytest

from monzen.guard import streams as module
from monzen.guard.streams import LogStream

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC).timestamp()


class Follower:
    """Blocks that are given to it."""

    def __init__(self, behind=b""):
        self.blocks, self.behind, self.mtime = [], behind, NOW
        self.words, self.skipped, self.position, self.caught_up = [], 0, 0, False

    def take(self, most):
        block = self.blocks.pop(0) if self.blocks else b""
        self.position += len(block)
        self.caught_up = not self.blocks
        return block


def line(at, text="warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x", form="%Y-%m-%dT%H:%M:%S.%f+00:00"):
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):{form}} mail postfix/smtpd[9]: {text}\n".encode()


def live(stream, count, late, form="%Y-%m-%dT%H:%M:%S.%f+00:00", start=NOW):
    """Blocks of one line each, so late; the times of their events, less when each came."""
    out = []
    for number in range(count):
        now = start + 10.0 * number
        stream.follower.blocks.append(line(now - (late(number) if callable(late) else late), form=form))
        (event,) = stream.turn(now)
        out.append(round(event.time - now, 1))
    return out


def caught_up():
    stream = LogStream("mail.log", Follower(), dt.UTC)
    assert stream.turn(NOW) is None
    assert stream.caught_up
    return stream


@pytest.mark.parametrize("late", [9 * 3600.0, 3600.0, -0.0, 12.0, 299.0])
def test_a_clock_that_is_always_as_late_is_mended_once_it_is_sure(late):
    stream = caught_up()
    found = live(stream, 12, late)
    wrong = late > module.LATE
    assert found[: module.SEEN - 1] == [-late] * (module.SEEN - 1)
    assert found[module.SEEN :] == [0.0 if wrong else -late] * (12 - module.SEEN)
    assert len(stream.words) == wrong
    assert stream.offset == (late if wrong else 0.0)


def test_what_is_late_now_and_then_is_late_and_not_in_another_zone():
    stream = caught_up()
    live(stream, 40, lambda n: 4000.0 if n % 3 else 0.0)
    live(stream, 40, lambda n: 500.0 * n)
    assert stream.offset == 0.0
    assert not stream.words


def test_a_clock_that_is_right_again_is_believed_again():
    stream = caught_up()
    live(stream, 10, 3600.0)
    assert stream.offset == 3600.0
    found = live(stream, 10, 0.0, start=NOW + 1000)
    assert stream.offset == 0.0
    assert found[-1] == 0.0
    assert len(stream.words) == 2


def test_the_offset_and_the_year_outlive_a_restart():
    stream = caught_up()
    live(stream, 10, 7200.0)
    follower = Follower()
    other = LogStream("mail.log", follower, dt.UTC, stream.position[1])
    follower.blocks = [line(NOW - 7200.0 + 500), line(NOW - 7200.0 + 510)]
    (event,) = other.turn(NOW + 510)
    assert event.time == pytest.approx(NOW + 500)
    traditional = caught_up()
    live(traditional, 3, 0.0, form="%b %e %H:%M:%S")
    other = LogStream("mail.log", Follower(), dt.UTC, traditional.position[1])
    assert other.clock.year == 2026
    assert live(other, 1, 0.0, form="%b %e %H:%M:%S", start=NOW + 100) == [0.0]


def test_history_is_not_compared_with_now():
    follower = Follower()
    stream = LogStream("mail.log", follower, dt.UTC)
    follower.blocks = [line(NOW - 86400 + n) for n in range(20)]
    for _ in range(20):
        stream.turn(NOW)
    assert stream.offset == 0.0
    assert not stream.live
    follower.blocks = [line(NOW)]
    stream.turn(NOW)
    assert stream.live


def test_repeated_lines_mean_what_stands_before_the_position():
    follower = Follower(behind=line(NOW - 5, form="%b %e %H:%M:%S"))
    stream = LogStream("mail.log", follower, dt.UTC)
    follower.blocks = [dt.datetime.fromtimestamp(NOW, dt.UTC).strftime("%b %e %H:%M:%S").encode() + b" mail last message repeated 3 times\n"]
    (event,) = stream.turn(NOW)
    assert event.attempts == 3


def test_a_line_of_the_future_counts_as_of_now_and_silence_is_none():
    stream = caught_up()
    follower = stream.follower
    follower.blocks = [line(NOW + 3000)]
    assert [e.time for e in stream.turn(NOW)] == [NOW]
    follower.blocks = [b"Nov 25 12:00:00 mail kernel: nothing\n"]
    assert stream.turn(NOW) == []
    assert stream.turn(NOW) is None


def test_a_file_of_last_year_is_of_last_year():
    """A stamp without a year is taken by when the file was written last, while the past is read."""
    follower = Follower()
    stream = LogStream("mail.log", follower, dt.UTC)
    year = 365 * 86_400.0
    follower.mtime = NOW - year
    follower.blocks = [line(NOW - year - 60.0, form="%b %e %H:%M:%S"), line(NOW - year - 30.0, form="%b %e %H:%M:%S")]
    assert [round(e.time - NOW + year) for _ in range(2) for e in stream.turn(NOW)] == [-60, -30]
