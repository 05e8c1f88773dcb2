"""Workers: one consumer per target queue; each message is one turn of `pipeline.deliver`, acknowledged after the
outcome is stored.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from typing import TYPE_CHECKING

import structlog

from gateway import pipeline
from gateway.errors import Conflict, NotFound, StoreUnavailable
from queues.base import BrokerUnavailable, Consumer, Delivered, Verdict
from queues.topology import gateway_topology, target_queue

if TYPE_CHECKING:
    from gateway.wiring import Gateway

log = structlog.get_logger()

STORE_PAUSES = (0.1, 0.5, 1, 2, 5, 10, 10, 10, 30, 30, 60, 60)
"""Seconds to wait for the database before a message goes back to the broker: a hiccup must not use up its delivery
limit.
"""


class Workers:
    """All consumers of one process."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._stop = threading.Event()
        self._consumers: list[Consumer] = []

    def start(self) -> None:
        """Consume every target's queue. A broker that is away holds up nothing: consumers connect when it is back, and
        whoever is first (the relay, or the next start) declares the queues.
        """
        targets = sorted(self._gateway.adapters)
        try:
            self._gateway.broker.declare(gateway_topology(targets))
        except BrokerUnavailable:
            log.warning("broker.away", targets=targets)
        for name in targets:
            parallel = self._gateway.packages.targets[name].retry.parallel or self._gateway.settings.worker_threads
            self._consumers.append(self._gateway.broker.consume(target_queue(name), self.handle, prefetch=parallel))

    def stop(self, timeout: float = 30.0) -> None:
        """Take no more, let running attempts end, give the rest back."""
        self._stop.set()
        for consumer in self._consumers:
            consumer.stop(timeout)

    def handle(self, message: Delivered) -> Verdict:
        """ACK when the database knows the outcome. REJECT only what cannot be read: the collector shows it."""
        delivery_id = delivery_of(message)
        if delivery_id is None:
            return Verdict.REJECT
        for pause in STORE_PAUSES:
            try:
                pipeline.deliver(self._gateway, delivery_id, self._name)
                return Verdict.ACK
            except NotFound:
                return Verdict.REJECT
            except Conflict as error:
                # Somebody else was first, or our lease ran out while we were paused: theirs counts.
                log.warning("delivery.lost_race", delivery=delivery_id, error=type(error).__name__)
                return Verdict.ACK
            except StoreUnavailable:
                if self._stop.wait(pause):
                    break
        raise StoreUnavailable("the database stayed away; the message goes back to the broker")


def delivery_of(message: Delivered) -> str | None:
    """The delivery id that a message names, or None when the message is not ours to understand."""
    try:
        body = json.loads(message.message.body)
        return str(uuid.UUID(str(body["deliveryId"])))
    except (ValueError, KeyError, TypeError):
        return None
