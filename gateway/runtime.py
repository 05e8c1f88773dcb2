"""The running parts of one process: API, workers, relay with sweep and collector. `run` starts all, the others one
each.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

import structlog

from gateway.delivery.collector import Collector
from gateway.delivery.relay import Relay
from gateway.delivery.worker import Workers
from gateway.wiring import Gateway

Role = Literal["api", "work", "relay"]
ALL: tuple[Role, ...] = ("api", "work", "relay")

log = structlog.get_logger()


@contextlib.contextmanager
def running(gateway: Gateway, roles: Sequence[Role]) -> Iterator[None]:
    """Start the parts, stop them gracefully afterwards: first what takes in, last what moves."""
    with contextlib.ExitStack() as stack:
        if gateway.settings.embedded:
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
        if "api" in roles:
            from gateway.api.server import serving

            stack.enter_context(serving(gateway))
        log.info("gateway.started", roles=list(roles), listen=gateway.settings.listen if "api" in roles else None)
        yield
        log.info("gateway.stopping")


def until_told() -> None:
    """Wait for SIGINT or SIGTERM."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    told.wait()
