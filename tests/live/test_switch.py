"""`monzen gate enable`: nobody is locked out, whatever ends in between."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import live
from tests.lab.net import connect, ns, probe, probes, run, spawn, until
from tests.lab.server import listen, monzen, told

NEEDS = ("nft", "ss", "ufw", "iptables", "sshd", "ssh-keygen")
DOORS = [("admin", 22), ("good", 2222), ("good", 143), ("good", 8080)]
CONF, DEFAULT = Path("/etc/ufw/ufw.conf"), Path("/etc/default/ufw")


def ready():
    """sshd on two ports, a mail server's door, another one; an admin with an open session. Returns its SSH_CONNECTION."""
    run("mkdir -p /run/sshd && ssh-keygen -q -N '' -t ed25519 -f /etc/ssh/lab_key")
    spawn("srv", ["/usr/sbin/sshd", "-D", "-p", "22", "-p", "2222", "-h", "/etc/ssh/lab_key", "-o", "UsePAM=no"])
    listen(143, 8080)
    until(lambda: probe("admin", 22) == "open", what="sshd")
    session = connect("admin", 22).socket
    kept.append(session)
    return f"192.0.2.130 {session.getsockname()[1]} 198.51.100.10 22"


kept = []


def enable(session, *arguments, status=0):
    return monzen("gate", "enable", *arguments, status=status, SSH_CONNECTION=session)


def soon(session, default, least):
    """The same with a shorter time than anybody may choose: what this machine, busy as it is, takes for a dozen commands and two."""
    begun = time.monotonic()
    monzen("gate", "status", status=None)
    seconds = max(least, round(14 * (time.monotonic() - begun)))
    code = (
        "# monzen gate enable\nimport sys, monzen.verbs.switching as s; s.SHORTEST = 1.0\n"
        f"from monzen.cli import main; sys.exit(main(['gate', 'enable', '--default', {default!r}, '--yes', '--wait', '{seconds}s']))"
    )
    ns("srv", [sys.executable, "-c", code], env={**os.environ, "SSH_CONNECTION": session})


def seen(*calls):
    return probes(calls or DOORS, timeout=1.2)


@live(needs=NEEDS)
def test_without_a_confirmation_everything_is_as_it_was():
    before = CONF.read_text(), DEFAULT.read_text(), ns("srv", "iptables -S; ip6tables -S").stdout
    session = ready()
    said = enable(session, "--default", "deny", "--dry-run")
    assert "8080" in said
    assert "22 ssh, 2222" in said
    assert "192.0.2.130" in said
    assert "nobody can be asked" in enable(session, "--default", "deny", status=2)
    assert (CONF.read_text(), DEFAULT.read_text(), ns("srv", "iptables -S; ip6tables -S").stdout) == before
    assert "30s up to 1d" in enable(session, "--default", "deny", "--yes", "--wait", "29s", status=2)
    other = connect("admin", 22).socket  # open before, too, and not the one that it is typed in
    soon(session, "deny", 6)
    started = time.monotonic()
    assert "gate confirm" in monzen("gate", "status")
    assert told("gate", "status")["confirm_before"] > time.time()
    assert "gate confirm" in told("status", status=1)["problems"][0]
    assert seen() == ["open", "open", "open", "silence"]
    assert (CONF.read_text(), DEFAULT.read_text()) == before[:2], "a restart would start what was there"
    for mine in (session, f"192.0.2.130 {other.getsockname()[1]} 198.51.100.10 22"):
        assert "proves nothing" in monzen("gate", "confirm", status=2, SSH_CONNECTION=mine)
    assert "confirm over a new SSH connection: this is none" in monzen("gate", "confirm", status=2)
    assert "is armed" in enable(session, "--default", "allow", "--yes", status=2)
    until(lambda: not os.path.exists("/var/lib/monzen/switch"), 90, "put back")
    assert time.monotonic() - started > 4
    assert seen() == ["open"] * 4
    assert "inactive" in ns("srv", "ufw status").stdout
    assert "monzen" not in ns("srv", "ufw show added").stdout
    assert "--datestart" not in ns("srv", "iptables -S; ip6tables -S").stdout
    late = monzen("gate", "confirm", status=2, SSH_CONNECTION="192.0.2.130 1 198.51.100.10 22")
    assert "too late: the time was over at 20" in late
    assert "everything is as it was before" in late
    assert told("gate", "status")["confirm_before"] is None
    enable(session, "--default", "allow", "--yes")
    monzen("gate", "disable")
    assert "nothing to confirm" in monzen("gate", "confirm", status=2), "of a switch that was undone nobody comes too late"


@live(needs=NEEDS)
def test_killed_in_between_the_kernel_opens_by_itself():
    session = ready()
    soon(session, "reject", 5)
    assert seen(("good", 8080)) == ["refused"]
    subprocess.run(["pkill", "-9", "-f", "monzen gate"], check=False)
    until(lambda: "monzen" not in run("ps -eo args | grep '[m]onzen gate'", check=False).stdout, what="killed")
    until(lambda: seen(("good", 8080)) == ["open"], 90, "the kernel's own fuse")
    enable(session, "--default", "deny", "--yes", "--wait", "3m")  # what was overdue is put back first
    assert seen(("good", 8080)) == ["silence"]


@live(needs=NEEDS)
def test_confirmed_from_a_new_connection_it_stays_and_can_be_undone():
    session = ready()
    ns("srv", "ufw allow 9999/tcp")
    ns("srv", "iptables -P FORWARD DROP")
    enable(session, "--default", "deny", "--open", "8080", "--yes")
    new = connect("admin", 22).socket
    monzen("gate", "confirm", SSH_CONNECTION=f"192.0.2.130 {new.getsockname()[1]} 198.51.100.10 22")
    assert "ENABLED=yes" in CONF.read_text()
    assert 'DEFAULT_INPUT_POLICY="DROP"' in DEFAULT.read_text()
    assert "--datestart" not in ns("srv", "iptables -S; ip6tables -S").stdout
    assert not run("ps -eo args | grep '[m]onzen gate'", check=False).stdout, "the watcher has ended"
    spawn("srv", ["python3", "-m", "http.server", "8081"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: probe("srv", 8081, to="127.0.0.1") == "open", what="a server behind no rule")
    assert seen(*DOORS, ("good", 8081)) == ["open", "open", "open", "open", "silence"]
    assert "was turned on by monzen already" in enable(session, "--default", "allow", "--yes", status=2)
    assert told("gate", "status")["ufw"]["active"] is True
    monzen("gate", "disable")
    assert seen(("good", 8081)) == ["open"]
    added = ns("srv", "ufw show added").stdout
    assert "9999" in added
    assert "monzen" not in added
    assert "8080" not in added
    assert "-P FORWARD DROP" in ns("srv", "iptables -S").stdout
    assert "nothing to undo" in monzen("gate", "disable", status=1)


@live(needs=NEEDS)
def test_without_sshd_or_ufw_nothing_is_turned_on():
    assert "no sshd" in monzen("gate", "enable", "--default", "deny", "--yes", status=2)
    assert "Status: inactive" in ns("srv", "ufw status").stdout
    run("mv /etc/ufw/ufw.conf /etc/ufw/away")
    assert "apt install ufw" in monzen("gate", "enable", "--default", "deny", "--yes", status=2)


@live(needs=NEEDS)
def test_where_ufw_refuses_in_the_middle_everything_is_as_it_was_at_once():
    session = ready()
    before = CONF.read_text(), DEFAULT.read_text(), ns("srv", "iptables -S; ip6tables -S; ufw show added").stdout
    run("cp /usr/sbin/ufw /run/ufw.real")
    Path("/run/ufw.false").write_text('#!/bin/sh\n[ "$*" = "--force enable" ] && { echo "ERROR: no room" >&2; exit 1; }\nexec /run/ufw.real "$@"\n')
    run("chmod 755 /run/ufw.false && mount --bind /run/ufw.false /usr/sbin/ufw")
    said = enable(session, "--default", "deny", "--yes", status=2)
    run("umount /usr/sbin/ufw")
    assert "ufw refused --force enable: ERROR: no room. Everything was put back" in said
    assert (CONF.read_text(), DEFAULT.read_text(), ns("srv", "iptables -S; ip6tables -S; ufw show added").stdout) == before
    assert not os.path.exists("/var/lib/monzen/switch")
    assert not run("ps -eo args | grep '[m]onzen gate enable'", check=False).stdout, "nobody waits to do it once more"
    assert seen() == ["open"] * 4
