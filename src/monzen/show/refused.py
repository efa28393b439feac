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
    "no-zstd": N_("cannot read {path}: it is compressed with zstd. Run pip install zstandard, or unpack it with zstd -d"),
    "no-logs": N_("there are no logs in {path}. Name a log file, or - for standard input"),
    "journal": N_("cannot read all of the journal: {detail}. Run as root or as a member of the group systemd-journal"),
}


def refused(error: Refused) -> str:
    """The sentence about an input that could not be read, in the reader's language."""
    sentence = REFUSED.get(error.reason)
    return _(sentence).format(path=safe(error.path), detail=safe(error.detail)) if sentence else str(error)
