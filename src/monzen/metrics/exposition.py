"""Samples as text, by the library prometheus-client: Prometheus' own format, and OpenMetrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from monzen.metrics import MetricsError
from monzen.metrics.facts import Facts, samples
from monzen.metrics.table import COUNTER, INFO, METRICS
from monzen.show.words import _

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

OPENMETRICS: Final = "application/openmetrics-text"


def check_library() -> None:
    """Raises MetricsError where prometheus-client is missing."""
    try:
        import prometheus_client  # noqa: F401  # whether it is there
    except ImportError:
        said = _("metrics need the library prometheus-client. Install it: {apt}, or {pip}")
        raise MetricsError(
            said.format(apt="apt install python3-prometheus-client", pip="pip install 'monzen[metrics]'")
        ) from None


class Collector:
    """What the library asks, once for each exposition."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def collect(self) -> Iterator[Family]:
        """A family for each metric of which there is something to say, in the order of the table."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        found: dict[str, dict[tuple[str, ...], float]] = {}
        for name, labels, value in samples(self.facts):
            found.setdefault(name, {})[labels] = value
        for metric in METRICS:
            rows = found.get(metric.name)
            if not rows:
                continue
            if metric.kind == INFO:
                info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
                for labels in rows:
                    info.add_metric([], dict(zip(metric.labels, labels, strict=True)))
                yield info
                continue
            kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for labels, value in rows.items():
                family.add_metric(labels, value)
            yield family


def expose(facts: Facts, accept: str = "") -> tuple[bytes, str]:
    """The exposition and its content type, for what an HTTP client accepts. Raises MetricsError where the library is missing.

    Of the client's words only one is looked for, and never handed on: the library reads versions and escapings in them.
    """
    check_library()
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    encode: Callable[[CollectorRegistry], bytes]
    encode, content_type = choose_encoder(f"{OPENMETRICS}; version=1.0.0" if OPENMETRICS in kinds else "")
    registry = CollectorRegistry()
    registry.register(Collector(facts))
    return encode(registry), content_type
