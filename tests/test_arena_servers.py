"""The simulator's four servers, one by one: of every client how often it failed, logged in, was refused, and met an outage.

tests/test_arena_join.py asks the same of all servers together. A module that the simulator loads (--plugin) writes the server beside
each attempt of its truth; the log is the same.
"""

import json
import subprocess
import sys
from collections import Counter

import pytest

from monzen.parse.address import text
from monzen.parse.clock import Clock
from monzen.parse.join import Joiner
from monzen.parse.reader import Reader
from monzen.types import Kind, Service, Weight

START, DAYS = 1791158400, 2  # 2026-10-05, the simulator's own default
PLUGIN = """
import json, sys
import world

def attempt(self, t, client, outcome, service, kind):
    names = sys._getframe(1).f_locals
    host = names.get("host") or getattr(names.get("session") or names.get("self"), "host")
    record = {"t": int(t), "addr": client.addr, "outcome": outcome, "service": service, "kind": kind, "host": host.name}
    self.world.journal.attempt(t, json.dumps(record) + chr(10))

world.Scene.attempt = attempt
"""
KINDS = {
    "login": (Kind.AUTH_SUCCESS,),
    "relay": (Kind.RELAY_DENIED,),
    "rcpt": (Kind.RECIPIENT_UNKNOWN,),
    "outage": (Kind.AUTH_OUTAGE,),
}
LATE = 1200  # seconds before the end: of who tries then some lines may not be written


def blocks(log):
    """A log in blocks of whole lines, as the sources give it."""
    at = 0
    while at < len(log):
        end = log.rfind(b"\n", at, at + 65536) + 1
        yield log[at:end]
        at = end


@pytest.fixture(scope="module", params=[("2.3", "traditional"), ("2.4", "rfc3339"), ("2.3", "rfc3339"), ("2.4", "traditional")], ids="-".join)
def arena(request, shared, tmp_path_factory):
    """(truth, what was counted), by server, client, kind of attempt and service."""
    folder = tmp_path_factory.mktemp("arena")
    (folder / "hosts.py").write_text(PLUGIN)
    dovecot, stamps = request.param
    simulate = [sys.executable, "-B", str(shared / "arena/simulate.py"), "--seed", "5", "--days", str(DAYS), "--plugin", str(folder / "hosts.py")]
    subprocess.run([*simulate, "--dovecot", dovecot, "--stamps", stamps, "--out", str(folder)], check=True, capture_output=True)
    truth, late = Counter(), set()
    for line in (folder / "truth.jsonl").read_text().splitlines():
        said = json.loads(line)
        # the silent outage is outcome `outage`, kind `auth`: the log shows ordinary failures
        truth[said["host"], said["addr"], "fail" if said["kind"] == "auth" else said["kind"], said["service"]] += 1
        if said["t"] > START + DAYS * 86400 - LATE:
            late.add((said["host"], said["addr"]))
    reader, joiner, events = Reader(Clock(START + DAYS * 86400.0)), Joiner(), []
    for block in blocks((folder / "mail.log").read_bytes()):
        events += joiner.join(reader.read(block))
    events += joiner.wait_until(float("inf"))
    counted = Counter()
    for event in events:
        fact = event.fact
        kinds = [name for name, some in KINDS.items() if fact.kind in some and fact.client]
        if fact.kind in (Kind.AUTH_FAILURE, Kind.AUTH_DETAIL) and fact.weight == Weight.STRONG:
            kinds = ["fail"]
        host = event.line.split()[3 if stamps == "traditional" else 1].decode()
        for kind in kinds:
            counted[host, text(fact.client), kind, Service(fact.service).name.lower()] += event.attempts
    assert reader.suspects == 0
    return truth, counted, late


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["fail", *KINDS])
def test_every_client_of_every_server(arena, kind):
    truth, counted, late = arena
    want, got = Counter(), Counter()
    for table, of in ((want, truth), (got, counted)):
        for (host, client, what, _), times in of.items():
            if what == kind and (host, client) not in late:
                table[host, client] += times
    assert sum(want.values()) > 90
    assert {k: (want[k], got[k]) for k in want | got if want[k] != got[k]} == {}


@pytest.mark.shared
def test_every_door(arena):
    """By which door: known, but where auth alone spoke of a guess within the time that a login line is waited for (`other`)."""
    truth, counted, late = arena
    for (host, client, kind, service), times in counted.items():
        if kind in ("fail", *KINDS) and service != "other" and (host, client) not in late:
            assert times <= truth[host, client, kind, service], (host, client, kind, service)
    unknown = sum(times for (_, _, kind, service), times in counted.items() if kind == "fail" and service == "other")
    assert unknown < 0.02 * sum(times for (_, _, kind, _), times in counted.items() if kind == "fail")
