"""The manual page and the completion name every verb and every option that the help of each verb names."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(command, language="en"):
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "LANG": "C.UTF-8", "LANGUAGE": language},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def helped(*verb):
    """The verbs below, and the options, that `monzen VERB --help` shows."""
    said = run([sys.executable, "-m", "monzen", *verb, "--help"])
    below = re.search(r"\n  VERB\n((?: {4,}.*\n)+)", said)
    words = re.findall(r"^    (\S+)", below[1], re.MULTILINE) if below else []
    return words, re.findall(r"^  (?:-\w, )?(--[\w-]+)", said, re.MULTILINE)


@pytest.fixture(scope="module")
def known():
    """Every verb as it is typed, with the words below it and its options."""
    top, flags = helped()
    found = {(): (top, flags)}
    for word in top:
        found[word,] = helped(word)
        for further in found[word,][0]:
            found[word, further] = helped(word, further)
    assert {("scan",), ("deny",), ("gate", "enable")} <= set(found)
    assert "--apply" in found["scan",][1]
    return found


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_has_every_verb_and_option(known, language):
    page = run([sys.executable, "scripts/manual.py", "man"], language)
    parts = {}
    for part in re.split(r"^\.S[SH] ", page, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        parts[title.replace("\\-", "-")] = text.replace("\\-", "-")
    for verb, (_below, flags) in known.items():
        if verb:
            text = parts["monzen " + " ".join(verb)]
            assert [f for f in flags if f != "--help" and not re.search(rf"^\\fB{f}\\fR", text, re.MULTILINE)] == []
    heads = {"en": ["NAME", "SYNOPSIS", "FILES", "EXIT STATUS"], "ja": ["名前", "書式", "ファイル", "終了ステータス"]}
    assert [h for h in heads[language] if h not in parts] == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_groff_has_nothing_to_say_of_the_page(language):
    if not shutil.which("groff"):
        pytest.skip("not installed: groff")
    page = run([sys.executable, "scripts/manual.py", "man"], language)
    done = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", "-rLL=100n"], input=page, capture_output=True, text=True, check=False)
    if "troff: fatal" in done.stderr or "macro file" in done.stderr or "font" in done.stderr:
        pytest.skip("groff without its macros (groff-base alone)")
    long = re.compile("(break|adjust) line")  # a long Japanese sentence has no blank to break at; groff 1.22, 1.23
    assert [line for line in done.stderr.splitlines() if not long.search(line)] == []


def complete(script, words):
    """What bash offers for the last word."""
    asked = " ".join(f"'{w}'" for w in words)
    program = f"source {script}; COMP_WORDS=({asked}); COMP_CWORD={len(words) - 1}; _monzen; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return [line for line in run(["bash", "--norc", "-c", program]).splitlines() if line]


def test_bash_completes_every_verb_and_option(known, tmp_path):
    script = tmp_path / "monzen"
    script.write_text(run([sys.executable, "scripts/manual.py", "completion"]))
    for verb, (below, flags) in known.items():
        offered = complete(script, ["monzen", *verb, ""])
        assert [w for w in (*below, *flags) if w not in offered] == [], verb
    assert complete(script, ["monzen", "ga"]) == ["gate"]
    assert complete(script, ["monzen", "gate", "en"]) == ["enable"]
    assert complete(script, ["monzen", "gate", "enable", "--default", ""]) == ["allow", "deny", "reject"]
    assert complete(script, ["monzen", "scan", "--since", ""]) == []
    assert "fail2ban" in complete(script, ["monzen", "scan", "--compare", ""])
    assert str(script) in complete(script, ["monzen", "scan", str(script)[:-2]])
    assert "postfix-cidr" in complete(script, ["monzen", "list", "--format", ""])
    assert str(script) in complete(script, ["monzen", "list", "--output", str(script)[:-2]])
    assert str(script) in complete(script, ["monzen", "import", str(script)[:-2]])
    assert str(script) in complete(script, ["monzen", "deny", "--config", str(script)[:-2]])
