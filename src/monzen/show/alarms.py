"""What the judge noticed and did not deny, in sentences: alarms and break-ins."""

from __future__ import annotations

from collections.abc import Callable

from monzen.judge.tables import Alarm, Breach
from monzen.show.text import network, safe
from monzen.show.words import N_, _, joined

ALARMS = {
    "outage": N_("our own authentication server did not answer: failures of that time count for nobody"),
    "hidden-clients": N_("failures come from {who}, behind which the real clients are hidden (web mail, Docker, a proxy)"),
    "silent-outage": N_(
        "many of your users failed at once and nobody got in: the server is at fault; those failures count for nobody"
    ),
    "late-login": N_(
        "{who} failed by the clock, then logged in: a device with its new password, or a guess that hit. Ask its user"
    ),
    "login-before": N_("{who} logged in{user} before it began to guess: ask that user, or change the password"),
    "device": N_("{who} tries one name over and over: probably an old password on a device"),
    "known-client-fails": N_("{who}, a client you know, keeps failing: probably an old password on a device"),
}
BREACHES = {
    "guessed": N_("{who} guessed, then logged in as {user}: its password is known to somebody. Change it now"),
    "denied": N_("{who} was to be turned away and logged in as {user}: its password is known to somebody. Change it now"),
    "network": N_("{who}, of an attacking network, logged in as {user}: ask that user, or change the password"),
    "mixed": N_("{who} failed and got in within one session: look who it was, and change that password"),
}


SOMEBODY = N_("a user of yours")


def alarming(alarm: Alarm, user: str = "", told: Callable[[str], str] = _) -> str:
    """The sentence of an alarm; `user` is ` as NAME`, or nothing; `told` translates."""
    return told(ALARMS[alarm.what]).format(who=network(alarm.client, len(alarm.client) * 8) if alarm.client else "", user=user)


def broken_in(breach: Breach, told: Callable[[str], str] = _) -> str:
    """The sentence of a break-in; `told` translates."""
    user = safe(breach.user.decode("utf-8", "replace"), 80) if breach.user else told(SOMEBODY)
    return joined(told(BREACHES[breach.why]).format(who=network(breach.client, len(breach.client) * 8), user=user))
