"""Addresses as programs write them: packed, folded, cut, refused; and which can be nobody's."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.address import Addresses, addresses, client_of, is_local, text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"0192.0.2.7", ""),
        (b"192.0.2.07", ""),  # octal to some, decimal to others
        (b"192.0.2", ""),
        (b"192.0.2.", ""),
        (b"192.0.2.256", ""),
        (b"192.0.2.7 ", ""),
        (b"3221225991", ""),
        (b"2001:db8::7", "2001:db8::7"),
        (b"2001:DB8:0:0::7", "2001:db8::7"),
        (b"2001:0db8:0000:0000:0000:0000:0000:0007", "2001:db8::7"),
        (b"::ffff:192.0.2.7", "192.0.2.7"),
        (b"::FFFF:c000:207", "192.0.2.7"),
        (b"0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7"),
        (b"::192.0.2.7", "::192.0.2.7"),  # IPv4-compatible: another thing, and nobody has it
        (b"64:ff9b::192.0.2.7", "64:ff9b::c000:207"),
        (b"fe80::7%eth0", "fe80::7"),
        (b"fe80::7%", "fe80::7"),
        (b"192.0.2.7%eth0", ""),
        (b"::1", "::1"),
        (b"::", ""),
        (b"0.0.0.0", ""),
        (b"::ffff:0.0.0.0", ""),
        (b"unknown", ""),
        (b"", ""),
        (b"mail.example.org", ""),
        (b"IPv6:2001:db8::7", ""),
        (b"[192.0.2.7]", ""),
        (b"192.0.2.7\0", ""),
        (b"2001:db8::7\0", ""),
        (b"\xff\xfe", ""),
        (b"\xd9\xa1.2.3.4", ""),  # an Arabic digit
        (b"1" * 70, ""),
        (b"2001:db8::7%" + b"x" * 70, ""),
        (b"1:2:3:4:5:6:7:8:9", ""),
        (b":::", ""),
    ],
)
def test_as_written(written, shown):
    assert text(addresses[written]) == shown


@settings(deadline=None)
@given(st.ip_addresses())
def test_there_and_back(address):
    packed = addresses[str(address).encode()]
    mapped = address.ipv4_mapped if address.version == 6 else None
    if int(address) == 0 or (mapped and int(mapped) == 0):
        assert packed == b""
    else:
        assert packed == (mapped or address).packed
        # inet_ntop writes ::a.b.c.d where ipaddress writes ::abcd:ef01: the same address
        assert ip_address(text(packed)) == (mapped or address)


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_written_in_full(address):
    assert addresses[address.exploded.encode()] == addresses[str(address).encode()]


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_never_raises(written):
    packed = addresses[written]
    assert len(packed) in (0, 4, 16)
    text(packed)


@settings(deadline=None)
@given(st.text("0123456789abcdef:.%xg ", max_size=46))
def test_agrees_with_the_library(written):
    """What ipaddress takes for an address is one, and the other way round (but for a zone of an IPv4 address, which neither has)."""
    try:
        wanted = ip_address(written.partition("%")[0] if ":" in written else written)
        wanted = getattr(wanted, "ipv4_mapped", None) or wanted
        packed = wanted.packed if int(wanted) else b""
    except ValueError:
        packed = b""
    assert addresses[written.encode()] == packed


def test_memory_is_bounded():
    table = Addresses()
    for i in range(40_000):
        assert table[str(IPv4Address(0x0A000000 + i)).encode()]
    assert len(table) <= 1 << 14
    for i in range(1000):
        table[b"x" * (65 + i)]
    assert max(map(len, table)) <= 64


def test_clients():
    assert client_of(addresses[b"192.0.2.7"]) == IPv4Address("192.0.2.7").packed
    assert client_of(addresses[b"2001:db8:1:2:3::7"]) == IPv6Address("2001:db8:1:2::").packed[:8]


@pytest.mark.parametrize(
    ("written", "local"),
    [
        (b"127.0.0.1", True),
        (b"127.255.255.254", True),
        (b"::1", True),
        (b"::ffff:127.0.0.1", True),
        (b"172.16.0.1", True),
        (b"172.17.0.1", True),
        (b"172.31.0.1", True),
        (b"172.32.0.1", False),
        (b"172.15.0.1", False),
        (b"172.17.0.2", False),
        (b"172.17.1.1", False),
        (b"10.0.0.1", False),
        (b"192.0.2.7", False),
        (b"2001:db8::1", False),
        (b"128.0.0.1", False),
    ],
)
def test_whom_nobody_may_blame(written, local):
    assert is_local(addresses[written]) is local
