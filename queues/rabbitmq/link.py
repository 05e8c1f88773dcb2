"""One connection to RabbitMQ, made again whenever it breaks, and the one thread that may touch it.

pika's connections and channels belong to the thread that runs their I/O loop. So everything else hands functions to
`Link.call`, and those who use a connection for long (publisher, consumers) are told when there is a new one and when it
is gone.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Protocol, TypeVar

import structlog
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.connection import URLParameters
from pika.exceptions import ConnectionClosedByBroker, ProbableAccessDeniedError, ProbableAuthenticationError

from queues.base import BrokerUnavailable

log = structlog.get_logger()
# Every event of a connection is logged here, once and without its URL.
logging.getLogger("pika").setLevel(logging.CRITICAL)

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
ANEW_PAUSE = 1.0
REFUSED_PAUSE = 60.0
"""Seconds between attempts after the broker refused us (password, rights, virtual host): a person has to act."""

HEARTBEAT = 30
BLOCKED_SECONDS = 20.0
"""How long a memory or disk alarm may block a publishing connection before it counts as gone."""

_NOT_ALLOWED = (403, 530)

T = TypeVar("T")


class Listener(Protocol):
    """Called in the I/O thread only."""

    def up(self, connection: SelectConnection) -> None: ...

    def down(self, error: BrokerUnavailable) -> None:
        """The connection is gone, or could not be made."""
        ...


class Link:
    """Connects at the first `call`. What says "in the I/O thread" must be called there."""

    def __init__(self, url: str, name: str) -> None:
        self._parameters = parameters(url, name)
        self._name = name
        self._loop = IOLoop()
        self._calls: deque[Callable[[], None]] = deque()
        self._listeners: list[Listener] = []
        self._requests: dict[Future[Any], Callable[[SelectConnection], None] | None] = {}
        self._connection: SelectConnection | None = None
        self._opening: SelectConnection | None = None
        self._failures = 0
        self._refused: BrokerUnavailable | None = None
        self._closing = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, action: Callable[[], None]) -> None:
        """Run `action` soon in the I/O thread. From any thread; after `close` it is dropped."""
        with self._lock:
            if self._closing:
                return
            self._calls.append(action)
            first = self._thread is None
            if first:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._loop.add_callback_threadsafe(self._drain)

    def request(self, action: Callable[[SelectConnection, Future[T]], None], timeout: float) -> T:
        """Run `action` in the I/O thread as soon as there is a connection and wait for the future that it resolves.

        Raises BrokerUnavailable when there is none in time or it breaks meanwhile, and what the action sets as
        exception.
        """
        future: Future[T] = Future()
        self.call(lambda: self._start_request(future, lambda connection: action(connection, future)))
        if self._closing:
            raise BrokerUnavailable("this broker was closed")
        try:
            return future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise BrokerUnavailable(f"no answer from the broker within {timeout:g} s") from None

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """In the I/O thread: run `action` there after `seconds`."""
        self._loop.call_later(seconds, action)

    def add(self, listener: Listener) -> None:
        """In the I/O thread: tell `listener` about this and every later connection."""
        self._listeners.append(listener)
        if self._connection:
            listener.up(self._connection)

    def remove(self, listener: Listener) -> None:
        """In the I/O thread."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    @property
    def refused(self) -> BrokerUnavailable | None:
        """Why the broker turned us away at the last attempt, if it did: waiting for the next one is of no use."""
        return self._refused

    def close(self, timeout: float = 5.0) -> None:
        """Close the connection, end the thread. Who still waits gets BrokerUnavailable."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            thread = self._thread
            self._loop.add_callback_threadsafe(self._shut)
        if thread:
            thread.join(timeout)
        else:
            self._loop.close()

    def _run(self) -> None:
        self._connect()
        while True:
            try:
                self._loop.start()
            except Exception as error:
                log.exception("broker.io_failed", connection=self._name, error=type(error).__name__)
                self._begin_anew()
                continue
            break
        self._lost(BrokerUnavailable("this broker was closed"))
        self._loop.close()

    def _begin_anew(self) -> None:
        """After a fault of ours or of pika in a callback: no state can be trusted, so make another connection."""
        if self._closing:
            self._loop.add_callback_threadsafe(self._shut)
            return
        connection = self._connection or self._opening
        if connection is None or connection.is_closed:
            self._connection = self._opening = None
            self._loop.call_later(ANEW_PAUSE, self._connect)
        elif not connection.is_closing:
            connection.close()  # what it held is given back, and `_on_gone` does the rest

    def _drain(self) -> None:
        while self._calls:
            self._calls.popleft()()

    def _connect(self) -> None:
        if self._closing or self._connection or self._opening:
            return
        self._opening = SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_gone,
            on_close_callback=self._on_gone,
            custom_ioloop=self._loop,
        )

    def _on_open(self, connection: SelectConnection) -> None:
        self._opening, self._connection = None, connection
        self._failures, self._refused = 0, None
        log.info("broker.connected", connection=self._name)
        for future, start in list(self._requests.items()):
            if start:
                self._requests[future] = None
                start(connection)
        for listener in list(self._listeners):
            listener.up(connection)

    def _on_gone(self, _connection: SelectConnection, reason: BaseException) -> None:
        self._connection = self._opening = None
        if self._closing:
            self._loop.stop()
            return
        self._failures += 1
        self._refused = None
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16), LONGEST_PAUSE)
        error = BrokerUnavailable(f"the broker cannot be reached: {_in_words(reason)}")
        if _refuses(reason):
            pause = REFUSED_PAUSE
            error = BrokerUnavailable("the broker refuses us: check user, password, virtual host and permissions")
            self._refused = error
        log.warning("broker.disconnected", connection=self._name, reason=str(error), retry_seconds=pause)
        self._lost(error)
        # Spread, so that a hundred processes do not come back in the same instant.
        self._loop.call_later(pause * random.uniform(0.5, 1.0), self._connect)  # noqa: S311 - no secret

    def _lost(self, error: BrokerUnavailable) -> None:
        for listener in list(self._listeners):
            listener.down(error)
        requests, self._requests = self._requests, {}
        for future in requests:
            if not future.done():
                future.set_exception(error)

    def _start_request(self, future: Future[Any], start: Callable[[SelectConnection], None]) -> None:
        if future.cancelled():
            return
        if self._refused:
            future.set_exception(self._refused)
            return
        self._requests[future] = None if self._connection else start
        future.add_done_callback(lambda done: self.call(lambda: self._forget(done)))
        if self._connection:
            start(self._connection)

    def _forget(self, future: Future[Any]) -> None:
        self._requests.pop(future, None)

    def _shut(self) -> None:
        self._drain()
        connection = self._connection or self._opening
        if connection is None or connection.is_closed or connection.is_closing:
            self._loop.stop()
        else:
            connection.close()


def parameters(url: str, name: str) -> URLParameters:
    """What pika needs to know: the URL (its query may hold pika's own options), heartbeats, bounds, and our name for
    operators.

    amqps uses the system's certificate authorities (`SSL_CERT_FILE` for others). Raises ValueError without the
    password.
    """
    try:
        found = URLParameters(url)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the broker URL cannot be read ({type(error).__name__})") from None
    if not found.heartbeat:  # never off: nothing else notices a connection that a firewall dropped
        found.heartbeat = HEARTBEAT
    if found.blocked_connection_timeout is None:
        found.blocked_connection_timeout = BLOCKED_SECONDS
    found.client_properties = {"connection_name": name}
    return found


def _in_words(reason: BaseException) -> str:
    """The kind of error, or the broker's own code and text; never the text of pika, which may quote the URL."""
    if isinstance(reason, ConnectionClosedByBroker):
        return f"closed with {reason.reply_code} {reason.reply_text}"
    return type(reason).__name__


def _refuses(reason: BaseException) -> bool:
    if isinstance(reason, ConnectionClosedByBroker):
        return reason.reply_code in _NOT_ALLOWED
    inner = [getattr(reason, "exception", None), *getattr(reason, "exceptions", ())]
    return isinstance(reason, ProbableAuthenticationError | ProbableAccessDeniedError) or any(
        _refuses(error) for error in inner if isinstance(error, BaseException)
    )
