"""The policy file: what it may say, what is said of what it may not, and that scan obeys."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.config import Config, ConfigError, config, load
from monzen.judge import Policy
from monzen.settings import KINDS, Sources, limits
from monzen.show.words import speak

ROOT = Path(__file__).parent.parent
FIRST = ROOT / "samples/first_user.log"


@pytest.fixture(autouse=True)
def _english():
    speak("en")
    yield
    speak()


def written(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(tmp_path, text):
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, text))
    said = str(error.value)
    assert said.startswith(f"{tmp_path}/policy.toml")
    return re.sub(r"^(, line \d+| の\d+行目)", "", said[len(f"{tmp_path}/policy.toml") :]).lstrip(": ")


def test_the_line_is_named_and_the_nearest_only_where_it_is_near(tmp_path):
    for text, words in (
        ("# a\n[policy]\n\nwindow = '1h'\n  windw = 3\n", ", line 5: there is no key windw in [policy]. The nearest is window"),
        ("[gate]\nlimit = 1\n[policy]\nlimit = 3\n", ", line 4: there is no key limit in [policy]. There are "),
        ("[shield]\nprivate = 3\n", ", line 2: shield.private cannot be 3. Use true or false"),
        ("[gate]\n'limit'=0\n", ", line 2: gate.limit cannot be 0."),
        ("\n[x]\n", ", line 2: there is no x. There are the tables policy, shield, "),
        ("policy.windw = 3\n", ": there is no key windw in [policy]. The nearest is window"),
    ):
        with pytest.raises(ConfigError) as error:
            load(written(tmp_path, text))
        assert str(error.value).startswith(f"{tmp_path}/policy.toml{words}"), str(error.value)


def test_an_empty_file_is_the_default(tmp_path):
    assert load(written(tmp_path, "")) == Config() == Config(Policy())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("600", 600), ("90.5", 90.5), ('"600s"', 600), ('"10m"', 600), ('"36h"', 129600), ('"7d"', 604800), ('"1.5 h"', 5400), ('"2w"', 1209600)],
)
def test_lengths_of_time(tmp_path, text, seconds):
    assert load(written(tmp_path, f"[policy]\nhop_after = {text}")).policy.hop_after == seconds


def test_all_tables(tmp_path):
    found = load(
        written(
            tmp_path,
            '[policy]\ncrowd = 4\ncampaign = false\n[shield]\nown = ["192.0.2.1"]\nallow = ["198.51.100.7/24", "[2001:db8::1]", "::ffff:192.0.2.9", '
            '"office.example.org"]\nprivate = true\n[networks]\nroutes = "table.txt"\n',
        )
    )
    assert found.policy == Policy(crowd=4, campaign=False)
    assert found.own == ((b"\xc0\0\2\1", 32),)
    assert found.allow == ((b"\xc6\x33\x64\0", 24), (b"\x20\1\x0d\xb8" + bytes(11) + b"\1", 128), (b"\xc0\0\2\x09", 32))
    assert found.names == ("office.example.org",)
    assert found.private
    assert found.routes == str(tmp_path / "table.txt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy]\nwindw = 3", "there is no key windw in [policy]. The nearest is window"),
        ("[shield]\nalow = []", "there is no key alow in [shield]. The nearest is allow"),
        ("[polcy]", "there is no polcy. The nearest is policy"),
        ("crowd = 3", "there is no crowd. The nearest is policy.crowd"),
        ("policy = 3", "policy is a table. Write [policy] in a line of its own, and its keys below"),
        ("[policy]\ncrowd = 1", "policy.crowd cannot be 1. Use a whole number from 2 to 32"),
        ("[policy]\ncrowd = true", "policy.crowd cannot be true. Use a whole number from 2 to 32"),
        ("[policy]\ncrowd = 3.5", "policy.crowd cannot be 3.5. Use a whole number from 2 to 32"),
        ("[policy]\nnames = 0", "policy.names cannot be 0. Use a whole number from 1 to 64"),
        ("[policy]\ncampaign = 1", "policy.campaign cannot be 1. Use true or false"),
        ("[policy]\nwindow = '1h'\nmemory = '10m'", "policy.memory cannot be 600.0. Use no less than window"),
        ("[policy]\nlongest = '1h'", "policy.longest cannot be 3600.0. Use no less than client_sentence"),
        ("[shield]\nown = ['mail.example.org']", "shield.own cannot be 'mail.example.org'. Use an address or a network such as 192.0.2.0/24"),
        ("[shield]\nprivate = 'yes'", "shield.private cannot be 'yes'. Use true or false"),
        ("[networks]\nroutes = 3", "networks.routes cannot be 3. Use the name of a file, in quotes"),
        ("a b", "is not TOML in line 1, column 3. Each line is a [table], a key = value or a # comment"),
        ("a = [", "is not TOML: what begins in line 1 is never closed. Close every quote and bracket"),
        ("[shield]\nallow = []\nown = [\n  \"192.0.2.1\",\n\n[gate\n", "is not TOML in line 6, column 2. Each line is a [table], a key = value or a # comment"),
        ("[shield]\nallow = []\nown = [\n  \"192.0.2.1\",\n\n", "is not TOML: what begins in line 3 is never closed. Close every quote and bracket"),
    ],
)
def test_one_sentence_says_what_is_wrong(tmp_path, text, said):
    assert refused(tmp_path, text) == said


def test_in_japanese_too(tmp_path):
    speak("ja")
    assert refused(tmp_path, "[policy]\nwindw = 3") == "：[policy] に windw というキーはありません。最も近いのは window です。"
    assert refused(tmp_path, "[policy]\ncrowd = 1") == "：policy.crowd に 1 は指定できません。指定できる値：2 から 32 までの整数。"


@pytest.mark.parametrize("value", ["0", "-5", "true", "nan", "inf", '"soon"', '"10"', '"0s"', "[]", '"99999999w"'])
def test_no_length_of_time(tmp_path, value):
    said = refused(tmp_path, f"[policy]\nwindow = {value}")
    assert said.startswith("policy.window cannot be ")
    assert "10m, 36h, 7d" in said


@pytest.mark.parametrize("value", ['"300.1.1.1"', '"192.0.2.0/33"', '"a b"', '""', "7", '"-x.example.org"', '"192.0.2.1,192.0.2.2"', '"*.example.org"'])
def test_no_address(tmp_path, value):
    assert "a list of addresses, networks and host names" in refused(tmp_path, f"[shield]\nallow = [{value}]")
    assert "a list of addresses, networks and host names" in refused(tmp_path, "[shield]\nallow = '192.0.2.1'")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory"):
        load(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="Is a directory"):
        load(str(tmp_path))
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(str(tmp_path / "latin.toml"))


def test_every_default_is_allowed():
    assert config({"policy": Policy()._asdict()}, "x").policy == Policy()
    for key, kind in KINDS.items():
        assert kind in ("int", "float", "bool"), key
        if kind != "bool":
            low, high = limits(key)
            assert low <= getattr(Policy(), key) <= high


ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3))


@given(st.sampled_from([*KINDS, "own", "allow", "private", "routes"]), ANYTHING)
def test_any_value_is_allowed_or_said_in_one_sentence(key, value):
    table = "policy" if key in KINDS else "networks" if key == "routes" else "shield"
    said = ""
    try:
        config({table: {key: value}}, "p.toml")
    except ConfigError as error:
        said = str(error)
    assert "\n" not in said
    assert not said or said.startswith("p.toml: ")


def test_the_example_file_is_the_default(tmp_path):
    text = (ROOT / "docs/policy.toml").read_text(encoding="utf-8")
    assert load(written(tmp_path, text)) == Config()
    found = load(written(tmp_path, re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)))
    assert found.policy == Policy()
    assert (len(found.own), len(found.allow), found.names) == (2, 2, ("office.example.org",))
    assert text.count("\n# ") == len(KINDS) + 5


# ---- scan


def scan(*arguments, verb="scan"):
    return subprocess.run(
        [sys.executable, "-m", "monzen", verb, *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": str(ROOT / "src")},
    )


def test_scan_obeys(tmp_path):
    policy = written(tmp_path, "[policy]\ncrowd = 4")
    assert json.loads(scan("--json", "--policy", policy, FIRST).stdout)["verdicts"] == []
    policy = written(tmp_path, '[shield]\nallow = ["212.70.149.0/27"]')
    said = json.loads(scan("--json", "--policy", policy, FIRST).stdout)
    assert sorted(v["target"] for v in said["verdicts"]) == ["212.70.149.52", "212.70.149.83"]
    assert [(s["target"], s["reason"]) for s in said["spared"]] == [("212.70.149.0/24", "shielded")]
    assert scan("212.70.149.20", FIRST, "--policy", policy, verb="why").returncode == 0


def test_a_wrong_policy_is_wrong_use(tmp_path):
    for verb in (("scan",), ("why", "192.0.2.1")):
        done = scan(*verb[1:], FIRST, "--policy", written(tmp_path, "[policy]\ncrowds = 4"), verb=verb[0])
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"monzen: {tmp_path}/policy.toml, line 2: there is no key crowds in [policy]. The nearest is crowd\n"


def test_names_that_do_not_resolve_are_said(tmp_path, monkeypatch, capsys):
    import socket

    from monzen.cli import main

    def answer(name, *_, **__):
        if name == "office.example.org":
            return [(2, 1, 6, "", ("212.70.149.20", 0))]
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    policy = written(tmp_path, '[shield]\nallow = ["office.example.org", "gone.example.org"]')
    assert main(["scan", "--json", "--policy", policy, str(FIRST)]) == 0
    said = capsys.readouterr()
    assert sorted(v["target"] for v in json.loads(said.out)["verdicts"]) == ["212.70.149.52", "212.70.149.83"]
    assert said.err == (
        "monzen: gone.example.org has no address now, so it is not allowed this time. Check the name, or write its address\n"
    )


def test_the_gate_and_the_ledger(tmp_path):
    found = load(
        written(
            tmp_path,
            '[gate]\nfirewall = "ufw"\nmirror = false\nmirror_from = "2h"\nmirror_limit = 0\nwidest4 = 16\nat_once = 5\n'
            "[ledger]\nended_days = 30\nevidence_bytes = 2000000\n",
        )
    )
    assert (found.gate.firewall, found.gate.mirror, found.gate.mirror_from, found.gate.mirror_limit) == ("ufw", False, 7200, 0)
    assert (found.gate.widest4, found.gate.at_once, found.gate.log) == (16, 5, True)
    assert (found.ledger.ended_days, found.ledger.evidence_bytes, found.ledger.knock_days) == (30, 2_000_000, 90)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[gate]\nfirewall = "iptables"', "gate.firewall cannot be 'iptables'. Use auto, nftables, ufw, dry"),
        ("[gate]\nmirror = 1", "gate.mirror cannot be 1. Use true or false"),
        ("[gate]\nlimit = 0", "gate.limit cannot be 0. Use a whole number from 1 to 4194304"),
        ("[gate]\nwidest4 = true", "gate.widest4 cannot be true. Use a whole number from 1 to 32"),
        ('[gate]\nmirror_from = "soon"', "gate.mirror_from cannot be 'soon'. Use a length of time"),
        ("[gate]\nmirrors = true", "there is no key mirrors in [gate]. The nearest is mirror"),
        ("[ledger]\nended_days = 0", "ledger.ended_days cannot be 0. Use a whole number from 1 to 3650"),
        ("[ledger]\nend_days = 9", "there is no key end_days in [ledger]. The nearest is ended_days"),
    ],
)
def test_what_the_gate_and_the_ledger_cannot_be(tmp_path, text, said):
    assert refused(tmp_path, text).startswith(said)


def test_sources_are_what_is_followed(tmp_path):
    found = config({"sources": {"files": ["/var/log/maillog"], "journal": False, "history": "7d", "timezone": "Asia/Tokyo"}}, "f")
    assert found.sources == Sources(("/var/log/maillog",), False, 7 * 86400.0, "Asia/Tokyo")
    assert config({"sources": {"journal": "auto"}}, "f").sources == Sources()
    for key, wrong in (("files", ["mail.log"]), ("files", "x"), ("journal", "yes"), ("history", "forever"), ("timezone", "Mars/Olympus")):
        with pytest.raises(ConfigError, match=f"sources.{key} cannot be"):
            config({"sources": {key: wrong}}, "f")
