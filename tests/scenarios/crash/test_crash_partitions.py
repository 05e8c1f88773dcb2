"""Cut off from the database or the broker, a broker that dies or forgets, workers that are stopped and come back.

Production only, with serve, work and relay as processes of their own; proxies stand in front of both servers.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from city import until
from crash_world import QUEUE, REST, SOAP, Sent, World, servers_of_its_own, wait_all, world
from tcp_proxy import TcpProxy

from gateway.demo.servers import RabbitNode
from gateway.store import DeliveryView
from queues import open_broker
from queues.topology import gateway_topology, target_queue

COMMIT = b"COMMIT\x00"
CONFIRM = b"\x00\x3c\x00\x50"
"""Method 60.80 of AMQP 0-9-1: basic.ack, from the broker a publisher's confirm."""


@dataclass
class Cluster:
    world: World
    node: RabbitNode
    broker_url: str
    database: TcpProxy
    broker: TcpProxy


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, rabbitmq_node: RabbitNode
) -> Iterator[Cluster]:
    proxies: dict[str, TcpProxy] = {}

    def through(name: str, url: str) -> str:
        if name not in ("database", "broker"):
            return url
        proxies[name] = TcpProxy.before(url)
        return proxies[name].url(url)

    folder = tmp_path_factory.mktemp("cluster")
    with (
        servers_of_its_own(postgres_url, rabbitmq_node) as shape,
        world(folder, shape, roles=("serve", "work", "relay"), through=through) as opened,
    ):
        yield Cluster(opened, rabbitmq_node, shape.broker_url, proxies["database"], proxies["broker"])
    for proxy in proxies.values():
        proxy.close()


@pytest.fixture(autouse=True)
def healed(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.database.heal()
    cluster.broker.heal()


def arrives(cluster: Cluster, count: int = 1) -> None:
    """What is sent now ends as it should, and everything before did."""
    sent = wait_all([cluster.world.send() for _ in range(count)])
    cluster.world.drain()
    assert {d.state for one in sent for d in cluster.world.view(one).deliveries} == {"delivered"}
    cluster.world.check()


@pytest.mark.parametrize("reaches", [False, True], ids=["before-it", "after-it"])
def test_cut_at_commit_nobody_is_told_accepted_and_the_repeat_finds_none_or_the_one(
    cluster: Cluster, reaches: bool
) -> None:
    for _ in range(3):  # the relay's and the worker's commits are cut as well
        cluster.database.cut_once("out", needle=COMMIT, forward=reaches)
        arrives(cluster)
        assert cluster.database.struck.wait(10)


def test_when_the_confirm_is_lost_it_is_published_again_and_claimed_once(cluster: Cluster) -> None:
    cluster.broker.cut_once("in", needle=CONFIRM, forward=False)

    arrives(cluster, 3)

    assert cluster.broker.struck.wait(10)


def test_when_the_broker_is_killed_everything_goes_on_by_itself(cluster: Cluster) -> None:
    until(lambda: cluster.node.has_written(target_queue(SOAP)), "the queues to be on disk")
    sending = [cluster.world.send() for _ in range(5)]
    cluster.node.kill()
    sent = wait_all(sending)  # accepted without it
    cluster.node.start()

    cluster.world.drain(120)

    assert {d.state for one in sent for d in cluster.world.view(one).deliveries} == {"delivered"}
    cluster.world.check()


def test_what_the_broker_forgets_the_sweep_puts_back(cluster: Cluster) -> None:
    # Given messages that lie in the queues while no worker runs
    cluster.world.installation.kill("work")
    sent = wait_all([cluster.world.send() for _ in range(3)])
    later = datetime.now(UTC) + timedelta(hours=1)
    until(lambda: not cluster.world.store.due_outbox(10, later), "everything to be with the broker")

    # When the broker loses them
    vandal = open_broker(cluster.broker_url, name="vandal")
    vandal.declare(gateway_topology([SOAP, REST, QUEUE]))
    for target in (SOAP, REST, QUEUE):
        vandal.purge(target_queue(target))
    vandal.close()
    cluster.world.start("work")

    # Then they come again, without a person
    cluster.world.drain()
    assert {d.state for one in sent for d in cluster.world.view(one).deliveries} == {"delivered"}
    cluster.world.check()


@pytest.mark.long
def test_a_stopped_worker_that_comes_back_late_is_refused_and_asks_nobody_twice(cluster: Cluster) -> None:
    # Given a worker that stands still while the target has its case and the answer is under way
    cluster.world.tell(SOAP, "slow", seconds=1.0, times=1)
    (sent,) = wait_all([cluster.world.send()])
    delivery_id = cluster.world.delivery(sent, SOAP).delivery_id
    until(lambda: bool(cluster.world.effects(SOAP, delivery_id)), "the case")
    stopped = cluster.world.installation.detach("work")
    stopped.send_signal(signal.SIGSTOP)

    comes_back_late(cluster, sent, stopped)

    assert cluster.world.effects(SOAP, delivery_id) == [False]


def test_a_stopped_worker_that_had_not_sent_yet_does_not_send_when_it_comes_back(cluster: Cluster) -> None:
    # Given a worker that stands still between the record of its attempt and the call
    cluster.world.arm("worker.attempt", target=SOAP, deadly="SIGSTOP")
    (sent,) = wait_all([cluster.world.send()])
    until(lambda: not cluster.world.armed.exists(), "the worker to stand still")
    stopped = cluster.world.installation.detach("work")

    comes_back_late(cluster, sent, stopped)

    # Then only the repeat was sent, and it says what it is
    assert cluster.world.effects(SOAP, cluster.world.delivery(sent, SOAP).delivery_id) == [True]


def comes_back_late(cluster: Cluster, sent: Sent, stopped: subprocess.Popen[bytes]) -> None:
    """When another worker takes over after the lease, and the first one wakes up; all is well after that."""
    try:
        cluster.world.start("work")
        until(lambda: cluster.world.delivery(sent, SOAP).state == "delivered", "another worker to take over", 90)
        stopped.send_signal(signal.SIGCONT)
        arrives(cluster)
        stopped.terminate()
        stopped.wait(60)
    finally:
        stopped.kill()
        stopped.wait(10)
    cluster.world.check()


def test_without_the_database_nothing_new_is_started_and_the_running_attempt_is_unknown(cluster: Cluster) -> None:
    # Given one whose case is there and whose answer is under way, and one that waits
    world = cluster.world
    world.tell(SOAP, "slow", seconds=4.0, times=1)
    world.tell(REST, "down", status=503, retry_after=5, times=1)
    (sent,) = wait_all([world.send()])
    waits = world.delivery(sent, REST).delivery_id
    until(lambda: bool(world.effects(SOAP, world.delivery(sent, SOAP).delivery_id)), "the case")
    until(lambda: bool(calls(cluster, REST, waits)), "the first attempt of what waits")

    # When nobody reaches the database any more, but everybody the departments, and the waiting one is due
    cluster.database.refuse()
    answer = world.once(timeout=30)
    assert answer is None or answer.status == 503
    until(lambda: is_due(world.delivery(sent, REST)), "it to be due")
    assert calls(cluster, REST, waits) <= len(world.store.attempts(waits)), "sent without the record of an attempt"

    # Then all goes on when it is back
    cluster.database.heal()
    world.drain()
    delivery = world.delivery(sent, SOAP)
    assert (delivery.state, world.effects(SOAP, delivery.delivery_id)) == ("delivered", [False])
    arrives(cluster)


def calls(cluster: Cluster, target: str, delivery_id: str) -> int:
    """How many requests for this delivery came to the system."""
    return sum(deed.key == delivery_id for deed in cluster.world.departments[target].ledger.deeds)


def is_due(delivery: DeliveryView) -> bool:
    return delivery.due_at is None or delivery.due_at <= datetime.now(UTC)
