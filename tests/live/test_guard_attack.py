"""A `monzen run` that has been taken over, at the real gate: it says what it likes, and nobody is harmed who is shielded."""

import contextlib
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path

from tests.guard.test_link import LIES
from tests.lab import live
from tests.lab.guard import Guard, account, denied, holds
from tests.lab.login import logged_in, login, sshd
from tests.lab.net import ADMIN4, ADMIN6, SRV4, SRV6, connect, ns, probe, run, until
from tests.lab.peer import PATH, Peer, row
from tests.lab.server import monzen, told

NEEDS = ("nft", "ss")
SOURCES = 'files = ["/var/log/mail.log"]\njournal = false'
SHIELD = '[shield]\nallow = ["198.51.100.200", "2001:db8:bad:a::/64", "friend.example"]\nown = ["198.51.100.77"]\n'


def gate(more="", mode="armed"):
    """`monzen gate serve` alone, whose peers we play."""
    with Path("/etc/hosts").open("a") as file:
        file.write("198.51.100.222 friend.example\n198.51.100.223 pal.example\n")
    return Guard(SOURCES, mode=mode, more=more)


def around(address, prefixes):
    """The networks of these lengths that an address is in."""
    return [str(ip_network(f"{address}/{bits}", strict=False)) for bits in prefixes]


def hit(address, targets):
    """The targets that an address is in."""
    return [t for t in targets if ip_address(address) in ip_network(t)]


@live(needs=(*NEEDS, "sshd", "ssh-keygen"), seconds=60)
def test_an_open_connection_to_sshd_is_no_shield():
    """Whoever keeps one open, before he has shown who he is, would else be out of reach on every port, with his whole network."""
    sshd()
    with gate().start("serve") as guard, Peer() as peer:
        silent = connect("atk", 22, "203.0.113.7").socket
        talking = connect("atk", 22, "203.0.113.8").socket
        talking.send(b"SSH-2.0-x\r\n")
        assert talking.recv(64).startswith(b"SSH-2.0")
        time.sleep(0.5)
        assert logged_in() == set()
        user = login("atk", "198.51.100.200", "alice")
        assert logged_in() == {"198.51.100.200"}
        assert peer.order("203.0.113.0/24", "203.0.113.7", "198.51.100.200", "198.51.100.192/26") == ["denied", "denied", "shielded", "shielded"]
        assert probe("atk", 22, "203.0.113.7") == probe("atk", 22, "203.0.113.9") == "silence"
        monzen("gate", "apply")
        until(lambda: not guard.ended("serve") and probe("atk", 22, "203.0.113.8") == "silence", 120, what="the gate looks again")
        assert probe("atk", 22, "198.51.100.200") == "open"
        user.kill()
        until(lambda: not logged_in(), what="the session is over")
        time.sleep(1.1)
        assert peer.order("198.51.100.200") == ["denied"]
        silent.close()


@live(needs=(*NEEDS, "sshd", "ssh-keygen"), seconds=120)
def test_who_logged_in_a_moment_ago_is_shielded_whatever_was_looked_up_before():
    """What the gate remembers of the machine is a second old at most, and that is too old for whoever has just shown who he is."""
    sshd()
    with gate().start("serve"), Peer() as peer:
        for number, source in enumerate([ADMIN4, "198.51.100.200", "198.51.100.201", "198.51.100.202"]):
            asked = itertools.count()
            place = "admin" if source == ADMIN4 else "atk"

            def look(number=number, asked=asked):
                assert peer.order(f"203.0.113.{30 * number + next(asked) % 30}")[0] in ("denied", "same")

            session = login(place, source, meanwhile=look)
            assert next(asked) > 1, "it looked while the connection was there, and nobody logged in over it"
            assert peer.order(str(ip_network(f"{source}/{32 - number}", strict=False))) == ["shielded"]
            assert session.poll() is None


@live(needs=(*NEEDS, "sshd", "ssh-keygen"), seconds=240)
def test_nobody_who_is_shielded_is_denied_whatever_it_asks_for():
    sshd()
    run(["sh", "-c", "echo nameserver 192.0.2.53 > /etc/resolv.conf"])
    shielded = [SRV4, SRV6, "198.51.100.1", "2001:db8:1::1", "192.0.2.53", "198.51.100.200", "198.51.100.77", "2001:db8:bad:a::7"]
    shielded += ["198.51.100.222", "127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "172.16.5.5", "192.168.1.1", "fd00::1", "fe80::1"]
    shielded += ["0.0.0.0", "255.255.255.255", "224.0.0.5", "ff02::1"]
    with gate(SHIELD).start("serve") as guard, Peer() as peer:
        sessions = [login("admin", ADMIN4), login("admin", ADMIN6, "alice", SRV6)]  # a moment ago
        assert peer.order(ADMIN4, ADMIN6, "192.0.2.128/26") == ["shielded"] * 3, "though nothing else was looked up anew"
        shielded += [ADMIN4, ADMIN6]
        monzen("allow", "203.0.113.99", "pal.example")
        shielded += ["203.0.113.99", "198.51.100.223"]
        tried = []
        for address in shielded:
            tried += around(address, range(1, 33) if "." in address else (1, 3, 8, 20, 31, 32, 36, 47, 48, 56, 63, 64, 65, 112, 127, 128))
        tried = list(dict.fromkeys(tried))
        answers = dict(zip(tried, peer.order(*tried), strict=True))
        wrong = {t: a for t, a in answers.items() if a not in ("shielded", "wide") and any(hit(s, [t]) for s in shielded)}
        assert not wrong, wrong
        rng = random.Random(1)
        near = [str(ip_network((int(ip_address(s)) ^ rng.getrandbits(5), 32 if "." in s else 128))) for s in shielded for _ in range(8)]
        peer.order(*near)  # what lies beside them may be denied, and they are not
        held = denied()
        assert not {s: hit(s, held) for s in shielded if hit(s, held)}
        for address in (ADMIN4, ADMIN6):
            assert probe("admin", 22, address, to=SRV6 if ":" in address else SRV4) == "open"
        assert [session.poll() for session in sessions] == [None, None], "they are logged in still"
        assert peer.order("203.0.113.150", "203.0.113.151") == ["denied", "denied"], "nobody else is"

        # -- far too wide, and thousands of the widest: no more than a sixty-fourth of all that there is
        assert set(peer.order(*[str(ip_network((n << 24, 8))) for n in range(11, 200)])) <= {"wide", "shielded"}
        sixteens = [str(ip_network(((n % 200 + 11) << 24 | n // 200 << 16, 16))) for n in range(3000)]
        answers = peer.order(*sixteens)
        assert answers.count("denied") == 1000, {a: answers.count(a) for a in set(answers)}
        thirtytwos = [str(ip_network((0x2A << 120 | n << 96, 32))) for n in range(1500)]
        assert peer.order(*thirtytwos).count("denied") == 1000
        held = denied()
        assert not {s: hit(s, held) for s in shielded if hit(s, held)}
        assert not guard.ended("serve")


@live(needs=NEEDS, seconds=120)
def test_how_long_and_since_when_is_for_the_gate_to_say():
    year = 366 * 86400
    with gate().start("serve") as guard:
        now = time.time()
        with Peer() as peer:
            assert peer.order("203.0.113.1", until=1e10) == ["denied"]
            assert peer.order("203.0.113.2", until=99_999_999_999.0, sentence=99_999_999_999.0) == ["denied"]
            assert peer.order("203.0.113.3", at=now + 3 * 86400) == ["future"]
            assert peer.order("203.0.113.4", until=now - 1) == ["over"]
            assert peer.order("203.0.113.5", until=0, at=0) == ["over"]
            assert peer.order("203.0.113.6", sentence=0) == ["denied"]
        refused = [b"1e308", b"NaN", b"Infinity", b"-Infinity", b"-1", b"1e999", b"null", b'"1"', b"true", b"[]", b"{}", b"1" * 400]
        for value in refused:
            for name in ("at", "until", "sentence"):
                text = json.dumps({"id": 1, "orders": [row("203.0.113.9", **{name: 123456.5})]}).encode().replace(b"123456.5", value)
                with Peer(name="root") as peer:  # who greets as often as this is no `run`: that has its own test
                    assert peer.closed(text), (name, value)
        ledger = {d["target"]: d for d in told("list")["denied"]}
        assert set(ledger) == {"203.0.113.1", "203.0.113.2", "203.0.113.6"}
        left = ns("srv", [sys.executable, "-c", "from monzen.gate.nftables import Nftables\nfor t, s in Nftables().held().items(): print(t, s)"]).stdout
        for line in left.splitlines():
            assert 0 < float(line.split()[1]) < year, line
        assert not guard.ended("serve")


EVIL = [
    "x" * 400, "\x00\x01\x1b[2J\x7f", "\u202emoc.elpmaxe\u2066", "\ud800", "<script>alert(1)</script>[bold red]", "'; DROP TABLE denial; --",
    "$(touch /run/monzen-was-here) `id` ; reboot", "%s%s%n {0} {x}", "../../etc/passwd", "\n203.0.113.1 drop net=0.0.0.0/0\n", "\r\n\t", "",
]  # fmt: skip


@live(needs=NEEDS, seconds=240)
def test_garbage_floods_and_dying_peers_harm_nobody():
    rng = random.Random(7)
    deep = b"[" * 30_000 + b"]" * 30_000
    garbage = [
        b"", b"\0", b"{", b"[]", b"null", b"1", b'"x"', b"{}", deep, b'{"hello":' * 5000, b'{"monzen":' + b"[" * 900 + b"]" * 900 + b',"hello":"run"}',
        b"\xff" * 100, rng.randbytes(5000), b" " * 65_535, b'{"id":1,"orders":' + b"9" * 60_000 + b"}", b'{"id":1,"orders":[]}', b'{"id":1,"alarms":[]}',
    ]  # fmt: skip
    for kind in ("release", "releases", "allow", "pause", "panic", "flush", "arm", "mode", "shield", "answers", "reload", "run", "__class__"):
        garbage += [json.dumps({"id": 1, kind: [["cb007107", 32]]}).encode(), json.dumps({kind: "203.0.113.7"}).encode()]
    for number in (None, -1, 1.5, True, "1", 1 << 60, [], {}):
        garbage.append(json.dumps({"id": number, "orders": [row("203.0.113.9")]}).encode())
    good = row("203.0.113.9")
    for at in range(11):
        for value in (None, [], {}, -1, 1 << 70, "x", "\ud800", True, 1.5, "0" * 32, ["a"] * 7, ["a" * 401], ["\u0100"]):
            fits = (at == 0 and value == "0" * 32) or (at in (2, 3, 4) and value == 1.5) or (at == 5 and value == "x") or (at == 9 and isinstance(value, str)) or (at == 10 and value == [])
            if not fits:
                garbage.append(json.dumps({"id": 1, "orders": [[*good[:at], value, *good[at + 1 :]]]}).encode())
    garbage += [json.dumps({"id": 1, "orders": [good] * 101}).encode(), json.dumps({"id": 1, "orders": [good[:-1]]}).encode()]
    garbage += [json.dumps({"monzen": v, "hello": "run"}).encode() for v in (0, 2, -1, "1", 1.0, True, None, [], "x" * 9000)]
    with gate().start("serve") as guard:
        monzen("deny", "203.0.113.200")
        for message in garbage:
            with Peer("root") as peer:
                if not message:
                    continue
                assert peer.closed(message), message[:80]
        for message in (b'{"id":1,"orders":[]}', json.dumps({"id": 1, "orders": [good]}).encode()):
            with Peer("root", greet=False) as peer:
                assert peer.closed(message), "who did not greet"
        with Peer("root", greet=False) as peer, contextlib.suppress(OSError):  # of a system that lets so long a datagram through
            peer.say(b"x" * 200_000)
            assert peer.closed(b"x")

        # -- hostile words, in what is kept and shown
        with Peer() as peer:
            for number, text in enumerate(EVIL):
                line = text.encode("utf-8", "replace").decode("latin-1")[:400]
                assert peer.order(f"203.0.113.{20 + number}", note=text, evidence=[line] * 6) == ["denied"]
                assert peer.ask("alarms", [[time.time(), "breach", text]]) == []
        for words in (["list"], ["why", "203.0.113.21"], ["status"], ["why", "203.0.113.23"], ["gate", "status"]):
            status = int(words == ["status"])  # without `run` something is wrong
            shown = monzen(*words, status=status)
            assert not any((ord(c) < 32 and c != "\n") or c in "\x7f\u202e\u2066" for c in shown), words
            told(*words, status=status)
        assert not Path("/run/monzen-was-here").exists()
        assert all(line.startswith(FIRST) for line in guard.said("serve").splitlines()), guard.said("serve")

        # -- a peer that never reads, peers that say nothing, that die in the middle, that come and go
        with Peer(buffer=2048) as deaf:
            with contextlib.suppress(OSError):
                deaf.socket.settimeout(2)
                for number in range(20_000):
                    deaf.say({"id": number, "alarms": [[1.0, "x", "x"]]})
            with Peer("root") as peer:
                honest(peer)
        for number in range(200):
            with contextlib.suppress(OSError, EOFError), Peer(greet=False, timeout=0.2) as peer:
                peer.say({"monzen": 1, "hello": "run"})
                for _ in range(5):
                    peer.say({"id": number, "orders": [row(f"100.1.{number}.{n + 1}") for n in range(100)]})
        silent = []
        for _ in range(100):
            with contextlib.suppress(OSError):
                silent.append(Peer(greet=False, timeout=0.05))
        with Peer("root") as peer:
            assert honest(peer), "root finds room, though user monzen holds all that it can get"
        for one in silent:
            one.socket.close()

        # -- the honest one that comes after all that
        until(lambda: try_honest() < 20, what="an honest run is served")
        assert guard.memory("serve")[1] < 120
        assert "203.0.113.200" in denied(), "what the admin typed"
        assert len(guard.said("serve").splitlines()) < 1_500
        assert len(guard.said("serve")) < 300_000
        assert not guard.ended("serve")
        print("log", len(guard.said("serve").splitlines()), "memory", guard.memory("serve"), "cpu", guard.cpu("serve"))


FIRST = ("ready", "drop", "refuse", "dismiss", "alarm", "repair", "trouble", "warning", "release", "mode", "more", "socket")


def honest(peer, look=True):
    """Seconds until an honest order is carried out. `look`: it stands in the kernel; in a full gate another may take its place at once."""
    honest.count = getattr(honest, "count", 0) + 1
    target = f"100.200.{honest.count}.7"
    begun = time.monotonic()
    assert peer.order(target, until=1e10) == ["denied"]  # where there is no room, who would be let in soonest goes
    took = time.monotonic() - begun
    assert not look or target in denied()
    return took


def try_honest():
    try:
        with Peer(timeout=60) as peer:
            return honest(peer)
    except (OSError, EOFError):
        return 99.0


@live(needs=NEEDS, seconds=300)
def test_a_million_orders_do_not_take_the_gate_from_the_others_nor_what_the_admin_typed():
    with gate("[gate]\nlimit = 3000\n").start("serve") as guard:
        monzen("deny", "203.0.113.200", "--for", "10m")
        monzen("deny", "203.0.112.0/24", "--for", "1h")
        flood = subprocess.Popen(
            [sys.executable, "-c", FLOOD, str(Path(__file__).resolve().parent.parent.parent)], stdout=subprocess.PIPE, text=True)
        try:
            until(flooded, 300, what="the burst is over: it really is a flood")
            cpu = guard.cpu("serve"), time.monotonic()
            took = []
            with Peer("root", timeout=120.0) as peer:
                while time.monotonic() - cpu[1] < 15 or len(took) < 2:  # others are served
                    took.append(honest(peer, look=False))
                    assert holds("203.0.113.200", "203.0.112.0/24")
                    time.sleep(0.2)
            used = (guard.cpu("serve") - cpu[0]) / (time.monotonic() - cpu[1])
            assert flood.poll() is None
            assert flooded()
        finally:
            flood.kill()
            flood.wait()
        print("honest order in the flood: median", sorted(took)[len(took) // 2], "worst", max(took), "of", len(took), "cpu", used)
        assert holds("203.0.113.200", "203.0.112.0/24"), "what the admin typed, though it ends soonest"
        # what was sent before the end is carried out still, and a batch is denied before room is made for it
        until(lambda: len(denied()) <= 3000, what="no more than the limit")
        assert guard.memory("serve")[1] < 120
        assert len(guard.said("serve").splitlines()) < 4_500
        begun = time.monotonic()
        until(lambda: try_honest() < 20, what="all is as before")
        print("after it:", time.monotonic() - begun, "log", len(guard.said("serve").splitlines()), "memory", guard.memory("serve"))
        assert not guard.ended("serve")


def flooded():
    """Whether more was denied than is at once: asked twice a second, for each question is a message, too."""
    time.sleep(0.5)  # its callers ask again and again
    return status()["denied"] > 12_000


def status():
    """What the gate says of itself."""
    with Peer("root", greet=False, timeout=120.0) as peer:
        peer.say({"status": True})
        return peer.hear()["status"]


FLOOD = """
import sys, threading, time
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/src"]
from tests.lab.peer import Peer, row
until = time.time() + 3 * 86400
def flood(peer, first):
    number = 0
    while True:
        rows = []
        for n in range(100):
            value = first << 22 | number * 100 + n
            rows.append(row((f"{0x60000000 + value:08x}", 32), until=until + number, evidence=["y" * 300]))
        peer.ask("orders", rows)
        number += 1
for first in range(4):
    threading.Thread(target=flood, args=(Peer(timeout=600), first)).start()
"""


@live(needs=NEEDS, seconds=120)
def test_only_run_and_root_get_in_and_a_socket_that_is_gone_comes_back():
    with gate().start("serve") as guard:
        run("useradd --system --gid monzen --no-create-home other")
        for name in ("nobody", "daemon"):
            with contextlib.suppress(PermissionError):
                Peer(name)
                raise AssertionError(name)
        for _ in range(30):  # of the group, so the folder lets it through; the gate does not
            with contextlib.suppress(EOFError, OSError), Peer("other", timeout=1):
                raise AssertionError("somebody else")
        assert f"refuse peer uid={pwd_uid('other')}" in guard.said("serve")
        assert guard.said("serve").count("refuse peer") <= 60
        found = os.stat("/run/monzen")
        assert (found.st_uid, found.st_mode & 0o777) == (0, 0o750)
        assert os.stat(PATH).st_mode & 0o777 == 0o660
        as_run = ["setpriv", "--reuid=monzen", "--regid=monzen", "--init-groups", "sh", "-c"]
        for attempt in ("rm /run/monzen/gate.sock", "mv /run/monzen /run/x", "ln -s /etc/shadow /run/monzen/opened", "echo > /run/monzen/lock", "ls /var/lib/monzen", "echo armed > /var/lib/monzen/mode"):
            assert run([*as_run, attempt], check=False).returncode != 0, attempt
        with Peer() as peer:
            honest(peer)
            for damage in (lambda: os.unlink(PATH), lambda: shutil.rmtree("/run/monzen"), lambda: os.replace(bound("/run/monzen/other"), PATH), lambda: (os.unlink(PATH), Path(PATH).write_text("x"))):
                damage()
                until(lambda: try_honest() < 5, what="it can be reached again")
            honest(peer)  # and who was connected still is
        guard.stop("serve")
        assert not Path(PATH).exists()


def pwd_uid(name):
    import pwd

    return pwd.getpwnam(name).pw_uid


def bound(path):
    """A socket of somebody who is gone, at a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.bind(path)
    return path


class FalseGate:
    """What `run` takes for the gate, played by us."""

    def __init__(self):
        account()
        run("mkdir -p -m 750 /run/monzen; chgrp monzen /run/monzen; rm -f /run/monzen/gate.sock")
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(PATH)
        run(f"chgrp monzen {PATH}; chmod 660 {PATH}")
        self.door.listen(8)
        self.door.settimeout(60)
        self.peer = None

    def accept(self, greet=True, mode="armed"):
        """The next connection of `run`."""
        self.peer, _ = self.door.accept()
        self.peer.settimeout(60)
        assert json.loads(self.peer.recv(1 << 17))["hello"] == "run"
        if greet:
            self.say({"shield": [], "more": False}, {"releases": [], "more": False}, {"monzen": 1, "mode": mode, "private": False})

    def say(self, *messages):
        for message in messages:
            self.peer.send(message if isinstance(message, bytes) else json.dumps(message).encode())

    def hear(self):
        return json.loads(self.peer.recv(1 << 17))

    def orders(self, answer="denied"):
        """The networks of the next message of orders, which are answered like this."""
        while True:
            message = self.hear()
            rows = message.get("orders", [])
            self.say({"id": message["id"], "answers": [[answer, n + 1] for n in range(len(rows))]})
            if rows:
                return [str(ip_network((bytes.fromhex(r[0]), r[1]))) for r in rows]

    def close(self):
        self.peer.close()
        self.door.close()


@live(needs=NEEDS, seconds=240)
def test_a_gate_that_is_dead_hangs_or_lies_does_not_harm_run():
    from bench.guard import LOG, empty_log, synthetic
    from bench.guard import status as said

    def attack(first, count):
        with LOG.open("ab") as file:
            for number in range(first, first + count):
                synthetic(file, f"100.{number // 200 + 64}.{number % 200}.7", 100 + number)

    def reads(what):
        before = said(guard).get("events", 0)
        attack(reads.at, 1)
        reads.at += 1
        until(lambda: said(guard).get("events", 0) > before, what=what)

    reads.at = 5000
    empty_log()
    with Guard(SOURCES) as guard:
        guard.start("run")  # no gate at all
        attack(0, 2000)
        until(lambda: said(guard).get("waiting", 0) >= 2000, what="all of them wait")
        memory = guard.memory("run")[0]
        assert memory < 80
        gate = FalseGate()
        gate.accept()
        first = gate.orders()
        assert first[0] == "100.73.199.7/32", "the newest first"
        assert len(first) <= 100
        assert max(map(place, gate.orders())) < min(map(place, first)) <= place(first[0])
        gate.peer.close()  # dies in the middle of it
        gate.accept()
        seen = set(gate.orders())
        assert "100.73.199.7/32" in seen, "another gate has to hear of all again"
        reads("it reads while the gate says nothing")
        while len(seen) < 2001:
            seen.update(gate.orders())
        # -- it fails: asked again, a second later, not a thousand times a second
        attack(3000, 1)
        assert gate.orders("failed") == ["100.79.0.7/32"]
        begun = time.monotonic()
        assert gate.orders("failed") == ["100.79.0.7/32"]
        assert gate.orders("denied") == ["100.79.0.7/32"]
        assert time.monotonic() - begun > 1.0
        # -- it forgets half of its answers
        attack(3100, 1)
        message = gate.hear()
        gate.say({"id": message["id"], "answers": []})
        assert gate.orders() == ["100.79.100.7/32"]
        # -- it never ends to talk
        gate.peer.setblocking(False)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                gate.say({"shield": [["cb007100", 24]] * 1000, "more": True})
        gate.peer.close()
        reads("it reads after a flood from the gate")
        for lie in LIES[::2]:  # all of them: tests/guard/test_link.py
            until(lambda: accepted(gate), what="it comes back")
            gate.say(lie)
            with contextlib.suppress(ConnectionError):
                while gate.peer.recv(1 << 17):
                    pass
            gate.peer.close()
            assert not guard.ended("run"), lie
        reads("it reads after all the lies")
        gate.accept()
        assert gate.orders(), "and offers what it found"
        for strange in ({"id": 1 << 40, "alarms": []}, {}, {"hello": 1}, {"monzen": 1, "mode": "panic", "private": None}):
            gate.say(strange)
        reads("it reads on")
        assert not guard.ended("run")
        assert guard.memory("run")[1] < memory + 60
        print("memory", memory, guard.memory("run"), "log", len(guard.said("run").splitlines()))
        assert len(guard.said("run").splitlines()) < 300
        gate.close()


def place(target):
    """When an attacker came, by his address."""
    return list(ip_address(target.partition("/")[0]).packed)


def accepted(gate):
    try:
        gate.accept()
    except TimeoutError:
        return False
    return True
