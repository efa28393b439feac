"""Who is connected to a port of ours: as the kernel's tables say it, and as they are."""

import os
import random
import socket
import sys
from ipaddress import ip_address

import pytest

from monzen.sockets import ESTABLISHED, peers_at, sockets

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def end(address, port):
    packed = ip_address(address).packed
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    return "".join((w[::-1] if sys.byteorder == "little" else w).hex().upper() for w in words) + f":{port:04X}"


def row(number, local, peer, state):
    return f"{number:4d}: {end(*local)} {end(*peer)} {state:02X} 00000000:00000000 00:00000000 00000000     0        0 {1000 + number} 1 0 100 0 0 10 0\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc/net").mkdir(parents=True)

    def write(rows4, rows6=()):
        (tmp_path / "proc/net/tcp").write_text(HEAD + "".join(row(n, *r) for n, r in enumerate(rows4)))
        (tmp_path / "proc/net/tcp6").write_text(HEAD + "".join(row(n, *r) for n, r in enumerate(rows6)))
        return str(tmp_path)

    return write


def test_peers_of_our_ports_and_nobody_else(root):
    us, us6 = ("198.51.100.10", 22), ("2001:db8:1::10", 22)
    where = root(
        [
            (("0.0.0.0", 22), ("0.0.0.0", 0), 10),
            (us, ("192.0.2.130", 40000), ESTABLISHED),
            (us, ("192.0.2.131", 40000), 3),  # SYN_RECV: nobody yet
            (us, ("192.0.2.132", 22), 6),  # TIME_WAIT
            (("198.51.100.10", 40001), ("192.0.2.133", 22), ESTABLISHED),  # we are the client
            (("198.51.100.10", 2222), ("192.0.2.134", 5), ESTABLISHED),
            (("198.51.100.10", 25), ("192.0.2.135", 22), ESTABLISHED),
            (us, ("192.0.2.130", 40001), ESTABLISHED),
        ],
        [(us6, ("2001:db8:ad::130", 50000), ESTABLISHED), (("::ffff:198.51.100.10", 22), ("::ffff:192.0.2.136", 1), ESTABLISHED)],
    )
    seen = [str(ip_address(p)) for p in peers_at([22], where)]
    assert seen == ["192.0.2.130", "2001:db8:ad::130", "192.0.2.136"]
    assert [str(ip_address(p)) for p in peers_at([2222, 25], where)] == ["192.0.2.134", "192.0.2.135"]
    assert peers_at([], where) == peers_at([443], where) == []


def test_as_the_slow_way_says_it(root):
    """`sockets` reads the same tables word by word."""
    rng = random.Random(3)
    for _ in range(50):
        rows = [
            ((f"198.51.100.{rng.randrange(3)}", rng.choice((22, 25, 0x1622))), (f"192.0.2.{rng.randrange(256)}", rng.randrange(65536)), rng.choice((1, 1, 1, 3, 6, 10)))
            for _ in range(rng.randrange(1200))
        ]
        where = root(rows, [((f"2001:db8::{a[0].rpartition('.')[2]}", a[1]), (f"2001:db8:1::{b[1]:x}", b[1]), s) for a, b, s in rows])
        for ports in ([22], [22, 25]):
            slow = {s.peer for s in sockets(where) if s.protocol == 6 and s.state == ESTABLISHED and s.port in ports}
            assert set(peers_at(ports, where)) == slow


def test_tables_that_are_missing_or_no_tables(tmp_path):
    assert peers_at([22], str(tmp_path)) == []
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/tcp").write_bytes(b"\xff\n" * 100 + b"\n   0: 0:0016 1:0001 01 \n")
    assert peers_at([22], str(tmp_path)) == []


def test_a_connection_of_this_moment():
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        assert peers_at([port]) == []
        with socket.create_connection(("127.0.0.1", port)):
            assert peers_at([port]) == [bytes([127, 0, 0, 1])]
    assert os.path.exists("/proc/net/tcp")
