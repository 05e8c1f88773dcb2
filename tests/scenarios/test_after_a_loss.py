"""What is left after a disaster: a broker without contents, a backup. Nothing is lost, nothing doubled in silence."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from installation import Installation
from test_losses import FAST, PATIENT, assert_each_once, send

from gateway.demo import servers
from gateway.demo.servers import RabbitNode
from gateway.demo.stage import department_systems
from gateway.errors import NotFound
from gateway.settings import Settings
from gateway.store import Store
from gateway.wiring import load_packages


@pytest.fixture
def own_node(_server_folder: Path) -> Iterator[RabbitNode]:
    """A node that no other test shares: it does not take the removal of a virtual host well."""
    node = RabbitNode(_server_folder / "own")
    node.start()
    yield node
    node.close()


@pytest.mark.timeout(360)
@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.long)])
def test_a_broker_that_vanishes_amid_many_is_rebuilt_and_each_arrives(
    tmp_path: Path, fresh_postgres_url: str, own_node: RabbitNode, count: int
) -> None:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    broker_url, theirs = own_node.create_vhost("ours"), own_node.create_vhost("departments")
    with department_systems(packages, queue_url=theirs) as departments:
        # Given an installation in the middle of many submissions. The sweep must not be what brings any back
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
                sending = pool.submit(send, installation, count, half)
                assert half.wait(120)

                # When the broker loses everything, and an empty one takes its place while all processes go on
                own_node.delete_vhost("ours")
                own_node.create_vhost("ours")
                taken = sending.result(120)
            rebuilt = installation.command("relay", "--rebuild")

            # Then each one is delivered, and a second time only with the mark
            assert 0 < rebuilt["putBack"] <= rebuilt["nowhere"]  # workers go on meanwhile
            installation.wait_until(lambda: set(store.counts()) == {"delivered"}, "everything to be delivered", 150)
            assert len(set(taken)) == count
            assert_each_once(store, taken, departments)
        finally:
            store.close()
            installation.stop()


@pytest.mark.timeout(360)
def test_the_restore_drill_loses_nothing_that_was_in_the_backup_and_sends_nothing_twice_unmarked(
    tmp_path: Path, postgres_url: str, fresh_postgres_url: str, fresh_rabbitmq_url: str
) -> None:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("korrekt-pferd-batterie-heftklammer\n", encoding="utf-8")
    with department_systems(packages, queue_url=fresh_rabbitmq_url) as departments, ExitStack() as stack:
        targets = {name: {"url": d.url, "retry": PATIENT} for name, d in departments.items()}
        overrides = {**FAST, "targets": targets, "probe_after_seconds": 0.2}
        first = Installation(
            tmp_path / "first", database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url, overrides=overrides
        )
        stack.callback(first.stop)
        first.start("serve", "work", "relay")

        # Given a backup that is taken under load, after which everything goes on until all is delivered
        half = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send, first, 40, half)
            assert half.wait(60)
            backup = tmp_path / "backup"
            made = first.command("backup", str(backup), "--passphrase-file", str(passphrase))
            taken = sending.result(120)
        with closing(first.store()) as store:
            first.wait_until(lambda: set(store.counts()) == {"delivered"}, "everything to be delivered")
            assert_each_once(store, taken, departments)
        assert made["openDeliveries"] > 0

        # When all of it is destroyed, and restored elsewhere
        first.stop()
        name = f"test_{uuid.uuid4().hex[:12]}"
        servers.create_database(postgres_url, name)
        stack.callback(servers.drop_database, postgres_url, name)
        url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        second = Installation(
            tmp_path / "second", database_url=url, broker_url=fresh_rabbitmq_url, overrides=overrides, empty=True
        )
        stack.callback(second.stop)
        restored = second.command("restore", str(backup), "--passphrase-file", str(passphrase), "--yes")
        lacking = second.command("reconcile", "--target", "hundesteuer", "--ask")
        second.start("serve", "work", "relay")

        # Then what was open counts as unknown: asked, repeated with the mark, or in front of a person. Nothing is lost
        assert 0 < restored["unknown"] <= made["openDeliveries"]  # some had an unfinished attempt already
        assert {one["what"] for one in lacking["differences"]} <= {"not_delivered", "not_arrived"}
        with closing(second.store()) as store:
            second.wait_until(lambda: set(store.counts()) <= {"delivered", "dead"}, "everything to end", 150)
            assert sum(store.counts().values()) == made["deliveries"]
            assert {letter.failure for letter in store.dead_letters(state="open")} <= {"unknown_outcome"}
            there = [one for one in taken if is_known(store, one)]
            assert len(there) == made["submissions"]
            assert_each_once(store, there, departments)


def is_known(store: Store, submission_id: str) -> bool:
    try:
        store.view(submission_id)
    except NotFound:
        return False
    return True
