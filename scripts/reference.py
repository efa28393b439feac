"""Writes docs/reference.md from the command line and the configuration themselves; --check only says whether it is current.

    python scripts/reference.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from manual import ENVIRONMENT, FILES, STATUSES, Verb, arguments, below, options, takes, usage, verbs
from policy import length, sections

from monzen.addressees import DIGESTS, LANGUAGES, Tell
from monzen.cli import parser
from monzen.ledger import Limits
from monzen.settings import FIREWALLS, GATE_RANGES, LEDGER_RANGES, TABLES, GateConfig, Sources
from monzen.show.words import speak

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/reference.md"
HEAD = """\
# Reference: verbs, configuration, exit statuses

Made by `make formats` from the program itself: the help of each verb, and each key with what the program takes for it. What it
means for you is in the [tutorial](tutorial.md) and the [how-tos](README.md).

`monzen VERB --help` says the same, and `man monzen`; both also in Japanese.
"""
CONFIGURATION = """\
`/etc/monzen/monzen.toml`, TOML. Every key may be left out. A key that does not exist is an error, with the nearest name.
`monzen check` says what is wrong; after a change: `systemctl reload monzen monzen-gate`.

A length of time is a number of seconds or text: `"90s"`, `"10m"`, `"36h"`, `"7d"`, `"2w"`.
"""
DEFAULTS: dict[str, Mapping[str, object]] = {
    "shield": {"own": (), "allow": (), "private": False},
    "networks": {"routes": ""},
    "gate": {key: getattr(GateConfig(), key) for key in TABLES["gate"]},
    "ledger": Limits()._asdict(),
    "sources": {key: getattr(Sources(), key) for key in TABLES["sources"]},
    "tell": {key: getattr(Tell(), key) for key in TABLES["tell"]},
}
SPANS = ("mirror_from", "history")  # lengths of time among numbers
WORDS: dict[str, str] = {  # what is no number: what it may be
    "shield.own": "a list of addresses and networks",
    "shield.allow": "a list of addresses, networks and host names",
    "shield.private": "true or false",
    "networks.routes": "a file",
    "gate.firewall": ", ".join(f'`"{f}"`' for f in FIREWALLS),
    "gate.mirror": "true or false",
    "gate.log": "true or false",
    "sources.files": "a list of whole paths, 100 at most",
    "sources.journal": '`"auto"`, true or false',
    "sources.history": "a length of time up to a year; 0 reads nothing back",
    "sources.timezone": "a name such as `Asia/Tokyo`",
    "tell.mail": "an address, or a user of this machine",
    "tell.language": ", ".join(f'`"{word}"`' for word in LANGUAGES),
    "tell.digest": ", ".join(f'`"{word}"`' for word in DIGESTS),
    "tell.hook": "a list: a program with its whole path, and what it is always given",
    "tell.hook_user": "a user, not root",
    "tell.post": "an address that begins with https:// or http://",
}
UNSAID: dict[str, str] = {  # how a person would say a default that is empty
    "networks.routes": "none",
    "sources.journal": '`"auto"`',
    "sources.timezone": "the machine's",
    "tell.mail": "nobody",
    "tell.language": "that of LANG",
    "tell.hook": "none",
    "tell.post": "nowhere",
}
MEANINGS: dict[str, str] = {
    "shield.own": "addresses of this server, where the logs are read on another machine",
    "shield.allow": "never denied: your office, your other servers, your monitoring, your proxies",
    "shield.private": "whether private addresses can be denied",
    "networks.routes": "a routing table, named from the folder of this file: with it a whole prefix can be denied",
    "gate.firewall": "what denies; auto: nftables where the kernel has it, else ufw, else dry (writes it down, denies nobody)",
    "gate.mirror": "what lasts is shown in ufw too, where ufw is active",
    "gate.mirror_limit": "rules of ufw at most: ufw asks them one after the other",
    "gate.mirror_from": "a network that is denied for less is not shown in ufw",
    "gate.log": "a few dropped packets a minute go to the kernel's log",
    "gate.limit": "denials in the kernel at most",
    "gate.widest4": "the widest IPv4 network that you may deny by hand, as the number behind the slash",
    "gate.widest6": "the same of IPv6",
    "gate.widest4_auto": "the widest IPv4 network that monzen denies by itself",
    "gate.widest6_auto": "the same of IPv6",
    "gate.at_once": "more targets in one go, that nobody typed, are refused",
    "ledger.evidence_days": "days that log lines are kept after the end of their denial",
    "ledger.evidence_bytes": "bytes of log lines at most",
    "ledger.ended_days": "days that denials which ended are kept",
    "ledger.ended_most": "denials which ended, at most",
    "ledger.knock_days": "days that knocks are kept",
    "ledger.knocks_most": "rows of knocks at most",
    "ledger.alarms_most": "alarms at most",
    "ledger.releases_most": "releases at most",
    "ledger.knockers_most": "rows of who knocked, at most",
    "ledger.past_most": "networks of which only a sum is left, at most",
    "sources.files": "the logs that are followed, with whatever rotation leaves of them",
    "sources.journal": "read the journal too; auto: unless mail.log and auth.log are there and one is not older than a day",
    "sources.history": "read back at the first start, to know who is a user",
    "sources.timezone": "of stamps that have none",
    "tell.mail": "who gets alarms and the digest",
    "tell.language": "the language of mails",
    "tell.digest": "how often the digest comes",
    "tell.hook": "a program that is run for each alarm",
    "tell.hook_user": "who runs it, and who POSTs",
    "tell.post": "where alarms are sent as JSON",
}
ABOUT: dict[str, str] = {
    "policy": "from when on, and for how long ([policy.md](policy.md) says why so many)",
    "shield": "whom never to deny ([gate.md](gate.md))",
    "networks": "what is one network ([policy.md](policy.md))",
    "gate": "how what should be denied becomes what the kernel denies ([gate.md](gate.md))",
    "ledger": "what is remembered, and for how long ([ledger.md](ledger.md))",
    "sources": "what the guard follows ([guard.md](guard.md))",
    "tell": "who is told of alarms ([telling.md](telling.md))",
}


def cell(text: str) -> str:
    """Text in a table of Markdown."""
    return " ".join(text.split()).replace("|", "\\|")


def verb_section(verb: Verb) -> Iterator[str]:
    """A verb: what it is for, how it is typed, what it takes, examples."""
    yield f"### monzen {verb.name}"
    yield ""
    said = cell(verb.parser.description or verb.says)
    yield said[:1].upper() + said[1:]
    yield ""
    if not below(verb):
        yield f"    {usage(verb)}"
        yield ""
    rows = [(f"`{cell(takes(a))}`", a.help or "") for a in arguments(verb.parser)]
    for action in options(verb.parser):
        if "--help" not in action.option_strings:
            word = f"{', '.join(action.option_strings)} {takes(action)}".strip()
            rows.append((f"`{cell(word)}`", (action.help or "") % {"default": action.default}))
    if rows:
        yield from ("| | |", "|---|---|", *(f"| {name} | {cell(says)} |" for name, says in rows), "")
    examples = (verb.parser.epilog or "").partition("\n")[2]
    if examples:
        yield from (*(f"    {line.strip()}" for line in examples.splitlines()), "")


def shown(key: str, value: object) -> str:
    """A default, as a person writes it."""
    if key in UNSAID and not value:
        return UNSAID[key]
    name = key.partition(".")[2]
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if name in SPANS and isinstance(value, float):
        return f"`{length(value)}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    if isinstance(value, (tuple, list)):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def may_be(key: str) -> str:
    """What a key takes, in words."""
    name = key.partition(".")[2]
    span = {f"gate.{k}": v for k, v in GATE_RANGES.items()} | {f"ledger.{k}": v for k, v in LEDGER_RANGES.items()}
    if key not in span:
        return WORDS[key]
    low, high = span[key]
    return "a length of time from a second to a year" if name in SPANS else f"{low:,.0f} to {high:,.0f}"


def tables() -> Iterator[str]:
    """Each table of the configuration with its keys."""
    for table in TABLES:
        yield from (f"### [{table}]: {ABOUT[table]}", "", "| key | default | what it may be | what |", "|---|---|---|---|")
        if table == "policy":
            for _title, keys in sections():
                yield from (f"| `{k.name}` | `{k.default}` | {k.unit} | {cell(k.reason)} |" for k in keys)
        for name, value in DEFAULTS.get(table, {}).items():
            key = f"{table}.{name}"
            yield f"| `{name}` | {shown(key, value)} | {may_be(key)} | {cell(MEANINGS[key])} |"
        yield ""


def complete() -> None:
    """Ends with a word where a key is described that is not there, or is there and not described."""
    known = {f"{table}.{key}" for table in DEFAULTS for key in TABLES[table]}
    if known != set(MEANINGS) or TABLES.keys() != ABOUT.keys():
        sys.exit(f"scripts/reference.py: describe these keys, and no others: {sorted(known ^ set(MEANINGS))}")


def document() -> str:
    """docs/reference.md."""
    top, *rest = verbs(parser())
    out = [HEAD, "## Verbs", "", cell(top.says), "", f"    {usage(top)}", ""]
    out += ["Without a verb it is `monzen status`.", ""]
    for verb in rest:
        out += verb_section(verb)
    out += ["## Configuration", ""]
    out += [CONFIGURATION, *tables()]
    for title, rows in (("Exit statuses", STATUSES), ("Files", FILES), ("Environment", ENVIRONMENT)):
        out += [f"## {title}", "", "| | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows), ""]
    out.append("130 is what shells say of Ctrl-C: monzen was interrupted.")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    speak("en")
    complete()
    text = document()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/reference.md is not what the program says: run make formats")
    else:
        PAGE.write_text(text, encoding="utf-8")
