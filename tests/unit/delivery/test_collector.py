"""What only the broker saw becomes a dead letter: poison, what nobody can read, and cases that a department rejects."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from adapters.amqp.adapter import EVENT_TYPE
from gateway.delivery import Dead
from gateway.delivery.collector import Collector
from gateway.wiring import Gateway
from queues.base import Delivered, Message, Verdict

DELIVERY = "0f8fad5b-d9cb-469f-a165-70867728950e"


@dataclass
class Store:
    """The method of the store that a collector uses."""

    buried: list[tuple[str | None, Dead, dict[str, Any]]] = field(default_factory=list)

    def bury(self, delivery_id: str | None, dead: Dead, *, broker: dict[str, Any]) -> Future[str]:
        self.buried.append((delivery_id, dead, broker))
        done: Future[str] = Future()
        done.set_result("dead-1")
        return done


@dataclass
class Parts:
    store: Store


def collected(message: Message, reason: str) -> tuple[str | None, Dead, dict[str, Any]]:
    store = Store()
    collector = Collector(cast(Gateway, Parts(store)))
    deaths = [{"reason": reason, "queue": "ozg.target.t", "count": 1}]
    assert collector.collect(Delivered("ozg.dead.t", message, False, 0, deaths)) is Verdict.ACK
    (buried,) = store.buried
    return buried


def ours() -> Message:
    return Message("ozg.dead", "t", "m", json.dumps({"deliveryId": DELIVERY}).encode())


def test_a_message_over_its_delivery_limit_is_poison() -> None:
    delivery, dead, _ = collected(ours(), "delivery_limit")
    assert (delivery, dead.failure, dead.source) == (DELIVERY, "poison", "delivery_limit")


def test_a_case_that_a_departments_consumer_rejects_comes_back_as_its_dead_letter() -> None:
    headers = {"cloudEvents:type": EVENT_TYPE, "cloudEvents:id": DELIVERY}
    event = Message("ozg.dead", "t", DELIVERY, b'{"submissionId": "x"}', headers=headers)
    delivery, dead, _ = collected(event, "rejected")
    assert (delivery, dead.failure, dead.source) == (DELIVERY, "rejected_by_target", "consumer")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b'{"deliveryId": 5}', b'{"deliveryId": "../../x"}'])
def test_what_cannot_be_read_is_kept_as_facts_without_its_body(body: bytes) -> None:
    delivery, _, facts = collected(Message("ozg.dead", "t", "m", body), "rejected")
    assert delivery is None
    assert facts["size"] == len(body)
    assert body.decode("latin-1") not in json.dumps(facts) or not body
