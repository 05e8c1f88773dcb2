"""A RabbitMQ that is not there."""

import pytest

from queues import open_broker
from queues.base import BrokerUnavailable


def test_whether_the_broker_is_there_can_be_asked_before_anything_was_declared() -> None:
    broker = open_broker("amqp://127.0.0.1:1/", name="test")
    try:
        with pytest.raises(BrokerUnavailable):
            broker.depths()
    finally:
        broker.close()
