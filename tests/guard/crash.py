"""Kills `monzen run` at random moments while its log grows and is rotated; in the end it must know exactly what one scan says.

    python -m tests.guard.crash --kills 1000 --seed 1
"""

import argparse
import bz2
import contextlib
import datetime as dt
import gzip
import logging
import lzma
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from bench.generate import mail_log
from bench.writer import Options as LogOptions
from monzen.config import Config
from monzen.guard import run as guard_run
from monzen.guard import streams
from monzen.guard.mind import Mind
from monzen.guard.run import Guard
from monzen.guard.store import Store
from monzen.judge.judge import Judge
from monzen.judge.policy import Policy
from monzen.judge.shield import Shield
from monzen.judge.state import save
from monzen.machine import prefixes
from monzen.scan import Options, scan_sets
from monzen.settings import Sources
from monzen.sources import plan

POLICY = Policy()


def lines(count, seed):
    """A log of attackers and users, as bytes."""
    return [line.encode() for _attack, line in mail_log(LogOptions(lines=count, seed=seed, attack_fraction=0.6))]


class Writer:
    """A mail server that logs, and a logrotate that does what logrotates do."""

    def __init__(self, folder, text, rng):
        self.path, self.text, self.rng = folder / "mail.log", b"".join(text), rng
        self.at = 0
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.rotations = 0

    @property
    def done(self):
        return self.at >= len(self.text)

    def write(self, most):
        """Some more of it; often half a line."""
        size = self.rng.randint(1, most)
        os.write(self.file, self.text[self.at : self.at + size])
        self.at += size

    def finish_line(self):
        end = self.text.find(b"\n", max(0, self.at - 1)) + 1 or len(self.text)
        if end > self.at:
            os.write(self.file, self.text[self.at : end])
            self.at = end

    def rotate(self):
        """As by `create`, `copytruncate`, with compression at once or a turn later; a renamed file is written to for a moment more."""
        how = self.rng.choice(["create", "copy", "create-late", "create-gz", "copy-xz"])
        self.finish_line()
        self.rotations += 1
        folder = self.path.parent
        for old in sorted(folder.glob("mail.log.*"), key=lambda p: -int(p.name.split(".")[2])):
            _, _, number, *packed = old.name.split(".")
            old.rename(folder / ".".join(["mail.log", str(int(number) + 1), *packed]))
        first = folder / "mail.log.1"
        if how.startswith("copy"):
            shutil.copy2(self.path, first)
            os.ftruncate(self.file, 0)
        else:
            self.path.rename(first)
            new = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            if how == "create-late":
                self.write(3000)
                self.finish_line()
            os.close(self.file)
            self.file = new
        old = folder / "mail.log.2"
        if old.exists() and self.rng.random() < 0.7:
            pack(old, self.rng.choice(["gz", "xz", "bz2"]))
        if how.endswith(("gz", "xz")):
            pack(first, how[-2:])


def pack(path, form):
    """Compress a file as logrotate does: under another name first, with the time of the old one."""
    opened = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open}[form]
    new = path.with_name(path.name + "." + form)
    with path.open("rb") as source, opened(new, "wb") as target:
        shutil.copyfileobj(source, target)
    found = path.stat()
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    path.unlink()


def config_of(folder):
    return Config(policy=POLICY, sources=Sources((str(folder / "mail.log"),), False, 4e8))


class Hasty(Guard):
    """One whose log has a week in some seconds: silence on our clock is none of the log's own, and nothing is let go for it."""

    def _tick(self):
        pass


def guard(folder, *, once=False):
    """One guard, until it ends."""
    constants = {
        (guard_run, "SMALL"): 30_000,  # bytes of records: a snapshot every few moments
        (guard_run, "ALONE"): 0.0,  # there is no gate, and it would be killed before it had waited for one
        (streams, "LATE"): float("inf"),  # the log's clock is not ours, and right
    }
    before = {(module, name): getattr(module, name) for module, name in constants}
    try:
        for (module, name), value in constants.items():
            setattr(module, name, value)
        config = config_of(folder)
        return Hasty(config, lambda: config, zone=dt.UTC, state=str(folder / "state"), once=once).run()
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


def child(folder):
    """A guard in a process of its own, without the start of an interpreter."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            logging.disable(logging.CRITICAL)
            guard(folder)
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    return pid


def run(folder, kills, seed, count, quiet=True):
    """Kill so often while the log is written; returns how often, and how often it was rotated."""
    rng = random.Random(seed)
    writer = Writer(folder, lines(count, seed), rng)
    writer.write(20_000)
    step = max(200, 2 * len(writer.text) // (8 * kills))
    done = 0
    while done < kills or not writer.done:
        pid = child(folder)
        for _ in range(rng.choice([1, 2, 4, 16])):
            if not writer.done:
                writer.write(step)
                if rng.random() < min(0.05, 60 / (8 * kills)):
                    writer.rotate()
            time.sleep(rng.choice([0.0, 0.001, 0.01, 0.03]))
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            raise AssertionError(f"the guard ended by itself: {status}")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        done += 1
        if not quiet and done % 50 == 0:
            print(f"{done} kills, {writer.at * 100 // len(writer.text)} % written, {writer.rotations} rotations", flush=True)
    writer.finish_line()
    os.close(writer.file)
    return done, writer.rotations


def known(folder):
    """What the guard knows in the end."""
    guard(folder, once=True)
    return remembered(folder)


def remembered(folder):
    """What the last one wrote down."""
    store = Store(str(folder / "state"))
    try:
        state, records = store.load()
        mind = Mind.restore(state, POLICY)
        for record in records:
            mind.hear(record)
    finally:
        store.close()
    return mind.judge


def scanned(folder):
    """What one scan of all files says."""
    now = time.time()
    judge = Judge(POLICY, Shield([*prefixes()]))
    sets, errors = plan([str(folder / "mail.log*")], now=now)
    assert not errors
    assert len(sets) == 1
    scan_sets(sets, [], Options(now, dt.UTC), judge)
    return judge


def differences(one, other):
    """Tables of two judges that are not the same."""
    a, b = save(one), save(other)
    return [name for name in a if sorted(map(repr, a[name])) != sorted(map(repr, b[name]))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monzen-crash-")))
        kills, rotations = run(folder, options.kills, options.seed, options.lines, quiet=False)
        before = remembered(folder).events
        live, whole = known(folder), scanned(folder)
        found = differences(live, whole)
        print(f"{kills} kills, {rotations} rotations, {len(whole.sentences)} verdicts, {whole.events} events, ", end="")
        print(f"{before} of them heard by those that were killed: ", end="")
        print("the same" if not found else f"different: {found}")
        if found:
            stack.pop_all()
            print("kept:", folder)
            for name in found:
                a, b = map(repr, save(live)[name]), map(repr, save(whole)[name])
                a, b = set(a), set(b)
                print(name, "only live:", list(a - b)[:3], "only scan:", list(b - a)[:3])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
