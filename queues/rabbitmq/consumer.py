"""A consumer that stays: whatever happens to its queue, channel or connection, it consumes until it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

import structlog
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from queues.base import BrokerUnavailable, Delivered, Handler, Message, Topology, Verdict
from queues.headers import DEATHS, DELIVERY_COUNT, own_headers, plain
from queues.pool import HandlerPool
from queues.rabbitmq.declaring import NOT_FOUND, Conversation, declare_steps
from queues.rabbitmq.link import Link
from queues.returning import Returning

log = structlog.get_logger()

REOPEN_SECONDS = 1.0
"""Pause before a closed channel is opened again, so that a queue that cannot be consumed is asked once a second."""


class RabbitConsumer:
    """One channel on the consuming link; handlers in threads, acknowledgements back in the I/O thread.

    topology: what the broker object declared last; a queue that somebody deleted under us is declared again from it.
    """

    def __init__(
        self,
        link: Link,
        queue: str,
        handler: Handler,
        prefetch: int,
        *,
        topology: Callable[[], Topology],
        returning: Returning,
    ) -> None:
        self._link = link
        self._queue = queue
        self._handler = handler
        self._prefetch = prefetch
        self._topology = topology
        self._returning = returning
        self._pool = HandlerPool(prefetch, f"consumer-{queue}")
        self._channel: Channel | None = None
        self._tag: str | None = None
        self._stopping = False
        self._closed = threading.Event()
        link.call(lambda: link.add(self))

    @property
    def running(self) -> bool:
        return not self._stopping

    def stop(self, timeout: float = 10.0) -> None:
        """See the protocol. What is given back counts as one delivery more, at the broker."""
        if self._stopping:
            return
        self._stopping = True
        deadline = time.monotonic() + timeout
        self._link.call(self._cancel)
        self._pool.stop(timeout)
        # After the acknowledgements of the last handlers, which were called before this.
        self._link.call(self._close)
        self._closed.wait(max(deadline - time.monotonic(), 1.0))

    def up(self, connection: SelectConnection) -> None:
        if not self._stopping and connection.is_open:
            connection.channel(on_open_callback=partial(self._on_channel_open, connection))

    def down(self, _error: BrokerUnavailable) -> None:
        """Whatever is unacknowledged comes again; acknowledgements of handlers that still run are dropped."""
        self._channel = self._tag = None
        if self._stopping:
            self._closed.set()

    def _on_channel_open(self, connection: SelectConnection, channel: Channel) -> None:
        channel.add_on_close_callback(partial(self._on_channel_closed, connection))
        # Our queue was deleted or moved: a channel that lives on without a consumer would look healthy for ever.
        channel.add_on_cancel_callback(lambda _: channel.close())
        channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _: self._consume(channel))

    def _consume(self, channel: Channel) -> None:
        self._channel = channel
        if self._stopping:
            channel.close()
        else:
            self._tag = channel.basic_consume(self._queue, self._on_message)

    def _on_channel_closed(self, connection: SelectConnection, _channel: Channel, reason: Exception) -> None:
        """Cancelled, acknowledgement timeout, queue missing: begin anew on this connection. A lost one is the link's
        matter.
        """
        self._channel = self._tag = None
        if self._stopping:
            self._closed.set()
            return
        if not connection.is_open:
            return
        code = getattr(reason, "reply_code", None)
        log.warning("broker.consumer_interrupted", queue=self._queue, code=code)
        again = self._declare_again if code == NOT_FOUND else self.up
        self._link.call_later(REOPEN_SECONDS, lambda: again(connection))

    def _declare_again(self, connection: SelectConnection) -> None:
        if not connection.is_open or self._stopping:
            return
        topology = self._topology()
        if self._queue not in {queue.name for queue in topology.queues}:
            log.error("broker.queue_missing", queue=self._queue)
            self.up(connection)
            return
        future: Future[list[Any]] = Future()
        future.add_done_callback(lambda done: self._declared(connection, done))
        Conversation(declare_steps(topology), future).start(connection)

    def _declared(self, connection: SelectConnection, done: Future[list[Any]]) -> None:
        error = done.exception()
        if error:
            log.error("broker.queue_missing", queue=self._queue, error=type(error).__name__)
        else:
            log.warning("broker.queue_declared_again", queue=self._queue)
        self.up(connection)

    def _on_message(self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        delivered = as_delivered(self._queue, method, properties, body)
        # After `stop` nothing is handled: closing the channel gives it back.
        self._pool.submit(partial(self._handle, channel, method.delivery_tag, delivered))

    def _handle(self, channel: Channel, tag: int, delivered: Delivered) -> None:
        """In a handler thread."""
        if self._stopping or channel is not self._channel:
            return  # waited for a thread so long that it is somebody else's by now
        settle: Callable[[], None]
        try:
            verdict = self._handler(delivered)
        except Exception as error:
            # The type only: the text could quote the message.
            log.warning("broker.handler_failed", queue=self._queue, error=type(error).__name__)
            delay = self._returning.delay(delivered.delivery_count)
            # reject, not nack: a requeueing nack does not count towards the delivery limit from RabbitMQ 4.3 on.
            reject = partial(channel.basic_reject, tag, requeue=True)
            settle = partial(self._link.call_later, delay, partial(self._on(channel), reject))
        else:
            act = channel.basic_ack if verdict is Verdict.ACK else partial(channel.basic_reject, requeue=False)
            settle = partial(self._on(channel), partial(act, tag))
        self._link.call(settle)

    def _on(self, channel: Channel) -> Callable[[Callable[[], None]], None]:
        """Run something on the channel that a message came on, or, if that is gone, not at all: its tags mean nothing
        elsewhere.
        """

        def run(action: Callable[[], None]) -> None:
            if channel is self._channel and channel.is_open:
                action()

        return run

    def _cancel(self) -> None:
        if self._channel and self._channel.is_open and self._tag:
            self._channel.basic_cancel(self._tag)

    def _close(self) -> None:
        self._link.remove(self)
        if self._channel and self._channel.is_open:
            self._channel.close()
        else:
            self._closed.set()


def as_delivered(queue: str, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> Delivered:
    """A message as handlers get it. Of foreign publishers too, so nothing is taken for granted but the envelope."""
    headers: Mapping[str, Any] = properties.headers or {}
    deaths = plain(headers.get(DEATHS) or [])
    count = headers.get(DELIVERY_COUNT)  # absent at the first delivery from RabbitMQ 3.12 on
    return Delivered(
        queue,
        Message(
            method.exchange or "",
            method.routing_key or "",
            properties.message_id or "",
            body,
            properties.content_type or "application/octet-stream",
            own_headers(headers),
        ),
        redelivered=bool(method.redelivered),
        delivery_count=int(count) if isinstance(count, int) else 0,
        deaths=tuple(d for d in deaths if isinstance(d, dict)) if isinstance(deaths, list) else (),
    )
