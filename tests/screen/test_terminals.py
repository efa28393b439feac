"""On real terminals: those of ssh, screen and the console, without colours, without Textual, and none at all."""

import json
import os
import signal

import pytest

from tests.lab.terminal import Terminal
from tests.test_looking import failed, lines
from tests.test_why import monzen


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mail.log"
    path.write_text(lines((0, failed("info", "203.0.113.7")), (1, failed("[red]x[/]", "203.0.113.8"))))
    return path


@pytest.fixture
def start():
    opened = []

    def open_it(*arguments, **more):
        opened.append(Terminal(*arguments, **more))
        return opened[-1]

    yield open_it
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("term", ["xterm", "xterm-256color", "screen", "linux", "vt100", "dumb"])
@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
def test_every_terminal_shows_it_and_takes_keys(log, start, term, size):
    screen = start("watch", str(log), "--names", term=term, size=size)
    screen.until("203.0.113.7")
    screen.until("[red]x[/]")
    if term == "linux":
        assert "▸" not in screen.text
        assert "█" not in screen.text
    screen.press("q")
    assert screen.ended() == 0


def test_without_colours(log, start):
    pytest.importorskip("textual")
    screen = start("watch", str(log), NO_COLOR="1")
    screen.until("203.0.113.7")
    screen.press("q")
    assert screen.ended() == 0
    assert b"\x1b[33m" not in screen.raw
    assert b"38;5" not in screen.raw
    assert b"38;2" not in screen.raw


@pytest.mark.parametrize("how", ["--plain", "old"])
def test_without_keys(log, start, tmp_path, how):
    """By rich alone where it is asked for, or where Textual is missing or too old: a line shows, Ctrl-C ends it."""
    environment = {}
    if how == "old":  # as Debian 12 has it
        (tmp_path / "path/textual-0.1.13.dist-info").mkdir(parents=True)
        (tmp_path / "path/textual-0.1.13.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: textual\nVersion: 0.1.13\n")
        environment["PYTHONPATH"] = str(tmp_path / "path")
    screen = start("watch", str(log), "--names", *(["--plain"] if how == "--plain" else []), size=(60, 20), **environment)
    screen.until("[red]x[/]")
    screen.until("Ctrl-C: end")
    assert ("monzen[watch]" in screen.text) == (how == "old")
    with log.open("a") as file:
        file.write(lines((60, failed("office", "198.51.100.9"))))
    screen.until("198.51.100.9")
    screen.process.send_signal(signal.SIGINT)
    assert screen.ended() == 0


def test_into_a_pipe_it_is_one_frame(log):
    done = monzen("watch", str(log), "--names", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert "203.0.113.7" in said
    assert "password guesses: [red]x[/]" in said
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert monzen("watch", str(log)).stdout.decode().count("[red]x[/]") == 0


def test_for_programs(log):
    """The same in both languages; names only where they are asked for."""
    said = [json.loads(monzen("watch", str(log), "--json", *more, LANGUAGE=language).stdout) for language, more in (("en", []), ("ja", []), ("en", ["--names"]))]
    for found in said:
        del found["at"]
    assert said[0] == said[1]
    assert [(a["client"], a["kind"], a["denied"]) for a in said[0]["latest"]] == [("203.0.113.8", "auth_failure", False), ("203.0.113.7", "auth_failure", False)]
    assert "name" not in said[0]["latest"][0]
    assert [a["name"] for a in said[2]["latest"]] == ["[red]x[/]", "info"]
    assert said[0]["suspects"][0] == {"target": "203.0.113.0/24", "rule": "crowd", "have": 2, "need": 3, "clients": 2, "attempts": 2, "last": "2026-09-04T10:00:01Z"}


def test_wrong_use(log, tmp_path):
    assert monzen("watch", str(log), "--since", "tomorrowish").returncode == 2
    missing = monzen("watch", "--once", str(tmp_path / "none.log"), COLUMNS="400")  # which its path fits in, whatever folder it is
    assert missing.returncode == 2
    assert b"none.log" in missing.stdout


@pytest.mark.parametrize("how", [(), ("--plain",)], ids=["keys", "plain"])
def test_it_ends_with_its_terminal(log, start, how):
    """Also where nobody sends a signal: it was not the terminal of its session (a window that was killed, a broken ssh)."""
    if not how:
        pytest.importorskip("textual")
    screen = start("watch", str(log), *how)
    screen.until("203.0.113.7")
    os.close(screen.main)
    screen.main = os.open("/dev/null", os.O_RDWR)
    assert screen.process.wait(60) != 0
