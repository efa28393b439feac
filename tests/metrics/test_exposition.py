"""What is exposed is what the table says, in both formats, and hostile words are not in it."""

import math
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from monzen.ledger import Tally
from monzen.metrics.exposition import OPENMETRICS, expose
from monzen.metrics.facts import samples
from monzen.metrics.table import COUNTER, GATE, LEDGER, METRICS, RUN
from tests.metrics.made import GATE as GAVE
from tests.metrics.made import NOW, SOURCE, facts
from tests.metrics.made import RUN as SAID
from tests.metrics.tools import WANTED, tool

BY_NAME = {metric.name: metric for metric in METRICS}


def exposed(known, accept=""):
    """Name and labels of each sample, with its value."""
    text, content_type = expose(known, accept)
    reads = parse_openmetrics if content_type.startswith(OPENMETRICS) else parse
    return {(s.name, *s.labels.values()): s.value for family in reads(text.decode()) for s in family.samples}


def test_names_are_as_prometheus_wants_them():
    families = [metric.name.removesuffix("_total").removesuffix("_info") for metric in METRICS]
    assert len(set(families)) == len(METRICS), "in OpenMetrics x and x_total are one family"
    for metric in METRICS:
        assert re.fullmatch(r"monzen_[a-z]+(_[a-z]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == COUNTER)
        assert metric.help.endswith("."), metric.name
        assert "|" not in metric.help, "it stands in a table"
        assert bool(metric.resets) == (metric.kind == COUNTER)


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_every_metric_of_the_table_is_exposed_and_no_other(accept):
    found = exposed(facts(), accept)
    assert {key[0] for key in found} == set(BY_NAME)
    for name, *labels in found:
        assert len(labels) == len(BY_NAME[name].labels)
        assert not BY_NAME[name].values or tuple(labels) in BY_NAME[name].values


def test_the_numbers_are_those_of_the_facts():
    found = exposed(facts())
    assert found["monzen_denials", "ipv6", "network"] == 5
    assert found["monzen_denials_imposed_total", "run"] == 3
    assert found["monzen_denials_imposed_total", "other"] == 0
    assert found["monzen_knocks_total",] == 77
    assert found["monzen_alarms_total", "breach"] == found["monzen_breaches_total",] == 1
    assert found["monzen_lines_not_understood_total",] == 2
    assert found["monzen_gate_orders_total", "refused"] == 3
    assert [found["monzen_mode", m] for m in ("watch", "armed", "paused", "panic")] == [0, 0, 1, 0]
    assert found["monzen_mode_until_timestamp_seconds",] == NOW + 60
    assert found["monzen_source_error", "journal"] == 1
    assert ("monzen_source_last_line_timestamp_seconds", "journal") not in found


def test_each_number_is_that_of_its_own_fact():
    """All of them unlike, so that none can stand in the place of another; and each yes as a no."""
    keys = ("lines", "events", "suspects", "clients", "sentences", "waiting")
    source = {**SOURCE, "lines": 71, "last": NOW - 72, "late": -73.0, "caught_up": False, "error": "refused"}
    run = {**SAID, **{key: 50 + n for n, key in enumerate(keys)}, "at": NOW - 61, "started": NOW - 62, "sources": [source]}
    run |= {"gate": {**SAID["gate"], "connected": False}, "state": {"records": 81, "snapshot": 82, "behind": True}}
    gate = {**GAVE, "started": NOW - 91, "applied": NOW - 92, "trouble": "x", "denied": 93, "watched": 94, "same": 95, "refused": 96}
    found, path = exposed(facts(run=run, gate=gate)), source["path"]
    names = ("lines_total", "events_total", "lines_not_understood_total", "clients", "sentences", "orders_waiting")
    assert {name: found[f"monzen_{name}",] for name in names} == {name: 50 + n for n, name in enumerate(names)}
    assert {key[0]: found[key] for key in found if key[1:] == (path,)} == {
        "monzen_source_lines_total": 71, "monzen_source_last_line_timestamp_seconds": NOW - 72, "monzen_source_clock_offset_seconds": -73,
        "monzen_source_caught_up": 0, "monzen_source_error": 1,
    }  # fmt: skip
    assert (found["monzen_run_last_report_timestamp_seconds",], found["monzen_run_start_time_seconds",]) == (NOW - 61, NOW - 62)
    assert (found["monzen_run_state_bytes", "records"], found["monzen_run_state_bytes", "snapshot"]) == (81, 82)
    assert (found["monzen_gate_start_time_seconds",], found["monzen_gate_last_apply_timestamp_seconds",]) == (NOW - 91, NOW - 92)
    assert [found["monzen_gate_orders_total", answer] for answer in ("denied", "watched", "same", "refused")] == [93, 94, 95, 96]
    signs = ("monzen_run_gate_connected", "monzen_run_memory_behind", "monzen_gate_trouble")
    assert [found[name,] for name in signs] == [0, 1, 1]
    assert [exposed(facts())[name,] for name in signs] == [1, 0, 0]
    assert exposed(facts())["monzen_source_caught_up", path] == 1
    assert (found["monzen_watched_targets",], found["monzen_allowed",], found["monzen_ledger_size_bytes",]) == (4, 2, 8192)
    assert (found["monzen_knock_bytes_total",], found["monzen_denials_watched_total",]) == (4620, 4)
    assert found["monzen_last_alarm_timestamp_seconds", "breach"] == NOW - 60
    assert found["monzen_denials_ended_total", "quiet"] == 2
    assert found["monzen_gate_firewall", "nftables"] == 1


@pytest.mark.parametrize(
    ("changes", "source", "up"),
    [
        ({"ledger": None}, LEDGER, "monzen_ledger_up"),
        ({"run": None, "alive": False}, RUN, "monzen_run_up"),
        ({"gate": None}, GATE, "monzen_gate_up"),
    ],
    ids=["ledger", "run", "gate"],
)
def test_what_is_not_known_is_absent_and_not_nothing(changes, source, up):
    found = exposed(facts(**changes))
    assert found[up,] == 0
    assert {key[0] for key in found if BY_NAME[key[0]].source == source} == {up}


def test_a_new_machine_has_its_zeros():
    found = exposed(facts(ledger=Tally.empty(), run=None, alive=False, gate=None, mode="watch", until=None))
    assert found["monzen_alarms_total", "breach"] == found["monzen_denials_imposed_total", "run"] == found["monzen_ledger_size_bytes",] == 0
    assert found["monzen_ledger_up",] == 1


HOSTILE = ['x"} 1\nmonzen_gate_up 1\n', "203.0.113.7", "\x1b]0;x\x07", "\ud800", "a" * 400]


def test_words_of_a_captured_run_are_no_labels():
    sources = [{**SOURCE, "path": path, "error": path} for path in HOSTILE] + [SOURCE, {**SOURCE, "lines": 99}]
    text, _type = expose(facts(run={**SAID, "sources": sources, "version": HOSTILE[0]}, gate={"firewall": HOSTILE[0], "denied": "9", "started": math.nan}))
    assert not [word for word in HOSTILE if word.encode("utf-8", "replace") in text]
    found = exposed(facts(run={**SAID, "sources": sources}))
    assert {key[1] for key in found if key[0] == "monzen_source_lines_total"} == {"/var/log/mail.log"}
    assert text.count(b"\nmonzen_source_lines_total{") == 1, "twice is no exposition"


@given(st.dictionaries(st.sampled_from(["started", "applied", "denied", "watched", "firewall", "trouble", "x"]), st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.dictionaries(st.text(), st.none()))))  # fmt: skip
def test_whatever_a_gate_says_is_exposed_soundly(gate):
    found = list(samples(facts(gate=gate)))
    assert len({row[:2] for row in found}) == len(found)
    for name, labels, value in found:
        assert math.isfinite(value)
        assert not BY_NAME[name].values or labels in BY_NAME[name].values


@given(st.text(max_size=200))
def test_whatever_a_client_accepts_it_gets_one_of_two(accept):
    _text, content_type = expose(facts(), accept)
    assert content_type.startswith(("text/plain", OPENMETRICS))
    for version in ("version=1.0.0", "version=x", "version=99999999999999999999;escaping=\x7f"):
        assert expose(facts(), f"text/plain;q=0.1, application/openmetrics-text; {version}")[1].startswith(OPENMETRICS)


def test_without_the_library_it_says_how_to_get_it():
    code = "import sys; sys.modules['prometheus_client'] = None; from monzen.cli import main; sys.exit(main(['metrics']))"
    for language, word in (("en", "metrics need the library"), ("ja", "ライブラリ")):
        environment = {"LANG": "C.UTF-8", "LANGUAGE": language}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr
        assert "apt install python3-prometheus-client" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("known", [facts(), facts(ledger=None, run=None, gate=None, alive=False, until=None)], ids=["all", "nothing"])
def test_promtool_has_nothing_to_say_of_it(known):
    promtool = tool("promtool")
    if promtool is None:
        pytest.skip(WANTED.format(name="promtool"))
    done = subprocess.run([promtool, "check", "metrics"], input=expose(known)[0], capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
