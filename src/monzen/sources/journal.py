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

    # --all: without it a MESSAGE over 4096 bytes is null (systemd 252, logs-show.c, JSON_THRESHOLD).
    command = ["journalctl", "--no-pager", "--all", "--output=json", "--output-fields=" + FIELDS]
    if since is not None:
        command.append(f"--since=@{math.floor(since)}")
    if until is not None:
        command.append(f"--until=@{math.ceil(until)}")
    # A file, not a pipe: nobody reads stderr while we read stdout, and a full pipe would stop journalctl for good. In memory: a
    # rescue system may have no folder that can be written.
    with os.fdopen(os.memfd_create("journalctl"), "w+b") as complaints:
        try:
            child = subprocess.Popen(
                [*command, *MATCHES], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, bufsize=0
            )
        except OSError as error:
            raise SourceError("journal", JOURNAL, f"journalctl: {error.strerror}") from error
        try:
            assert child.stdout is not None
            for block in whole_lines(_chunks(child.stdout, size, progress), skipped):
                if block.startswith(b"--") or b"\n--" in block:
                    block = REMARK.sub(b"", block)
                if block:
                    yield block
            status = child.wait()
        finally:
            child.kill()  # does nothing to one that has been waited for
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        complaints.seek(0)
        words = " ".join(complaints.read(WORDS).decode(errors="replace").split())
    if status or words:
        raise SourceError("journal", JOURNAL, words or f"journalctl: exit status {status}")


def _chunks(stdout: IO[bytes], size: int, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    while chunk := os.read(stdout.fileno(), size):
        if progress:
            progress(len(chunk))
        yield chunk
