"""`monzen list --format`: what is denied, for other firewalls and programs; to a file, wholly or not at all."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
import tempfile

from monzen.config import Config
from monzen.exports import Allowed, chosen, text
from monzen.gate.target import Denial, Target
from monzen.judge.shield import Prefix
from monzen.ledger import Entry, Ledger
from monzen.mode import Mode
from monzen.show.text import safe
from monzen.show.words import _, ngettext
from monzen.upkeep import opened, target_of
from monzen.verbs.common import EXIT_USE, complain

MODE = 0o644  # who is denied is no secret, and the mail server that reads it is not root


def warn(said: str) -> None:
    """On stderr: standard output is the file."""
    complain(said)


def allowed(ledger: Ledger, config: Config) -> list[Prefix]:
    """Whom the admin allows, by `monzen allow` or in the configuration; of host names the last good answer."""
    found = [*config.own, *config.allow, *(p for name in config.names for p in ledger.name(name)[1])]
    return found + [p for a in ledger.allowed() for p in a.prefixes]


def export(entries: list[Entry], options: argparse.Namespace, mode: Mode, now: float, spared: list[Prefix]) -> int:
    """Write these, best first, in the form that was asked for, without those `spared`. Returns the exit status."""
    if mode.open and not options.watched:
        warn(opened(mode))
        warn(_("so the list is empty: elsewhere, too, nobody should be turned away. Write it again when the gate is closed"))
        entries = []
    elif options.watched:
        warn(_("monzen itself denies nobody of this list (--watched)"))
    elif mode.name == "watch":
        said = _("watch-only: whom the guard would deny is not in the list. Those: monzen list --watched --format {format}")
        warn(said.format(format=options.format))
    shield = Allowed(spared)
    best: dict[Target, int] = {}  # of what is left of each, its place among the entries
    pieces: list[Denial] = []
    for place, entry in enumerate(entries):
        for piece in shield.cut(Denial(target_of(entry), entry.until)):
            best.setdefault(piece.target, place)
            pieces.append(piece)
    denials, doors = chosen(pieces, options.format)
    if options.top and len(denials) > options.top:
        left = len(denials) - options.top
        top = {d.target for d in sorted(denials, key=lambda d: best[d.target])[: options.top]}
        denials = [d for d in denials if d.target in top]
        warn(ngettext("{n} more is not in the list (--top)", "{n} more are not in the list (--top)", left))
    if doors:
        said = ngettext(
            "{n} denial of a single port is not in the list: it would close every port. Only --format ufw can say a port",
            "{n} denials of a single port are not in the list: it would close every port. Only --format ufw can say a port",
            doors,
        )
        warn(said)
    return put(text(denials, options.format, now), options.output)


def put(written: str, path: str | None) -> int:
    """To standard output, or into a file. Returns the exit status."""
    if path is None:
        sys.stdout.write(written)
        return 0
    try:
        done = replace(path, written.encode("utf-8"))
    except OSError as error:
        detail = _(error.strerror or str(error))
        warn(_("cannot write {path}: {detail}. Name another file, or mend that").format(path=safe(path), detail=safe(detail)))
        return EXIT_USE
    if not done:
        warn(_("{path} is no plain file, so it was left alone. Name the file itself").format(path=safe(path)))
        return EXIT_USE
    return 0


def replace(path: str, content: bytes) -> bool:
    """Put it in its place in one step, readable for all; what is there and the same stays. False: that is no plain file.

    On the disk when it returns. Raises OSError; then the old file stands as it was.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISREG(found.st_mode):
            return False
        if found.st_size == len(content) and stat.S_IMODE(found.st_mode) == MODE:
            with open(path, "rb") as file:
                if file.read() == content:
                    return True  # its time stays, too: whoever waits for a change is not woken
    folder, name = os.path.split(path)
    descriptor, new = tempfile.mkstemp(dir=folder or ".", prefix=f".{name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), MODE)
            os.fsync(file.fileno())
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    there = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(there)
    finally:
        os.close(there)
    return True
