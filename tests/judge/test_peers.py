"""The emulations of other programs on hand-made events: the failure that denies, the edges of windows, who hears what."""

import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from monzen.judge import Judge, Policy
from monzen.judge.compare import Comparison, Monzen, Other, covered
from monzen.judge.peers import EARLY, LEFT, PEERS, PIPELINING, REFUSED, TOO_MANY, CrowdSec, Fail2ban, Sshguard
from monzen.parse.program import FAMILIES
from monzen.rivals import RivalError, compare
from monzen.types import Event, Fact, Kind, Service, Weight

START = 1_791_158_400.0  # 2026-10-05
A, B, SIX = bytes((192, 0, 2, 7)), bytes((198, 51, 100, 9)), bytes.fromhex("20010db8000000000000000000000007")
STRONG = int(Weight.STRONG)


def event(after, client=A, kind=Kind.AUTH_FAILURE, service=Service.SMTP, weight=STRONG, attempts=1, about="", line=b"", user=b"office"):
    fact = Fact(int(kind), int(weight), client, user, int(service), attempts, None, None, 0, about)
    return Event(START + after, fact, attempts, line)


def denials(peer, *events):
    """After how many seconds it denied, and for how long."""
    out = []
    for e in events:
        before = peer.denials
        peer.hear(e, e.time)
        if peer.denials > before:
            out.append((e.time - START, peer.until[e.fact.client] - e.time))
    return out


def failing(*stamps, **more):
    return [event(t, **more) for t in stamps]


# ---- fail2ban


def test_fail2ban_bans_at_the_fifth_for_ten_minutes():
    assert denials(Fail2ban(), *failing(0, 100, 200, 300, 400)) == [(400, 600)]
    assert denials(Fail2ban(), *failing(0, 100, 200, 300)) == []


def test_fail2ban_hears_nothing_of_whom_it_bans_and_begins_anew_then():
    peer = Fail2ban()
    assert denials(peer, *failing(*range(0, 3000, 100))) == [(400, 600), (1500, 600), (2600, 600)]
    assert (peer.targets, peer.addresses) == (1, 1)


def test_fail2bans_window_is_a_rate():
    """Four in 601 seconds are 3.99 in 600, rounded to four, and one more is five: an exact window would not ban."""
    assert denials(Fail2ban(), *failing(0, 150, 300, 450, 600)) == [(600, 600)]
    assert denials(Fail2ban(), *failing(0, 1, 2, 3, 602)) == [(602, 600)]
    assert denials(Fail2ban(), *failing(0, 1, 2, 3, 603)) == []  # the last is ten minutes old: forgotten
    assert denials(Fail2ban(), *failing(*range(0, 90_000, 300))) == []  # two in ten minutes for a day
    assert denials(Fail2ban(), *failing(*range(0, 9_000, 160))) != []


def test_fail2bans_jails_count_apart():
    mixed = [event(t, service=s) for t, s in enumerate((Service.SMTP, Service.IMAP, Service.SSH) * 4)]
    assert denials(Fail2ban(), *mixed) == []
    assert denials(Fail2ban(), *mixed, event(20, service=Service.SUBMISSION)) == [(20, 600)]
    assert denials(Fail2ban(), *mixed, event(20, service=Service.POP3)) == [(20, 600)]


def test_fail2bans_postfix_jail_knows_refusals():
    reject = b"Oct  5 00:00:00 mail postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: "
    known = [
        b"554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.example.org; from=<a@example.net>",
        b"450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.7]; from=<a@example.net>",
        b"504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname; from=<a@example.net>",
        b"450 4.1.8 <a@example.net>: Sender address rejected: Domain not found; from=<a@example.net>",
    ]
    grey = b"450 4.2.0 <a@example.org>: Recipient address rejected: Greylisted; from=<b@example.net>"
    for text in known:
        assert denials(Fail2ban(), *failing(*range(5), kind=Kind.REJECTED, weight=0, about=REFUSED, line=reject + text)) == [(4, 600)]
    assert denials(Fail2ban(), *failing(*range(9), kind=Kind.REJECTED, weight=0, about=REFUSED, line=reject + grey)) == []
    for kind in (Kind.RELAY_DENIED, Kind.RECIPIENT_UNKNOWN):
        assert denials(Fail2ban(), *failing(*range(5), kind=kind, weight=0)) == [(4, 600)]
    assert denials(Fail2ban(), *failing(*range(5), kind=Kind.PROTOCOL_ABUSE, weight=1, about=PIPELINING)) == [(4, 600)]
    assert denials(Fail2ban(), *failing(*range(9), kind=Kind.PROTOCOL_ABUSE, about=EARLY)) == []
    assert denials(Fail2ban(), *failing(*range(9), kind=Kind.AUTH_OUTAGE, weight=0)) == []


REAL = """
import random, sys
sys.path.insert(0, "/usr/lib/python3/dist-packages")
from fail2ban.server.failmanager import FailManager, FailManagerEmpty
from fail2ban.server.ticket import FailTicket
for seed in range(60):
    r, manager, t, bans = random.Random(seed), FailManager(), 1791158400, []
    manager.setMaxRetry(5)
    manager.setMaxTime(600)
    for _ in range(300):
        t += r.choice((1, 30, 100, 150, 200, 300, 650))
        manager.cleanup(t)
        manager.addFailure(FailTicket("192.0.2.7", t, []))
        try:
            manager.toBan("192.0.2.7")
            bans.append(t)
        except FailManagerEmpty:
            pass
    print(*bans)
"""


def test_fail2bans_own_counter_says_the_same():
    if not Path("/usr/lib/python3/dist-packages/fail2ban/server/failmanager.py").exists():
        pytest.skip("fail2ban is not installed: its own counter cannot be asked")
    done = subprocess.run(["/usr/bin/python3", "-c", REAL], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"fail2ban's own counter does not run here: {done.stderr.strip().splitlines()[-1]}")
    for seed, line in enumerate(done.stdout.splitlines()):
        r, peer, t, bans = random.Random(seed), Fail2ban(), START, []
        peer.bantime = -1.0  # as the counter by itself, which knows no ban
        for _ in range(300):
            t += r.choice((1, 30, 100, 150, 200, 300, 650))
            if denials(peer, event(t - START)):
                bans.append(str(int(t)))
        assert bans == line.split(), seed


# ---- CrowdSec


def test_crowdsecs_bucket_runs_over_at_the_sixth_for_four_hours():
    assert denials(CrowdSec(), *failing(0, 0, 0, 0, 0)) == []
    assert denials(CrowdSec(), *failing(0, 1, 2, 3, 4, 5)) == [(5, 14_400)]
    assert denials(CrowdSec(), *failing(0, 0, 0, 0, 0, 10)) == []  # one has leaked
    assert denials(CrowdSec(), *failing(0, 0, 0, 0, 0, 9.5)) == [(9.5, 14_400)]
    assert denials(CrowdSec(), *failing(*range(0, 90_000, 10))) == []
    assert denials(CrowdSec(), *failing(*range(0, 14_500, 1)))[:2] == [(5, 14_400), (14_411, 14_400)]


def test_crowdsecs_scenarios_count_apart():
    assert denials(CrowdSec(), *failing(0, 0, 0, 0, service=Service.IMAP)) == [(0, 14_400)]  # dovecot-spam: three
    assert denials(CrowdSec(), *failing(0, 0, 0, 360, service=Service.IMAP)) == []
    assert denials(CrowdSec(), *failing(0, 0, 0, 359, service=Service.IMAP)) == [(359, 14_400)]
    assert denials(CrowdSec(), *failing(*range(0, 400, 30), service=Service.SSH)) == []
    slow = denials(CrowdSec(), *failing(*range(0, 800, 30), service=Service.SSH))  # ssh-slow-bf: half of them leak
    assert slow == [(570, 14_400)]
    assert denials(CrowdSec(), *failing(0, 599, kind=Kind.RELAY_DENIED)) == [(599, 14_400)]
    assert denials(CrowdSec(), *failing(0, 600, kind=Kind.RELAY_DENIED)) == []
    assert denials(CrowdSec(), event(0, kind=Kind.PROTOCOL_ABUSE, about=EARLY)) == [(0, 14_400)]
    assert denials(CrowdSec(), *failing(*range(6), kind=Kind.AUTH_OUTAGE, weight=0)) == [(5, 14_400)]


# ---- sshguard


def test_sshguard_blocks_at_the_third_for_two_minutes_and_doubles():
    assert denials(Sshguard(), *failing(0, 900, 1800)) == [(1800, 120)]
    assert denials(Sshguard(), *failing(0, 900, 1801)) == []  # since the first, not the last
    assert denials(Sshguard(), *failing(0, 900, 1801, 1900, 2000)) == [(2000, 120)]
    assert denials(Sshguard(), *failing(*range(0, 1000, 10))) == [(20, 120), (170, 240), (440, 480), (950, 960)]
    peer = Sshguard()
    denials(peer, *failing(*range(0, 40_000_000, 7)[:5000]))
    assert peer.targets == 1


def test_sshguard_hears_its_lines_only():
    assert denials(Sshguard(), *failing(*range(9), kind=Kind.RELAY_DENIED)) == []
    assert denials(Sshguard(), *failing(*range(9), kind=Kind.AUTH_OUTAGE, weight=0, service=Service.IMAP)) == []
    assert denials(Sshguard(), *failing(*range(3), kind=Kind.AUTH_OUTAGE, weight=0)) == [(2, 120)]
    for about in (EARLY, LEFT):
        assert denials(Sshguard(), *failing(*range(3), kind=Kind.OTHER, weight=1, about=about)) == [(2, 120)]


# ---- all of them


@pytest.mark.parametrize("make", PEERS.values(), ids=list(PEERS))
def test_addresses_count_apart_and_tables_are_bounded(make):
    peer = make(50)
    for n in range(2000):
        for t in (0, 0.1):
            peer.hear(event(n + t, client=bytes((198, 18, n >> 8, n & 255))), START + n + t)
    assert peer.denials == 0
    for n in range(500):
        for t in range(9):
            peer.hear(event(3000 + n, client=bytes((198, 19, n >> 8, n & 255))), START + 3000 + n + t / 100)
    assert peer.denials == peer.targets == peer.addresses == 500
    assert peer.forgotten > 0
    for table in vars(peer).values():
        assert not isinstance(table, dict) or len(table) <= 50 or table is peer.__dict__.get("scenarios")


@pytest.mark.parametrize("make", PEERS.values(), ids=list(PEERS))
def test_only_denials_from_then_on_are_counted(make):
    peer = make(since=START + 100)
    for t in range(9):
        peer.hear(event(t, client=A), START + t)
    assert (peer.denials, peer.denied(A, START + 9)) == (0, True)
    for t in range(9):
        peer.hear(event(200 + t, client=SIX), START + 200 + t)
    assert (peer.denials, peer.targets, peer.addresses) == (1, 1, 0)
    peer.until[A] = START + 250  # denied before, denied again
    for t in range(9):
        peer.hear(event(300 + t, client=A), START + 300 + t)
    assert (peer.denials, peer.targets, peer.addresses) == (2, 2, 1)


def test_the_kinds_of_lines_that_are_named_exist():
    about = {reads.about for family in FAMILIES for reads in family.reads}
    assert {EARLY, LEFT, PIPELINING, REFUSED, TOO_MANY} <= about


# ---- the comparison


def compared(events, *others, since=None, policy=None):
    comparison = Comparison(Judge(policy), list(others), since)
    for e in events:
        comparison.hear([e])
    return {row.policy: row for row in comparison.rows()}


def test_covered_counts_each_address_once():
    inside = bytes((192, 0, 2))
    assert covered([(inside, 24), (A, 32), (B, 32), (inside + b"\x80", 25), (SIX[:8], 64)]) == 257
    assert covered([]) == 0


def test_the_judge_comes_to_the_same_alone():
    events = [event(t * 40, client=bytes((192, 0, 2, t % 7)), user=b"ghost%d" % t) for t in range(200)]
    alone = Judge()
    alone.hear(events)
    comparison = Comparison(Judge(), [Other(Fail2ban())])
    comparison.hear(events)
    assert [s.verdict() for s in comparison.judge.sentences] == [s.verdict() for s in alone.sentences]
    assert comparison.judge.attempts == alone.attempts == 200
    row = comparison.rows()[0]
    assert (row.attempts, row.denials) == (200, len(alone.imposed()))
    assert 0 < row.through < alone.attempts


def test_a_row_counts_what_came_through_and_before():
    guesses = failing(*range(0, 100, 10))
    rows = compared(guesses, Other(Fail2ban()), Other(Sshguard()), Other(CrowdSec()))
    assert {name: (r.attackers, r.attempts) for name, r in rows.items()} == dict.fromkeys(("monzen", "fail2ban", "sshguard", "crowdsec"), (1, 10))
    assert rows["fail2ban"][4:] == (5, 0, 5, 1, 1, 1, 0)
    assert rows["sshguard"][4:] == (3, 0, 3, 1, 1, 1, 0)
    assert rows["crowdsec"][4:] == (10, 1, None, 0, 0, 0, 0)


def test_users_are_hurt_when_they_fail_or_log_in_while_denied():
    def login(t):
        return event(t, kind=Kind.AUTH_SUCCESS, service=Service.IMAP, weight=0, client=B)

    typos = failing(200_000, 200_010, 200_020, client=B, service=Service.IMAP)
    days = [login(0), login(100_000)]
    assert [r.hurt for r in compared([*days, *typos, login(200_030)], Other(Sshguard())).values()] == [0, 1]
    assert [r.hurt for r in compared([*days, *typos, event(200_030, client=B)], Other(Sshguard())).values()] == [0, 1]
    rows = compared([*days, *typos, login(200_300)], Other(Sshguard()))  # the block is over
    assert [(r.hurt, r.users, r.attackers) for r in rows.values()] == [(0, 1, 0), (0, 1, 0)]


def test_what_came_before_is_heard_and_not_counted():
    rows = compared(failing(*range(0, 100, 10)), Other(Fail2ban(since=START + 50)), since=START + 50)
    assert rows["fail2ban"][3:] == (0, 0, 0, 0, 0, 0, 0, 0)
    assert rows["fail2ban"].attempts == 5


def test_another_policy_of_monzen():
    guesses = failing(*range(0, 100, 10), user=None)
    rows = compared(guesses, Monzen("strict", Judge(Policy(nameless=2))), Monzen("same", Judge()))
    assert rows["strict"].through == 2
    assert rows["same"][1:] == rows["monzen"][1:]


def test_a_file_is_a_policy_of_monzen(monkeypatch):
    asked = []

    def load(path):
        asked.append(path)
        if path == "wrong.toml":
            raise ValueError("no key `namelss`; nameless?")
        if path == "none.toml":
            raise FileNotFoundError(2, "No such file or directory", path)
        return SimpleNamespace(policy=Policy(nameless=2), own=(), allow=(), names=())

    monkeypatch.setitem(sys.modules, "monzen.config", SimpleNamespace(load=load))
    comparison = compare(Judge(), ["strict.toml", "sshguard", "strict.toml"], None)
    assert [c.name for c in comparison.contenders] == ["monzen", "strict.toml", "sshguard"]
    comparison.hear(failing(*range(0, 100, 10), user=None))
    assert [row.through for row in comparison.rows()] == [8, 2, 3]
    assert asked == ["strict.toml"]
    for path, why in (("wrong.toml", "no key `namelss`; nameless?"), ("none.toml", "No such file or directory")):
        with pytest.raises(RivalError) as error:
            compare(Judge(), [path], None)
        assert (error.value.name, error.value.why) == (path, why)


def test_tallies_are_bounded():
    comparison = Comparison(Judge(Policy(clients=100)), [])
    comparison.hear([event(n, client=bytes((198, 18, n >> 8, n & 255))) for n in range(3000)])
    assert len(comparison.tallies) <= 100


def test_rivals_are_loaded_only_when_asked_for():
    code = "import sys, monzen.cli, monzen.scan, monzen.show.terminal, monzen.show.report; print('monzen.judge.peers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
