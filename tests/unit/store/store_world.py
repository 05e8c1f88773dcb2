"""A store with a clock that moves only when told, and the shortest ways to bring something into it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.delivery import Dead, Delivery
from gateway.store.keys import KeyRing
from gateway.store.store import Accepted, AttemptStart, Claimed, Store
from gateway.submission import Checked, Submission
from xoev_schemas.findings import Finding, Text

KEYS = KeyRing({1: bytes(range(32))})
CANARY = "Kanarienvogel-4711-Mustermann"


@dataclass
class Clock:
    """Time that moves only when told."""

    now: datetime = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """See the module. One per open store: two on one database are two processes."""

    store: Store
    clock: Clock
    url: str
    _number: Iterator[int] = field(default_factory=itertools.count)

    def submission(self, **changes: Any) -> Submission:
        number = next(self._number)
        values: dict[str, Any] = {
            "submission_id": f"00000000-0000-4000-8000-{number:012}",
            "channel": "rest",
            "client": "portal",
            "inbox_key": f"key-{number}",
            "received_at": self.clock(),
            "schema_uri": "urn:example:dog",
            "media_type": "application/xml",
            "data": f"<hund><halter>{CANARY}</halter></hund>".encode(),
            "metadata": {"replyChannel": {"email": CANARY}},
            "metadata_version": "2.1.0",
            "digest": f"digest-{number}",
            "service_identifier": "urn:de:fim:leika:leistung:99",
        }
        return Submission(**{**values, **changes})

    def accept(self, *targets: str, submission: Submission | None = None, checked: Checked | None = None) -> Accepted:
        handed_in = submission or self.submission()
        future = self.store.accept(
            handed_in, checked or verdict(), targets or ("steuer",), self.store.new_content(handed_in.submission_id)
        )
        answer = future.result(30)
        assert isinstance(answer, Accepted)
        return answer

    def delivery(self, accepted: Accepted | None = None) -> Delivery:
        """A queued delivery of a new submission (or the first of the given one)."""
        submission_id = (accepted or self.accept()).submission_id
        return self.store.delivery(self.store.view(submission_id).deliveries[0].delivery_id)

    def claimed(self, delivery: Delivery | None = None, worker: str = "worker-1") -> Delivery:
        answer = self.store.claim((delivery or self.delivery()).delivery_id, worker, 120).result(30)
        assert isinstance(answer, Claimed), answer
        return answer.delivery

    def attempt(self, delivery: Delivery) -> int:
        start = AttemptStart("worker-1", "abc", "c" * 64, "d" * 64, delivery.possible_repeat)
        return self.store.start_attempt(delivery, start).result(30)

    def dead(self, failure: str = "rejected_by_target") -> Delivery:
        delivery = self.claimed()
        self.store.finish(delivery, self.attempt(delivery), death(failure)).result(30)
        return self.store.delivery(delivery.delivery_id)

    def state(self, delivery: Delivery) -> str:
        return str(self.store.delivery(delivery.delivery_id).state)


def verdict(**changes: Any) -> Checked:
    values: dict[str, Any] = {
        "service": "hundesteuer",
        "department": "stadtkasse",
        "standard": "fim:S99000000001V1.0.0",
        "message": "S99000000001",
        "valid": True,
        "decision": "accept",
    }
    return Checked(**{**values, **changes})


def death(failure: str = "rejected_by_target", **changes: Any) -> Dead:
    values: dict[str, Any] = {
        "failure": failure,
        "code": "http.422",
        "text": Text("Das Ziel hat den Vorgang abgelehnt.", "The target refused the case."),
        "remedy": Text("Prüfen Sie die Zuordnung.", "Check the mapping."),
    }
    return Dead(**{**values, **changes})


def finding(code: str = "schema.missing_element", path: str = "/hund[1]/halter[2]") -> Finding:
    return Finding(code, "error", "schema", Text("Das Element fehlt.", "The element is missing."), path=path)
