"""A simulated department that reads its own queue, drops what it knows, and rejects when told."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from adapters.testkit.behaviour import Behaviour, Kind, Script
from adapters.testkit.ledger import Ledger, Received
from queues import open_broker
from queues.base import Broker, Consumer, Delivered, Queue, Topology, Verdict
from xoev_schemas.documents import JsonDocument, Unreadable, parse


class QueueDepartment:
    """url: the department's broker. queue: its queue. declare: make it, plain, before reading.

    Behaviours: `ok`, `slow` (before it acknowledges), `refuse` (rejects without acting).
    """

    def __init__(self, url: str, queue: str, *, declare: bool = True, prefix: str = "QUEUE", prefetch: int = 8) -> None:
        self.ledger = Ledger(prefix, idempotent=True)
        self.url = url
        self.queue = queue
        self._declare = declare
        self._prefetch = prefetch
        self._script = Script()
        self._broker: Broker | None = None
        self._consumer: Consumer | None = None
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._rejected = 0

    def start(self) -> Self:
        """Begin to read. Raises what the broker raises."""
        self._stopped.clear()
        self._broker = open_broker(self.url, name=f"department {self.queue}")
        if self._declare:
            self._broker.declare(Topology(queues=[Queue(self.queue)]))
        self._consumer = self._broker.consume(self.queue, self._handle, prefetch=self._prefetch)
        return self

    def stop(self) -> None:
        self._stopped.set()
        if self._consumer is not None:
            self._consumer.stop()
            self._consumer = None
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def received(self) -> list[Received]:
        return self.ledger.received

    @property
    def rejected(self) -> int:
        """How many messages were rejected."""
        return self._rejected

    def tell(self, kind: Kind, *, times: int | None = None, key: str | None = None, seconds: float = 0.0) -> None:
        """Behave like this from now on; see `Script.tell`."""
        self._script.tell(Behaviour(kind, seconds), times=times, key=key)

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `count` messages were acted on or rejected; False when that took longer than `timeout` seconds."""
        with self._news:
            return self._news.wait_for(lambda: len(self.received) + self._rejected >= count, timeout)

    def _handle(self, delivered: Delivered) -> Verdict:
        message = delivered.message
        key = str(message.headers.get("cloudEvents:id", message.message_id))
        behaviour = self._script.next(key)
        verdict = Verdict.REJECT if behaviour.kind == "refuse" else self._act(delivered, key)
        if behaviour.kind == "slow":
            self._stopped.wait(behaviour.seconds)
        with self._news:
            self._rejected += verdict is Verdict.REJECT
            self._news.notify_all()
        return verdict

    def _act(self, delivered: Delivered, key: str) -> Verdict:
        message = delivered.message
        try:
            document = parse(message.body, message.content_type)
        except Unreadable:
            return Verdict.REJECT
        body = document.value if isinstance(document, JsonDocument) else None
        marked = message.headers.get("cloudEvents:possiblerepeat") is True
        self.ledger.take(key, body, message.body, marked=marked)
        return Verdict.ACK
