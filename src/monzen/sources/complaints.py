"""What goes wrong while a log is followed, said once and not a thousand times."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from monzen.sources.error import SourceError

EVERY = 3600.0  # seconds until the same is said again
MOST = 20  # words that wait for somebody to hear them
PATIENCE = 60.0  # seconds that a file may be missing after its rotation before we say so


class Complaints:
    """`words`, each kind of them at most once an hour."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.words: list[SourceError] = []
        self._clock = clock
        self._said: dict[tuple[str, str, str], float] = {}
        self._since: float | None = None  # when the file was not there first

    def say(self, error: SourceError) -> None:
        """Keep it, unless it was said lately."""
        key = (error.reason, error.path, error.detail)
        now = self._clock()
        if key in self._said and now - self._said[key] < EVERY:
            return
        if len(self._said) > 4 * MOST:
            self._said.clear()
        self._said[key] = now
        if len(self.words) < MOST:
            self.words.append(error)

    def missing(self, path: str, *, waiting: bool, other: SourceError | None) -> None:
        """There is nothing to read under this name; `waiting`: there was a moment ago, and logrotate is quick."""
        now = self._clock()
        if self._since is None:
            self._since = now
        try:
            about = os.stat(path)
        except FileNotFoundError as error:
            if not waiting or now - self._since >= PATIENCE:
                self.say(SourceError.refused(path, error))
        except OSError as error:
            self.say(SourceError.refused(path, error))
        else:
            if not stat.S_ISREG(about.st_mode):
                self.say(SourceError("not-a-file", path, "folder" if stat.S_ISDIR(about.st_mode) else "device"))
            elif other:
                self.say(other)

    def found(self) -> None:
        """It is there: the next time it is missing is a new one."""
        self._since = None
        for key in [k for k in self._said if k[0] in ("missing", "not-a-file", "unreadable")]:
            del self._said[key]
