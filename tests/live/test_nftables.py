"""Denied in the kernel, proved by packets."""

import time

from tests.lab import live
from tests.lab.live import CHECKOUT
from tests.lab.net import SRV4, connect, inside, knock, ns, probe, probes, run, until
from tests.lab.server import listen, monzen, ruleset, told

NEEDS = ("nft", "ss")


@live(needs=NEEDS)
def test_a_denied_network_gets_no_answer_on_any_port_and_its_neighbours_notice_nothing():
    listen(25, 143)
    everybody = [("atk", 25, "203.0.113.7"), ("atk", 143, "203.0.113.254"), ("atk", 9, "203.0.113.7"), ("atk", 25, "2001:db8:bad::5")]
    others = [("atk", 25, "198.51.100.200"), ("good", 25), ("good", 143, "2001:db8:600d::50"), ("admin", 25), ("atk", 25, "2001:db8:bad:1::5")]
    assert probes(everybody) == ["open", "open", "refused", "open"]
    monzen("deny", "203.0.113.0/24", "2001:db8:bad::/64")
    assert probes(everybody) == ["silence"] * 4
    assert probes(others) == ["open"] * 5
    monzen("release", "203.0.113.0/24")
    assert probes(everybody) == ["open", "open", "refused", "silence"]


@live(needs=NEEDS)
def test_open_connections_end_in_silence_and_free_their_slots():
    listen(25)
    four, six, good = connect("atk", 25, "203.0.113.7"), connect("atk", 25, "2001:db8:bad::5"), connect("good", 25)
    assert len(ns("srv", "ss -Htn state established sport = :25").stdout.splitlines()) == 3
    monzen("deny", "203.0.113.7", "2001:db8:bad::/48")
    left = ns("srv", "ss -Htn state established sport = :25").stdout
    assert len(left.splitlines()) == 1
    assert "192.0.2.50" in left
    for held in (four, six):
        held.socket.settimeout(0.5)
        held.socket.send(b"EHLO x\r\n")
        try:
            assert held.socket.recv(1) != b"", "the server said goodbye"
            raise AssertionError("the server answered")
        except TimeoutError:
            pass  # neither an answer nor a reset
    good.socket.send(b"x")


@live(needs=NEEDS)
def test_one_port_of_one_address():
    listen(25, 143)
    monzen("deny", "203.0.113.7", "2001:db8:bad::5", "--port", "25/tcp", "--port", "sieve")
    assert probes([("atk", 25, "203.0.113.7"), ("atk", 25, "2001:db8:bad::5")]) == ["silence"] * 2
    assert probes([("atk", 143, "203.0.113.7"), ("atk", 143, "2001:db8:bad::5")]) == ["open"] * 2
    assert probes([("atk", 25, "203.0.113.8"), ("atk", 25, "2001:db8:bad::6")]) == ["open"] * 2


@live(needs=(*NEEDS, "iptables"))
def test_a_port_that_docker_would_publish_is_covered():
    listen(25)
    ns("srv", f"iptables -t nat -A PREROUTING -p tcp --dport 8025 -j DNAT --to {SRV4}:25")
    assert probe("atk", 8025, "203.0.113.7") == "open"
    monzen("deny", "203.0.113.7")
    assert probes([("atk", 8025, "203.0.113.7"), ("atk", 8025, "203.0.113.8")]) == ["silence", "open"]


@live(needs=NEEDS)
def test_a_denial_ends_by_itself_and_can_be_made_longer_or_shorter():
    listen(25)
    begun = time.monotonic()
    monzen("deny", "192.0.2.99")
    monzen("release", "192.0.2.99")
    length = max(4, round(10 * (time.monotonic() - begun)))  # the five commands below are done before it is over, also on a busy machine
    monzen("deny", "203.0.113.7", "203.0.113.8", "--for", f"{length}s")
    monzen("deny", "203.0.113.8", "--for", "1h")
    monzen("deny", "203.0.113.9", "--for", "1h")
    monzen("deny", "203.0.113.9", "--for", f"{length}s")
    assert set(told("gate", "status")["missing"]) == set()
    until(lambda: probes([("atk", 25, f"203.0.113.{n}") for n in (7, 9)]) == ["open", "open"], 600, what="both are over")
    assert probe("atk", 25, "203.0.113.8") == "silence"
    assert list(told("gate", "apply")["ended"]) == [2, 4]


@live(needs=NEEDS)
def test_what_knocks_is_counted_by_source_and_port():
    monzen("deny", "203.0.113.0/24", "2001:db8:bad::/64", "--for", "1h")
    for port, source in ((25, "203.0.113.7"), (25, "203.0.113.7"), (143, "203.0.113.8"), (993, "2001:db8:bad::1")):
        knock("atk", port, source)
    ns("atk", "ping -c 2 -i 0.2 -W 1 -I 203.0.113.9 198.51.100.10", check=False)
    rows = {row["client"]: row for row in told("knocks")["kernel"]["sources"]}
    assert rows["203.0.113.7"]["ports"] == {"25/tcp smtp": 2}
    assert rows["203.0.113.8"]["ports"] == {"143/tcp imap": 1}
    assert rows["2001:db8:bad::1"]["ports"] == {"993/tcp imaps": 1}
    assert all(row["denied"] == (1 if "." in client else 2) for client, row in rows.items())
    facts = told("gate", "status")
    assert [t["packets"] for t in facts["targets"]] == [rows["203.0.113.7"]["count"] + 1 + rows.get("203.0.113.9", {"count": 0})["count"], 1]
    monzen("gate", "apply")
    assert told("list")["denied"][1]["knocks"] == 1
    monzen("gate", "apply")
    assert told("list")["denied"][1]["knocks"] == 1, "counted once"
    assert {row["client"]: row for row in told("knocks")["kernel"]["sources"]}["203.0.113.8"]["ports"] == {"143/tcp imap": 1}


@live(needs=NEEDS)
def test_who_knocks_is_denied_for_longer_in_the_kernel_too():
    """The ledger says until when; the kernel, which was told another time, is told again."""
    from monzen.config import Config
    from monzen.keeper import Keeper
    from monzen.ledger import Order

    now = time.time()
    host, quiet, typed = (bytes([203, 0, 113, n]) for n in (7, 8, 9))
    with inside("srv"), Keeper(Config()) as keeper:
        keeper.deny([Order(h, 32, until=now + 600, sentence=3600.0, rule="names", origin="run") for h in (host, quiet)] + [Order(typed, 32, until=now + 600)])
        for last in (7, 9):
            knock("atk", 25, f"203.0.113.{last}")
        keeper.apply()
        left = {target.network: seconds for target, seconds in keeper.nft.held().items()}
        ends = {e.network: e.until for e in keeper.ledger.active(time.time())}
    assert 3000 < left[host] <= 3600
    assert abs(ends[host] - time.time() - left[host]) < 60
    assert left[quiet] <= 600
    assert left[typed] <= 600, "whom a person denied for ten minutes"


@live(needs=(*NEEDS, "ufw", "iptables"))
def test_it_survives_ufw_and_leaves_other_tables_alone():
    listen(25)
    ns("srv", "nft add table inet mine; nft 'add chain inet mine c { type filter hook input priority 5; }'; nft add rule inet mine c counter")
    before = ns("srv", "nft list table inet mine").stdout
    monzen("deny", "203.0.113.7")
    for command in ("ufw allow 25/tcp", "ufw --force enable", "ufw reload", "ufw disable", "ufw --force enable", "ufw --force reset"):
        ns("srv", command)
        assert probes([("atk", 25, "203.0.113.7")], timeout=1.5) == ["silence"], command
    monzen("gate", "apply")
    monzen("release", "1")
    assert "counter packets" in before
    assert ns("srv", "nft list table inet mine").stdout.split("counter")[0] == before.split("counter")[0]


@live(needs=NEEDS)
def test_a_flushed_table_is_noticed_and_restored():
    listen(25)
    monzen("deny", "203.0.113.0/24", "203.0.113.7", "--port", "143")
    monzen("deny", "2001:db8:bad::1")
    monzen("allow", "203.0.113.9")
    whole = ruleset()
    for damage in (
        "nft flush ruleset",
        "nft delete chain inet monzen prerouting",
        "nft flush chain inet monzen in4",
        "nft flush chain inet monzen out6",
        "nft flush chain inet monzen denied4",
        "nft flush chain inet monzen output",
        "nft delete rule inet monzen in6 handle $(nft -a list chain inet monzen in6 | sed -n 's/.*@d6_128.*# handle //p')",
        "nft flush set inet monzen d6_128",
        "nft flush set inet monzen allow4",
        "nft add element inet monzen d6_128 '{ 2001:db8:600d::50 }'",
    ):
        ns("srv", damage)
        assert ruleset() != whole, damage
        if "allow4" not in damage and "add" not in damage:
            assert told("gate", "status", status=1)["as_it_should_be"] is False, damage
            assert "gate apply" in monzen("check", status=1), damage
        monzen("gate", "apply")
        assert sorted(ruleset().split()) == sorted(whole.split()), damage
        told("gate", "status")
    assert told("gate", "apply")["missing"] == 0


@live(needs=NEEDS)
def test_two_at_once_and_many_at_once():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: monzen("deny", f"203.0.113.{n}"), range(1, 17)))
    facts = told("gate", "status")
    assert (facts["denied"], facts["held"], facts["missing"]) == (16, 16, [])


@live(needs=NEEDS)
def test_full_sets_grow_and_at_the_limit_those_go_that_end_soonest():
    run("mkdir -p /etc/monzen; printf '[gate]\\nlimit = 100\\n' > /etc/monzen/monzen.toml")
    monzen("deny", *(f"11.0.0.{n}" for n in range(1, 91)), "--for", "2h")
    monzen("deny", *(f"11.0.1.{n}" for n in range(1, 21)), "--for", "1h")
    monzen("deny", *(f"11.0.2.{n}" for n in range(1, 6)), "--for", "3h")
    facts = told("gate", "status")
    assert facts["as_it_should_be"]
    assert facts["held"] <= 100
    kept = {t["target"] for t in facts["targets"]}
    assert {f"11.0.2.{n}" for n in range(1, 6)} <= kept
    assert {f"11.0.0.{n}" for n in range(1, 91)} <= kept
    assert len([t for t in kept if t.startswith("11.0.1.")]) == 5
    assert any(alarm["kind"] == "full" for alarm in facts["alarms"])
    monzen("deny", *(f"11.1.{n >> 8}.{n & 255}" for n in range(120)))
    kept = {t["target"] for t in told("gate", "status")["targets"]}
    assert kept == {f"11.1.0.{n}" for n in range(20, 120)}, "of those that end together, the newest"


@live(needs=("nft", "iptables-restore"), net=False)
def test_the_benchmark_runs():
    import sys

    said = run([sys.executable, "-m", "bench.gate", "--sizes", "50,500", "--packets", "500"], cwd=CHECKOUT).stdout
    assert [line.split()[0] for line in said.splitlines() if line.strip()] == [
        "denied", "50", "500", "firewall", "empty", "monzen,", "monzen,", "5,000",
    ]  # fmt: skip


@live(needs=("nft",))
def test_it_reads_while_others_change():
    """A dump that a change disturbs is asked for again: in a flood of denials hardly one is left alone."""
    import subprocess
    import sys
    import time

    from monzen.gate.nftables import Nftables
    from monzen.gate.target import Denial, Target
    from tests.lab.net import inside, spawn

    with inside("srv"):
        nft = Nftables()
    nft.load([Denial(Target(bytes([203, 0, 113, n]), 32), None) for n in range(200)], [], [], time.time())
    code = """
import itertools, time
from monzen.gate.nftables import Nftables
from monzen.gate.target import Denial, Target
nft = Nftables()
print("ready", flush=True)
for n in itertools.cycle(range(1 << 16)):
    nft.deny([Denial(Target(bytes([100, 64, n >> 8, n & 255]), 32), None)], time.time())
"""
    other = spawn("srv", [sys.executable, "-c", code], stdout=subprocess.PIPE)
    other.stdout.readline()
    end, looks = time.monotonic() + 4, 0
    while time.monotonic() < end or looks <= 20:
        nft.known = None
        assert nft.state().whole
        assert nft.holds([Target(bytes([203, 0, 113, n]), 32) for n in (1, 7)])
        looks += 1
    assert other.poll() is None, "it was changed all the time"
    other.kill()
    other.wait()
