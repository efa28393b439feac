"""Addresses: what is one, what is one client, and who is never blamed."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.parse.address import addresses, client_of, is_local, text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"::ffff:192.0.2.7", "192.0.2.7"),
        (b"::FFFF:C000:0207", "192.0.2.7"),
        (b"2001:DB8:0000:0000:0000:0000:0000:0007", "2001:db8::7"),
        (b"fe80::7%eth0", "fe80::7"),
        (b"", ""), (b"unknown", ""), (b"0.0.0.0", ""), (b"::", ""), (b"::ffff:0.0.0.0", ""),
        (b"192.0.2.07", ""), (b"192.0.2", ""), (b"192.0.2.256", ""), (b"3221225991", ""), (b"192.0.2.7 ", ""), (b"192.0.2.7\n", ""), (b"192.0.2.7\0", ""),
        (b"192.0.2.7%eth0", ""), (b"2001:db8::7/64", ""), (b"[2001:db8::7]", ""), (b"mail.example", ""), (b"\xff", ""), (b"1" * 100, ""), (b"2001:db8::7\0", ""),
    ],
)  # fmt: skip
def test_read(written, read):
    assert text(addresses[written]) == read


@given(st.ip_addresses())
def test_every_address_comes_back(address):
    packed = addresses[str(address).encode()]
    if int(address) == 0:
        assert packed == b""
    elif address.version == 6 and address.ipv4_mapped is not None:
        assert packed == (address.ipv4_mapped.packed if int(address.ipv4_mapped) else b"")
    else:
        assert packed == address.packed
        assert ipaddress.ip_address(text(packed)) == address


@given(st.binary(max_size=80))
def test_nothing_raises(anything):
    assert len(addresses[anything]) in (0, 4, 16)


def test_what_is_remembered_is_bounded():
    for i in range(40_000):
        assert len(addresses[f"198.18.{i >> 8}.{i & 255}".encode()]) == 4
    assert len(addresses) <= 1 << 14


def test_an_ipv6_client_is_its_64():
    one, other = addresses[b"2001:db8::1"], addresses[b"2001:db8:0:0:ffff::1"]
    assert client_of(one) == client_of(other) != client_of(addresses[b"2001:db8:0:1::1"])
    assert client_of(addresses[b"192.0.2.7"]) != client_of(addresses[b"192.0.2.8"])


@pytest.mark.parametrize("local", [b"127.0.0.1", b"127.9.9.9", b"::1", b"::ffff:127.0.0.1", b"172.17.0.1", b"172.31.0.1"])
def test_nobody_outside(local):
    assert is_local(addresses[local])


@pytest.mark.parametrize("other", [b"172.32.0.1", b"172.15.0.1", b"172.17.0.2", b"172.17.1.1", b"192.0.2.1", b"2001:db8::1", b"128.0.0.1"])
def test_somebody_outside(other):
    assert not is_local(addresses[other])
