"""What `monzen run` and `monzen gate serve` say to each other: one JSON object a datagram, checked word by word.

The gate believes nothing: `run` reads hostile text all day and is taken to be lost one day. So the messages of `run` can only add
denials and report alarms; whatever else stands in them is refused, and what is too long, too many or no number ends the talk.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from monzen.judge.shield import Prefix
from monzen.ledger import Order
from monzen.show.stored import OWN

PROTOCOL: Final = 1
SOCKET: Final = "run/monzen/gate.sock"
MESSAGE: Final = 1 << 16  # bytes of one datagram
ORDERS: Final = 100  # in one message
LINES: Final = 6  # of evidence with an order
LINE: Final = 400  # bytes of each
NOTE: Final = 400  # letters of a reason
COUNT: Final = 1 << 31
WORD: Final = re.compile(r"[a-z][a-z0-9-]{0,31}").fullmatch
PREFIXES: Final = 700  # of the shield or of the releases in one message


class WireError(Exception):
    """A message that cannot be: what is wrong with it."""


class Found(NamedTuple):
    """An order of `run`: whom to deny, since which moment of the log, how long a quiet ends it, and why."""

    order: Order
    at: float  # when the last line came that it rests on


class Report(NamedTuple):
    """Something that a person should know."""

    at: float
    kind: str
    text: str


def packed(message: dict[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def unpacked(data: bytes) -> dict[str, Any]:
    """A message as it came. Raises WireError."""
    if len(data) >= MESSAGE:
        raise WireError("too long")
    try:
        message = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise WireError("no JSON") from None
    if not isinstance(message, dict):
        raise WireError("no object")
    return message


def _no_number(text: str) -> float:
    raise ValueError(text)


def order_row(order: Order, at: float) -> list[Any]:
    """An order for a message."""
    evidence = [line[:LINE].decode("latin-1") for line in (*order.evidence[:3], *order.evidence[3:][-3:])]
    return [
        order.network.hex(), order.bits, at, order.until, order.sentence, order.rule, order.clients, order.attempts, order.names,
        order.note[:NOTE], evidence,
    ]  # fmt: skip


def order_of(row: object) -> Found:
    """The order in a message of `run`. Raises WireError for what is none."""
    if not isinstance(row, list) or len(row) != 11:
        raise WireError("an order has eleven parts")
    hexed, bits, at, until, sentence, rule, clients, attempts, names, note, evidence = row
    network, length = prefix((hexed, bits))
    times = [number(value) for value in (at, until, sentence)]
    if not isinstance(rule, str) or not WORD(rule):
        raise WireError("no rule")
    if not isinstance(note, str) or len(note) > NOTE:
        raise WireError("no note")
    counts = [value for value in (clients, attempts, names) if type(value) is int and 0 <= value < COUNT]
    if len(counts) != 3:
        raise WireError("no count")
    if (
        not isinstance(evidence, list)
        or len(evidence) > LINES
        or not all(isinstance(e, str) and len(e) <= LINE for e in evidence)
    ):
        raise WireError("no evidence")
    try:
        lines = tuple(e.encode("latin-1") for e in evidence)
    except UnicodeEncodeError:
        raise WireError("no evidence") from None
    note.encode("utf-8", "replace")
    order = Order(
        network, length, 0, 0, times[1], times[2], rule, "run", note.encode("utf-8", "replace").decode(), counts[0], counts[1],
        lines, counts[2],
    )  # fmt: skip
    return Found(order, times[0])


def report_of(row: object) -> Report:
    """The alarm in a message of `run`. Raises WireError."""
    if not isinstance(row, list) or len(row) != 3:
        raise WireError("an alarm has three parts")
    at, kind, text = row
    if not isinstance(kind, str) or not WORD(kind) or not isinstance(text, str) or len(text) > NOTE:
        raise WireError("no alarm")
    if kind in OWN:
        raise WireError("an alarm of the gate's own")
    return Report(number(at), kind, text.encode("utf-8", "replace").decode())


def number(value: object) -> float:
    """A time or a length of time. Raises WireError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11 or not math.isfinite(value):
        raise WireError("no number")
    return float(value)


def prefix(value: object, least: int = 1) -> Prefix:
    """A network: hexadecimal address of 4 or 16 bytes with its host bits zero, and prefix length. Raises WireError."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise WireError("no network")
    hexed, bits = value
    if not isinstance(hexed, str) or len(hexed) not in (8, 32) or type(bits) is not int:
        raise WireError("no network")
    try:
        network = bytes.fromhex(hexed)
    except ValueError:
        raise WireError("no network") from None
    width = 8 * len(network)
    if len(network) not in (4, 16) or not least <= bits <= width or int.from_bytes(network, "big") & ((1 << (width - bits)) - 1):
        raise WireError("no network")
    return network, bits


def release_of(row: object) -> tuple[bytes, int, float]:
    """Who was released, and when. Raises WireError."""
    if not isinstance(row, list) or len(row) != 3:
        raise WireError("a release has three parts")
    return *prefix(row[:2], 0), number(row[2])


def answer_of(row: object) -> tuple[str, int]:
    """What became of an order, and the number of its denial. Raises WireError."""
    if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str) or type(row[1]) is not int:
        raise WireError("no answer")
    return row[0], row[1]


def rows_of(message: dict[str, Any], name: str, most: int = PREFIXES) -> list[Any]:
    """A list in a message. Raises WireError."""
    rows = message.get(name)
    if not isinstance(rows, list) or len(rows) > most:
        raise WireError(f"no {name}")
    return rows


def prefix_row(found: Prefix) -> list[Any]:
    """A network for a message."""
    return [found[0].hex(), found[1]]


def pieces(name: str, rows: Iterable[list[Any]]) -> list[dict[str, Any]]:
    """Rows in as many messages as they need; the last says that it is."""
    rows = list(rows)
    cut = [rows[i : i + PREFIXES] for i in range(0, len(rows), PREFIXES)] or [[]]
    return [{name: part, "more": i < len(cut) - 1} for i, part in enumerate(cut)]
