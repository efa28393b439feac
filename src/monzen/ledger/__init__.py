"""What was decided and what came of it, in one SQLite file: denials with their evidence, releases, what is allowed, knocks, alarms."""

from monzen.ledger.records import Alarm, Allowed, Entry, Knocked, LedgerError, Order, Release
from monzen.ledger.store import Ledger

__all__ = ["Alarm", "Allowed", "Entry", "Knocked", "Ledger", "LedgerError", "Order", "Release"]
