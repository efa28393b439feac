"""The guard, all day: real daemons, a gang at its rhythm over SMTP, IMAP and SSH, customers and the admin beside it; then accidents."""

import contextlib
import imaplib
import json
import os
import shutil
import smtplib
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import live
from tests.lab.guard import Guard, denied
from tests.lab.maild import NEEDS, USERS, start
from tests.lab.net import connect, inside, ns, probe, probes, run, until
from tests.lab.server import monzen, told
from tests.live.test_mail import Smtp, guess_imap, guess_pop, guess_smtp

ALICE, BOB = USERS
GANG = ("203.0.113.83", "203.0.113.52", "203.0.113.20")
GANG6 = ("2001:db8:bad:7::d4", "2001:db8:bad:7::d5", "2001:db8:bad:7::d6")
SOURCES = 'files = ["/var/log/mail.log", "/var/log/auth.log"]\njournal = false'
NETWORK = "203.0.113.0/24"
CUT = (OSError, AssertionError, EOFError, AttributeError, smtplib.SMTPException, imaplib.IMAP4.error)  # turned away in the middle of it


def guess_ssh(place, source, user):
    """One guess over SSH, by sshd's own client."""
    with inside(place):
        subprocess.run(
            ["ssh", "-b", source, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=3",
             "-o", "NumberOfPasswordPrompts=1", "-o", "BatchMode=no", "-o", "PreferredAuthentications=password", f"{user}@198.51.100.10", "true"],
            env={**os.environ, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=15, check=False,
        )  # fmt: skip


class Customers(threading.Thread):
    """Two people who read their mail all the time; `failed` says when that did not work."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.failed, self.good = [], 0

    def run(self):
        while not self.stopped.wait(0.3):
            for one in (lambda: guess_imap("good", "192.0.2.50", ALICE, USERS[ALICE]), lambda: guess_pop("good", "2001:db8:600d::50", BOB, USERS[BOB])):
                try:
                    good = one()
                except Exception as problem:  # noqa: BLE001  # whatever it is, a customer noticed
                    self.failed.append((time.time(), repr(problem)))
                    continue
                if good:
                    self.good += 1
                else:
                    self.failed.append((time.time(), "refused"))


def silent(*sources, port=25):
    """Whether nothing of the mail server answers these."""
    return set(probes([("atk", port, source) for source in sources])) == {"silence"}


def at_once(tries):
    """Guesses of several at the same moment; who is turned away in the middle of it hears nothing any more."""

    def one(source, user):
        with contextlib.suppress(*CUT):
            guess_smtp("atk", source, user, "123456")

    with ThreadPoolExecutor(len(tries)) as pool:
        list(pool.map(lambda pair: one(*pair), tries))


def fresh_gang(net):
    """Three of a network that was not seen before."""
    at_once([(f"198.51.100.{net + host}", f"{name}{net}@example.net") for host, name in ((7, "anna"), (8, "office"), (9, "root"))])


def all_said():
    """What is in the logs is read, and the gate has heard of it: `run` says so, some seconds from now."""
    from_now = time.time() + 1.0  # it reads a line at once
    file = Path("/var/lib/monzen-run/status.json")
    until(lambda: (said := json.loads(file.read_text()))["at"] > from_now and said["waiting"] == 0, what="nobody waits to be denied")


@live(needs=(*NEEDS, "ufw", "iptables", "ssh"), seconds=400)
def test_all_day_and_through_every_accident():
    start()
    ns("srv", "ufw allow 22/tcp; ufw allow proto tcp to any port 25,587,143,993,110; ufw --force enable")
    customers = Customers()
    customers.start()
    admin = connect("admin", 22).socket
    with Guard(SOURCES).start() as guard:
        begun = time.monotonic()
        assert not guess_smtp("good", "192.0.2.50", ALICE, "mistyped", 587)
        Smtp.patience = max(8, 4 * (time.monotonic() - begun))  # of who is turned away in the middle of it
        assert guess_smtp("good", "192.0.2.50", ALICE, USERS[ALICE], 587)
        names = iter(range(1000))
        with contextlib.suppress(*CUT):
            for _round in range(6):  # the first user's gang: .83, .52 and .20 take turns, a guess every few seconds
                for source in GANG:
                    guess_smtp("atk", source, f"nobody{next(names)}@example.net", "123456")
                    time.sleep(0.3)
                guess_imap("atk", GANG[0], "root", "x")
                guess_ssh("atk", GANG[1], "admin")
        until(lambda: NETWORK in denied(), what="the gang's /24 is denied")
        assert next(row["attempts"] for row in told("list")["denied"] if row["target"] == NETWORK) <= 6, "before each of them guessed a third time"
        for port in (25, 587, 143, 22):
            assert silent(*GANG, "203.0.113.200", port=port)
        until(lambda: NETWORK in ns("srv", "ufw status").stdout, what="ufw shows it")
        for names in (("admin", "sales", "backup"), ("info", "scan", "hostmaster")):
            at_once([(source, f"{name}@example.net") for source, name in zip(GANG6, names, strict=True)])
        until(lambda: "2001:db8:bad:7::/64" in denied(), what="the gang's /64 is denied")
        assert not [target for target in denied() if target.startswith(("192.0.2.", "2001:db8:600d", "2001:db8:ad"))]
        assert guess_smtp("good", "192.0.2.50", ALICE, USERS[ALICE], 587)
        print("denied", denied())

        # -- logs are rotated: a new file, and what comes into it counts
        for name in ("mail.log", "auth.log"):
            os.rename(f"/var/log/{name}", f"/var/log/{name}.1")
        Path("/var/log/mail.log").touch(0o640)
        shutil.chown("/var/log/mail.log", "root", "adm")
        os.kill(int(Path("/run/rsyslogd.lab.pid").read_text()), 1)
        fresh_gang(130)
        until(lambda: any(t.startswith("198.51.100.13") for t in denied()), what="after the rotation")

        # -- somebody reloads ufw, or flushes everything: restored within seconds
        ns("srv", "ufw reload")
        assert silent(GANG[0])
        ns("srv", "nft flush ruleset")
        until(lambda: NETWORK in denied(), seconds=30, what="restored after nft flush ruleset, before the look of each minute")
        assert silent(GANG[0])
        assert "repair" in guard.said("serve")
        ns("srv", "ufw --force enable")  # the flush took its chains away, which are not ours to mend

        # -- both are killed: the kernel goes on; started again, they go on
        guard.kill("run", "serve")
        assert silent(GANG[0], port=143)
        fresh_gang(140)
        guard.start("serve", "run")
        until(lambda: any(t.startswith("198.51.100.14") for t in denied()), what="what came while they were dead")
        all_said()
        before = len(told("list")["denied"])
        guard.kill("run")
        guard.start("run")
        time.sleep(2)
        assert len(told("list")["denied"]) == before, "nobody is denied twice"

        # -- an admin lets somebody in: it stays so, also over a restart
        monzen("release", NETWORK)
        assert NETWORK not in denied()
        guard.stop("run")
        guard.start("run")
        time.sleep(2)
        assert NETWORK not in denied(), "lifted means lifted"
        released = [t for t in denied() if t.startswith("203.0.113.")]
        assert not released, released

        # -- a full disk: it goes on
        with full("/var/lib/monzen"), full("/var/lib/monzen-run"):
            fresh_gang(150)
            time.sleep(3)
            assert not guard.ended("run")
            assert not guard.ended("serve")
        until(lambda: any(t.startswith("198.51.100.15") for t in denied()), what="after the disk was full")

        # -- the network notices nothing of all that
        customers.stopped.set()
        customers.join(20)
        assert not customers.failed, customers.failed
        assert customers.good > 20
        admin.settimeout(5)
        assert admin.recv(64).startswith(b"SSH-2.0"), "the admin's connection is still open"
        assert probe("admin", 22) == "open"
        assert monzen("status", status=0).startswith(("Armed", "monzen"))
        print(monzen("status"))


@contextlib.contextmanager
def full(folder):
    """The file system of a folder has no room left: it is moved onto one of its own, which is filled."""
    store = Path(folder + ".store")
    store.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(store)])
    run(f"cp -a {folder}/. {store}/ && mount --bind {store} {folder}")
    run(f"dd if=/dev/zero of={store}/filler bs=64k", check=False)
    try:
        yield
    finally:
        run(f"rm -f {store}/filler")


@live(needs=("nft", "ss"), seconds=90)
def test_watch_only_denies_nobody_and_armed_denies_what_still_lasts():
    from bench.guard import LOG, empty_log, synthetic

    empty_log()
    with Guard('files = ["/var/log/mail.log"]\njournal = false', mode="watch").start() as guard:
        with LOG.open("ab") as file:
            for number in range(5):
                synthetic(file, f"203.0.113.{number + 7}", 100 + number)
        until(lambda: told("status")["would_deny"] >= 3, what="seen")
        assert denied() == []
        from monzen.mode import Mode, write_mode

        write_mode(Mode("armed", None, time.time(), "lab"))
        until(lambda: NETWORK in denied(), what="armed: what lasts is denied")
        assert guard.said("serve").count("would-drop") >= 3
        all_said()
        before = guard.said("serve").count("would-drop")
        guard.kill("run")
        guard.start("run")
        time.sleep(1)
        assert guard.said("serve").count("would-drop") == before
        assert guard.said("serve").count(f"drop net={NETWORK}") == 2, "once watched, once denied"


@live(needs=("nft", "ss"), seconds=150)
def test_the_clock_jumps_ahead_and_back():
    import glob

    import pytest

    from bench.guard import LOG, NAMES, empty_log, stamp

    library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not library:
        pytest.skip("not installed: libfaketime (scripts/apt-test.txt)")
    clock = Path("/run/clock")
    clock.write_text("+0\n")
    clock.chmod(0o644)
    fake = {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}

    def guess(source, ahead):
        with LOG.open("a") as file:
            for name in NAMES:
                text = f"SASL LOGIN authentication failed: x, sasl_username={name}{source[-2:]}"
                file.write(f"{stamp(time.time() + ahead)} mail postfix/smtpd[7]: warning: unknown[{source}]: {text}\n")

    empty_log()
    month = 30 * 86400
    with Guard('files = ["/var/log/mail.log"]\njournal = false', environment=fake).start() as guard:
        guess("203.0.113.7", 0)
        until(lambda: "203.0.113.7" in denied(), what="before")
        clock.write_text("+30d\n")
        time.sleep(1)
        guess("203.0.114.8", month)
        until(lambda: "203.0.114.8" in denied(), what="while it is ahead")
        clock.write_text("+0\n")
        until(lambda: "the clock went back" in guard.said("run"), what="it is known that the clock went back")
        guess("203.0.115.9", 0)
        until(lambda: "203.0.115.9" in denied(), what="when it is right again")
        guard.stop("serve")
        guard.start("serve")  # looks at once at what would be looked at within a minute
        rows = told("list")["denied"]
        latest = max(row["until"] for row in rows)
        assert latest < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3 * 86400)), rows
        assert "203.0.115.9" in {row["target"] for row in rows}
        assert not guard.ended("run")
