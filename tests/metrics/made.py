"""Facts in which there is something to say of everything."""

import time

from monzen.ledger import Tally
from monzen.ledger.totals import ALARMS, ENDINGS, ORIGINS, PLACES
from monzen.metrics.facts import Facts

NOW = time.time()
SOURCE = {"path": "/var/log/mail.log", "caught_up": True, "last": NOW - 5, "lines": 10, "late": 0.0, "error": ""}
RUN = {
    "at": NOW - 3, "started": NOW - 99, "pid": 7, "version": "1\n", "lines": 10, "events": 5, "suspects": 2, "clients": 3, "sentences": 1,
    "twice": 0, "waiting": 0, "samples": [], "stopped": False, "history": False,
    "sources": [SOURCE, {**SOURCE, "path": "journal", "last": None, "error": "refused"}],
    "gate": {"connected": True, "mode": "armed", "error": ""}, "state": {"records": 1, "snapshot": 2, "behind": False},
}  # fmt: skip
GATE = {
    "started": NOW - 99, "pid": 8, "mode": "armed", "firewall": "nftables", "applied": NOW - 9, "trouble": "", "peers": 1, "denied": 1,
    "watched": 0, "same": 2, "refused": 3, "alarms": 0,
}  # fmt: skip
TOTALS = {
    **{("denied", o): 3 for o in ORIGINS}, **{("ended", e): 2 for e in ENDINGS}, **{("alarm", a): 1 for a in ALARMS},
    ("watched", ""): 4, ("knocks", ""): 77, ("octets", ""): 4620,
}  # fmt: skip
TALLY = Tally(dict.fromkeys(PLACES, 5), 4, 2, dict.fromkeys(ALARMS, NOW - 60), TOTALS, 8192)


def facts(**changes):
    known = {
        "now": NOW, "took": 0.01, "version": "0.1.0", "mode": "paused", "until": NOW + 60, "ledger": TALLY, "run": RUN, "alive": True,
        "gate": GATE, "sources": frozenset(("/var/log/mail.log", "journal")),
    }  # fmt: skip
    return Facts(**{**known, **changes})
