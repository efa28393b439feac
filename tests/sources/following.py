"""What the tests of following share: a log that grows and is rotated in every way that logrotate knows, and one who follows it."""

from __future__ import annotations

import marshal
import os
import shutil
from pathlib import Path

from monzen.sources.follow import AGAIN, Follower
from tests.sources.made import PACK

NOW = 1_790_000_000.0


class Clock:
    """Seconds that pass when we say so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Log:
    """`path` in a folder of its own; `lines` is everything that was ever written to it, in order."""

    def __init__(self, folder: Path, name: str = "mail.log") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self.lines: list[bytes] = []
        self.number = 0

    def write(self, count: int = 1, to: Path | None = None) -> None:
        with (to or self.path).open("ab") as file:
            for _ in range(count):
                file.write(self.line())

    def line(self) -> bytes:
        n = self.number
        self.number += 1
        line = b"Nov 25 10:%02d:%02d mail postfix/smtpd[%d]: connect from unknown[192.0.2.%d], line %d\n" % (
            n // 60 % 60, n % 60, n * 7919 % 32768, n * 31 % 256, n,
        )  # fmt: skip
        self.lines.append(line)
        return line

    def rotated(self, number: int) -> Path:
        """The file with this number, whatever it is compressed with."""
        base = self.path.with_name(f"{self.path.name}.{number}")
        return next((p for form in PACK if (p := base.with_name(f"{base.name}.{form}")).exists()), base)

    def shift(self, keep: int = 60) -> None:
        """mail.log.1 becomes mail.log.2 and so on, as logrotate does it: from the oldest on."""
        self.rotated(keep).unlink(missing_ok=True)
        for number in range(keep - 1, 0, -1):
            old = self.rotated(number)
            if old.exists():
                old.rename(old.with_name(old.name.replace(f".{number}", f".{number + 1}", 1)))

    def rename(self, *, create: bool = True) -> None:
        self.shift()
        if self.path.exists():
            self.path.rename(self.rotated(1))
        if create:
            self.path.touch()

    def copytruncate(self) -> None:
        self.shift()
        shutil.copyfile(self.path, self.rotated(1))
        os.truncate(self.path, 0)

    def compress(self, number: int, form: str = "gz") -> None:
        """As gzip does it: the archive has the time of the file, which is there until it is finished."""
        plain = self.rotated(number)
        about = plain.stat()
        packed = plain.with_name(f"{plain.name}.{form}")
        packed.write_bytes(PACK[form](plain.read_bytes()))
        os.utime(packed, ns=(about.st_atime_ns, about.st_mtime_ns))
        plain.unlink()


class Following:
    """A Follower that is killed and started again; `got` is what all of them gave."""

    def __init__(self, path: Path, since: float | None = 0.0, most: int = 1 << 18) -> None:
        self.path, self.most = str(path), most
        self.clock = Clock()
        self.got: list[bytes] = []
        self.words: list[str] = []
        self.follower = Follower(self.path, None, since=since, now=NOW, clock=self.clock)

    def take(self) -> bytes:
        block = self.follower.take(self.most)
        assert not block or block.endswith(b"\n")
        self.got += block.splitlines(keepends=True)
        self.words += [word.reason for word in self.follower.words]
        self.follower.words.clear()
        return block

    def drain(self) -> None:
        """Read until there is nothing; a moment later, since it looks for a file that is not there but once a second."""
        self.clock.now += AGAIN + 0.1
        for _ in range(100_000):
            if not self.take() and self.follower.caught_up:
                return
        raise AssertionError("it never catches up")

    def again(self) -> None:
        """Killed and started: all that is left is the position."""
        position = marshal.loads(marshal.dumps(self.follower.position, 4))
        self.follower.close()
        self.follower = Follower(self.path, position, since=0.0, now=NOW, clock=self.clock)
