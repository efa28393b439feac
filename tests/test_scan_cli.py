"""The two verbs at the edges of a shell: the first user's log, pipes, FIFOs, signals, full and closed outputs.

tests/test_scan.py has the options and inputs, tests/test_explain.py the contract.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIRST, WEEK = ROOT / "samples/first_user.log", ROOT / "samples/one_week.log"
FAILED = b"Sep  4 16:%02d:01 mail sshd[%d]: Failed password for root from 192.0.2.7 port 22 ssh2\n"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "COLUMNS": "120", "PYTHONPATH": str(ROOT / "src")}
COMMAND = [sys.executable, "-m", "monzen"]


def monzen(*arguments, stdin=b"", **environment):
    return subprocess.run([*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, check=False, cwd=ROOT, env=ENVIRONMENT | environment)


def shell(text):
    """A line of a shell; {} is monzen."""
    script = text.replace("{}", " ".join(COMMAND))
    return subprocess.run(["bash", "-c", script], capture_output=True, check=False, cwd=ROOT, env=ENVIRONMENT)


# ---- the first user


def test_the_first_users_excerpt_says_who_and_that_none_got_in():
    said = json.loads(monzen("scan", "--json", FIRST).stdout)
    assert said["clients"] == 3
    assert [(v["target"], v["clients"], v["attempts"]) for v in said["verdicts"]] == [("212.70.149.0/24", 3, 6)]
    assert said["breaches"] == []
    assert said["commands"] == ["ufw prepend deny from 212.70.149.0/24"]
    text = monzen("scan", FIRST).stdout.decode()
    for word in ("212.70.149.83", "212.70.149.52", "212.70.149.20", "212.70.149.0/24", "ufw prepend deny from 212.70.149.0/24"):
        assert word in text
    assert re.search(r"[Nn]o(?:ne|body)[^\n]*got in|[Nn]obody got in", text)
    assert "first_user.log" in text


def test_in_japanese_the_numbers_are_the_same():
    english, japanese = (monzen("scan", WEEK, LANG="ja_JP.UTF-8", LANGUAGE=code).stdout.decode() for code in ("en", "ja"))
    numbers = [sorted(re.findall(r"\d+\.\d+\.\d+\.\d+(?:/\d+)?|[0-9a-f]+::[0-9a-f:]*(?:/\d+)?", text)) for text in (english, japanese)]
    assert numbers[0] == numbers[1]
    assert english != japanese


def test_a_paste_from_a_page_is_the_log(tmp_path):
    """Folded and indented, as a browser gives it."""
    cut = [line.rindex(b" ", 0, 60) for line in FIRST.read_bytes().splitlines()]
    folded = b"".join(b"    " + line[:at] + b"\n      " + line[at + 1 :] + b"\n" for line, at in zip(FIRST.read_bytes().splitlines(), cut, strict=True))
    pasted, log = (json.loads(monzen("scan", "--json", "-", stdin=text).stdout) for text in (folded, FIRST.read_bytes()))
    for said in (pasted, log):
        for verdict in said["verdicts"]:
            verdict.pop("evidence")
            verdict["at"] = verdict["at"][4:]
            verdict["until"] = verdict["until"][4:]
    assert pasted["verdicts"] == log["verdicts"]
    assert (pasted["clients"], pasted["attempts"]) == (3, 6)


# ---- pipes


@pytest.mark.parametrize("verb", ["scan samples/one_week.log", "scan --json samples/one_week.log", "explain samples/one_week.log", "explain --json samples/one_week.log", "--help", "scan --help"])
def test_a_reader_that_goes_away(verb):
    done = shell(f"{{}} {verb} | head -n 1 >/dev/null; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("verb", ["scan samples/first_user.log", "scan --json samples/first_user.log", "explain --json samples/first_user.log"])
def test_a_full_disk_is_a_sentence(verb):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    done = shell(f"{{}} {verb} >/dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith(b"monzen: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
@pytest.mark.parametrize("verb", ["scan samples/first_user.log", "scan --json samples/first_user.log", "explain --json samples/first_user.log"])
def test_a_closed_output_is_no_accident(verb, closed):
    """As a service manager or cron may start it: no traceback, and with errors closed the answer all the same."""
    done = shell(f"{{}} {verb} {closed}")
    assert b"Traceback" not in done.stderr
    if closed == "2>&-":
        assert (done.returncode, bool(done.stdout)) == (0, True)


def test_standard_input_is_the_default_of_explain():
    done = subprocess.run([*COMMAND, "explain", "--json"], input=FIRST.read_bytes(), capture_output=True, check=False, env=ENVIRONMENT)
    assert done.stdout.count(b"\n") == 14


def test_explain_numbers_through_all_arguments(tmp_path):
    line = "sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2"
    done = monzen("explain", "--json", line, FIRST, line)
    said = [json.loads(x) for x in done.stdout.splitlines()]
    assert [s["n"] for s in said] == list(range(1, 17))
    assert (said[0]["client"], said[15]["client"]) == ("192.0.2.7", "192.0.2.7")


@pytest.mark.parametrize("name", ["a b.log", "ä.log", "-x.log", "[a].log", "new\nline.log"])
def test_names_of_files_are_any_bytes(tmp_path, name):
    (tmp_path / name).write_bytes(FAILED % (0, 7) * 6)
    done = subprocess.run([*COMMAND, "scan", "--json", f"./{name}"], capture_output=True, check=False, cwd=tmp_path, env=ENVIRONMENT)
    assert (done.returncode, json.loads(done.stdout)["attempts"]) == (0, 6)
    text = subprocess.run([*COMMAND, "scan", f"./{name}"], capture_output=True, check=False, cwd=tmp_path, env=ENVIRONMENT)
    assert text.returncode == 0
    assert "\nline.log" not in text.stdout.decode()


def test_a_name_that_is_not_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.log"
    with open(path, "wb") as file:  # a Path cannot hold these bytes
        file.write(FAILED % (0, 7) * 6)
    done = subprocess.run([*COMMAND, b"scan", b"--json", path], capture_output=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["attempts"] == 6


# ---- FIFOs and signals


def test_a_fifo_is_read_to_its_end(tmp_path):
    fifo = tmp_path / "mail.log"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(FIRST.read_bytes()))
    writer.start()
    done = monzen("scan", "--json", fifo)
    writer.join()
    assert json.loads(done.stdout)["clients"] == 3


@pytest.mark.parametrize("arguments", [("scan", "--json"), ("scan",)])
def test_ctrl_c_while_reading_a_fifo_prints_what_was_found(tmp_path, arguments):
    fifo = tmp_path / "mail.log"
    os.mkfifo(fifo)
    child = subprocess.Popen([*COMMAND, *arguments, str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    with fifo.open("wb") as pipe:  # opens when the child has opened it
        pipe.write(b"".join(FAILED % (i, i) for i in range(8)) + b"Sep  4 16:30:00 mail cron[1]: x\n" * 20_000)
        pipe.flush()
        deadline = time.monotonic() + 60
        while waiting(pipe) and time.monotonic() < deadline:  # until it has taken all of it
            time.sleep(0.01)
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err == b""
    if "--json" in arguments:
        assert json.loads(out)["attempts"] == 8
    else:
        assert b"192.0.2.7" in out


def waiting(pipe):
    """Bytes that the other end has not read yet."""
    import array
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, count)
    return count[0]


def test_ctrl_c_in_explain_is_quiet(tmp_path):
    child = subprocess.Popen([*COMMAND, "explain", "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=ENVIRONMENT)
    child.stdin.write(b"".join(FAILED % (i % 60, i) for i in range(300)))
    first = child.stdout.readline()  # it has begun
    child.send_signal(signal.SIGINT)
    rest, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err == b""
    for line in (first + rest).splitlines():
        json.loads(line)  # whole objects only


# ---- wrong use


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("scan", "--top", "x"), "--top"),
        (("scan", "--since", "tomorrowish"), "--since"),
        (("scan", "--timezone", "Asia/Kyoto"), "Asia/Kyoto"),
        (("scan", "--year", "1"), "--year"),
        (("scan", "/nowhere/mail.log"), "/nowhere/mail.log"),
        (("scan", "/nowhere/*.log"), "/nowhere/*.log"),
        (("scan", "/dev/null/x"), "/dev/null/x"),
        (("explain", "/nowhere.log"), "/nowhere.log"),
        (("scam",), "scam"),
        (("scan", "--jsn"), "--jsn"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(arguments, says):
    done = monzen(*arguments)
    assert done.returncode == 2
    said = done.stderr.decode()
    assert said.startswith("monzen: ")
    assert says in said
    assert len(said.splitlines()) <= 2
    japanese = monzen(*arguments, LANG="ja_JP.UTF-8", LANGUAGE="ja").stderr.decode()
    assert says in japanese
    assert japanese != said


def test_a_folder_without_logs_and_a_file_that_is_none(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.log").write_bytes(b"")
    (tmp_path / "image.log").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    done = monzen("scan", "--json", tmp_path / "empty", tmp_path / "zero.log", tmp_path / "image.log", FIRST)
    assert done.returncode == 2
    assert json.loads(done.stdout)["clients"] == 3
    assert done.stderr.count(b"\n") == 2
    assert monzen("scan", tmp_path / "zero.log").returncode == 0


def test_the_commands_at_the_end_do_what_they_say(monkeypatch, capsys):
    """The same files again with --apply; and no rule of ufw's without saying that ufw sleeps."""
    from monzen.cli import main
    from monzen.gate import look

    settings = look.UfwSettings(False, "drop", "accept", "drop", "low", True)
    for enabled in (False, True):
        monkeypatch.setattr(look, "ufw_settings", lambda root="/", on=enabled: settings._replace(enabled=on))
        monkeypatch.setenv("LANGUAGE", "en")
        assert main(["scan", "samples/first_user.log", "--top", "5"]) == 0
        said = capsys.readouterr().out
        assert "sudo monzen scan samples/first_user.log --top 5 --apply" in said
        assert ("ufw is not active here" in said) is not enabled


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", [58, 66, 80])
def test_a_narrow_terminal_breaks_no_time_and_no_number(language, width, monkeypatch, capsys):
    from monzen.cli import main
    from monzen.show.page import cells
    from monzen.show.words import speak

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TZ", "UTC")
    speak(language)
    try:
        assert main(["scan", "samples/one_week.log"]) == 0
    finally:
        speak()
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.startswith("    198.51.100.33 ")]
    assert re.fullmatch(r" +198\.51\.100\.33 +55 +(\d{4}-)?09-08 13:18(:00)? +(\d{4}-)?09-08 13:38(:40)?( .*)?", row), row
    title = {"en": "Who got in", "ja": "侵入した接続元"}[language]
    first = lines.index(title) + 1
    listed = lines[first : lines.index("", first)]
    assert all(line.startswith("  ") for line in listed), "nothing falls to the margin"
    assert all(cells(line) <= width for line in listed)
