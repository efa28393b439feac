"""What arguments stand for."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from monzen.sources import SourceError, blocks, plan
from tests.sources.made import PACK, log

NOW = 1_788_000_000.0


def names(arguments: Sequence[Path | str], root: Path | str = "/nowhere") -> tuple[list[list[str]], list[tuple[str, str]]]:
    """The plan as base names, and (reason, base name) of what could not be used."""
    sets, errors = plan([str(a) for a in arguments], now=NOW, root=str(root))
    return [[os.path.basename(s.path) for s in one] for one in sets], [(e.reason, os.path.basename(e.path)) for e in errors]


def write(folder: Path, *files: str, age: float = 0.0) -> None:
    """Logs that differ, written one after the other as named."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(files):
        path = folder / name
        data = log(5, start=sum(map(ord, name)))
        path.write_bytes(PACK[name.rpartition(".")[2]](data) if name.rpartition(".")[2] in PACK else data)
        os.utime(path, (NOW, NOW - 1000 + n - age))


@pytest.fixture
def no_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


# --- rotated sets


@pytest.mark.parametrize(
    "oldest_first",
    [
        ["mail.log.3.gz", "mail.log.2.gz", "mail.log.1", "mail.log"],
        ["mail.log.12.xz", "mail.log.10.bz2", "mail.log.9.zst", "mail.log.2.gz", "mail.log"],  # gaps; not as text
        ["mail.log-20251231.gz", "mail.log-20260904.gz", "mail.log-20260911", "mail.log"],
        ["mail.log.1", "mail.log.0"],
        ["maillog-20260904", "maillog"],
        ["mail.log.2.gz"],
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_names_say_what_is_older_and_not_the_times(tmp_path: Path, oldest_first: list[str], turn: int) -> None:
    write(tmp_path, *oldest_first[::turn])
    assert names([tmp_path]) == ([oldest_first], [])
    assert names([tmp_path / name for name in sorted(oldest_first)]) == ([oldest_first], [])


@pytest.mark.parametrize(
    "oldest_first",
    [
        ["mail.log-20260801", "mail.log-20260808", "mail.log.2.gz", "mail.log.1", "mail.log"],  # dateext was turned off
        ["mail.log.2.gz", "mail.log.1", "mail.log-20260801", "mail.log-20260808", "mail.log"],  # and on
    ],
)
def test_dates_and_numbers_in_one_set(tmp_path: Path, oldest_first: list[str]) -> None:
    write(tmp_path, *oldest_first)
    assert names([tmp_path]) == ([oldest_first], [])


def test_sets_are_in_the_order_of_the_arguments(tmp_path: Path) -> None:
    write(tmp_path, "mail.log", "mail.log.1", "auth.log", "auth.log.1", "ufw.log")
    ordered = [["ufw.log"], ["auth.log.1", "auth.log"], ["mail.log.1", "mail.log"]]
    assert names([tmp_path / n for n in ("ufw.log", "auth.log", "mail.log", "mail.log.1", "auth.log.1")])[0] == ordered


def test_the_same_name_in_two_folders_is_two_sets(tmp_path: Path) -> None:
    write(tmp_path / "a", "mail.log", "mail.log.1")
    write(tmp_path / "b", "mail.log", "mail.log.1")
    assert names([tmp_path / "a", tmp_path / "b"])[0] == [["mail.log.1", "mail.log"]] * 2


def test_what_a_source_says_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "mail.log", "mail.log.2.gz")
    shutil.copyfile(tmp_path / "mail.log.2.gz", tmp_path / "mail.log.3")  # an archive in spite of its name
    monkeypatch.chdir(tmp_path)
    (sources,), errors = plan(["mail.log", "./mail.log.2.gz", "mail.log.3"], now=NOW)
    assert not errors
    assert [s.path for s in sources] == ["mail.log.3", "./mail.log.2.gz", "mail.log"]
    assert {s.stem for s in sources} == {str(tmp_path / "mail.log")}
    assert [s.form for s in sources] == ["gz", "gz", "plain"]
    assert [s.size for s in sources] == [os.stat(s.path).st_size for s in sources]
    assert [s.mtime for s in sources] == [os.stat(s.path).st_mtime for s in sources]


def test_logrotate_at_work_leaves_two_of_one(tmp_path: Path) -> None:
    write(tmp_path, "mail.log")
    text = log(200)
    (tmp_path / "mail.log.1").write_bytes(text)
    whole = PACK["gz"](text)
    for end in (5, 20, len(whole) // 2, len(whole)):  # while it compresses, and before it removes
        (tmp_path / "mail.log.1.gz").write_bytes(whole[:end])
        assert names([tmp_path]) == ([["mail.log.1", "mail.log"]], [])
    (tmp_path / "mail.log.1").unlink()
    assert names([tmp_path]) == ([["mail.log.1.gz", "mail.log"]], [])


def test_a_copy_of_the_live_log_is_older_than_it_and_begins_alike(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(log(300))
    (tmp_path / "mail.log.xz").write_bytes(PACK["xz"](log(100)))
    assert names([tmp_path])[0] == [["mail.log"]]


@pytest.mark.parametrize("plain", [log(5, start=70), b""])
def test_an_archive_that_begins_otherwise_is_no_twin(tmp_path: Path, plain: bytes) -> None:
    """Compression was turned off: mail.log.1 is new every week, mail.log.1.gz stays. Neither may be lost."""
    write(tmp_path, "mail.log.1.gz", "mail.log.1")
    (tmp_path / "mail.log.1").write_bytes(plain)
    assert sorted(names([tmp_path])[0][0]) == ["mail.log.1", "mail.log.1.gz"]


def twins(*arguments: Path | str) -> list[list[tuple[str, list[str]]]]:
    """Of each set: what is read, and what is not because it holds the same."""
    sets, _ = plan([str(a) for a in arguments], now=NOW)
    return [[(os.path.basename(s.path), [os.path.basename(t.path) for t in s.twins]) for s in one] for one in sets]


def test_what_is_not_read_is_remembered(tmp_path: Path) -> None:
    for form in PACK:
        (tmp_path / f"a.log.{form}").write_bytes(PACK[form](log(50)))
        os.utime(tmp_path / f"a.log.{form}", (NOW, NOW))
    assert twins(tmp_path) == [[("a.log.bz2", ["a.log.gz", "a.log.xz", "a.log.zst"])]]
    (tmp_path / "a.log").write_bytes(log(50))
    assert twins(tmp_path / "a.log.gz", tmp_path / "a.log") == [[("a.log", ["a.log.gz"])]]
    assert twins(tmp_path / "a.log", tmp_path / "a.log") == [[("a.log", [])]]


def test_of_two_archives_the_one_that_holds_more_is_read(tmp_path: Path) -> None:
    """Damaged at its beginning, or not finished: what can be had of it is the beginning of the other."""
    (tmp_path / "a.log.xz").write_bytes(PACK["xz"](log(50)))
    whole = PACK["gz"](log(50))
    for end in (10, 20, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.log.gz").write_bytes(whole[:end])
        ((source,),), _ = plan([str(tmp_path)], now=NOW)
        assert (source.path.endswith(".xz") or end > len(whole) // 2, len(source.twins)) == (True, 1)
        assert b"".join(blocks(source)) == log(50)


# --- one file, several names


def test_a_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "mail.log")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "maillog").symlink_to(tmp_path / "mail.log")
    os.link(tmp_path / "mail.log", tmp_path / "other" / "secure")
    files = [tmp_path / "mail.log", tmp_path / "other" / ".." / "mail.log"]
    for arguments in ([*files, tmp_path, tmp_path / "other"], [tmp_path, *files, tmp_path / "m*", tmp_path / "other"]):
        assert names(arguments) == ([["mail.log"]], [])


def test_standard_input_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "mail.log")
    sets, errors = plan(["-", str(tmp_path / "mail.log"), "-"], now=NOW)
    assert not errors
    ((first,), _) = sets
    assert (first.path, first.form, first.mtime, first.size) == ("-", "stdin", NOW, 0)


def test_a_glob_that_finds_a_dash_finds_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "-")
    monkeypatch.chdir(tmp_path)
    ((found,),), _ = plan(["[-]"], now=NOW)
    assert found.form == "plain"
    assert b"".join(blocks(found)) == (tmp_path / "-").read_bytes()


def test_a_pipe_must_be_named(tmp_path: Path) -> None:
    write(tmp_path, "mail.log")
    os.mkfifo(tmp_path / "mail.pipe")
    os.mkfifo(tmp_path / "other.log")
    assert names([tmp_path]) == ([["mail.log"]], [])
    assert names([tmp_path / "*"]) == ([["mail.log"]], [])
    (tmp_path / "link").symlink_to("mail.pipe")
    ((found,),), errors = plan([str(tmp_path / "mail.pipe"), str(tmp_path / "link")], now=NOW)  # and does not wait for a writer
    assert not errors
    assert (found.form, found.mtime, found.size) == ("plain", NOW, 0)


def test_a_pipe_is_no_twin_and_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path, "mail.log.gz")
    os.mkfifo(tmp_path / "mail.log")
    assert names([tmp_path / "mail.log", tmp_path / "mail.log.gz"])[0] == [["mail.log", "mail.log.gz"]]


# --- folders and globs


def test_a_folder_gives_its_logs_and_no_deeper(tmp_path: Path) -> None:
    logs = ["auth.log", "dovecot-info.log", "exim-custom.log", "kern.log", "mail.err", "mail.log", "maillog", "messages", "secure"]
    logs += ["syslog", "ufw.log"]
    write(tmp_path, *logs, "mail.log.1.gz", "messages-20260904", "dovecot.log.2.xz", "exim-custom.log.1")
    write(tmp_path, "dpkg.txt", "README", "mail.log~", ".mail.log.swp", "mail.log.swp", ".hidden.log", "faillog", "blog.html")
    write(tmp_path / "mail", "mail.log")
    write(tmp_path / "deeper.log", "mail.log")
    (tmp_path / "mailgraph.rrd").write_bytes(b"RRD\0" + b"0003\0\0\0\0\x2f\x25\xc0\xc7\x43\x2b\x1f\x5b")
    sets, errors = names([tmp_path])
    assert not errors
    assert {one[-1] for one in sets} == {*logs, "dovecot.log.2.xz"}
    assert ["exim-custom.log.1", "exim-custom.log"] in sets


def test_a_folder_without_logs(tmp_path: Path) -> None:
    write(tmp_path, "notes.txt")
    assert names([tmp_path]) == ([], [("no-logs", tmp_path.name)])
    (tmp_path / "mail.log").write_bytes(b"\x7fELF\0\0\0")
    assert names([tmp_path]) == ([], [("no-logs", tmp_path.name)])


def test_globs(tmp_path: Path) -> None:
    write(tmp_path / "a", "mail.log", "mail.log.1", "other.txt")
    write(tmp_path / "b", "mail.log", "notes.txt")
    assert names([tmp_path / "a" / "mail*"]) == ([["mail.log.1", "mail.log"]], [])
    assert names([tmp_path / "?" / "mail.log"]) == ([["mail.log"], ["mail.log"]], [])
    assert names([tmp_path / "a" / "*.txt"]) == ([["other.txt"]], [])  # who asks for it gets it
    assert names([tmp_path / "[ab]"])[0] == [["mail.log.1", "mail.log"], ["mail.log"]]  # folders, if nothing else
    assert names([tmp_path / "a" / "nothing*"]) == ([], [("missing", "nothing*")])
    (tmp_path / "c").mkdir()
    assert names([tmp_path / "[c]"]) == ([], [("no-logs", "[c]")])


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    write(tmp_path, "mail[1].log", "mail1.log")
    assert names([tmp_path / "mail[1].log"]) == ([["mail[1].log"]], [])
    (tmp_path / "mail[1].log").unlink()
    assert names([tmp_path / "mail[1].log"]) == ([["mail1.log"]], [])


# --- what cannot be used


def test_the_others_are_still_read(tmp_path: Path) -> None:
    write(tmp_path, "mail.log", "auth.log")
    found = names([tmp_path / "gone.log", tmp_path / "mail.log", "/dev/null", tmp_path / "mail.log" / "x", tmp_path / "auth.log"])
    assert found == ([["mail.log"], ["auth.log"]], [("missing", "gone.log"), ("not-a-file", "null"), ("missing", "x")])


def test_a_name_that_cannot_be_a_name(tmp_path: Path) -> None:
    assert names(["mail\0.log", "", "x" * 5000, "a\0*"])[1] == [
        ("missing", "mail\0.log"),
        ("missing", ""),
        ("unreadable", "x" * 5000),
        ("missing", "a\0*"),
    ]
    sets, _ = plan([os.fsdecode(bytes(tmp_path / "mail") + b"\xff.log")], now=NOW)
    assert sets == []


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mail.log").symlink_to("auth.log")
    (tmp_path / "auth.log").symlink_to("mail.log")
    (tmp_path / "ufw.log").symlink_to("gone")
    sets, errors = plan([str(tmp_path / n) for n in ("mail.log", "ufw.log")], now=NOW)
    assert sets == []
    assert [(e.reason, e.detail) for e in errors] == [
        ("unreadable", "Too many levels of symbolic links"),
        ("missing", "No such file or directory"),
    ]
    assert len(names([tmp_path])[1]) == 3  # they look like logs, so somebody expects them to be read


def test_a_socket_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has room for 108 bytes
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("mail.sock")
        _, (error,) = plan(["mail.sock"], now=NOW)
    assert (error.reason, error.detail) == ("not-a-file", "socket")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter: tmp_path belongs to who runs the tests."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def unprivileged(work: Callable[[], object]) -> object:
    """What `work` answers in a process that is nobody, if we are root."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        answer = file.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def test_what_may_not_be_read(open_folder: Path) -> None:
    write(open_folder, "mail.log", "mail.log.1", "auth.log")
    write(open_folder / "closed", "mail.log")
    (open_folder / "mail.log").chmod(0)
    (open_folder / "closed").chmod(0)

    def work() -> object:
        sets, errors = plan([str(open_folder), str(open_folder / "closed")], now=NOW)
        try:
            list(blocks(sets[0][0]))
            (open_folder / "mail.log.1").stat()
        except SourceError as error:
            errors.append(error)
        return [[[os.path.basename(s.path) for s in one] for one in sets], [(e.reason, e.path, e.detail) for e in errors]]

    answer = unprivileged(work)
    (open_folder / "closed").chmod(0o700)
    assert answer == [
        [["auth.log"], ["mail.log.1"]],
        [
            ["unreadable", str(open_folder / "mail.log"), "Permission denied"],
            ["unreadable", str(open_folder / "closed"), "Permission denied"],
        ],
    ]


# --- without arguments


def test_the_default(tmp_path: Path) -> None:
    write(tmp_path / "var/log", "mail.log", "mail.log.1", "auth.log", "ufw.log.2.gz", "syslog", "mail.err", "dpkg.log")
    (tmp_path / "var/log/mail.log.d").mkdir()
    assert names([], tmp_path) == ([["mail.log.1", "mail.log"], ["auth.log"], ["ufw.log.2.gz"]], [])


def test_the_default_below_a_root_with_odd_letters(tmp_path: Path) -> None:
    write(tmp_path / "[x]*/var/log", "mail.log")
    assert names([], tmp_path / "[x]*")[0] == [["mail.log"]]


def test_the_journal_where_there_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journalctl").write_text("#!/bin/sh\n")
    (tmp_path / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    ((found,),), errors = plan([], now=NOW, root=str(tmp_path))
    assert not errors
    assert (found.path, found.form, found.mtime, found.size) == ("journal", "journal", NOW, 0)


@pytest.mark.usefixtures("no_journal")
def test_no_log_and_no_journal(tmp_path: Path) -> None:
    assert names([], tmp_path) == ([], [("no-logs", "log")])


def test_a_log_that_cannot_be_read_is_not_replaced_by_the_journal(tmp_path: Path) -> None:
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/mail.log").symlink_to("gone")
    assert names([], tmp_path) == ([], [("missing", "mail.log")])
