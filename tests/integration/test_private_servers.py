"""The throw-away servers themselves: what crash tests and the demo rely on."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pika
import psycopg
import pytest

from gateway.demo import child, servers

T = TypeVar("T")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gateway-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def own_postgres(folder: Path, postgres_url: str) -> Iterator[servers.PostgresServer]:
    """A server of this test's own (`postgres_url` is asked for only to skip where PostgreSQL is missing)."""
    server = servers.PostgresServer(folder)
    server.start()
    yield server
    server.close()


def test_a_killed_postgres_comes_back_at_the_same_url_with_what_was_committed(
    own_postgres: servers.PostgresServer,
) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    own_postgres.kill()

    assert not own_postgres.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_postgres.url, connect_timeout=2)
    own_postgres.start()
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_postgres_refuses_whoever_does_not_know_its_password(own_postgres: servers.PostgresServer) -> None:
    stranger = own_postgres.url.replace("gateway:", "gateway:wrong")

    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(stranger)


def test_every_test_gets_an_empty_database(fresh_postgres_url: str, postgres_url: str) -> None:
    assert fresh_postgres_url != postgres_url
    with psycopg.connect(fresh_postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert tables.fetchone() == (0,)


def test_a_killed_rabbitmq_comes_back_at_the_same_url_with_its_durable_messages(
    rabbitmq_node: servers.RabbitNode, fresh_rabbitmq_url: str
) -> None:
    parameters = pika.URLParameters(fresh_rabbitmq_url)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
    assert _eventually(lambda: rabbitmq_node.has_written("kept"))
    channel.basic_publish("", "kept", b"42", pika.BasicProperties(delivery_mode=2), mandatory=True)

    rabbitmq_node.kill()
    assert not rabbitmq_node.running
    rabbitmq_node.start()

    again = pika.BlockingConnection(parameters)
    method, _, body = again.channel().basic_get("kept", auto_ack=True)
    assert method is not None
    assert body == b"42"
    again.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_with_the_process_that_started_it_however_that_ends(folder: Path, how: signal.Signals) -> None:
    program = (
        "import sys, time; from pathlib import Path; from gateway.demo.child import Child; folder = Path(sys.argv[1]);"
        "Child(['/bin/sh', '-c', 'echo $$ > pid; sleep 600'], account=None, environment={}, folder=folder,"
        " log=folder / 'server.log'); (folder / 'started').write_text('yes'); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    pid = int(_eventually(lambda: _read(folder / "pid")))
    assert _eventually(lambda: _read(folder / "started"))

    starter.send_signal(how)
    starter.wait()

    assert _eventually(lambda: not _runs(pid))


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    server = child.Child(
        ["/bin/sh", "-c", "echo no space on device; exit 3"],
        account=None,
        environment={},
        folder=folder,
        log=folder / "server.log",
    )

    with pytest.raises(servers.ServerUnavailable, match=r"status 3(?s:.*)no space on device"):
        server.wait_until(lambda: False, seconds=30)
    server.kill()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _eventually(look: Callable[[], T], seconds: float = 20) -> T:
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
