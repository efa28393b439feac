"""Looked at while it is written and rotated, a log gives the facts of `monzen report`; who is near a denial is said; who may
not read it hears why."""

import datetime as dt
import json
import os
import random
import time
from zlib import crc32

import pytest

from bench.generate import mail_log
from bench.writer import Options as LogOptions
from monzen.gated import of_gate
from monzen.judge.policy import Policy, frugal
from monzen.ledger import LEDGER, Ledger, Order
from monzen.looking import ASKED, Live, followable
from monzen.mode import Mode, write_mode
from monzen.settings import Sources
from monzen.verbs.report import values
from tests.guard.crash import Writer
from tests.test_why import monzen

POLICY = frugal(Policy())
START = dt.datetime(2026, 9, 4, 10, tzinfo=dt.UTC)
OF_FILES = ("inputs", "compare")


def looking(*paths, **more):
    files = tuple(str(p) for p in paths)
    return Live(POLICY, Sources(files, False), dt.UTC, **{"ledger": False, **more})


def lines(*said):
    """Messages, each with its second behind the first."""
    return "".join(f"{(START + dt.timedelta(seconds=at)).isoformat()} mail {text}\n" for at, text in said)


def failed(name, client, pid=7):
    return f"dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{name}>, method=PLAIN, rip={client}, lip=192.0.2.1, session=<{client}{crc32(name.encode())}{pid}>"


def all_of(live, now):
    while live.turn(now) or not live.caught_up:
        pass


def facts(live, names=True):
    """As `monzen report --json` prints them, less what it says of the files themselves."""
    said = json.loads(json.dumps(values(live.facts(names=names))))
    return {key: value for key, value in said.items() if key not in OF_FILES}


def reported(path):
    done = monzen("report", str(path), "--json", "--names", "--compare", "none")
    assert done.returncode == 0, done.stderr
    return {key: value for key, value in json.loads(done.stdout).items() if key not in OF_FILES}


@pytest.mark.parametrize("seed", range(3))
def test_piece_by_piece_and_rotated_is_the_report(tmp_path, seed):
    text = [line.encode() for _attack, line in mail_log(LogOptions(lines=6000, seed=seed, attack_fraction=0.6))]
    whole = tmp_path / "whole" / "mail.log"
    whole.parent.mkdir()
    whole.write_bytes(b"".join(text))
    wanted = reported(whole)
    assert wanted["attempts"] > 500
    assert wanted["targets"]
    folder = tmp_path / "live"
    folder.mkdir()
    rng = random.Random(seed)
    writer = Writer(folder, text, rng)
    writer.write(50_000)
    live = looking(folder / "mail.log")
    newest = whole.stat().st_mtime
    while not writer.done:
        for _ in range(rng.randrange(4)):
            live.turn(newest)
        writer.write(20_000)
        if rng.random() < 0.1:
            writer.rotate()
            all_of(live, newest)
    assert writer.rotations
    # what a follower waits for before it looks for another file is a second of its own clock
    for stream in live.followed.files:
        stream._clock = lambda: time.monotonic() + 3600
    all_of(live, newest)
    live.settle()
    found = facts(live)
    assert found == wanted
    live.close()


def test_a_line_is_there_at_once(tmp_path):
    log = tmp_path / "mail.log"
    log.write_text(lines((0, failed("info", "203.0.113.7"))))
    live = looking(log)
    all_of(live, START.timestamp() + 60)
    live.settle()
    assert [e.fact.client for e, _denied in live.chronicle.latest] == [bytes([203, 0, 113, 7])]
    assert live.filenos()
    with log.open("a") as file:
        file.write(lines((60, failed("office", "203.0.113.9"))))
    assert live.turn(START.timestamp() + 60)
    live.settle()
    assert len(live.chronicle.latest) == 2
    assert sum(live.chronicle.minutes.values()) == 2
    live.close()


def test_how_near(tmp_path):
    """Nearest first: two names of three, one of three, two of three neighbours; not who is denied, a user, or never denied."""
    log = tmp_path / "mail.log"
    said = [(n, "dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.40, lip=192.0.2.1, mpid=7, session=<x>") for n in range(1)]
    said += [(10, failed("alice", "192.0.2.40"))]
    said += [(20 + n, failed(name, "203.0.113.1")) for n, name in enumerate(("anna", "berta"))]
    said += [(30 + n, failed(name, "203.0.113.2")) for n, name in enumerate(("carla", "doris"))]
    said += [(40 + n, failed(name, "198.51.100.7")) for n, name in enumerate(("emil", "fritz", "gustav", "heinz"))]
    said += [(50 + n, failed(name, "10.0.0.7")) for n, name in enumerate(("ida", "jakob", "karl"))]
    log.write_text(lines(*said))
    live = looking(log)
    all_of(live, START.timestamp() + 90)
    live.settle()
    found = live.suspects()
    assert [(s.target, s.bits) for s in found] == [(bytes((203, 0, 113)), 24), (bytes((203, 0, 113, 2)), 32), (bytes((203, 0, 113, 1)), 32)]
    network, client, _other = found
    assert [(d.rule, d.have, d.need) for d in network.distances] == [("crowd", 2, 3), ("slow_crowd", 2, 3)]
    assert network.clients == 2
    assert network.attempts == 4
    assert client.near == 0.5  # two unlike names of four; the log does not say that nobody has them
    assert [(s.target, s.bits) for s in live.suspects(1)] == [(bytes((203, 0, 113)), 24)]
    live.close()


def test_many_are_bounded_and_soon_told(tmp_path):
    log = tmp_path / "mail.log"
    said = []
    for n in range(5000):
        client = f"10{n % 9}.{n // 250 % 250}.{n % 250}.7"
        said += [(n, failed("anna", client, 1)), (n, failed("anna", client, 2))]
    log.write_text(lines(*said))
    live = looking(log)
    all_of(live, START.timestamp() + 9000)
    live.settle()
    start = time.process_time()
    found = live.suspects()
    assert time.process_time() - start < 0.5
    assert len(found) == 100
    assert len(live.suspects(10_000)) <= 2 * ASKED
    live.close()


def test_what_the_gate_did(tmp_path):
    """Mode and denials come from the ledger, anew when somebody wrote it; who was released counts no more."""
    log = tmp_path / "mail.log"
    log.write_text(lines(*((n, failed(name, "203.0.113.1")) for n, name in enumerate(("anna", "berta")))))
    now = time.time()
    write_mode(Mode("armed", None, now), str(tmp_path))
    path = tmp_path / LEDGER
    with Ledger.open(str(path)) as ledger:
        ledger.impose([Order(bytes((198, 51, 100, 0)), 24, until=now + 3600)], now)
    live = Live(POLICY, Sources(("/mail.log",), False), dt.UTC, root=str(tmp_path))
    all_of(live, START.timestamp() + 9000)
    live.settle()
    said = live.facts(names=False)
    assert said["mode"] == "armed"
    assert [d["target"] for d in said["gate"]["now"]] == ["198.51.100.0/24"]
    told = of_gate(0.0, time.time(), str(tmp_path))._asdict()
    assert {k: v for k, v in said["gate"].items() if k != "now"} == {k: v for k, v in told.items() if k != "now"}
    assert [s.target for s in live.suspects()] == [bytes((203, 0, 113, 1))]
    with Ledger.open(str(path)) as ledger:
        ledger.release({e.number for e in ledger.active(now)}, now + 1, "", "", [(bytes((203, 0, 113, 1)), 32)])
        ledger.allow("192.0.2.0/24", [(bytes((192, 0, 2, 0)), 24)], now, name=False)
    live.look(time.time())
    assert live.gate.now == []
    assert live.suspects() == []
    assert live.judge.shield.covers(bytes((192, 0, 2, 9)))
    live.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_who_may_not_read_hears_it(tmp_path):
    log = tmp_path / "mail.log"
    log.write_text("x\n")
    log.chmod(0)
    live = looking(log)
    live.turn()
    assert any("mail.log" in words for words in live.troubles())
    live.close()


def test_what_is_not_there_is_told(tmp_path):
    live = looking(tmp_path / "mail.log")
    live.turn()
    assert len(live.troubles()) == 1
    assert "mail.log" in live.troubles()[0]
    (tmp_path / "mail.log").write_text("x\n")
    assert live.troubles() == []
    live.close()


def test_what_a_log_was_rotated_to_is_followed_with_it():
    folder = "/var/log/"
    given = [folder + n for n in ("mail.log", "mail.log.1", "mail.log.2.gz", "auth.log", "mail.log")]
    assert followable(given) == (folder + "mail.log", folder + "auth.log")
    assert followable([folder + "mail.log.1"]) == (folder + "mail.log.1",)
