"""A few lines from all over a source, to tell the year of stamps that have none."""

from __future__ import annotations

import os

from monzen.sources.archive import unpack
from monzen.sources.error import SourceError
from monzen.sources.files import Source
from monzen.sources.magic import form_of
from monzen.sources.raw import Raw

PROBES = 64  # so that no two lie half a year apart in a log of up to thirty years
LENGTH = 4096  # bytes read at each


def probe(source: Source) -> list[bytes]:
    """Some whole lines of a plain file, in order, its first and last among them; of an archive the first; of a stream none.

    Errors: none; what cannot be read says so when it is read from end to end.
    """
    if source.form in ("stdin", "journal") or source.size <= 0:
        return []
    try:
        if source.form != "plain":
            with Raw(source.path) as raw:
                head = raw.read(LENGTH)
                return next(iter(unpack(raw, form_of(head), head, LENGTH)), b"").split(b"\n")[:1]
        descriptor = os.open(source.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, SourceError):
        return []
    found: list[bytes] = []
    try:
        found.extend(os.pread(descriptor, LENGTH, 0).split(b"\n", 1)[:1])
        step = max(source.size // PROBES, LENGTH)
        for at in range(step, source.size - LENGTH, step):
            found.extend(os.pread(descriptor, LENGTH, at).split(b"\n")[1:2])
        end = os.pread(descriptor, LENGTH, max(0, source.size - LENGTH)).split(b"\n")
        if end and not end[-1]:
            end.pop()
        found.extend(end[-1:])
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return found
