"""A simulated department that reads its own queue, drops what it knows, and rejects when told."""

from __future__ import annotations

from typing import Self

from adapters.testkit.department import ReadingDepartment
from queues import open_broker
from queues.base import Broker, Consumer, Delivered, Queue, Topology, Verdict
from xoev_schemas.documents import JsonDocument, Unreadable, parse


class QueueDepartment(ReadingDepartment):
    """url: the department's broker. queue: its queue. declare: make it, plain, before reading."""

    def __init__(self, url: str, queue: str, *, declare: bool = True, prefix: str = "QUEUE", prefetch: int = 8) -> None:
        super().__init__(prefix)
        self.url = url
        self.queue = queue
        self._declare = declare
        self._prefetch = prefetch
        self._broker: Broker | None = None
        self._consumer: Consumer | None = None

    def start(self) -> Self:
        """Begin to read. Raises what the broker raises."""
        self.stopped.clear()
        self._broker = open_broker(self.url, name=f"department {self.queue}")
        if self._declare:
            self._broker.declare(Topology(queues=[Queue(self.queue)]))
        self._consumer = self._broker.consume(self.queue, self._handle, prefetch=self._prefetch)
        return self

    def stop(self) -> None:
        self.stopped.set()
        if self._consumer is not None:
            self._consumer.stop()
            self._consumer = None
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    @property
    def rejected(self) -> int:
        """How many messages were rejected."""
        return self._refusals

    def _handle(self, delivered: Delivered) -> Verdict:
        message = delivered.message
        key = str(message.headers.get("cloudEvents:id", message.message_id))
        behaviour = self._script.next(key)
        verdict = Verdict.REJECT if behaviour.kind == "refuse" else self._act(delivered, key)
        if behaviour.kind == "slow":
            self.stopped.wait(behaviour.seconds)
        self._done(key, behaviour, refused=verdict is Verdict.REJECT)
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
