"""No space left, and a database that only reads: intake says 503, nothing is skipped, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from city import Shape, until
from crash_world import SOAP, World, servers_of_its_own, wait_all, world

from gateway.demo.servers import RabbitNode

SMALL = 24 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)], check=False)
    if os.geteuid() != 0 or mounted.returncode != 0:
        pytest.skip("a small file system can only be mounted by root, outside of most containers")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused_while_it_lasts(opened: World) -> None:
    """What is sent now is refused with 503, or not answered: never accepted."""
    for _ in range(3):
        answer = opened.once()
        assert answer is None or answer.status == 503


def test_when_the_disk_is_full_intake_refuses_and_all_goes_on_when_there_is_space(small_disk: Path) -> None:
    with world(small_disk, Shape()) as opened:
        # Given something on its way when the disk gets full
        opened.tell(SOAP, "down")
        (sent,) = wait_all([opened.send()])
        until(lambda: opened.delivery(sent, SOAP).state == "waiting", "it to wait")
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"0" * 65536):
                    pass
            except OSError:
                pass

        refused_while_it_lasts(opened)

        # When there is space again
        filler.unlink()
        opened.tell(SOAP, "ok")
        later = wait_all([opened.send()])
        opened.drain()
        assert {opened.delivery(s, SOAP).state for s in (sent, *later)} == {"delivered"}
        opened.check()


def test_when_the_database_is_read_only_intake_refuses_and_all_goes_on_afterwards(
    tmp_path: Path, postgres_url: str, rabbitmq_node: RabbitNode
) -> None:
    with servers_of_its_own(postgres_url, rabbitmq_node) as shape, world(tmp_path, shape) as opened:
        opened.tell(SOAP, "down")
        (sent,) = wait_all([opened.send()])
        until(lambda: opened.delivery(sent, SOAP).state == "waiting", "it to wait")
        only_read(shape.database_url, on=True)

        refused_while_it_lasts(opened)

        only_read(shape.database_url, on=False)
        opened.tell(SOAP, "ok")
        later = wait_all([opened.send()])
        opened.drain()
        assert {opened.delivery(s, SOAP).state for s in (sent, *later)} == {"delivered"}
        opened.check()


def only_read(url: str, *, on: bool) -> None:
    """For every session of the database, those that are open included: they are ended."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {'on' if on else 'off'}")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (name,),
        )
