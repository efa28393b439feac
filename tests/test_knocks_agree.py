"""`monzen knocks` and `monzen scan` count the same packets of the same log."""

import json

from tests.test_why import monzen

LOG = "samples/one_week.log"


def test_the_same_packets():
    knocks = json.loads(monzen("knocks", LOG, "--json").stdout)
    scan = json.loads(monzen("scan", LOG, "--json").stdout)["knocks"]
    assert scan["count"] > 100
    assert (knocks["log"]["count"], knocks["log"]["clients"]) == (scan["count"], scan["clients"])


def test_nothing_to_read_says_where_it_looked(tmp_path):
    empty = tmp_path / "mail.log"
    empty.write_text("")
    assert f"There was nothing to read in {empty}." in " ".join(monzen("scan", str(empty)).stdout.decode().split())
