"""What the judge noticed and did not deny, in sentences: alarms and break-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from monzen.judge.findings import Alarm, Breach, Spared
from monzen.show.text import network, safe
from monzen.show.words import N_, _, joined

if TYPE_CHECKING:
    from monzen.judge.judge import Judge

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
    "guessed": N_("{who} guessed, then logged in as {user}: that user's password is known to somebody. Change it now."),
    "denied": N_(
        "{who} was to be turned away and logged in as {user}: that user's password is known to somebody. Change it now."
    ),
    "network": N_("{who}, of an attacking network, logged in as {user}: ask that user, or change the password"),
    "mixed": N_("{who} failed and got in within one session: look who it was, and change that password"),
}
SOMEBODY = N_("a user of yours")
HARMLESS: Final = ("device", "known-client-fails", "late-login")  # alarms that take somebody for a user of yours
MERCIES: Final = ("device", "known")  # reasons to spare somebody that do


def insiders(judge: Judge) -> set[bytes]:
    """Who got in, as the judge names clients: of those nobody says any more that they look like a device of yours."""
    return {b.client if len(b.client) == 4 else b.client[:8] for b in judge.breaches}


def noticed(judge: Judge, alarms: Iterable[Alarm] | None = None) -> list[Alarm]:
    """What a person should look at, in order of time; of these alarms, or of all."""
    inside = insiders(judge)
    return [a for a in (judge.alarmed() if alarms is None else alarms) if a.what not in HARMLESS or a.client not in inside]


def spared(judge: Judge) -> list[Spared]:
    """Who was not denied, for a reason that still holds."""
    inside = insiders(judge)
    return [s for s in judge.spared.values() if s.reason not in MERCIES or s.target not in inside]


def unrefuted(judge: Judge, stored: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of stored alarms those that do not take for harmless who got in since; such a sentence begins with the address."""
    inside = {network(key, 8 * len(key)) for key in insiders(judge)}
    return [a for a in stored if a["kind"] not in HARMLESS or a["text"].partition(" ")[0].rstrip(",") not in inside]


def alarming(alarm: Alarm, user: str = "", told: Callable[[str], str] = _) -> str:
    """The sentence of an alarm; `user` is ` as NAME`, or nothing; `told` translates."""
    return told(ALARMS[alarm.what]).format(who=network(alarm.client, len(alarm.client) * 8) if alarm.client else "", user=user)


def broken_in(breach: Breach, told: Callable[[str], str] = _) -> str:
    """The sentence of a break-in; `told` translates."""
    user = safe(breach.user.decode("utf-8", "replace"), 80) if breach.user else told(SOMEBODY)
    return joined(told(BREACHES[breach.why]).format(who=network(breach.client, len(breach.client) * 8), user=user))
