"""The contract of `queues.base.Broker` as tests. Every broker passes it; outside implementations can use it too:

    class TestMyBroker(BrokerContract):
        survives_restart = True

        @pytest.fixture
        def connect(self) -> Connect: ...

`connect` opens one more client of one and the same broker, empty at the beginning of each test, with a pause of at most
0.05 s before a message is handed out again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from queues.base import (
    Binding,
    Broker,
    BrokerUnavailable,
    Delivered,
    Exchange,
    Message,
    Queue,
    Topology,
    TopologyMismatch,
    Unroutable,
    Verdict,
)

Connect = Callable[[], Broker]

PATIENCE = 20.0
"""Seconds until something that must happen counts as not happening."""

WORK = Topology(
    exchanges=[Exchange("work"), Exchange("dead"), Exchange("later", "fanout"), Exchange("events", "topic")],
    queues=[
        Queue("dead.a"),
        Queue("work.a", dead_exchange="dead", delivery_limit=2),
        Queue("work.b", dead_exchange="dead", dead_key="a", delivery_limit=2),
        Queue("later", ttl=0.3, dead_exchange="work"),
        Queue("tax"),
    ],
    bindings=[
        Binding("dead", "dead.a", "a"),
        Binding("work", "work.a", "a"),
        Binding("work", "work.b", "b"),
        Binding("later", "later", ""),
        Binding("events", "tax", "case.*.tax"),
    ],
)


def message(number: int | str, key: str = "a", exchange: str = "work") -> Message:
    return Message(
        exchange, key, f"m-{number}", f'{{"n": "{number}"}}'.encode(), headers={"cloudEvents:id": f"m-{number}"}
    )


class Inbox:
    """A handler that remembers what it got and answers as told. Waits are bounded by PATIENCE."""

    def __init__(self, answer: Callable[[Delivered], Verdict] = lambda _: Verdict.ACK) -> None:
        self._answer = answer
        self._changed = threading.Condition()
        self.got: list[Delivered] = []

    def __call__(self, delivered: Delivered) -> Verdict:
        with self._changed:
            self.got.append(delivered)
            self._changed.notify_all()
        return self._answer(delivered)

    def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Delivered]:
        """The first `count` messages at least; fails if they do not come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, timeout), f"{len(self.got)} of {count} came"
            return list(self.got)

    def ids(self) -> list[str]:
        with self._changed:
            return [d.message.message_id for d in self.got]


def eventually(condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
    """Wait for something that only the broker can tell, by asking it."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        threading.Event().wait(0.02)


def declared(broker: Broker, topology: Topology) -> Broker:
    """The broker with this topology. A node that has just started, or that still removes the queues of another test,
    may need more than one try; that it says so is part of the contract.
    """

    def done() -> bool:
        try:
            broker.declare(topology)
        except BrokerUnavailable:
            return False
        return True

    eventually(done)
    return broker


def raises(_: Delivered) -> Verdict:
    raise RuntimeError("the handler cannot")


class BrokerContract:
    """See the module. A subclass gives the fixture `connect`."""

    survives_restart: bool

    @pytest.fixture
    def broker(self, connect: Connect) -> Iterator[Broker]:
        broker = declared(connect(), WORK)
        yield broker
        broker.close()

    def test_what_is_published_arrives_as_it_was(self, broker: Broker) -> None:
        inbox = Inbox()
        sent = Message(
            "work",
            "a",
            "m-1",
            b'{"deliveryId": "1"}',
            "application/cloudevents+json",
            {"cloudEvents:id": "m-1", "attempt": 3, "repeat": True},
        )
        broker.publish([sent])
        broker.consume("work.a", inbox, prefetch=1)

        [got] = inbox.wait_for(1)
        assert (got.message, got.queue) == (sent, "work.a")
        assert (got.redelivered, got.delivery_count, list(got.deaths)) == (False, 0, [])

    def test_of_a_thousand_messages_in_one_call_none_is_lost(self, broker: Broker) -> None:
        inbox = Inbox()
        broker.consume("work.a", inbox, prefetch=8)
        broker.publish([message(n) for n in range(1000)])
        inbox.wait_for(1000)
        assert Counter(inbox.ids()) == Counter(f"m-{n}" for n in range(1000))

    def test_publishing_nothing_is_done_at_once(self, broker: Broker) -> None:
        broker.publish([])
        assert broker.depths()["work.a"] == 0

    def test_what_no_queue_is_bound_for_is_named_and_the_rest_is_taken(self, broker: Broker) -> None:
        messages = [message(1), message(2, key="nobody"), message(3), message(4, key="nobody")]
        with pytest.raises(Unroutable) as raised:
            broker.publish(messages)
        assert sorted(m.message_id for m in raised.value.messages) == ["m-2", "m-4"]
        eventually(lambda: broker.depths()["work.a"] == 2)

    def test_an_exchange_that_does_not_exist_makes_the_call_fail_and_not_the_next_one(self, broker: Broker) -> None:
        with pytest.raises(BrokerUnavailable):
            broker.publish([message(1, exchange="never-declared")], timeout=PATIENCE)
        broker.publish([message(2)])
        inbox = Inbox()
        broker.consume("work.a", inbox, prefetch=1)
        assert inbox.wait_for(1)[0].message.message_id == "m-2"

    @pytest.mark.parametrize(
        "impossible",
        [
            Message("work", "k" * 256, "m-1"),
            Message("work", "a", "m" * 256),
            Message("work", "a", "m-1", headers={"attempt": 2**63}),
            Message("work", "a", "m-1", headers={"h" * 256: 1}),
            Message("work", "a", "m-1", headers={"half": "\ud800"}),
        ],
    )
    def test_what_no_broker_can_carry_is_refused_and_harms_nobody_else(
        self, broker: Broker, impossible: Message
    ) -> None:
        with pytest.raises(ValueError):
            broker.publish([message(1), impossible])
        broker.publish([message(2)])
        inbox = Inbox()
        broker.consume("work.a", inbox, prefetch=1)
        assert inbox.wait_for(1)[0].message.message_id == "m-2"

    def test_a_rejected_message_goes_to_the_dead_letter_queue_with_its_story(self, broker: Broker) -> None:
        dead = Inbox()
        broker.consume("dead.a", dead, prefetch=1)
        broker.consume("work.a", Inbox(lambda _: Verdict.REJECT), prefetch=1)
        broker.publish([message(1)])

        [got] = dead.wait_for(1)
        assert got.message.message_id == "m-1"
        assert got.message.headers == {"cloudEvents:id": "m-1"}
        death = got.deaths[0]
        assert (death["queue"], death["reason"], death["count"]) == ("work.a", "rejected", 1)
        assert (death["exchange"], death["routing-keys"]) == ("work", ["a"])
        assert isinstance(death["time"], str)

    def test_a_queue_may_send_its_dead_under_another_key(self, broker: Broker) -> None:
        dead = Inbox()
        broker.consume("dead.a", dead, prefetch=1)
        broker.consume("work.b", Inbox(lambda _: Verdict.REJECT), prefetch=1)
        broker.publish([message(1, key="b")])
        assert dead.wait_for(1)[0].deaths[0]["queue"] == "work.b"

    def test_a_message_whose_handler_raised_comes_again_and_says_so(self, broker: Broker) -> None:
        def first_time_fails(delivered: Delivered) -> Verdict:
            return Verdict.ACK if delivered.redelivered else raises(delivered)

        inbox = Inbox(first_time_fails)
        broker.consume("work.a", inbox, prefetch=1)
        broker.publish([message(1)])
        first, second = inbox.wait_for(2)
        assert (first.redelivered, first.delivery_count) == (False, 0)
        assert (second.redelivered, second.delivery_count) == (True, 1)
        assert second.message == first.message

    def test_a_message_that_fails_every_time_ends_in_the_dead_letter_queue(self, broker: Broker) -> None:
        dead, inbox = Inbox(), Inbox(raises)
        broker.consume("dead.a", dead, prefetch=1)
        broker.consume("work.a", inbox, prefetch=1)
        broker.publish([message(1)])

        [got] = dead.wait_for(1)
        assert got.deaths[0]["reason"] == "delivery_limit"
        assert len(inbox.got) == 3, "a limit of two redeliveries allows three deliveries"

    def test_innocent_messages_beside_one_that_always_fails_are_all_handled(self, broker: Broker) -> None:
        def fails_for_one(delivered: Delivered) -> Verdict:
            return raises(delivered) if delivered.message.message_id == "m-poison" else Verdict.ACK

        dead, inbox = Inbox(), Inbox(fails_for_one)
        broker.consume("dead.a", dead, prefetch=1)
        broker.consume("work.a", inbox, prefetch=4)
        broker.publish([message("poison"), *(message(n) for n in range(20))])

        assert [d.message.message_id for d in dead.wait_for(1)] == ["m-poison"]
        inbox.wait_for(23)
        assert set(inbox.ids()) == {"m-poison", *(f"m-{n}" for n in range(20))}
        assert len(dead.got) == 1

    def test_a_delayed_message_comes_to_its_work_queue_by_its_own_key(self, broker: Broker) -> None:
        a, b = Inbox(), Inbox()
        broker.consume("work.a", a, prefetch=1)
        broker.consume("work.b", b, prefetch=1)
        begun = time.monotonic()
        broker.publish([message(1, key="a", exchange="later"), message(2, key="b", exchange="later")])

        assert a.wait_for(1)[0].message.message_id == "m-1"
        assert b.wait_for(1)[0].message.message_id == "m-2"
        assert time.monotonic() - begun >= 0.29
        assert a.got[0].message.exchange == "work"
        assert a.got[0].deaths[0]["reason"] == "expired"

    def test_equal_delays_do_not_wait_for_each_other(self, broker: Broker) -> None:
        inbox = Inbox()
        broker.consume("work.a", inbox, prefetch=4)
        begun = time.monotonic()
        broker.publish([message(n, exchange="later") for n in range(200)])
        inbox.wait_for(200)
        # One after the other they would take a minute.
        assert time.monotonic() - begun < 10
        assert set(inbox.ids()) == {f"m-{n}" for n in range(200)}

    def test_a_message_sent_round_again_and_again_never_vanishes(self, broker: Broker) -> None:
        """A broker drops what comes a second time to a queue it died in, if it carries the record of its deaths."""
        done = threading.Event()
        rounds: list[int] = []

        def send_round_again(delivered: Delivered) -> Verdict:
            rounds.append(len(delivered.deaths))
            if len(rounds) == 4:
                done.set()
            else:
                old = delivered.message
                headers = {**old.headers, "x-first-death-queue": "later", "x-delivery-count": 1}
                broker.publish([Message("later", old.routing_key, old.message_id, old.body, old.content_type, headers)])
            return Verdict.ACK

        broker.consume("work.a", send_round_again, prefetch=1)
        broker.publish([message(1, exchange="later")])
        assert done.wait(PATIENCE)
        assert rounds == [1, 1, 1, 1], "each round is a new message with one death"

    def test_a_topic_reaches_the_queues_whose_pattern_fits(self, broker: Broker) -> None:
        inbox = Inbox()
        broker.consume("tax", inbox, prefetch=1)
        broker.publish([message(1, key="case.accepted.tax", exchange="events")])
        with pytest.raises(Unroutable):
            broker.publish([message(2, key="case.accepted.building", exchange="events")])
        assert inbox.wait_for(1)[0].message.routing_key == "case.accepted.tax"

    def test_two_consumers_share_the_work(self, broker: Broker, connect: Connect) -> None:
        both_busy = threading.Barrier(2)

        def meet(_: Delivered) -> Verdict:
            both_busy.wait(PATIENCE)
            return Verdict.ACK

        other = connect()
        first, second = Inbox(meet), Inbox(meet)
        broker.consume("work.a", first, prefetch=1)
        other.consume("work.a", second, prefetch=1)
        broker.publish([message(n) for n in range(6)])
        first.wait_for(3)
        second.wait_for(3)
        assert sorted(first.ids() + second.ids()) == [f"m-{n}" for n in range(6)]
        other.close()

    def test_no_more_handlers_run_at_a_time_than_allowed_and_as_many_as_allowed_do(self, broker: Broker) -> None:
        lock, full, free = threading.Lock(), threading.Event(), threading.Event()
        running, most = 0, 0

        def count(_: Delivered) -> Verdict:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == 3:
                    full.set()
            free.wait(PATIENCE)
            with lock:
                running -= 1
            return Verdict.ACK

        inbox = Inbox(count)
        broker.consume("work.a", inbox, prefetch=3)
        broker.publish([message(n) for n in range(30)])
        assert full.wait(PATIENCE)
        assert not free.wait(0.2)  # time for a fourth to come, if it could
        free.set()
        inbox.wait_for(30)
        assert most == 3

    def test_a_stopped_consumer_ends_what_it_does_and_gives_back_the_rest(self, broker: Broker) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def slow(_: Delivered) -> Verdict:
            begun.set()
            go_on.wait(PATIENCE)
            return Verdict.ACK

        slow_inbox, rest = Inbox(slow), Inbox()
        consumer = broker.consume("work.a", slow_inbox, prefetch=1)
        broker.publish([message(n) for n in range(5)])
        assert begun.wait(PATIENCE)
        assert consumer.running
        stopper = threading.Thread(target=consumer.stop)
        stopper.start()
        eventually(lambda: not consumer.running)
        go_on.set()
        stopper.join(PATIENCE)

        broker.consume("work.a", rest, prefetch=1)
        rest.wait_for(5 - len(slow_inbox.got))
        eventually(lambda: broker.depths()["work.a"] == 0)
        assert Counter(slow_inbox.ids() + rest.ids()) == Counter(f"m-{n}" for n in range(5))

    def test_stopping_does_not_wait_longer_than_told_for_a_handler_that_hangs(self, broker: Broker) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def hangs(_: Delivered) -> Verdict:
            begun.set()
            go_on.wait(PATIENCE)
            return Verdict.ACK

        consumer = broker.consume("work.a", hangs, prefetch=1)
        broker.publish([message(1)])
        assert begun.wait(PATIENCE)
        asked = time.monotonic()
        consumer.stop(timeout=0.2)
        assert time.monotonic() - asked < 5
        go_on.set()

    def test_a_consumer_may_come_before_its_queue(self, broker: Broker) -> None:
        inbox = Inbox()
        broker.consume("late", inbox, prefetch=1)
        broker.declare(Topology(queues=[Queue("late")], bindings=[Binding("work", "late", "late")]))
        broker.publish([message(1, key="late")])
        inbox.wait_for(1)

    def test_declaring_twice_changes_nothing(self, broker: Broker, connect: Connect) -> None:
        broker.publish([message(1)])
        broker.declare(WORK)
        other = connect()
        other.declare(WORK)
        eventually(lambda: other.depths()["work.a"] == 1)
        other.close()

    @pytest.mark.parametrize(
        ("other", "name"),
        [
            (Topology(queues=[Queue("later", ttl=7, dead_exchange="work")]), "later"),
            (Topology(queues=[Queue("work.a", dead_exchange="dead", delivery_limit=9)]), "work.a"),
            (Topology(exchanges=[Exchange("work", "fanout")]), "work"),
        ],
    )
    def test_declaring_something_else_under_the_same_name_is_refused_and_named(
        self, broker: Broker, other: Topology, name: str
    ) -> None:
        with pytest.raises(TopologyMismatch, match=name):
            broker.declare(other)
        broker.publish([message(1)])  # and the broker goes on

    def test_depths_tell_what_waits_in_each_declared_queue(self, broker: Broker) -> None:
        broker.publish([message(1), message(2), message(3, key="b")])
        eventually(lambda: (broker.depths()["work.a"], broker.depths()["work.b"]) == (2, 1))
        assert set(broker.depths()) == {queue.name for queue in WORK.queues}

    def test_purging_empties_one_queue(self, broker: Broker) -> None:
        broker.publish([message(1), message(2), message(3, key="b")])
        eventually(lambda: broker.depths()["work.a"] == 2)
        broker.purge("work.a")
        eventually(lambda: (broker.depths()["work.a"], broker.depths()["work.b"]) == (0, 1))
        broker.purge("no-such-queue")

    def test_many_threads_may_publish_at_once(self, broker: Broker) -> None:
        errors: list[Exception] = []

        def publish(thread: int) -> None:
            try:
                for part in range(5):
                    broker.publish([message(f"{thread}-{part}-{n}") for n in range(20)])
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=publish, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        inbox = Inbox()
        broker.consume("work.a", inbox, prefetch=8)
        inbox.wait_for(800)
        assert not errors
        assert len(set(inbox.ids())) == 800

    def test_a_handler_may_publish(self, broker: Broker) -> None:
        def pass_on(delivered: Delivered) -> Verdict:
            broker.publish([message(delivered.message.message_id, key="b")])
            return Verdict.ACK

        inbox = Inbox()
        broker.consume("work.a", pass_on, prefetch=4)
        broker.consume("work.b", inbox, prefetch=4)
        broker.publish([message(n) for n in range(50)])
        inbox.wait_for(50)

    def test_what_was_confirmed_is_there_after_a_restart_if_the_broker_says_so(
        self, broker: Broker, connect: Connect, restart: Callable[[], None]
    ) -> None:
        broker.publish([message(n) for n in range(10)])
        broker.close()
        restart()
        again = declared(connect(), WORK)
        eventually(lambda: again.depths()["work.a"] == (10 if self.survives_restart else 0))
        again.close()

    def test_a_closed_broker_refuses_everything(self, connect: Connect) -> None:
        broker = declared(connect(), WORK)
        broker.close()
        broker.close()
        refused: Sequence[Callable[[], object]] = [
            lambda: broker.publish([message(1)]),
            lambda: broker.declare(WORK),
            lambda: broker.depths(),
            lambda: broker.consume("work.a", _never, prefetch=1),
        ]
        for call in refused:
            with pytest.raises(BrokerUnavailable):
                call()


def _never(_: Delivered) -> Verdict:
    raise AssertionError("nothing may be handed out")
