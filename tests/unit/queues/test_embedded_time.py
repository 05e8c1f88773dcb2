"""Delays of the queue in memory, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues.base import Binding, Exchange, Message, Queue, Topology, Verdict
from queues.embedded import EmbeddedBroker
from queues.engine import matches
from queues.returning import Returning
from queues.testkit import Inbox, eventually, raises
from queues.topology import DELIVER, RUNGS, gateway_topology, rung_exchange, target_queue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(clock=clock, returning=Returning(first=1, longest=30))
    broker.declare(gateway_topology(["tax"]))
    yield broker
    broker.close()


@pytest.mark.parametrize(("rung", "seconds"), RUNGS.items())
def test_a_rung_holds_a_message_for_exactly_its_time(
    broker: EmbeddedBroker, clock: Clock, rung: str, seconds: float
) -> None:
    broker.publish([Message(rung_exchange(rung), "tax", "m-1")])
    clock.now = seconds - 0.001
    broker.tick()
    assert (broker.depths()[rung_exchange(rung)], broker.depths()[target_queue("tax")]) == (1, 0)
    clock.now = seconds
    broker.tick()
    assert (broker.depths()[rung_exchange(rung)], broker.depths()[target_queue("tax")]) == (0, 1)


def test_a_message_purged_from_a_rung_does_not_come_back(broker: EmbeddedBroker, clock: Clock) -> None:
    broker.publish([Message(rung_exchange("5s"), "tax", "m-1")])
    broker.purge(rung_exchange("5s"))
    clock.now = 10
    broker.tick()
    assert set(broker.depths().values()) == {0}


def test_a_handler_that_raises_gets_the_message_again_after_a_pause_that_grows(
    broker: EmbeddedBroker, clock: Clock
) -> None:
    inbox = Inbox(lambda d: raises(d) if d.delivery_count < 2 else Verdict.ACK)
    broker.consume(target_queue("tax"), inbox, prefetch=1)
    broker.publish([Message(DELIVER, "tax", "m-1")])
    inbox.wait_for(1)
    for count, pause in ((2, 1.0), (3, 2.0)):
        eventually(lambda: bool(broker._engine._timers))
        clock.now += pause - 0.1
        broker.tick()
        assert len(inbox.got) == count - 1
        clock.now += 0.1
        broker.tick()
        inbox.wait_for(count)
    eventually(lambda: broker.depths()[target_queue("tax")] == 0)


def test_the_dead_wait_for_a_dead_letter_queue_that_comes_later() -> None:
    broker = EmbeddedBroker()
    broker.declare(Topology(exchanges=[Exchange("dead")], queues=[Queue("work", dead_exchange="dead", dead_key="a")]))
    inbox = Inbox(lambda _: Verdict.REJECT)
    broker.consume("work", inbox, prefetch=1)
    broker.publish([Message("", "work", "m-1")])
    inbox.wait_for(1)

    late = Inbox()
    broker.declare(Topology(queues=[Queue("late")], bindings=[Binding("dead", "late", "a")]))
    broker.consume("late", late, prefetch=1)
    eventually(lambda: broker.depths()["work"] == 0)
    [got] = late.wait_for(1)
    assert [death["reason"] for death in got.deaths] == ["rejected"]
    broker.close()


def test_brokers_of_one_name_are_one_until_the_last_is_closed() -> None:
    first, second = EmbeddedBroker("shared-by-two"), EmbeddedBroker("shared-by-two")
    first.declare(Topology(queues=[Queue("q")]))
    first.publish([Message("", "q", "m-1")])
    first.close()
    inbox = Inbox()
    second.consume("q", inbox, prefetch=1)
    inbox.wait_for(1)
    second.close()
    third = EmbeddedBroker("shared-by-two")
    third.declare(Topology(queues=[Queue("q", ttl=5)]))  # another queue: nothing of the old one is left
    third.close()


words = st.lists(st.sampled_from(["case", "tax", "a", ""]), min_size=1, max_size=4).map(".".join)


@given(words)
def test_a_topic_pattern_without_wildcards_fits_itself_alone(key: str) -> None:
    assert matches("topic", key, key)
    assert not matches("topic", f"{key}.more", key)


@given(words, words)
def test_a_hash_stands_for_any_words_and_a_star_for_exactly_one(before: str, after: str) -> None:
    assert matches("topic", "#", f"{before}.{after}")
    assert matches("topic", f"{before}.#", before)
    assert matches("topic", f"{before}.#.{after}", f"{before}.{after}")
    assert matches("topic", f"{before}.*.{after}", f"{before}.x.{after}")
    assert not matches("topic", f"{before}.*", before)
