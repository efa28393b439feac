"""What the how-tos tell an admin to type, typed on a real mail server: monzen, and Postfix's own settings of docs/layers.md."""

import contextlib
import http.client
import json
import os
import re
import shlex
import smtplib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.documents import DOCS, READS, ROOT, blocks, commands
from tests.lab import live, maild
from tests.lab.net import SRV4, inside, ns, run, spawn, until
from tests.lab.server import monzen
from tests.live.test_tutorial import NEEDS, SESSION, attacked_server, started

# Run by `started`, waits for a new connection, or is a verb that is named and not typed; all of these have live tests of their own.
ELSEWHERE = {
    ("run",), ("import",), ("gate", "serve"), ("gate", "enable"), ("gate", "confirm"), ("gate", "disable"),
    ("deny",), ("release",), ("allow",), ("release", "N"),
}  # fmt: skip
STAYS = {("serve",): 8765, ("metrics", "--listen"): 9797}  # what goes on for ever, and where it listens


def typed_there():
    """Each command of any document once, what opens the gate last; what only reads logs is run by tests/test_docs.py."""
    found = {tuple(words): None for path in DOCS for words in commands(path)}
    wanted = [words for words in found if words not in ELSEWHERE and words not in STAYS and (not words or words[0] not in READS or "--apply" in words)]
    wanted = [words for words in wanted if words[:2] != ("gate", "enable") or "--dry-run" in words]
    return sorted(wanted, key=lambda words: words[:1] in (("panic",), ("pause",)))


def answered(words):
    """The same command with its question answered."""
    asks = words[:1] in (("arm",), ("init",), ("import",)) or "--apply" in words
    return [*words, *(["--yes"] if asks and not {"--yes", "--off", "--dry-run"} & set(words) else [])]


def answers(port):
    """Whether a page is there, if only for who has its token."""
    with inside("srv"):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            line.request("GET", "/")
            return line.getresponse().status < 500
        except OSError:
            return False
        finally:
            line.close()


def stays(words, port, folder):
    """What is wrong with a command that goes on until it is ended."""
    process = spawn("srv", [sys.executable, "-u", "-m", "monzen", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until(lambda: answers(port) or process.poll() is not None, what=f"monzen {' '.join(words)} answers")
        process.terminate()
        said = process.communicate(timeout=60)[0]
        return None if process.returncode == 0 and "Traceback" not in said else f"ended with {process.returncode}: {said[-600:]}"
    finally:
        process.kill()


def files_of_the_reader():
    """What the documents take for granted: lists of other programs, samples, folders. The folder in which somebody types."""
    folder = Path("/var/reader")
    folder.mkdir()
    (folder / "samples").symlink_to(ROOT / "samples")
    (folder / "drop.txt").write_text("198.51.100.201\n")
    Path("/etc/rspamd").mkdir(exist_ok=True)
    place = Path("/var/lib/crowdsec/data")
    place.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(place / "crowdsec.db")) as base, base:
        base.executescript((ROOT / "tests/imports/crowdsec.sql").read_text())
    return folder


def banned():
    """The database of a fail2ban that banned somebody (its 1.0: server/database.py)."""
    place = Path("/var/lib/fail2ban")
    place.mkdir(exist_ok=True)
    (place / "fail2ban.sqlite3").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(place / "fail2ban.sqlite3")) as base, base:
        base.execute("CREATE TABLE fail2banDb(version INTEGER)")
        base.execute("INSERT INTO fail2banDb VALUES (4)")
        base.execute(
            "CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL,"
            " bancount INTEGER NOT NULL default 1, data JSON, PRIMARY KEY(ip, jail))"
        )
        base.execute("INSERT INTO bips VALUES ('203.0.113.99', 'sshd', ?, 86400, 1, '{}')", (int(time.time()),))


@live(needs=NEEDS, seconds=400)
def test_every_command_of_the_documents_does_what_it_is_for():
    attacked_server()
    with Path("/etc/hosts").open("a") as hosts:
        hosts.write("192.0.2.77 home.example.net monitor.example.org office.example.org\n")
    banned()
    folder = files_of_the_reader()
    monzen("init", "--yes", **SESSION)
    guard = started()
    wrong = []
    try:
        assert len(typed_there()) > 50
        wrong += [f"monzen {' '.join(words)}: {said}" for words, port in STAYS.items() if (said := stays(words, port, folder))]
        for words in typed_there():
            given = "192.0.2.99\n" if "-" in words else ""
            command = [sys.executable, "-m", "monzen", *answered(words)]
            done = ns("srv", command, check=False, cwd=folder, input=given, env={**os.environ, **SESSION})
            if done.returncode not in (0, 1) or "Traceback" in done.stdout:  # 1: the answer is no, such as: nobody is told
                wrong.append(f"monzen {' '.join(words)} ended with {done.returncode}: {done.stdout[-600:]}")
    finally:
        guard.stop()
    assert not wrong, "\n".join(wrong)


CONTAINER = (
    "Nov 25 10:00:00 0123456789ab postfix/smtpd[123]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x",
    "Nov 25 10:00:05 0123456789ab dovecot: imap-login: Disconnected (auth failed, 2 attempts in 5 secs): user=<office>, method=PLAIN,"
    " rip=203.0.113.7, lip=172.22.1.250, TLS",
)


@live(needs=("rsyslogd", "logger"), net=False)
def test_lines_of_containers_come_through_rsyslog_as_the_how_tos_say():
    """Docker's syslog driver hands each line to /dev/log with its tag before it, as logger(1) does."""
    os.makedirs("/var/spool/rsyslog", exist_ok=True)
    for page, tags, log in (
        ("docker.md", ("mail-container",) * 2, "/var/log/mail-container.log"),
        ("mailcow.md", ("mailcow-postfix", "mailcow-dovecot"), "/var/log/mailcow.log"),
    ):
        lines = blocks((ROOT / "docs/howto" / page).read_text(encoding="utf-8"))
        at = next(i for i, line in enumerate(lines) if line.startswith("template("))
        rules = "\n".join(lines[at : lines.index("}", at) + 1])
        assert log in rules
        config = Path(f"/etc/rsyslog.{page}.conf")
        config.write_text(f'module(load="imuxsock" SysSock.Name="/dev/log" SysSock.Use="on")\n{rules}\n*.* /var/log/rest.log\n')
        rsyslog = subprocess.Popen(["rsyslogd", "-n", "-f", str(config), "-i", f"/run/{page}.pid"])
        until(lambda: os.path.exists("/dev/log"), what="rsyslog")
        for tag, line in zip(tags, CONTAINER, strict=True):
            run(["logger", "--socket-errors=on", "-t", tag, "--id=77", line])
        until(lambda log=log: os.path.exists(log) and len(Path(log).read_text().splitlines()) == 2, what=f"{log} has the lines")
        rsyslog.terminate()
        rsyslog.wait(60)
        Path("/dev/log").unlink(missing_ok=True)
        assert Path(log).read_text().splitlines() == list(CONTAINER)
        assert run(["stat", "-c", "%G %a", log]).stdout == "adm 640\n"
        said = json.loads(run([sys.executable, "-m", "monzen", "scan", "--json", log]).stdout)
        assert (said["attempts"], [a["client"] for a in said["attackers"]]) == (3, ["203.0.113.7"])


def offers_auth(port):
    """Whether Postfix offers AUTH to a stranger at this port, once the connection is encrypted; None where it ends while somebody asks.

    What stood there before a `postfix reload` may: who asks again is answered by the new one.
    """
    try:
        with inside("good"), smtplib.SMTP(SRV4, port, timeout=60) as client:
            client.starttls()
            client.ehlo()
            return client.has_extn("auth")
    except smtplib.SMTPServerDisconnected:
        return None


def offers(port):
    """Waits until AUTH is offered there."""
    until(lambda: offers_auth(port), what=f"AUTH at port {port}")


def offers_none(port, what):
    """Waits until it answers there, and offers none."""
    until(lambda: offers_auth(port) is False, what=what)


@live(needs=(*maild.NEEDS, "postconf"), seconds=240)
def test_what_the_layers_tell_to_do_to_postfix_does_it_and_can_be_undone():
    maild.start()
    text = (ROOT / "docs/layers.md").read_text(encoding="utf-8")
    steps = dict(re.findall(r"^### (\d)\. .*\n((?:(?!#).*\n)*)", text, re.MULTILINE))

    def type_them(lines):
        for line in lines:
            for command in line.removeprefix("sudo ").split("; "):
                ns("srv", shlex.split(command))

    def lines_of(part):
        return [line for line in blocks(part) if line.startswith(("sudo postconf", "sudo postfix"))]

    def undo_of(part):
        return re.findall(r"`(sudo post(?:conf|fix) [^`]*)`", part.partition("Undo: ")[2].partition(". ")[0])

    offers(25)
    before = ns("srv", "postconf -n; postconf -M; postconf -P").stdout
    type_them(lines_of(steps["1"]))
    offers_none(25, "no AUTH at port 25")
    offers(587)  # users still can
    first = ns("srv", "postconf -n; postconf -M; postconf -P").stdout
    type_them(lines_of(steps["2"]))
    assert ns("srv", "postconf -h smtpd_tls_auth_only").stdout == "yes\n"
    assert undo_of(steps["2"])
    type_them(undo_of(steps["2"]))
    assert re.search("(?:reject|defer)_unauth_destination", ns("srv", "postconf smtpd_relay_restrictions").stdout)
    there, _undo, back = steps["8"].partition("Undo, in this order:")
    type_them(lines_of(there))
    offers_none(25, "postscreen answers, without AUTH")
    until(lambda: "postfix/postscreen" in Path("/var/log/mail.log").read_text(), what="the log names it")
    offers(587)
    assert lines_of(back)
    type_them(lines_of(back))
    offers_none(25, "smtpd answers again, without AUTH")
    assert ns("srv", "postconf -n; postconf -M; postconf -P").stdout == first
    assert undo_of(steps["1"])
    type_them(undo_of(steps["1"]))
    offers(25)  # as it was
    assert ns("srv", "postconf -n; postconf -M; postconf -P").stdout == before
