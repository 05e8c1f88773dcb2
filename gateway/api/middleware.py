"""Around every route: every answer gets an id and security headers, every exception becomes a problem document.

Plain ASGI. Nothing below may let an exception reach the server: its log would print the message, and a message can
hold content.
"""

from __future__ import annotations

import time
import traceback
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problems
from gateway.api.limits import check_headers
from gateway.intake.refusals import refused
from gateway.metrics import Metrics
from gateway.settings import Limits

log = structlog.get_logger()

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Envelope:
    """See the module."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, limits: Limits) -> None:
        self._app = app
        self._metrics = metrics
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(message.get("headers", ()))
            await send(message)

        try:
            check_headers(scope, self._limits)
            await self._app(scope, receive, send_enveloped)
        except ClientDisconnect:
            log.info("request.aborted", instance=problems.instance(request_id))
        except Exception as error:
            if status:
                raise _Broken(type(error).__name__) from None
            await self._answer(error, request_id, scope, receive, send_enveloped)
        finally:
            self._metrics.request(_route(scope), str(status or "aborted"), time.perf_counter() - began)

    async def _answer(self, error: Exception, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = problems.as_refused(error, retry_after=self._limits.retry_after_seconds)
        if refusal is None:
            instance = problems.instance(request_id)
            log.error("request.failed", instance=instance, error=type(error).__name__, where=_where(error))
            refusal = refused("internal_error")
        self._metrics.refused(refusal.code)
        problems.record(refusal, request_id, client=scope["state"].get("client"), route=_route(scope))
        await problems.response(refusal, request_id)(scope, receive, send)


class _Broken(Exception):
    """An answer that had begun could not be finished; the server cuts the connection. Carries its kind only."""


def _where(error: BaseException) -> str:
    """The innermost place of an exception. Its message and its frames' values stay out of every log: they hold
    content.
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


def _complete(headers: object) -> list[tuple[bytes, bytes]]:
    """A route's own value (an attachment's stricter policy) wins over the general one."""
    given: list[tuple[bytes, bytes]] = list(headers)  # type: ignore[call-overload]
    names = {name.lower() for name, _ in given}
    return given + [pair for pair in SECURITY_HEADERS if pair[0] not in names]


def _route(scope: Scope) -> str:
    """The route's pattern, never the path: paths carry ids."""
    return getattr(scope.get("route"), "path", "other")
