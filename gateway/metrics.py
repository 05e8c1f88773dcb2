"""What one process counts and measures, in Prometheus' form. Labels are names from the configuration, never ids or
personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.delivery import Dead, Delivered, Delivery, Outcome, Wait

if TYPE_CHECKING:
    from gateway.store import Standing

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

        self._open = Gauge("gateway_open_deliveries", "Open deliveries", ["target", "state"], registry=self.registry)
        self._oldest = Gauge(
            "gateway_oldest_open_seconds",
            "Age of the delivery that is on its way for longest, since acceptance or redrive",
            ["target"],
            registry=self.registry,
        )
        self._dead_open = Gauge(
            "gateway_dead_letters_open",
            "Dead letters that wait for a person",
            ["target", "class"],
            registry=self.registry,
        )
        self._outbox = Gauge("gateway_outbox_rows", "Due and not confirmed by the broker", registry=self.registry)
        self._outbox_oldest = Gauge(
            "gateway_outbox_oldest_seconds", "How long the oldest of them has been due", registry=self.registry
        )
        self._untold = Gauge(
            "gateway_events_rows", "Changes of state not yet confirmed on ozg.events", registry=self.registry
        )
        self._untold_oldest = Gauge(
            "gateway_events_oldest_seconds", "How long ago the oldest of them happened", registry=self.registry
        )
        self._scans = Counter(
            "gateway_scans_total",
            "Attachments given to the virus scanner, by result",
            ["result"],
            registry=self.registry,
        )
        self._held = Gauge(
            "gateway_held_submissions", "Submissions that wait for the virus scanner", registry=self.registry
        )
        self._held_oldest = Gauge(
            "gateway_held_oldest_seconds", "How long ago the oldest of them was received", registry=self.registry
        )
        self._unsealed = Gauge("gateway_unsealed_events", "Events that wait for a seal", registry=self.registry)
        self._difference = Gauge(
            "gateway_day_difference",
            "Deliveries that the last closed day cannot account for; 0 is right",
            ["service"],
            registry=self.registry,
        )
        self._circuit = Gauge(
            "gateway_target_circuit", "Circuit of a target: 0 closed, 2 open", ["target"], registry=self.registry
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

    def scanned(self, result: str) -> None:
        self._scans.labels(result).inc()

    def standing(self, standing: Standing) -> None:
        """What is open in the whole installation, as the database has it now."""
        for gauge, numbers in ((self._open, standing.deliveries), (self._dead_open, standing.dead_letters)):
            gauge.clear()
            for labels, number in numbers.items():
                gauge.labels(*labels).set(number)
        self._oldest.clear()
        for target, seconds in standing.oldest_seconds.items():
            self._oldest.labels(target).set(seconds)
        self._outbox.set(standing.outbox_rows)
        self._outbox_oldest.set(standing.outbox_oldest_seconds)
        self._untold.set(standing.untold)
        self._untold_oldest.set(standing.untold_oldest_seconds)
        self._held.set(standing.held)
        self._held_oldest.set(standing.held_oldest_seconds)
        for target, state in standing.circuits.items():
            self._circuit.labels(target).set(2 if state == "open" else 0)

    def record(self, unsealed: int, differences: Mapping[str, int]) -> None:
        """Of the record: what is not sealed yet, and what the last close of a day found, by service."""
        self._unsealed.set(unsealed)
        self._difference.clear()
        for service, number in differences.items():
            self._difference.labels(service).set(number)

    def render(self) -> bytes:
        """The exposition that `/metrics` answers with (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
