"""RabbitMQ through pika; the only package that knows pika."""

from queues.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
