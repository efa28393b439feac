"""Host names of the configuration at the gate: asked for when needed, remembered, and not asked for all the time."""

import os
from types import SimpleNamespace

import pytest

from monzen import gatehouse
from monzen.config import Config
from monzen.keeper import Keeper
from monzen.ledger import Order
from monzen.settings import GateConfig

HOME = bytes([198, 51, 100, 7])


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A root folder, what the name servers answer, how often they were asked, and both clocks."""
    for folder in ("proc/net", "etc", "run/monzen", "var/lib/monzen"):
        os.makedirs(tmp_path / folder, mode=0o750)
    world = SimpleNamespace(answers={"home.example": [(HOME, 32)]}, asked=[], at=1_800_000_000.0, root=str(tmp_path))

    def resolve(names):
        world.asked += names
        return {n: world.answers[n] for n in names if n in world.answers}

    monkeypatch.setattr(gatehouse, "resolve_apart", resolve)
    monkeypatch.setattr(gatehouse.time, "monotonic", lambda: world.at)
    return world


def keeper(world):
    config = Config(names=("home.example", "gone.example"), gate=GateConfig(firewall="dry"))
    return Keeper(config, root=world.root, actor="test", now=lambda: world.at)


def refused(keeper, address=HOME):
    return bool(keeper.deny([Order(address, 32)], dry=True)[0].refused)


def test_a_name_of_the_configuration_is_never_denied_and_its_last_good_answer_stands(world):
    with keeper(world) as k:  # who only looks asks, too, and writes nothing down
        assert refused(k)
        assert not refused(k, bytes([198, 51, 100, 8]))
        assert not os.path.exists(k.path)
        k.deny([Order(bytes([203, 0, 113, 9]), 32)])  # a change does
    world.answers.clear()
    with keeper(world) as k:  # another process, with a name server that is down
        assert refused(k)
    with keeper(world) as k:
        world.at += 700
        k.apply()
        assert refused(k)
        world.answers["home.example"] = [(bytes([198, 51, 100, 8]), 32), (bytes(15) + b"\7", 128)]
        world.at += 400
        k.apply()
        assert not refused(k)
        assert refused(k, bytes([198, 51, 100, 8]))


def test_a_name_that_nobody_knows_is_asked_for_now_and_then(world):
    with keeper(world) as k:
        for _ in range(60):  # an hour
            k.apply()
            world.at += 60
    assert 10 <= world.asked.count("gone.example") <= 13
    assert 5 <= world.asked.count("home.example") <= 7
