"""The gate's socket: where it may stand, whose it is, and that there is one."""

import contextlib
import os
import socket
import stat

import pytest

from monzen.gate.target import GateError
from monzen.guard.door import Door


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run/monzen/gate.sock")


@contextlib.contextmanager
def opened(path):
    door = Door(path, -1)
    door.open()
    try:
        yield door
    finally:
        door.close()


def connects(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        try:
            one.connect(path)
        except OSError:
            return False
        return True


def test_nobody_else_may_write_its_folder_nor_connect(path):
    with opened(path):
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o750
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert connects(path)
    assert not os.path.exists(path)
    for mode in (0o770, 0o757):
        os.chmod(os.path.dirname(path), mode)
        with pytest.raises(GateError, match="may be written by others"):
            Door(path, -1).open()
    os.chmod(os.path.dirname(path), 0o750)
    os.rename(os.path.dirname(path), os.path.dirname(path) + "-real")
    os.symlink(os.path.dirname(path) + "-real", os.path.dirname(path))
    with pytest.raises(GateError, match="may be written by others"):
        Door(path, -1).open()


def test_one_gate_at_a_time_and_what_another_left_is_no_gate(path):
    with opened(path) as first:
        with pytest.raises(GateError, match="another monzen gate serve is at work"):
            Door(path, -1).open()
        assert first.intact
        assert connects(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as killed:
        killed.bind(path)
    with opened(path):
        assert connects(path)
    for left in (lambda: open(path, "x").close(), lambda: os.symlink("/etc/hosts", path)):
        left()
        with opened(path) as door:
            assert connects(path)
            assert door.intact
    assert os.path.exists("/etc/hosts")


def test_a_socket_that_somebody_took_is_known_and_that_of_another_gate_is_left(path):
    with opened(path) as first:
        os.unlink(path)
        assert not first.intact
        with opened(path) as second:
            assert not first.intact
            first.close()
            assert second.intact
            assert connects(path)
