"""Departments that read their own queue."""

from adapters.amqp.adapter import AmqpAdapter

__all__ = ["AmqpAdapter"]
