"""Seconds that a program lets pass by itself: not those for which others had the processor, nor those of a slow one."""

import time
from pathlib import Path


def _own():
    """Seconds in which this process ran, or would have run had there been a processor free for it."""
    delayed = 0
    for thread in Path("/proc/self/task").iterdir():
        try:
            delayed += int((thread / "schedstat").read_text().split()[1])  # ns on a run queue: Documentation/scheduler/sched-stats.rst
        except (OSError, IndexError):  # it has ended; or a kernel that does not tell
            continue
    return time.process_time() + delayed / 1e9


class Stopwatch:
    """Started when it is made."""

    def __init__(self):
        self.began, self.ran, self.own = time.monotonic(), time.process_time(), _own()

    def waited(self):
        """Seconds in which it slept, or waited for something."""
        return time.monotonic() - self.began - (_own() - self.own)

    def worked(self):
        """Seconds of processor, all threads together."""
        return time.process_time() - self.ran
