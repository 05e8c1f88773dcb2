"""Collector: everything that arrives in the dead-letter queues becomes visible and redrivable, from whatever cause.

The worker's own verdicts are in the database already. What comes here only the broker saw: a message over its limit of
deliveries (it killed its consumers), one that no worker can read, a case that a department's own consumer rejected.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from adapters.amqp.adapter import EVENT_TYPE
from gateway.delivery import Dead
from gateway.delivery.notices import dead_letter
from gateway.delivery.words import CLASSES, REMEDIES, explain
from gateway.delivery.worker import delivery_of
from gateway.store.deadletters import CONSUMER
from queues.base import Consumer, Delivered, Verdict
from queues.topology import dead_queue
from xoev_schemas.findings import Text

if TYPE_CHECKING:
    from gateway.wiring import Gateway


class Collector:
    """Consumes every dead-letter queue. Accepts duplicates; never fails for content."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._consumers: list[Consumer] = []

    def start(self) -> None:
        for target in sorted(self._gateway.adapters):
            self._consumers.append(self._gateway.broker.consume(dead_queue(target), self.collect, prefetch=2))

    def stop(self, timeout: float = 10.0) -> None:
        for consumer in self._consumers:
            consumer.stop(timeout)

    def collect(self, message: Delivered) -> Verdict:
        facts = broker_facts(message)
        delivery_id = delivery_of(message)
        if delivery_id is None and (delivery_id := case_of(message)):
            facts["source"] = CONSUMER
        dead = verdict(facts)
        buried = self._gateway.store.bury(delivery_id, dead, broker=facts).result()
        if buried:
            dead_letter(
                dead.failure, dead.code, delivery=delivery_id, target=facts["queue"].removeprefix(dead_queue(""))
            )
        return Verdict.ACK


def case_of(message: Delivered) -> str | None:
    """The delivery whose case was in a department's own queue (its CloudEvent carries our key as id), else None."""
    headers = message.message.headers
    if headers.get("cloudEvents:type") != EVENT_TYPE:
        return None
    try:
        return str(uuid.UUID(str(headers.get("cloudEvents:id"))))
    except ValueError:
        return None


def broker_facts(message: Delivered) -> dict[str, Any]:
    """What the broker says about a death; of the body only size and hash: it may not be ours, so it may hold
    anything.
    """
    return {
        "queue": message.queue,
        "deaths": [_jsonable(death) for death in message.deaths],
        "message_id": message.message.message_id,
        "size": len(message.message.body),
        "sha256": hashlib.sha256(message.message.body).hexdigest(),
        "reason": str(message.deaths[0].get("reason", "")) if message.deaths else "",
    }


def verdict(facts: Mapping[str, Any]) -> Dead:
    """The dead letter that a broker's death reason stands for."""
    if facts["reason"] == "delivery_limit":
        return Dead(
            failure="poison",
            code="broker.delivery_limit",
            text=CLASSES["poison"],
            remedy=REMEDIES["poison"],
            source="delivery_limit",
        )
    return Dead(
        failure="rejected_by_target" if facts["reason"] == "rejected" else "contract",
        code=f"broker.{facts['reason'] or 'unknown'}",
        text=explain(f"broker.{facts['reason'] or 'unknown'}") or CLASSES["contract"],
        remedy=Text(
            "Klären Sie es mit dem Empfänger und stellen Sie danach erneut zu.",
            "Settle it with the receiver, then send again.",
        ),
        source=facts.get("source") or facts["reason"] or "unknown",
    )


def _jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
