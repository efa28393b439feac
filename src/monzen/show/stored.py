"""Sentences that the ledger keeps: stored in English, as JSON has them, and told in the language of whoever reads.

Of a sentence that was stored only its words are left. They are held against every sentence that can be stored, which gives its
facts back; what is none of these is told as it stands.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from monzen.show.alarms import ALARMS, BREACHES, SOMEBODY
from monzen.show.reasons import COUNTS, SPANS, TEXTS
from monzen.show.text import safe
from monzen.show.words import N_, _, joined, ngettext

PROTOCOLS: Final = {6: "tcp", 17: "udp"}  # numbers of IANA
RULES: Final = {
    "hand": N_("typed by hand"),
    "import": N_("imported"),
    "found": N_("found in the kernel after the ledger was lost"),
}
ARMED: Final = N_("the gate was armed by {who}")
WATCH: Final = N_("back to watch-only, by {who}")
PAUSED: Final = N_("the gate was opened until {until}, by {who}")
PANIC: Final = N_("the gate was opened in a panic, by {who}")
CLOSED: Final = N_("the gate is closed again: what still lasts is denied as before")
FULL: Final = N_("the gate is full: {n:,} denials that end soonest were lifted ([gate] limit)")
UFW_FULL: Final = N_("ufw takes no more than {most:,} rules of monzen's: {n:,} denials are only written down")
RESTORED: Final = N_("the firewall had lost its table, as `nft flush ruleset` does: {n:,} denials were restored")
READ_BACK: Final = N_("the ledger was lost: {n:,} denials were read back from the kernel")
LEAK: Final = N_("{target} is denied and goes on all the same: the firewall does not hold it. See: monzen gate status")
GATE: Final = (ARMED, WATCH, PAUSED, PANIC, CLOSED, FULL, UFW_FULL, RESTORED, READ_BACK, LEAK)
CHANGES: Final = "mode"  # the kind of what people themselves did to the gate: a history, no alarm
OWN: Final = frozenset({CHANGES, "full", "gate", "ledger"})  # kinds that the gate itself writes down, and `run` never

# What may stand in each place; each is bounded, for an attacker chose some of it.
NUMBER: Final = r"[\d.,e+]{1,20}"
PLACES: Final = {
    **dict.fromkeys(("n", "most", "detail", "crowd", "wide", "ghosts", "names", "slow", "often"), NUMBER),
    **dict.fromkeys(("ssh", "relay", "recipients"), NUMBER),
    **dict.fromkeys(COUNTS, r"[\d,a-z ]{1,80}"),
    **dict.fromkeys(("week", "window"), r"[\d.e+a-z ]{1,24}"),
    "target": r"\S{1,60}",
    "until": r"[\d :-]{1,30}",
    "user": r".{0,160}",
    "who": r".{1,64}",
}  # fmt: skip


def door(number: int, protocol: int) -> str:
    """` port 25/tcp`, or nothing for all of them."""
    if not number:
        return ""
    return " " + _("port {port}").format(port=f"{number}/{PROTOCOLS[protocol]}" if protocol else str(number))


def because(rule: str, origin: str, note: str, attempts: int, clients: int) -> str:
    """Why somebody was denied, in a few words, of what the ledger has of it."""
    if origin in ("scan", "run") and note:  # the judge's own words, with its numbers
        return safe(retold(note), 300)
    said = _(RULES[rule]) if rule in RULES else safe(rule, 40)
    if attempts:
        counted = [ngettext("{n} attempt", "{n} attempts", attempts)]
        if clients > 1:
            counted.append(ngettext("{n} client", "{n} clients", clients))
        said = _("{rule}: {counted}").format(rule=said, counted=_(", ").join(counted))
    return _("; ").join([said, safe(note, 120)] if note else [said])


def retold(text: str) -> str:
    """A stored sentence in the reader's language. The words of an attacker in it stand where they stood."""
    for template, pattern in _sentences():
        found = pattern.fullmatch(text)
        if found is not None:
            facts = {name: _fact(name, value) for name, value in found.groupdict().items()}
            return joined(re.sub(r"\{(\w+):[^}]*\}", r"{\1}", _(template)).format(**facts))
    return _counted(text) or text


@cache
def _sentences() -> list[tuple[str, re.Pattern[str]]]:
    texts = dict.fromkeys([*GATE, *BREACHES.values(), *ALARMS.values(), *TEXTS.values()])
    return [(text, _pattern(text)) for text in texts if text.strip("{}").isidentifier() is False]


def _pattern(template: str) -> re.Pattern[str]:
    """The template as what its sentences look like."""
    seen: set[str] = set()

    def place(found: re.Match[str]) -> str:
        name = found[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{PLACES[name]})"

    parts = re.split(r"(\{\w+(?::[^}]*)?\})", template)
    return re.compile("".join(re.sub(r"\{(\w+)(?::[^}]*)?\}", place, p) if p.startswith("{") else re.escape(p) for p in parts))


def _fact(name: str, value: str) -> str:
    if name in COUNTS:
        return _counted(value) or value
    if name in ("week", "window"):
        return _length(value)
    return _(SOMEBODY) if name == "user" and value == SOMEBODY else value


def _counted(text: str) -> str:
    """`3 clients`, in the reader's language; nothing where it is no such words."""
    for one, many in COUNTS.values():
        for form in (one, many):
            before, _place, behind = form.partition("{n}")
            found = re.fullmatch(re.escape(before) + r"(\d[\d,]{0,19})" + re.escape(behind), text)
            if found is not None:
                return ngettext(one, many, int(found[1].replace(",", "")))
    return ""


def _length(text: str) -> str:
    number, _blank, unit = text.partition(" ")
    for form in SPANS:
        if form == text:
            return _(form)
        if form.partition(" ")[2] == unit and form.startswith("{"):
            return re.sub(r"\{n:g\}", lambda _m: number, _(form))
    return text
