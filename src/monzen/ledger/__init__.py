"""What was decided and what came of it, in one SQLite file: denials, their evidence, releases, who is allowed, knocks, alarms."""

from monzen.ledger.place import LEDGER
from monzen.ledger.records import (
    Alarm,
    Allowed,
    Counts,
    Entry,
    Knocked,
    LedgerError,
    Limits,
    Order,
    Past,
    Release,
    Rescued,
)
from monzen.ledger.rescue import rescue
from monzen.ledger.store import Ledger
from monzen.ledger.totals import Tally

__all__ = [
    "LEDGER",
    "Alarm",
    "Allowed",
    "Counts",
    "Entry",
    "Knocked",
    "Ledger",
    "LedgerError",
    "Limits",
    "Order",
    "Past",
    "Release",
    "Rescued",
    "Tally",
    "rescue",
]
