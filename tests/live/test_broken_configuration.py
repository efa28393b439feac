"""A configuration that cannot be read keeps nobody out: what lets somebody in goes on, and lets in nobody else's enemy."""

import json
from pathlib import Path

from monzen.mode import PATH
from tests.lab import live
from tests.lab.net import ns, probe, probes
from tests.lab.server import listen, monzen, numbers, told

NEEDS = ("nft", "ss")
WITH_UFW = (*NEEDS, "ufw", "iptables")
CONFIG = Path("/etc/monzen/monzen.toml")
GOOD = '[shield]\nallow = ["203.0.113.50"]\n'
BROKEN = GOOD + 'own = ["192.0.2.9"\n\n'
GANG = [("atk", 25, "203.0.113.7"), ("atk", 25, "203.0.113.50"), ("atk", 25, "198.51.100.200"), ("atk", 25, "2001:db8:bad::7")]


def break_it():
    """Three denials, one with somebody in it whom the configuration allows; then a bracket is forgotten."""
    listen(25)
    ns("srv", "ufw allow 25/tcp; ufw allow 22/tcp; ufw --force enable")
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(GOOD)
    monzen("deny", "203.0.113.0/24", "--keep-shielded")
    monzen("deny", "198.51.100.200", "2001:db8:bad::/48")
    assert probes(GANG) == ["silence", "open", "silence", "silence"]
    CONFIG.write_text(BROKEN)
    assert "line 3 is never closed" in monzen("deny", "192.0.2.77", status=2)


@live(needs=WITH_UFW)
def test_a_customer_is_let_in_and_nobody_else_is_shut_out():
    break_it()
    said = monzen("release", "2001:db8:bad::/48")
    assert "line 3 is never closed" in said
    assert "going on without the configuration" in said
    assert "released 2001:db8:bad::/48" in said
    assert probes(GANG) == ["silence", "open", "silence", "open"], "whom the configuration allows still is"
    assert "2001:db8:bad::" not in ns("srv", "ufw show added; ip6tables -S ufw6-user-input").stdout
    assert told("allow", "198.51.100.200")["allowed"][0]["text"] == "198.51.100.200"
    assert probes(GANG) == ["silence", "open", "open", "open"]
    assert set(numbers().values()) == {"203.0.113.0/24"}
    assert "never closed" in monzen("allow", "198.51.100.200", "--remove", status=2), "that lets nobody in"
    CONFIG.write_text(GOOD)
    assert told("gate", "status")["as_it_should_be"]
    monzen("gate", "apply")
    assert probes(GANG) == ["silence", "open", "open", "open"]


@live(needs=WITH_UFW)
def test_of_ufw_alone_no_table_is_made():
    gone_from("ufw")


@live(needs=WITH_UFW)
def test_of_the_table_alone_too():
    gone_from("nftables")


def gone_from(firewall):
    listen(25)
    ns("srv", "ufw allow 25/tcp; ufw --force enable")
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(f'[gate]\nfirewall = "{firewall}"\n')
    monzen("deny", "203.0.113.7", "203.0.113.0/24")
    assert probe("atk", 25, "203.0.113.7") == "silence"
    CONFIG.write_text(f'[gate]\nfirewall = "{firewall}\n')
    monzen("release", "203.0.113.0/24")
    assert probe("atk", 25, "203.0.113.7") == "open"
    assert ("inet monzen" in ns("srv", "nft list tables").stdout) == (firewall == "nftables")
    assert "203.0.113" not in ns("srv", "ufw show added; iptables -S ufw-user-input").stdout


@live(needs=NEEDS)
def test_back_to_watch_only_needs_no_configuration():
    listen(25)
    monzen("deny", "203.0.113.0/24")
    monzen("arm", "--yes")
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(BROKEN)
    assert "never closed" in monzen("arm", "--yes", status=2)
    assert "Watch-only" in monzen("arm", "--off", "--yes")
    assert json.loads(Path("/", PATH).read_text())["mode"] == "watch"
    monzen("panic")
    assert "cannot be closed without the configuration" in monzen("arm", "--off", "--yes", status=2)
    assert probe("atk", 25, "203.0.113.7") == "open"


@live(needs=NEEDS)
def test_init_says_that_it_is_broken():
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(BROKEN)
    said = monzen("init", "--yes", status=2)
    assert "line 3 is never closed" in said
    assert "monzen init --force" in said
    assert CONFIG.read_text() == BROKEN
    assert "line 3 is never closed" in monzen("init", "--dry-run")
