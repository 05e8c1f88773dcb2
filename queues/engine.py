"""A broker's state in memory: exchanges, queues, timers. What RabbitMQ does with quorum queues, without the disk.

Same as there: a delivery limit of n allows n + 1 deliveries; a queue's TTL; dead-lettering that keeps a message until
its target exists; a dead message keeps its routing key unless the queue names another; a record of deaths, newest
first. Not there: anything that survives the process.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from queues.base import Binding, BrokerUnavailable, Delivered, Exchange, Message, Queue, Topology, TopologyMismatch

Clock = Callable[[], float]


@dataclass(slots=True, eq=False)
class Entry:
    """A message in a queue. count: how often it was handed out and came back. expires: by the engine's clock."""

    message: Message
    deaths: list[dict[str, object]] = field(default_factory=list)
    count: int = 0
    expires: float | None = None


@dataclass(slots=True, eq=False)
class Store:
    """One queue. held: handed out, not yet settled. stranded: dead, but their dead-letter target does not exist."""

    spec: Queue
    changed: threading.Condition
    ready: deque[Entry] = field(default_factory=deque)
    held: set[Entry] = field(default_factory=set)
    stranded: list[tuple[Entry, str]] = field(default_factory=list)


class Engine:
    """Shared by all clients of one name. Every public method is thread-safe.

    clock: seconds that only grow. The timer thread sleeps in real time; with a clock of your own, call `tick()` after
    moving it.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._timer_changed = threading.Condition(self._lock)
        self._exchanges: dict[str, Exchange] = {}
        self._bindings: dict[str, list[Binding]] = {}
        self._queues: dict[str, Store] = {}
        self._declared = threading.Condition(self._lock)
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._closed = False
        self._timer_thread: threading.Thread | None = None

    def declare(self, topology: Topology) -> None:
        """Raises TopologyMismatch; what was right before the mismatch stays declared, as with a real broker."""
        with self._lock:
            for exchange in topology.exchanges:
                if self._exchanges.setdefault(exchange.name, exchange) != exchange:
                    raise TopologyMismatch(f"exchange {exchange.name} exists as another kind: remove it or rename ours")
            for queue in topology.queues:
                known = self._queues.setdefault(queue.name, Store(queue, threading.Condition(self._lock)))
                if known.spec != queue:
                    raise TopologyMismatch(
                        f"queue {queue.name} exists with other arguments: drain and remove it, then declare again"
                    )
            for binding in topology.bindings:
                self._bind(binding)
            for store in self._queues.values():
                stranded, store.stranded = store.stranded, []
                for entry, reason in stranded:
                    self._die(store, entry, reason, recorded=True)
            self._declared.notify_all()

    def publish(self, messages: Iterable[Message]) -> list[Message]:
        """Take the messages; those that no queue is bound for come back. Raises BrokerUnavailable for a missing
        exchange.
        """
        with self._lock:
            self._check_open()
            returned = []
            for message in messages:
                stores = self._route(message)
                if stores is None:
                    raise BrokerUnavailable(f"exchange {message.exchange} does not exist: declare the topology first")
                for store in stores:
                    self._put(store, Entry(message))
                if not stores:
                    returned.append(message)
            return returned

    def take(self, queue: str, wanted: Callable[[], bool]) -> tuple[Entry, Delivered] | None:
        """Wait for the next message of the queue (also for the queue itself); None as soon as it is not `wanted` any
        more.

        Who changes what `wanted` says calls `wake(queue)`.
        """
        with self._lock:
            while wanted() and not self._closed:
                store = self._queues.get(queue)
                if store is None:
                    self._declared.wait()
                elif not store.ready:
                    store.changed.wait()
                else:
                    entry = store.ready.popleft()
                    store.held.add(entry)
                    return entry, Delivered(
                        queue, entry.message, entry.count > 0, entry.count, tuple(dict(d) for d in entry.deaths)
                    )
            return None

    def settle(self, queue: str, entry: Entry, *, reject: bool) -> None:
        """Forget a message that was taken, or dead-letter it."""
        with self._lock:
            store = self._queues[queue]
            if entry in store.held:
                store.held.remove(entry)
                if reject:
                    self._die(store, entry, "rejected")

    def give_back(self, queue: str, entry: Entry, delay: float) -> None:
        """Hand a taken message out again after `delay` seconds, or dead-letter it when that was once too often."""
        self._after(delay, lambda: self._return(self._queues[queue], entry))

    def depths(self, names: Iterable[str]) -> dict[str, int]:
        with self._lock:
            self._check_open()
            stores = {name: self._queues[name] for name in names if name in self._queues}
            return {name: len(s.ready) + len(s.held) + len(s.stranded) for name, s in stores.items()}

    def purge(self, queue: str) -> None:
        with self._lock:
            if queue in self._queues:
                self._queues[queue].ready.clear()

    def wake(self, queue: str) -> None:
        """Let everyone who waits in `take` look at its `wanted` again."""
        with self._lock:
            self._declared.notify_all()
            if queue in self._queues:
                self._queues[queue].changed.notify_all()

    def tick(self) -> None:
        """Do what is due by the clock: expire, hand out again."""
        with self._lock:
            while self._timers and self._timers[0][0] <= self._clock():
                heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._timer_changed.notify_all()
            self._declared.notify_all()
            for store in self._queues.values():
                store.changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise BrokerUnavailable("the embedded broker is closed")

    def _bind(self, binding: Binding) -> None:
        if binding.exchange not in self._exchanges or binding.queue not in self._queues:
            raise TopologyMismatch(f"cannot bind {binding.queue} to {binding.exchange}: one of them does not exist")
        bindings = self._bindings.setdefault(binding.exchange, [])
        if binding not in bindings:
            bindings.append(binding)

    def _route(self, message: Message) -> list[Store] | None:
        """The queues that a message goes to, each once; None if its exchange does not exist."""
        if message.exchange == "":  # AMQP's default exchange: every queue under its own name
            return [self._queues[message.routing_key]] if message.routing_key in self._queues else []
        exchange = self._exchanges.get(message.exchange)
        if exchange is None:
            return None
        names = {
            binding.queue: None
            for binding in self._bindings.get(exchange.name, ())
            if matches(exchange.kind, binding.routing_key, message.routing_key)
        }
        return [self._queues[name] for name in names]

    def _put(self, store: Store, entry: Entry) -> None:
        store.ready.append(entry)
        store.changed.notify()
        if store.spec.ttl is not None:
            entry.expires = self._clock() + store.spec.ttl
            self._after(store.spec.ttl, lambda: self._expire(store, entry))

    def _expire(self, store: Store, entry: Entry) -> None:
        # Equal delays in one queue: what is due first stands first, unless it was taken or purged meanwhile.
        if entry in store.ready:
            store.ready.remove(entry)
            self._die(store, entry, "expired")

    def _return(self, store: Store, entry: Entry) -> None:
        if entry not in store.held:
            return
        store.held.remove(entry)
        entry.count += 1
        limit = store.spec.delivery_limit
        if limit is not None and entry.count > limit:
            self._die(store, entry, "delivery_limit")
        elif entry.expires is not None and entry.expires <= self._clock():
            self._die(store, entry, "expired")
        else:
            store.ready.appendleft(entry)
            store.changed.notify()

    def _die(self, store: Store, entry: Entry, reason: str, *, recorded: bool = False) -> None:
        spec, message = store.spec, entry.message
        if spec.dead_exchange is None:
            return
        if not recorded:
            entry.deaths = with_death(entry.deaths, spec.name, reason, message)
        key = message.routing_key if spec.dead_key is None else spec.dead_key
        moved = Message(
            spec.dead_exchange, key, message.message_id, message.body, message.content_type, message.headers
        )
        stores = self._route(moved)
        for target in stores or ():
            self._put(target, Entry(moved, list(entry.deaths)))
        if not stores:
            store.stranded.append((entry, reason))

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._timers, (self._clock() + seconds, next(self._numbers), action))
            if self._timer_thread is None:
                self._timer_thread = threading.Thread(target=self._run_timers, name="embedded-timers", daemon=True)
                self._timer_thread.start()
            self._timer_changed.notify_all()

    def _run_timers(self) -> None:
        with self._lock:
            while not self._closed:
                self.tick()
                pause = max(self._timers[0][0] - self._clock(), 0.001) if self._timers else None
                self._timer_changed.wait(pause)


def matches(kind: str, pattern: str, key: str) -> bool:
    """Whether a binding's pattern lets a routing key through (AMQP 0-9-1 §3.1.3)."""
    if kind == "fanout":
        return True
    if kind == "direct":
        return pattern == key
    return _topic(pattern.split("."), key.split("."))


def _topic(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_topic(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _topic(pattern[1:], words[1:])


def with_death(
    deaths: Sequence[dict[str, object]], queue: str, reason: str, message: Message
) -> list[dict[str, object]]:
    """The record of deaths with one more: one entry per queue and reason, the newest first, as in `x-death`."""
    same = [d for d in deaths if (d["queue"], d["reason"]) == (queue, reason)]
    others = [d for d in deaths if (d["queue"], d["reason"]) != (queue, reason)]
    count = same[0]["count"] if same else 0
    assert isinstance(count, int)
    newest: dict[str, object] = {
        "queue": queue,
        "reason": reason,
        "count": count + 1,
        "exchange": message.exchange,
        "routing-keys": [message.routing_key],
        "time": datetime.now(UTC).isoformat(),
    }
    return [newest, *others]
