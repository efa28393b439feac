"""journald, followed: what is there already, then what comes, each entry once by its cursor.

First a journalctl that ends reads what there is; then one with --follow goes on behind it: only so it is known when the past
is over. `--cursor-file` is not written under --follow (systemd 252), so the cursor of the last line is kept by whoever keeps
the position.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import time
from typing import IO, Final

from monzen.sources.error import SourceError
from monzen.sources.journal import FIELDS, JOURNAL, MATCHES, REMARK, WORDS
from monzen.sources.lines import MAX_LINE, whole_lines

BLOCK: Final = 1 << 18
AGAIN: Final = (1.0, 60.0)  # seconds before a journalctl that ended is started again: at first, at most
CURSOR: Final = re.compile(rb'"__CURSOR" ?: ?"([^"\\]{1,400})"')  # a message cannot hold it: its quotes are escaped
STAMP: Final = re.compile(rb'"__REALTIME_TIMESTAMP" ?: ?"(\d{1,20})"')
Position = tuple[str, float]  # cursor, and time of the last line (epoch seconds)


class JournalFollower:
    """The journal. Nothing here waits; `words` and `skipped` are emptied by whoever reads."""

    def __init__(self, position: Position | None = None, *, since: float | None = None) -> None:
        """`position`: where another one stood; without it, from `since` (epoch seconds) on, or from now."""
        self.cursor, self.last = position if position is not None else ("", 0.0)
        self.since = since
        self.words: list[SourceError] = []
        self.skipped = 0
        self.caught_up = False
        self.behind = b""
        self._following = position is None and since is None
        self._child: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._rest = b""
        self._next, self._pause = 0.0, AGAIN[0]

    @property
    def position(self) -> Position | None:
        """Exactly behind the last block; None before the first."""
        return (self.cursor, self.last) if self.cursor else None

    @property
    def mtime(self) -> float:
        """When the last line was written."""
        return self.last

    def fileno(self) -> int | None:
        """To wait for."""
        if self._child is None or self._child.stdout is None:
            return None
        return self._child.stdout.fileno()

    def take(self, most: int = BLOCK) -> bytes:
        """The next block of whole lines; b"" where there is nothing now."""
        if self._child is None and not self._start():
            return b""
        assert self._child is not None
        assert self._child.stdout is not None
        data = self._rest
        ended = False
        while len(data) < most:
            try:
                chunk = os.read(self._child.stdout.fileno(), most - len(data))
            except BlockingIOError:
                break
            if not chunk:
                ended = True
                break
            data += chunk
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > MAX_LINE and not end:
            if not self._rest.startswith(b"\n"):
                self.skipped += 1
            self._rest = b""  # the end of that line says nothing by itself: it is no JSON
        block = self._block(data[:end]) if end else b""
        if ended:
            self._ended()
        elif block:
            self.caught_up = self._following and not self._rest and len(data) < most
        elif self._following:
            self.caught_up = True
        return block

    def _block(self, data: bytes) -> bytes:
        """The lines of the journal in what journalctl wrote, and the cursor behind them."""
        if data.startswith(b"--") or b"\n--" in data:
            data = REMARK.sub(b"", data)
        cursors = CURSOR.findall(data[max(0, data.rfind(b"\n", 0, len(data) - 1)) :]) or CURSOR.findall(data)
        if cursors:
            self.cursor = cursors[-1].decode("ascii", "replace")
            self._pause = AGAIN[0]
            stamp = STAMP.findall(data[-MAX_LINE:])
            if stamp:
                self.last = int(stamp[-1]) / 1e6
        if len(data) > MAX_LINE:
            data = b"".join(whole_lines([data], self._skip))
        return data

    def _skip(self, count: int) -> None:
        self.skipped += count

    def _start(self) -> bool:
        """A journalctl behind the last line, where it is time for one."""
        if time.monotonic() < self._next:
            self.caught_up = True
            return False
        command = ["journalctl", "--no-pager", "--all", "--output=json", "--output-fields=" + FIELDS]
        if self.cursor:
            command.append("--after-cursor=" + self.cursor)
        elif self.last or self.since is not None:
            command.append(f"--since=@{math.floor(self.last or self.since or 0.0)}")
        elif self._following:
            command.append("--lines=0")
        if self._following:
            command.append("--follow")
            if self.cursor or self.last or self.since is not None:
                command.append("--no-tail")
        self._complaints = os.fdopen(os.memfd_create("journalctl"), "w+b")
        try:
            self._child = subprocess.Popen(
                [*command, *MATCHES], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._complaints, bufsize=0
            )
        except OSError as error:
            self._complaints.close()
            self.words.append(SourceError("journal", JOURNAL, f"journalctl: {error.strerror}"))
            self._wait()
            self.caught_up = True
            return False
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)
        self.caught_up = False
        return True

    def _ended(self) -> None:
        """journalctl has ended: it read what there was, or somebody ended it, or it failed."""
        assert self._child is not None
        assert self._complaints is not None
        status = self._child.wait()
        self._complaints.seek(0)
        words = " ".join(self._complaints.read(WORDS).decode(errors="replace").split())
        self._put_away()
        self._rest = b""
        if not self._following and not status:
            self._following = True  # the past is over
            if words:
                self.words.append(SourceError("journal", JOURNAL, words))
            self.since = None if self.cursor else time.time() if self.since is None else self.since
            self._next = 0.0
            return
        if "cursor" in words.lower() and self.cursor:
            self.words.append(SourceError("cursor", JOURNAL))
            self.cursor = ""
        elif words or status:
            self.words.append(SourceError("journal", JOURNAL, words or f"journalctl: exit status {status}"))
        self._following = False  # what came meanwhile is the past
        self._wait()

    def _wait(self) -> None:
        self._next = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, AGAIN[1])
        self.caught_up = True

    def _put_away(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            if self._child.stdout is not None:
                self._child.stdout.close()
            self._child = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def close(self) -> None:
        """Nothing more is read."""
        self._put_away()
