"""The HTTP server: uvicorn, set up so that nothing about it is told, logged or believed that should not be."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn
from starlette.types import ASGIApp

from gateway import pipeline
from gateway.api.app import create_app
from gateway.api.protocol import GuardedProtocol
from gateway.errors import GatewayError
from gateway.settings import Limits

if TYPE_CHECKING:
    from gateway.wiring import Gateway

KEEP_ALIVE_SECONDS = 15
SHUTDOWN_SECONDS = 30
_START_SECONDS = 10.0


def build_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """A server for `app`, yet without a socket. `run(sockets=[…])` blocks; `should_exit = True` ends it after running
    requests.
    """
    config = uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], partial(GuardedProtocol, limits=limits)),
        ws="none",
        log_config=None,
        access_log=False,  # the application measures; paths and query strings stay out of logs
        server_header=False,
        proxy_headers=False,  # forwarded headers are read by the application, from trusted proxies only
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 = any free one. Raises GatewayError where the address cannot be used."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        raise GatewayError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another address (GATEWAY_LISTEN)"
        ) from None


@contextlib.contextmanager
def serve_in_thread(app: ASGIApp, limits: Limits, listener: socket.socket) -> Iterator[None]:
    """Serve while the block runs; running requests end before this does."""
    server = build_server(app, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api", daemon=True)
    thread.start()
    try:
        _wait_started(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join(SHUTDOWN_SECONDS + 5)


@contextlib.contextmanager
def serving(gateway: Gateway) -> Iterator[None]:
    """Serve the gateway's interface at the settings' address while the block runs."""
    host, port = gateway.settings.listen_address
    with (
        listen(host, port) as listener,
        serve_in_thread(create_app(gateway, pipeline), gateway.settings.limits, listener),
    ):
        yield


def _wait_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    waited = threading.Event()
    for _ in range(int(_START_SECONDS / 0.01)):
        if server.started:
            return
        if not thread.is_alive():
            break
        waited.wait(0.01)
    raise GatewayError("the HTTP server did not start")
