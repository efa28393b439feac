"""One message about one topic: as JSON for programs, as a mail for people. What attackers chose is escaped and bounded here."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from typing import Any, Final, NamedTuple

from monzen.show.stored import retold
from monzen.show.text import iso, safe, stamp
from monzen.show.words import _, ngettext
from monzen.show.wrap import margined
from monzen.tell.topics import TOPICS

SHOWN: Final = 20  # alarms in one message: who wants more asks the ledger
LETTERS: Final = 500  # of one alarm, as the ledger keeps them
WIDTH: Final = 76  # columns of a mail: RFC 5322, 2.1.1 has 78
NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?").fullmatch  # RFC 1123, 2.1


class TellError(Exception):
    """Somebody could not be told: what failed, why, what to do, in a sentence. `tested`: what to do where that was a test."""

    def __init__(self, said: str, advice: str = "", tested: str = "") -> None:
        whole = _("{said}. {advice}")
        super().__init__(whole.format(said=said, advice=advice) if advice else said)
        self.of_a_test = whole.format(said=said, advice=tested) if tested else str(self)


def tried() -> str:
    """What to do where an alarm could not be told."""
    return _("Try it: sudo monzen tell --test")


class Row(NamedTuple):
    """One alarm. `id` is its own for good, also where the ledger begins anew; `number` is the ledger's, 0 for none."""

    id: str
    at: float
    kind: str
    text: str
    number: int = 0


class Message(NamedTuple):
    """What is told at once: all that is new about a topic, the newest first."""

    topic: str
    rows: tuple[Row, ...]
    at: float
    host: str


def host_name() -> str:
    """The name of this machine, as it may stand in a header; empty where it is none."""
    name = os.uname().nodename
    return name if NAME(name) else ""


def as_values(message: Message) -> dict[str, Any]:
    """For hook and POST. Keys never change their meaning; `text` is a sentence for people, in the language of its writer."""
    return {
        "version": 1,
        "kind": message.topic,
        "host": message.host,
        "at": iso(message.at),
        "count": len(message.rows),
        "alarms": [
            {"at": iso(row.at), "kind": safe(row.kind, 100), "text": safe(row.text, LETTERS), "number": row.number or None}
            for row in message.rows[:SHOWN]
        ],
    }


def as_data(message: Message) -> bytes:
    """The same in bytes, all ASCII: whatever reads it needs no encoding."""
    return json.dumps(as_values(message)).encode("ascii") + b"\n"


def subject(message: Message) -> str:
    """Fixed words and the name of the machine: nothing in it was chosen by anybody else."""
    return f"[monzen] {message.host}: {_(TOPICS[message.topic])}"


def body(message: Message, zone: dt.tzinfo) -> str:
    """The text of the mail."""
    out = [_("monzen on {host}: {what}.").format(host=message.host or "?", what=_(TOPICS[message.topic])), ""]
    out += [f"  {stamp(row.at, zone, seconds=False)}  {safe(retold(row.text), LETTERS)}" for row in message.rows[:SHOWN]]
    if len(message.rows) > SHOWN:
        left = len(message.rows) - SHOWN
        out.append("  " + ngettext("and {n} more: monzen gate status", "and {n} more: monzen gate status", left))
    out += [
        "",
        _("What is wrong now, and what to do: sudo monzen status"),
        _("No more than one mail an hour is sent about this; what comes meanwhile is in the next."),
    ]
    return lined("\n".join(out) + "\n")


def lined(text: str) -> str:
    """The text of a mail in lines that every reader shows whole."""
    return "\n".join(margined(text, WIDTH))
