"""What goes wrong around a guard, and whether `status`, `check` and `init` say so and mend it."""

import os
import time
from pathlib import Path

from tests.lab import live
from tests.lab.guard import Guard
from tests.lab.net import ns, probe, run, until
from tests.lab.server import listen, monzen, told

MAIL, AUTH = Path("/var/log/mail.log"), Path("/var/log/auth.log")
MODE = Path("/var/lib/monzen/mode")
STATE = Path("/var/lib/monzen-run")
SOURCES = f'files = ["{MAIL}", "{AUTH}"]\njournal = false'
LINE = "mail postfix/smtpd[7]: connect from unknown[203.0.113.7]\n"


def logs(*paths):
    for path in paths or (MAIL, AUTH):
        path.write_text(time.strftime("%Y-%m-%dT%H:%M:%S+00:00 ", time.gmtime()) + LINE)  # an older stamp would be another zone's
        run(["chown", "root:adm", str(path)])
        path.chmod(0o640)


def faults():
    return [f["says"] for f in told("check", status=1)["findings"] if f["state"] == "fault"]


@live(needs=("nft", "setpriv", "useradd"), seconds=240)
def test_what_a_guard_lacks_is_said():
    logs()
    with Guard(SOURCES) as guard:
        guard.start()
        until(lambda: told("status", status=None)["run"]["lines"] == 2, what="both are read, and status says so soon")
        assert told("status")["problems"] == []
        assert next(f["state"] for f in told("check", status=None)["findings"] if f["about"] == "guard") == "good"
        # ---- a log that was there is gone
        MAIL.rename("/var/log/mail.log.1")
        until(lambda: any(str(MAIL) in said for said in told("status", status=None)["problems"]), 100, what="its absence is said")
        assert any(str(MAIL) in said for said in faults())
        logs(MAIL)
        until(lambda: not any(str(MAIL) in said for said in told("status", status=None)["problems"]), what="it is back")
        problems = told("status", status=None)["problems"]
        assert problems == [], problems
        # ---- a log that the reader may not read, though root may
        if guard.user != "root":
            AUTH.chmod(0o600)
            assert any(f"{AUTH}: the user monzen" in said for said in faults())
            AUTH.chmod(0o640)
        # ---- nobody at work
        guard.stop("run")
        assert any("does not read the logs" in said for said in faults())
        guard.stop("serve")
        assert any("the gate does not" in said for said in faults())


@live(needs=("nft", "setpriv", "useradd"), seconds=150)
def test_root_by_hand_does_not_take_the_state_from_its_user():
    logs()
    with Guard(SOURCES) as guard:
        guard.start()
        guard.stop()
        if guard.user == "root":
            return
        monzen("run", "--once")
        owners = {path.owner() for path in STATE.iterdir()}
        assert owners == {"monzen"}, "root became the user whose folder it is"
        run(["rm", "-r", str(STATE)])
        monzen("run", "--once")
        assert {path.owner() for path in (STATE, *STATE.iterdir())} == {"monzen"}
        # ---- as an older version left it
        for path in STATE.iterdir():
            os.chown(path, 0, 0)
        Path("/var/lib/secret").write_text("root's own")
        os.link("/var/lib/secret", STATE / "trap")
        os.symlink("/etc/hosts", STATE / "link")
        said = monzen("run", status=2)
        assert "Permission denied. If it should be this user's: sudo monzen init" in said
        assert any("could not write there" in said for said in faults())
        monzen("init", "--yes", status=None)
        assert {path.owner() for path in STATE.iterdir() if path.name not in ("trap", "link")} == {"monzen"}
        assert (Path("/var/lib/secret").owner(), Path("/etc/hosts").owner()) == ("root", "root")
        guard.start("serve", "run")


@live(needs=("nft", "ss"), seconds=120)
def test_a_mode_that_cannot_be_read_leaves_open_what_was_opened():
    listen(25)
    monzen("deny", "203.0.113.0/24")
    monzen("panic")
    assert probe("atk", 25, "203.0.113.7") == "open"
    MODE.write_text("garbage")
    assert "says no mode: taken as panic" in monzen("status", status=1)
    monzen("gate", "apply")
    assert probe("atk", 25, "203.0.113.7") == "open"
    said = monzen("init", "--yes", status=None)
    assert "what is found is denied" not in said
    assert "THE GATE IS OPEN" in said
    monzen("arm", "--yes")
    assert probe("atk", 25, "203.0.113.7") == "silence"
    MODE.write_text("garbage")
    monzen("gate", "apply")
    assert probe("atk", 25, "203.0.113.7") == "silence", "nobody had opened"
    assert ns("srv", "true").returncode == 0
