"""What is left after a disaster: a broker without contents, a backup. Nothing is lost, nothing doubled in silence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from installation import Installation
from test_losses import FAST, PATIENT, assert_each_once, send

from gateway.demo.servers import RabbitNode
from gateway.demo.stage import department_systems
from gateway.settings import Settings
from gateway.wiring import load_packages


@pytest.fixture
def own_node(_server_folder: Path) -> Iterator[RabbitNode]:
    """A node that no other test shares: it does not take the removal of a virtual host well."""
    node = RabbitNode(_server_folder / "own")
    node.start()
    yield node
    node.close()


@pytest.mark.timeout(360)
def test_a_broker_that_vanishes_amid_three_hundred_is_rebuilt_and_each_arrives(
    tmp_path: Path, fresh_postgres_url: str, own_node: RabbitNode
) -> None:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    broker_url, theirs = own_node.create_vhost("ours"), own_node.create_vhost("departments")
    with department_systems(packages, queue_url=theirs) as departments:
        # Given an installation in the middle of three hundred submissions. The sweep must not be what brings any back
        targets = {name: {"url": d.url, "retry": PATIENT} for name, d in departments.items()}
        overrides = {**FAST, "targets": targets, "sweep_tolerance_seconds": 900.0}
        installation = Installation(
            tmp_path, database_url=fresh_postgres_url, broker_url=broker_url, overrides=overrides
        )
        installation.start("serve", "work", "relay")
        store = installation.store()
        half = threading.Event()
        try:
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(send, installation, 300, half)
                assert half.wait(120)

                # When the broker loses everything, and an empty one takes its place while all processes go on
                own_node.delete_vhost("ours")
                own_node.create_vhost("ours")
                taken = sending.result(120)
            rebuilt = installation.command("relay", "--rebuild")

            # Then each one is delivered, and a second time only with the mark
            assert 0 < rebuilt["putBack"] <= rebuilt["nowhere"]  # workers go on meanwhile
            installation.wait_until(lambda: set(store.counts()) == {"delivered"}, "everything to be delivered", 150)
            assert len(set(taken)) == 300
            assert_each_once(store, taken, departments)
        finally:
            store.close()
            installation.stop()
