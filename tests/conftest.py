"""What every test may ask for: third-party test data, a real RabbitMQ, a real PostgreSQL, a real browser.

Servers are private and thrown away (one of each per run), unless `GATEWAY_TEST_BROKER_URL` or
`GATEWAY_TEST_DATABASE_URL` names a running one; `GATEWAY_TEST_BROWSER` names a Chromium. Tests share a server, never a
virtual host or a database. What cannot be had skips its tests with the reason; where `CI` is set (and not empty) it
fails them, because a skip that nobody sees proves nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from clamd_server import ClamdServer
from playwright.sync_api import Browser, sync_playwright

from gateway.demo import servers

_ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """A developer's own GATEWAY_… settings must not reach the tests: they could name a database that somebody needs."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_") and not name.startswith("GATEWAY_TEST_")]:
        del os.environ[name]
    # A runner in the background, or under nohup, hands on that Ctrl-C and hanging up are ignored.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


_SLOW_FIRST = ("torture", "scenarios", "acceptance", "contract", "hostile", "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use a server carry its marker, so that `-m "not rabbitmq"` is always right. The files that take long
    come first: where several processes share the work, none of them begins with one when the others are at an end.
    """
    items.sort(key=_folder_rank)
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & {"rabbitmq_node", "rabbitmq_url", "fresh_rabbitmq_url"}:
            item.add_marker(pytest.mark.rabbitmq)
        if names & {"postgres_server", "postgres_url", "fresh_postgres_url"}:
            item.add_marker(pytest.mark.postgres)


def _folder_rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(_ROOT / "tests").parts[0]
    return _SLOW_FIRST.index(folder) if folder in _SLOW_FIRST else len(_SLOW_FIRST)


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of third-party schemas and messages (`GATEWAY_TEST_DATA`, else `../shared/data` beside the root)."""
    folder = Path(os.environ.get("GATEWAY_TEST_DATA") or _ROOT.parent / "shared" / "data").resolve()
    if not folder.is_dir():
        _missing("third-party test data is not here: name its folder in GATEWAY_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def _server_folder() -> Iterator[Path]:
    # Not pytest's own folder: the servers' unprivileged users could not enter it.
    with tempfile.TemporaryDirectory(prefix="gateway-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(scope="session")
def rabbitmq_node(_server_folder: Path) -> Iterator[servers.RabbitNode]:
    """The run's private RabbitMQ node, for tests that kill it; who stops or kills it starts it again."""
    if os.environ.get("GATEWAY_TEST_BROKER_URL"):
        pytest.skip("the RabbitMQ in GATEWAY_TEST_BROKER_URL is not ours to stop")
    try:
        node = servers.RabbitNode(_server_folder)
        node.start()
    except servers.ServerUnavailable as error:
        _missing(str(error))
    yield node
    node.close()


@pytest.fixture(scope="session")
def rabbitmq_url(request: pytest.FixtureRequest) -> str:
    """AMQP URL of the run's RabbitMQ (its default virtual host: use `fresh_rabbitmq_url` to declare anything)."""
    given = os.environ.get("GATEWAY_TEST_BROKER_URL")
    if given:
        return given
    node: servers.RabbitNode = request.getfixturevalue("rabbitmq_node")
    return node.url


@pytest.fixture
def fresh_rabbitmq_url(request: pytest.FixtureRequest, rabbitmq_url: str) -> Iterator[str]:
    """AMQP URL of a virtual host of this test's own, removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    if os.environ.get("GATEWAY_TEST_BROKER_URL"):
        management = _management_of(rabbitmq_url)
        servers.create_vhost(management, name)
        yield urlunsplit(urlsplit(rabbitmq_url)._replace(path=f"/{name}"))
        servers.delete_vhost(management, name)
    else:
        node: servers.RabbitNode = request.getfixturevalue("rabbitmq_node")
        node.start()  # a test before this one may have failed with the node down
        # Not deleted afterwards: 3.10.8 crashes its dead-letter workers when a virtual host with at-least-once queues
        # goes after a restart, and declarations elsewhere fail for a while. The node is thrown away anyway.
        yield node.create_vhost(name)


def _management_of(broker_url: str) -> str:
    given = os.environ.get("GATEWAY_TEST_BROKER_MANAGEMENT_URL")
    if given:
        return given
    parts = urlsplit(broker_url)
    credentials = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
    return f"http://{credentials}@{parts.hostname}:15672"


@pytest.fixture(scope="session")
def clamd(_server_folder: Path) -> Iterator[ClamdServer]:
    """The run's private clamd, which knows one harmless file; who stops it starts it again."""
    try:
        server = ClamdServer(_server_folder)
        server.start()
    except servers.ServerUnavailable as error:
        _missing(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server(_server_folder: Path) -> Iterator[servers.PostgresServer]:
    """The run's private PostgreSQL server, for tests that kill it; who stops or kills it starts it again."""
    if os.environ.get("GATEWAY_TEST_DATABASE_URL"):
        pytest.skip("the PostgreSQL in GATEWAY_TEST_DATABASE_URL is not ours to stop")
    try:
        server = servers.PostgresServer(_server_folder)
        server.start()
    except servers.ServerUnavailable as error:
        _missing(str(error))
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """URL of the run's PostgreSQL (its maintenance database: use `fresh_postgres_url` to make tables)."""
    given = os.environ.get("GATEWAY_TEST_DATABASE_URL")
    if given:
        return given
    server: servers.PostgresServer = request.getfixturevalue("postgres_server")
    return server.url


@pytest.fixture
def fresh_postgres_url(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[str]:
    """URL of an empty database of this test's own, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    if not os.environ.get("GATEWAY_TEST_DATABASE_URL"):
        server: servers.PostgresServer = request.getfixturevalue("postgres_server")
        server.start()  # a test before this one may have failed with the server down
    servers.create_database(postgres_url, name)
    yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    servers.drop_database(postgres_url, name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a screen. Not for the whole run: while it is open, an event loop runs here."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = os.environ.get("GATEWAY_TEST_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        _missing("Chromium is not here: install it, or name one in GATEWAY_TEST_BROWSER")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    # Chromium's sandbox does not work for root, as whom containers often run; what it shows here is our own.
    unsafe = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=[*quiet, *unsafe, "--no-first-run"])
        yield opened
        opened.close()
