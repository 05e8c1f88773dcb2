"""The gateway's own topology, proven by what happens to messages: RabbitMQ accepts wrong arguments in silence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import httpx
import pytest

from gateway.demo.servers import RabbitNode
from queues.base import Message, Topology, Unroutable, Verdict
from queues.rabbitmq import RabbitBroker
from queues.returning import Returning
from queues.testkit import Inbox, declared, eventually, raises
from queues.topology import DELIVER, DELIVERY_LIMIT, RUNGS, dead_queue, gateway_topology, rung_exchange, target_queue

TARGETS = ["tax", "building"]


def in_a_hurry(topology: Topology) -> Topology:
    """The same topology with rungs of a tenth of a second per place instead of seconds and minutes."""
    lasting = iter([0.1, 0.2, 0.3, 0.4])
    queues = [q if q.ttl is None else dataclasses.replace(q, ttl=next(lasting)) for q in topology.queues]
    return dataclasses.replace(topology, queues=queues)


@pytest.fixture
def broker(fresh_rabbitmq_url: str) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(fresh_rabbitmq_url, name="topology", returning=Returning(first=0.001, longest=0.01))
    declared(broker, in_a_hurry(gateway_topology(TARGETS)))
    yield broker
    broker.close()


def due(target: str, number: int, exchange: str = DELIVER) -> Message:
    return Message(exchange, target, f"{target}-{number}", b"{}")


def test_a_delivery_reaches_its_target_and_no_other(broker: RabbitBroker) -> None:
    tax, building = Inbox(), Inbox()
    broker.consume(target_queue("tax"), tax, prefetch=1)
    broker.consume(target_queue("building"), building, prefetch=1)
    broker.publish([due("tax", 1), due("building", 1)])
    tax.wait_for(1)
    building.wait_for(1)
    assert (tax.ids(), building.ids()) == (["tax-1"], ["building-1"])
    with pytest.raises(Unroutable):
        broker.publish([due("nobody", 1)])


@pytest.mark.parametrize("rung", list(RUNGS))
def test_every_rung_brings_a_message_back_to_its_target(broker: RabbitBroker, rung: str) -> None:
    inboxes = {target: Inbox() for target in TARGETS}
    for target, inbox in inboxes.items():
        broker.consume(target_queue(target), inbox, prefetch=1)
    broker.publish([due(target, 1, rung_exchange(rung)) for target in TARGETS])
    for target, inbox in inboxes.items():
        [got] = inbox.wait_for(1)
        assert (got.message.message_id, got.message.exchange) == (f"{target}-1", DELIVER)
        assert (got.deaths[0]["reason"], got.deaths[0]["queue"]) == ("expired", rung_exchange(rung))


def test_a_rejected_delivery_waits_in_its_target_s_dead_letter_queue(broker: RabbitBroker) -> None:
    dead = Inbox()
    broker.consume(dead_queue("tax"), dead, prefetch=1)
    broker.consume(target_queue("tax"), Inbox(lambda _: Verdict.REJECT), prefetch=1)
    broker.publish([due("tax", 1)])
    assert dead.wait_for(1)[0].deaths[0]["queue"] == target_queue("tax")


def test_a_delivery_that_always_fails_dies_after_the_limit(broker: RabbitBroker) -> None:
    dead, tax = Inbox(), Inbox(raises)
    broker.consume(dead_queue("tax"), dead, prefetch=1)
    broker.consume(target_queue("tax"), tax, prefetch=1)
    broker.publish([due("tax", 1)])
    assert dead.wait_for(1)[0].deaths[0]["reason"] == "delivery_limit"
    assert len(tax.got) == DELIVERY_LIMIT + 1


def test_a_dead_letter_survives_more_failures_of_the_collector_than_the_limit_of_any_release(
    broker: RabbitBroker,
) -> None:
    collector = Inbox(lambda d: raises(d) if d.delivery_count < 25 else Verdict.ACK)
    broker.consume(target_queue("tax"), Inbox(lambda _: Verdict.REJECT), prefetch=1)
    broker.consume(dead_queue("tax"), collector, prefetch=1)
    broker.publish([due("tax", 1)])
    assert collector.wait_for(26)[25].delivery_count == 25


def test_dead_letters_wait_for_a_missing_dead_letter_queue_instead_of_being_lost(
    broker: RabbitBroker, rabbitmq_node: RabbitNode, fresh_rabbitmq_url: str
) -> None:
    """At least once needs `reject-publish` beside it, or falls back to losing them. The broker tries again only every
    three minutes, so this looks at what it keeps, not at its second try.
    """
    api = httpx.Client(base_url=f"{rabbitmq_node.management_url}/api/queues", trust_env=False)
    vhost = fresh_rabbitmq_url.rpartition("/")[2]
    api.delete(f"/{vhost}/{dead_queue('tax')}").raise_for_status()
    inbox = Inbox(lambda _: Verdict.REJECT)
    broker.consume(target_queue("tax"), inbox, prefetch=1)
    broker.publish([due("tax", n) for n in range(5)])
    inbox.wait_for(5)

    def kept() -> bool:
        return bool(api.get(f"/{vhost}/{target_queue('tax')}").json().get("messages_dlx") == 5)

    eventually(kept, timeout=30)
    assert broker.depths()[target_queue("tax")] == 0, "invisible to the usual numbers"
    api.close()
