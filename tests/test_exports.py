"""What other firewalls read: nobody is left out or added, nobody who is allowed is in it."""

import os
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.config import Config
from monzen.exports import FORMATS, IPSET_LONGEST, Allowed, chosen, outermost, text
from monzen.gate.target import Denial, target
from monzen.ledger import Ledger
from monzen.verbs.exporting import allowed, replace

NOW = 1_800_000_000.0


def denial(net, until=None, port=0, protocol=0):
    found = ip_network(net)
    return Denial(target(found.network_address.packed, found.prefixlen, port, protocol), until)


def shown(denials):
    return [str(d.target) for d in denials]


# Small networks beside and inside one another: 203.0.113.0/27 and 2001:db8::/123 and what is in them.
@st.composite
def networks(draw):
    six = draw(st.booleans())
    bits = draw(st.integers(27, 32))
    low = draw(st.integers(0, 31)) >> 32 - bits << 32 - bits
    return f"2001:db8::{low:x}/{bits + 96}" if six else f"203.0.113.{low}/{bits}"


ENDS = st.sampled_from([None, NOW + 10, NOW + 20])
EVERY = [str(ip_address("203.0.113.0") + n) for n in range(32)] + [str(ip_address("2001:db8::") + n) for n in range(32)]


def meant(nets):
    nets = list(nets)
    return {a for a in EVERY if any(ip_address(a) in ip_network(n) for n in nets if ip_network(n).version == ip_address(a).version)}


@given(st.lists(st.tuples(networks(), ENDS), max_size=12))
def test_what_lies_inside_another_is_left_out_and_nobody_else(rows):
    kept = outermost(denial(n, e) for n, e in rows)
    assert meant(shown(kept)) == meant(n for n, _e in rows)
    for one in kept:
        assert sum(ip_network(str(one.target)).subnet_of(ip_network(str(o.target))) for o in kept if len(o.target.network) == len(one.target.network)) == 1


@given(st.lists(st.tuples(networks(), ENDS), max_size=12))
def test_with_ends_each_address_is_denied_exactly_as_long(rows):
    def ends(denials):
        found = {}
        for d in denials:
            end = float("inf") if d.until is None else d.until
            for a in meant([str(d.target)]):
                found[a] = max(end, found.get(a, 0.0))
        return found

    everything = [denial(n, e) for n, e in rows]
    assert ends(outermost(everything, lasting=True)) == ends(everything)


@given(networks(), st.lists(networks(), max_size=6))
def test_whoever_is_allowed_is_cut_out_and_nobody_else(net, allowed):
    shield = Allowed([(ip_network(a).network_address.packed, ip_network(a).prefixlen) for a in allowed])
    left = shield.cut(denial(net, NOW))
    assert meant(shown(left)) == meant([net]) - meant(allowed)
    assert all(d.until == NOW for d in left)


def test_all_of_it_but_one_address():
    shield = Allowed([(bytes([203, 0, 113, 9]), 32)])
    assert len(shield.cut(denial("203.0.0.0/16"))) == 16
    assert shield.cut(denial("203.0.113.9/32")) == []
    assert len(Allowed([(bytes(16), 128)]).cut(denial("::/0"))) == 128
    assert len(Allowed([(b"\xff" * 4, 32)]).cut(denial("0.0.0.0/0"))) == 32


def test_whoever_is_never_denied_here_is_in_no_list(tmp_path):
    """By `monzen allow`, by [shield] allow and own, by a host name of either as it was answered last."""
    asked = {"192.0.2.1": "own", "192.0.2.2": "allow", "192.0.2.3": "name", "192.0.2.4": "allowed", "192.0.2.5": "allowed name", "192.0.2.6": ""}
    prefix = {why: (ip_address(net).packed, 32) for net, why in asked.items()}
    config = Config(own=(prefix["own"],), allow=(prefix["allow"],), names=("home.example.net", "gone.example.net"))
    with Ledger.open(str(tmp_path / "ledger.db")) as ledger:
        ledger.name_stands_for("home.example.net", [prefix["name"]], NOW)
        ledger.allow("192.0.2.4", [prefix["allowed"]], NOW, name=False)
        ledger.allow("mail.example.net", [prefix["allowed name"]], NOW, name=True)
        shield = Allowed(allowed(ledger, config))
    assert [net for net in asked if shield.cut(denial(f"{net}/32"))] == ["192.0.2.6"]


def test_one_port_is_not_every_port():
    rows = [denial("203.0.113.7/32", port=25), denial("203.0.113.8/32"), denial("203.0.113.8/32", port=25, protocol=6)]
    for form in FORMATS:
        kept, left = chosen(rows, form)
        assert (shown(kept), left) == ((["203.0.113.7 port 25", "203.0.113.8"], 0) if form == "ufw" else (["203.0.113.8"], 1))
    assert "ufw prepend deny from 203.0.113.7 to any port 25\n" in text(chosen(rows, "ufw")[0], "ufw", NOW)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_denials_in_any_order_are_the_same_text(form):
    rows = [denial(n, NOW + 60) for n in ("2001:db8::/48", "203.0.113.9/32", "198.51.100.0/24", "203.0.113.8/32", "2001:db8::7/128")]
    once, again = (text(chosen(r, form)[0], form, NOW) for r in (rows, rows[::-1]))
    assert once == again
    assert once.isascii()
    nobody = [line for line in text([], form, NOW).splitlines() if "203." in line and not line.startswith("#")]
    assert nobody == []


def test_plain_has_nothing_but_prefixes():
    rows = [denial(n) for n in ("2001:db8::/48", "203.0.113.9/32", "198.51.100.0/24")]
    assert text(chosen(rows, "plain")[0], "plain", NOW) == "198.51.100.0/24\n203.0.113.9\n2001:db8::/48\n"
    assert text([], "plain", NOW) == ""


def test_neighbours_are_one_interval():
    lines = text(chosen([denial(f"203.0.113.{n}/32") for n in (5, 6, 7, 8, 12, 13)], "nft")[0], "nft", NOW).splitlines()
    assert [line.strip() for line in lines if "203." in line] == ["203.0.113.5-203.0.113.8,", "203.0.113.12/31,"]


def test_an_end_is_a_timeout_of_ipset():
    rows = [denial("203.0.113.1/32", NOW + 90.4), denial("203.0.113.2/32", NOW + 1e9), denial("203.0.113.3/32"), denial("203.0.113.4/32", NOW + 0.1)]
    added = [line for line in text(chosen(rows, "ipset")[0], "ipset", NOW).splitlines() if line.startswith("add")]
    assert added == [f"add monzen4.new 203.0.113.{n}{t}" for n, t in ((1, " timeout 90"), (2, f" timeout {IPSET_LONGEST}"), (3, ""), (4, " timeout 1"))]


# ---- the file


def test_what_is_the_same_is_not_written_again(tmp_path):
    path = tmp_path / "list"
    replace(str(path), b"same\n")
    os.utime(path, (1, 1))
    replace(str(path), b"same\n")
    assert path.stat().st_mtime == 1
    path.chmod(0o600)
    replace(str(path), b"same\n")
    assert path.stat().st_mode & 0o777 == 0o644
