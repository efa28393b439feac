"""The tutorial, typed as it stands there, on a real mail server with real attackers: each command prints what the page says."""

import difflib
import os
import re
import shlex
import time
from pathlib import Path

from tests.lab import live, maild
from tests.lab.guard import Guard, denied
from tests.lab.net import ns, run, until
from tests.lab.server import monzen
from tests.live.test_mail import guess_imap, guess_smtp

ROOT = Path(__file__).parents[2]
NEEDS = (*maild.NEEDS, "ufw", "useradd", "postconf", "doveconf")
ALICE = next(iter(maild.USERS))
SESSION = {"SSH_CONNECTION": "192.0.2.130 40000 198.51.100.10 22", "COLUMNS": "100", "TZ": "UTC"}
GANG = ("203.0.113.83", "203.0.113.52", "203.0.113.20")
STEP = re.compile(r"^    \$ (.*)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$ )))*)", re.MULTILINE)
VARIES = (
    (r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d(:\d\d(?:\.\d+)?(?:\+00:00)?)?", r"DATE\1TIME"),  # 2026-09-04 16:59
    (r"\[\d+\]:", "[PID]:"),
    (r"(Postfix|Dovecot) [\d.]+\d", r"\1 VERSION"),
    (r"\d+( lines? say|行は、接続元の)", r"N\1"),
    (r"(Read |: )?\d+( lines|行)", r"\1N\2"),
    (r"\d+( of a client| tell of a client|件。$)", r"N\1"),
)


def steps(path):
    """The commands of a page with what it prints below each."""
    return [(m[1], m[2]) for m in STEP.finditer(path.read_text(encoding="utf-8"))]


def plain(text):
    """Lines without what differs from day to day."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def differs(printed, promised):
    """None where the lines are as promised; `[...]` stands for any number of lines."""
    lines, at, wanted = plain(printed), 0, plain(re.sub(r"(?m)^    ", "", promised))
    floating = False
    for want in wanted:
        if want == "[...]":
            floating = True
            continue
        found = next((i for i in range(at, len(lines)) if lines[i] == want), None) if floating else at
        if found is None or found >= len(lines) or lines[found] != want:
            return "\n".join(difflib.ndiff(wanted, lines))
        at, floating = found + 1, False
    return None if floating or at == len(lines) else "\n".join(difflib.ndiff(wanted, lines))


def attacked_server():
    """A mail server with ufw, a customer who mistypes once, and three of one network who take turns."""
    maild.start()
    run("cp /etc/dovecot/lab.conf /etc/dovecot/dovecot.conf")
    ns("srv", "ufw allow 22/tcp; ufw allow proto tcp to any port 25,587,143,993; ufw --force enable")
    guess_smtp("good", "192.0.2.50", ALICE, "mistyped", 587)
    guess_smtp("good", "192.0.2.50", ALICE, maild.USERS[ALICE], 587)
    guess_imap("good", "192.0.2.50", ALICE, maild.USERS[ALICE])
    for name in ("office", "info"):
        for source in GANG:
            guess_smtp("atk", source, f"{name}@example.net", "123456")
    log = Path("/var/log/mail.log")
    until(lambda: log.read_text().count("authentication failed") >= 7, what="the guesses are in the log")


def started():
    """Both halves, as init's units start them, with the configuration that init wrote."""
    written = Path("/etc/monzen/monzen.toml").read_text()
    guard = Guard("", mode=None)
    Path("/etc/monzen/monzen.toml").write_text(written)
    guard.start()
    until(lambda: "203.0.113.0/24" in monzen("list", "--watched"), what="the guard has read the logs")
    return guard


def typed(command, language):
    """What a command prints to the admin who types it; what would ask is answered with yes."""
    words = shlex.split(command.removeprefix("sudo "))
    environment = {**SESSION, "LANGUAGE": language}
    if words[0] != "monzen":
        return ns("srv", words, env={**os.environ, **environment}).stdout
    yes = ["--yes"] if words[1:2] in (["arm"], ["init"]) and "--yes" not in words and "--dry-run" not in words else []
    return monzen(*words[1:], *yes, status=None, **environment)


def follow(path, language):
    """The page from its first command to its last."""
    attacked_server()
    wrong, guard, armed = [], None, False
    try:
        for command, promised in steps(path):
            printed = typed(command, language)
            if (said := differs(printed, promised)) is not None:
                wrong.append(f"$ {command}\n{said}")
            if command == "sudo monzen init":
                guard = started()
            if command == "sudo monzen arm" and not armed:
                armed = True
                until(lambda: "203.0.113.0/24" in denied(), 90, what="the network is denied")
                until(lambda: "203.0.113.0/24" in ns("srv", "ufw status").stdout, what="ufw shows it")
                time.sleep(1)  # the other three orders of the same moment
    finally:
        if guard is not None:
            guard.stop()
    assert not wrong, "\n\n".join(wrong)
    assert len(steps(path)) >= 10


@live(needs=NEEDS, seconds=300)
def test_the_tutorial():
    follow(ROOT / "docs/tutorial.md", "en")


@live(needs=NEEDS, seconds=300)
def test_the_tutorial_in_japanese():
    follow(ROOT / "docs/ja/tutorial.md", "ja")
