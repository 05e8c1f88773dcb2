"""The running parts of one process: API, workers, relay with sweep and collector. `run` starts all, the others one
each.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import structlog

from gateway.delivery.collector import Collector
from gateway.delivery.held import Held
from gateway.delivery.relay import Relay
from gateway.delivery.worker import Workers
from gateway.errors import GatewayError
from gateway.wiring import Gateway

Role = Literal["api", "work", "relay"]
ALL: tuple[Role, ...] = ("api", "work", "relay")

log = structlog.get_logger()


@contextlib.contextmanager
def running(gateway: Gateway, roles: Sequence[Role]) -> Iterator[None]:
    """Start the parts, stop them gracefully afterwards: first what takes in, last what moves. Raises GatewayError
    where another process runs the same embedded installation.
    """
    with contextlib.ExitStack() as stack:
        if gateway.settings.embedded:
            stack.enter_context(alone(gateway.settings.home))
            # One process: whoever held a claim is gone.
            gateway.store.expire_claims().result()
        if "relay" in roles:
            relay = Relay(gateway)
            relay.start()
            stack.callback(relay.stop)
        if "work" in roles:
            workers = Workers(gateway)
            workers.start()
            stack.callback(workers.stop)
        if "relay" in roles:
            collector = Collector(gateway)
            collector.start()
            stack.callback(collector.stop)
            held = Held(gateway)
            held.start()
            stack.callback(held.stop)
        if "api" in roles:
            from gateway.api.server import serving

            stack.enter_context(serving(gateway))
        log.info("gateway.started", roles=list(roles), listen=gateway.settings.listen if "api" in roles else None)
        yield
        log.info("gateway.stopping")


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the lock of an embedded installation: its queue is in one process, a second one would take its deliveries.

    The system lets go of the lock with the process, however it ends. Raises GatewayError that names the holder.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "gateway.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise GatewayError(
                f"{home} is in use by another gateway (process {file.read().strip() or 'unknown'})",
                code="already_running",
                remedy="Stop that one first, or give this one a folder of its own (GATEWAY_HOME). "
                "For several processes use PostgreSQL and RabbitMQ.",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def until_told() -> None:
    """Wait for SIGINT, SIGTERM or, where a terminal can go away, SIGHUP."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: told.set())
    told.wait()
