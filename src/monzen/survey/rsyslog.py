"""Where rsyslog writes what the mail programs, sshd and ufw say, as its configuration has it.

Source: rsyslog.conf(5): selectors of sysklogd, property filters, `if ... then`, `action(type="omfile" file="...")`. What else
RainerScript can do is passed over: then the places where Debian and Ubuntu write are looked at.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

CONFIG: Final = "etc/rsyslog.conf"
DEPTH: Final = 8  # includes in includes
LINES: Final = 200  # of one statement in brackets
FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
SEVERITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
ALIASES: Final = {"panic": "emerg", "error": "err", "warn": "warning", "security": "auth"}
WANTED: Final = frozenset((4, 6))  # warning and info: what failures and logins are written at
PART = r"[\w*]+(?:,[\w*]+)*\.!?=?[\w*]+"
SELECTOR = re.compile(rf"({PART}(?:;{PART})*)\s+(.*)").fullmatch
PROPERTY = re.compile(r':\s*([\w$!.-]+)\s*,\s*(!?)\s*(\w+)\s*,\s*"((?:[^"\\]|\\.)*)"\s*(.*)').fullmatch
IF = re.compile(r"if\s+(.*?)\s+then\b\s*(.*)", re.DOTALL).fullmatch
FILE = re.compile(r"-?(/[^\s;]+)").match
OMFILE = re.compile(r'\bfile="([^"]+)"', re.IGNORECASE).search
INCLUDE = re.compile(r'(?:\$IncludeConfig\s+(\S+)|include\s*\(\s*file="([^"]+)".*)', re.IGNORECASE | re.DOTALL).fullmatch
MEANS: Final = {
    "mail": re.compile(r"postfix|dovecot|mail", re.IGNORECASE).search,
    "auth": re.compile(r"sshd?|auth", re.IGNORECASE).search,
    "kern": re.compile(r"UFW").search,
}


class Rule(NamedTuple):
    """A file, and the severities of each facility that go there; `narrow` where a filter decides by the program or the text."""

    path: str
    facilities: dict[str, frozenset[int]]
    narrow: bool = False

    def takes(self, facility: str) -> bool:
        """Whether what matters of a facility goes there."""
        return self.facilities.get(facility, frozenset()) >= WANTED

    @property
    def width(self) -> int:
        """How many facilities go there: the fewer, the more it is meant for each."""
        return 0 if self.narrow else sum(1 for found in self.facilities.values() if found & WANTED)


def rules(root: str = "/", config: str = CONFIG) -> list[Rule] | None:
    """Every rule that writes a file; None where rsyslog is not configured."""
    path = os.path.join(root, config.lstrip("/"))
    return list(_rules(path, root, 0)) if os.path.isfile(path) else None


def config_of(commands: Iterable[bytes]) -> str:
    """The configuration that a running rsyslogd was given: `-f FILE`, else its own."""
    for command in commands:
        words = command.split(b"\0")
        for word, after in zip(words, [*words[1:], b""], strict=True):
            if word.startswith(b"-f"):
                return (word[2:] or after).decode("utf-8", "surrogateescape")
    return CONFIG


def written_to(found: list[Rule], facility: str) -> str | None:
    """The file that is meant most for a facility, of those that take all that matters of it."""
    taking = [rule for rule in found if rule.takes(facility)]
    return min(taking, key=lambda r: (r.width, r.path)).path if taking else None


def _rules(path: str, root: str, depth: int) -> Iterator[Rule]:
    before: tuple[dict[str, frozenset[int]], bool] | None = None  # for `&`, and for what stands on a line of its own
    block: tuple[dict[str, frozenset[int]], bool] | None = None  # of `if ... then {`
    for statement in _statements(path):
        if (m := INCLUDE(statement)) and depth < DEPTH:
            pattern = os.path.join(root, (m[1] or m[2]).lstrip("/"))
            for name in sorted(glob.glob(pattern)):
                if os.path.isfile(name):
                    yield from _rules(name, root, depth + 1)
            continue
        if statement.startswith("}"):
            block = None
            statement = statement[1:].strip()
        if m := IF(statement):
            before = _meant(m[1]), True
            action = m[2]
            if action.startswith("{"):
                block, action = before, action[1:].strip()
            if action.endswith("}"):
                block, action = None, action[:-1]
        elif m := PROPERTY(statement):
            before = ({} if m[2] else _meant(f"{m[1]} {m[4]}")), True
            action = m[5]
        elif m := SELECTOR(statement):
            before, action = (selected(m[1]), False), m[2]
        elif statement.startswith("&"):
            action = statement[1:].strip()
        elif statement.startswith(("action(", "/", "-/")):
            before = before if block is None else block
            action = statement
        else:
            continue
        target = _target(action)
        if target and before is not None and before[0]:
            yield Rule(target, *before)


def _meant(condition: str) -> dict[str, frozenset[int]]:
    """What a filter lets through, by the words in it."""
    every = frozenset(range(8))
    return {facility: every for facility, says in MEANS.items() if says(condition)}


def selected(selector: str) -> dict[str, frozenset[int]]:
    """The severities of each facility that `mail,news.info;auth.none` selects."""
    found: dict[str, set[int]] = {}
    for part in selector.split(";"):
        names, _dot, priority = part.rpartition(".")
        facilities = FACILITIES if "*" in names.split(",") else [ALIASES.get(n, n) for n in names.split(",")]
        less, priority = priority.startswith("!"), priority.lstrip("!")
        only, priority = priority.startswith("="), priority.lstrip("=")
        name = ALIASES.get(priority, priority)
        if name == "none":
            chosen, less = set(range(8)), True
        elif name == "*":
            chosen = set(range(8))
        elif name in SEVERITIES:
            level = SEVERITIES.index(name)
            chosen = {level} if only else set(range(level + 1))
        else:
            continue
        for facility in facilities:
            if facility in FACILITIES:
                here = found.setdefault(facility, set())
                here.difference_update(chosen) if less else here.update(chosen)
    return {facility: frozenset(levels) for facility, levels in found.items() if levels}


def _target(action: str) -> str | None:
    """The file that an action writes."""
    if action.startswith("action("):
        m = OMFILE(action)
        return m[1] if m and "omfile" in action.lower() else None
    m = FILE(action)
    return m[1] if m else None


def _statements(path: str) -> Iterator[str]:
    """Logical lines: continued ones joined, brackets closed, comments gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return
    kept = ""
    count = 0
    for line in lines:
        text = _plain(line).strip()
        if not text and not kept:
            continue
        kept = kept[:-1] + text if kept.endswith("\\") else f"{kept} {text}".strip()
        count += 1
        if kept.endswith("\\"):
            continue
        if _depth(kept) > 0 and count < LINES:
            continue
        yield kept
        kept, count = "", 0
    if kept:
        yield kept


def _plain(line: str) -> str:
    """Without its comment."""
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote and line[at - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at]
    return line


def _depth(text: str) -> int:
    """Round brackets that are open, outside of quotes."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return bare.count("(") - bare.count(")")
