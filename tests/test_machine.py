"""This machine's addresses, gateways and resolvers, from files as Linux writes them; and names, never asked of the network."""

import socket
import sys
import threading
from ipaddress import ip_address

import pytest

from monzen import machine

TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.25
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
"""
ROUTE = "Iface\tDestination\tGateway \tFlags\n" + "eth0\t00000000\t{}\t0003\n" + "eth0\t000200C0\t00000000\t0001\n"
ROUTE6 = (
    "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
)


@pytest.fixture
def root(tmp_path):
    gateway = ip_address("192.0.2.1").packed
    files = {
        "proc/net/fib_trie": TRIE * 2,
        "proc/net/if_inet6": "20010db8000000000000000000000025 02 40 00 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n",
        "proc/net/route": ROUTE.format((gateway if sys.byteorder == "big" else gateway[::-1]).hex().upper()),
        "proc/net/ipv6_route": ROUTE6,
        "etc/resolv.conf": "# made by hand\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\noptions edns0\nnameserver\nnameserver x\n",
        "run/systemd/resolve/resolv.conf": "nameserver 198.51.100.53\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return str(tmp_path)


def shown(packed):
    return [str(ip_address(p)) for p in packed]


def test_what_it_is_and_needs(root):
    assert shown(dict.fromkeys(machine.addresses(root))) == ["127.0.0.1", "192.0.2.25", "2001:db8::25", "::1"]
    assert shown(p for p in machine.gateways(root) if any(p)) == ["192.0.2.1", "fe80::1"]
    assert shown(machine.resolvers(root)) == ["127.0.0.53", "fe80::1", "198.51.100.53"]
    assert shown(p for p, bits in machine.prefixes(root) if bits == 32) == ["127.0.0.1", "192.0.2.25", "192.0.2.1", "127.0.0.53", "198.51.100.53"]


def test_nothing_there_is_nothing(tmp_path):
    assert machine.prefixes(str(tmp_path)) == []


def test_odd_files_are_passed_over(root, tmp_path):
    for name in ("proc/net/fib_trie", "proc/net/if_inet6", "proc/net/route", "proc/net/ipv6_route", "etc/resolv.conf"):
        (tmp_path / name).write_bytes(b"\xff\xfe zz |-- /32 host LOCAL\n|--\n   /32 host LOCAL\n" * 3)
    assert shown(p for p, _ in machine.prefixes(root)) == ["198.51.100.53"]


def test_localhost():
    found, unknown = machine.resolve(("localhost",))
    assert unknown == []
    assert any(ip_address(p).is_loopback for p, _ in found)


def test_a_resolver_that_is_down_does_not_keep_anybody(monkeypatch):
    answers = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.wait(600) and [])
    assert machine.resolve(("a.example.org", "b.example.org"), 0.05) == ([], ["a.example.org", "b.example.org"])
    assert not answers.is_set(), "neither was waited for"
    answers.set()
