"""Ledger, kernel and ufw stay one thing, whatever happens in between; and nobody who is needed stands behind a drop."""

import os
import re
import signal
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.lab import live
from tests.lab.net import ADMIN4, inside, ns, probe, probes, run, spawn, until
from tests.lab.server import listen, monzen, numbers, ruleset, told

NEEDS = ("nft", "ss")
WITH_UFW = (*NEEDS, "ufw", "iptables")

# One change, with kill -9 before its Nth step: each function that writes anything is a step.
KILLED = """
import os, signal, sys
from monzen import keeper, upkeep
from monzen.config import Config
from monzen.gate import files, netlink, ufw
from monzen.ledger import Ledger, Order, store
left = int(sys.argv[1])
def step(owner, name):
    real = getattr(owner, name)
    def inner(*a, **k):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*a, **k)
    setattr(owner, name, inner)
step(Ledger, "impose")
step(Ledger, "end")
step(Ledger, "release")
step(netlink.Netlink, "change")
step(ufw, "replace")
step(ufw.Ufw, "_restore")
step(upkeep, "end_connections")
with keeper.Keeper(Config()) as k:
    net = bytes([203, 0, 113, 0])
    if sys.argv[2] == "deny":
        k.deny([Order(net, 24), Order(bytes([203, 0, 113, 99]), 32, 25)])
    else:
        k.release([], [(net, 24)])
"""


@live(needs=WITH_UFW, seconds=240)
def test_killed_at_every_step_of_a_change_it_is_finished_or_never_was():
    ns("srv", "ufw allow 22/tcp; ufw --force enable")
    monzen("deny", "198.51.100.200", "2001:db8:bad::/48")
    for what in ("deny", "release"):
        for step in range(40):
            with inside("srv"):
                done = subprocess.run([sys.executable, "-c", KILLED, str(step), what], check=False)
            assert done.returncode in (0, -signal.SIGKILL)
            monzen("gate", "apply")
            facts = told("gate", "status")
            assert facts["as_it_should_be"], (what, step)
            listed = set(numbers().values())
            rules = ns("srv", "ufw status").stdout
            kernel = ns("srv", "iptables -S ufw-user-input; ip6tables -S ufw6-user-input").stdout
            for name in ("203.0.113.0/24", "198.51.100.200", "2001:db8:bad::/48"):
                assert (name in listed) == (name in rules) == (name in kernel), (what, step, name)
            assert told("gate", "apply")["mirrored"] == 0
            if done.returncode == 0:
                break
            if what == "deny":
                monzen("release", "203.0.113.0/24", status=0 if "203.0.113.0/24" in listed else 1)
            else:
                monzen("deny", "203.0.113.0/24")
        else:
            raise AssertionError("it never came to an end")
    assert set(numbers().values()) == {"198.51.100.200", "2001:db8:bad::/48"}


@live(needs=WITH_UFW)
def test_the_mirror_shows_what_was_typed_and_never_hides_who_is_allowed():
    listen(25)
    ns("srv", "ufw allow 25/tcp; ufw --force enable")
    monzen("deny", "203.0.113.0/24", "198.51.100.200")
    status = ns("srv", "ufw status").stdout
    assert "DENY        203.0.113.0/24             # monzen 1" in status
    assert "198.51.100.200" in status
    assert probes([("atk", 25, "203.0.113.7"), ("good", 25)]) == ["silence", "open"]
    monzen("allow", "203.0.113.7", "--note", "a customer")
    assert "203.0.113.0/24" not in ns("srv", "ufw status").stdout
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "203.0.113.8")]) == ["open", "silence"]
    monzen("allow", "203.0.113.7", "--remove")
    assert "203.0.113.0/24" in ns("srv", "ufw status").stdout
    assert probes([("atk", 25, "203.0.113.7")]) == ["silence"]
    for command in ("ufw reload", "ufw disable", "ufw --force enable"):
        ns("srv", command)
    assert told("gate", "apply")["mirrored"] == 0
    ns("srv", "ufw delete deny from 198.51.100.200")
    assert told("gate", "apply")["mirrored"] == 1


@live(needs=WITH_UFW)
def test_ufw_alone():
    listen(25, 143)
    ns("srv", "ufw allow 25/tcp; ufw allow 143/tcp; ufw --force enable")
    run("mkdir -p /etc/monzen; printf '[gate]\\nfirewall = \"ufw\"\\n' > /etc/monzen/monzen.toml")
    monzen("deny", "203.0.113.0/24", "2001:db8:bad::/64")
    monzen("deny", "198.51.100.200", "--port", "25/tcp", "--for", "2s")
    calls = [("atk", 25, "203.0.113.7"), ("atk", 143, "2001:db8:bad::7"), ("atk", 25, "198.51.100.200"), ("atk", 143, "198.51.100.200")]
    assert probes(calls) == ["silence", "silence", "silence", "open"]
    assert "inet monzen" not in ruleset()
    facts = told("gate", "status")
    assert (facts["firewall"], facts["knocks_visible"], facts["held"]) == ("ufw", [], 2)
    assert "CANNOT BE SEEN" in monzen("gate", "status")
    told("gate", "apply")
    assert probes(calls) == ["silence", "silence", "open", "open"]
    monzen("allow", "192.0.2.50")
    monzen("deny", "192.0.2.0/24", "--keep-shielded")
    assert probe("good", 25) == "open"


@live(needs=(*NEEDS, "sshd", "ssh-keygen"))
def test_who_is_logged_in_over_ssh_stays():
    run("mkdir -p /run/sshd /root/keys && ssh-keygen -q -N '' -t ed25519 -f /etc/ssh/lab_key")
    spawn("srv", ["/usr/sbin/sshd", "-D", "-p", "2222", "-h", "/etc/ssh/lab_key", "-o", "UsePAM=no"])
    until(lambda: probe("admin", 2222) == "open", what="sshd")
    from tests.lab.net import connect

    session = connect("admin", 2222)
    until(lambda: session.socket.recv(64).startswith(b"SSH-2.0"), what="greeting")
    for target in (ADMIN4, "192.0.2.128/25", "192.0.2.0/24"):
        assert "logged in from there over SSH" in monzen("deny", target, status=1), target
    for target in ("192.0.2.128/25", "192.0.2.0/24"):
        assert "stays reachable: 192.0.2.130" in monzen("deny", target, "--keep-shielded")
        assert probe("admin", 2222) == "open"
        session.socket.sendall(b"x")
        assert "192.0.2.130" in ns("srv", "ss -Htn state established sport = :2222").stdout, "and keeps his session"
    session.socket.sendall(b"\r\n")
    assert session.socket.recv(64), "sshd answers"
    session.socket.close()
    until(lambda: "192.0.2.130" not in ns("srv", "ss -Htn state established sport = :2222").stdout, what="the session is over")
    monzen("gate", "apply")
    assert probe("admin", 2222) == "silence", "who has gone passes no more"
    # through sudo, where the variable is gone: from the shell above
    script = f"env -i PATH=$PATH PYTHONPATH={os.environ['PYTHONPATH']} {sys.executable} -m monzen deny 198.51.100.200"
    said = ns("srv", ["env", "SSH_CONNECTION=198.51.100.200 50000 198.51.100.10 22", "sh", "-c", f"{script}; exit $?"], check=False)
    assert (said.returncode, "logged in" in said.stdout) == (1, True), said.stdout


@live(needs=(*NEEDS, "ss"))
def test_of_a_denied_network_those_keep_their_connections_who_pass():
    listen(25)
    inside = ["203.0.113.7", "203.0.113.9", "2001:db8:bad::7", "2001:db8:bad::9"]
    from tests.lab.net import connect

    held = [connect("atk", 25, source) for source in inside]
    assert [c.word for c in held] == ["open"] * 4

    def open_now():
        peers = ns("srv", "ss -Htn state established sport = :25").stdout
        return [source for source in inside if f"{source}:" in peers or f"{source}]:" in peers]

    until(lambda: open_now() == inside, what="connections")
    monzen("allow", "203.0.113.9", "2001:db8:bad::9")
    monzen("deny", "203.0.113.0/24", "2001:db8:bad::/64", "--keep-shielded")
    until(lambda: open_now() == ["203.0.113.9", "2001:db8:bad::9"], what="two are ended")
    many = [f"198.51.100.{n}" for n in range(1, 250)]
    monzen("allow", *many)
    other = connect("atk", 25, "198.51.100.200")
    monzen("deny", "198.51.100.0/24", "--keep-shielded")
    other.socket.sendall(b"still there")
    assert "198.51.100.200]:" in ns("srv", "ss -Htn state established sport = :25").stdout, "too many for one filter: none is ended"


@live(needs=NEEDS)
def test_who_is_never_denied():
    for target, why in (
        ("127.0.0.5", "local or reserved"),
        ("198.51.100.10", "address of this machine"),
        ("198.51.100.0/25", "address of this machine"),
        ("198.51.100.1", "gateway"),
        ("2001:db8:1::1", "gateway"),
        ("10.1.2.3", "private"),
        ("fe80::1", "local or reserved"),
        ("0.0.0.0/0", "wider than /8"),
        ("2001:db8::/16", "wider than /20"),
        ("::ffff:198.51.100.10", "address of this machine"),
    ):
        assert why in monzen("deny", target, status=1), target
    run("echo 'nameserver 203.0.113.53' > /etc/resolv.conf")
    assert "name server" in monzen("deny", "203.0.113.0/24", status=1)
    assert told("list") if os.path.exists("/var/lib/monzen/ledger.db") else True
    for wrong in ("203.0.113.0/33", "example", "203.0.113.7; true", ""):
        monzen("deny", wrong, status=2)


@live(needs=NEEDS, seconds=300)
def test_no_sequence_of_changes_puts_somebody_shielded_behind_a_drop():
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    from monzen.config import Config
    from monzen.gate.nftables import Nftables
    from monzen.keeper import Keeper
    from monzen.ledger import Order

    run("echo 'nameserver 203.0.113.53' > /etc/resolv.conf")
    own = ["198.51.100.10", "198.51.100.1", "203.0.113.53", "2001:db8:1::10", "2001:db8:1::1"]
    near = [*own, "203.0.113.7", "198.51.100.200", "192.0.2.50", "2001:db8:bad::5", "2001:db8:1::77"]
    address = st.sampled_from(near)
    network = st.builds(lambda a, b: ip_network(f"{a}/{b if '.' in a else b * 4}", strict=False), address, st.integers(6, 32))
    steps = st.one_of(
        st.tuples(st.just("deny"), st.lists(network, min_size=1, max_size=4), st.booleans(), st.sampled_from(["hand", "scan", "run"])),
        st.tuples(st.just("release"), network),
        st.tuples(st.just("allow"), network),
        st.tuples(st.just("unallow"), network),
        st.tuples(st.just("apply")),
    )
    held_one = []

    def behind(gate, one):
        spans, single = gate.never()
        value, octets = int(ip_address(one)), len(ip_address(one).packed)
        if any(o == octets and low <= value <= high for o, low, high in spans) or any(t.network == ip_address(one).packed for t in single):
            return False
        return any(len(t.network) == octets and ip_address(one) in ip_network((t.network, t.bits)) for t in gate.held())

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])
    @given(st.lists(steps, min_size=1, max_size=8))
    def law(sequence):
        allowed = set()
        with Keeper(Config()) as keeper:
            for step in sequence:
                if step[0] == "deny":
                    orders = [Order(n.network_address.packed, n.prefixlen, origin=step[3]) for n in step[1]]
                    keeper.deny(orders, keep=step[2])
                elif step[0] == "release":
                    keeper.release([], [(step[1].network_address.packed, step[1].prefixlen)])
                elif step[0] == "allow":
                    keeper.allow(str(step[1]), [(step[1].network_address.packed, step[1].prefixlen)], name=False)
                    allowed.add(step[1])
                elif step[0] == "unallow":
                    keeper.unallow(str(step[1]))
                    allowed.discard(step[1])
                else:
                    keeper.apply()
            gate = Nftables()
            held_one.extend(gate.held())
            for one in own:
                assert not behind(gate, one), (one, sequence)
            for n in allowed:
                assert not behind(gate, str(n.network_address)), (n, sequence)
            gate.close()
            for n in allowed:
                keeper.unallow(str(n))
            keeper.release([e.number for e in keeper.ledger.active(time.time())], [])

    with inside("srv"):
        law()
    assert held_one, "nothing was ever denied: the law was not tried"


@live(needs=NEEDS)
def test_a_damaged_or_lost_ledger_lifts_nothing():
    listen(25)
    monzen("deny", "203.0.113.0/24", "--note", "since May")
    monzen("deny", "2001:db8:bad::/64", "--for", "1h")
    monzen("allow", "192.0.2.50")
    path = "/var/lib/monzen/ledger.db"
    with open(path, "r+b") as file:
        file.write(b"nothing like a database" * 40)
    for command in (("list",), ("deny", "203.0.113.9"), ("gate", "apply"), ("allow",)):
        said = monzen(*command, status=2)
        assert re.search("damaged.*--rescue", said), said
    assert "damaged" in monzen("check", status=1)
    assert probe("atk", 25, "203.0.113.7") == "silence"
    monzen("gate", "apply", "--rescue")
    assert {"203.0.113.0/24", "2001:db8:bad::/64"} <= set(numbers().values())
    assert any("ledger.db.damaged-" in name for name in os.listdir("/var/lib/monzen"))
    assert probe("atk", 25, "203.0.113.7") == "silence"
    run("rm -r /var/lib/monzen")
    monzen("gate", "apply")
    assert {"203.0.113.0/24", "2001:db8:bad::/64"} <= set(numbers().values())
    assert probes([("atk", 25, "203.0.113.7"), ("good", 25)]) == ["silence", "open"]


@live(needs=NEEDS)
def test_a_full_disk_changes_nothing_and_says_so():
    listen(25)
    monzen("deny", "203.0.113.7")
    run("cp -a /var/lib/monzen /run/saved; mount -t tmpfs -o size=200k,mode=750 tmpfs /var/lib/monzen; cp -a /run/saved/. /var/lib/monzen/")
    run("head -c 1m /dev/zero > /var/lib/monzen/filler", check=False)
    said = monzen("deny", "203.0.113.8", status=2)
    assert "disk" in said or "No space" in said, said
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "203.0.113.8")]) == ["silence", "open"]
    run("rm /var/lib/monzen/filler")
    monzen("deny", "203.0.113.8")
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "203.0.113.8")]) == ["silence", "silence"]


@live(needs=NEEDS)
def test_files_that_others_can_write_are_refused():
    run("mkdir -p /etc/monzen; echo '[gate]' > /etc/monzen/monzen.toml; chmod 666 /etc/monzen/monzen.toml")
    assert "others than root" in monzen("deny", "203.0.113.7", status=2)
    run("chmod 644 /etc/monzen/monzen.toml; chown 65534 /etc/monzen/monzen.toml")
    assert "others than root" in monzen("deny", "203.0.113.7", status=2)
    run("rm /etc/monzen/monzen.toml; install -d -m 777 /var/lib/monzen")
    assert "/var/lib/monzen" in monzen("deny", "203.0.113.7", status=2)
    run("rmdir /var/lib/monzen; install -d -m 750 /var/lib/monzen; ln -s /etc/shadow /var/lib/monzen/ledger.db")
    assert "link" in monzen("deny", "203.0.113.7", status=2)
    assert "inet monzen" not in ruleset()


@live(needs=NEEDS)
def test_scan_apply_asks_imposes_and_keeps_to_releases():
    listen(25)
    now = time.time() - 900
    lines = [
        f"{time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime(now + n * 5))} mail postfix/smtpd[{100 + n % 3}]: "
        f"warning: unknown[203.0.113.{10 + n % 4}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"
        for n in range(40)
    ]
    with open("/var/log/mail.log", "w") as file:
        file.writelines(lines)
    assert "--yes" in monzen("scan", "--apply", status=2)
    trial = monzen("scan", "--apply", "--dry-run")
    assert "203.0.113.0/24" in trial
    assert "monzen does, and asks first: sudo monzen scan --apply\n" in trial
    assert probe("atk", 25, "203.0.113.10") == "open"
    said = told("scan", "--apply", "--yes")
    assert [d["target"] for d in said["applied"]["denied"]] == ["203.0.113.0/24"]
    assert probe("atk", 25, "203.0.113.99") == "silence"
    why = told("why", "203.0.113.10")["ledger"]["denials"]
    assert why[0]["rule"] in ("crowd", "gang")
    assert why[0]["evidence"]
    monzen("release", "203.0.113.0/24")
    assert told("scan", "--apply", "--yes")["applied"]["denied"] == []
    with open("/var/log/mail.log", "a") as file:
        for n in range(12):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + n))
            file.write(f"{stamp} mail postfix/smtpd[9]: warning: unknown[203.0.113.{10 + n % 4}]: SASL LOGIN authentication failed: x\n")
    assert [d["target"] for d in told("scan", "--apply", "--yes")["applied"]["denied"]] == ["203.0.113.0/24"]


@live(needs=NEEDS)
def test_a_host_name_is_asked_for_by_nobody_and_its_last_good_answer_stands():
    listen(25)
    hosts = Path("/etc/hosts")
    before = hosts.read_text()
    hosts.write_text(before + "203.0.113.7 home.example.org\n2001:db8:bad::7 home.example.org\n")
    monzen("deny", "203.0.113.0/24", "2001:db8:bad::/64")
    assert "203.0.113.7" in monzen("allow", "home.example.org")
    calls = [("atk", 25, f"203.0.113.{n}") for n in (7, 8)] + [("atk", 25, "2001:db8:bad::7")]
    assert probes(calls) == ["open", "silence", "open"]
    hosts.write_text(before + "203.0.113.8 home.example.org\n")
    run("""python3 -c "import sqlite3; d = sqlite3.connect('/var/lib/monzen/ledger.db'); d.execute('UPDATE allow SET resolved = 0'); d.commit()" """)
    monzen("gate", "apply")
    assert probes(calls) == ["silence", "open", "silence"]
    hosts.write_text(before)
    run("""python3 -c "import sqlite3; d = sqlite3.connect('/var/lib/monzen/ledger.db'); d.execute('UPDATE allow SET resolved = 0'); d.commit()" """)
    monzen("gate", "apply")
    assert probes(calls) == ["silence", "open", "silence"]
    monzen("allow", "home.example.org", "--remove")
    assert probes(calls) == ["silence"] * 3


@live(needs=NEEDS)
def test_too_many_at_once_that_nobody_typed_are_refused_and_dry_only_says_so():
    from monzen.config import Config
    from monzen.gate.target import GateError
    from monzen.keeper import Keeper
    from monzen.ledger import Order
    from monzen.settings import GateConfig

    orders = [Order(bytes((11, 0, n >> 8, n & 255)), 32, origin="scan", until=time.time() + 99) for n in range(200)]
    with inside("srv"), Keeper(Config(gate=GateConfig(at_once=100))) as keeper:
        with pytest.raises(GateError, match="too many to be true"):
            keeper.deny(orders)
        assert not keeper.ledger.active(time.time())
        keeper.deny([o._replace(origin="hand") for o in orders])
        assert len(keeper.nft.held()) == 200
    run("mkdir -p /etc/monzen; printf '[gate]\\nfirewall = \"dry\"\\n' > /etc/monzen/monzen.toml")
    assert "sudo ufw prepend deny from 203.0.113.0/24" in monzen("deny", "203.0.113.0/24")
    monzen("gate", "apply")
    assert "inet monzen" not in ruleset()


@live(needs=NEEDS)
def test_where_somebody_is_allowed_the_others_of_his_network_are_denied_one_by_one():
    now = time.time() - 300
    with open("/var/log/mail.log", "w") as file:
        for n in range(60):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now + n * 3))
            client = f"203.0.113.{10 + n % 4}"
            file.write(f"{stamp} mail postfix/smtpd[9]: warning: unknown[{client}]: SASL LOGIN authentication failed: x\n")
    monzen("allow", "203.0.113.10")
    said = told("scan", "--apply", "--yes")
    assert {d["target"] for d in said["applied"]["denied"]} == {f"203.0.113.{n}" for n in (11, 12, 13)}
    assert said["applied"]["refused"] == []
    run("mkdir -p /etc/monzen; printf '[policy]\\nghosts = 0\\n' > /etc/monzen/monzen.toml")
    assert "ghosts" in monzen("scan", "--apply", "--yes", status=2)


@live(needs=WITH_UFW)
def test_what_ufw_refuses_is_a_warning_where_the_kernel_denies():
    listen(25)
    ns("srv", "ufw allow 25/tcp; ufw --force enable")
    kept = Path("/etc/ufw/user.rules").read_text()
    Path("/etc/ufw/user.rules").write_text("something else\n")
    said = monzen("deny", "203.0.113.0/24")
    assert "denied 203.0.113.0/24" in said
    assert "not shown in ufw" in said
    assert probe("atk", 25, "203.0.113.7") == "silence"
    assert "user.rules" in monzen("gate", "status")
    assert Path("/etc/ufw/user.rules").read_text() == "something else\n"
    Path("/etc/ufw/user.rules").write_text(kept)
    assert told("gate", "apply")["mirrored"] == 1
    assert "203.0.113.0/24" in ns("srv", "ufw status").stdout


@live(needs=NEEDS)
def test_a_disk_that_may_only_be_read():
    monzen("deny", "203.0.113.7", "--for", "1h")
    run("cp -a /var/lib/monzen /run/saved; mount -t tmpfs -o mode=750 tmpfs /var/lib/monzen; cp -a /run/saved/. /var/lib/monzen/")
    run("mount -o remount,ro /var/lib/monzen")
    for command in (("deny", "203.0.113.8"), ("release", "203.0.113.7"), ("gate", "apply")):
        assert "may only be read" in monzen(*command, status=2)
    assert set(numbers().values()) == {"203.0.113.7"}


@live(needs=NEEDS)
def test_status_believes_the_firewall_not_the_ledger():
    listen(25)
    monzen("deny", "203.0.113.0/24")
    assert "1 target is turned away now" in monzen("status", status=1)
    ns("srv", "nft delete table inet monzen")
    assert probe("atk", 25, "203.0.113.7") == "open"
    said = monzen("status", status=1)
    assert "0 of 1 targets are turned away now" in said
    assert "1 DENIAL IS MISSING in the firewall. Restore it: monzen gate apply" in said
    assert told("status", status=1)["missing"] == 1
    monzen("gate", "apply")
    assert told("status", status=1)["missing"] == 0
    monzen("panic")
    assert "MISSING" not in monzen("status", status=1)


@live(needs=NEEDS)
def test_of_a_damaged_ledger_each_verb_says_it_once_and_the_rescue_names_the_file():
    listen(25)
    monzen("deny", "203.0.113.0/24")
    path = Path("/var/lib/monzen/ledger.db")
    path.write_bytes(b"x" * 8192)
    assert monzen("check", status=1).count("is damaged") == 1
    assert "is damaged" in monzen("why", "203.0.113.7", status=1)
    said = monzen("gate", "apply", "--rescue")
    (aside,) = path.parent.glob("ledger.db.damaged-*")
    assert f"the damaged file is kept: {aside}" in said
    assert set(numbers().values()) == {"203.0.113.0/24"}
