"""The sockets under a simulated HTTP department: real ones on loopback, that can be cut off, reset and spoilt."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

MAX_BODY = 200 * 1024 * 1024
"""Bytes; more is refused with 413."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """headers: names in lower case. query: first value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wire:
    """What goes onto the connection as it is, before it ends: bytes, and pauses in seconds between them. reset: whether
    it ends as if the machine had died.
    """

    pieces: Iterable[bytes | float] = ()
    reset: bool = False


class Serving(Protocol):
    """What stands behind the sockets. stopped: set when pauses end."""

    stopped: threading.Event

    def greet(self, connection: socket.socket) -> socket.socket | None:
        """A new connection as it is to be read from; None: it is over already."""
        ...

    def before_body(self) -> HttpReply | None:
        """The reply that does not wait for the request's body, after which the connection ends."""
        ...

    def handle(self, request: HttpRequest) -> HttpReply | Wire:
        """One request's reply."""
        ...


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], serving: Serving) -> None:
        self.serving = serving
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with self._open_lock:
            self._open.add(request)
        connection: socket.socket | None = request
        try:
            connection = self.serving.greet(request)
            if connection is not None:
                with self._open_lock:
                    self._open.add(connection)
                _Handler(connection, client_address, self)
        finally:
            with self._open_lock:
                self._open -= {request, connection or request}
            if connection is not None and connection is not request:
                self.shutdown_request(connection)

    def cut_off(self) -> None:
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            _hang_up(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a connection ended early")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # one write per reply
    timeout = 60.0
    server: HttpServer

    def do_POST(self) -> None:
        self._serve()

    do_GET = do_PUT = do_PATCH = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: request lines are not worth a log, and stderr belongs to the program around."""

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        early = self.server.serving.before_body() if self.command != "GET" else None
        if early is None and (not length.isdigit() or int(length) > MAX_BODY):
            early = HttpReply(413, "text/plain", b"too large")
        if early is not None:
            self.close_connection = True
            self._reply(early)
            return
        body = self.rfile.read(int(length))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.serving.handle(HttpRequest(self.command, parts.path, query, headers, body))
        if isinstance(reply, HttpReply):
            self._reply(reply)
        else:
            self.close_connection = True
            self._spoil(reply)

    def _reply(self, reply: HttpReply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def _spoil(self, wire: Wire) -> None:
        for piece in wire.pieces:
            if isinstance(piece, bytes):
                self.connection.sendall(piece)
            elif self.server.serving.stopped.wait(piece):
                break
        if wire.reset:
            reset(self.connection)
        else:
            _hang_up(self.connection)


def reset(connection: socket.socket) -> None:
    """RST instead of FIN, and what was not read is lost."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("the other side hung up first")
