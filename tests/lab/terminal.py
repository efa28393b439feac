"""A terminal of our own: a program runs on it, its keys are pressed, and what it wrote is there to be searched."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

from tests.lab.net import inside

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^][^\x1b]*\x1b\\|[()][0-9A-B]|[=>78MDEc])")


class Terminal:
    """`monzen ARGUMENTS` on a terminal of this size, in srv where `place` says so."""

    def __init__(self, *arguments, size=(100, 30), term="xterm", place=None, **environment):
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        env = {**os.environ, "TERM": term, "LANG": "C.UTF-8", "LANGUAGE": "en", **environment}
        for name in ("COLUMNS", "LINES"):
            env.pop(name, None)
        with inside(place) if place else contextlib.nullcontext():
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monzen", *arguments], stdin=side, stdout=side, stderr=side, env=env, start_new_session=True
            )
        os.close(side)
        self.raw = b""

    def read(self, patience=0.05):
        """Take what it wrote."""
        while select.select([self.main], [], [], patience)[0]:
            try:
                data = os.read(self.main, 65536)
            except OSError:  # it is gone
                return
            if not data:
                return
            self.raw += data

    @property
    def text(self):
        """What it wrote so far, without what only a terminal obeys."""
        return ESCAPES.sub("", self.raw.decode("utf-8", "replace"))

    def press(self, keys):
        """Press these; what was written before is forgotten."""
        self.read()
        self.raw = b""
        os.write(self.main, keys.encode())

    def until(self, holds, seconds=120.0):
        """Wait for words on it, or for anything else."""
        end = time.monotonic() + seconds
        while True:
            self.read()
            if holds in self.text if isinstance(holds, str) else holds():
                return
            assert time.monotonic() < end, f"not within {seconds} s: {holds!r}\n{self.text[-4000:]}"
            assert self.process.poll() is None or not isinstance(holds, str), self.text[-4000:]

    def ended(self, seconds=60.0):
        """Its exit status."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            self.read()
            assert time.monotonic() < end, self.text[-4000:]
        self.read()
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.main)
