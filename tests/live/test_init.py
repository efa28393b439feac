"""`monzen init` and `monzen check` on a real mail server: real Postfix, Dovecot, rsyslog, sshd and ufw, configured one way and another."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from monzen.mode import read_mode
from tests.lab import live, maild
from tests.lab.guard import Guard
from tests.lab.net import inside, ns, run, spawn, until
from tests.lab.server import monzen, told

NEEDS = (*maild.NEEDS, "ufw", "useradd", "postconf", "doveconf")
CONFIG = Path("/etc/monzen/monzen.toml")
SESSION = {"SSH_CONNECTION": "192.0.2.130 40000 198.51.100.10 22"}
DEBIAN = """
*.*;auth,authpriv.none  -/var/log/syslog
auth,authpriv.*  action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
kern.*  -/var/log/kern.log
mail.*  action(type="omfile"
    file="/var/log/mail.log" template="RSYSLOG_FileFormat")
:msg,contains,"[UFW " /var/log/ufw.log
"""


def says(*arguments, **more):
    """The findings of init or check, as sentences with what to do."""
    return [(f["state"], f["says"], f["fix"]) for f in told(*arguments, **more)["findings"]]


def having(findings, words):
    found = [f for f in findings if words in f[1]]
    assert found, f"{words!r} is not in:\n" + "\n".join(map(str, findings))
    return found[0]


def server():
    """The lab's mail server, with its configuration where the programs themselves look for it."""
    maild.start()
    run("cp /etc/dovecot/lab.conf /etc/dovecot/dovecot.conf")


def changed():
    """What is newer than the mail server here, but for what that keeps for itself while it runs."""
    return run("find /etc /var/lib -newer /etc/rsyslog.lab.conf -not -path '/var/lib/postfix*' -not -path '/var/lib/dovecot*' | sort").stdout


def guess(port=25):
    """One failed login: a line in mail.log."""
    import smtplib

    with inside("good"), smtplib.SMTP("198.51.100.10", port, timeout=60) as client, contextlib.suppress(smtplib.SMTPException):
        client.login("nobody@example.net", "wrong")


@live(needs=NEEDS, seconds=240)
def test_a_mail_server_from_nothing_to_watching():
    server()
    guess(587)
    # ---- shown, and nothing is changed
    before = changed()
    said = monzen("init", "--dry-run", **SESSION)
    assert changed() == before
    assert not CONFIG.exists()
    assert "Nothing was changed." in said
    found = told("init", "--dry-run", **SESSION)
    assert found["files"] == ["/var/log/mail.log", "/var/log/auth.log"]
    assert found["admin"] == ["192.0.2.130"]
    assert found["dry_run"] is True
    findings = [(f["state"], f["says"], f["fix"]) for f in found["findings"]]
    assert having(findings, "/var/log/mail.log is written; newest")[0] == "good"
    assert having(findings, "Postfix takes passwords on port 25 too")[2].startswith("postconf -P smtp/inet/smtpd_sasl_auth_enable=no")
    assert having(findings, "Dovecot logs why logins fail")[0] == "good"
    assert having(findings, "sshd: port ")[0] == "good"
    assert "nobody can be asked" in monzen("init", status=2, **SESSION)
    assert not CONFIG.exists()
    # ---- done
    said = monzen("init", "--yes", **SESSION)
    assert tomllib.loads(CONFIG.read_text()) == {
        "shield": {"allow": ["192.0.2.130"]}, "sources": {"files": ["/var/log/mail.log", "/var/log/auth.log"], "journal": "auto"},
        "tell": {},
    }  # fmt: skip
    assert "There is no systemd here" in said
    assert "monzen arm" in said
    assert read_mode().name == "watch"
    groups = run(["id", "-nG", "monzen"]).stdout.split()
    assert {"monzen", "adm"} <= set(groups)
    assert run(["stat", "-c", "%U %a", "/var/lib/monzen-run"]).stdout == "monzen 700\n"
    assert run(["stat", "-c", "%U %a", "/var/lib/monzen"]).stdout == "root 750\n"
    assert run(["getent", "passwd", "monzen"]).stdout.strip().endswith("/usr/sbin/nologin")
    said = monzen("check", status=1)
    assert said.count("✗") == 2, "nobody started the two halves yet: there is no systemd here"
    # ---- the mends that it named, typed as they stand there
    ns("srv", "postconf -P smtp/inet/smtpd_sasl_auth_enable=no; postfix reload", check=False)
    assert having(says("check", status=1), "Postfix takes no passwords on port 25")[0] == "good"
    # ---- again: nothing to do, nothing lost
    CONFIG.write_text(CONFIG.read_text() + "# mine\n[policy]\nnames = 5\n")
    said = monzen("init", "--yes", **SESSION)
    assert "-# mine" in said
    assert "names = 5" in CONFIG.read_text()
    monzen("init", "--yes", "--force", **SESSION)
    assert "names = 5" not in CONFIG.read_text()
    (kept,) = [p for p in CONFIG.parent.iterdir() if p != CONFIG]
    assert "names = 5" in kept.read_text()


@live(needs=NEEDS, seconds=240)
def test_both_halves_start_as_init_says():
    server()
    guess(587)
    said = monzen("init", "--yes", **SESSION)
    lines = [line.strip().removesuffix(" &") for line in said.splitlines() if line.endswith(" &")]
    assert len(lines) == 2
    # the user monzen cannot see a Python in root's home: what is under test is the command line that init prints
    serve = spawn("srv", ["sh", "-c", "exec " + lines[0]], stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists("/run/monzen/gate.sock"), what="the gate's socket")
    assert run(["stat", "-c", "%U:%G %a", "/run/monzen/gate.sock"]).stdout == "root:monzen 660\n"
    assert lines[1].startswith("setpriv --reuid=monzen --regid=monzen --init-groups ")
    for path in ("/var/log/mail.log", "/var/log/auth.log"):
        run(["chgrp", "adm", path])
        run(["setpriv", "--reuid=monzen", "--regid=monzen", "--init-groups", "head", "-c1", path])
    serve.terminate()
    assert serve.wait(60) == 0


@live(needs=("nft", "ss", "setpriv", "useradd"), seconds=90)
def test_whatever_umask_root_has():
    """Hardened machines have 077: `run`, which is not root, reads what init wrote, and reaches the gate."""
    log = Path("/var/log/mail.log")
    log.write_text(time.strftime("%Y-%m-%dT%H:%M:%S+00:00 mail postfix/smtpd[7]: connect from unknown[203.0.113.7]\n", time.gmtime()))
    run(["chown", "root:adm", str(log)])
    log.chmod(0o640)
    os.umask(0o077)
    monzen("init", "--yes", status=None, **SESSION)
    assert run(["setpriv", "--reuid=monzen", "--regid=monzen", "--init-groups", "cat", str(CONFIG)]).stdout == CONFIG.read_text()
    run("rm -r /run/monzen")  # as it is when the machine has started
    monzen("deny", "203.0.113.7")
    kept = CONFIG.read_text()
    guard = Guard("", mode=None)
    CONFIG.write_text(kept)
    with guard.start():
        assert run(["stat", "-c", "%U:%G %a", "/run/monzen/gate.sock"]).stdout == "root:monzen 660\n"


@live(needs=NEEDS, seconds=240)
def test_what_hides_failures_is_named_with_the_line_that_mends_it():
    server()
    conf = Path("/etc/dovecot/dovecot.conf")
    good = conf.read_text()
    conf.write_text(good.replace("auth_verbose = yes", "auth_verbose = no"))
    state, _said, fix = having(says("init", "--dry-run"), "Dovecot logs no reason of failed logins")
    assert state == "warning"
    line = re.search(r"the line `(.*?)`", fix)[1]
    conf.write_text(good.replace("auth_verbose = yes", line))
    assert having(says("check"), "Dovecot logs why logins fail")[0] == "good"
    conf.write_text(good.replace("log_path = syslog", "log_path = /var/log/dovecot.log\ninfo_log_path = /var/log/dovecot-info.log"))
    found = told("init", "--dry-run")
    assert "/var/log/dovecot-info.log" in found["files"]
    conf.write_text(good.replace("log_path = syslog", "log_path = /dev/stderr"))
    assert having(says("check", status=1), "Dovecot writes to /dev/stderr")[2].startswith("the line `log_path = syslog`")
    conf.write_text(good)
    ns("srv", "postconf -e maillog_file=/var/log/postfix.log")
    assert "/var/log/postfix.log" in told("init", "--dry-run")["files"]
    ns("srv", "postconf -e maillog_file=")
    run("printf 'LogLevel ERROR\\n' > /etc/ssh/sshd_config.d/00-quiet.conf && mkdir -p /etc/ssh/sshd_config.d && ssh-keygen -A", check=False)
    if "loglevel ERROR" in run(["/usr/sbin/sshd", "-T"], check=False).stdout:
        assert having(says("init", "--dry-run"), "sshd does not log failed logins")[0] == "fault"


@live(needs=NEEDS, seconds=240)
def test_files_as_rsyslog_really_writes_them():
    """Every file that is named gets the line; none of the others of rsyslog's is taken as well, or lines would count twice."""
    Path("/etc/rsyslog.conf").write_text(
        'module(load="imuxsock" SysSock.Name="/dev/log" SysSock.Use="on")\n$WorkDirectory /var/spool/rsyslog\n' + DEBIAN
    )
    run("mkdir -p /var/spool/rsyslog; rm -f /var/log/mail.log /var/log/auth.log /var/log/syslog /var/log/kern.log /var/log/ufw.log")
    rsyslogd = spawn("srv", ["rsyslogd", "-n", "-i", "/run/rsyslogd.lab.pid"])
    until(lambda: os.path.exists("/dev/log"), what="rsyslog")
    ns("srv", "logger -p mail.info -t postfix/smtpd 'one'; logger -p auth.info -t sshd 'two'; logger -p authpriv.info -t sshd 'three'")
    until(lambda: "three" in run("cat /var/log/auth.log", check=False).stdout, what="auth.log")
    until(lambda: "one" in run("cat /var/log/mail.log", check=False).stdout, what="mail.log")
    assert "one" in Path("/var/log/syslog").read_text(), "as Debian does"
    found = told("init", "--dry-run")
    assert found["files"] == ["/var/log/mail.log", "/var/log/auth.log", "/var/log/ufw.log"]
    having([(f["state"], f["says"], f["fix"]) for f in found["findings"]], "/var/log/ufw.log is not there yet")
    # one file for all of it, given on the command line
    rsyslogd.terminate()
    rsyslogd.wait(60)
    Path("/etc/other.conf").write_text('module(load="imuxsock" SysSock.Name="/dev/log" SysSock.Use="on")\n*.* /var/log/everything\n')
    spawn("srv", ["rsyslogd", "-n", "-f", "/etc/other.conf", "-i", "/run/rsyslogd.lab.pid"])
    until(lambda: ns("srv", "logger -p mail.info four", check=False) and os.path.exists("/var/log/everything"), what="the other file")
    assert told("init", "--dry-run")["files"] == ["/var/log/everything"]


@live(needs=NEEDS, seconds=240)
def test_a_log_in_another_time_zone():
    server()
    run("rm /var/log/mail.log /etc/localtime /etc/timezone; ln -s /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", check=False)
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
    Path("/var/log/mail.log").write_text(f"{stamp} mail postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x\n")
    found = told("init", "--dry-run", TZ="")
    assert found["timezone"] == "UTC"
    assert 'timezone = "UTC"' in found["configuration"]
    assert having(says("check", status=1, TZ=""), "another time zone")[0] == "fault"


@live(needs=NEEDS)
def test_other_tools_are_named():
    pretend = "import ctypes, sys, time\nctypes.CDLL(None).prctl(15, b'fail2ban-server')\nprint('ready', flush=True)\ntime.sleep(60)"
    with inside("srv"):
        other = subprocess.Popen([sys.executable, "-c", pretend], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "ready\n"
    assert having(says("init", "--dry-run"), "fail2ban runs, too")[2].endswith("systemctl disable --now fail2ban")
    assert having(says("check", status=1), "fail2ban runs, too")[0] == "warning"
    other.kill()
    other.wait()
    other.stdout.close()


@live(needs=NEEDS)
def test_it_asks():
    for answer, status in (("n\n", 1), ("\x04", 1), ("y\n", 0)):
        main, side = pty.openpty()
        with inside("srv"):
            process = subprocess.Popen([sys.executable, "-m", "monzen", "init"], stdin=side, stdout=subprocess.PIPE, text=True)
        os.write(main, answer.encode())
        said = process.communicate(timeout=120)[0]
        assert process.returncode == status, said
        assert CONFIG.exists() == (status == 0)
        assert ("Nothing was changed." in said) == (status == 1)
        os.close(main)
        os.close(side)


@live(needs=NEEDS)
def test_without_root_it_only_looks():
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "monzen", "init"]
    done = ns("srv", user, check=False)
    assert done.returncode == 2
    assert "Run as root" in done.stdout
    done = ns("srv", [*user, "--dry-run"], check=False)
    assert done.returncode == 0
    assert "Nothing was changed." in done.stdout
