"""Brokers behind one small protocol: RabbitMQ and a queue in memory. Knows nothing of the gateway."""

from queues.open import open_broker

__all__ = ["open_broker"]
