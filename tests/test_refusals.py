"""What is said where something is not possible: the command that does it, typed as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monzen.show import command
from monzen.show.words import speak

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


def nobody(*arguments, language="C.UTF-8"):
    """monzen, as somebody without rights."""
    return subprocess.run(
        [*NOBODY, sys.executable, "-m", "monzen", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "LANGUAGE": "", "LC_ALL": "", "LANG": language}, cwd="/",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet():
    yield
    speak()
    command.remember([])


@pytest.mark.parametrize(
    "typed",
    ["panic", "pause --for 10m", "arm", "arm --off --json", "gate status", "gate status --json", "gate enable --default deny", "gate confirm", "gate disable",
     "gate apply", "deny 203.0.113.7 --note 'a b'", "release 203.0.113.7", "init"],
)  # fmt: skip
def test_who_has_no_right_is_told_the_very_command(typed):
    import shlex

    done = nobody(*shlex.split(typed))
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert f"Run as root: sudo monzen {typed}" in last, last
    assert f"sudo monzen {typed}" in nobody(*shlex.split(typed), language="ja_JP.UTF-8").stderr


def test_what_was_typed_is_quoted_bounded_and_harmless():
    command.remember(["deny", "203.0.113.7", "--note", "it's \x1b[2J"])
    said = command.as_root()
    assert said.startswith("sudo monzen deny 203.0.113.7 --note ")
    assert "\x1b" not in said
    command.remember(["gate", "status", *["203.0.113.7"] * 200])
    assert command.as_root() == "sudo monzen gate status ..."


def test_a_command_that_goes_on_leaves_out_what_it_replaces():
    command.remember(["scan", "mail.log", "--apply", "--dry-run", "--names"])
    assert command.as_root("--apply", without=("--dry-run",)) == "sudo monzen scan mail.log --names --apply"
    command.remember(["report", "mail.log", "--mail", "admin@example.net", "--names", "--mail=info@example.net"])
    assert command.again("--html", "report.html", valued=("--mail",)) == "monzen report mail.log --names --html report.html"
    command.remember(["scan", "--names", "--", "--dry-run"])  # a file of this name
    assert command.as_root("--apply", without=("--dry-run",)) == "sudo monzen scan --names --apply -- --dry-run"


def test_root_is_not_told_to_be_root(monkeypatch):
    speak("en")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "Run as root" not in command.remedy()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.remedy() == "Run as root: sudo monzen"


def test_no_message_says_root_without_the_command():
    """Of the family: each goes through `remedy`, or names the group that helps too."""
    import monzen

    folder = Path(monzen.__file__).parent
    for path in folder.rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "Run as root" in line and path.name != "command.py":
                assert "{command}" in line or "member of the group" in line, f"{path}:{number}"


def alone(*arguments):
    """monzen on a machine where nothing is set up: its folders are covered, and nothing of them is left behind."""
    code = (
        "import sys, monzen.gatehouse as g, monzen.verbs.common as c, monzen.verbs.halves as h, monzen.verbs.listing as l, monzen.verbs.status as s\n"
        "g.LEDGER = l.LEDGER = s.LEDGER = 'nowhere/ledger.db'; s.CONFIG = c.CONFIG = '/nowhere/monzen.toml'; s.STATE = h.STATE = 'nowhere/run'\n"
        "from monzen.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env={**os.environ, "LANG": "C.UTF-8", "LANGUAGE": ""}
    )


def test_where_nothing_is_set_up_nobody_is_denied():
    import json

    done = alone("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "there is no ledger yet. To set monzen up: sudo monzen init" in done.stdout
    assert json.loads(alone("list", "--json").stdout) == {"denied": [], "count": 0}


def test_no_verb_is_status():
    import json

    for arguments in ([], ["status"]):
        done = alone(*arguments)
        assert done.returncode == 1
        assert "sudo monzen init" in done.stdout
        assert "monzen --help" in done.stdout
    assert "not set up" in json.loads(alone("status", "--json").stdout)["problems"][0]


def test_a_refusal_names_the_address_once_and_says_never_only_of_what_is_forever():
    from monzen.keeper import _refusal
    from monzen.ledger import Order
    from monzen.wards import Ward

    speak("en")
    here, ten = bytes([127, 0, 0, 1]), bytes([10, 0, 0, 0])
    assert _refusal(Order(here, 32), Ward(here, 32, "own")) == "127.0.0.1 is never denied: it is an address of this machine"
    said = _refusal(Order(here, 32), Ward(here, 32, "ssh"))
    assert said == "127.0.0.1 is not denied now: somebody is logged in from there over SSH now"
    assert _refusal(Order(ten, 24), Ward(ten, 8, "private")).startswith("10.0.0.0/24 is never denied, in 10.0.0.0/8: it is a private")
    assert _refusal(Order(ten, 8), Ward(ten, 32, "ssh")).startswith("10.0.0.0/8 is not denied, for in it is 10.0.0.0: somebody")
    speak("ja")
    assert _refusal(Order(here, 32), Ward(here, 32, "own")) == "127.0.0.1 はこのマシンのアドレスのため、拒否できません"
    said = _refusal(Order(ten, 24), Ward(ten, 8, "private"))
    assert said.startswith("10.0.0.0/24 は 10.0.0.0/8（プライベートアドレス）に含まれるため、拒否できません。拒否できるようにするには")


def test_help_has_one_kind_of_colon():
    for language, bad in (("ja_JP.UTF-8", r"[^\x00-\x7f]:"), ("C.UTF-8", "："), ("C.UTF-8", r"^options$")):
        for verb in ("scan", "watch", "serve", "gate"):
            said = nobody(verb, "--help", language=language).stdout
            assert not re.search(bad, said, re.MULTILINE), (verb, said)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("why 0.0.0.0/0", "is so wide"),
        ("why ::/0", "is so wide"),
        ("why x", "is no address"),
        ("deny 203.0.113.7 --for -3d", "'-3d' is not a length of time"),
        ("pause --for -1h", "'-1h' is no length of a pause"),
        ("scan --snice 7d", "See: monzen scan --help"),
        ("scan --since -1d", "'-1d' is not a time"),
        ("list --bogus", "See: monzen list --help"),
        ("gate status --bogus", "See: monzen gate status --help"),
        ("explain hello", "is no file here, and no log line"),
        ("explain ''", "is no file here, and no log line"),
        ("explain /nowhere/mail.log", "cannot read /nowhere/mail.log"),
        ("allow --remove", "--remove of whom?"),
        ("allow --note x", "--note of whom?"),
    ],
)
def test_wrong_use_says_what_is_wrong(typed, words):
    import shlex

    done = nobody(*shlex.split(typed))
    assert done.returncode == 2
    assert words in done.stderr, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-D", "n"])
def test_who_does_not_want_it_is_told_that_nothing_was_changed(how):
    import signal

    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from monzen.verbs.common import agreed\n"
        "try: sys.exit(agreed('Do it? '))\nexcept KeyboardInterrupt: sys.exit(130)"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LANGUAGE": "en"}
    )
    with process:
        said = process.stdout.read(7)  # the question
        if how == "Ctrl-C":
            while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
                pass  # a signal between the question and the read would be kept until something is typed
            process.send_signal(signal.SIGINT)
        elif how == "n":
            process.stdin.write(b"n\n")
        if how != "Ctrl-C":
            process.stdin.close()
        said += process.stdout.read()
    assert said.endswith(b"Nothing was changed.\n"), said
    assert process.returncode == (130 if how == "Ctrl-C" else 0)
