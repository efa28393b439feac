"""ufw as it is: packets against the rules, what ufw itself makes of them, and everything that can come in between."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from ipaddress import ip_network
from pathlib import Path

import pytest

from monzen.gate.target import Denial, GateError, Target
from monzen.gate.ufw import Mirrored, Ufw
from monzen.gate.ufw_rules import take_apart
from tests.lab import live
from tests.lab.net import connect, inside, ns, probe, probes, run, spawn, until
from tests.lab.server import listen, monzen

NEEDS = ("ufw", "iptables")
RULES, RULES6 = Path("/etc/ufw/user.rules"), Path("/etc/ufw/user6.rules")


def at(text, port=0, protocol=0):
    network = ip_network(text)
    return Target(network.network_address.packed, network.prefixlen, port, protocol)


GANG, GANG6 = at("203.0.113.0/24"), at("2001:db8:bad::/48")


def mirror(*targets, numbers=None, exceptions=(), step=lambda name: None):
    with inside("srv"):
        return Ufw(step=step).mirror([Denial(t, None) for t in targets], numbers, exceptions)


def ask(verb, *arguments):
    with inside("srv"):
        return getattr(Ufw(), verb)(*arguments)


def ufw(*commands, **options):
    return "".join(ns("srv", ["ufw", *command.split()], **options).stdout for command in commands)


def start(*commands):
    ufw("allow 22/tcp", "allow 25/tcp", *commands, "--force enable")


def kernel():
    """The rules of both chains, as the kernel has them."""
    told = ns("srv", "iptables -S ufw-user-input; ip6tables -S ufw6-user-input").stdout
    return [line for line in told.splitlines() if line.startswith("-A")]


def theirs():
    """The user's rules, byte for byte."""
    return [take_apart(path.read_bytes(), str(path)).theirs for path in (RULES, RULES6)]


@live(needs=NEEDS)
def test_the_denied_network_meets_silence_and_others_pass():
    listen(25, 587)
    start("allow 587")
    before = theirs()
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "2001:db8:bad::7"), ("good", 25)]) == ["open"] * 3
    assert mirror(GANG, GANG6, at("198.51.100.200", 25, 6), numbers={GANG: 12, GANG6: 13}) == Mirrored(3, True)
    assert probes(
        [
            ("atk", 25, "203.0.113.7"),
            ("atk", 587, "203.0.113.200"),
            ("atk", 25, "2001:db8:bad:1::7"),
            ("atk", 25, "198.51.100.200"),
            ("atk", 587, "198.51.100.200"),  # one door only
            ("atk", 25, "198.51.100.201"),
            ("good", 25),
            ("good", 25, "2001:db8:600d::50"),
            ("admin", 22),  # let in; nobody listens
        ]
    ) == ["silence", "silence", "silence", "silence", "open", "open", "open", "open", "refused"]
    held = ask("held")
    assert set(held) == {GANG, GANG6, at("198.51.100.200", 25, 6)}
    assert all(h.packets > 0 and h.octets >= 40 * h.packets and h.until is None for h in held.values())
    assert theirs() == before
    assert mirror() == Mirrored(3, True)
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "2001:db8:bad::7")]) == ["open", "open"]
    assert theirs() == before


@live(needs=NEEDS)
def test_what_stays_goes_on_counting():
    listen(25)
    start()
    mirror(GANG)
    probe("atk", 25, "203.0.113.7", timeout=0.3)
    packets = ask("held")[GANG].packets
    assert packets > 0
    mirror(GANG, at("198.51.100.200"), at("192.0.2.0/28"))
    mirror(at("198.51.100.200"), GANG)
    assert ask("held")[GANG].packets >= packets


@live(needs=NEEDS)
def test_ufw_takes_our_rules_for_its_own():
    start()
    mirror(GANG, GANG6, at("198.51.100.200", 25), at("198.51.100.201", 53, 17), numbers={GANG: 12}, exceptions=[at("203.0.113.9")])
    written = [RULES.read_bytes(), RULES6.read_bytes()]
    ufw("logging medium", "logging low")  # ufw writes both files anew
    assert [RULES.read_bytes(), RULES6.read_bytes()] == written
    status = ufw("status numbered")
    rows = re.findall(r"\[ *\d+\] (.*?)  +(ALLOW|DENY) IN +(.*?) *(?:# (.*?))? *\n", status)
    assert rows[:4] == [
        ("Anywhere", "ALLOW", "203.0.113.9", "monzen allow"),
        ("Anywhere", "DENY", "203.0.113.0/24", "monzen 12"),
        ("25", "DENY", "198.51.100.200", "monzen 0"),
        ("53/udp", "DENY", "198.51.100.201", "monzen 0"),
    ]
    assert ("Anywhere (v6)", "DENY", "2001:db8:bad::/48", "monzen 0") in rows
    before = kernel()
    ufw("reload")
    assert kernel() == before
    ufw("disable")
    assert not ask("active")
    ufw("--force enable")
    assert kernel() == before
    assert mirror(
        GANG, GANG6, at("198.51.100.200", 25), at("198.51.100.201", 53, 17), numbers={GANG: 12}, exceptions=[at("203.0.113.9")]
    ) == Mirrored(0, True)
    assert "Rule deleted" in ufw("delete deny from 203.0.113.0/24", "--force delete 1")
    assert GANG not in ask("held")
    assert "203.0.113" not in "".join(kernel())
    assert mirror(GANG).changed > 0
    assert set(ask("held")) == {GANG}


@live(needs=NEEDS)
def test_order_against_what_the_user_allows_before_and_after():
    listen(25)
    start("deny from 203.0.113.0/24", "deny from 2001:db8:bad::/48")  # below `allow 25/tcp`: without effect
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "2001:db8:bad::7")]) == ["open", "open"]
    before = theirs()
    mirror(GANG, GANG6)
    ufw("allow from 203.0.113.7", "allow from 2001:db8:bad::7")  # appended
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "2001:db8:bad::7")], timeout=1.5) == ["silence", "silence"]
    ufw("prepend allow from 203.0.113.7")  # ufw: "Skipping inserting existing rule"
    ufw("delete allow from 203.0.113.7", "prepend allow from 203.0.113.7")
    assert probe("atk", 25, "203.0.113.7") == "open"
    mirror(GANG, GANG6)
    assert probe("atk", 25, "203.0.113.7", timeout=1.5) == "silence"
    accepts = [n for n, line in enumerate(kernel()) if "ACCEPT" in line and "ufw-user" in line]
    assert kernel().index("-A ufw-user-input -s 203.0.113.0/24 -j DROP") < min(accepts)
    mirror()
    ufw("delete allow from 203.0.113.7", "delete allow from 2001:db8:bad::7")
    assert theirs() == before
    assert kernel().count("-A ufw-user-input -s 203.0.113.0/24 -j DROP") == 1


@live(needs=NEEDS)
def test_a_deny_of_the_users_own_is_his():
    listen(25)
    ufw("deny from 203.0.113.0/24")
    start()
    before, chain = theirs(), kernel()
    assert mirror(GANG) == Mirrored(0, True)  # it works already
    assert mirror() == Mirrored(0, True)
    assert (theirs(), kernel()) == (before, chain)
    ufw("delete deny from 203.0.113.0/24")
    mirror(GANG)
    assert "Rule updated" in ufw("deny from 203.0.113.0/24")  # over ours: ufw drops the comment, the rule is his now
    before = theirs()
    mirror(GANG)
    mirror()
    assert theirs() == before
    assert probe("atk", 25, "203.0.113.7", timeout=1.5) == "silence"


@live(needs=NEEDS)
def test_an_exception_is_reachable_inside_a_denied_network():
    listen(25)
    start()
    mirror(GANG, GANG6, exceptions=[at("203.0.113.9"), at("2001:db8:bad::9")])
    assert probes(
        [("atk", 25, "203.0.113.9"), ("atk", 25, "203.0.113.8"), ("atk", 25, "2001:db8:bad::9"), ("atk", 25, "2001:db8:bad::8")],
        timeout=1.5,
    ) == ["open", "silence", "open", "silence"]
    mirror(GANG, GANG6)
    assert probes([("atk", 25, "203.0.113.9"), ("atk", 25, "2001:db8:bad::9")], timeout=1.5) == ["silence", "silence"]


@live(needs=(*NEEDS, "nft", "ss"))
def test_an_exception_opens_no_more_doors_than_the_denial_closes():
    listen(25, 587)
    start("default deny incoming")
    run("mkdir -p /etc/monzen; printf '[gate]\\nfirewall = \"ufw\"\\n' > /etc/monzen/monzen.toml")
    monzen("allow", "192.0.2.50")
    monzen("deny", "192.0.2.0/24", "--port", "25", "--keep-shielded")
    assert probes([("good", 25), ("good", 587), ("admin", 25)], timeout=1.5) == ["open", "silence", "silence"]
    monzen("release", "192.0.2.0/24")
    assert "monzen" not in ufw("status")


@live(needs=NEEDS)
def test_it_does_not_cover_what_is_established():
    """What the docstring of gate/ufw.py says: before.rules accepts it first. If this fails, ufw has changed."""
    listen(25)
    start()
    open_one = connect("atk", 25, "203.0.113.7")
    assert open_one.word == "open"
    mirror(GANG)
    assert probe("atk", 25, "203.0.113.7", timeout=1.5) == "silence"
    open_one.socket.settimeout(60)
    open_one.socket.sendall(b"still here\r\n")
    assert "ESTABLISHED" in ns("srv", "iptables -S ufw-before-input").stdout
    with inside("srv"):
        until(lambda: "203.0.113.7" not in unacknowledged(), what="the packet was taken")
    open_one.socket.close()


def unacknowledged():
    """Connections of the attacker's with something in flight."""
    with inside("atk"):
        told = subprocess.run(["ss", "-Htn", "state", "established"], capture_output=True, text=True, check=True).stdout
    return "".join(line for line in told.splitlines() if line.split()[1] != "0")


@live(needs=NEEDS)
def test_ufw_off_on_and_reset():
    listen(25)
    assert ask("present")
    assert not ask("active")
    untouched = RULES.read_bytes()
    assert mirror(GANG) == Mirrored(1, False)  # as the package brings it, never written by ufw
    assert mirror(GANG) == Mirrored(0, False)
    assert "-A" not in "".join(ns("srv", "iptables -S", check=False).stdout)
    start()
    assert probe("atk", 25, "203.0.113.7", timeout=1.5) == "silence"
    assert mirror(GANG) == Mirrored(0, True)
    ufw("disable")
    assert probe("atk", 25, "203.0.113.7") == "open"
    assert set(ask("held")) == {GANG}
    ufw("--force reset")
    assert RULES.read_bytes() == untouched
    assert ask("held") == {}
    start()
    assert mirror(GANG) == Mirrored(1, True)
    assert probe("atk", 25, "203.0.113.7", timeout=1.5) == "silence"


@live(needs=NEEDS)
def test_defaults_are_what_ufw_says():
    start("default deny incoming", "default reject routed", "logging high")
    found = ask("defaults")
    assert (found.enabled, found.incoming, found.outgoing, found.routed, found.logging, found.ipv6) == (
        True, "drop", "accept", "reject", "high", True,
    )  # fmt: skip
    ns("srv", "sed -i s/^IPV6=yes/IPV6=no/ /etc/default/ufw")
    ufw("reload")
    assert not ask("defaults").ipv6
    assert mirror(GANG, GANG6).active
    assert GANG in ask("held")
    ns("srv", "sed -i s/^IPV6=no/IPV6=yes/ /etc/default/ufw")
    ufw("reload")
    mirror(GANG, GANG6)
    assert set(ask("held")) == {GANG, GANG6}


@live(needs=NEEDS)
def test_commands_for_a_person_do_what_they_say():
    listen(25)
    start("deny from 203.0.113.0/24")  # below the allow: without effect
    doors = [Denial(t, None) for t in (GANG, GANG6, at("198.51.100.200", 25), at("198.51.100.201", 25, 6))]
    typed = ask("commands", doors)
    assert typed[:2] == ["ufw delete deny from 203.0.113.0/24", "ufw prepend deny from 203.0.113.0/24"]
    for command in typed:
        assert not re.search("Skipping|Could not", ns("srv", command).stdout), command
    sources = ["203.0.113.7", "2001:db8:bad::7", "198.51.100.200", "198.51.100.201"]
    assert probes([("atk", 25, source) for source in sources], timeout=1.5) == ["silence"] * 4
    assert ask("commands", doors) == []
    assert mirror(*(d.target for d in doors)) == Mirrored(0, True)  # all of them are the user's own, and work


@live(needs=NEEDS)
def test_mode_and_owner_are_kept_and_nothing_is_left_beside():
    start()
    os.chmod(RULES, 0o600)
    os.chown(RULES, 0, 4)
    mirror(GANG, GANG6)
    found = RULES.stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o600, 0, 4)
    assert not [p.name for p in RULES.parent.iterdir() if "monzen" in p.name]
    RULES.chmod(0o666)
    before = kernel()
    with pytest.raises(GateError, match="others than root may write it"):
        mirror(GANG)
    assert kernel() == before


@live(needs=NEEDS)
def test_whatever_language_the_machine_speaks():
    os.environ.update(LANGUAGE="ja", LC_ALL="ja_JP.UTF-8", LANG="ja_JP.UTF-8", PATH="/nowhere")
    for command in ("allow 25/tcp", "--force enable"):
        ns("srv", ["/usr/sbin/ufw", *command.split()], env=os.environ | {"PATH": "/usr/sbin:/usr/bin"})
    assert mirror(GANG, GANG6) == Mirrored(2, True)
    assert ask("active")
    assert set(ask("held")) == {GANG, GANG6}
    assert mirror(GANG, GANG6) == Mirrored(0, True)


@live(needs=(*NEEDS, "iptables-legacy", "ip6tables-legacy"))
def test_iptables_legacy_does_the_same():
    for program in ("iptables", "ip6tables"):
        for suffix in ("", "-restore", "-save"):
            link = Path("/etc/alternatives") / f"{program}{suffix}"
            link.unlink()
            link.symlink_to(f"/usr/sbin/{program}-legacy{suffix}")
    told = ns("srv", "iptables -V; iptables -S && ip6tables -S", check=False)
    if told.returncode:
        pytest.skip("this kernel has no ip_tables")
    assert "legacy" in told.stdout
    listen(25)
    start("deny from 203.0.113.0/24")
    chain = kernel()
    assert mirror(GANG, GANG6, at("198.51.100.200", 25)) == Mirrored(3, True)
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "2001:db8:bad::7"), ("good", 25)], timeout=1.5) == ["silence", "silence", "open"]
    assert ask("held")[GANG].packets > 0
    mirror(at("198.51.100.200", 25), at("198.51.100.201"))
    mirror()
    assert kernel() == chain


# One change, with kill -9 at a step of it: by name, or before the file beside is renamed.
KILLED = """
import os, signal, sys
from monzen.gate.target import Denial, target
from monzen.gate.ufw import Ufw
def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)
where, left = sys.argv[1], int(sys.argv[2])
def step(name):
    global left
    if name == where:
        left -= 1
        if left == 0:
            end()
if where in ("rename", "fsync"):
    real = getattr(os, where)
    def counted(*given):
        step(where)
        return real(*given)
    setattr(os, where, counted)
going = sys.argv[3] == "release"
four, six = target(bytes([203, 0, 113, 0]), 24), target(bytes.fromhex("20010db80bad") + bytes(10), 48)
Ufw(step=step).mirror([] if going else [Denial(four, None), Denial(six, None)])
"""


@live(needs=NEEDS, seconds=300)
def test_killed_at_every_step_the_next_one_makes_it_whole():
    start("deny from 198.51.100.0/28")
    his, others = theirs(), kernel()
    killed = 0
    for what in ("deny", "release"):
        wanted = (GANG, GANG6) if what == "deny" else ()
        for where in ("journal", "rename", "fsync", "file", "kernel", "done"):
            for time_ in range(1, 20):
                mirror(*(() if wanted else (GANG, GANG6)))
                with inside("srv"):
                    done = subprocess.run([sys.executable, "-c", KILLED, where, str(time_), what], check=False)
                assert done.returncode in (0, -signal.SIGKILL)
                killed += done.returncode != 0
                assert theirs() == his, (what, where, time_)  # whole at every moment
                mirror(*wanted)
                assert set(ask("held")) == set(wanted), (what, where, time_)
                assert len(kernel()) == len(others) + len(wanted)
                assert mirror(*wanted) == Mirrored(0, True), (what, where, time_)
                assert not [p.name for p in RULES.parent.iterdir() if "monzen" in p.name]
                if done.returncode == 0:
                    break
            else:
                raise AssertionError("it never came to an end")
    assert killed >= 30
    assert (theirs(), kernel()) == (his, others)


@live(needs=NEEDS, seconds=300)
def test_the_user_types_while_we_write_and_nothing_is_lost():
    start()
    before = len(theirs()[0])
    mine: set[Target] = set()
    for number in range(8):
        his = spawn("srv", ["ufw", *(f"prepend deny from 192.0.2.{number}" if number % 2 else f"allow {2000 + number}/tcp").split()])
        time.sleep(0.03 * number)  # at a different moment of its 0.2 s each time
        mine |= {at(f"198.51.100.{number}"), at(f"2001:db8:{number}::/48")}
        mirror(*mine)
        assert his.wait(120) == 0
        assert set(ask("held")) == mine, number
        assert len(theirs()[0]) == before + number + 1
    chain = kernel()
    for number in range(8):
        rule = f"-s 192.0.2.{number}/32 -j DROP" if number % 2 else f"--dport {2000 + number} -j ACCEPT"
        assert [line for line in chain if rule in line], rule
    mirror(*mine)  # a `prepend` that began after us stands above ours
    assert mirror(*mine) == Mirrored(0, True)


@live(needs=NEEDS, seconds=180)
def test_a_thousand_networks_at_once():
    start()
    before = theirs()
    took = {}
    for count in (1, 100, 1000):
        networks = [at(f"100.{64 + n // 256}.{n % 256}.0/24") for n in range(count)]
        rounds = []
        for _round in range(3):
            started = sum(os.times()[:4])
            assert mirror(*networks) == Mirrored(count, True)
            rounds.append(sum(os.times()[:4]) - started)  # of processor, with iptables-restore's own
            assert len(ask("held")) == count
            assert mirror(*networks[1:], at("100.127.0.0/16")).active
            assert mirror().active
        took[count] = statistics.median(rounds)
    assert took[1000] < 1.0, took
    assert theirs() == before
    print(took)
