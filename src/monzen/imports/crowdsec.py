"""CrowdSec's decisions: its SQLite database, and what `cscli decisions list -o json` prints.

Source: crowdsec pkg/database/ent/schema/decision.go and cmd/crowdsec-cli/clidecision/decisions.go; what 1.4.6 of Debian 12 wrote
and printed stands in tests/imports. cscli prints alerts, each with its decisions; the API a list of decisions, or {"new": [...]}.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from monzen.imports.found import MOST, Ban, Found, ListError
from monzen.show.words import _

TABLE: Final = "decisions"
COLUMNS: Final = "value, scope, type, simulated, origin, scenario, created_at, until"
# As Go writes a duration: 3h59m56.375880066s, 853.9ms, -1h2m. Source: time.Duration.String
LENGTH: Final = re.compile(
    r"(-?)(?=.)(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)(s|ms|us|µs|ns))?", re.ASCII
).fullmatch
UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
STAMP: Final = re.compile(r"(?a)(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d{1,9})? ?(Z|[+-]\d\d:?\d\d)?(?: UTC)?").fullmatch
OWN: Final = ("crowdsec", "")  # the origin that goes without saying: it saw it in its own logs


def read_database(database: sqlite3.Connection, found: Found) -> None:
    """Take all decisions. Raises sqlite3.Error."""
    query = f"SELECT {COLUMNS} FROM decisions ORDER BY id LIMIT {MOST + 1}"  # nothing of the file's own
    for value, scope, kind, simulated, origin, scenario, created, until in database.execute(query):
        end = None if until is None else _moment(until)
        if until is not None and end is None:
            found.rows += 1
            found.spoil(until)
            continue
        _take(found, value, scope, kind, simulated, Ban(b"", 0, _moment(created), end, _source(scenario, origin)))


def read_json(content: bytes, found: Found, at: float) -> None:
    """Take all decisions of a JSON text, written at this time (epoch seconds): ends are told from then. Raises ListError."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        raise ListError(_("it is no JSON text. Write it anew: cscli decisions list -o json --limit 0")) from None
    for decision, created in _decisions(whole):
        if not isinstance(decision, dict):
            found.rows += 1
            found.spoil(decision)
            continue
        get = decision.get
        end = _end(get("duration"), at)
        if get("duration") is not None and end is None:
            found.rows += 1
            found.spoil(get("duration"))
            continue
        ban = Ban(b"", 0, _moment(created) or at, end, _source(get("scenario") or get("reason"), get("origin")))
        _take(found, get("value"), get("scope", "ip"), get("type", "ban"), get("simulated", False), ban)
        if found.rows > MOST:
            return


def _decisions(whole: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  # whatever the file holds
    """The decisions of alerts, of a plain list, or of the API's stream; each with the time of its alert."""
    if isinstance(whole, dict):
        whole = whole.get("new", [whole] if "value" in whole else whole.get("decisions"))
    for item in whole if isinstance(whole, list) else ():
        inside = item.get("decisions") if isinstance(item, dict) else None
        if isinstance(inside, list):
            for decision in inside:
                yield decision, item.get("created_at")
        elif not (isinstance(item, dict) and "value" not in item and "decisions" in item):  # an alert without any
            yield item, None


def _take(found: Found, value: object, scope: object, kind: object, simulated: object, ban: Ban) -> None:
    """Only a ban of an address or a network that is meant."""
    said = [text.lower() if isinstance(text, str) else "" for text in (scope, kind)]
    if said[0] not in ("ip", "range") or said[1] != "ban" or simulated:
        found.skip()
    else:
        found.add(value, ban)


def _source(scenario: object, origin: object) -> str:
    """`crowdsecurity/ssh-bf (CAPI)`."""
    name = scenario[:80] if isinstance(scenario, str) else ""
    whose = origin[:20] if isinstance(origin, str) else ""
    return name + (f" ({whose})" if whose not in OWN else "")


def _end(length: object, at: float) -> float | None:
    """When a decision ends that had so long to go then."""
    parts = LENGTH(length) if isinstance(length, str) else None
    if parts is None or not (parts[2] or parts[3] or parts[4]):
        return None
    seconds = int(parts[2] or 0) * 3600.0 + int(parts[3] or 0) * 60.0 + float(parts[4] or 0) * UNITS[parts[5] or "s"]
    return at + (-seconds if parts[1] else seconds)


def _moment(stamp: object) -> float | None:
    """Epoch seconds of `2026-11-26 07:12:00+00:00`, as its SQLite drivers and its API write it; without a zone it is UTC."""
    parts = STAMP(stamp) if isinstance(stamp, str) else None
    if parts is None:
        return None
    zone = "+00:00" if parts[3] in (None, "Z") else parts[3]
    try:
        return dt.datetime.fromisoformat(f"{parts[1]}T{parts[2]}{zone}").timestamp()
    except (ValueError, OverflowError):
        return None
