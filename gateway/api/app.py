"""The HTTP interface put together: routes, and what every request passes through before it reaches one."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import catalogue, departments, openapi, operations, proofs, submissions
from gateway.api.context import Api, Way, api_of
from gateway.api.limits import RequestLimits
from gateway.api.middleware import Envelope
from gateway.api.parameters import refusal_of
from gateway.intake.refusals import refused

if TYPE_CHECKING:
    from gateway.wiring import Gateway

SUBMISSIONS = "/v1/submissions"


class ShortWay:
    """Handing in is asked for all the time: it goes past the framework's routing, a fifth of the time in this thread.

    Plain ASGI, innermost: limits and envelope hold as for every other route. The framework knows the route as well, for
    the description of the interface.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        [self._route] = [r for r in submissions.router.routes if getattr(r, "endpoint", None) is submissions.submit]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != SUBMISSIONS:
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        response = await submissions.submit(Request(scope, receive, send))
        await response(scope, receive, send)


def create_app(gateway: Gateway, way: Way) -> FastAPI:
    """The application (ASGI) for one gateway. way: `gateway.pipeline`.

    The description of the interface is served outside production only; interactive pages are not served at all.
    """
    limits = gateway.settings.limits
    app = FastAPI(
        title="OZG gateway",
        version=version("ozg-gateway"),
        description="Takes applications from portals and delivers them to department systems.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None if gateway.settings.stage == "production" else "/openapi.json",
        redirect_slashes=False,
        exception_handlers={RequestValidationError: _bad_parameter, HTTPException: _no_route},
    )
    app.state.api = Api.build(gateway, way)
    app.state.health = operations.Health(app.state.api)
    app.state.failed_logins = operations.FailedLogins()
    for part in (submissions, proofs, departments, catalogue, operations):
        app.include_router(part.router)
    # The last one added is the outermost: also an answer that the envelope gives has to end an unread body.
    bodies = {SUBMISSIONS: limits.body_bytes, "/v1/validate": limits.data_bytes}
    app.add_middleware(ShortWay)
    app.add_middleware(Envelope, metrics=gateway.metrics, limits=limits)
    app.add_middleware(RequestLimits, limits=limits, bodies=bodies)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app


# Both become refusals that the envelope answers, like every other.


async def _bad_parameter(request: Request, error: Exception) -> Response:
    """Instead of FastAPI's own answer, which repeats the input. Only names that this interface declares are told."""
    assert isinstance(error, RequestValidationError)
    if api_of(request).has_credentials(request) or not request.url.path.startswith("/v1/validate"):
        await api_of(request).client(request)  # who may not ask learns nothing about how to ask
    raise refusal_of(error.errors()) from None


async def _no_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        raise refused("not_found") from None
    raise refused("method_not_allowed", allowed=(error.headers or {}).get("Allow")) from None
