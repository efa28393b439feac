"""What `monzen init` would do and does, below a tree of its own."""

import os
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from monzen import setup
from monzen.config import load
from monzen.mode import read_mode
from monzen.services import by_hand
from monzen.survey import Nobody, Survey, survey

FOUND = Survey(("/var/log/mail.log", "/var/log/auth.log"), None, "", (bytes([192, 0, 2, 130]), bytes.fromhex("20010db8") + bytes(11) + b"\1"), ())
GATE = "[Service]\nExecStart=/usr/bin/monzen gate serve\n"


@pytest.fixture
def tree(tmp_path):
    """Debian as far as it matters here."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\nadm:x:4:syslog\nsystemd-journal:x:101:\n")
    return root


@pytest.fixture
def units(tmp_path):
    folder = tmp_path / "units"
    folder.mkdir()
    (folder / "monzen-gate.service").write_text(GATE)
    (folder / "monzen.service").write_text("[Service]\nExecStart=/usr/bin/monzen run\n")
    for name in (*setup.TIMERS, *setup.TIMED):
        (folder / name).write_text("ExecStart=/usr/bin/monzen x\n")
    (folder / "monzen.tmpfiles").write_text("d /run/monzen 0750 root monzen -\n")
    (folder / "ufw.conf").write_text("[Service]\nReadWritePaths=-/etc/ufw\n")
    return folder


class Ran(list):
    """Commands that would have run."""

    def __call__(self, command):
        self.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0, "", "")


def steps(tree, found=FOUND, **more):
    return {s.name: s for s in setup.steps(found, str(tree), program="/opt/monzen/bin/monzen", **more)}


def do(todo):
    for step in todo.values():
        if not step.done:
            step.do()


@pytest.mark.parametrize("journal", [None, True, False])
@pytest.mark.parametrize("zone", ["", "UTC", "Etc/GMT-9"])
@pytest.mark.parametrize("files", [(), ("/var/log/mail.log",), ('/srv/an odd "name"/日本.log',)])
@pytest.mark.parametrize("admin", [(), FOUND.admin])
def test_the_configuration_says_what_was_found(tmp_path, journal, zone, files, admin):
    path = tmp_path / "monzen.toml"
    path.write_text(setup.text_of(Survey(files, journal, zone, admin, ())))
    config = load(str(path))
    assert config.sources.journal is journal
    assert config.sources.timezone == zone
    assert config.sources.files == (files or ("/var/log/mail.log", "/var/log/auth.log", "/var/log/ufw.log"))
    assert config.allow == tuple((a, 8 * len(a)) for a in admin)
    assert len(path.read_text().splitlines()) < 30, "short"


def test_a_journal_needs_no_files(tmp_path):
    path = tmp_path / "monzen.toml"
    path.write_text(setup.text_of(Survey((), None, "", (), (), True)))
    assert load(str(path)).sources.files == ()


def test_a_guard_that_does_not_start_says_where_it_says_why(tree, units):
    (tree / "run/systemd/system").mkdir(parents=True)

    def refuses(command):
        if "restart" in command:
            raise setup.SetupError("x")
        return subprocess.CompletedProcess(command, 0, "", "")

    with pytest.raises(setup.SetupError, match="journalctl -n 20 -u monzen-gate -u monzen"):
        steps(tree, run=refuses, units=units)["start"].do()


@pytest.fixture(params=[0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_everything_is_made_once(tree, units):
    (tree / "run/systemd/system").mkdir(parents=True)
    (tree / "usr/sbin").mkdir(parents=True)
    (tree / "usr/sbin/ufw").write_text("")
    ran = Ran()
    first = steps(tree, run=ran, units=units)
    assert list(first) == ["config", "user", "folders", "units", "mode", "start"]
    assert not any(s.done for s in first.values())
    assert not ran, "nothing is done by looking"
    assert not (tree / "etc/monzen").exists()
    do(first)
    assert tomllib.loads((tree / "etc/monzen/monzen.toml").read_text())["shield"]["allow"] == ["192.0.2.130", "2001:db8::1"]
    assert [(tree / name).stat().st_mode & 0o777 for name in ("etc/monzen", "etc/monzen/monzen.toml", "etc/systemd/system/monzen.service")] == [0o755, 0o644, 0o644]
    assert (tree / "etc/systemd/system/monzen-gate.service").read_text() == GATE.replace("/usr/bin", "/opt/monzen/bin")
    assert (tree / "etc/systemd/system/monzen-tell.service").read_text() == "ExecStart=/opt/monzen/bin/monzen x\n"
    assert (tree / "etc/systemd/system/monzen-tell.timer").is_file()
    assert "etc/ufw" in (tree / "etc/systemd/system/monzen-gate.service.d/ufw.conf").read_text()
    assert (tree / "var/lib/monzen").stat().st_mode & 0o777 == 0o750
    assert (tree / "var/lib/monzen-run").stat().st_mode & 0o777 == 0o700
    assert read_mode(str(tree)).name == "watch"
    assert ran == [
        "useradd --system --user-group --no-create-home --home-dir /var/lib/monzen-run --shell /usr/sbin/nologin"
        " --groups adm,systemd-journal monzen",
        f"chown monzen {tree}/var/lib/monzen-run",
        f"chown root:monzen {tree}/run/monzen",
        f"systemd-tmpfiles --create {tree}/etc/tmpfiles.d/monzen.conf",
        "systemctl daemon-reload",
        "systemctl enable monzen-gate.service monzen.service monzen-tell.timer monzen-digest.timer",
        "systemctl restart monzen-gate.service monzen.service monzen-tell.timer monzen-digest.timer",
    ]
    with (tree / "etc/passwd").open("a") as file:
        file.write("monzen:x:999:999::/var/lib/monzen-run:/usr/sbin/nologin\n")
    (tree / "etc/group").write_text("adm:x:4:syslog,monzen\nsystemd-journal:x:101:monzen\nmonzen:x:999:\n")
    again = steps(tree, run=ran, units=units)
    assert [s.name for s in again.values() if not s.done] == ["start"]
    assert "mode" not in again


def test_a_user_that_may_not_read_yet(tree):
    with (tree / "etc/passwd").open("a") as file:
        file.write("monzen:x:999:999::/var/lib/monzen-run:/usr/sbin/nologin\n")
    (tree / "etc/group").write_text("adm:x:4:monzen\nsystemd-journal:x:101:other\n")
    ran = Ran()
    steps(tree, run=ran)["user"].do()
    assert ran == ["usermod -aG systemd-journal monzen"]


def test_a_group_without_its_user(tree):
    (tree / "etc/group").write_text("monzen:x:999:\n")
    ran = Ran()
    steps(tree, run=ran)["user"].do()
    assert "--gid=monzen" in ran[0]
    assert "--user-group" not in ran[0]
    assert "--groups" not in ran[0]


def test_what_the_user_could_have_put_there_is_not_given_to_him(tree, monkeypatch):
    """The folder is his: a link, or a second name of a file of root's (/etc/shadow), is not made his by root. Plain files are."""
    about = SimpleNamespace(pw_uid=os.getuid() + 1, pw_gid=os.getgid() + 1)
    given = []
    monkeypatch.setattr(setup.pwd, "getpwnam", lambda _name: about)
    monkeypatch.setattr(setup.os, "fchown", lambda file, uid, gid: given.append((os.fstat(file).st_ino, uid, gid)))
    monkeypatch.setattr(setup.os, "chmod", lambda *_: None)
    home = tree / "var/lib/monzen-run"
    for folder in (home, tree / "var/lib/monzen", tree / "run/monzen"):
        folder.mkdir(parents=True)
    for name in ("shadow", "linked-to"):
        (tree / "etc" / name).write_text("precious")
    (home / "state.db").write_text("")
    (home / "link").symlink_to(tree / "etc/linked-to")
    (home / "folder-link").symlink_to(tree / "etc")
    os.link(tree / "etc/shadow", home / "second-name")
    os.mkfifo(home / "pipe")
    step = steps(tree)["folders"]
    assert not step.done
    assert "/var/lib/monzen-run/state.db" in step.says
    assert not given
    step.do()
    assert sorted(given) == sorted((path.stat().st_ino, about.pw_uid, about.pw_gid) for path in (home, home / "state.db"))


def test_units_of_the_package_are_left_alone(tree, units):
    (tree / "run/systemd/system").mkdir(parents=True)
    (tree / "usr/lib/systemd/system").mkdir(parents=True)
    (tree / "usr/lib/systemd/system/monzen-gate.service").write_text(GATE)
    found = steps(tree, units=units)
    assert found["units"].done
    assert "start" in found


@pytest.mark.parametrize("program", ["/home/alice/.local/bin/monzen", "/root/venv/bin/monzen"])
def test_what_a_service_cannot_see_is_refused(tree, units, program):
    (tree / "run/systemd/system").mkdir(parents=True)
    found = {s.name: s for s in setup.steps(FOUND, str(tree), program=program, units=units)}
    with pytest.raises(setup.SetupError, match="no service may look"):
        found["units"].do()
    assert not (tree / "etc/systemd").exists()


def test_without_the_units_it_says_so(tree, tmp_path):
    (tree / "run/systemd/system").mkdir(parents=True)
    found = steps(tree, units=tmp_path / "nowhere")
    with pytest.raises(setup.SetupError, match="install the package"):
        found["units"].do()


def test_without_systemd_nothing_is_started(tree):
    assert list(steps(tree)) == ["config", "user", "folders", "mode"]
    assert [line.split(" ")[0] for line in by_hand("/opt/monzen")] == ["/opt/monzen", "setpriv"]


def test_a_configuration_is_never_lost(tree):
    path = tree / "etc/monzen/monzen.toml"
    path.parent.mkdir()
    path.write_text("[shield]\nallow = ['198.51.100.7']\n")
    found = steps(tree)["config"]
    assert found.done
    assert "stays as it is" in found.says
    assert any(line.startswith("-allow = ['198.51.100.7']") for line in setup.difference(str(tree), setup.text_of(FOUND)))
    steps(tree)["config"].do()
    assert "198.51.100.7" in path.read_text()
    steps(tree, force=True)["config"].do()
    assert "192.0.2.130" in path.read_text()
    (kept,) = [p for p in path.parent.iterdir() if p != path]
    assert "198.51.100.7" in kept.read_text()
    assert setup.difference(str(tree), setup.text_of(FOUND)) == []
    assert "as it should be" in steps(tree, force=True)["config"].says


def test_a_mode_that_somebody_chose_stays(tree):
    (tree / "var/lib/monzen").mkdir(parents=True)
    (tree / "var/lib/monzen/mode").write_text('{"mode": "armed"}')
    assert "mode" not in steps(tree)


def test_a_program_that_refuses_is_quoted():
    with pytest.raises(setup.SetupError, match="false failed"):
        setup.run(["false"])
    with pytest.raises(setup.SetupError, match="no-such-program"):
        setup.run(["no-such-program"])


def test_the_survey_of_an_empty_tree(tree):
    found = survey(str(tree), Nobody())
    assert found.files == ()
    assert {f.about for f in found.findings} == {"logs", "mail", "firewall", "others"}


def test_the_units_of_this_checkout_or_installation():
    folder = setup.unit_folder()
    if not folder.is_dir():
        pytest.skip("no units here: packaging/systemd")
    for name in (*setup.UNITS, *setup.TIMED):
        assert "ExecStart=/usr/bin/monzen " in (folder / name).read_text(), "init puts its own path there"
    assert (folder / "monzen.tmpfiles").is_file()
    assert Path(folder / "ufw.conf").is_file()
