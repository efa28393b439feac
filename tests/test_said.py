"""What is said is true: the same packets everywhere, where was looked, no all-clear for who cannot be seen."""

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
    said = monzen("scan", str(empty), COLUMNS="400").stdout.decode()
    assert said.startswith(f"There was nothing to read in {str(empty)[:60]}")


def test_clients_hidden_behind_one_address_are_no_all_clear(tmp_path):
    log = tmp_path / "mail.log"
    guess = "Nov 26 03:00:{:02} mail postfix/smtpd[7]: warning: unknown[172.17.0.1]: SASL LOGIN authentication failed: x, sasl_username=n{}\n"
    log.write_text("".join(guess.format(n, n) for n in range(30)))
    for verb in ("scan", "report"):
        said = monzen(verb, str(log)).stdout.decode()
        assert "Nobody attacked" not in said, verb
        assert "Nobody can be told apart" in said, verb
