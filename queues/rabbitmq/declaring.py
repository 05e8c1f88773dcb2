"""Declaring, counting, purging: short conversations on a channel of their own, which the broker may close at any step.

An answer that never comes because the channel was closed instead is the trap here; so each conversation ends with its
channel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker, ChannelClosedByClient

from queues.base import BrokerUnavailable, Queue, Topology, TopologyMismatch

NOT_FOUND = 404
PRECONDITION_FAILED = 406

Answered = Callable[[Any], None]
Step = tuple[str, Callable[[Channel, Answered], None]]


class Conversation:
    """Runs steps one after the other, each when the one before was answered; then `future` gets the answers.

    A step that the broker answers by closing the channel sets the exception that `explain` makes of it.
    """

    def __init__(self, steps: Sequence[Step], future: Future[list[Any]]) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self._future = future
        self._answers: list[Any] = []
        self._what = "channel"

    def start(self, connection: SelectConnection) -> None:
        """In the I/O thread."""
        connection.channel(on_open_callback=self._on_open)

    def _on_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_close)
        self._next(channel)

    def _next(self, channel: Channel) -> None:
        step = next(self._steps, None)
        if step is None:
            channel.close()
            return
        self._what, ask = step
        ask(channel, lambda answer: self._answered(channel, answer))

    def _answered(self, channel: Channel, answer: Any) -> None:
        self._answers.append(answer)
        self._next(channel)

    def _on_close(self, _channel: Channel, reason: Exception) -> None:
        if self._future.done():
            return
        if isinstance(reason, ChannelClosedByBroker):
            self._future.set_exception(explain(self._what, reason))
        elif isinstance(reason, ChannelClosedByClient):
            self._future.set_result(self._answers)
        else:
            self._future.set_exception(BrokerUnavailable(f"{self._what}: the connection was lost"))


def explain(what: str, reason: ChannelClosedByBroker) -> Exception:
    """What the broker's refusal means for us."""
    if reason.reply_code == PRECONDITION_FAILED:
        return TopologyMismatch(f"{what} exists with other arguments: {_difference(reason.reply_text)}")
    if reason.reply_code == NOT_FOUND:
        return LookupError(what)
    return BrokerUnavailable(f"{what}: the broker refuses ({reason.reply_code} {reason.reply_text})")


_INEQUIVALENT = re.compile(r"inequivalent arg '([^']+)' .*?received (.+?) but current is (.+)$", re.DOTALL)
"""How RabbitMQ says it, 3.10 to 4.x: `received '20' but current is none`, with the type in front where there is one."""


def _difference(told: str) -> str:
    found = _INEQUIVALENT.search(told)
    if found is None:
        return told
    argument, ours, theirs = (part.strip() for part in found.groups())
    return f"{argument} is {theirs} there, we need {ours}"


def declare_steps(topology: Topology) -> list[Step]:
    """Exchanges, then each queue followed by its bindings, in the order given: who puts dead-letter queues first gets
    them first.
    """
    steps = [_exchange_step(exchange.name, exchange.kind) for exchange in topology.exchanges]
    known = [queue.name for queue in topology.queues]
    for queue in topology.queues:
        steps.append(_queue_step(queue))
        steps += [_bind_step(b.exchange, b.queue, b.routing_key) for b in topology.bindings if b.queue == queue.name]
    steps += [_bind_step(b.exchange, b.queue, b.routing_key) for b in topology.bindings if b.queue not in known]
    return steps


def count_steps(queues: Iterable[str]) -> list[Step]:
    return [_count_step(name) for name in queues]


def purge_step(queue: str) -> Step:
    return f"queue {queue}", lambda channel, answered: channel.queue_purge(queue, callback=answered)


def arguments(queue: Queue) -> dict[str, object]:
    """How RabbitMQ is told. It accepts misspelt arguments in silence: tests prove these by what happens."""
    found: dict[str, object] = {"x-queue-type": "quorum"}
    if queue.ttl is not None:
        found["x-message-ttl"] = round(queue.ttl * 1000)
    if queue.delivery_limit is not None:
        found["x-delivery-limit"] = queue.delivery_limit
    if queue.dead_exchange is not None:
        found["x-dead-letter-exchange"] = queue.dead_exchange
        if queue.dead_key is not None:
            found["x-dead-letter-routing-key"] = queue.dead_key
        # Both or neither: without reject-publish the broker falls back, silently, to losing what it cannot dead-letter.
        found["x-dead-letter-strategy"] = "at-least-once"
        found["x-overflow"] = "reject-publish"
    return found


def _exchange_step(name: str, kind: str) -> Step:
    return f"exchange {name}", lambda channel, answered: channel.exchange_declare(
        name, exchange_type=kind, durable=True, callback=answered
    )


def _queue_step(queue: Queue) -> Step:
    return f"queue {queue.name}", lambda channel, answered: channel.queue_declare(
        queue.name, durable=True, arguments=arguments(queue), callback=answered
    )


def _bind_step(exchange: str, queue: str, routing_key: str) -> Step:
    return f"binding of {queue} to {exchange}", lambda channel, answered: channel.queue_bind(
        queue, exchange, routing_key, callback=answered
    )


def _count_step(name: str) -> Step:
    return f"queue {name}", lambda channel, answered: channel.queue_declare(name, passive=True, callback=answered)
