"""Routing tables as files: text, .gz, MaxMind's; what is said where they are none; that scan uses them."""

import gzip
import json
import sys

import pytest

from monzen.config import ConfigError
from monzen.routing import load_routes
from monzen.show.words import speak
from tests.test_config import scan

LINES = b"# made up\n203.0.112.0/22 64500\n2001:db8::/40 AS64501\n"
FAILED = "Sep  4 16:%02d:%02d mail postfix/smtpd[%d]: warning: unknown[203.0.%d.%d]: SASL LOGIN authentication failed: x\n"


@pytest.fixture(autouse=True)
def _english():
    speak("en")
    yield
    speak()


def written(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)


def refused(path):
    with pytest.raises(ConfigError) as error:
        load_routes(path)
    return str(error.value).replace(path, "FILE")


@pytest.mark.parametrize(("name", "content"), [("routes.txt", LINES), ("routes.txt.gz", gzip.compress(LINES, mtime=0)), ("packed.txt", gzip.compress(LINES, mtime=0))])
def test_plain_and_packed(tmp_path, name, content):
    routes = load_routes(written(tmp_path, name, content))
    assert (routes.origin(b"\xcb\0\x71"), routes.origin(bytes.fromhex("20010db80007")), len(routes)) == (64500, 64501, 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINES + b"x\n", "FILE, line 4: x is no route. Write 203.0.113.0/24 64500, or a range as iptoasn.com has it"),
        (b"203.0.113.1/24 64500", "FILE, line 1: 203.0.113.1/24 is no prefix. Write its first address and its length, such as 203.0.113.0/24"),
        (b"203.0.113.0/24 \x1b[1m", "FILE, line 1: \\x1b[1m is no AS number. Write one such as 64500 or AS64500"),
        (b"\n192.0.2.9\t192.0.2.0\t1\tZZ\tx", "FILE, line 2: 192.0.2.9 192.0.2.0 is no range. Write its first and its last address, both IPv4 or both IPv6"),
        (gzip.compress(LINES, mtime=0)[:-9], "FILE is damaged. Fetch the file again"),
        (gzip.compress(LINES, mtime=0)[:20] + b"xxxxxxxxx", "FILE is damaged. Fetch the file again"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, said):
    assert refused(written(tmp_path, "routes", content)) == said


def test_no_file(tmp_path):
    assert refused(str(tmp_path / "none")) == "cannot read FILE: No such file or directory. Check the name and who may read it"


# ---- MaxMind


def encoded(value):
    """A value of the data section. Source: MaxMind DB file format specification 2.0."""
    if isinstance(value, str):
        return bytes([2 << 5 | len(value)]) + value.encode()
    if isinstance(value, tuple):  # a number and its type: 5, 6, 9 with 2, 4, 8 bytes
        number, kind = value
        head = {5: bytes([5 << 5 | 2]), 6: bytes([6 << 5 | 4]), 9: bytes([8, 2])}[kind]
        return head + number.to_bytes({5: 2, 6: 4, 9: 8}[kind], "big")
    if isinstance(value, int):
        return encoded((value, 6))
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(encoded, value))
    return bytes([7 << 5 | len(value)]) + b"".join(encoded(k) + encoded(v) for k, v in value.items())


def database(*rows):
    """A database of IPv4 networks: first 32 bits, length, record."""
    nodes = [[None, None]]
    data, offsets = b"", []
    for first, length, record in rows:
        at = 0
        for depth in range(length - 1):
            bit = first >> (31 - depth) & 1
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][first >> (32 - length) & 1] = -1 - len(offsets)
        offsets.append(len(data))
        data += encoded(record)
    size = len(nodes)
    pointers = [size if r is None else r if r >= 0 else size + 16 + offsets[-1 - r] for node in nodes for r in node]
    about = {"binary_format_major_version": (2, 5), "binary_format_minor_version": (0, 5), "build_epoch": (1_788_500_000, 9)}
    about |= {"database_type": "Test-ASN", "description": {"en": "x"}, "ip_version": (4, 5), "languages": ["en"]}
    about |= {"node_count": (size, 6), "record_size": (24, 5)}
    return b"".join(p.to_bytes(3, "big") for p in pointers) + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(about)


def test_a_maxmind_database(tmp_path):
    pytest.importorskip("maxminddb")
    rows = [(0xCB007000, 22, {"autonomous_system_number": 64500}), (0xC6336400, 24, {"asn": "AS64501"}), (0xC0000200, 24, {"asn": ""})]
    routes = load_routes(written(tmp_path, "asn.mmdb", database(*rows)))
    assert [routes.origin(bytes(k)) for k in ((203, 0, 113), (198, 51, 100), (192, 0, 2))] == [64500, 64501, -1]
    assert len(routes) == 2
    assert refused(written(tmp_path, "city.mmdb", database((0xCB007000, 22, {"city": "X"})))).startswith("FILE has no AS numbers.")
    assert refused(written(tmp_path, "torn.mmdb", database(*rows)[:50])) == "FILE is damaged. Fetch the file again"


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    said = refused(written(tmp_path, "asn.mmdb", b""))
    assert said == "cannot read FILE: that takes a library. Run pip install maxminddb, or bring the table as text"


# ---- scan


def test_scan_closes_the_prefix(tmp_path):
    lines = [FAILED % (n, i * 5, n * 10 + i, n, 1 + i % 3) for n in (12, 13, 15) for i in range(6)]
    log = written(tmp_path, "mail.log", "".join(lines).replace("203.0.1", "203.0.11").encode())
    assert json.loads(scan("--json", log).stdout)["commands"] == ["ufw prepend deny from 203.0.112.0/23", "ufw prepend deny from 203.0.115.0/24"]
    routes = written(tmp_path, "routes.txt", LINES)
    said = json.loads(scan("--json", "--routes", routes, log).stdout)
    assert [(v["target"], v["rule"], v["clients"]) for v in said["verdicts"] if v["rule"] == "wide"] == [("203.0.112.0/22", "wide", 9)]
    assert said["commands"] == ["ufw prepend deny from 203.0.112.0/22"]
    (tmp_path / "policy.toml").write_text('[networks]\nroutes = "routes.txt"\n')
    policy = str(tmp_path / "policy.toml")
    assert json.loads(scan("--json", "--policy", policy, log).stdout) == said
    assert "203.0.112.0/22" in scan("--policy", policy, "203.0.114.9", log, verb="why").stdout
    (tmp_path / "routes.txt").write_bytes(b"203.0.113.0/24 x\n")
    done = scan("--policy", policy, log)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"monzen: {tmp_path}/routes.txt, line 1: x is no AS number.")
