"""One bound over a whole HTTP exchange: connecting, TLS, sending, waiting, reading.

httpx bounds each read of the socket, so a target that trickles one byte a second holds a worker for ever. This
network backend gives every single socket call what is left of the exchange's time, and counts what was sent: an
exchange that sent nothing has surely not been processed. Name resolution alone is bounded by the system's resolver,
not by us.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

_PIECE = 64 * 1024
"""Bytes per write: between two pieces the deadline is looked at."""


@dataclass(slots=True)
class Exchange:
    """What happens on the wire for one request. until: `time.monotonic()` seconds. sent, read: bytes, above TLS."""

    until: float
    sent: int = 0
    read: int = 0


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def exchange(seconds: float) -> Iterator[Exchange]:
    """Everything that this thread sends inside ends within `seconds`."""
    made = Exchange(time.monotonic() + seconds)
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)


@contextmanager
def continued(seconds: float) -> Iterator[Exchange]:
    """One more request inside the running exchange: its own counts, the same end. Starts an exchange if none is
    running.
    """
    running = _current.get()
    made = Exchange(running.until if running is not None else time.monotonic() + seconds)
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)


def _left(timeout: float | None, expired: type[Exception]) -> float | None:
    """The smaller of `timeout` and what is left of the exchange. Raises `expired` when nothing is left."""
    current = _current.get()
    if current is None:
        return timeout
    left = current.until - time.monotonic()
    if left <= 0:
        raise expired("the exchange's time is over")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))
        if (current := _current.get()) is not None:
            current.read += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            left = _left(timeout, httpcore.WriteTimeout)
            if (current := _current.get()) is not None:
                current.sent += len(piece)
            self._inner.write(piece, left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's transport over the backend above. keep_alive: whether connections are kept for the next request."""

    def __init__(self, context: ssl.SSLContext, *, keep_alive: bool, proxy: str | None) -> None:
        super().__init__(verify=context, trust_env=False)
        # httpx has no parameter for the backend; the pool is what its constructor would have made (tests hold this
        # together).
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            proxy=_proxy(proxy) if proxy else None,
            max_connections=None,
            max_keepalive_connections=None if keep_alive else 0,
            keepalive_expiry=5.0,
            network_backend=_Backend(),
        )


def _proxy(url: str) -> httpcore.Proxy:
    """The outgoing proxy; a user and password in its URL become its credentials."""
    parts = httpx.Proxy(url)
    return httpcore.Proxy(str(parts.url), auth=parts.raw_auth)
