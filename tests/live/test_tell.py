"""Who is told, by the real things: Postfix delivers, a hook says who it is, a server takes the POST; and each of them broken."""

import contextlib
import email
import email.policy
import json
import os
import re
import sqlite3
import sys
import time
from pathlib import Path

from monzen.ledger import Ledger
from tests.lab import live, maild
from tests.lab.net import inside, ns, run, spawn, until
from tests.lab.server import monzen, told

NEEDS = (*maild.NEEDS, "useradd", "setpriv")
CONFIG = Path("/etc/monzen/monzen.toml")
OUT = Path("/run/out")
HOOK = Path("/etc/monzen/hook")
LEDGER = "/var/lib/monzen/ledger.db"
NEW = Path("/var/mail/vhosts/example.net/alice/new")
MAIL = 'mail = "alice@example.net"\n'
SAYS = r"""#!/bin/sh
file=/run/out/hook.$$
{ id; echo "argv=$*"; echo "n=$#"; env; pwd; umask; ulimit -c; ls /proc/$$/fd; } >$file.who
cat >$file.json
"""
HOSTILE = "192.0.2.9 guessed, then logged in as eve\r\nBcc: victim@example.org\r\n\r\n.\r\nQUIT \x1b[2J\u202e日本: $(id) `id` %s {0} From here"
SERVER = """
import http.server, json, pathlib, sys
out = pathlib.Path("/run/out")
class Takes(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        status = int((out / "status").read_text()) if (out / "status").exists() else 204
        with (out / "posts").open("a") as file:
            file.write(json.dumps([self.path, self.headers["Content-Type"], status, json.loads(data)]) + "\\n")
        if status == 1:
            import time
            time.sleep(60)
        self.send_response(status)
        if status in (301, 302, 307, 308):
            self.send_header("Location", (out / "to").read_text())
        self.end_headers()
    do_GET = do_POST
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Takes).serve_forever()
"""


def prepare(tell):
    """A mail server, a ledger, whom to tell, and what takes it."""
    maild.start()
    configure(tell)
    OUT.mkdir()
    OUT.chmod(0o777)
    Ledger.open(LEDGER).close()


def configure(tell):
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(f"[tell]\n{tell}")


def hook(text=SAYS):
    HOOK.parent.mkdir(exist_ok=True)
    HOOK.write_text(text)
    HOOK.chmod(0o755)
    return f'hook = ["{HOOK}", "always"]\n'


def server():
    spawn("srv", [sys.executable, "-c", SERVER])
    until(lambda: "8080" in ns("srv", "ss -Hltn").stdout, what="the server that takes the POST")
    return 'post = "http://127.0.0.1:8080/alarms?key=secret"\n'


def alarm(kind="breach", text=HOSTILE, at=None):
    with Ledger.open(LEDGER) as ledger:
        return ledger.alarm(kind, text, time.time() if at is None else at)


def untold():
    with Ledger.open(LEDGER, readonly=True) as ledger:
        return [a.text for a in ledger.alarms(untold=True)]


def mails(count, seconds=60):
    """So many mails in the mailbox, the oldest first, and no more."""
    until(lambda: len(list(NEW.iterdir()) if NEW.exists() else []) >= count, seconds, f"{count} mails: {run('tail -20 /var/log/mail.log', check=False).stdout}")
    found = sorted(NEW.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(found) == count
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in found]


def settled():
    """Nothing is on the way to a mailbox any more."""
    ns("srv", "postqueue -f", check=False)
    until(lambda: "empty" in ns("srv", "mailq", check=False).stdout and not list(Path("/var/spool/postfix/maildrop").iterdir()), what="an empty queue")


@live(needs=NEEDS, seconds=240)
def test_mail_hook_and_post_say_the_same():
    prepare(MAIL + 'language = "ja"\n' + hook() + server())
    assert monzen("tell") == "", "nothing happened"
    number = alarm()
    alarm("device", "an old password on a device", None)
    assert monzen("tell").count("で知らせました") == 3
    assert monzen("tell") == ""
    assert untold() == ["an old password on a device"], "nothing about it is urgent: it waits for the digest"
    # ---- the mail
    (mail,) = mails(1)
    assert re.search("パスワード|アカウント", mail["Subject"]), mail["Subject"]
    assert mail["Subject"].startswith("[monzen] mail.example.net: ")
    assert mail["To"] == "alice@example.net"
    assert mail["From"] == "monzen <root@mail.example.net>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@mail.example.net>")
    assert abs(mail["Date"].datetime.timestamp() - time.time()) < 60
    assert not mail["Bcc"]
    once = [name for name in mail if name not in ("Received", "Delivered-To", "Return-Path")]
    assert sorted(once) == sorted(set(once)), "no header twice"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    said = re.sub(r"\n    ", " ", mail.get_content())  # an alarm goes on further in: no line begins with what an attacker chose
    assert "eve\\r\\nBcc: victim@example.org\\r\\n\\r\\n.\\r\\nQUIT \\x1b[2J\\u202e日本: $(id) `id` %s {0} From here" in said
    assert "QUIT" in said
    assert "sudo monzen status" in said, "nothing was cut off"
    raw = next(NEW.iterdir()).read_bytes()
    assert max(map(len, raw.split(b"\n"))) < 998
    raw.partition(b"\n\n")[0].decode("ascii")
    # ---- the hook
    (who,) = OUT.glob("hook.*.who")
    shown = who.read_text()
    assert re.search(r"^uid=65534\(nobody\) gid=65534\(nogroup\) groups=65534\(nogroup\)$", shown, re.MULTILINE), shown
    assert "argv=always account\nn=2\n" in shown
    names = {line.partition("=")[0] for line in shown.splitlines() if re.match(r"[A-Z_]+=", line)}
    assert names <= {"PATH", "LANG", "PWD", "SHLVL", "OLDPWD", "_"}, shown
    assert "\n/\n0077\n0\n" in shown
    assert set(shown.rpartition("0077\n0\n")[2].split()) <= {"0", "1", "2", "10", "11"}, shown  # the last two are the shell's own
    values = json.loads(next(OUT.glob("hook.*.json")).read_text())
    assert values["kind"] == "account"
    assert values["alarms"][0]["number"] == number
    assert values["alarms"][0]["kind"] == "breach"
    assert "\r" not in values["alarms"][0]["text"]
    assert values["count"] == len(values["alarms"]) == 1
    # ---- the POST
    (row,) = map(json.loads, (OUT / "posts").read_text().splitlines())
    assert row == ["/alarms?key=secret", "application/json", 204, values]


@live(needs=NEEDS, seconds=240)
def test_a_storm_is_one_mail():
    prepare(MAIL)
    with Ledger.open(LEDGER) as ledger:
        for number in range(1000):
            ledger.alarm("outage", f"outage {number}", time.time())
    monzen("tell")
    for _round in range(5):
        alarm("silent-outage", "again")
        assert monzen("tell") == ""
    settled()
    (mail,) = mails(1)
    assert "and 980 more: monzen gate status" in mail.get_content()
    assert untold() == ["again"] * 5, "the next mail has them"
    alarm("breach", "another kind")
    monzen("tell")
    assert "an account was guessed" in mails(2)[1]["Subject"]


@live(needs=NEEDS, seconds=240)
def test_a_stopped_mail_server_gets_it_when_it_starts():
    prepare(MAIL)
    ns("srv", "postfix stop", check=False)
    alarm()
    monzen("tell")
    for _round in range(3):
        monzen("tell")
    assert untold() == [], "it is in the queue of the MTA"
    ns("srv", "postfix start", check=False)
    settled()
    mails(1)
    # ---- and one that takes nothing
    Path("/etc/refuses").write_text("#!/bin/sh\necho 'queue file write error' >&2\nexit 75\n")
    Path("/etc/refuses").chmod(0o755)
    real = os.path.realpath("/usr/sbin/sendmail")
    run(["mount", "--bind", "/etc/refuses", real])
    alarm("outage", "while it is down")
    done = monzen("tell", status=1)
    assert "exit status 75: queue file write error" in done
    assert untold() == ["while it is down"]
    assert monzen("tell") == "", "not at once again"
    status = monzen("status", status=1)
    assert "nobody is told by mail since" in status
    assert "exit status 75" in status
    run(["umount", real])
    memory = json.loads(Path("/run/monzen/tell.json").read_text())
    assert 0 < memory["ways"]["mail"]["next"] - time.time() < 60, "within a minute"
    memory["ways"]["mail"]["next"] = 0
    Path("/run/monzen/tell.json").write_text(json.dumps(memory))
    monzen("tell")
    settled()
    assert "while it is down" in mails(2)[1].get_content()
    assert untold() == []
    assert "nobody is told" not in monzen("status", status=1)


@live(needs=NEEDS, seconds=240)
def test_postfix_takes_it_without_new_privileges():
    """As the unit has it: NoNewPrivileges= makes postdrop's setgid bit void, and few capabilities are left."""
    prepare(MAIL)
    alarm()
    unit = (Path(__file__).parents[2] / "packaging/systemd/monzen-tell.service").read_text()
    kept = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)[1].lower().replace("cap_", "+").split()
    command = ["setpriv", "--bounding-set", ",".join(["-all", *kept]), "--inh-caps=-all"]
    command += ["--no-new-privs"] * ("NoNewPrivileges=yes" in unit)
    print(ns("srv", [*command, sys.executable, "-m", "monzen", "tell"]).stdout)
    settled()
    mails(1)


@live(needs=NEEDS, seconds=240)
def test_a_busy_ledger_tells_nobody_twice():
    prepare(MAIL)
    alarm()
    with contextlib.closing(sqlite3.connect(LEDGER, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "told by mail" in monzen("tell")
        assert untold(), "it could not be written down"
        other.execute("ROLLBACK")
    assert monzen("tell") == ""
    assert not untold()
    settled()
    mails(1)


@live(needs=NEEDS, seconds=240)
def test_hooks_that_harm():
    prepare(hook("#!/bin/sh\n(trap '' TERM HUP; exec sleep 77) &\nsleep 78\n"))
    started = time.monotonic()
    assert "not done after 10 seconds" in monzen("tell", "--test", status=1)
    assert time.monotonic() - started < 60, "not as long as the hook would take"
    assert "sleep 7" not in run("ps -eo args").stdout
    hook("#!/bin/sh\n(exec sleep 77) &\nexit 0\n")
    assert "told by hook: this is a test" in monzen("tell", "--test")
    assert "sleep 7" not in run("ps -eo args").stdout, "nothing stays behind"
    away = "for n in 1 2 3; do setsid setsid -f sleep 77 & (setsid sh -c 'trap \"\" TERM HUP; sleep 78; sleep 79' &) & done\n"
    for end in ("exit 0\n", "sleep 0.2; exit 0\n", "sleep 76\n"):  # at once, a moment later, in too long a time
        hook(f"#!/bin/sh\n{away}{end}")
        monzen("tell", "--test", status=1 if "76" in end else 0)
        assert "sleep 7" not in run("ps -eo args").stdout, f"nor in a session of its own: {end}"
    hook("#!/bin/sh\nyes >&2 | head -c 50000000 >&2\nexit 3\n")
    assert "exit status" in monzen("tell", "--test", status=1) or "signal" in monzen("tell", "--test", status=1)
    hook("#!/bin/sh\necho 'broken\033[2J' >&2; exit 3\n")
    said = monzen("tell", "--test", status=1)
    assert "exit status 3: broken\\x1b[2J" in said
    for spoil, mend in (
        (lambda: HOOK.chmod(0o775), lambda: HOOK.chmod(0o755)),
        (lambda: HOOK.parent.chmod(0o777), lambda: HOOK.parent.chmod(0o755)),
        (lambda: os.chown(HOOK, 65534, 0), lambda: os.chown(HOOK, 0, 0)),
    ):
        spoil()
        said = monzen("tell", "--test", status=2 if HOOK.parent.stat().st_mode & 0o002 else 1)
        assert "can be written by others than root" in said
        mend()
    (OUT / "other").write_text(SAYS)
    (OUT / "other").chmod(0o755)
    HOOK.unlink()
    HOOK.symlink_to(OUT / "other")
    assert "/run/out can be written by others than root" in monzen("tell", "--test", status=1)
    HOOK.unlink()
    assert "No such file" in monzen("tell", "--test", status=1)
    configure(f'hook = ["{HOOK}"]\nhook_user = "no-such-user"\n')
    hook()
    assert "there is no user no-such-user" in monzen("tell", "--test", status=1)
    findings = [f["says"] for f in told("check", status=1)["findings"] if f["about"] == "tell"]
    assert len(findings) == 1
    assert "there is no user no-such-user" in findings[0]
    run("useradd -o -u 0 -M toor")
    configure(f'hook = ["{HOOK}"]\nhook_user = "toor"\n')
    assert "has the rights of root" in monzen("tell", "--test", status=1)
    assert not list(OUT.glob("hook.*"))
    configure(hook())
    assert "Alarms are told by: hook." in ns("srv", [sys.executable, "-m", "monzen", "check"], check=False).stdout


@live(needs=NEEDS, seconds=240)
def test_servers_that_do_not_take_it():
    prepare(server())
    monzen("tell", "--test")
    (OUT / "status").write_text("500")
    assert "it answers 500" in monzen("tell", "--test", status=1)
    (OUT / "status").write_text("302")
    (OUT / "to").write_text("file:///etc/passwd")
    assert "it answers 302, which is another address" in monzen("tell", "--test", status=1)
    (OUT / "to").write_text("http://127.0.0.1:8080/elsewhere")
    said = monzen("tell", "--test", status=1)
    assert "http://127.0.0.1:8080 failed" in said
    assert "secret" not in said, "the path may be one"
    assert "elsewhere" not in (OUT / "posts").read_text(), "nobody is followed"
    (OUT / "status").write_text("1")
    started = time.monotonic()
    monzen("tell", "--test", status=1)
    assert time.monotonic() - started < 50, "not as long as the server would take"
    configure('post = "http://127.0.0.1:9/x"\n')
    assert "Connection refused" in monzen("tell", "--test", status=1)
    configure('post = "https://127.0.0.1:8080/x"\n')
    assert re.search(r"failed \(.*SSL", monzen("tell", "--test", status=1))
    # who connects is nobody
    code = "import os, socket; s = socket.create_server(('127.0.0.1', 8081)); c, _ = s.accept(); print(open('/proc/net/tcp').read()); c.close()"
    with inside("srv"):
        import subprocess

        seen = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    until(lambda: ":8081" in ns("srv", "ss -Hltn").stdout, what="port 8081")
    configure('post = "http://127.0.0.1:8081/x"\n')
    monzen("tell", "--test", status=1)
    rows = [line.split() for line in seen.communicate(timeout=60)[0].splitlines()[1:] if line.strip()]
    assert [row[7] for row in rows if row[2].endswith(f":{8081:04X}")] == ["65534"], rows


@live(needs=NEEDS, seconds=240)
def test_what_fails_is_tried_again_later_and_later():
    prepare(MAIL + server())
    (OUT / "status").write_text("503")
    alarm()
    waits, tried = [], time.time()
    monzen("tell", status=1)
    settled()
    mails(1)
    for _round in range(4):
        memory = json.loads(Path("/run/monzen/tell.json").read_text())
        way = memory["ways"]["post"]
        waits.append(way["next"] - tried)
        memory["ways"]["post"]["next"] = 0
        Path("/run/monzen/tell.json").write_text(json.dumps(memory))
        tried = time.time()
        monzen("tell", status=1)
    assert [wait // 50 for wait in waits] == [1, 2, 4, 8], waits  # of a machine that takes less than 50 s to say it
    assert untold(), "the POST is still to be done"
    (OUT / "status").unlink()
    memory = json.loads(Path("/run/monzen/tell.json").read_text())
    memory["ways"]["post"]["next"] = 0
    Path("/run/monzen/tell.json").write_text(json.dumps(memory))
    monzen("tell")
    assert not untold()
    settled()
    mails(1)


@live(needs=NEEDS, seconds=240)
def test_the_digest():
    from monzen.gate.target import Target
    from monzen.ledger import Order

    prepare(MAIL + 'language = "ja"\ndigest = "daily"\n')
    run("useradd --system --user-group --groups adm monzen", check=False)
    from tests.live.test_mail import guess_imap

    alice = "alice@example.net"
    assert not guess_imap("good", "192.0.2.50", alice, "mistyped")
    assert guess_imap("good", "192.0.2.50", alice, maild.USERS[alice])
    assert guess_imap("good", "2001:db8:600d::50", alice, maild.USERS[alice])
    logins = "grep -cE 'imap-login: (Login|Logged in):' /var/log/mail.log"  # Dovecot 2.3, 2.4
    until(lambda: run(logins, check=False).stdout.strip() == "2", what="both logins in the log")
    target = Target(bytes([203, 0, 113, 0]), 24)
    with Ledger.open(LEDGER) as ledger:
        now = time.time()
        ledger.impose([Order(*target[:2], until=now + 3600, sentence=3600, rule="crowd", origin="run", clients=3, attempts=40)], now)
    alarm("device", "an old password\r\nSubject: x")
    alarm("breach", "urgent: told by every way, whatever the digest says")
    shown = monzen("digest", "--print")
    assert "203.0.113.0/24" in shown
    assert re.search(r"ログイン2回（接続元2件）", shown), shown
    assert "an old password\\r\\nSubject: x" in shown
    values = told("digest")
    assert values["users"] | {"failed": []} == {"logins": 2, "clients": 2, "failing": 1, "failed": []}, values["users"]
    assert values["largest"][0]["target"] == "203.0.113.0/24"
    assert untold(), "shown to the one who typed, told to nobody"
    assert "alice@example.net" in monzen("digest", "--due")
    assert monzen("digest", "--due") == "", "the next one tomorrow"
    settled()
    (mail,) = mails(1)
    assert mail["Subject"].startswith("[monzen] mail.example.net: ")
    assert re.search("[ぁ-ん一-龠]", mail["Subject"])
    assert "203.0.113.0/24" in mail.get_body().get_content()
    (page,) = mail.iter_attachments()
    assert (page.get_content_type(), page.get_filename()) == ("text/html", "monzen.html")
    page = page.get_content()
    assert page.startswith("<!doctype html>")
    assert 'lang="ja"' in page
    assert "192.0.2.50" in page, "where alice logged in from"
    assert "alice@" not in page, "a mail is read by many"
    assert [text[:6] for text in untold()] == ["urgent"]
    monzen("digest", "--since", "7d")
    mails(2)
    assert "alice" in monzen("digest", "--dry-run")
    assert "alice@example.net" in monzen("report", "--mail", alice, "/var/log/mail.log")
    settled()
    page = mails(3)[-1]
    assert "<table" in next(page.iter_attachments()).get_content()
    assert "no mail address" in monzen("report", "--mail", "x\r\nBcc: y@example.org", "/var/log/mail.log", status=2)
