"""What only looks leaves nothing behind: every verb that says and does not do, against the file system as it was before."""

import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from monzen.cli import main
from monzen.ledger import LEDGER, Ledger
from tests.lab import live
from tests.lab.net import inside, ns, run
from tests.lab.server import listen, monzen

PATH = "/" + LEDGER
FOLDERS = ("/etc", "/run", "/var/lib/monzen", "/var/lib/monzen-run")  # and the names in /var/lib
LOG = "/etc/looked-at.log"
LIST = "/etc/looked-at.txt"
FAILED = "warning: unknown[198.51.100.200]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
NOBODY = 65_534
GONE = "203.0.113.7"  # denied, where anybody is

# Every verb with every way of only looking, and its exit status where nobody is denied, and where somebody is (None: either).
LOOKS = (
    (("scan", LOG), 0, 0),
    (("scan", LOG, "--apply", "--dry-run"), 0, 0),
    (("scan", LOG, "--apply"), 2, 2),  # nobody can be asked: nothing was changed
    (("why", GONE, LOG), None, None),
    (("explain", LOG), 0, 0),
    (("status",), 1, 1),  # it is not set up, or its guard does not run
    (("report", LOG), 0, 0),
    (("deny", "203.0.113.9", "--dry-run"), 0, 0),
    (("deny", "127.0.0.1", "--dry-run"), 1, 1),
    (("release", GONE, "--dry-run"), 1, 0),
    (("release", "1", "--dry-run"), 1, 0),
    (("allow",), 0, 0),
    (("allow", "192.0.2.99", "--dry-run"), 0, 0),
    (("allow", "192.0.2.0/24", "--remove", "--dry-run"), 1, 0),
    (("list",), 0, 0),
    (("list", "--watched"), 0, 0),
    (("list", "--ended"), 0, 0),
    (("list", "--format", "plain"), 0, 0),
    (("import", LIST, "--dry-run"), 0, 0),
    (("import", LIST), 2, 2),  # nobody can be asked: nothing was changed
    (("knocks", LOG), 0, 0),
    (("knocks",), None, None),
    (("check",), None, None),
    (("gate", "status"), 0, 0),
    (("gate", "enable", "--default", "allow", "--ssh-port", "22", "--dry-run"), 0, 0),
    (("init", "--dry-run"), 0, 0),
    (("init",), 2, 2),  # nobody can be asked: nothing was changed
    (("arm", "--dry-run"), 0, 0),
    (("arm", "--off", "--dry-run"), 0, 0),
    (("arm",), 2, 2),  # nobody can be asked: nothing was changed
    (("tell",), 0, 0),  # nobody is told
    (("tell", "--dry-run"), 0, 0),
    (("digest", "--print"), 0, 0),
    (("digest", "--dry-run", "--print"), 0, 0),
    (("metrics",), 0, 0),
)


def tree(*folders):
    """Every name below, with what `stat` says of it: kind and rights, owner, size, when it was written, and which file it is."""
    found = {}
    for top in folders or FOLDERS:
        for folder, names, files in os.walk(top):
            for name in (folder, *(os.path.join(folder, n) for n in (*names, *files))):
                at = os.lstat(name)
                found[name] = (at.st_mode, at.st_uid, at.st_gid, at.st_size, at.st_mtime_ns, at.st_ino)
    return found | dict.fromkeys(os.listdir("/var/lib"), ())


def different(before, after):
    return {name: (before.get(name), after.get(name)) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def look(*words, status=None, place="srv"):
    """What `monzen` says in srv, by a child of ours: 40 of them are not started anew."""
    with inside(place):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                for number, to in ((0, os.open(os.devnull, os.O_RDONLY)), (1, writing), (2, writing)):
                    os.dup2(to, number)
                sys.argv = ["monzen", *words]
                try:
                    code = main()
                except SystemExit as ended:
                    code = ended.code or 0
                sys.stdout.flush()
                sys.stderr.flush()
            except BaseException:  # noqa: BLE001  # whatever it is, it is shown
                traceback.print_exc()
            finally:
                os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        said = file.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert "Traceback" not in said, f"monzen {' '.join(words)}\n{said}"
    assert status is None or ended == status, f"monzen {' '.join(words)} ended with {ended}, not {status}:\n{said}"
    return said


def looked(column):
    """All of them, one after the other, each against the file system before it; what they said, by their words."""
    said, wrong = {}, []
    before = tree()
    for words, *statuses in LOOKS:
        try:
            said[words] = look(*words, status=statuses[column])
        except AssertionError as problem:
            wrong.append(problem)
        after = tree()
        if different(before, after):
            wrong.append((words, different(before, after)))
        before = after
    assert wrong == [], wrong
    return said


def ready():
    run("cp -a /etc /run/etc && mount --bind /run/etc /etc")  # what others on this machine change in theirs is not seen here
    times = (time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 90 + n)) for n in range(30))
    Path(LOG).write_text("".join(f"{at} mail postfix/smtpd[7]: {FAILED}\n" for at in times))
    Path(LIST).write_text("203.0.113.40\n203.0.113.41\n")
    listen(22)
    # what the programs of the machine make of themselves the first time, monzen's looking aside
    for words in (["postconf"], ["doveconf", "-n"], ["sshd", "-T"], ["nft", "list", "ruleset"], ["ufw", "status"]):
        if shutil.which(words[0]):
            ns("srv", words, check=False)


@live(needs=("nft", "ufw", "iptables"), seconds=300)
def test_where_there_is_no_ledger():
    ready()
    assert not os.path.lexists("/var/lib/monzen")
    said = looked(0)
    assert not os.path.lexists("/var/lib/monzen")
    assert not os.path.lexists("/run/monzen")
    assert "Nobody is denied" in said[("gate", "status",)]
    assert "There is no ledger yet: nothing was denied." in said[("check",)]
    assert "203.0.113.7 is not denied by itself" in said[("release", GONE, "--dry-run")]
    assert "would deny 203.0.113.9" in said[("deny", "203.0.113.9", "--dry-run")]
    assert "Nobody is on the list" in said[("allow",)]
    # where only the kernel knows whom it denies, that is said, and not written down either
    monzen("deny", GONE)
    shutil.rmtree("/var/lib/monzen")
    shutil.rmtree("/run/monzen")
    before = tree()
    facts = json.loads(look("gate", "status", "--json", status=0))
    assert (facts["denied"], facts["held"], facts["alarms"]) == (1, 1, [])
    assert f"would release {GONE}" in look("release", GONE, "--dry-run", status=0)
    assert different(before, tree()) == {}
    monzen("release", GONE)
    assert monzen("list", "--ended").count(GONE) == 1


@live(needs=("nft", "ufw", "iptables"), seconds=300)
def test_where_there_is_one():
    ready()
    monzen("deny", GONE)
    monzen("allow", "192.0.2.0/24")
    assert os.listdir("/var/lib/monzen") == ["ledger.db"]
    said = looked(1)
    assert os.listdir("/var/lib/monzen") == ["ledger.db"]
    assert f"would release {GONE} (number 1)" in said[("release", "1", "--dry-run")]
    assert "1 target is denied, and the firewall holds it." in said[("gate", "status",)]
    assert "The ledger is sound: 1 target is denied." in said[("check",)]
    # with somebody to tell, and a host name that is not asked for yet
    Path("/etc/monzen").mkdir()
    Path("/etc/monzen/monzen.toml").write_text('[tell]\nmail = "root"\n[shield]\nallow = ["home.example.net"]\n')
    with Ledger.open(PATH) as ledger:
        ledger.alarm("gate", "the table was lost", time.time())
    for words in (("tell", "--dry-run"), ("tell", "--test", "--dry-run"), ("digest", "--dry-run"), ("allow",), ("check",), ("arm", "--dry-run")):
        before = tree()
        done = look(*words, status=None if words == ("check",) else 0)
        assert different(before, tree()) == {}, f"{words}: {different(before, tree())}"
        assert words[1:] != ("--dry-run",) or words[0] == "arm" or "would be" in done, done
    # left by one that was killed, its log is read and left
    child = os.fork()
    if child == 0:
        Ledger.open(PATH).alarm("gate", "the table was lost", time.time())
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert len(os.listdir("/var/lib/monzen")) == 3
    for words in (("gate", "status"), ("check",), ("list",), ("deny", "203.0.113.9", "--dry-run"), ("metrics",)):
        before = tree()
        done = look(*words)
        assert different(before, tree()) == {}, done
        assert GONE in done or words != ("list",), done


HELD = """
import sys
from monzen.cli import main
from monzen.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    ledger.alarm("gate", "one", 1.0)
    print("open", flush=True)
    sys.stdin.read()
"""


@live(needs=("nft", "setpriv"), seconds=120)
def test_beside_a_writer_for_a_user_of_the_group_and_where_nothing_can_be_written():
    ready()
    monzen("deny", GONE)
    with subprocess.Popen([sys.executable, "-c", HELD, PATH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        before = {name: at[3::2] for name, at in tree().items()}  # size and inode
        for words in (("list",), ("gate", "status", "--json"), ("release", GONE, "--dry-run")):
            assert GONE in look(*words, status=0)
            assert {name: at[3::2] for name, at in tree().items()} == before
        writer.stdin.close()
    assert os.listdir("/var/lib/monzen") == ["ledger.db"]
    # a user whose group may read
    for path in ("/var/lib/monzen", PATH):
        os.chown(path, 0, NOBODY)
    as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-m", "monzen"]
    for words, status in ((("list",), 0), (("allow",), 0), (("why", GONE, LOG), None), (("status",), 1), (("release", GONE, "--dry-run"), 0)):
        before = tree()
        done = ns("srv", [*as_user, *words], check=False)
        assert different(before, tree()) == {}, done.stdout
        assert status is None or done.returncode == status, done.stdout
        assert GONE in done.stdout or words[0] in ("allow", "status"), done.stdout
    before = tree()
    done = ns("srv", [*as_user, "gate", "status"], check=False)
    assert (done.returncode, "no right to. Run as root" in done.stdout) == (2, True), done.stdout
    assert different(before, tree()) == {}
    # a file system that may only be read
    run("mount --bind /var/lib/monzen /var/lib/monzen && mount -o remount,bind,ro /var/lib/monzen")
    with pytest.raises(OSError, match="Read-only"):
        Path("/var/lib/monzen/x").touch()
    for words in (("list",), ("gate", "status"), ("check",), ("release", GONE, "--dry-run"), ("deny", "203.0.113.9", "--dry-run"), ("metrics",)):
        before = tree()
        done = look(*words, status=None if words == ("check",) else 0)
        assert different(before, tree()) == {}, done
        assert GONE in done or words[0] not in ("list", "release"), done
