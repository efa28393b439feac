"""fail2ban's SQLite database: whom it bans now.

Source: fail2ban 1.0.2, server/database.py. Version 4 has `bips`, each address and jail once; older ones only `bans`, and before
version 3 without `bantime`. A ban time of -1 is for good, -2 is unknown (updateDb). What is unbanned is deleted from both.
"""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Final

from monzen.imports.found import LINE, LINES, MOST, Ban, Found, number

TABLES: Final = ("bips", "bans")
UNKNOWN: Final = -2
WITNESSED: Final = 20_000  # bans whose lines are kept: a default of a column may be large, and is stored once for all of them
DATA: Final = 65_536  # bytes of what it keeps of a ban: ten lines of its log, and numbers


def read(database: sqlite3.Connection, table: str, found: Found) -> None:
    """Take all bans. Raises sqlite3.Error."""
    columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
    length = "bantime" if "bantime" in columns else str(UNKNOWN)
    data = f"CASE WHEN length(data) <= {DATA} THEN data END" if "data" in columns else "NULL"
    query = f"SELECT ip, jail, timeofban, {length}, {data} FROM {table} ORDER BY timeofban LIMIT {MOST + 1}"
    for count, (address, jail, at, seconds, data_of) in enumerate(database.execute(query)):
        kept = data_of if count < WITNESSED else None
        since, lasts = number(at), number(seconds)
        if since is None or lasts is None:
            found.rows += 1
            found.spoil(address)
            continue
        since = min(since, found.now)  # a clock that was ahead: nobody is denied for so much longer
        until = None if lasts == UNKNOWN else math.inf if lasts < 0 else since + lasts
        failures, lines = _kept(kept)
        name = jail[:40] if isinstance(jail, str) else ""
        found.add(address, Ban(b"", 0, since, until, name, failures, lines))


def _kept(data: object) -> tuple[int, tuple[bytes, ...]]:
    """How many failures, and the lines: `{"matches": ["line", ["date", "line"]], "failures": 5}`."""
    try:
        value = json.loads(data) if isinstance(data, str | bytes) else None
    except (ValueError, RecursionError):
        return 0, ()
    if not isinstance(value, dict):
        return 0, ()
    failures = number(value.get("failures"))
    matches = value.get("matches")
    lines: list[bytes] = []
    for match in matches[-LINES:] if isinstance(matches, list) else ():
        parts = match if isinstance(match, list) else [match]
        text = "".join(part for part in parts if isinstance(part, str)).strip()
        if text:
            lines.append(text.encode("utf-8", "backslashreplace")[:LINE])
    return max(0, int(failures or 0)), tuple(lines)
