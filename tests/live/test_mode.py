"""`monzen arm`, `pause`, `panic`: the gate is open when somebody says so, stays open, and closes again as it was."""

import contextlib
import fcntl
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from monzen.ledger import Ledger, Order
from monzen.mode import PATH, read_mode, write_mode
from tests.lab import live
from tests.lab.net import inside, ns, probe, probes, run, until
from tests.lab.server import listen, monzen, numbers, ruleset, told

NEEDS = ("nft", "ss")
WITH_UFW = (*NEEDS, "ufw", "iptables")
LEDGER = Path("/var/lib/monzen/ledger.db")
CALLS = [("atk", 25, "203.0.113.7"), ("atk", 25, "198.51.100.200"), ("atk", 25, "2001:db8:bad::7"), ("good", 25)]
DENIED, OPEN = ["silence", "silence", "silence", "open"], ["open"] * 4


def gang():
    """A door, ufw that lets mail in, and three denials: in the kernel, and in ufw's rules."""
    listen(25)
    ns("srv", "ufw allow 25/tcp; ufw allow 22/tcp; ufw --force enable")
    monzen("deny", "203.0.113.0/24", "198.51.100.200", "2001:db8:bad::/48")
    assert probes(CALLS) == DENIED


def ours():
    """Whatever of monzen's stands in srv's firewall."""
    rules = ns("srv", "ufw show added; iptables -S ufw-user-input; ip6tables -S ufw6-user-input").stdout
    return [line for line in [*ruleset().splitlines(), *rules.splitlines()] if "inet monzen" in line or "203.0.113" in line or "bad::" in line]


def watch(*orders):
    """What the guard writes down in watch-only mode."""
    with Ledger.open(str(LEDGER)) as ledger:
        return ledger.watched(orders, time.time(), "monzen run")


def over():
    """The pause is over now: however long this machine took for what was looked at while it lasted."""
    mode = read_mode()
    assert mode.name == "paused"
    write_mode(mode._replace(until=time.time()))


@live(needs=WITH_UFW)
def test_a_pause_opens_and_the_next_apply_closes():
    gang()
    said = monzen("pause", "--for", "1h")
    assert "THE GATE IS OPEN until" in said
    assert "The guard does not run" in said
    assert probes(CALLS) == OPEN
    assert ours() == []
    done = told("gate", "apply")
    assert (done["open"], done["denied"], done["restored"]) == (True, 3, False)
    facts = told("gate", "status")
    assert (facts["mode"], facts["as_it_should_be"], facts["denied"], facts["missing"]) == ("paused", True, 3, [])
    assert "THE GATE IS OPEN until" in monzen("list")
    # what is changed meanwhile is written down, and opens nothing nor closes anything
    assert "THE GATE IS OPEN" in monzen("deny", "192.0.2.99")
    assert "THE GATE IS OPEN" in monzen("release", "198.51.100.200")
    assert ours() == []
    over()
    assert read_mode().at(time.time()).name == "watch"
    done = told("gate", "apply")
    assert (done["closed"], done["open"], done["missing"]) == (True, False, 3)
    assert probes(CALLS) == ["silence", "open", "silence", "open"]
    facts = told("gate", "status")
    assert len(facts["changes"]) == 2, "opened, and closed again"
    assert facts["alarms"] == [], "nobody else took the table away, and what people do is no alarm"
    assert told("gate", "apply")["closed"] is False
    assert set(numbers().values()) == {"203.0.113.0/24", "2001:db8:bad::/48", "192.0.2.99"}


@live(needs=WITH_UFW)
def test_any_command_after_the_pause_closes_too():
    gang()
    monzen("pause", "--for", "1s")
    time.sleep(1.1)
    monzen("deny", "192.0.2.99")
    assert probes(CALLS) == DENIED
    assert len(ours()) > 3


@live(needs=WITH_UFW)
def test_arm_ends_a_pause_and_a_panic():
    gang()
    for command in ("pause", "panic"):
        monzen(command)
        assert probes(CALLS) == OPEN
        assert ours() == []
        assert "nobody can be asked" in monzen("arm", status=2)
        assert told("arm", "--dry-run")["closes"] == 3
        assert probes(CALLS[:1]) == ["open"]
        answer = told("arm", "--yes")
        assert (answer["before"], answer["restored"]) == ("paused" if command == "pause" else "panic", 3)
        assert probes(CALLS) == DENIED
        assert read_mode().name == "armed"
    assert "gate" not in [a["kind"] for a in told("gate", "status")["alarms"]], "nobody else took the table away"
    monzen("pause", "--for", "1s")
    time.sleep(1.1)
    assert told("gate", "status", status=1)["mode"] == "armed", "what held before the pause holds after it"
    monzen("panic")
    assert told("pause", status=1)["mode"] == "panic"
    monzen("arm", "--off", "--yes")
    assert read_mode().name == "watch"
    assert probes(CALLS) == DENIED, "what was denied is denied until its time is over"


@live(needs=WITH_UFW)
def test_panic_with_a_damaged_ledger_and_configuration():
    gang()
    for path in LEDGER.parent.glob("ledger.db*"):
        path.write_bytes(b"\xff" * 40_000)
    Path("/etc/monzen").mkdir(exist_ok=True)
    Path("/etc/monzen/monzen.toml").write_text("[gate\nfirewall = 7\n")
    monzen("list", status=2)
    answer = told("panic")
    assert (answer["open"], answer["kept"], answer["failed"]) == (True, True, [])
    assert probes(CALLS) == OPEN
    assert ours() == []
    monzen("gate", "apply", "--rescue", status=2)  # the configuration
    Path("/etc/monzen/monzen.toml").unlink()
    monzen("gate", "apply", "--rescue")
    assert ours() == []


@live(needs=WITH_UFW)
def test_a_pause_with_a_damaged_ledger_opens_too():
    gang()
    for path in LEDGER.parent.glob("ledger.db*"):
        path.write_bytes(b"\xff" * 40_000)
    answer = told("pause")
    assert answer["open"] is True
    assert probes(CALLS) == OPEN
    assert ours() == []


PATIENT = "import sys, monzen.verbs.mode as m; m.PATIENCE = 600.0; from monzen.cli import main; sys.exit(main(['panic']))"


@contextlib.contextmanager
def busy():
    """Somebody holds both locks, monzen's and ufw's."""
    held = [os.open(path, os.O_RDWR | os.O_CREAT) for path in ("/run/monzen/lock", "/run/ufw.lock")]
    try:
        fcntl.flock(held[0], fcntl.LOCK_EX)
        fcntl.lockf(held[1], fcntl.LOCK_EX)
        yield
    finally:
        for file in held:
            os.close(file)


@live(needs=WITH_UFW)
def test_panic_waits_for_no_lock():
    gang()
    with busy():
        with inside("srv"):
            process = subprocess.Popen([sys.executable, "-c", PATIENT])  # one that would wait ten minutes
        until(lambda: "inet monzen" not in ns("srv", "nft list tables").stdout, what="the table is gone")
        assert process.poll() is None, "the kernel opens before anything is waited for"
    assert process.wait(60) == 0
    monzen("arm", "--yes")
    assert probes(CALLS) == DENIED
    with busy():
        monzen("panic")  # it waits for nobody for long
    assert ours() == []
    assert probes(CALLS) == OPEN


@live(needs=WITH_UFW)
def test_panic_on_a_full_disk():
    gang()
    run("mkdir -p /run/small && mount -t tmpfs -o size=300k tmpfs /run/small && cp -a /var/lib/monzen/. /run/small/")
    run("mount --bind /run/small /var/lib/monzen")
    run("dd if=/dev/zero of=/var/lib/monzen/filler bs=1k", check=False)
    assert "cannot write the mode" in monzen("pause", status=2)
    assert probes(CALLS[:1]) == ["silence"], "nothing was changed"
    said = monzen("panic", status=2)
    assert "THE GATE IS OPEN" in said
    assert "pkill -f 'monzen gate serve'" in said, "there is no systemd here"
    assert probes(CALLS) == OPEN
    assert ours() == []
    assert not [p for p in Path("/var/lib/monzen").iterdir() if p.name.startswith("mode.")], "nothing half written is left"
    # with a mode that is there already its own block is written over
    run("rm /var/lib/monzen/filler")
    monzen("arm", "--yes")
    assert probes(CALLS) == DENIED
    run("dd if=/dev/zero of=/var/lib/monzen/filler bs=1k", check=False)
    answer = told("panic")
    assert (answer["open"], answer["kept"]) == (True, True)
    assert read_mode().name == "panic"
    assert probes(CALLS) == OPEN
    run("rm /var/lib/monzen/filler")
    assert told("gate", "apply")["open"] is True


@live(needs=WITH_UFW)
def test_panic_where_ufw_s_file_is_broken():
    gang()
    rules = Path("/etc/ufw/user.rules")
    rules.write_text("something else\n")
    answer = told("panic")
    assert answer["open"] is True, "the kernel has none of ours"
    assert "user.rules" in " ".join(answer["failed"])
    assert probes(CALLS) == OPEN
    assert "ACCEPT" in ns("srv", "iptables -S ufw-user-input").stdout, "what the user allowed stays allowed"


LATE = """
import sys, time
from monzen.gate.nftables import Nftables
from monzen.keeper import Keeper
from monzen.config import Config
from monzen.ledger import Order
real = Nftables.load
def load(self, *a):
    print("loading", flush=True)
    sys.stdin.readline()
    return real(self, *a)
Nftables.load = load
with Keeper(Config()) as keeper:
    keeper.deny([Order(bytes([203, 0, 113, 0]), 24)])
"""


@live(needs=NEEDS)
def test_who_read_the_mode_before_the_panic_opens_again():
    listen(25)
    with inside("srv"):
        late = subprocess.Popen([sys.executable, "-c", LATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert late.stdout.readline() == "loading\n"
    told("panic")
    late.stdin.write("\n")
    late.stdin.close()
    assert late.wait(60) == 0
    assert "inet monzen" not in ruleset()
    assert probe("atk", 25, "203.0.113.7") == "open"
    assert set(numbers().values()) == {"203.0.113.0/24"}, "it is written down"


@live(needs=(*WITH_UFW,))
def test_ufw_alone_opens_and_closes():
    listen(25)
    ns("srv", "ufw allow 25/tcp; ufw --force enable")
    run("mkdir -p /etc/monzen; printf '[gate]\\nfirewall = \"ufw\"\\n' > /etc/monzen/monzen.toml")
    monzen("deny", "203.0.113.0/24")
    for command in ("pause", "panic"):
        assert probe("atk", 25, "203.0.113.7") == "silence"
        monzen(command)
        assert probe("atk", 25, "203.0.113.7") == "open"
        assert told("gate", "apply")["mirrored"] == 0
        assert told("gate", "status")["as_it_should_be"] is True
        monzen("arm", "--yes")
    assert probe("atk", 25, "203.0.113.7") == "silence"


@live(needs=NEEDS)
def test_what_watch_only_would_have_denied():
    listen(25)
    monzen("deny", "198.51.100.200")
    later, soon = time.time() + 3600, time.time() + 3
    net, six = bytes([203, 0, 113, 0]), bytes.fromhex("20010db80bad") + bytes(10)
    watch(
        Order(net, 24, until=later, sentence=3600.0, rule="crowd", origin="run", clients=5, attempts=40, evidence=(b"a line",)),
        Order(six, 48, until=later, rule="names", origin="run", attempts=9),
        Order(bytes([198, 51, 100, 200]), 32, until=later, rule="names", origin="run"),
        Order(bytes([192, 0, 2, 9]), 32, until=soon, rule="names", origin="run"),
    )
    time.sleep(max(0.0, soon - time.time()) + 0.1)
    assert probe("atk", 25, "203.0.113.7") == "open"
    watched = told("list", "--watched")
    assert [row["target"] for row in watched["watched"]] == ["2001:db8:bad::/48", "203.0.113.0/24"]
    assert watched["watched"][1]["ending"] == "watch"
    assert "monzen arm" in monzen("list", "--watched")
    assert monzen("list", "--ended") == "No denial has ended yet.\n", "whom nobody denied has not ended"
    assert set(numbers().values()) == {"198.51.100.200"}
    said = monzen("why", "203.0.113.7", "--names")
    assert "203.0.113.0/24 WOULD HAVE BEEN DENIED" in said
    assert "a line" in said
    assert "IS DENIED" not in said
    offered = told("arm", "--dry-run")
    assert [row["target"] for row in offered["would_deny"]] == ["2001:db8:bad::/48", "203.0.113.0/24"]
    assert read_mode().name == "watch"
    assert "203.0.113.0/24" in monzen("arm", "--yes")
    assert read_mode().name == "armed"
    assert probe("atk", 25, "203.0.113.7") == "open", "arming imposes nothing by itself"
    monzen("release", "203.0.113.0/24", status=1)
    monzen("deny", "2001:db8:ba0::/44")
    assert told("list", "--watched")["watched"] == []
    assert "Nobody would be denied." in monzen("list", "--watched")


@live(needs=(*NEEDS, "sshd", "ssh-keygen"))
def test_arm_says_whether_the_admin_stays_in():
    from tests.lab.net import connect, spawn

    monzen("deny", "198.51.100.200")
    session = {"SSH_CONNECTION": "203.0.113.7 40000 198.51.100.10 22"}
    watch(Order(bytes([203, 0, 113, 0]), 24, until=time.time() + 3600, rule="crowd", origin="run"))
    said = monzen("arm", "--dry-run", **session)
    assert "Your own address 203.0.113.7 is in 203.0.113.0/24" in said
    assert "do: monzen allow 203.0.113.7" in said
    assert "No sshd was found listening" in said
    monzen("allow", "203.0.113.7", **session)
    assert "which is allowed" in monzen("arm", "--dry-run", **session)
    run("mkdir -p /run/sshd && ssh-keygen -q -N '' -t ed25519 -f /etc/ssh/lab_key")
    spawn("srv", ["/usr/sbin/sshd", "-D", "-p", "22", "-h", "/etc/ssh/lab_key", "-o", "UsePAM=no"])
    until(lambda: probe("admin", 22) == "open", what="sshd")
    kept = connect("admin", 22).socket
    until(lambda: kept.recv(64).startswith(b"SSH-2.0"), what="greeting")
    said = monzen("arm", "--dry-run", SSH_CONNECTION="192.0.2.50 40000 198.51.100.10 22")
    assert "You come from 192.0.2.50: it is not denied as long as you are logged in" in said
    assert "1 other address is logged in over SSH" in said
    assert "No sshd" not in said


@live(needs=NEEDS)
def test_arm_asks():
    monzen("deny", "198.51.100.200")
    for answer, mode, status in (("n\n", "watch", 1), ("\x04", "watch", 1), ("y\n", "armed", 0)):
        main, side = pty.openpty()
        with inside("srv"):
            process = subprocess.Popen([sys.executable, "-m", "monzen", "arm"], stdin=side, stdout=subprocess.PIPE, text=True)
        os.write(main, answer.encode())
        assert process.wait(60) == status
        assert read_mode().name == mode
        process.stdout.close()
        os.close(main)
        os.close(side)
    assert json.loads(Path("/", PATH).read_text())["mode"] == "armed"


@live(needs=NEEDS)
def test_who_is_not_root_changes_nothing():
    for command in ("arm", "pause", "panic"):
        done = ns("srv", ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "monzen", command], check=False)
        assert done.returncode == 2
        assert "Run as root" in done.stdout
    assert not Path("/", PATH).exists()


@live(needs=NEEDS)
def test_the_guard_closes_a_pause_by_itself():
    from tests.lab.net import spawn

    listen(25)
    monzen("deny", "203.0.113.0/24")
    serve = spawn("srv", [sys.executable, "-m", "monzen", "gate", "serve"], stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists("/run/monzen/gate.sock"), what="the socket")
    said = monzen("pause", "--for", "1h")
    assert "It closes by itself then" in said
    assert probe("atk", 25, "203.0.113.7") == "open"
    over()
    until(lambda: probe("atk", 25, "203.0.113.7", timeout=0.5) == "silence", what="closed again")
    monzen("panic")
    time.sleep(2.5)  # the guard looks at the mode each second
    assert probe("atk", 25, "203.0.113.7") == "open"
    serve.terminate()
    assert serve.wait(60) == 0


@live(needs=WITH_UFW)
def test_another_gate_chosen_while_it_is_open_leaves_nothing_behind():
    gang()
    ns("srv", "nft delete table inet monzen; nft add table inet monzen")
    assert told("gate", "apply")["restored"] is True, "also what is nothing but a name"
    monzen("panic")
    ns("srv", "nft add table inet monzen")  # what is left of it, by whomever
    told("gate", "apply")
    assert ours() == []
    ns("srv", "nft add table inet monzen")
    run("mkdir -p /etc/monzen; printf '[gate]\\nfirewall = \"ufw\"\\n' > /etc/monzen/monzen.toml")
    told("gate", "apply")
    assert ours() == []
    assert probes(CALLS) == OPEN


@live(needs=NEEDS)
def test_what_people_did_is_a_history_in_the_language_of_who_reads():
    listen(25)
    monzen("deny", "203.0.113.0/24")
    with Ledger.open(str(LEDGER)) as ledger:
        ledger.alarm("ledger", "the ledger was lost: 3 denials were read back from the kernel", time.time())
    japanese = {"LANGUAGE": "", "LC_ALL": "ja_JP.UTF-8"}
    for _time in range(4):
        monzen("panic", **japanese)
        monzen("arm", "--yes", **japanese)
    for verb in (("status",), ("gate", "status")):
        said = monzen(*verb, status=1 if verb == ("status",) else 0)
        alarms, _heading, changes = said.partition("Last changes")
        assert "the gate was armed by" in changes
        assert "the gate was opened in a panic, by" in changes
        assert "the gate was" not in alarms
        assert "the ledger was lost: 3 denials" in alarms, "not pushed out"
        assert "Z  " not in said
        said = monzen(*verb, status=1 if verb == ("status",) else 0, **japanese)
        assert "the gate" not in said
        facts = told(*verb, status=1 if verb == ("status",) else 0)
        assert any(c["text"].startswith("the gate was armed by ") for c in facts["changes"])
        assert [a["kind"] for a in facts["alarms"]] == ["ledger"]


@live(needs=NEEDS)
def test_what_is_for_good_has_no_time_that_ends():
    listen(25)
    monzen("panic")
    assert "THE GATE IS OPEN" in monzen("list"), "also where the list is empty"
    monzen("arm", "--yes")
    monzen("deny", "203.0.113.0/24", "198.51.100.200")
    monzen("deny", "2001:db8:bad::/48", "--for", "1h")
    said = monzen("arm", "--off", "--yes")
    assert "1 target is denied still, until its time is over" in said
    assert "2 targets are denied for good" in said
