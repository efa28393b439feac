"""What monzen tells Prometheus: which metrics there are, what they say now, and how they are fetched."""


class MetricsError(Exception):
    """Metrics cannot be given: what failed, why, what to do."""
