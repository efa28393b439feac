"""The samples are what they say: one is kept as its server wrote it, the other is what its script writes."""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

from samples.make_sample import make

SAMPLES = Path(__file__).parent.parent / "samples"
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
ADDRESS = re.compile(r"(?<=[\[=,])(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]+:[0-9a-f:]*:[0-9a-f:]+)(?=[\],) ])")
NAME = re.compile(r"(?<=[@<(= ])[\w.-]+\.(?:com|net|org|de|jp|example)\b")


def test_week_is_what_its_script_writes() -> None:
    assert (SAMPLES / "one_week.log").read_text() == make()


def test_week_names_nobody_real() -> None:
    text = re.sub(r"MAC=\S+", "", (SAMPLES / "one_week.log").read_text())
    addresses = {ip_address(found) for found in ADDRESS.findall(text)}
    assert len(addresses) > 100
    strange = {str(a) for a in addresses if not any(a in net for net in DOCUMENTATION)}
    assert strange == {"224.0.0.1"}  # all hosts: the router's question
    assert all(re.search(r"(^|\.)example\.(com|net|org)$", name) for name in NAME.findall(text))


def test_first_user_is_untouched() -> None:
    lines = (SAMPLES / "first_user.log").read_text().splitlines()
    assert len(lines) == 14
    assert {found for line in lines for found in re.findall(r"\[([\d.]+\.\d+)\]", line)} == {
        "212.70.149.83",
        "212.70.149.52",
        "212.70.149.20",
    }
