"""What the listener counts, for Prometheus. Labels hold words of this program and no content."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The metrics of one listener. Thread-safe."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        prefix = "gitlab_mcp_listen"
        self.deliveries = Counter(
            f"{prefix}_deliveries", "Deliveries of webhooks, by their result.", ["result"], registry=self._registry
        )
        self.answer_seconds = Histogram(
            f"{prefix}_answer_seconds",
            "Seconds until a delivery was answered.",
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self._transitions = Counter(
            f"{prefix}_transitions", "Mentions that reached a state.", ["state"], registry=self._registry
        )
        self.failures = Counter(
            f"{prefix}_failed_steps", "Steps that failed, by the state before.", ["state"], registry=self._registry
        )
        self._mentions = Gauge(f"{prefix}_mentions", "Mentions, by their state.", ["state"], registry=self._registry)

    def moved(self, state: str) -> None:
        """Count a mention that reached a state."""
        self._transitions.labels(str(state)).inc()

    def text(self, by_state: Mapping[str, int]) -> bytes:
        """The metrics in Prometheus' text format, with the number of mentions in each state."""
        self._mentions.clear()
        for state, number in by_state.items():
            self._mentions.labels(state).set(number)
        return generate_latest(self._registry)
