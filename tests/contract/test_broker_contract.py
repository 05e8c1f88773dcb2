"""Both brokers keep the contract of `queues.base.Broker`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from gateway.demo.servers import RabbitNode
from queues.embedded import EmbeddedBroker
from queues.rabbitmq import RabbitBroker
from queues.returning import Returning
from queues.testkit import BrokerContract, Connect

QUICK = Returning(first=0.01, longest=0.05)


class TestEmbeddedBroker(BrokerContract):
    survives_restart = False

    @pytest.fixture
    def connect(self) -> Iterator[Connect]:
        name = uuid.uuid4().hex
        opened: list[EmbeddedBroker] = []

        def connect() -> EmbeddedBroker:
            opened.append(EmbeddedBroker(name, returning=QUICK))
            return opened[-1]

        yield connect
        for broker in opened:
            broker.close()

    @pytest.fixture
    def restart(self) -> Callable[[], None]:
        return lambda: None  # when the last one closes it, nothing of it is left


class TestRabbitBroker(BrokerContract):
    survives_restart = True

    @pytest.fixture
    def connect(self, fresh_rabbitmq_url: str) -> Iterator[Connect]:
        opened: list[RabbitBroker] = []

        def connect() -> RabbitBroker:
            opened.append(RabbitBroker(fresh_rabbitmq_url, name="contract", returning=QUICK))
            return opened[-1]

        yield connect
        for broker in opened:
            broker.close()

    @pytest.fixture
    def restart(self, rabbitmq_node: RabbitNode) -> Callable[[], None]:
        def restart() -> None:
            rabbitmq_node.stop()
            rabbitmq_node.start()

        return restart
