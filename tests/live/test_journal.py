"""Following the journal of a real systemd-journald."""

import json
import os
import select
import signal
import time

from monzen.sources.follow_journal import JournalFollower
from tests.lab.journal import NEEDS, Journald
from tests.lab.live import live


class Reader:
    """A follower that is killed and started again; `got` is what all of them gave."""

    def __init__(self, since=0.0):
        self.got = []
        self.words = []
        self.follower = JournalFollower(None, since=since)

    def drain(self, seconds=60.0):
        """Read until there is nothing."""
        until = time.monotonic() + seconds
        while True:
            block = self.follower.take()
            self.words += [(w.reason, w.detail) for w in self.follower.words]
            self.follower.words.clear()
            assert not block or block.endswith(b"\n")
            self.got += [json.loads(line)["MESSAGE"] for line in block.splitlines()]
            if not block and self.follower.caught_up:
                return
            assert time.monotonic() < until, (self.got, self.words)
            if not block and (fd := self.follower.fileno()) is not None:
                select.select([fd], [], [], 1.0)

    def expect(self, lines, seconds=60.0):
        """Read until so many came; and no more follow."""
        until = time.monotonic() + seconds
        self.drain(seconds)
        while len(self.got) < len(lines) and time.monotonic() < until:
            if (fd := self.follower.fileno()) is not None:
                select.select([fd], [], [], 0.2)
            self.drain(seconds)
        assert self.got == lines, (self.got[-10:], lines[-10:], len(self.got), len(lines), self.words)

    def again(self):
        position = self.follower.position
        self.follower.close()
        self.follower = JournalFollower(position, since=0.0)


@live(needs=NEEDS, net=False)
def test_each_line_once_through_restart_rotation_flush_and_vacuum():
    journald = Journald(kept=True)
    lines = []

    def log(count, **how):
        new = [f"connect from unknown[192.0.2.{n % 256}], line {n}" for n in range(len(lines), len(lines) + count)]
        journald.log(*new, **how)
        lines.extend(new)

    log(5)
    journald.log("not ours", facility=3)
    reader = Reader()
    reader.expect(lines)  # written to /run: nobody has flushed it yet
    log(3, facility=10)
    reader.expect(lines)
    journald.ask("--flush")  # from now on in /var, with other numbers
    log(3)
    reader.expect(lines)
    reader.again()
    reader.drain()
    assert reader.got == lines
    log(4)
    reader.again()
    reader.expect(lines)
    journald.ask("--rotate")
    log(4)
    reader.expect(lines)
    for how in (signal.SIGTERM, signal.SIGKILL):
        journald.stop(how)
        reader.drain()
        journald.start()
        log(2)
        reader.expect(lines)
    log(20_000)
    reader.expect(lines)
    reader.again()
    log(1)
    reader.expect(lines)
    assert not [w for w in reader.words if w[0] != "journal"], reader.words

    # away while the journal is emptied: the line where it stopped is gone, and the first one behind it is not lost
    position = reader.follower.position
    log(3)
    journald.ask("--rotate")
    journald.ask("--vacuum-files=1")
    left = [json.loads(line)["MESSAGE"] for line in os.popen("journalctl -o json SYSLOG_FACILITY=2")]
    log(3)
    reader.follower.close()
    reader.follower = JournalFollower(position, since=0.0)
    reader.got = []
    reader.expect(left + lines[-3:])

    # journalctl is killed: it is started again, and what was logged meanwhile is there
    reader.got = []
    os.kill(reader.follower._child.pid, signal.SIGKILL)
    log(2)
    reader.drain()
    assert ("journal", "journalctl: exit status -9") in reader.words
    reader.expect(lines[-2:])

    # a cursor that no journal understands: from the time in it
    position = reader.follower.position
    reader.follower.close()
    reader.got = []
    reader.words = []
    reader.follower = JournalFollower(position.replace("i=", "i=x"), since=0.0)
    log(1)
    reader.expect(lines[-1:])
    assert [w[0] for w in reader.words] == ["cursor"]
    reader.follower.close()


@live(needs=NEEDS, net=False)
def test_at_the_end_and_on_the_first_boot():
    journald = Journald()
    journald.stop()
    os.system("rm -rf /run/log/journal/*")
    reader = Reader(since=None)
    reader.drain()
    assert reader.got == []
    journald.start()
    journald.log("one", "two")
    reader.expect(["one", "two"])
    reader.follower.close()
    reader = Reader(since=None)
    reader.drain()
    reader.again()
    reader.drain()
    assert reader.got == []
    journald.log("three")
    reader.again()
    reader.expect(["three"])
    reader.again()
    reader.drain()
    reader.expect(["three"])

    started = time.process_time()
    for _ in range(1000):
        reader.follower.take()
    assert (time.process_time() - started) / 1000 < 100e-6  # at rest: one read of an empty pipe
    reader.follower.close()
