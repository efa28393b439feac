"""What can go wrong where bytes come from, in words a person can act on."""

from __future__ import annotations

_SENTENCES = {
    "missing": "cannot read {path}: {detail}. Check the name, or name the folder that the logs are in",
    "unreadable": "cannot read {path}: {detail}. Run as root or as a member of the group that owns the file (often adm)",
    "not-a-file": "cannot read {path}: it is a {detail}. Name a log file, a folder, a pipe, or - for standard input",
    "binary": "cannot read {path}: it is {detail}, not a text log. Name the log that the mail server writes",
    "truncated": "{path} ends in the middle of the archive: the lines before that were read. Fetch the file again",
    "corrupt": "{path} is damaged ({detail}): the lines before that were read. Fetch the file again",
    "replaced": "cannot read all of {path}: {detail} holds the same and was read instead. Remove {path} if it is damaged",
    "no-zstd": "cannot read {path}: it is compressed with zstd. Run pip install zstandard, or unpack it with zstd -d",
    "no-logs": "there are no logs in {path}. Name a log file, or - for standard input",
    "journal": "cannot read all of the journal: {detail}. Run as root or as a member of the group systemd-journal",
    "lost": "what was to be read next of {path} is gone: lines may be missing. Check logrotate: keep logs for a day at least",
    "cut-off": "{path} was cut off, and there is no copy of it: lines may be lost. Check logrotate: create loses none",
    "cursor": "the {path} forgot where reading ended ({detail}): on from the last line's time. Check journald's SystemMaxUse",
}


class SourceError(Exception):
    """A source, or the rest of it, cannot be read; `str` is the sentence in English.

    `reason` is a key of the table above, for the translation; `path` is the source as people named it; `detail` is in the
    words of the operating system or of the library, and may be empty.
    """

    def __init__(self, reason: str, path: str, detail: str = "") -> None:
        super().__init__(reason, path, detail)
        self.reason = reason
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return _SENTENCES[self.reason].format(path=self.path, detail=self.detail)

    @classmethod
    def refused(cls, path: str, error: OSError | ValueError) -> SourceError:
        """The SourceError for what the operating system answered to a call about `path`."""
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return cls("missing", path, error.strerror or str(error))
        if isinstance(error, OSError):
            return cls("unreadable", path, error.strerror or str(error))
        return cls("missing", path, str(error))  # os.stat: a NUL byte in the name
