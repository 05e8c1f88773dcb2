"""What RabbitMQ, its node and its network can do to us, and that we come back by ourselves."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from gateway.demo.child import find_program
from gateway.demo.servers import RabbitNode
from queues.base import BrokerUnavailable, Delivered, Message, Queue, Topology, Unroutable, Verdict
from queues.rabbitmq import RabbitBroker
from queues.returning import Returning
from queues.testkit import WORK, Inbox, declared, eventually, message, raises

QUICK = Returning(first=0.01, longest=0.05)


@pytest.fixture
def broker(fresh_rabbitmq_url: str) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(fresh_rabbitmq_url, name="crashes", returning=QUICK)
    declared(broker, WORK)
    yield broker
    broker.close()


def delete_queue(node: RabbitNode, url: str, queue: str) -> None:
    vhost = url.rpartition("/")[2]
    httpx.delete(f"{node.management_url}/api/queues/{vhost}/{queue}", trust_env=False).raise_for_status()


@contextmanager
def memory_alarm(node: RabbitNode) -> Iterator[None]:
    """The node believes that it has too little memory: it stops reading from every connection that publishes."""
    set_watermark(node, "1MB")
    try:
        yield
    finally:
        set_watermark(node, "1GB")


def set_watermark(node: RabbitNode, size: str) -> None:
    program = find_program("rabbitmqctl", "/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")
    command = [str(program), "set_vm_memory_high_watermark", "absolute", size]
    subprocess.run(command, env=node.environment(), check=True, capture_output=True, timeout=60)


def test_every_confirmed_message_is_there_after_the_node_was_killed_in_the_middle(
    broker: RabbitBroker, rabbitmq_node: RabbitNode
) -> None:
    confirmed: list[str] = []
    enough = threading.Event()
    failed = threading.Event()

    def publish() -> None:
        for part in range(200):
            batch = [message(part * 10 + n) for n in range(10)]
            try:
                broker.publish(batch, timeout=10)
            except BrokerUnavailable:
                failed.set()
                return
            confirmed.extend(m.message_id for m in batch)
            if len(confirmed) >= 500:
                enough.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    assert enough.wait(30)
    rabbitmq_node.kill()
    publisher.join(30)
    assert failed.is_set(), "the kill came after the last message: nothing was proven"

    rabbitmq_node.start()
    inbox = Inbox()
    broker.consume("work.a", inbox, prefetch=50)
    eventually(lambda: set(confirmed) <= set(inbox.ids()), timeout=60)
    # What was sent and not confirmed may be there too, but nothing else, and nothing twice.
    assert len(set(inbox.ids()) - set(confirmed)) <= 10
    assert max(Counter(inbox.ids()).values()) == 1


def test_consumer_and_publisher_come_back_after_a_crash_without_help(
    broker: RabbitBroker, rabbitmq_node: RabbitNode
) -> None:
    inbox = Inbox()
    consumer = broker.consume("work.a", inbox, prefetch=1)
    broker.publish([message("before")])
    inbox.wait_for(1)

    rabbitmq_node.kill()
    with pytest.raises(BrokerUnavailable):
        broker.publish([message("meanwhile")], timeout=5)
    rabbitmq_node.start()

    def published() -> bool:
        try:
            broker.publish([message("after")], timeout=5)
        except BrokerUnavailable:
            return False
        return True

    eventually(published, timeout=60)
    eventually(lambda: "m-after" in inbox.ids(), timeout=60)
    assert consumer.running


def test_a_handler_that_outlives_its_connection_costs_a_redelivery_and_nothing_else(
    broker: RabbitBroker, rabbitmq_node: RabbitNode
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow_once(delivered: Delivered) -> Verdict:
        if not delivered.redelivered:
            begun.set()
            go_on.wait(60)
        return Verdict.ACK

    inbox = Inbox(slow_once)
    broker.consume("work.a", inbox, prefetch=2)
    broker.publish([message(1)])
    assert begun.wait(20)
    rabbitmq_node.kill()
    rabbitmq_node.start()
    second = inbox.wait_for(2, timeout=60)[1]
    assert second.redelivered
    go_on.set()  # its acknowledgement belongs to a channel that is gone
    broker.publish([message(2)])
    inbox.wait_for(3)
    eventually(lambda: broker.depths()["work.a"] == 0)


def test_a_queue_deleted_under_its_consumer_is_declared_again_and_consumed(
    broker: RabbitBroker, rabbitmq_node: RabbitNode, fresh_rabbitmq_url: str
) -> None:
    inbox = Inbox()
    broker.consume("work.a", inbox, prefetch=1)
    broker.publish([message(1)])
    inbox.wait_for(1)

    delete_queue(rabbitmq_node, fresh_rabbitmq_url, "work.a")

    def published() -> bool:
        try:
            broker.publish([message(2)])
        except Unroutable:
            return False
        return True

    eventually(published)
    assert inbox.wait_for(2)[1].message.message_id == "m-2"


@pytest.mark.parametrize("link", ["_publishing", "_consuming"])
def test_a_fault_inside_the_connection_s_thread_does_not_end_it(broker: RabbitBroker, link: str) -> None:
    inbox = Inbox()
    broker.consume("work.a", inbox, prefetch=1)
    broker.publish([message(1)])
    inbox.wait_for(1)

    getattr(broker, link).call(lambda: 1 / 0)

    def published() -> bool:
        try:
            broker.publish([message(2)], timeout=5)
        except BrokerUnavailable:
            return False
        return True

    eventually(published)
    eventually(lambda: "m-2" in inbox.ids())


def test_a_message_that_kills_its_worker_dies_and_spares_its_neighbours(
    broker: RabbitBroker, fresh_rabbitmq_url: str
) -> None:
    """Each loss of the connection stands for a killed process; what is prefetched beside the poison is counted too."""
    topology = Topology(
        queues=[Queue("dead.a"), Queue("hard", dead_exchange="dead", dead_key="a", delivery_limit=20)],
    )
    broker.declare(topology)
    the_end = threading.Event()

    def never_ends(_: Delivered) -> Verdict:
        the_end.wait(60)
        return Verdict.ACK

    broker.publish([Message("", "hard", f"m-{n}") for n in ("poison", 1, 2, 3)])
    for _ in range(3):
        worker = RabbitBroker(fresh_rabbitmq_url, name="worker", returning=QUICK)
        inbox = Inbox(never_ends)
        worker.consume("hard", inbox, prefetch=4)
        inbox.wait_for(4)
        worker._consuming.close()  # as if the process had died: handlers still run, nothing is acknowledged
        worker._publishing.close()

    def fails_for_one(delivered: Delivered) -> Verdict:
        return raises(delivered) if delivered.message.message_id == "m-poison" else Verdict.ACK

    dead, survivor = Inbox(), Inbox(fails_for_one)
    broker.consume("dead.a", dead, prefetch=1)
    broker.consume("hard", survivor, prefetch=4)
    assert [d.message.message_id for d in dead.wait_for(1)] == ["m-poison"]
    assert dead.got[0].deaths[0]["reason"] == "delivery_limit"
    assert {"m-1", "m-2", "m-3"} <= set(survivor.ids())
    the_end.set()


def test_a_handler_slower_than_two_heartbeats_still_acknowledges(fresh_rabbitmq_url: str) -> None:
    broker = RabbitBroker(f"{fresh_rabbitmq_url}?heartbeat=1", name="slow", returning=QUICK)
    declared(broker, WORK)
    done = threading.Event()

    def slow(_: Delivered) -> Verdict:
        done.wait(3.5)  # nothing sets it: this is the slowness
        return Verdict.ACK

    inbox = Inbox(slow)
    broker.consume("work.a", inbox, prefetch=1)
    broker.publish([message(1), message(2)])
    inbox.wait_for(2)
    eventually(lambda: broker.depths()["work.a"] == 0)
    threading.Event().wait(4)  # a redelivery would come now
    assert inbox.ids() == ["m-1", "m-2"]
    broker.close()


def test_a_memory_alarm_makes_publishing_fail_in_time_and_leaves_acknowledging_alone(
    fresh_rabbitmq_url: str, rabbitmq_node: RabbitNode
) -> None:
    broker = RabbitBroker(f"{fresh_rabbitmq_url}?blocked_connection_timeout=2", name="alarm", returning=QUICK)
    declared(broker, WORK)
    broker.publish([message(n) for n in range(5)])
    with memory_alarm(rabbitmq_node):
        asked = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            broker.publish([message("blocked")], timeout=8)
        assert time.monotonic() - asked < 9
        inbox = Inbox()
        broker.consume("work.a", inbox, prefetch=2)
        inbox.wait_for(5)

    def published() -> bool:
        try:
            broker.publish([message("free")], timeout=5)
        except BrokerUnavailable:
            return False
        return True

    eventually(published)
    broker.close()


@pytest.mark.parametrize("fault", ["password", "vhost", "port"])
def test_a_wrong_url_is_told_at_once_and_without_the_password(fresh_rabbitmq_url: str, fault: str) -> None:
    account, _, place = fresh_rabbitmq_url.partition("@")
    url = {
        "password": f"{account}-wrong@{place}",
        "vhost": f"{fresh_rabbitmq_url}-missing",
        "port": f"{account}@127.0.0.1:1/x",
    }[fault]
    broker = RabbitBroker(url, name="wrong")
    asked = time.monotonic()
    with pytest.raises(BrokerUnavailable) as raised:
        broker.publish([message(1)], timeout=20)
    assert time.monotonic() - asked < 15
    assert account.rpartition(":")[2] not in str(raised.value)
    assert ("refuses" in str(raised.value)) == (fault != "port")
    broker.close()
