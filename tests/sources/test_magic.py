"""A text log is read whatever crashed in it; a program, an image, a database, a login record are not."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from monzen.sources.magic import HEAD, binary_kind, form_of
from tests.sources.made import PACK, log, read

LINE = b"Sep  4 16:59:45 mail postfix/smtpd[28414]: connect from unknown[192.0.2.7]\n"

# utmp(5): type, pid, line, id, user, host, exit, session, seconds, microseconds, address
WTMP = b"".join(
    struct.pack(
        "<h2xi32s4s32s256shhiii16s20x", kind, pid, b"pts/0", b"ts/0", b"root", b"client.example.net", 0, 0, 0, 1788000000, 10, b"\n\n"
    )
    for kind, pid in [(2, 0), (1, 53), (7, 10), (8, 0x0A0A0A0A)]
)


@pytest.mark.parametrize(
    "data",
    [
        WTMP,
        WTMP * 20,
        b"\0" * 256 + b"\x01\x02\x03\x04pts/0\0\0\0",  # lastlog: the first users never logged in
        Path(sys.executable).read_bytes()[: 1 << 16],  # ELF
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)),
        b"SQLite format 3\0\x10\0\x01\x01" + b"CREATE TABLE t (a, b, c, d, e)\n" * 50,
        b"LPKSHHRH" + b"\0" * 8 + bytes(range(256)),
        b"PK\x03\x04\x14\0\0\0" + LINE * 3,
        "".join(["Sep  4 16:59:45 mail sshd[1]: Connection closed\n"] * 9).encode("utf-16"),
        "".join(["Sep  4 16:59:45 mail sshd[1]: Connection closed\n"] * 9).encode("utf-16-le"),
        "".join(["Sep  4 16:59:45 mail sshd[1]: Connection closed\n"] * 9).encode("utf-16-be"),
        b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    ],
    ids=lambda data: repr(data[:6]),
)
def test_what_is_no_log_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    got = read(tmp_path / "mail.log", data)
    assert (got.reason, got.text) == ("binary", b"")
    assert got.error is not None
    assert got.error.detail


@pytest.mark.parametrize(
    "data",
    [
        LINE,
        b"\n",
        b"\xff\xfeh" * 0 + b"\xe9\xe8 Latin-1, and \x07\x1b[31m controls\n",
        LINE * 5 + b"\0" * 300 + LINE * 5,  # a power cut
        b"\0" * 300 + LINE,
        b"\0" * HEAD + LINE,  # the run is all that is looked at
        b"\0" * (HEAD - 20) + LINE,  # and here no line of it ends
        LINE[:-1] + b"\0" * 5000,
        b"\0" * 100,
        LINE * 5 + b"user=<\0\0\0>\n" + LINE,  # an attacker's NUL
        LINE + WTMP,  # and whatever follows a line
        b"BZh, said the bee\n",
        b"x",
    ],
    ids=lambda data: repr(data[:6]),
)
def test_what_may_be_a_log_is_read(tmp_path: Path, data: bytes) -> None:
    got = read(tmp_path / "mail.log", data)
    assert (got.reason, got.text) == (None, data if data.endswith(b"\n") else data + b"\n")


@pytest.mark.parametrize("form", PACK)
def test_binary_data_in_an_archive_is_binary(tmp_path: Path, form: str) -> None:
    assert read(tmp_path / "wtmp.1.gz", PACK[form](WTMP * 40)).reason == "binary"
    assert read(tmp_path / "wtmp.1.gz", PACK[form](log(3))).text == log(3)


def test_a_hole_of_any_length_at_the_front_costs_one_line(tmp_path: Path) -> None:
    """copytruncate under a writer that does not append: the file is as long as ever, and all holes up to the new lines."""
    path = tmp_path / "mail.log"
    with path.open("wb") as file:
        file.truncate(30_000_000)
        file.seek(0, os.SEEK_END)
        file.write(log(100))
    got = read(path)
    assert got.skipped == 1  # the hole has no newline: it is one line with the first
    assert got.text == log(99, start=1)


@pytest.mark.parametrize("form", PACK)
def test_marks(form: str) -> None:
    assert form_of(PACK[form](b"x")) == form
    assert form_of(PACK[form](b"")) == form
    assert not binary_kind(LINE)
    assert form_of(b"") == form_of(LINE) == form_of(b"\x1f") == "plain"
