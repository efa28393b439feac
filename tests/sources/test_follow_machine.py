"""A law: whatever happens to a log, and whenever its follower is killed, each line comes once and in order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monzen.sources.lines import MAX_LINE
from tests.sources.following import Following, Log
from tests.sources.made import PACK


class LogsAndFollowers(RuleBasedStateMachine):
    """A writer, a logrotate with every option, an admin; and one who follows, with blocks of any size."""

    lossy = False

    @initialize(lines=st.integers(0, 3), rotated=st.integers(0, 3), most=st.sampled_from([1, 200, 1 << 18]))
    def start(self, lines: int, rotated: int, most: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.log = Log(self.folder)
        for _ in range(rotated):
            self.log.write(2)
            self.log.rename()
        self.log.write(lines)
        self.half = b""  # of a line, in the live file
        self.late: Path | None = None  # where a writer that did not notice still writes
        self.following = Following(self.log.path, since=0.0, most=most)

    def teardown(self) -> None:
        self.following.follower.close()
        shutil.rmtree(self.folder)

    # The writer

    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        self.finish()
        self.log.write(count)

    @rule(cut=st.integers(1, 60))
    def write_half(self, cut: int) -> None:
        self.finish()
        line = self.log.line()
        with self.log.path.open("ab") as file:
            file.write(line[:cut])
        self.half = line[cut:]

    @rule()
    def finish(self) -> None:
        if self.half:
            with self.log.path.open("ab") as file:
                file.write(self.half)
            self.half = b""

    @rule(more=st.integers(0, 100_000))
    def write_a_line_too_long(self, more: int) -> None:
        self.finish()
        with self.log.path.open("ab") as file:
            self.log.number += 1
            file.write(b"Nov 25 10:00:00 mail x: %d" % self.log.number + b"x" * (MAX_LINE + 1 + more) + b"\n")

    @rule(length=st.sampled_from([1, 100, 5000, 300_000]))
    def nuls_before_a_line(self, length: int) -> None:
        self.finish()
        self.log.path.open("ab").close()
        os.truncate(self.log.path, self.log.path.stat().st_size + length)
        self.log.write(1)

    # logrotate

    @rule(create=st.booleans())
    def rotate(self, create: bool) -> None:
        self.finish()
        self.late = None
        if self.log.path.exists():
            self.log.rename(create=create)

    @rule(count=st.integers(1, 3))
    def rotate_and_go_on_in_the_old_one(self, count: int) -> None:
        """The writer opens its file anew a moment later. Its follower looks before the old one is touched again, as it would."""
        self.finish()
        if self.log.path.exists():
            self.following.drain()
            self.log.rename(create=False)
            self.late = self.log.rotated(1)
            self.go_on_in_the_old_one(count)

    @precondition(lambda self: self.late is not None)
    @rule(count=st.integers(1, 3))
    def go_on_in_the_old_one(self, count: int) -> None:
        self.finish()
        if self.late is not None:
            self.following.drain()
            self.log.write(count, to=self.late)
            self.following.drain()

    @rule()
    def copy_and_truncate(self) -> None:
        self.finish()
        self.late = None
        if self.log.path.exists():
            self.log.copytruncate()

    @precondition(lambda self: self.log.path.exists())
    @rule(form=st.sampled_from([*PACK]), number=st.integers(1, 4))
    def compress(self, form: str, number: int) -> None:
        if self.log.rotated(number).name == f"mail.log.{number}" and self.log.rotated(number).exists():
            self.late = None
            self.log.compress(number, form)

    @rule(form=st.sampled_from([*PACK]), kept=st.integers(0, 100))
    def compress_halfway(self, form: str, kept: int) -> None:
        """gzip is at work: the archive is there and not finished, the file is there still."""
        plain = self.log.path.with_name("mail.log.1")
        if plain.exists():
            packed = PACK[form](plain.read_bytes())[:kept]
            other = plain.with_name(f"mail.log.1.{form}")
            other.write_bytes(packed)
            self.following.drain()
            other.unlink()

    # The follower

    @rule(times=st.integers(1, 3))
    def take(self, times: int) -> None:
        for _ in range(times):
            self.following.take()

    @rule()
    def drain(self) -> None:
        self.following.drain()
        if not self.lossy:
            assert self.following.got == self.log.lines[: len(self.log.lines) - bool(self.half)]

    @rule()
    def killed(self) -> None:
        self.following.again()

    @rule(seconds=st.sampled_from([0.5, 5.0, 70.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.following.clock.now += seconds
        if seconds >= 60:
            self.late = None  # as long as anybody waits

    @invariant()
    def each_line_once_and_in_order(self) -> None:
        if hasattr(self, "following"):
            got = self.following.got
            if not self.lossy:
                assert got == self.log.lines[: len(got)]
                return
            numbers = [int(line.rpartition(b" ")[2]) for line in got]
            assert numbers == sorted(set(numbers))
            assert set(got) <= set(self.log.lines)


class LogsThatLoseLines(LogsAndFollowers):
    """The same, and somebody who truncates and edits: what is lost is lost, but nothing comes twice."""

    lossy = True

    @rule(to=st.integers(0, 400))
    def truncate(self, to: int) -> None:
        if self.log.path.exists():
            data = self.log.path.read_bytes()[:to]
            os.truncate(self.log.path, data.rfind(b"\n") + 1)
            self.half = b""

    @rule(line=st.integers(0, 5))
    def edit(self, line: int) -> None:
        """sed -i: another file without this line."""
        self.finish()
        if self.log.path.exists():
            lines = self.log.path.read_bytes().splitlines(keepends=True)
            new = self.log.path.with_name("sed")
            new.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
            new.rename(self.log.path)

    @rule()
    def remove(self) -> None:
        self.half = b""
        self.log.path.unlink(missing_ok=True)

    @rule(number=st.integers(1, 3))
    def remove_an_old_one(self, number: int) -> None:
        self.late = None
        self.log.rotated(number).unlink(missing_ok=True)


LogsAndFollowers.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
LogsThatLoseLines.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLogsThatLoseLines = LogsThatLoseLines.TestCase
TestLogsAndFollowers = LogsAndFollowers.TestCase
