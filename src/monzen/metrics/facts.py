"""What is known at one moment, and the samples that it makes. Pure: no clock, no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from monzen.ledger import Tally
from monzen.ledger.totals import OTHER
from monzen.metrics.table import FIREWALLS, METRICS

Sample = tuple[str, tuple[str, ...], float]  # name, values of its labels, value
LEDGER_TOTALS: Final = {
    "monzen_denials_imposed_total": "denied",
    "monzen_denials_ended_total": "ended",
    "monzen_denials_watched_total": "watched",
    "monzen_knocks_total": "knocks",
    "monzen_knock_bytes_total": "octets",
    "monzen_alarms_total": "alarm",
}
VALUES: Final = {metric.name: metric.values for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out. `run` is what `monzen run` says of itself, checked; `gate` what the gate says; None: nothing."""

    now: float  # epoch seconds
    took: float  # seconds
    version: str
    mode: str
    until: float | None  # of a pause
    ledger: Tally | None
    run: dict[str, Any] | None
    alive: bool  # whether `run` said so lately
    gate: dict[str, Any] | None
    sources: frozenset[str]  # whose names may be labels: those of the configuration, not those that `run` names


def samples(facts: Facts) -> Iterator[Sample]:
    """Each sample, in no order. A name with its labels comes once."""
    yield "monzen_build_info", (facts.version,), 1.0
    yield "monzen_collect_duration_seconds", (), facts.took
    yield from _states("monzen_mode", facts.mode)
    if facts.until is not None:
        yield "monzen_mode_until_timestamp_seconds", (), facts.until
    yield "monzen_ledger_up", (), float(facts.ledger is not None)
    yield "monzen_run_up", (), float(facts.alive)
    yield "monzen_gate_up", (), float(facts.gate is not None)
    if facts.ledger is not None:
        yield from _of_ledger(facts.ledger)
    if facts.run is not None:
        yield from _of_run(facts.run, facts.sources)
    if facts.gate is not None:
        yield from _of_gate(facts.gate)


def _of_ledger(tally: Tally) -> Iterator[Sample]:
    yield "monzen_ledger_size_bytes", (), tally.octets
    for place, number in tally.lasting.items():
        yield "monzen_denials", place, number
    yield "monzen_watched_targets", (), tally.would
    yield "monzen_allowed", (), tally.allowed
    for name, what in LEDGER_TOTALS.items():  # each with all its labels from the start: a rate needs a 0 before the first one
        for labels in VALUES[name] or ((),):
            yield name, labels, tally.totals.get((what, "".join(labels)), 0)
    yield "monzen_breaches_total", (), tally.totals.get(("alarm", "breach"), 0)
    for kind, at in tally.last_alarm.items():
        yield "monzen_last_alarm_timestamp_seconds", (kind,), at


def _of_run(run: dict[str, Any], known: frozenset[str]) -> Iterator[Sample]:
    yield "monzen_run_last_report_timestamp_seconds", (), run["at"]
    yield "monzen_run_start_time_seconds", (), run["started"]
    yield "monzen_run_gate_connected", (), float(run["gate"]["connected"])
    yield "monzen_run_memory_behind", (), float(run["state"]["behind"])
    for part in ("snapshot", "records"):
        yield "monzen_run_state_bytes", (part,), run["state"][part]
    yield "monzen_lines_total", (), run["lines"]
    yield "monzen_events_total", (), run["events"]
    yield "monzen_lines_not_understood_total", (), run["suspects"]
    yield "monzen_clients", (), run["clients"]
    yield "monzen_sentences", (), run["sentences"]
    yield "monzen_orders_waiting", (), run["waiting"]
    for path, source in {s["path"]: s for s in run["sources"] if s["path"] in known}.items():
        yield "monzen_source_lines_total", (path,), source["lines"]
        if source["last"] is not None:
            yield "monzen_source_last_line_timestamp_seconds", (path,), source["last"]
        yield "monzen_source_caught_up", (path,), float(source["caught_up"])
        yield "monzen_source_error", (path,), float(bool(source["error"]))
        yield "monzen_source_clock_offset_seconds", (path,), source["late"]


def _of_gate(gate: dict[str, Any]) -> Iterator[Sample]:
    for name, key in (("start_time_seconds", "started"), ("last_apply_timestamp_seconds", "applied")):
        if (value := _number(gate.get(key))) is not None:
            yield f"monzen_gate_{name}", (), value
    yield "monzen_gate_trouble", (), float(bool(gate.get("trouble")))
    firewall = gate.get("firewall")
    yield from _states("monzen_gate_firewall", firewall if firewall in FIREWALLS else OTHER)
    for (answer,) in VALUES["monzen_gate_orders_total"]:
        if (value := _number(gate.get(answer))) is not None:
            yield "monzen_gate_orders_total", (answer,), value


def _states(name: str, holds: str) -> Iterator[Sample]:
    for labels in VALUES[name]:
        yield name, labels, float(labels == (holds,))


def _number(value: object) -> float | None:
    """A number that can be; None for whatever else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        return None
    return float(value)
