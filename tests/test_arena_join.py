"""The joiner against the simulator beside the repository, which knows how often each client really tried.

Silent outages (`outcome` outage, `kind` auth) look like wrong passwords in the log: nothing that reads only the log can tell them apart.
"""

import datetime as dt
import ipaddress
import json
import subprocess
import sys
from collections import Counter

import pytest

from monzen.parse.address import text
from monzen.parse.clock import Clock
from monzen.parse.join import Joiner
from monzen.parse.reader import Reader
from monzen.types import Kind, Weight

END = dt.datetime(2026, 10, 6, tzinfo=dt.UTC).timestamp()  # the simulator begins on 5 October 2026


@pytest.mark.shared
@pytest.mark.parametrize("stamps", ["traditional", "rfc3339"])
@pytest.mark.parametrize("dovecot", ["2.3", "2.4"])
def test_every_client_has_the_attempts_it_made(shared, tmp_path, dovecot, stamps):
    simulate = [sys.executable, "-B", str(shared / "arena/simulate.py"), "--seed", "5", "--days", "1", "--start", "2026-10-05T00:00:00+00:00"]
    simulate += ["--dovecot", dovecot, "--stamps", stamps, "--out", str(tmp_path)]
    subprocess.run(simulate, check=True, capture_output=True)
    truth = Counter()
    for line in (tmp_path / "truth.jsonl").read_text().splitlines():
        said = json.loads(line)
        if said["kind"] == "auth" and said["outcome"] in ("fail", "outage"):
            truth[str(ipaddress.ip_address(said["addr"]))] += 1
    assert sum(truth.values()) > 5000
    log = (tmp_path / "mail.log").read_bytes()
    for compiled in (True, False):
        joiner, counted = Joiner(), Counter()
        for event in joiner.join(Reader(Clock(END), compiled=compiled).read(log)) + joiner.wait_until(float("inf")):
            # a detail that no login line came for counts as itself
            if event.fact.kind in (Kind.AUTH_FAILURE, Kind.AUTH_DETAIL) and event.fact.weight == Weight.STRONG:
                counted[text(event.fact.client)] += event.attempts
        assert {a: (truth[a], counted[a]) for a in truth | counted if truth[a] != counted[a]} == {}
