"""A day of a `run` that was taken over: how large the ledger can grow. The gate's own loop, with a clock that we move."""

import os
import time
from types import SimpleNamespace

import pytest

from monzen.config import Config
from monzen.guard import peers, serve, wire
from monzen.guard.serve import Server
from monzen.ledger import Limits
from monzen.mode import Mode, write_mode
from monzen.settings import GateConfig
from tests.lab.peer import row

DAY = 86_400
START = 1_800_000_000.0
LIMITS = Limits(evidence_bytes=1 << 20, ended_most=2_000, alarms_most=500, past_most=1_000)


@pytest.fixture
def clock(monkeypatch):
    """Both clocks: seconds since the start."""
    now = SimpleNamespace(at=0.0)
    monkeypatch.setattr(peers.time, "monotonic", lambda: now.at)
    monkeypatch.setattr(time, "time", lambda: START + now.at)
    return now


@pytest.fixture
def gate(tmp_path, clock):
    """A server that denies nobody in a kernel (`dry`), in a folder of its own."""
    for folder in ("proc/net", "etc", "run/monzen", "var/lib/monzen"):
        os.makedirs(tmp_path / folder, mode=0o750)
    write_mode(Mode("armed", None, START, "test"), str(tmp_path))
    config = Config(gate=GateConfig(firewall="dry", limit=5_000), ledger=LIMITS)
    server = Server(config, lambda: config, root=str(tmp_path), user="nobody-at-all")
    server.warden.now = lambda: START + clock.at
    yield server
    with server.warden:
        pass


class Answers:
    """A connection that takes all that is said."""

    def __init__(self):
        self.said = []

    def fileno(self):
        return 99

    def send(self, data):
        self.said.append(wire.unpacked(data))


def size(server):
    folder = os.path.dirname(server.warden.path)
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


@pytest.mark.slow
def test_a_day_of_orders_evidence_and_alarms_fills_no_disk(gate, clock, caplog):
    """Each hour: as many messages as the gate takes of it, each of them as large as can be; and then what the gate does each minute."""
    caplog.set_level("INFO")
    peer = peers.Peer(Answers(), 1000, 1)
    peer.greeted = True
    number, sizes, refused = 0, [], 0
    for hour in range(24):
        for _burst in range(2):
            for _ in range(8):  # 100 orders with 50 kB of lines, of networks that were never seen
                rows = []
                for n in range(100):
                    value = 0x60000000 + number * 100 + n
                    rows.append(row((f"{value:08x}", 32), at=START + clock.at, until=START + clock.at + 1800, note="n" * 60, evidence=[f"{value} ".ljust(390, "y")]))
                number += 1
                assert gate._message(peer, {"id": number, "orders": rows})
                assert peer.pending is None
            for n in range(200):
                assert gate._message(peer, {"id": n, "alarms": [[START + clock.at + n, "breach", f"{hour} {n} ".ljust(400, "z")]]})
            clock.at += 1800
            gate.rounds.apply("time")
        sizes.append(size(gate))
    counts = gate.warden.ledger.counts(START + clock.at)
    refused = gate.counts["denied"]
    print("bytes", sizes[0], max(sizes), sizes[-1], counts, "denied", refused, "log", len(caplog.messages))
    assert gate.counts["denied"] > 30_000
    assert max(sizes) < 9 << 20, "with the usual limits ten to a hundred times that"
    assert max(sizes[12:]) < 1.1 * max(sizes[:12]), "it does not grow"
    assert counts.evidence_bytes <= LIMITS.evidence_bytes + (1 << 20), "what came since the last look is a minute's allowance"
    assert counts.ended <= LIMITS.ended_most + 1_600
    assert counts.alarms <= LIMITS.alarms_most
    assert gate.counts["alarms"] <= serve.ALARMS[1] + serve.ALARMS[0] * DAY + 1
    assert len(caplog.messages) < 6_000 + 24 * 3_600


def test_of_more_evidence_than_a_minute_may_have_the_orders_count_and_the_lines_are_left_out(gate, clock):
    peer = peers.Peer(Answers(), 1000, 1)
    peer.greeted = True

    def attack(first, messages):
        for number in range(first, first + messages):
            rows = [row((f"{0x60000000 + number * 100 + n:08x}", 32), at=START + clock.at, until=START + clock.at + 1800, evidence=[f"{n:03d}".ljust(400, "y")]) for n in range(100)]
            assert gate._message(peer, {"id": number, "orders": rows})
            assert {what for what, _number in peer.connection.said[-1]["answers"]} == {"denied"}
        return gate.warden.ledger.counts(START + clock.at)

    counts = attack(0, 26)
    assert (counts.active, counts.evidence_bytes) == (2600, 26 * 40_000), "a mebibyte is not reached yet"
    counts = attack(26, 14)
    assert counts.active == 4000
    assert serve.EVIDENCE - 400 < counts.evidence_bytes <= serve.EVIDENCE
    clock.at += 6.0
    assert attack(40, 3).evidence_bytes - counts.evidence_bytes == pytest.approx(serve.EVIDENCE / 10, abs=400)


def test_alarms_that_are_known_cost_nothing_and_none_is_lost_until_there_are_very_many(gate, clock):
    peer = peers.Peer(Answers(), 1000, 1)
    peer.greeted = True
    rows = [[START, "breach", f"user {n}"] for n in range(100)]
    for _ in range(10):  # `run` was started ten times, and tells all of its last day again
        gate._message(peer, {"id": 1, "alarms": rows})
        clock.at += 1
    assert gate.counts["alarms"] == 100
    assert len(gate.warden.ledger.alarms()) == 100
    gate._message(peer, {"id": 1, "alarms": [[9e10, "breach", "from the future"]]})
    (newest, *_) = gate.warden.ledger.alarms()
    assert (newest.text, newest.at) == ("from the future", START + clock.at)


def test_a_hint_of_a_leak_is_followed_now_and_then(gate, clock):
    peer = peers.Peer(Answers(), 1000, 1)
    peer.greeted = True
    looks = 0
    gate.rounds.next = clock.at + 1e9
    for n in range(3000):
        gate._message(peer, {"id": n, "alarms": [[START, "leak", f"{n}"]]})
        clock.at += 0.1
        if clock.at >= gate.rounds.next:
            looks += 1
            gate.rounds.next = clock.at + 1e9
    assert 15 <= looks <= 22


def test_words_of_the_configuration_in_any_language_fit_into_an_answer(gate):
    """Refused for a long reason, a hundred times: the answer is read by `run`."""
    peer = peers.Peer(Answers(), 1000, 1)
    peer.greeted = True
    gate._message(peer, {"id": 1, "orders": [row(f"127.0.0.{n + 1}", at=START, until=START + 60) for n in range(100)]})
    (said,) = peer.connection.said
    assert len(wire.packed(said)) < 4096
    assert [wire.answer_of(a) for a in said["answers"]] == [("shielded", 0)] * 100
