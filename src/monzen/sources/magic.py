"""What a file is, by its first bytes and never by its name: a form we can unpack, a text, or something else."""

from __future__ import annotations

import re

HEAD = 4096  # bytes; one page is what `file` and grep look at too, and every mark below stands in it

# gzip: RFC 1952 2.3.1. xz: xz-file-format.txt 2.1.1.1. bzip2: "BZh", level, then pi, or the root of it when empty.
# zstd: RFC 8878 3.1.1, and skippable frames (3.1.2), with which pzstd begins.
_FORMS = (
    (re.compile(rb"\x1f\x8b"), "gz"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bz2"),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), "zst"),
)

# What people name by mistake, or a shell's * names for them. Several have a line of text at the front.
_BINARY = (
    (b"\x7fELF", "an ELF program"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"LPKSHHRH", "a journal file (monzen reads the journal when no file is named)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"\x1f\x9d", "a compress archive"),
    (b"!<arch>\n", "an ar archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)

_PRINTABLE = rb"[\t\r\x1b\x20-\x7e\x80-\xff]"
# A line of a log has at least a stamp (15 letters). Text, then its newline, with no NUL between.
_LINE = re.compile(rb"(?:\A|[\x00\n])" + _PRINTABLE + rb"{15,}+\n")
# After a power cut a log holds one run of NULs (blocks that were allocated and never written); copytruncate under a writer
# that does not append leaves one at the front, of any length.
_HOLED = re.compile(rb"\x00*+(?:" + _PRINTABLE + rb"|\n)*+\x00*+")


def form_of(head: bytes) -> str:
    """"gz", "xz", "bz2" or "zst" where `head` begins like one, else "plain"."""
    for mark, form in _FORMS:
        if mark.match(head):
            return form
    return "plain"


def binary_kind(head: bytes) -> str:
    """What the file is, in English, if its first HEAD bytes are not those of a text log; "" if they may be."""
    head = head[:HEAD]
    for mark, kind in _BINARY:
        if head.startswith(mark):
            return kind
    if b"\x00" not in head or _LINE.search(head) or _HOLED.fullmatch(head):
        return ""
    return "binary data"
