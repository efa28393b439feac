"""`monzen status`: the first sentence says how it is, each problem says what to do, both languages, both forms."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from monzen import services
from monzen.mode import Mode
from monzen.show.words import speak
from monzen.verbs.halves import reader
from monzen.verbs.status import as_values, headline, show
from monzen.verbs.troubles import problems

NOW = time.time()
SOURCE = {"path": "/var/log/mail.log", "caught_up": True, "last": NOW - 5, "lines": 10, "late": 0.0, "error": ""}
GATE = {"started": NOW - 99, "pid": 7, "mode": "armed", "firewall": "nftables", "applied": NOW, "trouble": "", "peers": 1, "denied": 1}


def run_of(**changes):
    """What `monzen run` writes when all is well."""
    about = {
        "at": NOW, "started": NOW - 99, "lines": 10, "events": 5, "suspects": 0, "sources": [SOURCE], "stopped": False,
        "gate": {"connected": True, "since": NOW, "mode": "armed", "error": ""}, "state": {"records": 1, "snapshot": 1, "behind": False},
    }  # fmt: skip
    return {**about, **changes}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(services, "by_systemd", lambda: True)
    yield
    speak()


def test_all_is_well():
    speak("en")
    assert problems(Mode("armed"), run_of(), GATE, NOW) == []
    assert headline(Mode("armed"), [], {"active": [1, 2]})[0] == "Armed, and all is well: 2 targets are turned away now."
    assert headline(Mode("watch"), [], {"active": [], "would": [1]})[0].startswith("Watch-only")


WRONG = {
    "gate": (Mode("armed"), run_of(), "Connection refused", "systemctl start monzen-gate"),
    "trouble": (Mode("armed"), run_of(), {**GATE, "trouble": "cannot reach the firewall"}, "cannot reach the firewall"),
    "dry": (Mode("armed"), run_of(), {**GATE, "firewall": "dry"}, "no firewall"),
    "dead": (Mode("armed"), run_of(at=NOW - 120), GATE, "does not read the logs"),
    "stopped": (Mode("armed"), run_of(stopped=True), GATE, "does not read the logs"),
    "never": (Mode("armed"), None, GATE, "does not read the logs"),
    "alone": (Mode("armed"), run_of(gate={"connected": False, "error": "No such file"}), GATE, "does not reach the gate"),
    "nothing": (Mode("armed"), run_of(sources=[]), GATE, "[sources] files"),
    "late": (Mode("armed"), run_of(sources=[{**SOURCE, "late": -7200.0}]), GATE, "by -120 minutes"),
    "closed": (Mode("armed"), run_of(sources=[{**SOURCE, "error": "cannot read it: Permission denied"}]), GATE, "Permission denied"),
    "silent": (Mode("armed"), run_of(sources=[{**SOURCE, "last": NOW - 9 * 86400}]), GATE, "monzen check"),
    "full": (Mode("armed"), run_of(state={"behind": True}), GATE, "disk"),
    "formats": (Mode("armed"), run_of(suspects=3), GATE, "3 lines look like failures"),
    "panic": (Mode("panic"), run_of(), GATE, "monzen arm"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_problem_says_what_to_do(name):
    speak("en")
    mode, run, gate, words = WRONG[name]
    found = problems(mode, run, gate, NOW)
    assert len(found) == 1, found
    assert words in found[0]
    speak("ja")
    assert re.search("[ぁ-ん]", problems(mode, run, gate, NOW)[0]) or name == "trouble" or name == "closed"


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", WRONG)
def test_it_is_shown_and_told(name, language, capsys):
    speak(language)
    mode, run, gate, _words = WRONG[name]
    found = problems(mode, run, gate, NOW)
    show(mode, run, gate, {}, found, NOW)
    assert found[0][:20] in capsys.readouterr().out
    json.dumps(as_values(mode, run, gate, {}, found))


def test_hostile_words_are_escaped(capsys):
    speak("en")
    run = run_of(sources=[{**SOURCE, "path": "/var/log/\x1b]0;x\x07.log"}])
    show(Mode("armed"), run, "\x1b[2J", {}, problems(Mode("armed"), run, "\x1b[2J", NOW), NOW)
    assert "\x1b" not in capsys.readouterr().out


WHOLE = {
    **run_of(), "pid": 7, "clients": 1, "sentences": 1, "twice": 0, "waiting": 0, "version": "1", "samples": [], "history": False,
    "sources": [{**SOURCE}],
}  # fmt: skip
BROKEN = [
    "", "[]", "{}", "[" * 3000, "null", *(json.dumps({**WHOLE, key: value}) for key in WHOLE for value in (None, "x", [], {}, -1, 1e300, [[]]))
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_what_a_captured_run_writes_harms_nobody(tmp_path, number, capsys):
    speak("en")
    folder = tmp_path / "var/lib/monzen-run"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(BROKEN[number])
    found = reader(str(tmp_path))
    show(Mode("armed"), found, GATE, {}, problems(Mode("armed"), found, GATE, NOW), NOW)
    json.dumps(as_values(Mode("armed"), found, GATE, {}, []))


def test_neither_a_link_nor_a_pipe_is_read(tmp_path):
    folder = tmp_path / "var/lib/monzen-run"
    folder.mkdir(parents=True)
    (tmp_path / "real").write_text(json.dumps(WHOLE))
    (folder / "status.json").symlink_to(tmp_path / "real")
    assert reader(str(tmp_path)) is None
    (folder / "status.json").unlink()
    os.mkfifo(folder / "status.json")
    assert reader(str(tmp_path)) is None
    (folder / "status.json").unlink()
    (folder / "status.json").write_text(json.dumps(WHOLE))
    assert reader(str(tmp_path))["lines"] == 10


def test_a_panic_says_how_to_close_it_whatever_else_does_not_run():
    speak("en")
    found = problems(Mode("panic"), None, "No such file or directory", NOW)
    assert "monzen arm" in found[0]
    assert found[1] == "the gate does not run: nobody new is turned away. Start it: systemctl start monzen-gate"
    assert "journalctl -u monzen" in found[2]


def test_without_systemd_it_names_none(monkeypatch):
    speak("en")
    monkeypatch.setattr(services, "by_systemd", lambda: False)
    for run in (None, run_of(gate={"connected": False, "error": "x"})):
        for gate in ("No such file or directory", "Connection refused", "timed out", GATE):
            for sentence in problems(Mode("armed"), run, gate, NOW):
                assert "systemctl" not in sentence
                assert "journalctl" not in sentence
    assert "monzen gate serve &" in problems(Mode("armed"), run_of(), "Connection refused", NOW)[0]


def test_who_may_not_ask_does_not_say_that_it_is_dead():
    speak("en")
    (said,) = problems(Mode("armed"), run_of(), "Permission denied", NOW)
    assert said.startswith("whether the gate works cannot be told")


def test_what_the_firewall_lacks_is_not_turned_away():
    speak("en")
    facts = {"active": [1, 2, 3], "missing": 3, "firewall": "nftables"}
    assert headline(Mode("armed"), ["x"], facts)[0] == "Armed, but something is wrong (0 of 3 targets are turned away now)."
    assert "cannot be told" in headline(Mode("armed"), ["x"], {})[0]


def test_where_nothing_is_set_up_it_says_how(tmp_path):
    code = "import monzen.verbs.status as s, sys; s.set_up = lambda root='/': False; from monzen.cli import main; sys.exit(main(['status']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"LANG": "C.UTF-8"}, check=False)
    assert done.returncode == 1
    assert "sudo monzen init" in done.stdout
