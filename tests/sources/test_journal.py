"""journalctl, a false one on PATH; the real one is only asked to read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from monzen.sources import SourceError, journal_blocks
from monzen.sources.journal import FIELDS
from tests.sources.made import Got, source

REAL = shutil.which("journalctl")
LINE = json.dumps({"MESSAGE": "connect from unknown[192.0.2.7]", "SYSLOG_IDENTIFIER": "postfix/smtpd"}).encode() + b"\n"


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a script in the place of journalctl; it finds its folder in $HERE."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    (tmp_path / "line").write_bytes(LINE)

    def script(text: str) -> None:
        (tmp_path / "journalctl").write_text("#!/bin/sh\n" + textwrap.dedent(text))
        (tmp_path / "journalctl").chmod(0o755)

    return script


@pytest.mark.usefixtures("tmp_path")
def test_what_it_is_asked(journalctl: Callable[[str], None], tmp_path: Path) -> None:
    journalctl('printf "%s\\n" "$@" > $HERE/asked; cat $HERE/line $HERE/line; readlink /proc/self/fd/0 > $HERE/stdin')
    seen: list[int] = []
    assert b"".join(journal_blocks(progress=seen.append)) == LINE * 2
    assert sum(seen) == 2 * len(LINE)
    asked = (tmp_path / "asked").read_text().split("\n")[:-1]
    assert {"--no-pager", "--all", "--output=json", "--output-fields=" + FIELDS} < set(asked)
    assert asked[-7:] == ["SYSLOG_FACILITY=2", "+", "SYSLOG_FACILITY=4", "+", "SYSLOG_FACILITY=10", "+", "_TRANSPORT=kernel"]
    assert not any(a.startswith(("--since", "--until")) for a in asked)
    assert (tmp_path / "stdin").read_text() == "/dev/null\n"
    list(journal_blocks(since=1788000000.9, until=1788000009.1))
    asked = (tmp_path / "asked").read_text().split("\n")
    assert {"--since=@1788000000", "--until=@1788000010"} < set(asked)


def test_blocks_reads_it(journalctl: Callable[[str], None]) -> None:
    journalctl("cat $HERE/line; printf %s '{\"MESSAGE\":\"the end\"}'")
    got = Got(source("journal", "journal"), size=10)
    assert (got.text, got.error) == (LINE + b'{"MESSAGE":"the end"}\n', None)


def test_its_remarks_are_not_lines(journalctl: Callable[[str], None]) -> None:
    journalctl("echo '-- Boot 7a --'; cat $HERE/line; echo '-- Boot 7b --'; cat $HERE/line")
    assert b"".join(journal_blocks()) == LINE * 2
    journalctl("echo '-- No entries --'")
    assert list(journal_blocks()) == []


def test_long_lines_are_left_out(journalctl: Callable[[str], None]) -> None:
    journalctl("cat $HERE/line; head -c 300000 /dev/zero | tr '\\0' x; echo; cat $HERE/line")
    got = Got(source("journal", "journal"))
    assert (got.text, got.skipped) == (LINE * 2, 1)


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("cat $HERE/line; echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1", "No journal files"),
        ("cat $HERE/line; exit 3", "journalctl: exit status 3"),
        ("cat $HERE/line; kill -9 $$", "journalctl: exit status -9"),
        ("cat $HERE/line; echo 'Hint: You are currently not seeing messages from other users.' >&2", "Hint: You are"),
    ],
)
def test_what_it_complains_of_comes_after_the_lines(journalctl: Callable[[str], None], script: str, detail: str) -> None:
    journalctl(script)
    got = Got(source("journal", "journal"))
    assert got.text == LINE
    assert got.error is not None
    assert (got.reason, got.error.path) == ("journal", "journal")
    assert got.error.detail.startswith(detail)


def test_complaints_without_end_do_not_stop_it(journalctl: Callable[[str], None]) -> None:
    journalctl("head -c 1000000 /dev/zero | tr '\\0' e >&2; cat $HERE/line")
    got = Got(source("journal", "journal"))
    assert got.text == LINE
    assert got.error is not None
    assert len(got.error.detail) < 1000


def test_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError) as raised:
        list(journal_blocks())
    assert (raised.value.reason, raised.value.detail) == ("journal", "journalctl: No such file or directory")


def test_it_is_killed_when_nobody_listens(journalctl: Callable[[str], None], tmp_path: Path) -> None:
    journalctl("echo $$ > $HERE/pid; cat $HERE/line; exec yes $(cat $HERE/line)")
    before = len(os.listdir("/proc/self/fd"))
    stream = journal_blocks()
    assert next(stream).startswith(LINE)
    pid = int((tmp_path / "pid").read_text())
    assert Path(f"/proc/{pid}").exists()
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert not Path(f"/proc/{pid}").exists()  # neither running nor a zombie
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_is_reaped_at_the_end(journalctl: Callable[[str], None], tmp_path: Path) -> None:
    for ending in ("exit 0", "exit 1"):
        journalctl(f"echo $$ > $HERE/pid; cat $HERE/line; {ending}")
        Got(source("journal", "journal"))
        assert not Path("/proc/" + (tmp_path / "pid").read_text().strip()).exists()


@pytest.mark.skipif(REAL is None, reason="needs journalctl")
def test_the_real_one_understands_us() -> None:
    """A minute of 2001: no lines, whatever machine this is; but a wrong option or match would be a failure."""
    try:
        assert list(journal_blocks(since=1_000_000_000.0, until=1_000_000_060.0)) == []
    except SourceError as error:
        if "permission" in error.detail or "not seeing messages" in error.detail or "No journal files" in error.detail:
            pytest.skip(f"the journal of this machine is closed to us: {error.detail}")
        raise


@pytest.mark.skipif(REAL is None, reason="needs journalctl")
def test_the_real_one_knows_our_options() -> None:
    said = subprocess.run([REAL or "", "--help"], capture_output=True, text=True, check=True, env={**os.environ, "PAGER": "cat"}).stdout
    assert all(option in said for option in ("--no-pager", "--all", "--output", "--output-fields", "--since", "--until"))
