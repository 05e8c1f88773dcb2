"""Which broker a URL means."""

from __future__ import annotations

from urllib.parse import urlsplit

from queues.base import Broker


def open_broker(url: str, *, name: str) -> Broker:
    """A broker for `embedded://`, `embedded://shared-name`, `amqp://…` or `amqps://…`.

    name: how operators see us at the broker (connection name). RabbitMQ is contacted at the first use, not here, so
    that a gateway starts while it is away. Raises ValueError for another scheme or an unreadable URL, without repeating
    its password.
    """
    parts = urlsplit(url)
    # Imported here: who uses the queue in memory need not load the other.
    if parts.scheme == "embedded":
        from queues.embedded import EmbeddedBroker

        return EmbeddedBroker(parts.netloc or None, label=name)
    if parts.scheme in ("amqp", "amqps"):
        from queues.rabbitmq import RabbitBroker

        return RabbitBroker(url, name=name)
    raise ValueError(f"unknown broker scheme {parts.scheme!r}: use embedded://, amqp:// or amqps://")
