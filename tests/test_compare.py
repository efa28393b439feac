"""`monzen scan --compare`: the command line, and the emulations beside the simulator's own, which work on the truth."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unicodedata import east_asian_width

import pytest

from monzen.judge import Judge
from monzen.judge.compare import Comparison, Other
from monzen.judge.peers import HUB, CrowdSec, Fail2ban, Scenario, Sshguard
from monzen.parse.clock import Clock
from monzen.parse.join import Joiner
from monzen.parse.reader import Reader
from monzen.types import Kind

ROOT = Path(__file__).parent.parent
WEEK = ROOT / "samples/one_week.log"
ALL = ("--compare", "fail2ban", "--compare", "crowdsec", "--compare", "sshguard")
KEYS = ["policy", "attackers", "attempts", "users", "through", "never", "before", "denials", "targets", "addresses", "hurt"]


def monzen(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "monzen", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": "80", "TZ": "UTC", "PYTHONPATH": str(ROOT / "src"), **environment},
    )


def scanned(*arguments):
    done = monzen("scan", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- the command line


def test_the_sample_week_side_by_side():
    said = scanned(WEEK, *ALL, "--compare", "fail2ban")
    rows = said.pop("compare")
    assert [row["policy"] for row in rows] == ["monzen", "fail2ban", "crowdsec", "sshguard"]
    assert all(list(row) == KEYS for row in rows)
    assert len({(row["attackers"], row["attempts"], row["users"]) for row in rows}) == 1
    ours = rows[0]
    assert ours["denials"] == len(said["verdicts"])
    assert ours["hurt"] == 0
    assert ours["attempts"] <= said["attempts"]
    assert ours["through"] < min(row["through"] for row in rows[1:])
    for row in rows:
        assert 0 < row["targets"] <= row["denials"]
        assert row["never"] < row["attackers"]
    assert said == scanned(WEEK)  # nothing else is otherwise


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_table_has_the_same_numbers_and_fits(language):
    rows = scanned(WEEK, *ALL)["compare"]
    done = monzen("scan", WEEK, *ALL, LANGUAGE=language)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for row in rows:
        shown = next(line for line in lines if re.match(rf"  {row['policy']} +\d", line))
        assert [int(n.replace(",", "")) for n in shown.split()[1:]] == [row[k] for k in ("through", "never", "before", "denials", "targets", "addresses", "hurt")]
        assert sum(2 if east_asian_width(c) in "WF" else 1 for c in shown) <= 80
    assert "docs/compare.md" in done.stdout


def test_since_counts_from_then_on():
    whole = scanned(WEEK, *ALL)["compare"]
    late = scanned(WEEK, *ALL, "--year", "2026", "--since", "2026-09-11")["compare"]
    assert all(0 < b["attempts"] < a["attempts"] and b["denials"] <= a["denials"] for a, b in zip(whole, late, strict=True))


def test_a_policy_that_is_none_is_said_in_a_sentence(tmp_path):
    done = monzen("scan", WEEK, "--compare", tmp_path / "none.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.toml" in done.stderr
    assert done.stderr.startswith("monzen: ")
    assert done.stderr.count("\n") == 1


def test_a_policy_file(tmp_path):
    pytest.importorskip("monzen.config", reason="monzen.config is not there yet: no policy file can be read")
    (tmp_path / "strict.toml").write_text("[policy]\nnameless = 2\n")
    rows = scanned(WEEK, "--compare", tmp_path / "strict.toml")["compare"]
    assert [row["policy"] for row in rows] == ["monzen", str(tmp_path / "strict.toml")]
    assert rows[1]["through"] <= rows[0]["through"]


# ---- beside the simulator's own


class HearsOutages(Sshguard):
    """As the simulator has sshguard: Dovecot's words for an outage are attacks too. Its parser (2.4.2) does not know them."""

    def attack(self, event):
        return super().attack(event) or event.fact.kind == Kind.AUTH_OUTAGE


@pytest.mark.shared
def test_as_many_denials_as_the_simulators_own(shared, tmp_path):
    arena = shared / "arena"
    simulate = [sys.executable, "-B", str(arena / "simulate.py"), "--seed", "7", "--days", "3", "--start", "2026-10-05T00:00:00+00:00"]
    subprocess.run([*simulate, "--out", str(tmp_path)], check=True, capture_output=True)

    def wanted(policy):
        done = subprocess.run([sys.executable, "-B", str(arena / "baselines.py"), str(tmp_path), "--policy", policy], check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        verdicts = json.loads(done.stdout)["verdicts"]
        return len(verdicts), len({v["target"] for v in verdicts})

    joiner = Joiner()
    events = joiner.join(Reader(Clock(1_791_417_600.0)).read((tmp_path / "mail.log").read_bytes())) + joiner.wait_until(float("inf"))
    plain = {name: Scenario(5, 10.0) for name in HUB if name not in (b"ssh-slow-bf", b"postfix-relay-denied", b"postfix-helo-rejected")}
    peers = {"fail2ban-default": Fail2ban(), "crowdsec-like": CrowdSec(scenarios=plain), "sshguard-like": HearsOutages()}
    comparison = Comparison(Judge(), [Other(peer) for peer in [*peers.values(), CrowdSec(), Sshguard()]])
    comparison.hear(events)
    for name, peer in peers.items():
        denials, targets = wanted(name)
        assert denials > 20
        assert (peer.denials, peer.targets) == (pytest.approx(denials, rel=0.03), pytest.approx(targets, rel=0.03)), name
    rows = comparison.rows()
    # without Dovecot's outages
    assert 0.75 * rows[3].denials < rows[5].denials <= rows[3].denials
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    tried = sum(1 for t in truth if t["role"] == "attacker" and t["kind"] in ("auth", "relay", "pregreet"))
    assert rows[0].attempts == pytest.approx(tried, rel=0.05)  # who attacked is decided without the truth
    assert rows[0].through < min(row.through for row in rows[1:])
    assert rows[0].hurt * 5 <= max(row.hurt for row in rows[1:])  # first-seen people inside attacking networks


def test_a_file_brings_its_own_shield(tmp_path):
    policy = tmp_path / "allow.toml"
    policy.write_text('[shield]\nallow = ["212.70.149.0/24"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "monzen", "scan", str(ROOT / "samples/first_user.log"), "--compare", str(policy), "--json"],
        capture_output=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    rows = {row["policy"]: row["denials"] for row in json.loads(done.stdout)["compare"]}
    assert rows == {"monzen": 1, str(policy): 0}


def test_what_is_wrong_with_a_file_is_said_once(tmp_path):
    (tmp_path / "wrong.toml").write_text("[polic]\n")
    done = subprocess.run(
        [sys.executable, "-m", "monzen", "scan", str(ROOT / "samples/first_user.log"), "--compare", str(tmp_path / "wrong.toml")],
        capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.returncode, done.stderr.decode().count("wrong.toml")) == (2, 1)
