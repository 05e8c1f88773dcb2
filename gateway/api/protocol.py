"""One HTTP connection: uvicorn's, with what it lacks: bounds on headers in bytes, number and time, on connections,
and no ambiguity.

Requests that two readers could understand differently are refused here, before the application sees them (RFC 9112
§3.2, §6, §11).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.api import problems
from gateway.api.limits import headers_too_large
from gateway.api.middleware import SECURITY_HEADERS
from gateway.errors import Refused
from gateway.intake.refusals import refused
from gateway.settings import Limits


class GuardedProtocol(HttpToolsProtocol):
    """One connection. A refusal at this level is a problem document like every other, and ends the connection."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._in_header = True
        self._header_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._refusal = "request_malformed"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refuse("too_many_connections")
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_header:
            self._header_bytes += len(data)
            self._start_timer()
        super().data_received(data)
        if self._in_header and self._header_bytes > self._limits.header_bytes and not self.transport.is_closing():
            self._refuse("headers_too_large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_header = True

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_header = False
        self._header_bytes = 0
        if len(self.headers) > self._limits.headers:
            self._refusal = "headers_too_large"
            raise ValueError("too many header fields")  # the parser stops; `send_400_response` answers
        if is_ambiguous(self.headers, self.url, self.parser.get_http_version()):
            raise ValueError("ambiguous request")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_header = True

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal)

    def _start_timer(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self._limits.header_seconds, self._header_late)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _header_late(self) -> None:
        self._header_timer = None
        if self._in_header and not self.transport.is_closing():
            self._refuse("sender_too_slow")

    def _refused(self, code: str) -> Refused:
        if code == "headers_too_large":
            return headers_too_large(self._limits)
        if code == "sender_too_slow":
            return refused(code, allowed=f"≤ {self._limits.header_seconds:g} s")
        return refused(code)

    def _refuse(self, code: str) -> None:
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(raw_problem(self._refused(code)))
        # Else an answer is under way on this connection, and nothing may be written into it.
        self.transport.close()


def raw_problem(refusal: Refused) -> bytes:
    """A whole HTTP/1.1 answer for a refusal that never reached the application; it has its line in the log."""
    request_id = str(uuid4())
    problems.record(refusal, request_id)
    body = json.dumps(problems.document(refusal, request_id), ensure_ascii=False).encode()
    headers = [
        (b"content-type", problems.MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *SECURITY_HEADERS,
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[refusal.status] + lines + b"\r\n" + body


def is_ambiguous(headers: list[tuple[bytes, bytes]], target: bytes, version: str) -> bool:
    """True if host or length of the request could be read in two ways. headers: names in lower case."""
    hosts = [value for name, value in headers if name == b"host"]
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if version not in ("1.0", "1.1") or len(hosts) > 1 or (not hosts and version == "1.1"):
        return True
    if len(lengths) > 1 or (lengths and codings) or any(not length.isdigit() for length in lengths):
        return True
    if codings and (version == "1.0" or [c.strip().lower() for c in codings] != [b"chunked"]):
        return True
    if not target.startswith(b"/"):
        return target != b"*" and _authority(target) not in hosts
    return False


def _authority(target: bytes) -> bytes:
    """host[:port] of a target in absolute form; empty if there is none."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return b""
    host: bytes = url.host or b""
    return host + (b":%d" % url.port if url.port else b"")
