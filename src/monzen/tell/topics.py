"""What alarms are about: the few topics by which people are told, at once or with the digest.

There are few because one message an hour is sent of each: the kinds of alarms that `monzen run` reports are words of a process
that reads hostile text, and a kind nobody knows is `other`.
"""

from __future__ import annotations

from typing import Final

from monzen.show.words import N_

# Of each the headline. The words are the `kind` of hook and POST and never change their meaning.
TOPICS: Final = {
    "account": N_("an account was guessed, or may have been"),
    "outage": N_("the server's own authentication failed"),
    "hidden-clients": N_("clients are hidden behind a proxy"),
    "gate": N_("the gate does not work"),
    "reading": N_("the logs are not read"),
    "silent": N_("a log is silent"),
    "firewall": N_("the firewall does not hold what it should"),
    "ledger": N_("the ledger has trouble"),
    "mode": N_("the gate was armed, opened or closed"),
    "other": N_("something that you should look at"),
    "test": N_("this is a test"),
}
# By the kind of an alarm in the ledger (show/alarms.py, guard/talk.py, gatehouse.py, upkeep.py, verbs/mode.py), or of what is
# wrong (verbs/troubles.py). An empty topic waits for the digest: nothing about it is urgent.
_OF: Final = {
    **dict.fromkeys(("breach", "login-before", "late-login"), "account"),
    **dict.fromkeys(("outage", "silent-outage"), "outage"),
    "hidden-clients": "hidden-clients",
    **dict.fromkeys(("no-gate", "no-link"), "gate"),
    **dict.fromkeys(("no-run", "no-source", "source", "behind"), "reading"),
    "silent": "silent",
    **dict.fromkeys(("gate", "full", "leak", "trouble", "no-firewall"), "firewall"),
    **dict.fromkeys(("ledger", "no-ledger"), "ledger"),
    **dict.fromkeys(("mode", "panic"), "mode"),  # that it is open since a panic is said again each day
    "test": "test",
    **dict.fromkeys(("device", "known-client-fails", "late", "formats"), ""),
}


def topic_of(kind: str) -> str:
    """The topic of a kind; empty where it waits for the digest."""
    return _OF.get(kind, "other")
