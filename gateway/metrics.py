"""What one process counts and measures, in Prometheus' form. Labels are names from the configuration, never ids or
personal data.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.delivery import Dead, Delivered, Delivery, Outcome, Wait

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGES = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 72 * 3600)


class Metrics:
    """The metrics of one gateway; several in one process do not mix. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._submissions = Counter(
            "gateway_submissions_total",
            "Submissions that were kept, by what became of them at once",
            ["service", "channel", "result"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "gateway_refusals_total", "Requests refused, by problem code", ["code"], registry=self.registry
        )
        self._requests = Histogram(
            "gateway_request_seconds",
            "Time from a request's header to the end of its answer",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._outcomes = Counter(
            "gateway_deliveries_total",
            "Turns with a delivery, by outcome",
            ["target", "outcome"],
            registry=self.registry,
        )
        self._age = Histogram(
            "gateway_delivery_age_seconds",
            "Time from acceptance to delivery",
            ["service", "target"],
            buckets=_AGES,
            registry=self.registry,
        )
        self._dead = Counter(
            "gateway_dead_letters_total", "Deliveries that need a person", ["target", "class"], registry=self.registry
        )
        self._swept = Counter(
            "gateway_sweep_requeued_total", "Deliveries that were due and nowhere, queued again", registry=self.registry
        )

    def kept(self, service: str, channel: str, result: str) -> None:
        self._submissions.labels(service, channel, result).inc()

    def refused(self, code: str) -> None:
        self._refusals.labels(code).inc()

    def request(self, route: str, status: str, seconds: float) -> None:
        self._requests.labels(route, status).observe(seconds)

    def outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        """One turn of a worker has ended."""
        name = outcome.why if isinstance(outcome, Wait) else type(outcome).__name__.lower()
        self._outcomes.labels(delivery.target, name).inc()
        if isinstance(outcome, Delivered):
            age = (datetime.now(UTC) - delivery.created_at).total_seconds()
            self._age.labels(delivery.service, delivery.target).observe(age)
        elif isinstance(outcome, Dead):
            self._dead.labels(delivery.target, outcome.failure).inc()

    def swept(self, count: int) -> None:
        self._swept.inc(count)

    def render(self) -> bytes:
        """The exposition that `/metrics` answers with (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
