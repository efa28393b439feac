"""What systemd hears: at a path, at an abstract address, or nobody does."""

import os
import socket

import pytest

from monzen.guard import notify as module
from monzen.guard.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path, monkeypatch):
    """A socket as systemd has it."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@monzen-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.bind("\0" + address[1:] if address.startswith("@") else address)
        to.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield to


def heard(to):
    found = []
    while True:
        try:
            found += to.recv(4096).decode().split("\n")
        except BlockingIOError:
            return found


def test_what_is_said_is_heard_and_children_do_not_say_it(systemd):
    notify = Notify()
    assert "NOTIFY_SOCKET" not in os.environ
    notify.say("READY=1", "MAINPID=7")
    assert heard(systemd) == ["READY=1", "MAINPID=7"]


def test_signs_of_life_at_half_of_the_time_and_a_status_when_it_changes(systemd, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    notify = Notify()
    notify.alive("armed")
    assert heard(systemd) == ["WATCHDOG=1", "STATUS=armed"]
    notify.alive("armed")
    now[0] += 9.9
    notify.alive("armed")
    assert heard(systemd) == []
    now[0] += 0.2
    notify.alive("watch")
    assert heard(systemd) == ["WATCHDOG=1", "STATUS=watch"]


@pytest.mark.parametrize("usec", ["", "x", "-5", "0"])
def test_no_watchdog_is_asked_for(systemd, monkeypatch, usec):
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    notify = Notify()
    notify.alive()
    assert heard(systemd) == []


def test_without_systemd_or_when_it_is_gone_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    assert Notify().every == 0.0
    Notify().alive("x")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Notify().alive("x")


def test_a_systemd_that_does_not_read_stops_nobody(systemd):
    notify = Notify()
    for number in range(20_000):
        notify.say(f"STATUS={number}")
    assert heard(systemd)
