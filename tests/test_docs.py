"""The documents say what the program does: generated ones are current, commands in them run, their output is as printed."""

import contextlib
import io
import re
import subprocess
import sys

import pytest

from monzen.cli import parser
from tests.documents import DOCS, READS, ROOT, commands, japanese, links, targets

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


@pytest.mark.parametrize(("path", "command", "expected"), EXAMPLES, ids=[f"{p.relative_to(ROOT)}: {c}" for p, c, _ in EXAMPLES])
def test_examples_print_what_they_say(path, command, expected):
    done = run(command.split(), LANGUAGE="ja" if japanese(path) else "en", LANG="C.UTF-8")
    assert done.returncode == 0, done.stderr
    # the year of the sample is told from when its file was written: another in a clone of another year
    printed = [re.sub(r"\b20\d\d-", "YYYY-", line.rstrip()) for line in done.stdout.splitlines() if "monzen gate enable" not in line]
    # (whether ufw sleeps here is this machine's own affair)
    wanted = [re.sub(r"\b20\d\d-", "YYYY-", line[4:].rstrip()) for line in expected.rstrip("\n").split("\n")]
    assert printed == wanted


@pytest.mark.parametrize("script", ["formats.py", "policy.py", "metrics.py", "reference.py", "pictures.py"])
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


# ---- every command in every document

PAGES = {path: commands(path) for path in DOCS}
ALL = sorted({tuple(words) for found in PAGES.values() for words in found})
WEEK = "samples/one_week.log"
PAIRS = [
    (ROOT / "README.md", ROOT / "README.ja.md"),
    *((ROOT / "docs" / path.relative_to(ROOT / "docs/ja"), path) for path in sorted((ROOT / "docs/ja").rglob("*.md")) if path.name != "README.md"),
]


def test_commands_are_found():
    assert len(ALL) > 90
    assert {"scan", "why", "arm", "panic", "release", "allow", "gate", "init", "tell"} <= {words[0] for words in ALL if words}
    assert [path for path in DOCS if path.parent.name == "howto" and len(PAGES[path]) < 3] == []


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_is_one_that_the_program_takes(words):
    said = io.StringIO()
    named = bool(words) and all(word.isalpha() for word in words)  # `monzen gate enable`: the verb is named, not typed
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        parser().parse_args([*words, "--help"] if named else list(words))
    assert not re.search(r"^monzen[a-z ]*: ", said.getvalue(), re.MULTILINE), said.getvalue()


def of_sample(words):
    """The same command, of a sample in the place of a server's logs, and of our policy in the place of the reader's."""
    given = parser().parse_args(list(words))
    inputs = given.what if words[0] == "explain" else given.files
    kept = [word for word in words if word not in inputs]
    for at in [i + 1 for i, word in enumerate(kept) if word in ("--html", "--policy", "--compare")]:
        named = kept[at] in ("fail2ban", "crowdsec", "sshguard", "none")
        kept[at] = kept[at] if named else "-" if kept[at - 1] == "--html" else "docs/policy.toml"
    ours = [word for word in inputs if word == "-" or (ROOT / word).exists() or ": " in word]  # `: `: a log line
    return [*kept, *(ours or [WEEK])]


# `--mail` would be this machine's mail server's to send: tests/live/test_tell.py has one of its own
NAMED = ((), ("--json",))  # `monzen why`: the verb is named, not typed
READING = sorted(
    {tuple(of_sample(words)) for words in ALL if words and words[0] in READS and not {"--apply", "--mail"} & set(words) and (words[0] != "why" or words[1:] not in NAMED)}
)


@pytest.mark.parametrize("words", READING, ids=lambda words: " ".join(words)[:80])
def test_every_command_that_reads_does_so(words):
    with (ROOT / WEEK).open("rb") as log:
        done = subprocess.run(
            [sys.executable, "-m", "monzen", *words], cwd=ROOT, stdin=log, capture_output=True, check=False,
            env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"},
        )  # fmt: skip
    assert done.returncode in ((0, 1) if words[0] == "why" else (0,)), done.stderr.decode()  # 1: the sample knows no such address
    assert done.stdout


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_go_somewhere(path):
    assert [link for link in links(path) if not targets(path, link)] == []


def test_every_page_is_in_the_index():
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links(ROOT / "docs/README.md")}
    pages = {path for path in DOCS if path.is_relative_to(ROOT / "docs") and not path.is_relative_to(ROOT / "docs/ja")}
    assert sorted(str(path) for path in pages - linked if path.name != "README.md") == []


def test_the_tutorial_and_each_how_to_speak_japanese():
    wanted = {"tutorial.md", *(f"howto/{path.name}" for path in (ROOT / "docs/howto").glob("*.md"))}
    assert wanted == {str(ja.relative_to(ROOT / "docs/ja")) for _en, ja in PAIRS[1:]}


@pytest.mark.parametrize(("english", "translated"), PAIRS, ids=lambda path: str(path.relative_to(ROOT)))
def test_both_languages_have_the_same_commands(english, translated):
    assert PAGES[english] == PAGES[translated]


def test_pictures_are_small_and_shown():
    shown = {(path.parent / link).name for path in (ROOT / "README.md", ROOT / "README.ja.md") for link in links(path) if "pictures/" in link}
    there = sorted((ROOT / "docs/pictures").iterdir())
    assert {path.name for path in there} == shown
    for path in there:
        data = path.read_bytes()
        assert len(data) < 200_000, path.name
        if path.suffix == ".png":
            assert data.startswith(b"\x89PNG\r\n\x1a\n"), path.name
        else:
            assert b"http" not in data.replace(b"http://www.w3.org/2000/svg", b"").replace(b"https://www.textualize.io", b""), "a picture asks nobody"
