"""`monzen scan` and `monzen explain` as their users run them: options, inputs, answers, exit status."""

import bz2
import gzip
import json
import lzma
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard

ROOT = Path(__file__).parent.parent
FIRST = ROOT / "samples/first_user.log"
WEEK = ROOT / "samples/one_week.log"
ATTACK = b"".join(
    b"Sep  4 16:%02d:00 mail postfix/smtpd[%d]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x\n" % (i, i) for i in range(8)
)


def monzen(*arguments, stdin=b"", cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "monzen", *map(str, arguments)],
        input=stdin,
        cwd=cwd,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": "120", "TZ": "UTC", "PYTHONPATH": str(ROOT / "src"), **environment},
    )


def scanned(*arguments, **more):
    done = monzen("scan", "--json", *arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def essence(said):
    return {k: said[k] for k in said if k not in ("inputs", "errors")}


# ---- what is read


@pytest.mark.parametrize(
    ("name", "pack"),
    [("mail.log", bytes), ("mail.log.gz", gzip.compress), ("mail.log.xz", lzma.compress), ("mail.log.bz2", bz2.compress), ("mail.log.zst", zstandard.compress)],
)
def test_plain_and_packed_say_the_same(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(FIRST.read_bytes()))
    os.utime(tmp_path / name, (FIRST.stat().st_mtime,) * 2)
    assert essence(scanned(tmp_path / name)) == essence(scanned(FIRST))


def test_a_rotated_set_is_its_concatenation(tmp_path):
    lines = WEEK.read_bytes().splitlines(keepends=True)
    at = WEEK.stat().st_mtime
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "mail.log").write_bytes(b"".join(lines))
    os.utime(whole / "mail.log", (at, at))
    parts = tmp_path / "parts"
    parts.mkdir()
    third = len(lines) // 3
    (parts / "mail.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:third])))
    (parts / "mail.log.1").write_bytes(b"".join(lines[third : 2 * third]))
    (parts / "mail.log").write_bytes(b"".join(lines[2 * third :]))
    for n, name in enumerate(("mail.log", "mail.log.1", "mail.log.2.gz")):
        os.utime(parts / name, (at - n, at - n))
    want = essence(scanned(whole / "mail.log"))
    assert essence(scanned(*parts.iterdir())) == want
    assert essence(scanned(parts)) == want
    assert essence(scanned(parts / "mail.log*")) == want
    assert essence(scanned("-", stdin=b"".join(lines))) == want


def test_a_copy_of_the_log_changes_nothing(tmp_path):
    (tmp_path / "mail.log").write_bytes(ATTACK)
    (tmp_path / "syslog").write_bytes(b"".join(b"Sep  4 16:%02d:30 mail cron[1]: hello\n" % i + line for i, line in enumerate(ATTACK.splitlines(keepends=True))))
    alone, both = scanned(tmp_path / "mail.log"), scanned(tmp_path / "mail.log", tmp_path / "syslog")
    assert (both["attempts"], both["twice"]) == (alone["attempts"], 8) == (8, 8)


def test_since_and_until(tmp_path):
    (tmp_path / "mail.log").write_bytes(ATTACK)
    log, year = tmp_path / "mail.log", scanned(tmp_path / "mail.log")["first"][:4]
    assert scanned(log, "--since", f"{year}-09-04T16:03")["attempts"] == 5
    assert scanned(log, "--until", f"{year}-09-04T16:03")["attempts"] == 3
    assert scanned(log, "--since", f"{year}-09-04 16:03:00", "--until", f"{year}-09-04T16:05+00:00")["attempts"] == 2
    assert scanned(log, "--since", f"{int(year) + 1}-09-05")["attempts"] == 0


def test_who_guessed_before_and_got_in_after_since_is_found(tmp_path):
    """What came before is heard; the report is of what came after."""
    login = b"Sep  4 16:08:00 mail dovecot: imap-login: Login: user=<office>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7, TLS, session=<x>\n"
    (tmp_path / "mail.log").write_bytes(ATTACK + login)
    log = tmp_path / "mail.log"
    whole = scanned(log, "--year", "2026")
    (breach,) = whole["breaches"]
    for since, attempts in (("2026-09-04T16:05", 3), ("2026-09-04T16:07:30", 0), ("2026-09-04T16:08", 0)):
        said = scanned(log, "--year", "2026", "--since", since)
        assert (said["breaches"], said["attempts"], said["outside"]) == ([breach], attempts, 8 - attempts)
        assert said["first"] >= since
        assert said["verdicts"] == whole["verdicts"] != []  # denied before, and still
        assert "1 OF THEM GOT IN" in monzen("scan", "--since", since, "--year", "2026", log).stdout.decode()
        assert said["clients"] == 1
    said = scanned(log, "--year", "2026", "--since", "2026-09-04T16:05", "--until", "2026-09-04T16:08")
    assert (said["breaches"], said["attempts"]) == ([], 3)
    said = scanned(log, "--year", "2026", "--since", "2026-09-20")
    assert (said["breaches"], said["verdicts"], said["commands"], said["first"]) == ([], [], [], None)


def test_year_and_timezone(tmp_path):
    (tmp_path / "mail.log").write_bytes(ATTACK)
    said = scanned(tmp_path / "mail.log", "--year", "2019", "--timezone", "Asia/Tokyo")
    assert said["first"] == "2019-09-04T07:00:00Z"


# ---- what is said


def test_names_are_shown_only_when_asked():
    shown, hidden = monzen("scan", "--names", WEEK).stdout, monzen("scan", WEEK).stdout
    users = {u for a in scanned("--names", WEEK)["attackers"] for u in a["users"] if len(u) > 5}
    assert users
    assert [u for u in users if u.encode() in hidden] == []
    assert [u for u in users if u.encode() in shown] != []
    said = monzen("scan", "--json", WEEK).stdout.decode()
    assert [u for u in users if u in said] == []


def test_text_and_json_agree():
    said, text = scanned(WEEK), monzen("scan", WEEK, "--top", "100").stdout.decode()
    assert f"{said['lines']:,} lines" in text
    assert re.findall(r"^  sudo (ufw prepend deny from \S+)", text, re.MULTILINE) == said["commands"]
    assert len(said["breaches"]) > 0
    for b in said["breaches"]:
        assert b["client"] in text
    assert {v["target"] for v in said["verdicts"]} >= {c.rpartition(" ")[2] for c in said["commands"]}


def test_commands_deny_what_lasts_and_nobody_who_got_in():
    """A rule of ufw has no end: what had ended when the log did is not one, nor where somebody logged in since."""
    fail = b"Sep  4 16:%02d:%02d mail postfix/smtpd[7]: warning: unknown[%s]: SASL LOGIN authentication failed: x\n"
    guesses = b"".join(fail % (i // 6, i % 6 * 9, b"192.0.2.7") for i in range(9))
    login = b"Sep  %d 16:30:00 mail dovecot: imap-login: Login: user=<anna>, method=PLAIN, rip=%s, lip=192.0.2.1, mpid=7, TLS, session=<a/b>\n"
    command = ["ufw prepend deny from 192.0.2.7"]
    for later, said in ((b"", command), (login % (5, b"198.51.100.9"), command), (login % (8, b"198.51.100.9"), []), (login % (8, b"192.0.2.7"), [])):
        found = json.loads(monzen("scan", "--json", "-", stdin=guesses + later).stdout)
        assert [v["target"] for v in found["verdicts"]] == ["192.0.2.7"]
        assert found["commands"] == said


def test_top_limits_rows():
    text = monzen("scan", "--top", "1", WEEK).stdout.decode()
    assert len(text) < len(monzen("scan", WEEK).stdout.decode())
    assert len(scanned("--top", "1", WEEK)["attackers"]) == 1


def test_hostile_text_is_escaped():
    hostile = b"".join(
        b"Sep  4 16:%02d:00 mail postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x, sasl_username=\x1b[2Ja\xe2\x80\xaeb\x07\x9b\xff\n" % i
        for i in range(8)
    )
    for arguments in (("scan", "--names", "-"), ("scan", "--json", "--names", "-"), ("explain", "-"), ("explain", "--json", "-")):
        done = monzen(*arguments, stdin=hostile)
        assert done.returncode == 0, done.stderr
        assert b"192.0.2.7" in done.stdout
        text = done.stdout.decode()  # UTF-8 whatever the log holds
        assert [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160] == []
        assert "\u202e" not in text


def test_a_breach_says_so():
    login = b"Sep  4 16:20:00 mail dovecot: imap-login: Login: user=<office>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=1, session=<x>\n"
    said = scanned("-", stdin=ATTACK + login)
    assert [b["client"] for b in said["breaches"]] == ["192.0.2.7"]
    assert scanned("-", stdin=ATTACK)["breaches"] == []


# ---- bad input


def sentences(done):
    lines = done.stderr.decode().splitlines()
    assert all(line.startswith("monzen: ") for line in lines), lines
    return lines


@pytest.mark.parametrize(
    ("name", "content"), [("missing.log", None), ("empty", {}), ("binary", b"\x7fELF" + bytes(range(256)) * 20), ("cut.gz", gzip.compress(os.urandom(50_000))[:20_000])]
)
def test_what_cannot_be_read_is_said_and_the_rest_is_read(tmp_path, name, content):
    bad = tmp_path / name
    if content == {}:
        bad.mkdir()
    elif content is not None:
        bad.write_bytes(content)
    done = monzen("scan", "--json", bad, FIRST)
    assert done.returncode == 2
    (sentence,) = sentences(done)
    assert name in sentence
    assert json.loads(done.stdout)["attempts"] == 6
    assert b"Traceback" not in done.stderr


def test_an_unreadable_file(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root can read every file")
    (tmp_path / "mail.log").write_bytes(ATTACK)
    (tmp_path / "mail.log").chmod(0)
    done = monzen("scan", tmp_path / "mail.log")
    assert done.returncode == 2
    assert "Permission denied" in sentences(done)[0]


@pytest.mark.parametrize(
    "arguments",
    [("--year", "26"), ("--timezone", "Mars/Olympus"), ("--since", "soon"), ("--until", "2026-13-01"), ("--top", "0"), ("--top", "many"), ("--colour",)],
)
def test_an_option_that_is_none(arguments):
    done = monzen("scan", *arguments, FIRST)
    assert done.returncode == 2
    assert done.stdout == b""
    assert arguments[-1] in sentences_or_help(done)


def sentences_or_help(done):
    text = done.stderr.decode()
    assert text.startswith("monzen: ")
    assert len(text.splitlines()) <= 2
    return text


def test_no_line_at_all():
    done = monzen("scan", "-")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_a_broken_pipe_is_quiet():
    done = subprocess.run(
        f"{sys.executable} -m monzen explain {WEEK} | head -n 1", shell=True, cwd=ROOT, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_ctrl_c_ends_with_what_was_found():
    child = subprocess.Popen(
        [sys.executable, "-m", "monzen", "scan", "--json", "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    child.stdin.write(ATTACK + b"Sep  4 16:30:00 mail x: y\n" * 100_000)
    child.stdin.flush()
    time.sleep(0.5)  # it waits for more
    child.send_signal(signal.SIGINT)
    out, err = child.stdout.read(), child.stderr.read()
    child.stdin.close()
    assert child.wait(60) == 130
    assert err == b""
    assert json.loads(out)["attempts"] == 8
    child.stdout.close()
    child.stderr.close()


# ---- explain


def test_explain_keeps_its_contract():
    lines = ATTACK + b"no log line\n\n" + b"x" * 70_000 + b"\n" + b"Sep  4 16:00:00 mail dovecot: imap-login: Login: user=<o>, method=PLAIN, rip=2001:db8::7, lip=::1, session=<x>\n"
    done = monzen("explain", "--json", "-", stdin=lines)
    assert done.returncode == 0
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [s["n"] for s in said] == list(range(1, 13))
    assert all(set(s) == {"n", "kind", "client", "user", "service", "time", "attempts", "weight"} for s in said)
    assert said[0] | {"time": None} == {
        "n": 1, "kind": "auth_failure", "client": "192.0.2.7", "user": None, "service": "smtp", "time": None, "attempts": 1, "weight": "strong",
    }
    assert [s["kind"] for s in said[8:11]] == [None] * 3
    assert (said[11]["kind"], said[11]["client"], said[11]["user"], said[11]["weight"]) == ("auth_success", "2001:db8::7", "o", "none")


def test_explain_a_line_as_an_argument():
    done = monzen("explain", "postfix/smtpd[7]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x")
    assert done.returncode == 0
    assert b"192.0.2.7" in done.stdout
    assert b"counts as 1 attempt" in done.stdout
    missing = monzen("explain", "nothing.log")
    assert missing.returncode == 2
    assert b"nothing.log" in missing.stderr


# ---- no false all-clear


def test_nothing_understood_is_no_all_clear():
    text = monzen("scan", "Makefile").stdout.decode()
    assert "None got in" not in text
    assert "is this the log of" in text


def test_nothing_in_the_time_asked_for_is_no_all_clear(tmp_path):
    (tmp_path / "mail.log").write_bytes(ATTACK)
    text = monzen("scan", tmp_path / "mail.log", "--since", "2090-01-01").stdout.decode()
    assert "None got in" not in text
    assert "8 events lie outside" in text
    some = monzen("scan", tmp_path / "mail.log", "--until", "2090-01-01").stdout.decode()
    assert "outside of that time" not in some
    assert scanned(tmp_path / "mail.log", "--since", "2090-01-01")["outside"] == 8


def test_since_after_until():
    done = monzen("scan", "--since", "2026-09-12", "--until", "2026-09-10", FIRST)
    assert done.returncode == 2
    assert "2026-09-10" in sentences(done)[0]


def test_a_full_disk_is_said():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "monzen", "scan", str(WEEK)], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"monzen: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("columns", ["0", "abc", "-5", "9" * 30])
def test_columns_that_are_none(columns):
    assert b"3 clients attacked" in monzen("scan", FIRST, COLUMNS=columns).stdout


def test_letters_that_a_terminal_lacks():
    done = monzen("scan", FIRST, LANGUAGE="ja", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_lines_without_a_stamp_are_said_and_blame_nobody(tmp_path):
    """`cut -d' ' -f5-`, or a program's own output: who, but not when."""
    log = tmp_path / "mail.log"
    bare = [line.split(b" ", 5)[5] for line in FIRST.read_bytes().splitlines()]
    log.write_bytes(b"\n".join(bare) + b"\n")
    said = scanned(log)
    assert (said["clients"], said["attempts"], said["verdicts"], said["commands"]) == (0, 0, [], [])
    assert said["undated"] == len(said["undated_lines"]) > 6
    text = monzen("scan", log).stdout.decode()
    assert f"{said['undated']} lines have no time stamp" in text
    assert "SASL LOGIN authentication failed" in text
    log.write_bytes(FIRST.read_bytes())
    assert (scanned(log)["undated"], b"time stamp" in monzen("scan", log).stdout) == (0, False)


def test_a_file_with_the_same_lines_is_said(tmp_path):
    text = WEEK.read_bytes()
    (tmp_path / "mail.log").write_bytes(text)
    alone = scanned(tmp_path / "mail.log")
    (tmp_path / "mail.log.gz").write_bytes(gzip.compress(text))
    both = scanned(tmp_path / "mail.log", tmp_path / "mail.log.gz")
    assert essence(both) | {"twins": []} == essence(alone)
    assert (alone["twins"], both["twins"]) == ([], [f"{tmp_path}/mail.log.gz"])
    said = monzen("scan", tmp_path).stdout.decode()
    whole = f"1 file holds the same as another and was not read twice: {tmp_path}/mail.log.gz"
    assert "".join(whole.split())[:90] in "".join(said.split())  # a long path is cut


def test_a_damaged_archive_hides_no_twin(tmp_path):
    text = WEEK.read_bytes()
    (tmp_path / "mail.log").write_bytes(text)
    alone = scanned(tmp_path / "mail.log")
    (tmp_path / "mail.log").unlink()
    (tmp_path / "mail.log.gz").write_bytes(gzip.compress(text)[:-5000])
    (tmp_path / "mail.log.xz").write_bytes(lzma.compress(text))
    for name in ("mail.log.gz", "mail.log.xz"):
        os.utime(tmp_path / name, (WEEK.stat().st_mtime,) * 2)
    done = monzen("scan", "--json", tmp_path, "--year", "2026")
    said = json.loads(done.stdout)
    assert (done.returncode, said["lines"], said["attempts"]) == (2, alone["lines"], alone["attempts"])
    assert done.stderr.decode() == f"monzen: cannot read all of {tmp_path}/mail.log.gz: {tmp_path}/mail.log.xz holds the same and was read instead. Remove {tmp_path}/mail.log.gz if it is damaged\n"


def test_users_who_mistype_stand_apart_from_attackers():
    text = monzen("scan", ROOT / "samples/one_week.log").stdout.decode()
    attackers, users = text.split("Your own users who failed")[0], text.split("Your own users who failed")[1].split("\n\n")[0]
    assert "17 clients attacked (304 attempts)" in text
    assert "2 users of yours failed too" in text
    assert "192.0.2.44" in users
    assert "192.0.2.44" not in attackers


def test_an_allow_list_that_allows_everybody_is_said(tmp_path):
    (tmp_path / "p.toml").write_text('[shield]\nallow = ["0.0.0.0/0"]\n')
    done = monzen("scan", "--policy", tmp_path / "p.toml", ROOT / "samples/first_user.log")
    assert "hardly anybody is denied" in done.stderr.decode()
