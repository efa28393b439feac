"""What to read: arguments become rotated sets of sources, each oldest first."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from fnmatch import fnmatchcase

from monzen.sources.archive import unpack
from monzen.sources.error import SourceError
from monzen.sources.files import Source
from monzen.sources.journal import JOURNAL
from monzen.sources.magic import HEAD, binary_kind, form_of
from monzen.sources.raw import Raw
from monzen.sources.rotation import Age, age

# Debian and Ubuntu: rsyslog's 50-default.conf, ufw's 20-ufw.conf.
DEFAULT = ("mail.log*", "auth.log*", "ufw.log*")
# In a folder also: maillog and secure (Red Hat), what has them where nothing was configured (syslog, messages, kern.log), and
# every *.log: docker volumes and log servers use any name. Matched without the suffixes of rotation and compression.
_LOGS = ("mail*", "auth.log*", "secure*", "ufw.log*", "syslog*", "messages*", "dovecot*.log*", "kern.log*", "*.log")
_LEFTOVERS = ("*~", "*.swp", ".*")  # editors, and what is hidden

_SPECIAL = ((stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "terminal or device"))


def plan(arguments: Sequence[str], *, now: float, root: str = "/") -> tuple[list[list[Source]], list[SourceError]]:
    """Rotated sets, each oldest first, and what could not be used.

    An argument is a file, a folder (its logs, no deeper), a glob, or "-"; without any: the logs below `root`, else the journal.
    One file is read once, whatever names it has. `now` (epoch seconds) stands in where there is no time of a last write.
    """
    found = _Found(now)
    for argument in arguments:
        found.argument(argument)
    if not arguments:
        folder = os.path.join(root, "var/log")
        for pattern in DEFAULT:
            for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern))):
                found.file(path, named=False)
        if not found.sets and not found.errors:
            import shutil

            if shutil.which("journalctl"):
                found.stream(JOURNAL, JOURNAL)
            else:
                found.errors.append(SourceError("no-logs", folder))
    return [_oldest_first(sources) for sources in found.sets.values()], found.errors


class _Found:
    """What the arguments named so far, by stem."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.sets: dict[str, list[Source]] = {}
        self.errors: list[SourceError] = []
        self.seen: set[tuple[int, int]] = set()  # device and inode

    def argument(self, argument: str) -> None:
        """Take what one argument stands for."""
        if argument == "-":
            self.stream(argument, "stdin")
        elif os.path.isdir(argument):
            if not self.folder(argument):
                self.errors.append(SourceError("no-logs", argument))
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            self.glob(argument)
        else:
            self.file(argument, named=True)

    def stream(self, path: str, form: str) -> None:
        """Take what has no name on disk."""
        self.sets.setdefault(path, [Source(path, path, self.now, 0, form)])

    def glob(self, pattern: str) -> None:
        """Take the files that `pattern` matches; if it matches folders only, their logs."""
        matches = sorted(glob.glob(pattern))
        if not matches:
            self.errors.append(SourceError("missing", pattern, "no name matches"))
            return
        taken = [self.file(path, named=False) for path in matches]
        if not any(taken):
            taken = [self.folder(path) for path in matches if os.path.isdir(path)]
        if not any(taken):
            self.errors.append(SourceError("no-logs", pattern))

    def folder(self, folder: str) -> bool:
        """Take the logs in `folder`; False when there is none."""
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            self.errors.append(SourceError.refused(folder, error))
            return True
        taken = [self.file(os.path.join(folder, name), named=False) for name in names if _looks_like_a_log(name)]
        return any(taken)

    def file(self, path: str, *, named: bool) -> bool:
        """Take `path`, or say why not; False when it is passed over: nobody named it, and it is no file or no text."""
        try:
            about = os.stat(path)
            regular = stat.S_ISREG(about.st_mode)
            if not regular and not named:
                return False
            head = _head(path) if regular else b""
        except (OSError, ValueError) as error:
            self.errors.append(SourceError.refused(path, error))
            return True
        if not named and form_of(head) == "plain" and binary_kind(head):
            return False
        if not regular and not stat.S_ISFIFO(about.st_mode):
            kind = next((word for test, word in _SPECIAL if test(about.st_mode)), "device")
            self.errors.append(SourceError("not-a-file", path, kind))
        elif (key := (about.st_dev, about.st_ino)) not in self.seen:
            self.seen.add(key)
            source = Source(path, _stem(path), about.st_mtime, about.st_size, form_of(head))
            if not regular:  # <(zcat ...) or mkfifo; not opened here, that would wait for its writer
                source = source._replace(mtime=self.now, size=0)
            self.sets.setdefault(source.stem, []).append(source)
        return True


def _looks_like_a_log(name: str) -> bool:
    stem = age(name).stem
    return any(fnmatchcase(stem, pattern) for pattern in _LOGS) and not any(fnmatchcase(name, bad) for bad in _LEFTOVERS)


def _stem(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, age(name).stem)


def _head(path: str) -> bytes:
    """The first HEAD bytes of a regular file; that it can be read is known only by reading."""
    # O_NONBLOCK: if a pipe has taken its place meanwhile, do not wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, HEAD)
    finally:
        os.close(descriptor)


def in_order(sources: list[Source]) -> list[Source]:
    """One rotated set in order of time, as its names have it: copying and unpacking change the times of files, not their names.

    Dated ones by date, numbered ones from the highest number down, the one without a suffix last. Where there are both, somebody
    turned dateext on or off: what was written to last comes last.
    """
    ages = {source: age(os.path.basename(source.path)) for source in sources}

    def kind(source: Source) -> int:
        return 2 if _bare(ages[source]) else 1 if ages[source].date else 0

    newest: dict[int, float] = {}
    for source in sources:
        newest[kind(source)] = max(source.mtime, newest.get(kind(source), 0.0))
    return sorted(
        sources,
        key=lambda source: (
            kind(source) == 2,
            newest[kind(source)],
            kind(source),
            ages[source].date,
            -ages[source].number,
            source.form != "plain",
            source.mtime,
            source.path,
        ),
    )


def _oldest_first(sources: list[Source]) -> list[Source]:
    """The set in order, each with its twins."""
    ages = {source: age(os.path.basename(source.path)) for source in sources}
    kept: list[Source] = []
    for source in in_order(sources):
        for at, other in enumerate(kept):
            if ages[other] == ages[source] and (first := _fuller(other, source)):
                ages[first] = ages[source]
                kept[at] = first
                break
        else:
            kept.append(source)
    return kept


def _bare(of: Age) -> bool:
    return not of.date and of.number < 0


def _fuller(one: Source, other: Source) -> Source | None:
    """`one` with `other`, of the same age, as its twin, if that is `one` compressed: logrotate is at work, or was interrupted.

    None if they begin differently: since compression was turned off, an old mail.log.1.gz lies beside every new mail.log.1. Of
    two archives the one that holds more stands first: the other is empty, not finished, or damaged at its beginning.
    """
    if one.size <= 0 or other.form == "plain":
        return None
    mine, its = _beginning(one), _beginning(other)
    if mine.startswith(its):
        return one._replace(twins=(*one.twins, other))
    if one.form != "plain" and its.startswith(mine):
        return other._replace(twins=(one, *one.twins))
    return None


def _beginning(source: Source) -> bytes:
    """The first HEAD bytes of the text, or less where the archive is not finished."""
    text = b""
    try:
        with Raw(source.path) as raw:
            head = raw.read(HEAD)
            if (form := form_of(head)) == "plain":
                return head
            for chunk in unpack(raw, form, head, HEAD):
                text += chunk
                if len(text) >= HEAD:
                    break
    except SourceError:
        pass  # `blocks` will say so
    return text[:HEAD]
