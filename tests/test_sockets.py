"""Who is connected to a port of ours: as the kernel's tables say it, and as they are."""

import os
import random
import socket
import sys
from ipaddress import ip_address

import pytest

from monzen.sockets import ESTABLISHED, peers_at, sockets, ssh_logins

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


# ---- who is logged in over SSH


STRANGER, PRIVSEP_UID = 1000, 117


@pytest.fixture
def proc(root, tmp_path, monkeypatch):
    """Processes with their titles and sockets, beside connections from 192.0.2.n whose inode is 1000 + n."""
    monkeypatch.setattr("pwd.getpwnam", lambda _name: type("Account", (), {"pw_uid": PRIVSEP_UID}))
    root([(("198.51.100.10", 22), (f"192.0.2.{n}", 40000 + n) if n < 9 else ("0.0.0.0", 0), ESTABLISHED if n < 9 else 10) for n in range(10)])

    def process(pid, name, uid, title, *inodes):
        folder = tmp_path / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(name + "\n")
        (folder / "status").write_text(f"Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        (folder / "cmdline").write_bytes(title)
        for number, inode in enumerate(inodes):
            os.symlink(f"socket:[{inode}]", folder / "fd" / str(number))

    process.root = str(tmp_path)
    return process


def seen(process):
    return [str(ip_address(p)) for p in ssh_logins(process.root)]


@pytest.mark.parametrize("name", ["sshd", "sshd-session"])
def test_a_user_s_session_and_root_s_are_logins_and_what_comes_before_one_is_none(proc, name):
    proc(1, "sshd", 0, b"sshd: /usr/sbin/sshd -D [listener] 1 of 10-100 startups\0", 1009)
    proc(10, name, 0, name.encode() + b": alice [priv]\0", 1001)
    proc(11, name, STRANGER, name.encode() + b": alice@pts/0\0", 1001)
    proc(12, name, 0, name.encode() + b": root@pts/1\0", 1002)
    for pid, inode, title in ((20, 1003, b": root [priv]"), (22, 1004, b": [accepted]"), (24, 1005, b": unknown [priv]")):
        proc(pid, name, 0, name.encode() + title + b"\0", inode)
        proc(pid + 1, name, PRIVSEP_UID, name.encode() + b": root [net]\0", inode)
    assert seen(proc) == ["192.0.2.1", "192.0.2.2"]


def test_a_program_of_a_user_s_own_is_no_sshd_whatever_it_calls_itself(proc):
    """He would shield whoever he likes: the connection is sshd's only where root's process has it too."""
    proc(30, "sshd", STRANGER, b"sshd: mallory@pts/0\0", 1003)
    proc(31, "sshd-session", STRANGER, b"sshd-session: root@pts/0\0", 1004)
    proc(32, "nginx", 0, b"sshd: root@pts/0\0", 1005)
    assert seen(proc) == []
