"""RabbitMQ as a `queues.base.Broker`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from pika.adapters.select_connection import SelectConnection

from queues.base import Binding, BrokerUnavailable, Consumer, Exchange, Handler, Message, Queue, Topology
from queues.rabbitmq.consumer import RabbitConsumer
from queues.rabbitmq.declaring import Conversation, Step, count_steps, declare_steps, purge_step
from queues.rabbitmq.link import Link
from queues.rabbitmq.publisher import Publisher
from queues.returning import RETURNING, Returning

DECLARE_SECONDS = 30.0


class RabbitBroker:
    """See `queues.base.Broker`. Two connections, each made at its first use: a memory alarm blocks the one that
    publishes, and acknowledgements must still get through on the other.

    url: `amqp://user:password@host:port/vhost` or `amqps://…`. name: shown to operators as the connections' name.
    returning: how long a message waits after its handler raised. Raises ValueError for an unreadable URL.
    """

    def __init__(self, url: str, *, name: str, returning: Returning = RETURNING) -> None:
        self._publishing = Link(url, f"{name} publishing")
        self._consuming = Link(url, f"{name} consuming")
        self._returning = returning
        self._publisher: Publisher | None = None
        self._consumers: list[RabbitConsumer] = []
        self._exchanges: dict[str, Exchange] = {}
        self._queues: dict[str, Queue] = {}
        self._bindings: dict[Binding, None] = {}
        self._lock = threading.Lock()
        self._closed = False

    def declare(self, topology: Topology) -> None:
        self._converse(declare_steps(topology))
        with self._lock:
            self._exchanges.update({exchange.name: exchange for exchange in topology.exchanges})
            self._queues.update({queue.name: queue for queue in topology.queues})
            self._bindings.update(dict.fromkeys(topology.bindings))

    def publish(self, messages: Sequence[Message], *, timeout: float = 30.0) -> None:
        with self._lock:
            self._check_open()
            if self._publisher is None:
                self._publisher = Publisher(self._publishing)
            publisher = self._publisher
        publisher.publish(messages, timeout)

    def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Consumer:
        with self._lock:
            self._check_open()
            consumer = RabbitConsumer(
                self._consuming, queue, handler, prefetch, topology=self._declared, returning=self._returning
            )
            self._consumers.append(consumer)
        return consumer

    def depths(self) -> dict[str, int]:
        """Messages that are ready. Those handed out, and those that wait to be dead-lettered because their target is
        missing, are told by the management API alone (`messages_unacknowledged`, `messages_dlx`). A queue that somebody
        deleted is left out.
        """
        with self._lock:
            names = list(self._queues)
        found: dict[str, int] = {}
        if not names:
            self._converse([])  # nothing to count, and still the question whether the broker is there
        while names:
            try:
                answers = self._converse(count_steps(names))
            except LookupError as missing:
                names = [name for name in names if f"queue {name}" != missing.args[0]]
                continue
            found = {name: int(a.method.message_count) for name, a in zip(names, answers, strict=True)}
            break
        return found

    def purge(self, queue: str) -> None:
        try:
            self._converse([purge_step(queue)])
        except LookupError:
            return  # no queue, nothing in it

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            consumers = list(self._consumers)
        for consumer in consumers:
            consumer.stop()
        self._consuming.close()
        self._publishing.close()

    def _converse(self, steps: Sequence[Step]) -> list[Any]:
        with self._lock:
            self._check_open()

        def start(connection: SelectConnection, future: Future[list[Any]]) -> None:
            Conversation(steps, future).start(connection)

        return self._publishing.request(start, DECLARE_SECONDS)

    def _declared(self) -> Topology:
        with self._lock:
            return Topology(list(self._exchanges.values()), list(self._queues.values()), list(self._bindings))

    def _check_open(self) -> None:
        if self._closed:
            raise BrokerUnavailable("this broker was closed")
