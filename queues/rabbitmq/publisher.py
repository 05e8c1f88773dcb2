"""Publishing with many confirms in flight: one at a time costs fifteen times as much (measured: 968/s against
15,000/s).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from functools import partial

from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.delivery_mode import DeliveryMode
from pika.frame import Method
from pika.spec import Basic, BasicProperties

from queues.base import BrokerUnavailable, Message, Unroutable
from queues.headers import sendable
from queues.rabbitmq.link import Link

WINDOW = 1000
"""Messages in flight. More gain nothing and only fill buffers on both sides."""


class Batch:
    """The messages of one `publish` call, and what became of them. Filled in the I/O thread, read after `done`."""

    def __init__(self, size: int) -> None:
        self.open = size
        self.returned: list[Message] = []
        self.error: BrokerUnavailable | None = None
        self.done = threading.Event()

    def confirmed(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.done.set()

    def fail(self, error: BrokerUnavailable) -> None:
        if not self.done.is_set():
            self.error = error
            self.done.set()


class Publisher:
    """One channel in confirm mode. Everything but `publish` runs in the link's I/O thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: Channel | None = None
        self._blocked = False
        self._tag = 0
        self._waiting: deque[tuple[Batch, Message]] = deque()
        self._in_flight: dict[int, tuple[Batch, Message]] = {}
        self._returned: set[int] = set()
        link.call(lambda: link.add(self))

    def publish(self, messages: Sequence[Message], timeout: float) -> None:
        """From any thread. See `queues.base.Broker.publish`."""
        if not messages:
            return
        ready = [sendable(message) for message in messages]
        batch = Batch(len(ready))
        self._link.call(lambda: self._enqueue(batch, ready))
        if not batch.done.wait(timeout):
            error = BrokerUnavailable(f"not confirmed within {timeout:g} s")
            self._link.call(lambda: batch.fail(error))  # what was not sent yet will not be
            raise error
        if batch.error:
            raise BrokerUnavailable(str(batch.error))
        if batch.returned:
            raise Unroutable(batch.returned)

    def up(self, connection: SelectConnection) -> None:
        self._blocked = False
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        self._open_channel(connection)

    def down(self, error: BrokerUnavailable) -> None:
        """Nobody knows about what is in flight, and what waits has waited for a connection in vain: their callers
        decide.
        """
        self._channel = None
        batches = {batch for batch, _ in (*self._in_flight.values(), *self._waiting)}
        self._in_flight.clear()
        self._returned.clear()
        self._waiting.clear()
        for batch in batches:
            batch.fail(error)

    def _open_channel(self, connection: SelectConnection) -> None:
        if connection.is_open:
            connection.channel(on_open_callback=partial(self._on_channel_open, connection))

    def _on_channel_open(self, connection: SelectConnection, channel: Channel) -> None:
        channel.add_on_close_callback(partial(self._on_channel_closed, connection))
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._on_ready(channel))

    def _on_ready(self, channel: Channel) -> None:
        self._channel, self._tag = channel, 0
        self._pump()

    def _on_channel_closed(self, connection: SelectConnection, _channel: Channel, reason: Exception) -> None:
        """A missing exchange, a message too large: the broker closes the channel with everything in flight on it."""
        if connection.is_open:
            self.down(BrokerUnavailable(f"the broker closed the channel: {_reason(reason)}"))
            # Not at once: whoever made it close would do so again, in a loop without a pause.
            self._link.call_later(0.1, lambda: self._open_channel(connection))

    def _set_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        self._pump()

    def _enqueue(self, batch: Batch, messages: Sequence[Message]) -> None:
        refused = self._link.refused
        if refused:
            batch.fail(refused)
            return
        self._waiting.extend((batch, message) for message in messages)
        self._pump()

    def _pump(self) -> None:
        """Send what the window has room for; nothing while the broker blocks us: it would pile up in the socket."""
        channel = self._channel
        if channel is None or not channel.is_open or self._blocked:
            return
        while self._waiting and len(self._in_flight) < WINDOW:
            batch, message = self._waiting.popleft()
            if batch.done.is_set():
                continue  # its caller gave up or was told already
            self._tag += 1
            self._in_flight[self._tag] = (batch, message)
            channel.basic_publish(
                message.exchange, message.routing_key, message.body, properties=_properties(message), mandatory=True
            )

    def _on_confirm(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        method = frame.method
        tags = [method.delivery_tag]
        if method.multiple:  # dicts keep their order, and tags only grow
            tags = []
            for tag in self._in_flight:
                if tag > method.delivery_tag:
                    break
                tags.append(tag)
        for tag in tags:
            self._settle(tag, confirmed=isinstance(method, Basic.Ack))
        self._pump()

    def _settle(self, tag: int, *, confirmed: bool) -> None:
        batch, message = self._in_flight.pop(tag, (None, None))
        if batch is None or message is None:
            return
        if tag in self._returned:
            self._returned.remove(tag)
            batch.returned.append(message)
        if confirmed:
            batch.confirmed()
        else:
            batch.fail(BrokerUnavailable("the broker did not take a message: a queue is full or cannot write"))

    def _on_return(self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        """Comes before the message's own confirm and names no tag: the oldest that looks the same and was not returned
        yet.
        """
        same = (method.exchange, method.routing_key, properties.message_id)
        for tag, (_, message) in self._in_flight.items():
            if tag not in self._returned and (message.exchange, message.routing_key, message.message_id) == same:
                self._returned.add(tag)
                return


def _properties(message: Message) -> BasicProperties:
    return BasicProperties(  # type: ignore[no-untyped-call]  # pika leaves this one class untyped
        content_type=message.content_type,
        headers=dict(message.headers),
        delivery_mode=DeliveryMode.Persistent,
        message_id=message.message_id,
    )


def _reason(error: Exception) -> str:
    return f"{getattr(error, 'reply_code', '')} {getattr(error, 'reply_text', type(error).__name__)}".strip()
