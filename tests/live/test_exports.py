"""`monzen list --format`: what the real programs make of the files."""

import json
import os
import sys
from pathlib import Path

from tests.lab import live
from tests.lab.net import ns, probe
from tests.lab.server import listen, monzen, told

BIG = """
import random, time
from monzen.ledger import Ledger, Order
r = random.Random(1)
orders = [Order(bytes([11]) + r.randbytes(3), 32, until=time.time() + 9999) for _ in range(90_000)]
orders += [Order(b"\\x20\\x01\\x0d\\xb8" + r.randbytes(12), 128) for _ in range(10_000)]
with Ledger.open("/var/lib/monzen/ledger.db") as ledger:
    ledger.impose(orders, time.time())
"""


def written(form, *more):
    """The file in this form, and what was said."""
    path = f"/etc/list.{form}"
    said = monzen("list", "--format", form, "--output", path, *more)
    return path, said


def denied():
    monzen("arm", "--yes")
    monzen("deny", "203.0.113.0/24", "203.0.113.9", "198.51.100.207", "2001:db8:bad::/48", "2001:db8:bad::7")
    monzen("deny", "198.51.100.206", "--for", "2h")
    monzen("deny", "198.51.100.205", "--port", "25/tcp")
    monzen("allow", "203.0.113.128/25")  # in what is denied: reachable here, and to be so elsewhere


@live(needs=("nft",))
def test_nft_takes_it_and_drops():
    listen(25)
    denied()
    path, said = written("nft")
    assert "1 denial of a single port" in said
    monzen("panic")
    assert probe("atk", 25, "203.0.113.7") == probe("atk", 25, "2001:db8:bad::9") == "open"
    ns("srv", f"nft -f {path}; nft -f {path}")  # also where it is there already
    for name, address in (("denied4", "203.0.113.7"), ("denied4", "198.51.100.207"), ("denied6", "2001:db8:bad::9")):
        ns("srv", f"nft get element inet monzen_list {name} '{{ {address} }}'")
    assert ns("srv", "nft get element inet monzen_list denied4 '{ 203.0.113.200 }'", check=False).returncode
    assert ns("srv", "nft get element inet monzen_list denied4 '{ 198.51.100.205 }'", check=False).returncode, "its port alone"
    assert probe("atk", 25, "203.0.113.7") == probe("atk", 25, "2001:db8:bad::9") == "silence"
    assert probe("atk", 25, "203.0.113.200") == "open"
    ns("srv", "nft add element inet monzen_list denied4 '{ 127.0.0.0/8 }'; nft add element inet monzen_list denied6 '{ ::1 }'")
    assert probe("srv", 25, to="127.0.0.1") == probe("srv", 25, "::1", to="::1") == "open", "whatever stands in it, the machine hears itself"
    empty, said = written("nft")
    assert "THE GATE IS OPEN" in said
    assert "the list is empty" in said
    ns("srv", f"nft -f {empty}")
    assert probe("atk", 25, "203.0.113.7") == "open"
    rows = told("list")["denied"]
    assert len(rows) == 7, rows  # JSON tells what is written down, open or not


@live(needs=("ipset", "nft"))
def test_ipset_takes_it():
    denied()
    path, _said = written("ipset")
    ns("srv", f"ipset restore < {path}; ipset restore < {path}")
    for name, address in (("monzen4", "203.0.113.7"), ("monzen4", "198.51.100.206"), ("monzen6", "2001:db8:bad::9")):
        ns("srv", f"ipset test {name} {address}")
    assert ns("srv", "ipset test monzen4 203.0.113.200", check=False).returncode
    listed = ns("srv", "ipset list").stdout
    assert "198.51.100.207 timeout 0" in listed
    left = int(listed.partition("198.51.100.206 timeout ")[2].split()[0])
    assert 7000 < left <= 7200
    assert "new" not in listed


@live(needs=("postmap", "nft"))
def test_postfix_reads_it():
    denied()
    path, _said = written("postfix-cidr")
    for address in ("203.0.113.7", "198.51.100.207", "2001:db8:bad::9"):
        assert ns("srv", f"postmap -q {address} cidr:{path}").stdout == "REJECT\n"
    for address in ("203.0.113.200", "198.51.100.205", "2001:db8:5::1"):
        done = ns("srv", f"postmap -q {address} cidr:{path}", check=False)
        assert (done.returncode, done.stdout) == (1, "")


@live(needs=("ufw", "nft"))
def test_ufw_takes_the_commands():
    denied()
    path, said = written("ufw")
    assert said == ""
    assert ns("srv", f"sed 's/^ufw /ufw --dry-run /' {path} | sh").stdout.count("### tuple ### deny any any 0.0.0.0/0 any 203.0.113.0/25 in") >= 1
    ns("srv", f"ufw allow 22/tcp; ufw --force enable; sh {path}; sh {path}")
    shown = ns("srv", "ufw status").stdout
    for rule in ("203.0.113.0/25", "2001:db8:bad::/48", "198.51.100.207"):
        assert f"DENY        {rule}" in shown, shown
    assert shown.index("203.0.113.0/25") < shown.index("22/tcp")
    assert "25/tcp                     DENY        198.51.100.205" in shown


@live(needs=("nft",))
def test_filters_top_and_what_does_not_go_together():
    denied()
    assert monzen("list", "--format", "plain", "--networks").splitlines()[-2:] == ["203.0.113.0/25", "2001:db8:bad::/48"]
    assert monzen("list", "--format", "plain", "--hosts", "--top", "1").splitlines()[-1] in ("203.0.113.9", "198.51.100.207")
    assert json.loads(monzen("list", "--format", "json")) == json.loads(monzen("list", "--json"))
    monzen("list", "--json", "--output", "/etc/list.json")
    assert len(json.loads(Path("/etc/list.json").read_text())["denied"]) == 7
    for wrong in (["--json", "--format", "nft"], ["--ended", "--format", "nft"], ["--output", "/etc/x"]):
        monzen("list", *wrong, status=2)
    monzen("list", "--format", "plain", "--output", "/etc/none/x", status=2)
    os.symlink("/etc/hostname", "/etc/link")
    assert "/etc/link is a link of root" in monzen("list", "--format", "plain", "--output", "/etc/link", status=2)
    monzen("arm", "--off", "--yes")
    assert "watch-only" in monzen("list", "--format", "plain")
    assert "monzen itself denies nobody" in monzen("list", "--format", "plain", "--watched")
    monzen("pause", "--for", "1h")
    assert "203.0.113" not in monzen("list", "--format", "plain")


@live(needs=("nft", "ipset"), seconds=240)
def test_a_hundred_thousand():
    assert "there is no ledger yet" in monzen("list", "--format", "plain", "--output", "/etc/list.plain")
    assert Path("/etc/list.plain").read_bytes() == b""
    os.makedirs("/var/lib/monzen", exist_ok=True)
    ns("srv", [sys.executable, "-c", BIG])
    nft, _said = written("nft")
    ipset, _said = written("ipset")
    ns("srv", f"nft -f {nft}; ipset restore < {ipset}")
    assert 99_000 < Path(ipset).read_text().count("\nadd ") <= 100_000
    assert os.stat(nft).st_mode & 0o777 == 0o644
