"""journald, through its own program: what the mail, auth and kernel lines of the journal say, as JSON."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from typing import IO

from monzen.sources.error import SourceError
from monzen.sources.lines import whole_lines

JOURNAL = "journal"
FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,_COMM,_EXE,_HOSTNAME,_TRANSPORT,__REALTIME_TIMESTAMP"
# Facilities mail, auth and authpriv (RFC 5424, table 1), and the kernel for ufw. Not the identifier: matches know no prefix
# (postfix/submission/smtpd); not the unit: it is postfix@-.service on Debian (FACTS.md, G).
MATCHES = ("SYSLOG_FACILITY=2", "+", "SYSLOG_FACILITY=4", "+", "SYSLOG_FACILITY=10", "+", "_TRANSPORT=kernel")
# systemd 252, journalctl.c: "-- Boot ID --" and "-- No entries --" are printed in any format, unless --quiet; but that would
# hide the hint that we see a part of the journal only.
REMARK = re.compile(rb"^--.*\n", re.MULTILINE)
WORDS = 500  # bytes of what journalctl complains of: enough for its longest hint


def command(*options: str) -> list[str]:
    """What to run for the lines that we want."""
    # --all: without it a MESSAGE over 4096 bytes is null (systemd 252, logs-show.c, JSON_THRESHOLD).
    return ["journalctl", "--no-pager", "--all", "--output=json", "--output-fields=" + FIELDS, *options, *MATCHES]


def without_remarks(block: bytes) -> bytes:
    """The lines of a block that come from the journal, not from journalctl."""
    return REMARK.sub(b"", block) if block.startswith(b"--") or b"\n--" in block else block


def words_of(said: bytes) -> str:
    """What journalctl said to stderr, in one line."""
    return " ".join(said[:WORDS].decode(errors="replace").split())


def journal_blocks(
    *,
    since: float | None = None,
    until: float | None = None,
    size: int = 1 << 16,
    progress: Callable[[int], None] | None = None,
    skipped: Callable[[int], None] | None = None,
) -> Iterator[bytes]:
    """Blocks of whole lines, each line one JSON object, oldest first, from `since` to `until` (epoch seconds).

    Errors: SourceError "journal", after all lines that there are, if journalctl is missing, fails or complains: it exits with 0
    when the journals of others are closed to us, and only says so.
    """
    import subprocess  # takes longer to import than a small log to read

    options: list[str] = []
    if since is not None:
        options.append(f"--since=@{math.floor(since)}")
    if until is not None:
        options.append(f"--until=@{math.ceil(until)}")
    # A file, not a pipe: nobody reads stderr while we read stdout, and a full pipe would stop journalctl for good. In memory: a
    # rescue system may have no folder that can be written.
    with os.fdopen(os.memfd_create("journalctl"), "w+b") as complaints:
        try:
            child = subprocess.Popen(
                command(*options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, bufsize=0
            )
        except OSError as error:
            raise SourceError("journal", JOURNAL, f"journalctl: {error.strerror}") from error
        try:
            assert child.stdout is not None
            for block in whole_lines(_chunks(child.stdout, size, progress), skipped):
                if block := without_remarks(block):
                    yield block
            status = child.wait()
        finally:
            child.kill()  # does nothing to one that has been waited for
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        complaints.seek(0)
        words = words_of(complaints.read(WORDS))
    if status or words:
        raise SourceError("journal", JOURNAL, words or f"journalctl: exit status {status}")


def _chunks(stdout: IO[bytes], size: int, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    while chunk := os.read(stdout.fileno(), size):
        if progress:
            progress(len(chunk))
        yield chunk
