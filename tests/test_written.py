"""Files that a user names are written through nobody else's link, by each of the verbs that write one, and whole or not at all."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from monzen.metrics import MetricsError
from monzen.metrics.textfile import write_textfile
from monzen.verbs import exporting, report
from monzen.written import LINKS, STDOUT, WriteError, reached

NOBODY = 65534
NEW = b"x 1\n"
NAME = "file.prom"  # which each of them writes


def by_report(path, capsys):
    done = report.put(NEW.decode(), str(path))
    return done, capsys.readouterr().err


def by_list(path, capsys):
    done = exporting.put(NEW.decode(), str(path)) == 0
    return done, capsys.readouterr().err


def by_metrics(path, _capsys):
    try:
        write_textfile(str(path), NEW)
    except MetricsError as error:
        return False, str(error)
    return True, ""


WRITERS = {"report --html": by_report, "list --output": by_list, "metrics --textfile": by_metrics}


@pytest.fixture(params=WRITERS.values(), ids=WRITERS)
def write(request, capsys, monkeypatch):
    """Whether it was written, and what was said."""
    monkeypatch.setenv("COLUMNS", "5000")
    return lambda path: request.param(path, capsys)


@pytest.fixture
def field():
    """A folder that other users may enter and write."""
    path = Path(tempfile.mkdtemp(prefix="monzen-"))
    path.chmod(0o777)
    yield path
    for folder, _folders, _files in os.walk(path):
        os.chmod(folder, 0o700)
    shutil.rmtree(path)


@pytest.fixture
def foreign(monkeypatch):
    """Makes a link one of somebody else's. Who is not root can give nothing away: he becomes the other one instead."""

    def give(link):
        if os.geteuid() == 0:
            os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: NOBODY + 1)

    return give


@contextlib.contextmanager
def user():
    """Not root, who may do everything."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def listed(folder):
    return sorted(os.listdir(folder))


@pytest.fixture
def victim(field):
    """A folder with a file that nobody shall replace."""
    folder = field / "victim"
    folder.mkdir()
    (folder / NAME).write_text("precious")
    return folder


# ---- links


@pytest.mark.parametrize("to", ["absolute", "relative", "deeper", "twice"])
def test_no_link_of_somebody_else_in_the_folder(write, victim, field, foreign, to):
    link = field / "d"
    target = {"absolute": victim, "relative": Path("victim"), "deeper": Path(".."), "twice": Path("own")}[to]
    path = link / NAME
    if to == "deeper":
        (field / "in").mkdir()
        link = field / "in" / "up"
        path = link / "victim" / NAME
    if to == "twice":
        (field / "own").symlink_to("other")
        link = field / "other"
        path = field / "own" / NAME
        target = victim
    link.symlink_to(target)
    foreign(link)
    done, said = write(path)
    assert not done
    assert (victim / NAME).read_text() == "precious"
    assert listed(victim) == [NAME]
    assert "is a link of " in said
    if os.geteuid() == 0:
        assert f"{link} is a link of nobody, who can lead it anywhere, so nothing was written" in said


def test_a_link_of_our_own_in_the_folder_is_followed(write, victim, field):
    (field / "one").symlink_to("two")
    (field / "two").symlink_to(victim)
    assert write(field / "one" / NAME) == (True, "")
    assert (victim / NAME).read_bytes() == NEW
    assert listed(victim) == [NAME]


def test_a_link_of_roots_is_followed_by_a_user(write, field):
    if os.geteuid() != 0:
        pytest.skip("only root makes a link of root's")
    (field / "there").mkdir()
    (field / "there").chmod(0o777)
    (field / "d").symlink_to("there")
    with user():
        assert write(field / "d" / NAME) == (True, "")
    assert (field / "there" / NAME).stat().st_uid == NOBODY


@pytest.mark.parametrize("whose", ["ours", "somebody else's"])
def test_the_file_is_never_a_link(write, victim, field, foreign, whose):
    link = field / NAME
    link.symlink_to(victim / NAME)
    if whose != "ours":
        foreign(link)
    done, said = write(link)
    assert (victim / NAME).read_text() == "precious"
    if not said:  # the folder of node_exporter holds nothing else with this name: it gives way
        assert done
        assert not link.is_symlink()
        assert link.read_bytes() == NEW
    else:
        assert link.is_symlink()
        assert f"{link} is a link of " in said
        assert "Name the file itself" in said


def test_a_file_of_metrics_takes_the_place_of_a_link_and_others_do_not(field, capsys):
    for name, writer in WRITERS.items():
        (field / NAME).unlink(missing_ok=True)
        (field / NAME).symlink_to("nothing")
        assert writer(field / NAME, capsys)[0] == (name == "metrics --textfile")


def test_links_without_an_end(write, field):
    (field / "a").symlink_to("b")
    (field / "b").symlink_to("a")
    done, said = write(field / "a" / NAME)
    assert not done
    assert "Too many levels of symbolic links" in said
    for n in range(LINKS):
        (field / f"n{n}").symlink_to(f"n{n + 1}" if n + 1 < LINKS else ".")
    assert write(field / "n0" / NAME) == (True, "")
    (field / "n").symlink_to("n0")
    assert not write(field / "n" / NAME)[0]


# ---- ways


def test_paths_of_all_kinds(write, field, monkeypatch):
    (field / "a" / "b").mkdir(parents=True)
    (field / "c").symlink_to("a/b")
    monkeypatch.chdir(field / "a")
    for path, where in {
        NAME: "a", f"./b//{NAME}": "a/b", f"../{NAME}": "", f"b/../../a/{NAME}": "a", f"../c/../{NAME}": "a", f"{field}/a/./{NAME}": "a",
        f"{field}/c/{NAME}": "a/b", f"/../..{field}/{NAME}": "",
    }.items():  # fmt: skip
        assert write(path) == (True, ""), path
        assert (field / where / NAME).read_bytes() == NEW, path
        (field / where / NAME).unlink()
    assert (listed("."), listed("b"), listed("..")) == (["b"], [], ["a", "c"])


@pytest.mark.parametrize(("path", "says"), [
    (f"none/{NAME}", "No such file"), (f"plain/{NAME}", "Not a directory"), (f"plain/../{NAME}", "Not a directory"),
    (f"loose/{NAME}", "No such file"), (f"{'x' * 300}/{NAME}", "name too long"), ("x" * 260 + NAME, "name too long"),
])  # fmt: skip
def test_what_cannot_be_is_said_and_leaves_nothing(write, field, monkeypatch, path, says):
    monkeypatch.chdir(field)
    (field / "plain").write_text("mine")
    (field / "loose").symlink_to("nothing")
    done, said = write(path)
    assert not done
    assert says in said
    assert listed(field) == ["loose", "plain"]
    assert (field / "plain").read_text() == "mine"


@pytest.mark.parametrize("path", ["", ".", "..", "a/", "a/..", "/"])
def test_no_name_of_a_file(field, monkeypatch, path):
    monkeypatch.chdir(field)
    (field / "a").mkdir()
    with pytest.raises(WriteError, match="No such file" if not path else "Is a directory"), reached(path) as spot:
        spot.replace(NEW, public=True)
    assert listed(field) == ["a"]


def test_a_folder_that_can_be_entered_and_not_read(write, field):
    dark = field / "dark"
    (dark / "in").mkdir(parents=True)
    for folder in (dark / "in", dark):
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o311)
    with user():
        assert write(dark / "in" / NAME) == (True, "")
        assert write(dark / "in" / NAME) == (True, "")
    dark.chmod(0o711)
    (dark / "in").chmod(0o711)
    assert listed(dark / "in") == [NAME] if os.geteuid() == 0 else (dark / "in" / NAME).exists()
    assert (dark / "in" / NAME).read_bytes() == NEW


@pytest.mark.parametrize("mode", [0o555, 0o644])
def test_without_rights(write, field, mode):
    shut = field / "shut"
    shut.mkdir()
    (shut / NAME).write_text("old")
    (shut / NAME).chmod(0o644)
    shut.chmod(mode)
    with user():
        done, said = write(shut / NAME)
    assert not done
    assert f"cannot write {shut / NAME}: Permission denied. Name another file" in said
    shut.chmod(0o755)
    assert listed(shut) == [NAME]
    assert (shut / NAME).read_text() == "old"


# ---- whole, and as it was


def test_modes(write, field, request):
    public = "report" not in request.node.name
    old = os.umask(0o077)
    try:
        write(field / NAME)
        assert stat.S_IMODE((field / NAME).stat().st_mode) == (0o644 if public else 0o600)
        os.umask(0o022)
        (field / NAME).write_text("another")
        write(field / NAME)
        assert stat.S_IMODE((field / NAME).stat().st_mode) == (0o644 if public else 0o640)
    finally:
        os.umask(old)


def test_a_second_name_of_a_file_keeps_what_it_had(write, field):
    (field / "mine").write_text("precious")
    os.link(field / "mine", field / NAME)
    assert write(field / NAME) == (True, "")
    assert (field / "mine").read_text() == "precious"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_where_writing_fails_the_old_file_stands(write, field, monkeypatch, call, error):
    def fails(*_, **__):
        raise error

    (field / NAME).write_text("old")
    monkeypatch.setattr(os, call, fails)
    if isinstance(error, OSError):
        done, said = write(field / NAME)
        assert not done
        assert "No space left on device" in said
    else:
        with pytest.raises(KeyboardInterrupt):
            write(field / NAME)
    assert (field / NAME).read_text() == "old"
    assert listed(field) == [NAME]


def test_whoever_reads_meanwhile_sees_one_or_the_other(field):
    path, whole = field / NAME, [b"a" * 200_000, b"b" * 300_000]
    seen, stop = set(), threading.Event()

    def put(content, public):
        with reached(str(path)) as spot:
            spot.replace(content, public=public)

    def look():
        while not stop.is_set():
            seen.add(path.read_bytes())

    put(whole[0], True)
    reader = threading.Thread(target=look)
    reader.start()
    for n in range(40):
        put(whole[n % 2], n % 4 < 2)
    stop.set()
    reader.join()
    assert seen <= set(whole)
    assert listed(field) == [NAME]


def test_the_folder_is_held_whatever_becomes_of_its_name(field, victim):
    (field / "d").mkdir()
    with reached(str(field / "d" / NAME)) as spot:
        (field / "d").rename(field / "moved")
        (field / "d").symlink_to(victim)
        spot.replace(NEW, public=True)
    assert (victim / NAME).read_text() == "precious"
    assert (field / "moved" / NAME).read_bytes() == NEW


def test_nothing_stays_open(write, field, foreign):
    (field / "d").symlink_to(".")
    before = listed("/proc/self/fd")
    write(field / "d" / NAME)
    write(field / "none" / NAME)
    foreign(field / "d")
    write(field / "d" / NAME)
    assert listed("/proc/self/fd") == before


# ---- pipes and devices


def test_a_page_goes_into_a_pipe_or_a_device(field, capsys):
    assert by_report("/dev/null", capsys) == (True, "")
    pipe = field / "pipe"
    os.mkfifo(pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    assert by_report(pipe, capsys) == (True, "")
    reader.join()
    assert heard == [NEW]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_no_page_goes_into_a_pipe_of_somebody_else(field, foreign, capsys):
    os.mkfifo(field / "pipe", 0o666)
    foreign(field / "pipe")
    done, said = by_report(field / "pipe", capsys)  # opened, it would wait for a reader
    assert not done
    assert "Permission denied" in said


def test_a_list_goes_into_nothing_but_a_file(field, capsys):
    os.mkfifo(field / "pipe")
    for path in (field / "pipe", "/dev/null", field):
        done, said = by_list(path, capsys)
        assert not done
        assert "is no plain file, so it was left alone" in said


def test_standard_output(capsys):
    assert exporting.put("text\n", STDOUT) == 0
    assert exporting.put("text\n", None) == 0
    assert capsys.readouterr().out == "text\n" * 2
    for name in ("-", STDOUT):
        command = [sys.executable, "-m", "monzen", "report", "samples/first_user.log", "--html", name]
        done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"<!doctype html>"), name
        assert done.stdout.endswith(b"</html>\n"), name
