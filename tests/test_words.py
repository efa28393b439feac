"""Every message there is stands in the Japanese catalogue, and the program speaks it."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "src/monzen/show/locale/ja/LC_MESSAGES/monzen.po"
PLACES = re.compile(r"\{[^}]*\}|%\(\w+\)[rs]|%[rs]")
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}


def catalogue():
    with CATALOGUE.open("rb") as file:
        return read_po(file)


def extracted():
    found = extract_from_dir(str(ROOT / "src/monzen"), [("**.py", "python")], keywords=KEYWORDS)
    return {message if isinstance(message, str) else tuple(message) for _, _, message, _, _ in found}


def translations():
    return {m.id: m for m in catalogue() if m.id}


def test_every_message_is_there_and_no_other():
    assert extracted() - set(translations()) == set()
    assert set(translations()) - extracted() == set()
    assert not catalogue().obsolete


def test_every_message_is_translated():
    for message in translations().values():
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(texts), message.id
        assert len(texts) == 1, message.id  # Japanese has no plural
        assert not message.fuzzy, message.id


def test_what_is_filled_in_is_the_same():
    for message in translations().values():
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        for text in texts:
            assert sorted(PLACES.findall(text)) == sorted(PLACES.findall(ids[-1])), message.id


def test_the_compiled_catalogue_is_current():
    compiled = io.BytesIO()
    write_mo(compiled, catalogue())
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled.getvalue(), "run make locale"


def monzen(*arguments, language="ja"):
    done = subprocess.run(
        [sys.executable, "-m", "monzen", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"LANG": "C.UTF-8", "LANGUAGE": language, "TZ": "UTC", "COLUMNS": "200", "PATH": "/usr/bin:/bin"},
    )
    return done.stdout, done.stderr, done.returncode


ENGLISH = re.compile(r"(?:\b[A-Za-z]{2,}\b[ ,.]+){3,}")


@pytest.mark.parametrize("arguments", [("--help",), ("scan", "--help"), ("explain", "--help"), ("scan", "samples/one_week.log")])
def test_no_english_sentence_is_left(arguments):
    said, _, status = monzen(*arguments)
    assert status == 0
    assert re.search(r"[ぁ-ん]", said)
    own = [
        line for line in said.splitlines() if not re.search(r"monzen scan|monzen explain|ufw prepend|^    \w{3} +\d+ |/(?:tcp|udp) ", line)
    ]
    assert [line for line in own if ENGLISH.search(line)] == []


@pytest.mark.parametrize(
    "arguments", [("scan", "nosuchfile"), ("scan", "--top", "x"), ("scan", "--since", "x"), ("scan", "--foo"), ("scan", "--year")]
)
def test_errors_are_japanese(arguments):
    _, said, status = monzen(*arguments)
    assert status == 2
    assert re.search(r"[ぁ-ん]", said)


def test_json_is_not_translated():
    for arguments in (("scan", "--json", "samples/one_week.log"), ("explain", "--json", "samples/first_user.log")):
        assert monzen(*arguments)[0] == monzen(*arguments, language="en")[0]
