"""Why somebody was turned away or spared, in words: one sentence for each rule, with the numbers of the policy in it."""

from __future__ import annotations

from collections.abc import Callable

from monzen.judge.client import Sentence
from monzen.judge.judge import Judge, Spared
from monzen.judge.policy import Policy
from monzen.show.words import N_, plural

SPANS = (N_("{n:g} minutes"), N_("{n:g} hours"), N_("a day"), N_("{n:g} days"))


def english(text: str) -> str:
    """For JSON, which is never translated."""
    return text


def english_plural(one: str, many: str, n: int) -> str:
    """The same with a number in it."""
    return (one if n == 1 else many).format(n=f"{n:,}")


def span(seconds: float, _: Callable[[str], str]) -> str:
    """A length of time in words: `10 minutes`, `36 hours`, `7 days`."""
    minutes, hours, day, days = SPANS
    if seconds < 7200 and seconds % 3600:
        return _(minutes).format(n=round(seconds / 60, 1))
    if seconds <= 48 * 3600 and seconds != 86400:
        return _(hours).format(n=round(seconds / 3600, 1))
    if seconds == 86400:
        return _(day)
    return _(days).format(n=round(seconds / 86400, 1))


TEXTS = {
    "crowd": N_("{members} of one network, {tries}; {crowd} clients within {window} close it"),
    "gang": N_("{members} of one network within {week}, {tries}, and now several of them at once"),
    "crowd-member": N_("{tries}, together with its neighbours; {crowd} clients of one network within {window} are a gang"),
    "names": N_(
        "{tries} for {detail:,} unlike names; {ghosts} without an account, or {names} of any kind, within {week} are a list"
    ),
    "burst": N_("{tries} within {window}, none of which succeeded"),
    "slow": N_("{counted}, none of which succeeded; {slow} within {week}, or {often} an hour for one name, are too many"),
    "ssh": N_("{counted} over ssh within {week}; {ssh} are too many"),
    "return": N_("{tries}; it was turned away before and goes on"),
    "neighbours": N_("{tries}; {detail:,} clients of its network offended within {week}: one more failure is enough there"),
    "campaign": N_(
        "{tries}, as {detail:,} other networks make them: the same kind of session, names that never worked, then silence"
    ),
    "targeted": N_("{tries} over hours for one account that many unrelated networks guess at; no success from here"),
    "relay": N_(
        "probes for an open relay: {elsewhere}; {relay} addresses or {relay} separate times are too"
        " many, or one after a denial"
    ),
    "harvest": N_(
        "looks for mailboxes: {boxes}; {recipients} are too many, or one after a denial"
    ),
    "abuse": "{signs}",
    "knocks": N_("{packets} at closed ports, from a client or a network that offended before"),
    "wide": N_(
        "{members} in {detail:,} closed networks of one operator; {wide} at once close the prefix that it announces,"
        " unless somebody of yours is in it"
    ),
    "hopper": N_("{members} of one network, each for a short time: the attacker moves through it"),
}


COUNTS = {  # what stands in these places, for one and for many; of `members` and `tries` the sum, of all others the detail
    "members": plural("{n} client", "{n} clients"),
    "tries": plural("{n} attempt", "{n} attempts"),
    "counted": plural("{n} attempt", "{n} attempts"),
    "signs": plural("{n} sign of no mail program", "{n} signs of no mail program"),
    "packets": plural("{n} packet", "{n} packets"),
    "elsewhere": plural("mail for {n} address elsewhere", "mail for {n} addresses elsewhere"),
    "boxes": plural("asked for {n} that is not here", "asked for {n} that are not here"),
}


def reason(
    s: Sentence, policy: Policy, _: Callable[[str], str] = english, counted: Callable[[str, str, int], str] = english_plural
) -> str:
    """Which rule a sentence follows, and what was counted."""
    text = TEXTS[s.rule]
    counts = {"members": s.clients, "tries": s.attempts}
    return (text if s.rule == "abuse" else _(text)).format(
        **{name: counted(*forms, counts.get(name, s.detail)) for name, forms in COUNTS.items() if f"{{{name}}}" in text},
        detail=s.detail,
        crowd=policy.crowd,
        wide=policy.wide_closed,
        ghosts=policy.ghosts,
        names=policy.names,
        slow=policy.slow,
        often=policy.one_name_hour,
        ssh=policy.ssh,
        relay=policy.relay,
        recipients=policy.recipients,
        week=span(policy.memory, _) if "{week}" in text else "",
        window=span(policy.window, _) if "{window}" in text else "",
    )


def spared(reason_: str, _: Callable[[str], str]) -> str:
    """Why somebody was spared."""
    return {
        "known": _("logged in well before: an old password on a device, not an attacker"),
        "device": _("one name over and over, as a device with an old password does: no list of names"),
        "shielded": _("is never denied: what you allow, this machine and what it needs, or a private or local address"),
        "known-neighbour": _("the network has a user of yours, or brings you mail: only its offenders are denied, one by one"),
        "known-neighbour-parts": _(
            "a user of yours is in the network: only the parts of it are denied in which none of yours is"
        ),
    }[reason_]


def spared_as(s: Spared, judge: Judge) -> str:
    """The reason, told apart where a hopper's network was denied but for the parts in which somebody lives."""
    network = judge.networks.get(s.target[:3]) if s.bits == 24 else None
    return "known-neighbour-parts" if s.reason == "known-neighbour" and network is not None and network.parts else s.reason
