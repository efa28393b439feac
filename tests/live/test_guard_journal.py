"""The journal: journald of this Debian, real, alone and beside rsyslog; each message counts once, and only those that can be trusted."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.lab import live
from tests.lab.guard import Guard, account, denied
from tests.lab.net import run, spawn, until
from tests.lab.server import told

JOURNALD = "/lib/systemd/systemd-journald"
RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/systemd/journal/syslog" CreatePath="on")
$FileCreateMode 0640
$WorkDirectory /var/spool/rsyslog
mail.*             action(type="omfile" file="/var/log/mail.log" template="RSYSLOG_FileFormat")
auth,authpriv.*    action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
"""


def journald(*, forward=False):
    """journald as it is at boot, without systemd; `forward`: and rsyslog behind it, as on Debian and Ubuntu."""
    for folder in ("/run/systemd/journal", "/run/log/journal", "/sys/fs/cgroup", "/var/spool/rsyslog", "/etc/systemd/journald.conf.d"):
        os.makedirs(folder, exist_ok=True)
    run("mount -t cgroup2 none /sys/fs/cgroup")  # journald asks who sends
    Path("/etc/systemd/journald.conf.d/lab.conf").write_text(
        f"[Journal]\nStorage=volatile\nForwardToSyslog={'yes' if forward else 'no'}\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\n"
    )
    if forward:
        for name in ("mail.log", "auth.log"):
            Path("/var/log", name).unlink(missing_ok=True)
            Path("/var/log", name).touch(0o640)
            run(f"chgrp adm /var/log/{name}")
        Path("/etc/rsyslog.lab.conf").write_text(RSYSLOG)
        spawn("srv", ["rsyslogd", "-n", "-f", "/etc/rsyslog.lab.conf", "-i", "/run/rsyslogd.lab.pid"])
        until(lambda: os.path.exists("/run/systemd/journal/syslog"), what="rsyslog")
    run("mkdir -p /run/log/journal/$(cat /etc/machine-id); chgrp -R systemd-journal /run/log/journal; chmod -R 2755 /run/log/journal")  # tmpfiles.d/systemd.conf
    process = start_journald()
    run("ln -sf /run/systemd/journal/dev-log /dev/log")
    return process


def start_journald():
    Path("/run/systemd/journal/dev-log").unlink(missing_ok=True)  # of the one before
    process = subprocess.Popen([JOURNALD], env={"PATH": os.environ["PATH"]}, stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists("/run/systemd/journal/dev-log"), what="journald")
    return process


def say(program, text, facility=2, uid=0):
    """A message as a daemon sends it: to /dev/log, by syslog's old protocol."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
                stamp = time.strftime("%b %e %H:%M:%S")
                log.sendto(f"<{facility * 8 + 6}>{stamp} {program}[4711]: {text}".encode(), "/dev/log")
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0, "nobody listens at /dev/log"


def guesses(source):
    """A list of names, as guessers have them."""
    for name in ("alice1", "bob2", "carol3", "zed4", "mike5"):
        say("postfix/smtpd", f"warning: unknown[{source}]: SASL LOGIN authentication failed: x, sasl_username={name}{source[-3:]}")


def events():
    with open("/var/lib/monzen-run/status.json", encoding="utf-8") as file:
        return json.load(file)


@live(needs=("nft", "ss", "journalctl"), seconds=150)
def test_the_journal_alone():
    if not os.path.exists(JOURNALD):
        import pytest

        pytest.skip("no systemd-journald here")
    process = journald()
    guesses("203.0.113.7")  # before the first start: history
    account()
    run("usermod -aG systemd-journal monzen")
    with Guard("files = []\njournal = true").start() as guard:
        until(lambda: "203.0.113.7" in denied(), what="history of the journal")
        guesses("203.0.114.8")
        until(lambda: "203.0.114.8" in denied(), what="what comes now")
        # -- anybody on this machine can write any identifier: it counts for nothing
        for number in range(8):
            text = f"warning: unknown[203.0.115.9]: SASL LOGIN authentication failed: x, sasl_username=forged{number}"
            say("postfix/smtpd", text, uid=65534)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as native:
                fields = f"MESSAGE={text}\nSYSLOG_IDENTIFIER=postfix/smtpd\nSYSLOG_FACILITY=2\n_UID=0\n".encode()
                child = os.fork()
                if child == 0:
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                    native.sendto(fields, "/run/systemd/journal/socket")
                    os._exit(0)
                os.waitpid(child, 0)
        # -- journalctl dies, journald restarts, the journal is rotated: each line once all the same
        children = Path(f"/proc/{guard.processes['run'].pid}/task/{guard.processes['run'].pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        guesses("203.0.116.10")
        until(lambda: "203.0.116.10" in denied(), what="after journalctl died")
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process = start_journald()
        guesses("203.0.117.11")
        until(lambda: "203.0.117.11" in denied(), what="after journald came back")
        process.send_signal(signal.SIGUSR2)  # rotate
        time.sleep(0.5)
        guesses("203.0.118.12")
        until(lambda: "203.0.118.12" in denied(), what="after the journal was rotated")
        guard.kill("run")
        guesses("203.0.119.13")
        guard.start("run")
        until(lambda: "203.0.119.13" in denied(), what="what came while it was dead")
        assert not [t for t in denied() if t.startswith("203.0.115.")], "what anybody can write denies nobody"
        rows = {row["target"]: row["attempts"] for row in told("list")["denied"]}
        guard.stop("run")
        assert json.loads(Path("/var/lib/monzen-run/status.json").read_text())["suspects"] == 0
        assert set(rows) == {f"203.0.{n}" for n in ("113.7", "114.8", "116.10", "117.11", "118.12", "119.13")}, rows


@live(needs=("nft", "ss", "journalctl", "rsyslogd"), seconds=120)
def test_rsyslog_and_journald_both_carry_it():
    if not os.path.exists(JOURNALD):
        import pytest

        pytest.skip("no systemd-journald here")
    journald(forward=True)
    account()
    run("usermod -aG systemd-journal monzen")
    with Guard('files = ["/var/log/mail.log", "/var/log/auth.log"]\njournal = true').start() as guard:
        for number in range(30):  # one name, slowly: each counted twice it would be too many
            say("postfix/smtpd", "warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username=alice")
            if number == 14:
                guard.kill("run")
                guard.start("run")
        say("sshd", "Failed password for invalid user \x1b]0;x\x07tab\there from 203.0.114.8 port 5 ssh2", 4)
        until(lambda: Path("/var/log/mail.log").read_text().count("203.0.113.7") == 30, what="rsyslog wrote them")
        until(lambda: events()["twice"] >= 31, what="journalctl has told of each, too, and run of that")
        found = events()
        assert found["twice"] == 31, found
        guard.stop("run")
    from monzen.guard.mind import Mind
    from monzen.guard.store import Store

    store = Store("/var/lib/monzen-run")
    state, records = store.load()
    mind = Mind.restore(state)
    for record in records:
        mind.hear(record)
    assert mind.judge.clients[bytes((203, 0, 113, 7))].attempts == 30
    assert mind.judge.clients[bytes((203, 0, 114, 8))].attempts == 1
