"""What a broker is to the gateway: one small protocol, its messages and its topology.

The database knows every delivery, the broker moves it. A broker may deliver a message twice and may forget everything;
it must never confirm what it did not take, and never hand a message to two handlers at the same time, unless it lost
the connection to the first: who handles claims the delivery in the database first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

HeaderValue = str | int | bool


class BrokerUnavailable(Exception):
    """The broker cannot be reached or did not confirm. Nothing is known about the messages: publish them again."""


class Unroutable(Exception):
    """No queue is bound for some messages of the call: `messages`. Every other one of the call is confirmed."""

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__(f"no queue is bound for {sorted({(m.exchange, m.routing_key) for m in messages})}")
        self.messages = messages


class TopologyMismatch(Exception):
    """A queue exists with other arguments than declared. Names the queue and says what to do."""


@dataclass(frozen=True, slots=True)
class Message:
    """Ids only, no personal data (a department's own queue with `content: inline` is the one exception).

    headers: CloudEvents attributes (`cloudEvents:id`, `cloudEvents:type`, …) and our ids, as AMQP headers.
    message_id: the same for every copy of the same outbox row.
    """

    exchange: str
    routing_key: str
    message_id: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as a consumer gets it.

    delivery_count: how often the broker handed it out before (0 the first time); a safety net, never our count
        of attempts.
    deaths: the broker's own record (`x-death`), newest first, JSON-able; empty when it never died.
    """

    queue: str
    message: Message
    redelivered: bool
    delivery_count: int = 0
    deaths: Sequence[Mapping[str, object]] = ()


class Verdict(Enum):
    """What a handler says: ACK = done, forget it; REJECT = to the dead-letter queue.

    There is no requeue: a handler that raises leaves the message to the broker's redelivery, after a growing pause,
    until the queue's delivery limit dead-letters it.
    """

    ACK = "ack"
    REJECT = "reject"


Handler = Callable[[Delivered], Verdict]


class Consumer(Protocol):
    def stop(self, timeout: float = 10.0) -> None:
        """Take no more messages, let running handlers end (bounded by `timeout`, seconds), give the rest back.

        A handler that runs on after that counts for nothing: its message may already be with somebody else.
        """
        ...

    @property
    def running(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Queue:
    """A quorum queue (RabbitMQ) or its like.

    ttl: seconds after which a message is dead-lettered; None = never.
    dead_exchange, dead_key: where dead messages go (at least once); dead_key None = keep the routing key.
    delivery_limit: redeliveries before the message is dead-lettered.
    """

    name: str
    ttl: float | None = None
    dead_exchange: str | None = None
    dead_key: str | None = None
    delivery_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: str = "direct"  # direct | topic | fanout


@dataclass(frozen=True, slots=True)
class Binding:
    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Topology:
    exchanges: Sequence[Exchange] = ()
    queues: Sequence[Queue] = ()
    bindings: Sequence[Binding] = ()


class Broker(Protocol):
    """Thread-safe; one per process."""

    def declare(self, topology: Topology) -> None:
        """Idempotent. Raises TopologyMismatch, BrokerUnavailable."""
        ...

    def publish(self, messages: Sequence[Message], *, timeout: float = 30.0) -> None:
        """Persistent, mandatory; returns when every message is confirmed. The broker's own headers are left out.


        timeout: seconds for the whole call. Raises Unroutable, which says all about the call, or BrokerUnavailable
        (away, blocked by an alarm, queue full, exchange missing): then nothing is known, and publishing everything
        again is safe. ValueError: AMQP cannot carry one of them (an id or key over 255 bytes), nothing was sent.
        """
        ...

    def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Consumer:
        """Call `handler` in at most `prefetch` threads at a time; never blocks, the queue may come later.

        Until stopped it comes back by itself: after a lost connection, and when the queue was deleted, which it then
        declares again as this broker declared it before.
        """
        ...

    def depths(self) -> dict[str, int]:
        """Messages per queue that this broker declared (ready, and unacknowledged where the broker tells).

        Raises BrokerUnavailable.
        """
        ...

    def purge(self, queue: str) -> None:
        """Drop everything that is ready in the queue (tests and `relay --rebuild`). Raises BrokerUnavailable."""
        ...

    def close(self) -> None: ...
