"""Names, order and headers, as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues import open_broker
from queues.base import Message
from queues.embedded import EmbeddedBroker
from queues.headers import own_headers, plain, sendable
from queues.pool import HandlerPool
from queues.rabbitmq import RabbitBroker
from queues.returning import Returning
from queues.topology import RUNGS, dead_queue, gateway_topology, rung_exchange, target_queue


def test_where_the_dead_go_is_declared_before_who_may_die() -> None:
    topology = gateway_topology(["tax", "building"])
    order = [queue.name for queue in topology.queues]
    for target in ("tax", "building"):
        assert order.index(dead_queue(target)) < order.index(target_queue(target))
        assert max(order.index(rung_exchange(r)) for r in RUNGS) > order.index(target_queue(target))


def test_every_queue_of_the_gateway_says_where_its_dead_go_or_never_lets_any_die() -> None:
    for queue in gateway_topology(["tax"]).queues:
        assert queue.dead_exchange or (queue.ttl is None and (queue.delivery_limit or 0) >= 1_000_000)


def test_two_gateways_on_one_broker_keep_apart_by_their_prefix() -> None:
    one, two = gateway_topology(["tax"]), gateway_topology(["tax"], prefix="other")
    assert not {q.name for q in one.queues} & {q.name for q in two.queues}
    assert not {e.name for e in one.exchanges} & {e.name for e in two.exchanges}


@pytest.mark.parametrize(
    "own", ["x-death", "x-delivery-count", "x-acquired-count", "x-first-death-queue", "x-last-death-reason"]
)
def test_the_brokers_own_headers_are_never_sent(own: str) -> None:
    assert sendable(Message("e", "k", "m", headers={own: "1", "mine": "2"})).headers == {"mine": "2"}


def test_foreign_headers_become_text_and_empty_ones_vanish() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    headers = {"amount": Decimal("1.5"), "raw": b"a\xff", "at": moment, "none": None, "yes": True, "many": [1]}
    assert own_headers(headers) == {
        "amount": "1.5",
        "raw": "a�",
        "at": "2026-01-02T03:04:05+00:00",
        "yes": True,
        "many": "[1]",
    }


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.datetimes() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(nested)
def test_whatever_a_broker_records_of_a_death_can_be_written_as_json(value: object) -> None:
    json.dumps(plain(value), allow_nan=True)


@pytest.mark.parametrize(
    ("url", "kind"), [("embedded://", EmbeddedBroker), ("embedded://x", EmbeddedBroker), ("amqp://h/v", RabbitBroker)]
)
def test_the_url_decides_which_broker_it_is(url: str, kind: type) -> None:
    broker = open_broker(url, name="test")
    assert isinstance(broker, kind)
    broker.close()


@pytest.mark.parametrize(
    "url", ["redis://user:geheim@h", "amqp://user:geheim@h:port/", "amqp://user:geheim@h/?x=1", "amqp://user@h/"]
)
def test_a_broker_url_that_cannot_be_right_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError) as raised:
        open_broker(url, name="test")
    assert "geheim" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_the_pause_before_a_redelivery_doubles_up_to_its_bound() -> None:
    returning = Returning(first=1, longest=30)
    assert [returning.delay(count) for count in (0, 1, 2, 5, 1000)] == [1, 2, 4, 30, 30]


def test_a_consumer_without_a_thread_is_refused() -> None:
    with pytest.raises(ValueError):
        HandlerPool(0, "none")
