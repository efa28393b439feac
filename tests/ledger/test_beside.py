"""A look and a change in one process, beside another one that writes, and after one that was killed."""

import os
import signal
import time

import pytest

from monzen.config import Config
from monzen.keeper import Keeper
from monzen.ledger import LEDGER, Ledger
from monzen.settings import GateConfig
from tests.ledger.made import NOW, A, B, order


@pytest.fixture(params=["writes", "killed", "ended"])
def root(request, tmp_path):
    """Where another process has the ledger open, was killed while it had, or has closed it."""
    path = str(tmp_path / LEDGER)
    os.makedirs(os.path.dirname(path), mode=0o750)
    out, into = os.pipe()
    child = os.fork()
    if not child:
        ledger = Ledger.open(path)
        ledger.impose([order(A)], NOW)
        if request.param == "ended":
            ledger.close()
        os.write(into, b"open")
        time.sleep(600)  # it is killed long before
    assert os.read(out, 4) == b"open"
    os.close(out)
    os.close(into)
    if request.param == "killed":
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert os.path.getsize(path + "-wal")
    yield str(tmp_path)
    if request.param != "killed":
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_who_looked_may_write_then(root):
    with Keeper(Config(gate=GateConfig(firewall="dry")), root=root, actor="test", now=lambda: NOW) as keeper:
        assert [e.network for e in keeper.ledger.active(NOW)] == [A]
        keeper.writes()
        keeper.ledger.note("digest", "1")
        assert [e.network for e in keeper.ledger.active(NOW)] == [A]
        keeper.deny([order(B)])
    with Ledger.open(os.path.join(root, LEDGER), readonly=True) as ledger:
        assert ledger.noted("digest") == "1"
        assert {e.network for e in ledger.active(NOW)} == {A, B}


def test_another_thread_looks_while_one_writes(root):
    """As in a process that shows what there is, and notes something meanwhile."""
    path = os.path.join(root, LEDGER)
    with Ledger.open(path) as ledger:
        with Ledger.open(path, readonly=True) as other:
            ledger.impose([order(B)], NOW)
            assert A in {e.network for e in other.active(NOW)}
        ledger.note("digest", "2")
    with Ledger.open(path, readonly=True) as ledger:
        assert (ledger.noted("digest"), {e.network for e in ledger.active(NOW)}) == ("2", {A, B})


@pytest.mark.parametrize("root", ["writes", "ended"], indirect=True)
def test_one_that_is_open_to_be_read_is_no_hindrance(root):
    path = os.path.join(root, LEDGER)
    with Ledger.open(path, readonly=True) as ledger:
        assert [e.network for e in ledger.active(NOW)] == [A]
        with Ledger.open(path) as other:
            other.impose([order(B)], NOW)
        assert A in {e.network for e in ledger.active(NOW)}
