"""What breaks around the gateway: a flood, a broker away or empty, processes that die. Nothing accepted is lost."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from city import City, city, dog_tax_packages, free_port, until
from installation import Installation

from gateway import pipeline
from gateway.demo.samples import Sample, shipped_samples
from gateway.demo.servers import RabbitNode
from gateway.demo.stage import CLIENT, Department, department_systems, effects_of
from gateway.portal import Portal
from gateway.runtime import running as running_parts
from gateway.settings import Limits, Settings
from gateway.store import DeliveryView, Store
from gateway.wiring import load_packages, open_gateway
from queues import open_broker
from queues.topology import gateway_topology, target_queue

FAST = {"lease_seconds": 3.0, "sweep_seconds": 0.5, "sweep_tolerance_seconds": 4.0, "relay_seconds": 0.1}
PATIENT = {"delays": ["0.3s", "0.5s"], "give_up_after": "5m"}


# ---------------------------------------------------------------------------------------------------- back-pressure


def test_a_full_backlog_is_answered_before_the_body_is_read_and_ends_by_itself(tmp_path: Path) -> None:
    with city(tmp_path / "home", limits=Limits(backlog=3, retry_after_seconds=7)) as running:
        # Given more open deliveries than the installation wants to have
        running.rest().tell("slow", seconds=3.0, times=4)  # as many as go there at a time
        while (answer := running.send()).status == 202:
            pass

        # Then a sender is told when to come back, and need not send its body
        assert (answer.status, answer.headers["retry-after"]) == (503, "7")
        assert only_head(running).startswith(b"HTTP/1.1 503")

        # When the department has caught up, everything accepted is there, and the door is open again
        until(lambda: set(running.gateway.store.counts()) == {"delivered"}, "everything to be delivered")
        until(lambda: running.send().status == 202, "the door to open")


def only_head(running: City) -> bytes:
    """The answer to a request whose body never comes."""
    head = (
        "POST /v1/submissions HTTP/1.1\r\nHost: gateway\r\nContent-Length: 50000000\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nAuthorization: Bearer {running.token()}\r\n\r\n"
    )
    with socket.create_connection(running.gateway.settings.listen_address, timeout=10) as connection:
        connection.sendall(head.encode())
        return connection.recv(4096)


# ----------------------------------------------------------------------------------------------------------- broker


def test_acceptance_goes_on_without_the_broker_and_deliveries_follow_when_it_is_back(
    tmp_path: Path, fresh_postgres_url: str, fresh_rabbitmq_url: str, rabbitmq_node: RabbitNode
) -> None:
    with city(tmp_path / "home", database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url) as running:
        running.ended(running.accepted())
        until(lambda: rabbitmq_node.has_written(target_queue("hundesteuer")), "the queues to be on disk")

        rabbitmq_node.kill()
        try:
            taken = [running.accepted() for _ in range(10)]
        finally:
            rabbitmq_node.start()

        for submission_id in taken:
            view = running.ended(submission_id)
            assert {d.state for d in view.deliveries} == {"delivered"}
            for delivery in view.deliveries:
                until(partial(made, running, delivery), f"the case at {delivery.target}")  # a queue is read later


@pytest.fixture
def departments_and_installation(
    tmp_path: Path, fresh_rabbitmq_url: str, fresh_postgres_url: str
) -> Iterator[tuple[Installation, dict[str, Department]]]:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    with department_systems(packages, queue_url=fresh_rabbitmq_url) as departments:
        targets = {name: {"url": d.url, "retry": PATIENT} for name, d in departments.items()}
        # Tolerance as in production: in this test the sweep must not be what brings anything back.
        overrides = {**FAST, "targets": targets, "sweep_tolerance_seconds": 900.0}
        installation = Installation(
            tmp_path, database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url, overrides=overrides
        )
        yield installation, dict(departments)
        installation.stop()


def test_a_broker_that_lost_everything_gets_all_of_it_again_by_relay_rebuild(
    departments_and_installation: tuple[Installation, dict[str, Department]],
) -> None:
    installation, departments = departments_and_installation
    # Given submissions that the relay has handed to the broker, and a broker that loses them
    installation.start("serve", "relay")
    taken = send(installation, 8)
    store = installation.store()
    try:
        later = datetime.now(UTC) + timedelta(hours=1)
        installation.wait_until(lambda: not store.due_outbox(10, later), "everything to be with the broker")
        broker = open_broker(installation.settings.broker_url, name="vandal")
        broker.declare(gateway_topology(sorted(departments)))
        for name in departments:
            broker.purge(target_queue(name))
        assert {depth for name, depth in broker.depths().items() if name.startswith("ozg.target.")} == {0}
        broker.close()
        installation.start("work")
        assert store.counts() == {"queued": 3 * len(taken)}

        # When an operator rebuilds, beside everything that runs
        asked = installation.command("relay", "--rebuild", "--dry-run")
        rebuilt = installation.command("relay", "--rebuild")
        assert (asked["nowhere"], asked["putBack"], rebuilt["putBack"]) == (3 * len(taken), 0, 3 * len(taken))

        # Then everything arrives, once
        installation.wait_until(lambda: set(store.counts()) == {"delivered"}, "everything to be delivered")
        assert_each_once(store, taken, departments)
    finally:
        store.close()


def test_a_case_that_a_department_s_own_consumer_rejects_becomes_a_dead_letter(
    tmp_path: Path, fresh_postgres_url: str, fresh_rabbitmq_url: str
) -> None:
    packages = dog_tax_packages(tmp_path / "packages", targets={"hundestatistik": {"dead_exchange": "ozg.dead"}})
    with city(
        tmp_path / "home", database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url, packages=packages
    ) as running:
        running.queue().tell("refuse", times=1)

        submission_id = running.accepted()

        letter = running.letter(submission_id)
        assert (letter.target, letter.failure, letter.source) == ("hundestatistik", "rejected_by_target", "consumer")
        assert letter.delivery_id is not None
        running.redrive(letter.delivery_id)
        running.in_state(submission_id, "hundestatistik", "delivered")
        until(lambda: bool(running.effects("hundestatistik", str(letter.delivery_id))), "the case to be read")


# -------------------------------------------------------------------------------------------------------- processes


def test_the_embedded_shape_killed_in_the_middle_of_a_hundred_delivers_every_accepted_one(tmp_path: Path) -> None:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    # The queue in memory belongs to the gateway's process, so what it holds is not looked at from here.
    with department_systems(packages, queue_url="embedded://elsewhere") as departments:
        targets = {name: {"url": d.url, "retry": PATIENT} for name, d in departments.items()}
        installation = Installation(
            tmp_path, database_url="", broker_url="embedded://", overrides={**FAST, "targets": targets}
        )
        installation.start("run")
        # Given a hundred submissions on their way, from a portal that repeats under the same key until it has an answer
        half = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send, installation, 100, half)
            assert half.wait(60)

            # When everything dies at once, and comes back
            installation.kill("run")
            installation.start("run")
            taken = sending.result(120)
        store = installation.store()
        try:
            # Then every accepted one ends, and is in its systems once, or repeated with the mark
            installation.wait_until(lambda: set(store.counts()) == {"delivered"}, "everything to be delivered")
            visible = {name: d for name, d in departments.items() if packages.targets[name].adapter != "amqp"}
            assert len(taken) == 100
            assert_each_once(store, taken, visible)
        finally:
            store.close()
            installation.stop()


def test_a_case_that_takes_the_worker_with_it_is_stopped_and_its_neighbours_arrive(
    tmp_path: Path, fresh_postgres_url: str, fresh_rabbitmq_url: str
) -> None:
    # Given a target whose adapter ends the whole process, and that can be neither asked nor repeated
    packages = dog_tax_packages(
        tmp_path / "packages",
        targets={"hundestatistik": {"adapter": "demo-crashes", "kill": True, "repeatable": None, **NOT_A_QUEUE}},
    )
    shape = Settings(home=tmp_path / "probe", packages=[packages])
    _, loaded = load_packages(shape)
    service = loaded.services["hundesteuer-anmeldung"]
    innocent = replace(service, targets=tuple(t for t in service.targets if t != "hundestatistik"))
    with ExitStack() as stack:
        neighbours = replace(loaded, services={innocent.name: innocent})
        departments = stack.enter_context(department_systems(neighbours, queue_url=""))
        targets = {name: {"url": d.url, "retry": PATIENT} for name, d in departments.items()}
        overrides = {**FAST, "targets": targets, "packages": [str(packages)], "probe_after_seconds": 0.2}
        installation = Installation(
            tmp_path, database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url, overrides=overrides
        )
        stack.callback(installation.stop)
        installation.start("serve", "work", "relay")

        # When it comes, and the worker is started again whenever it died
        taken = send(installation, 3)
        store = installation.store()
        stack.callback(store.close)
        deaths = 0

        def ended() -> bool:
            nonlocal deaths
            if not installation.alive("work"):
                deaths += 1
                installation.start("work")
            return store.counts() == {"delivered": 6, "dead": 3}

        installation.wait_until(ended, "the innocent to arrive and the poison to be stopped")

        # Then each poisonous one died at most once, and a person decides; the neighbours are there, once
        letters = store.dead_letters(state="open")
        assert {(d.target, d.failure, d.attempts) for d in letters} == {("hundestatistik", "unknown_outcome", 1)}
        assert 1 <= deaths <= 3
        assert_each_once(store, taken, departments)


NOT_A_QUEUE = dict.fromkeys(("url", "queue", "declare", "content"))


class Died(BaseException):
    """Stands for the end of a worker's process in the middle of an attempt."""


class Killer:
    def deliver(self, request: object) -> NoReturn:
        raise Died


def test_what_kills_worker_after_worker_is_poison_even_where_it_may_be_repeated(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(home=tmp_path / "home", services=["hundesteuer-anmeldung"], listen=address)
    with open_gateway(settings, clock=lambda: now) as gateway, running_parts(gateway, ("api",)):
        gateway.adapters = {**gateway.adapters, "hundestatistik": Killer()}  # type: ignore[dict-item]
        gateway.adapters_by_call = {}
        assert gateway.token_issuer is not None
        portal = Portal(f"http://{address}", gateway.token_issuer.issue(CLIENT))
        sample = next(shipped_samples(gateway.packages))
        submission_id = portal.send(sample.data, sample.schema_uri, sample.attachments).body["submissionId"]
        deliveries = gateway.store.view(submission_id).deliveries
        delivery_id = next(d.delivery_id for d in deliveries if d.target == "hundestatistik")

        for _ in range(pipeline.DEATHS_BEFORE_POISON):
            assert gateway.store.delivery(delivery_id).state != "dead"
            with pytest.raises(Died):
                pipeline.deliver(gateway, delivery_id, "worker")
            now += timedelta(hours=7)  # the claim ran out, and the next worker finds the attempt unfinished
            pipeline.deliver(gateway, delivery_id, "worker")

        (letter,) = gateway.store.dead_letters(state="open")
        assert (letter.failure, letter.attempts) == ("poison", pipeline.DEATHS_BEFORE_POISON)


# ---------------------------------------------------------------------------------------------------------- helpers


def made(running: City, delivery: DeliveryView) -> bool:
    """Whether the department has made its case."""
    return bool(running.effects(delivery.target, delivery.delivery_id))


def send(installation: Installation, count: int, half: threading.Event | None = None) -> list[str]:
    """Submission ids, in order. A portal that does not give up: the same key again until it has an answer."""
    shipped = shipped_samples(installation.packages)
    samples = [s for s in shipped if s.expected == "accepted" and s.service == "hundesteuer-anmeldung"]
    portal = Portal(installation.url, installation.token(), timeout=20)
    taken: list[str] = []
    try:
        for number in range(count):
            if half is not None and number == count // 2:
                half.set()
            taken.append(_send(portal, samples[number % len(samples)]))
    finally:
        portal.close()
    return taken


def _send(portal: Portal, sample: Sample) -> str:
    key = str(uuid.uuid4())
    answered: list[str] = []

    def taken() -> bool:
        try:
            answer = portal.send(sample.data, sample.schema_uri, sample.attachments, key=key)
        except httpx.TransportError:
            return False
        assert answer.accepted or answer.status in (409, 503), answer.body
        if answer.accepted:
            answered.append(answer.body["submissionId"])
        return answer.accepted

    until(taken, "an answer")
    return answered[0]


def assert_each_once(store: Store, taken: Sequence[str], departments: Mapping[str, Department]) -> None:
    """Every delivery to these departments made its case there, and another one only with the mark of a repeat."""
    effects = {name: effects_of(department) for name, department in departments.items()}
    for delivery in (d for submission_id in taken for d in store.view(submission_id).deliveries):
        if delivery.target in departments:
            marks = effects[delivery.target].get(delivery.delivery_id, [])
            assert marks, f"{delivery.target} never got {delivery.delivery_id}"
            assert all(marks[1:]), f"{delivery.target} made two cases of {delivery.delivery_id}, unmarked"
