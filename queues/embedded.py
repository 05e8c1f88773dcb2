"""A broker inside the process: nothing to install, nothing that survives. The database puts back what it forgets.

`EmbeddedBroker("name")` shares one broker with everyone in this process who uses that name, as long as one of them has
it open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from queues.base import BrokerUnavailable, Consumer, Delivered, Handler, Message, Topology, Unroutable, Verdict
from queues.engine import Clock, Engine, Entry
from queues.headers import sendable
from queues.pool import HandlerPool
from queues.returning import RETURNING, Returning

log = structlog.get_logger()

_shared: dict[str, tuple[Engine, int]] = {}
_shared_lock = threading.Lock()


class EmbeddedBroker:
    """See `queues.base.Broker`. shared: a name, or None for a broker of one's own.

    clock: seconds that only grow (only for a broker of one's own); call `tick()` after moving a clock of your own.
    returning: how long a message waits after its handler raised.
    """

    def __init__(
        self,
        shared: str | None = None,
        *,
        label: str = "embedded",
        clock: Clock = time.monotonic,
        returning: Returning = RETURNING,
    ) -> None:
        self._shared = shared
        self._label = label
        self._returning = returning
        self._engine = Engine(clock) if shared is None else _join(shared)
        self._names: set[str] = set()
        self._consumers: list[EmbeddedConsumer] = []
        self._lock = threading.Lock()
        self._closed = False

    def declare(self, topology: Topology) -> None:
        self._check_open()
        self._engine.declare(topology)
        with self._lock:
            self._names.update(queue.name for queue in topology.queues)

    def publish(self, messages: Sequence[Message], *, timeout: float = 30.0) -> None:
        """See the protocol. Never waits, so `timeout` never passes."""
        self._check_open()
        returned = self._engine.publish([sendable(message) for message in messages])
        if returned:
            raise Unroutable(returned)

    def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Consumer:
        self._check_open()
        consumer = EmbeddedConsumer(self._engine, queue, handler, prefetch, self._returning, self._label)
        with self._lock:
            self._consumers.append(consumer)
        return consumer

    def depths(self) -> dict[str, int]:
        self._check_open()
        with self._lock:
            names = sorted(self._names)
        return self._engine.depths(names)

    def purge(self, queue: str) -> None:
        self._check_open()
        self._engine.purge(queue)

    def tick(self) -> None:
        """Do what has become due by the clock; only needed with a clock of one's own."""
        self._engine.tick()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            consumers = list(self._consumers)
        for consumer in consumers:
            consumer.stop()
        if self._shared is None:
            self._engine.close()
        else:
            _leave(self._shared)

    def _check_open(self) -> None:
        if self._closed:
            raise BrokerUnavailable("this broker was closed")


class EmbeddedConsumer:
    """One thread that takes, `prefetch` threads that handle: as many messages are out at a time as with RabbitMQ."""

    def __init__(
        self, engine: Engine, queue: str, handler: Handler, prefetch: int, returning: Returning, label: str
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._handler = handler
        self._returning = returning
        self._pool = HandlerPool(prefetch, f"{label}-{queue}")
        self._free = threading.Semaphore(prefetch)
        self._running = True
        self._thread = threading.Thread(target=self._run, name=f"{label}-{queue}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._running

    def stop(self, timeout: float = 10.0) -> None:
        self._running = False
        self._free.release()
        self._engine.wake(self._queue)
        deadline = time.monotonic() + timeout
        self._thread.join(timeout)
        self._pool.stop(max(deadline - time.monotonic(), 0.0))

    def _run(self) -> None:
        while self._running:
            self._free.acquire()
            taken = self._engine.take(self._queue, lambda: self._running)
            if taken is None:
                return
            if not self._pool.submit(self._task(*taken)):
                self._engine.give_back(self._queue, taken[0], 0.0)

    def _task(self, entry: Entry, delivered: Delivered) -> Callable[[], None]:
        return lambda: self._handle(entry, delivered)

    def _handle(self, entry: Entry, delivered: Delivered) -> None:
        try:
            verdict = self._handler(delivered)
        except Exception as error:
            # The type only: the text could quote the message.
            log.warning("broker.handler_failed", queue=self._queue, error=type(error).__name__)
            self._engine.give_back(self._queue, entry, self._returning.delay(delivered.delivery_count))
        else:
            self._engine.settle(self._queue, entry, reject=verdict is Verdict.REJECT)
        self._free.release()


def _join(name: str) -> Engine:
    with _shared_lock:
        engine, users = _shared.get(name) or (Engine(), 0)
        _shared[name] = (engine, users + 1)
        return engine


def _leave(name: str) -> None:
    with _shared_lock:
        engine, users = _shared[name]
        if users > 1:
            _shared[name] = (engine, users - 1)
        else:
            del _shared[name]
            engine.close()
