"""Who gives up a seat, whose a connection is, and which language a browser would rather have."""

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.web.seats import UNKNOWN, Seats, owner


class Sitting:
    def __init__(self, proven=False):
        self.proven = proven


def full(*rows):
    """All seats taken: by whom, and whether he has proven himself."""
    seats = Seats(len(rows))
    sitting = [Sitting(proven) for _uid, proven in rows]
    for one, (uid, _proven) in zip(sitting, rows, strict=True):
        assert seats.take(one, uid) is None
    return seats, sitting


def test_the_oldest_of_who_has_the_most_goes():
    seats, sitting = full((0, True), (1000, False), (65534, False), (65534, False), (65534, False))
    assert seats.take(Sitting(), 0) is sitting[2]


def test_who_fills_all_seats_alone_gives_up_his_own():
    seats, sitting = full((65534, False), (65534, False), (65534, False))
    assert seats.take(Sitting(), 65534) is sitting[0]


def test_who_has_proven_himself_stays():
    seats, _sitting = full((0, True), (0, True), (0, True))
    late = Sitting()
    assert seats.take(late, 65534) is late


def test_a_seat_that_was_left_is_free():
    seats, sitting = full((0, False), (0, False))
    seats.leave(sitting[0])
    seats.leave(sitting[0])
    assert seats.take(Sitting(), 0) is None


@given(st.lists(st.sampled_from([1000, 65534]), max_size=200), st.integers(2, 20))
def test_nobody_loses_his_only_seat_to_another(uids, most):
    """However one of two users comes and comes again, the other keeps what he has, up to a half of the seats."""
    seats = Seats(most)
    held = {1000: 0, 65534: 0}
    for uid in uids:
        leaves = seats.take(Sitting(), uid)
        held[uid] += 1
        if leaves is not None:
            loser = seats.taken[leaves]
            assert held[loser] >= most // 2 + most % 2
            held[loser] -= 1
            seats.leave(leaves)
        assert len(seats.taken) <= most


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_whose_a_connection_is(family, host):
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        taken, peer = server.accept()
        with taken:
            found = owner(taken.getsockname(), peer)
            if found == UNKNOWN:
                pytest.skip("this kernel has no tcp_diag")
            assert found == os.geteuid()
            client.close()
            assert owner(taken.getsockname(), peer) == UNKNOWN, "he is gone"


@pytest.mark.parametrize("name", ["", "/run/x.sock", None, ("nonsense", 1), ("127.0.0.1", "x"), ("127.0.0.1", 1 << 20), ()])
def test_what_is_no_connection_is_nobodys(name):
    assert owner(name, name) == UNKNOWN
