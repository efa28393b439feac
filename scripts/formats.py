"""Writes what is made from the declarations: `make formats`.

docs/formats.md (every kind of line), docs/real-mail.md (what each kind of line of a real log became), and their names for the
translators (src/monzen/show/kinds.py).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from monzen.parse.clock import Clock
from monzen.parse.line import read_line
from monzen.parse.program import FAMILIES
from monzen.types import Fact, Kind, Service, Weight

ROOT = Path(__file__).parent.parent
TITLES = {
    "smtpd": "Postfix smtpd",
    "postscreen": "Postfix postscreen",
    "dovecot": "Dovecot",
    "sshd": "OpenSSH",
    "kernel": "ufw",
    "pam": "PAM of Dovecot and saslauthd",
    "dnsblog": "Postfix dnsblog",
    "tlsproxy": "Postfix tlsproxy",
    "anvil": "Postfix anvil",
    "cleanup": "Postfix cleanup",
}
# What differs from one line to the next of the same kind.
VARIES = (
    (re.compile(r"^\S+ \S+ "), ""),
    (re.compile(r"\[\d+\]:"), "[N]:"),
    (re.compile(r"<[^<>]*>"), "<…>"),
    (re.compile(r"\[[0-9a-f.:]+\](:\d+)?"), "[ADDRESS]"),
    (re.compile(r"\b(rip|lip)=[^,]+"), r"\1=ADDRESS"),
    (re.compile(r"\b[0-9A-F]{6,10}: "), "QUEUE: "),
    (re.compile(r"\(\S*?,[0-9a-f.:]+(,<…>)?\)"), "(NAME,ADDRESS)"),
    (re.compile(r"\b(from|connect from|disconnect from|warning:) [^\s\[]+\["), r"\1 NAME["),
    (re.compile(r"warning: NAME\["), "warning: NAME["),
    (re.compile(r"sasl_username=.*"), "sasl_username=NAME"),
    (re.compile(r"( [a-z]+=\d+(/\d+)?)+( commands=\S+)?$"), " …"),
    (re.compile(r"SASL [\w-]+ "), "SASL MECHANISM "),
    (re.compile(r"\b\d+(\.\d+)?\b"), "N"),
    (re.compile(r"\b(imap|pop3)\([^)]*\)"), r"\1(NAME)"),
    (re.compile(r"((command|pipelining after \w+) from NAME\[ADDRESS\]|PREGREET N after N from \[ADDRESS\]): .*"), r"\1: …"),
    (re.compile(r"(request longer than N): .*"), r"\1: …"),
    (re.compile(r"(username: ).*"), r"\1…"),
    (re.compile(r"0x\w+"), "0xN"),
    (re.compile(r"(message-id|client|to|from|relay|delays?|statistics: max)([ =]).*"), r"\1\2…"),
)


def row(fact: Fact | None) -> str:
    """Kind and weight as they are written in the tables."""
    if fact is None:
        return "says nothing about a client | "
    return f"{Kind(fact.kind).name.lower()} | {Weight(fact.weight).name.lower()}"


def code(text: str) -> str:
    """A line as code in a table cell."""
    return "`` " + text.replace("|", "\\|") + " ``"


def formats() -> str:
    """docs/formats.md."""
    out = [
        "# Every kind of line that is understood",
        "",
        "Made by `make formats` from the declarations in `src/monzen/parse/`; each example is a test. *Weight* is what the",
        "line counts by itself (docs/reading.md): strong is an attempt, weak a quarter. Where a kind has two weights, the",
        "example says which it is.",
        "",
    ]
    for family in FAMILIES:
        out += [f"## {TITLES[family.name]}", "", "| what | kind | weight | service | example |", "|---|---|---|---|---|"]
        for reads in family.reads:
            for example in reads.examples:
                fact, _ = read_line(example.encode(), Clock(0.0))
                service = Service(fact.service).name.lower() if fact else ""
                out.append(f"| {reads.about} | {row(fact)} | {service} | {code(example)} |")
        out.append("")
    return "\n".join(out)


def real_mail() -> str:
    """docs/real-mail.md."""
    seen: dict[str, tuple[int, str, Fact | None]] = {}
    for raw in (ROOT / "tests/data/real_mail.log").read_bytes().split(b"\n")[:-1]:
        line = raw.decode("utf-8", "backslashreplace")
        shape = line
        for pattern, instead in VARIES:
            shape = pattern.sub(instead, shape)
        fact, _ = read_line(raw, Clock(4e9))
        key = f"{shape} {row(fact)}"
        count, example, _ = seen.get(key, (0, line, fact))
        seen[key] = (count + 1, example, fact)
    out = [
        "# What each kind of line of a real log became",
        "",
        "`tests/data/real_mail.log` was written by a real Postfix 3.7, Dovecot 2.3 and postscreen under attack in a laboratory",
        "of namespaces. This table, made by `make formats`, has each kind of line in it: how often, an example, and how it reads",
        "by itself.",
        "",
        "| lines | example | what it is | kind | weight |",
        "|---|---|---|---|---|",
    ]
    for count, example, fact in sorted(seen.values(), key=lambda s: (s[2] is None, s[2].about if s[2] else "", -s[0])):
        shown = example.partition(" mail ")[2]
        shown = shown if len(shown) <= 200 else shown[:200] + "…"
        out.append(f"| {count} | {code(shown)} | {fact.about if fact else ''} | {row(fact)} |")
    return "\n".join(out) + "\n"


def kinds() -> str:
    """src/monzen/show/kinds.py."""
    names = dict.fromkeys(reads.about for family in FAMILIES for reads in family.reads)
    return "\n".join(
        (
            '"""The names of the kinds of lines, for the translators: made by `make formats`."""',
            "",
            "from monzen.show.words import N_",
            "",
            "KINDS = (",
            *(f"    N_({json.dumps(name)})," for name in names),
            ")",
            "",
        )
    )


if __name__ == "__main__":
    for name, text in (("docs/formats.md", formats()), ("docs/real-mail.md", real_mail()), ("src/monzen/show/kinds.py", kinds())):
        path = ROOT / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                sys.exit(f"{name} is not what the declarations say: run make formats")
        else:
            path.write_text(text, encoding="utf-8")
