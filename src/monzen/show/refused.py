"""Sentences about inputs that could not be read: what failed, why, what to do."""

from __future__ import annotations

from monzen.show.reading import Refused
from monzen.show.text import safe
from monzen.show.words import N_, _

REFUSED = {
    "missing": N_("cannot read {path}: {detail}. Check the name, or name the folder that the logs are in"),
    "unreadable": N_("cannot read {path}: {detail}. Run as root or as a member of the group that owns the file (often adm)"),
    "not-a-file": N_("cannot read {path}: it is a {detail}. Name a log file, a folder, a pipe, or - for standard input"),
    "binary": N_("cannot read {path}: it is {detail}, not a text log. Name the log that the mail server writes"),
    "truncated": N_("{path} ends in the middle of the archive: the lines before that were read. Fetch the file again"),
    "corrupt": N_("{path} is damaged ({detail}): the lines before that were read. Fetch the file again"),
    "replaced": N_("cannot read all of {path}: {detail} holds the same and was read instead. Remove {path} if it is damaged"),
    "no-zstd": N_("cannot read {path}: it is compressed with zstd. Run pip install zstandard, or unpack it with zstd -d"),
    "no-logs": N_("there are no logs in {path}. Name a log file, or - for standard input"),
    "journal": N_("cannot read all of the journal: {detail}. Run as root or as a member of the group systemd-journal"),
    "lost": N_("what was to be read next of {path} is gone: lines may be missing. Check logrotate: keep logs for a day at least"),
    "cut-off": N_("{path} was cut off, and there is no copy of it: lines may be lost. Check logrotate: create loses none"),
    "cursor": N_("the {path} forgot where reading ended ({detail}): on from the last line's time. Check journald's SystemMaxUse"),
}

DETAILS = (  # what stands in {detail}: the operating system's words, and those of sources/plan.py and sources/magic.py
    N_("No such file or directory"),
    N_("Not a directory"),
    N_("Is a directory"),
    N_("Permission denied"),
    N_("Operation not permitted"),
    N_("Input/output error"),
    N_("File name too long"),
    N_("Too many levels of symbolic links"),
    N_("Too many open files"),
    N_("Stale file handle"),
    N_("No space left on device"),
    N_("no name matches"),
    N_("socket"),
    N_("terminal or device"),
    N_("device"),
    N_("folder"),
    N_("an ELF program"),
    N_("a PNG image"),
    N_("a GIF image"),
    N_("a JPEG image"),
    N_("an SQLite database"),
    N_("a journal file (monzen reads the journal when no file is named)"),
    N_("a ZIP archive"),
    N_("a 7z archive"),
    N_("a RAR archive"),
    N_("an lz4 archive"),
    N_("a compress archive"),
    N_("an ar archive"),
    N_("a PDF document"),
    N_("UTF-16 text"),
    N_("binary data"),
)


def refused(error: Refused) -> str:
    """The sentence about an input that could not be read, in the reader's language."""
    sentence = REFUSED.get(error.reason)
    if sentence is None:
        return str(error)
    detail = _(error.detail) if error.detail in DETAILS else error.detail
    return _(sentence).format(path=safe(error.path), detail=safe(detail))
