"""Every process and the broker are killed in the middle of many submissions; nothing accepted is lost, nothing is
doubled unmarked.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from installation import Installation

from gateway.demo.samples import Sample, shipped_samples
from gateway.demo.servers import RabbitNode
from gateway.demo.stage import Department, department_systems, effects_of
from gateway.portal import Portal
from gateway.services import Packages
from gateway.settings import Settings
from gateway.wiring import load_packages

SENDERS = 8
ENDED = {"delivered", "skipped"}


@dataclass
class Sender:
    """A portal that does not give up: the same key again until an answer comes."""

    installation: Installation
    samples: list[Sample]
    accepted: dict[str, bytes] = field(default_factory=dict)  # submission id → the bytes sent
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, count: int, at: dict[int, threading.Event]) -> None:
        with ThreadPoolExecutor(SENDERS) as pool:
            for number in range(count):
                pool.submit(self._send, number, at)
        assert len(self.accepted) == count, "every submission is accepted in the end, once"

    def _send(self, number: int, at: dict[int, threading.Event]) -> None:
        sample = self.samples[number % len(self.samples)]
        key = str(uuid.uuid4())
        portal = Portal(self.installation.url, self.installation.token(), timeout=20)
        try:
            for _ in range(400):
                try:
                    answer = portal.send(sample.data, sample.schema_uri, sample.attachments, key=key)
                except httpx.TransportError:
                    threading.Event().wait(0.1)
                    continue
                if answer.accepted:
                    with self._lock:
                        self.accepted[answer.body["submissionId"]] = sample.data.content
                    break
                assert answer.status in (409, 503), f"unexpected answer {answer.status}: {answer.body}"
                threading.Event().wait(0.1)
        finally:
            portal.close()
            if number in at:
                at[number].set()


def samples_of(packages: Packages) -> list[Sample]:
    return [s for s in shipped_samples(packages) if s.expected == "accepted"]


@pytest.fixture
def running_installation(
    tmp_path: Path, fresh_rabbitmq_url: str, fresh_postgres_url: str
) -> Iterator[tuple[Installation, dict[str, Department]]]:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    with department_systems(packages, queue_url=fresh_rabbitmq_url) as departments:
        retry = {"delays": ["0.3s", "0.5s", "1s"], "give_up_after": "5m"}
        installation = Installation(
            tmp_path,
            database_url=fresh_postgres_url,
            broker_url=fresh_rabbitmq_url,
            overrides={
                "targets": {name: {"url": d.url, "retry": retry} for name, d in departments.items()},
                "lease_seconds": 6.0,
                "sweep_seconds": 2.0,
                "sweep_tolerance_seconds": 15.0,
                "relay_seconds": 0.1,
            },
        )
        installation.start("serve", "work", "relay")
        yield installation, dict(departments)
        installation.stop()


@pytest.mark.parametrize("count", [120, pytest.param(500, marks=pytest.mark.long)])
def test_after_every_process_and_the_broker_were_killed_everything_accepted_is_delivered_once(
    running_installation: tuple[Installation, dict[str, Department]], rabbitmq_node: RabbitNode, count: int
) -> None:
    installation, departments = running_installation
    sender = Sender(installation, samples_of(installation.packages))
    first, second, third, fourth = (count * part // 100 for part in (12, 30, 48, 66))
    moments = {number: threading.Event() for number in (first, second, third, fourth)}

    # Given many submissions on their way
    sending = threading.Thread(target=sender.send_all, args=(count, moments))
    sending.start()

    # When the worker, the relay, the API and the broker die, one after the other, in the middle
    assert moments[first].wait(120)
    installation.kill("work")
    installation.start("work")
    assert moments[second].wait(120)
    installation.kill("relay")
    installation.start("relay")
    assert moments[third].wait(120)
    installation.kill("serve")
    installation.start("serve")
    assert moments[fourth].wait(120)
    rabbitmq_node.kill()
    rabbitmq_node.start()
    sending.join(240)
    assert not sending.is_alive()

    # Then every accepted one ends, without a dead letter
    store = installation.store()
    try:
        installation.wait_until(lambda: set(store.counts()) <= ENDED, f"deliveries to end, now {store.counts()}", 180)
        views = [store.view(submission_id) for submission_id in sender.accepted]
        # … byte for byte what was sent,
        for submission_id, sent in sender.accepted.items():
            assert b"".join(store.read_part(submission_id, "data")) == sent
            assert store.verify_chain(submission_id) == []
    finally:
        store.close()

    # … and each case is in its department system, by its id, once, or repeated with the mark of a possible repeat.
    effects = {name: effects_of(department) for name, department in departments.items()}
    for delivery in [d for view in views for d in view.deliveries if d.state == "delivered"]:
        marks = effects[delivery.target].get(delivery.delivery_id, [])
        assert marks, f"{delivery.target} never got {delivery.delivery_id}"
        assert all(marks[1:]), f"{delivery.target} made two cases of {delivery.delivery_id}, unmarked"
