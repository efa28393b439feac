"""The documents say what the program does: generated ones are current, commands in them run, their output is as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").glob("*.md"))]
# `$ monzen ...` with the output that follows, indented by four blanks
EXAMPLES = [
    (path, m[1], m[2])
    for path in DOCS
    for m in re.finditer(r"^    \$ monzen (.*)\n((?:    .*\n|\n(?=    ))*)", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def run(arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "monzen", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "120", "TZ": "UTC", **environment},
    )


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize(("path", "command", "expected"), EXAMPLES, ids=[f"{p.name}: {c}" for p, c, _ in EXAMPLES])
def test_examples_print_what_they_say(path, command, expected):
    done = run(command.split(), LANGUAGE="ja" if path.name.endswith(".ja.md") else "en", LANG="C.UTF-8")
    assert done.returncode == 0, done.stderr
    # the year of the sample is told from when its file was written: another in a clone of another year
    printed = [re.sub(r"\b20\d\d-", "YYYY-", line.rstrip()) for line in done.stdout.splitlines() if "monzen gate enable" not in line]
    # (whether ufw sleeps here is this machine's own affair)
    wanted = [re.sub(r"\b20\d\d-", "YYYY-", line[4:].rstrip()) for line in expected.rstrip("\n").split("\n")]
    assert printed == wanted


@pytest.mark.parametrize("script", ["formats.py", "policy.py", "metrics.py", "reference.py"])
def test_generated_documents_are_current(script):
    done = subprocess.run([sys.executable, f"scripts/{script}", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_verb_is_documented():
    said = run(["--help"], LANG="C.UTF-8").stdout
    verbs = re.findall(r"^    (\w+) ", said, re.MULTILINE)
    assert {"scan", "explain"} <= set(verbs)
    for path in (ROOT / "README.md", ROOT / "README.ja.md"):
        text = path.read_text(encoding="utf-8")
        assert [v for v in verbs if f"monzen {v}" not in text] == []


def test_every_kind_of_the_real_log_names_its_failures():
    text = (ROOT / "docs/real-mail.md").read_text(encoding="utf-8")
    silent = [line for line in text.splitlines() if "says nothing about a client" in line]
    named = [line for line in silent if re.search(r"auth(?:entication)? failed|unknown user|mismatch|reject: RCPT|non-SMTP|PREGREET", line)]
    assert named == []


def every_verb():
    """Each verb, and each below `gate`, with its parser."""
    import argparse

    from monzen.cli import parser

    found = {}
    todo = [("", parser())]
    while todo:
        name, p = todo.pop()
        for action in p._actions:
            if isinstance(action, argparse._SubParsersAction):
                todo += [(f"{name} {word}".strip(), below) for word, below in action.choices.items()]
                break
        else:
            found[name] = p
    return found


def test_the_readme_says_of_the_verbs_what_holds():
    verbs = every_verb()
    assert {"gate confirm", "scan", "run"} <= set(verbs)
    for name, p in verbs.items():
        assert p.description, name
        assert re.search(rf"^  (.*\| )?(sudo )?(monzen {name}|systemctl)\b", p.epilog, re.MULTILINE), name
    flags = {name: {f for a in p._actions for f in a.option_strings} for name, p in verbs.items()}
    assert {name for name, f in flags.items() if "--json" not in f} == {"run", "gate serve", "serve", "metrics"}
    assert {"deny", "release", "allow", "arm", "import", "init", "scan", "gate enable", "tell", "digest"} == {n for n, f in flags.items() if "--dry-run" in f}
