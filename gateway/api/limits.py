"""Bounds on what a request may cost, enforced while it is read; the server underneath has none for bodies (see
`protocol.py` for headers).

Plain ASGI. A bound that is passed raises Refused out of `receive`, whoever reads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Refused
from gateway.intake.refusals import refused
from gateway.settings import Limits

OTHER_BODY_BYTES = 64 * 1024
LINGER_BYTES = 4 * 1024 * 1024
LINGER_SECONDS = 2.0


class RequestLimits:
    """bodies: path → largest body in bytes; other paths get `OTHER_BODY_BYTES`."""

    def __init__(self, app: ASGIApp, *, limits: Limits, bodies: Mapping[str, int]) -> None:
        self._app = app
        self._limits = limits
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._bodies.get(scope["path"], OTHER_BODY_BYTES)
        body = _Body(scope, receive, send, limit, self._limits)
        await self._app(scope, body.receive, body.send)


def check_headers(scope: Scope, limits: Limits) -> None:
    """Raises Refused 431. The server bounds what it buffers; this bounds what a request may have, whatever the
    server.
    """
    headers = scope["headers"]
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    size += sum(len(name) + len(value) + 4 for name, value in headers)
    if size > limits.header_bytes or len(headers) > limits.headers:
        raise headers_too_large(limits)


def headers_too_large(limits: Limits) -> Refused:
    return refused("headers_too_large", allowed=f"≤ {limits.header_bytes} bytes, ≤ {limits.headers} fields")


class _Body:
    """One request's body: counted, timed; and what is left unread is drained before the connection is closed."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int, limits: Limits) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._limits = limits
        self._size = 0
        self._waited = 0.0
        headers = dict(scope["headers"])
        self._announced = headers.get(b"content-length")
        self._complete = self._announced in (None, b"0") and b"transfer-encoding" not in headers
        self._expects_continue = b"expect" in headers
        self._gone = False

    async def receive(self) -> Message:
        if self._announced is not None and int(self._announced) > self._limit:
            raise self._too_large()
        message = await self._timed(self._limits.body_idle_seconds)
        if message["type"] == "http.request":
            if self._size > self._limit:
                raise self._too_large()
            if not self._complete and self._too_slow():
                raise self._sender_too_slow()
        return message

    def _too_large(self) -> Refused:
        return refused("body_too_large", allowed=f"≤ {self._limit} bytes")

    def _sender_too_slow(self) -> Refused:
        limits = self._limits
        pace = f"≥ {limits.body_bytes_per_second} bytes/s, ≤ {limits.body_idle_seconds:g} s"
        return refused("sender_too_slow", allowed=pace)

    def _too_slow(self) -> bool:
        """Only time spent waiting for the sender counts, not what the gateway itself takes."""
        return (
            self._waited > self._limits.body_idle_seconds
            and self._size < self._waited * self._limits.body_bytes_per_second
        )

    async def _timed(self, seconds: float) -> Message:
        if self._complete:  # nothing more will come but the end of the connection, which may be waited for
            return await self._receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise self._sender_too_slow() from None
        self._waited += time.monotonic() - began
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        else:
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        if self._complete or self._gone:
            await self._send(message)
        elif message["type"] == "http.response.start":
            # The rest of the body is not wanted, so the connection cannot carry another request.
            await self._send({**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]})
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _linger(self) -> None:
        """Closing with unread bytes resets the connection, and the sender might lose the answer: read a little, then
        close.
        """
        if self._expects_continue and self._size == 0:
            return
        until, most = time.monotonic() + LINGER_SECONDS, self._size + LINGER_BYTES
        while not (self._complete or self._gone) and self._size < most and (left := until - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await self._receive()
            except TimeoutError:
                return
            self._gone = message["type"] != "http.request"
            self._complete = not message.get("more_body", False)
            self._size += len(message.get("body", b""))
