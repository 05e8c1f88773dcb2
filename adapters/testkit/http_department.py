"""A simulated department system behind a URL: strict, and able to behave in every way that was ever seen."""

from __future__ import annotations

import socket
import threading
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from adapters.testkit import spoiling
from adapters.testkit.behaviour import ON_THE_CONNECTION, Behaviour, Kind
from adapters.testkit.certificates import Authority, Shown
from adapters.testkit.department import Department
from adapters.testkit.http_server import HttpReply, HttpRequest, HttpServer, Wire, reset

__all__ = ["Case", "HttpDepartment", "HttpReply", "HttpRequest", "Wire"]

_HANDSHAKE = 10.0
"""Seconds for a TLS handshake."""


class HttpDepartment(Department):
    """authority: it is reached by https, with a certificate of this one. port: 0 = a free one, kept for the
    department's life, also while it is down.
    """

    def __init__(
        self,
        *,
        prefix: str,
        idempotent: bool,
        authority: Authority | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(prefix, idempotent=idempotent)
        self._authority = authority
        self._host = host
        self._port = port
        self._server: HttpServer | None = None
        self._last_lock = threading.Lock()
        self._last: HttpReply | None = None

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        if self._server is None:
            self.stopped.clear()
            self._server = HttpServer((self._host, self._port), self)
            self._port = self._server.server_address[1]
            thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            thread.name = f"department-{self._port}"
            thread.start()
        return self

    def stop(self) -> None:
        """Close the port; running requests are cut off. What was received stays readable."""
        self.stopped.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut_off()

    go_down = stop
    """Connections are refused until `come_up`."""
    come_up = start

    @property
    def secure(self) -> bool:
        return self._authority is not None

    @property
    def url(self) -> str:
        return f"http{'s' if self.secure else ''}://{self._host}:{self._port}"

    def tell(
        self,
        kind: Kind,
        *,
        times: int | None = None,
        key: str | None = None,
        seconds: float = 0.0,
        retry_after: int | str | None = None,
        status: int = 503,
    ) -> None:
        """Behave like this from now on; see `Behaviour` and `Script.tell`. Searches are not affected, except by
        `down`.
        """
        self._script.tell(Behaviour(kind, seconds, retry_after, status), times=times, key=key)

    def greet(self, connection: socket.socket) -> socket.socket | None:
        """Raises ssl.SSLError when the other side does not like what it is shown."""
        told = self._script.next_among(ON_THE_CONNECTION)
        if told is not None:
            self.ledger.note(told.kind, None, acted=False)
            if told.kind == "reset_before_send":
                reset(connection)
                return None
        if self._authority is None:
            return connection
        shown: Shown = "good"
        if told is not None and told.kind in ("expired_certificate", "wrong_host", "unknown_authority"):
            shown = told.kind
        connection.settimeout(_HANDSHAKE)
        return self._authority.context(shown).wrap_socket(connection, server_side=True)

    def before_body(self) -> HttpReply | None:
        if self._script.next_among({"unauthorised_early"}) is None:
            return None
        self.ledger.note("unauthorised_early", None, acted=False)
        return _UNAUTHORISED

    def handle(self, request: HttpRequest) -> HttpReply | Wire:
        """One request from socket to reply."""
        if (aside := self._aside(request)) is not None:
            return aside
        case = self.read(request)
        if isinstance(case, HttpReply):
            return case
        behaviour = self._script.next(case.key)
        early = self._early(behaviour)
        if early is not None:
            self.ledger.note(behaviour.kind, case.key, acted=False)
            return early
        if behaviour.kind in ("wrong_charset", "wrong_label"):
            self.ledger.name(case.key, {"number": f"Grünfläche-{case.key}", "file": f"Straße/{case.key}"})
        if behaviour.kind == "duplicate_reference" and self.received:
            self.ledger.name(case.key, self.received[-1].references)
        reply = self.act(case)
        self.ledger.note(behaviour.kind, case.key, acted=True)
        return self._behave(behaviour, case.key, reply)

    def _behave(self, behaviour: Behaviour, key: str, reply: HttpReply) -> HttpReply | Wire:
        with self._last_lock:
            last, self._last = self._last, reply
        if behaviour.kind == "crossed":
            return last or reply
        if behaviour.kind == "fail_after_commit":
            return self.failure()
        return spoiling.spoilt(behaviour, reply, key, self.url)

    def _early(self, behaviour: Behaviour) -> HttpReply | Wire | None:
        """The reply of a behaviour that does not act."""
        kind = behaviour.kind
        if kind == "down":
            wait = {"Retry-After": str(behaviour.retry_after)} if behaviour.retry_after is not None else {}
            return HttpReply(behaviour.status, "text/plain", b"down for maintenance", wait)
        if kind == "hang_up":
            return Wire()
        if kind == "fault_in_200":
            return replace(self.refusal(), status=200)
        if kind == "refuse":
            return self.refusal()
        return _SOMEBODY_ELSE.get(kind)

    def _aside(self, request: HttpRequest) -> HttpReply | None:
        """What is no case: where a badly told client ends up."""
        if request.path == spoiling.LOGIN:
            self.ledger.note("login", None, acted=False)
            return spoiling.PAGE
        if request.path == spoiling.ENTITY:
            self.ledger.note("entity", None, acted=False)
            return HttpReply(200, "text/plain", b"Pflaumen")
        if request.path.startswith(spoiling.STATUS):
            key = request.path.removeprefix(spoiling.STATUS)
            self.ledger.note("status", key, acted=False)
            return spoiling.working(key)
        return None

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

    def failure(self) -> HttpReply:
        """This protocol's way to say that something went wrong inside."""
        return HttpReply(500, "text/plain", b"internal error")


@dataclass(frozen=True, slots=True)
class Case:
    """A valid request for a new case, or to change one. place: the last part of the address, where the case has one."""

    key: str
    body: dict[str, object]
    raw: bytes
    marked: bool
    place: str = ""


_UNAUTHORISED = HttpReply(401, "text/plain", b"who are you?", {"WWW-Authenticate": "Basic realm=department"})
_SOMEBODY_ELSE: dict[Kind, HttpReply] = {
    "unauthorised": _UNAUTHORISED,
    "html": spoiling.PAGE,
    "redirect": HttpReply(302, "text/html; charset=utf-8", b"", {"Location": spoiling.LOGIN}),
}
