"""What the gate does by the clock, and what `run` hears of it, without a kernel (`dry`): its own loop, with clocks that we move."""

import logging
import os
import select
from types import SimpleNamespace

import pytest

from monzen.config import Config, ConfigError
from monzen.gate.target import GateError
from monzen.guard import peers, rounds, serve, warden, wire
from monzen.guard.rounds import EVERY, LAPSE
from monzen.guard.serve import SILENT, Server
from monzen.ledger import Ledger, Order
from monzen.mode import Mode, write_mode
from monzen.settings import GateConfig
from tests.guard.test_room import Answers
from tests.lab.peer import row

NOW = 1_800_000_000.0
HOST, OTHER = bytes([203, 0, 113, 7]), bytes([203, 0, 113, 8])


@pytest.fixture
def gate(tmp_path, monkeypatch, caplog):
    """A server, armed, that has looked once; `config` is what it reads when it is told to; `peer` is a `run` that is connected."""
    caplog.set_level(logging.INFO)
    for folder in ("proc/net", "etc", "run/monzen", "var/lib/monzen"):
        os.makedirs(tmp_path / folder, mode=0o750)
    write_mode(Mode("armed", None, NOW, "test"), str(tmp_path))
    clock = SimpleNamespace(at=0.0)
    for module in (peers, rounds, serve, warden):
        monkeypatch.setattr(module.time, "monotonic", lambda: clock.at)
    made = SimpleNamespace(clock=clock, root=str(tmp_path), config=Config(gate=GateConfig(firewall="dry")), log=caplog)

    def load():
        if isinstance(made.config, Exception):
            raise made.config
        return made.config

    server = made.server = Server(made.config, load, root=made.root, user="nobody-at-all")
    server.warden.now = lambda: NOW + clock.at
    monkeypatch.setattr(server, "_stay_reachable", lambda poll: None)  # the door has its own tests
    server.rounds.apply("start")
    peer = peers.Peer(Answers(), 1000, 1)
    server.peers[99] = peer
    assert server._message(peer, {"monzen": wire.PROTOCOL, "hello": "run"})
    made.peer, made.said = peer, peer.connection.said
    made.ledger = Ledger.open(server.warden.path)
    second(made)
    made.said.clear()
    yield made
    made.ledger.close()
    with server.warden:
        pass


def second(gate, count=1.0):
    """So much later: what is done now and then, once."""
    gate.clock.at += count
    gate.server._now_and_then(select.poll())


def told(gate, what):
    """What `run` was told since, of this kind."""
    found = [row for message in gate.said for row in message.get(what, [])]
    gate.said.clear()
    return found


def order(gate, address=HOST):
    assert gate.server._message(gate.peer, {"id": 1, "orders": [row((address.hex(), 32), at=NOW + gate.clock.at, until=NOW + gate.clock.at + 600)]})
    return gate.said.pop()["answers"][0][0]


def test_who_is_released_is_told_to_run_within_a_second_and_once(gate):
    second(gate)
    assert gate.said == []
    gate.ledger.release([], NOW + 5.0, also=[(HOST, 32)])
    second(gate)
    assert told(gate, "releases") == [["cb007107", 32, NOW + 5.0]]
    gate.ledger.release([], NOW + 6.0, also=[(HOST, 32)])
    second(gate)
    assert told(gate, "releases") == [["cb007107", 32, NOW + 6.0]], "the same again is another"
    second(gate)
    assert gate.said == []


def test_who_is_shielded_is_told_to_run_within_a_second(gate):
    gate.ledger.allow("203.0.113.7", [(HOST, 32)], NOW)
    second(gate)
    assert ["cb007107", 32] in told(gate, "shield")
    gate.ledger.unallow("203.0.113.7", NOW)
    second(gate)
    (whole,) = [message["shield"] for message in gate.said if "shield" in message]
    assert ["cb007107", 32] not in whole
    assert gate.said[-1]["mode"] == "armed", "which ends each piece of news"


def test_another_mode_is_known_within_a_second(gate):
    assert order(gate) == "denied"
    write_mode(Mode("watch", None, NOW, "test"), gate.root)
    second(gate)
    assert [message["mode"] for message in gate.said] == ["watch"]
    assert order(gate, OTHER) == "watched"
    applied = gate.server.rounds.next
    write_mode(Mode("panic", None, NOW, "test"), gate.root)
    second(gate)
    assert gate.server.rounds.next == applied + 1.0, "compared at once"
    assert "mode is=panic was=watch" in gate.log.text


def test_what_failed_is_tried_again_in_seconds_and_said_once(gate, monkeypatch):
    real, failed = gate.server.warden.apply, []

    def fail(**_more):
        failed.append(gate.clock.at)
        raise GateError("the kernel is busy")

    monkeypatch.setattr(gate.server.warden, "apply", fail)
    for _ in range(int(EVERY + 5 * LAPSE)):
        second(gate)
    assert len(failed) == 6, "after a minute, then each few seconds"
    assert gate.log.text.count("the kernel is busy") == 1
    assert gate.server.status()["trouble"] == "the kernel is busy"
    monkeypatch.setattr(gate.server.warden, "apply", real)
    for _ in range(int(LAPSE) + 1):
        second(gate)
    assert gate.server.status()["trouble"] == ""


def test_orders_that_fail_are_answered_and_make_the_gate_look(gate, monkeypatch):
    def fail(_wanted):
        raise GateError("no table")

    monkeypatch.setattr(gate.server.warden, "follow", fail)
    assert order(gate) == "failed"
    assert gate.server.rounds.broken == "no table"
    assert gate.server.rounds.next <= gate.clock.at + LAPSE
    monkeypatch.undo()


def test_the_configuration_is_read_anew_and_one_that_is_wrong_is_not_taken(gate):
    gate.config = Config(gate=GateConfig(firewall="dry"), allow=((HOST, 32),))
    gate.server.reloading = True
    second(gate)
    assert order(gate) == "shielded"
    gate.config = ConfigError("line 3: no such key")
    gate.server.reloading = True
    second(gate)
    assert "configuration not reloaded" in gate.log.text
    assert order(gate) == "shielded", "the old one stands"
    assert order(gate, OTHER) == "denied"


def test_a_ledger_that_somebody_removed_or_replaced_is_opened_anew(gate):
    assert order(gate) == "denied"
    path = gate.server.warden.path
    with Ledger.open(path + "2") as other:
        other.impose([Order(OTHER, 32)], NOW)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    os.rename(path + "2", path)
    second(gate, EVERY)
    assert [e.network for e in gate.server.warden.ledger.active(NOW + gate.clock.at)] == [OTHER]
    assert order(gate) == "denied", "and written down there"
    with Ledger.open(path, readonly=True) as now:
        assert {e.network for e in now.active(NOW + gate.clock.at)} == {HOST, OTHER}


def test_a_damaged_ledger_is_rescued_by_the_gate_itself(tmp_path, monkeypatch, caplog):
    for folder in ("proc/net", "etc", "run/monzen", "var/lib/monzen"):
        os.makedirs(tmp_path / folder, mode=0o750)
    write_mode(Mode("armed", None, NOW, "test"), str(tmp_path))
    config = Config(gate=GateConfig(firewall="dry"))
    server = Server(config, lambda: config, root=str(tmp_path), user="nobody-at-all")
    with open(server.warden.path, "wb") as file:
        file.write(b"nothing like a database" * 400)
    os.chmod(server.warden.path, 0o640)
    with server.warden:
        server.rounds.apply("start")
        assert server.status()["trouble"] == ""
        assert server.status()["applied"]
        assert "ledger damaged, saving what can be read" in caplog.text
        assert [name for name in os.listdir(os.path.dirname(server.warden.path)) if ".damaged-" in name]
        server.warden.ledger.impose([Order(HOST, 32)], NOW)


def test_a_clock_that_was_ahead_is_mended_by_the_next_look(gate):
    year = 366 * 86_400.0
    gate.ledger.impose([Order(HOST, 32, until=NOW + year, sentence=3600.0, origin="run"), Order(OTHER, 32, until=NOW + year)], NOW)
    second(gate, EVERY)
    assert {e.network: e.until for e in gate.ledger.active(NOW)} == {HOST: NOW + gate.clock.at + 3600.0, OTHER: NOW + year}


@pytest.mark.parametrize("message", [{"id": 1, "orders": [["cb007107", 32, NOW, NOW + 600, 600.0, "names", 1, 9, 3, "", []]]}, {"id": 1, "alarms": [[NOW, "breach", "x"]]}])
def test_who_did_not_greet_is_not_heard(gate, message):
    stranger = peers.Peer(Answers(), 1000, 2)
    with pytest.raises(wire.WireError, match="no greeting"):
        gate.server._message(stranger, message)
    assert gate.server._message(gate.peer, message), "who did, is"
    assert len(gate.ledger.active(NOW)) + len(gate.ledger.alarms()) == 1


def test_who_says_nothing_goes_and_who_greeted_stays(gate):
    silent = peers.Peer(Answers(), 1000, 2)
    silent.connection.close = lambda: silent.connection.said.append("closed")
    gate.server.peers[98] = silent
    for _ in range(int(SILENT)):
        second(gate)
    assert set(gate.server.peers) == {98, 99}
    second(gate)
    assert set(gate.server.peers) == {99}
    assert silent.connection.said[-1] == "closed"
