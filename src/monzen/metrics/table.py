"""Every metric that there is. docs/metrics.md is made from this (`make formats`).

No label holds an attacker's text, an address or a rule: each has a closed set of values, or those of root's own configuration.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from monzen.ledger.totals import ALARMS, ENDINGS, ORIGINS, OTHER
from monzen.mode import MODES

GAUGE, COUNTER, INFO = "gauge", "counter", "info"
ANSWERS: Final = ("denied", "watched", "same", "refused")
FIREWALLS: Final = ("nftables", "ufw", "dry", OTHER)
LEDGER, RUN, GATE, MODE, ITSELF = "ledger", "run", "gate", "mode", "itself"
SINCE: Final = {
    LEDGER: "the ledger is made anew",
    RUN: "`monzen run` starts",
    GATE: "`monzen gate serve` starts",
}  # counters from 0


class Metric(NamedTuple):
    """A metric: its name as Prometheus shows it, its kind, its labels, what it says, in English, and whose it is."""

    name: str
    kind: str
    help: str
    source: str
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()  # of the labels, where the set is closed

    @property
    def resets(self) -> str:
        """What puts a counter back to 0; empty for others."""
        return SINCE[self.source] if self.kind == COUNTER else ""


def _labels(label: str, *values: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    return (label,), tuple((value,) for value in values)


METRICS: Final = (
    Metric("monzen_build_info", INFO, "The monzen that answers.", ITSELF, ("version",)),
    Metric("monzen_collect_duration_seconds", GAUGE, "How long it took to look all this up.", ITSELF),
    Metric(
        "monzen_mode",
        GAUGE,
        "1 for what holds: watch (looks only), armed, paused, panic (the gate is open).",
        MODE,
        *_labels("mode", *MODES),
    ),
    Metric("monzen_mode_until_timestamp_seconds", GAUGE, "When a pause ends by itself; absent where none does.", MODE),
    Metric(
        "monzen_ledger_up",
        GAUGE,
        "1 where the ledger can be read, or there is none yet; 0 where it is damaged or may not be read.",
        LEDGER,
    ),
    Metric("monzen_ledger_size_bytes", GAUGE, "Size of the ledger's file.", LEDGER),
    Metric(
        "monzen_denials",
        GAUGE,
        "Denials that last, by the ledger; in the modes paused and panic the firewall holds none of them.",
        LEDGER,
        ("family", "kind"),
        (("ipv4", "address"), ("ipv4", "network"), ("ipv6", "address"), ("ipv6", "network")),
    ),
    Metric("monzen_watched_targets", GAUGE, "Targets that would be denied now, were it not for watch-only mode.", LEDGER),
    Metric(
        "monzen_denials_imposed_total",
        COUNTER,
        "Denials that began, by who said so.",
        LEDGER,
        *_labels("origin", *ORIGINS, OTHER),
    ),
    Metric("monzen_denials_ended_total", COUNTER, "Denials that ended, by why.", LEDGER, *_labels("ending", *ENDINGS, OTHER)),
    Metric("monzen_denials_watched_total", COUNTER, "Denials that were only written down, because of watch-only mode.", LEDGER),
    Metric("monzen_knocks_total", COUNTER, "Packets that the gate dropped and counted, once a minute.", LEDGER),
    Metric("monzen_knock_bytes_total", COUNTER, "Bytes of those packets.", LEDGER),
    Metric("monzen_allowed", GAUGE, "Rows of monzen allow: who is never denied.", LEDGER),
    Metric(
        "monzen_alarms_total",
        COUNTER,
        "Alarms written down, by kind; breach: an account was guessed.",
        LEDGER,
        *_labels("kind", *ALARMS, OTHER),
    ),
    Metric("monzen_breaches_total", COUNTER, "Accounts that seem to have been guessed: the alarms of the kind breach.", LEDGER),
    Metric(
        "monzen_last_alarm_timestamp_seconds",
        GAUGE,
        "When the last alarm of a kind came that is still written down.",
        LEDGER,
        *_labels("kind", *ALARMS, OTHER),
    ),
    Metric("monzen_run_up", GAUGE, "1 where monzen run said within 45 seconds that it reads the logs.", RUN),
    Metric(
        "monzen_run_last_report_timestamp_seconds",
        GAUGE,
        "When monzen run last wrote what the metrics of run are taken from.",
        RUN,
    ),
    Metric("monzen_run_start_time_seconds", GAUGE, "When monzen run started.", RUN),
    Metric("monzen_run_gate_connected", GAUGE, "1 where monzen run reaches the gate.", RUN),
    Metric(
        "monzen_run_memory_behind",
        GAUGE,
        "1 where monzen run cannot write down what it must remember: the disk is full, or broken.",
        RUN,
    ),
    Metric(
        "monzen_run_state_bytes",
        GAUGE,
        "What it remembers, on the disk: the snapshot, and the records since.",
        RUN,
        *_labels("part", "snapshot", "records"),
    ),
    Metric("monzen_lines_total", COUNTER, "Lines read.", RUN),
    Metric("monzen_events_total", COUNTER, "Lines that say something of a client.", RUN),
    Metric(
        "monzen_lines_not_understood_total", COUNTER, "Lines that look like a failure in a format that monzen does not know.", RUN
    ),
    Metric("monzen_clients", GAUGE, "Clients that the judge remembers.", RUN),
    Metric("monzen_sentences", GAUGE, "Sentences of the judge that last.", RUN),
    Metric("monzen_orders_waiting", GAUGE, "Orders for the gate that are not sent yet.", RUN),
    Metric("monzen_source_lines_total", COUNTER, "Lines read, by source.", RUN, ("source",)),
    Metric(
        "monzen_source_last_line_timestamp_seconds",
        GAUGE,
        "When the newest line about a client was written; absent before the first.",
        RUN,
        ("source",),
    ),
    Metric("monzen_source_caught_up", GAUGE, "1 where all that is there was read.", RUN, ("source",)),
    Metric("monzen_source_error", GAUGE, "1 where it cannot be read.", RUN, ("source",)),
    Metric(
        "monzen_source_clock_offset_seconds",
        GAUGE,
        "By how much its stamps are put right; 0 but for a wrong time zone.",
        RUN,
        ("source",),
    ),
    Metric("monzen_gate_up", GAUGE, "1 where monzen gate serve answers.", GATE),
    Metric("monzen_gate_start_time_seconds", GAUGE, "When monzen gate serve started.", GATE),
    Metric(
        "monzen_gate_last_apply_timestamp_seconds",
        GAUGE,
        "When the gate last made sure that the firewall is as the ledger says.",
        GATE,
    ),
    Metric("monzen_gate_trouble", GAUGE, "1 where the gate cannot do its work: see monzen status.", GATE),
    Metric(
        "monzen_gate_firewall",
        GAUGE,
        "1 for what denies: nftables, ufw, or dry (nothing does).",
        GATE,
        *_labels("firewall", *FIREWALLS),
    ),
    Metric(
        "monzen_gate_orders_total",
        COUNTER,
        "Orders of monzen run, by what the gate made of them.",
        GATE,
        *_labels("answer", *ANSWERS),
    ),
)
