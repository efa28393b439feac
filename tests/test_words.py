"""Every message stands in the Japanese catalogue, and the program speaks it: no English is left but what is data or a name."""

import gzip
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from monzen.parse.program import FAMILIES
from monzen.show.refused import DETAILS, REFUSED
from monzen.sources.error import _SENTENCES
from monzen.sources.magic import _BINARY
from monzen.sources.plan import _SPECIAL
from monzen.types import Service

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "src/monzen/show/locale"
CATALOGUE = LOCALE / "ja/LC_MESSAGES/monzen.po"
PLACES = re.compile(r"\{[^}]*\}|%\(\w+\)[rsd]|%[rsd]")
COMMAND = re.compile(r"\b(?:sudo )?(?:monzen|ufw|nft|apt|ps|chown|chmod|mount|systemctl|journalctl|doveadm|cscli)(?: [a-z{}:.,/*-]+){1,4}")  # the same in every language
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None, "plural": (1, 2)}  # as `make locale` has them
JAPANESE = re.compile(r"[ぁ-ゖァ-ヶ一-鿿]")
# Three words in a row are a sentence; a name, a path, an option or a port is none.
CHOICES = re.compile(r"(?:[a-z]+, )+[a-z]+(?= から)")  # verbs, as argparse lists them
ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?:[ ,.;:]+[A-Za-z]{2,}\b){2,}")


def catalogue():
    with CATALOGUE.open("rb") as file:
        return read_po(file)


def translations():
    return [
        (m.id if isinstance(m.id, tuple) else (m.id,), m.string if isinstance(m.string, tuple) else (m.string,), m)
        for m in catalogue()
        if m.id
    ]


def extracted():
    found = extract_from_dir(str(ROOT / "src/monzen"), [("**.py", "python")], keywords=KEYWORDS)
    return {message if isinstance(message, tuple) else (message,) for _, _, message, _, _ in found}


# ---- the catalogue


def test_every_message_is_there_and_no_other():
    here = {ids for ids, _, _ in translations()}
    assert extracted() - here == set(), "run make locale, then translate these"
    assert here - extracted() == set(), "run make locale"
    assert not catalogue().obsolete, "delete what begins with #~"


def test_every_message_is_translated():
    for ids, texts, message in translations():
        assert all(texts), ids
        assert len(texts) == 1, ids  # Japanese has no plural
        assert not message.fuzzy, ids


def test_what_is_filled_in_is_the_same():
    for ids, texts, _ in translations():
        for text in texts:
            assert sorted(PLACES.findall(text)) == sorted(PLACES.findall(ids[-1])), ids


def test_no_translation_is_english():
    for _ids, texts, _ in translations():
        for text in texts:
            assert not ENGLISH.search(COMMAND.sub("0", PLACES.sub("0", text))) or "pip install " in text, text


def test_punctuation_is_japanese():
    for ids, texts, _ in translations():
        for text in texts:
            assert not re.search(r"[ぁ-ゖァ-ヶ一-鿿][,.;!?]| [。、（）！]|[。、（）！：] ", text), ids


def test_the_header_is_filled_in():
    head = catalogue()
    assert head.num_plurals == 1
    assert not re.search(
        r"EMAIL@ADDRESS|FULL NAME|YEAR|FIRST AUTHOR|PROJECT|VERSION", CATALOGUE.read_text(encoding="utf-8").partition("\n\n")[0]
    )


def test_the_compiled_catalogue_is_current():
    """But for its header: that names the Babel that was there."""
    compiled = io.BytesIO()
    write_mo(compiled, catalogue())
    compiled.seek(0)
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        kept, made = ({str(m.id): m.string for m in read_mo(each) if m.id} for each in (file, compiled))
    assert len(made) > 1000
    assert kept == made, "run make locale"


def test_what_the_pure_packages_say_is_there():
    """They know no gettext: what they say in English is marked for translation where it is shown."""
    here = {ids[0] for ids, _, _ in translations()}
    assert {reads.about for family in FAMILIES for reads in family.reads} - here == set()
    assert REFUSED == _SENTENCES
    said = {kind for _, kind in (*_BINARY, *_SPECIAL)} | {"binary data", "device", "no name matches"}
    assert said - set(DETAILS) == set()


# ---- the program


def monzen(*arguments, language="ja", columns=400, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "monzen", *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
        env={
            "LANG": "C.UTF-8",
            "LANGUAGE": language,
            "TZ": "UTC",
            "COLUMNS": str(columns),
            "PATH": "/usr/bin:/bin",
            **environment,
        },
    )
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def english(lines):
    """The lines in which an English sentence is left; without data: log lines, commands, examples, user names, services."""
    data = re.compile(r"^    \w{3} [ \d]\d [\d:]{8} |^  sudo ufw |^  (?:monzen|zcat|journalctl) |^    20\d\d-\d\d-\d\dT")
    doors = "|".join(service.name.lower() for service in Service)
    own = [
        re.sub(rf"ユーザー(?:名：.*| .*?(?=、試行|、計上))|（(?:(?:{doors})(?:, )?)+）", "", line)
        for line in lines
        if not data.search(line)
    ]
    return [line for line in own if ENGLISH.search(COMMAND.sub("0", CHOICES.sub("0", line)))]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--help",),
        ("scan", "--help"),
        ("explain", "--help"),
        ("scan", "samples/first_user.log"),
        ("scan", "samples/one_week.log"),
        ("scan", "samples/one_week.log", "--names"),
        ("scan", "samples/one_week.log", "samples/one_week.log", "--top", "3"),
        ("scan", "tests/data/real_mail.log"),
        ("scan", "samples/one_week.log", "--since", "2027-01-01"),
        ("scan", "samples/one_week.log", "--since", "2026-09-12", "--year", "2026"),
        ("scan", "README.md"),
        ("scan", "samples/one_week.log", "--compare", "fail2ban", "--compare", "crowdsec", "--compare", "sshguard"),
    ],
    ids=" ".join,
)
def test_no_english_sentence_is_left(arguments):
    said, complaints, status = monzen(*arguments)
    assert (status, complaints) == (0 if arguments else 1, "")  # no verb is status: nothing is set up here
    assert JAPANESE.search(said)
    assert english(said.splitlines()) == []


@pytest.mark.parametrize("path", ["samples/one_week.log", "tests/data/real_mail.log"])
def test_explain_is_japanese(path):
    said, complaints, status = monzen("explain", path)
    assert (status, complaints) == (0, "")
    explained = said.splitlines()[1::2]
    assert all(JAPANESE.search(line) for line in explained)
    assert english(explained) == []


def test_the_headline_is_clear():
    assert "【警告】うち1件に侵入されています！" in monzen("scan", "samples/one_week.log")[0]
    assert "侵入された形跡はありません。" in monzen("scan", "samples/first_user.log")[0]


def test_numbers_keep_their_separators():
    said = monzen("scan", "samples/one_week.log")[0]
    lines = (ROOT / "samples/one_week.log").read_bytes().count(b"\n")
    assert f"{lines:,}行を読み込みました" in said


WRONG = [
    ("scan", "nosuchfile"),
    ("scan", "nosuch*"),
    ("scan", "/dev/null"),
    ("scan", sys.executable),
    ("scan", "--top", "x"),
    ("scan", "--since", "x"),
    ("scan", "--until", "x"),
    ("scan", "--year", "20"),
    ("scan", "--timezone", "Mars/Olympus"),
    ("scan", "--timezone", "+99:00"),
    ("scan", "--since", "1h", "--until", "2h"),
    ("scan", "--foo"),
    ("scan", "--compare", "nosuchfile"),
    ("scan", "--year"),
    ("scan", "--json=1"),
    ("explain", "nosuchfile"),
    ("nosuchverb",),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_errors_are_japanese(arguments):
    _, said, status = monzen(*arguments)
    assert status == 2
    for line in said.splitlines():
        assert JAPANESE.search(line)
        assert line.endswith("。") or "不明な引数" in line
    assert english(said.splitlines()) == []


def test_errors_of_archives_and_folders_are_japanese(tmp_path):
    packed = gzip.compress((ROOT / "samples/one_week.log").read_bytes())
    (tmp_path / "empty").mkdir()
    for name, what in {
        "torn.log.gz": packed[:9000],
        "bad.log.gz": packed[:9000] + b"x" * 99,
        "holes.log": bytes(range(256)) * 20,
    }.items():
        (tmp_path / name).write_bytes(what)
    for path in sorted(tmp_path.iterdir()):
        _, said, status = monzen("scan", str(path))
        assert status == 2, path
        assert JAPANESE.search(said), path


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "--json", "samples/one_week.log"),
        ("explain", "--json", "samples/first_user.log"),
        ("scan", "--json", "nosuchfile"),
    ],
    ids=" ".join,
)
def test_json_is_not_translated(arguments):
    japanese, english_one = monzen(*arguments), monzen(*arguments, language="en")
    assert japanese[0] == english_one[0]
    assert not JAPANESE.search(japanese[0])


@pytest.mark.parametrize("name", ["LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"])
def test_the_environment_chooses_the_language(name):
    value = "ja" if name == "LANGUAGE" else "ja_JP.UTF-8"
    base = {"LANGUAGE": "", "LANG": "C.UTF-8"}
    assert JAPANESE.search(monzen("--help", language="", **{**base, name: value})[0])
    assert not JAPANESE.search(monzen("--help", language="en")[0])
    assert not JAPANESE.search(monzen("--help", language="de")[0])
