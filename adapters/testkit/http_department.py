"""The HTTP server under the simulated SOAP and REST systems: real sockets on loopback, able to be down and to hang
up.
"""

from __future__ import annotations

import logging
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from adapters.testkit.behaviour import Behaviour, Kind, Script
from adapters.testkit.ledger import Ledger, Received

MAX_BODY = 200 * 1024 * 1024
"""Bytes; more is refused with 413."""

_PAGE = (
    b"<!DOCTYPE html><html><head><title>Anmeldung</title></head><body><p>Bitte melden Sie sich an.</p></body></html>"
)

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


class HttpDepartment(ABC):
    """A department system behind a URL; use as a context manager or with `start` and `stop`.

    port: 0 = a free one, kept for the department's life, also while it is down.
    """

    def __init__(self, *, prefix: str, idempotent: bool, host: str = "127.0.0.1", port: int = 0) -> None:
        self.ledger = Ledger(prefix, idempotent=idempotent)
        self._script = Script()
        self._host = host
        self._port = port
        self._server: _Server | None = None
        self._stopped = threading.Event()

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        if self._server is None:
            self._stopped.clear()
            self._server = _Server((self._host, self._port), self)
            self._port = self._server.server_address[1]
            thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            thread.name = f"department-{self._port}"
            thread.start()
        return self

    def stop(self) -> None:
        """Close the port; running requests are cut off. What was received stays readable."""
        self._stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut_off()
            self._server = None

    go_down = stop
    """Connections are refused until `come_up`."""
    come_up = start

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def received(self) -> list[Received]:
        return self.ledger.received

    def tell(
        self,
        kind: Kind,
        *,
        times: int | None = None,
        key: str | None = None,
        seconds: float = 0.0,
        retry_after: int | None = None,
    ) -> None:
        """Behave like this from now on; see `Behaviour` and `Script.tell`. Searches are not affected, except by
        `down`.
        """
        self._script.tell(Behaviour(kind, seconds, retry_after), times=times, key=key)

    def handle(self, request: HttpRequest) -> HttpReply | None:
        """One request from socket to reply; None = hang up."""
        case = self.read(request)
        if isinstance(case, HttpReply):
            return case
        behaviour = self._script.next(case.key)
        early = self._early(behaviour)
        if early is not None or behaviour.kind == "hang_up":
            return early
        reply = self.act(case)
        if behaviour.kind == "commit_then_hang_up":
            return None
        if behaviour.kind == "slow":
            self._stopped.wait(behaviour.seconds)
        if behaviour.kind == "broken":
            return HttpReply(reply.status, reply.media_type, reply.body[: len(reply.body) // 2])
        return reply

    def _early(self, behaviour: Behaviour) -> HttpReply | None:
        """The reply of a behaviour that does not act."""
        if behaviour.kind == "down":
            wait = {"Retry-After": str(behaviour.retry_after)} if behaviour.retry_after is not None else {}
            return HttpReply(503, "text/plain", b"down for maintenance", wait)
        if behaviour.kind == "unauthorised":
            return HttpReply(401, "text/plain", b"who are you?", {"WWW-Authenticate": "Basic realm=department"})
        if behaviour.kind == "html":
            return HttpReply(200, "text/html; charset=utf-8", _PAGE)
        return self.refusal() if behaviour.kind == "refuse" else None

    @abstractmethod
    def read(self, request: HttpRequest) -> HttpReply | Case:
        """Check a request against the interface description: a case to act on, or the reply that is due without
        acting.
        """

    @abstractmethod
    def act(self, case: Case) -> HttpReply:
        """Store the case and say its number."""

    @abstractmethod
    def refusal(self) -> HttpReply:
        """This protocol's way to refuse for good."""


@dataclass(frozen=True, slots=True)
class Case:
    """A valid request for a new case, or to change one. place: the last part of the address, where the case has one."""

    key: str
    body: dict[str, object]
    raw: bytes
    marked: bool
    place: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], department: HttpDepartment) -> None:
        self.department = department
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

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
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def do_POST(self) -> None:
        self._serve()

    do_GET = do_PUT = do_PATCH = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: request lines are not worth a log, and stderr belongs to the program around."""

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._reply(HttpReply(413, "text/plain", b"too large"))
            return
        body = self.rfile.read(int(length))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.department.handle(HttpRequest(self.command, parts.path, query, headers, body))
        if reply is None:
            self.close_connection = True
            _hang_up(self.connection)
        else:
            self._reply(reply)

    def _reply(self, reply: HttpReply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("the other side hung up first")
