"""Which kind of list a file is, told from its content; and reading it, within bounds."""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import Final

from monzen.imports import crowdsec, database, fail2ban, plain
from monzen.imports.found import MOST, Found, ListError
from monzen.show.text import safe
from monzen.show.words import _

KINDS: Final = ("fail2ban", "crowdsec", "plain")
LARGEST: Final = 64 << 20  # bytes of a text: a million lines, or the 50,000 decisions of a community blocklist as JSON
JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*(?:[{\]]|\Z)|\{|null\s*\Z)").match
PACKED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")


def read(path: str, kind: str | None, now: float, *, every: bool = False) -> Found:
    """What the file holds; `-` is standard input, `kind` None tells it from the content. Raises ListError."""
    shown = _("standard input") if path == "-" else safe(path)
    content, at = _content(path, shown, now)
    name = "" if path == "-" else safe(os.path.basename(path), 60)
    if content.startswith(database.MAGIC):
        found = _database(path, shown, kind, now, every)
    elif kind == "fail2ban":
        raise ListError(_("{path} is no SQLite database, and fail2ban has one. Name it: {usual}").format(path=shown, usual=USUAL))
    elif kind == "crowdsec" or (kind is None and JSON(content)):
        found = Found("crowdsec", now, every)
        try:
            crowdsec.read_json(content, found, at)
        except ListError as error:
            raise ListError(_("cannot read {path}: {why}").format(path=shown, why=error)) from None
    else:
        if content.startswith(PACKED):
            raise ListError(_("{path} is compressed. Unpack it: zcat FILE | monzen import -").format(path=shown))
        if content.count(b"\n") > MOST:
            raise _too_many(shown)
        found = Found("plain", now, every)
        plain.read(content, found, name, at)
    if found.rows > MOST:
        raise _too_many(shown)
    if found.bad and not (found.bans or found.over or found.other):
        said = _("there is no address in {path} that can be read: it begins with {text}. See: monzen import --help")
        raise ListError(said.format(path=shown, text=", ".join(found.first_bad[:2])))
    return found


USUAL: Final = "/var/lib/fail2ban/fail2ban.sqlite3"


def _database(path: str, shown: str, kind: str | None, now: float, every: bool) -> Found:
    """A database of one of the two."""
    if path == "-":
        raise ListError(_("a database cannot be read from standard input. Name its file"))
    with database.opened(path) as opened:
        there = database.tables(opened)
        table = next((t for t in fail2ban.TABLES if t in there), None)
        if table is not None and kind in (None, "fail2ban"):
            found = Found("fail2ban", now, every)
            fail2ban.read(opened, table, found)
            return found
        if crowdsec.TABLE in there and kind in (None, "crowdsec"):
            found = Found("crowdsec", now, every)
            crowdsec.read_database(opened, found)
            return found
    said = _("{path} is a database, but not {kind}: the tables are missing. Name the file of the other tool, or a text list")
    raise ListError(said.format(path=shown, kind=" / ".join(KINDS[:2]) if kind is None else kind))


def _content(path: str, shown: str, now: float) -> tuple[bytes, float]:
    """The bytes, of a database only the first; and how old they are, epoch seconds."""
    try:
        if path == "-":
            content, at = sys.stdin.buffer.read(LARGEST + 1), now
        else:
            with open(path, "rb") as file:
                found = os.fstat(file.fileno())
                at = min(now, found.st_mtime) if stat.S_ISREG(found.st_mode) else now
                content = file.read(len(database.MAGIC))
                if content != database.MAGIC:
                    content += file.read(LARGEST + 1 - len(content))
    except OSError as error:
        detail = _(error.strerror) if error.strerror else str(error)
        said = _("cannot read {path}: {detail}. Check the name and who may read it")
        raise ListError(said.format(path=shown, detail=safe(detail))) from None
    if len(content) > LARGEST:
        said = _("{path} is larger than {most}, which no list of attackers is. Split it, or name another file")
        raise ListError(said.format(path=shown, most="64 MiB"))
    return content, at


def _too_many(shown: str) -> ListError:
    said = _("{path} has more than {most:,} rows, more than a firewall should hold. Shorten it, or name wider networks")
    return ListError(said.format(path=shown, most=MOST))
