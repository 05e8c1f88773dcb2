"""Health, metrics, and the installation's own small token issuer."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import openapi
from gateway.api.answers import json_response
from gateway.api.context import Api, api_of
from gateway.errors import StoreUnavailable
from gateway.intake.refusals import refused
from gateway.intake.tokens import LIFETIME_SECONDS, TokenIssuer, secret_matches
from gateway.metrics import CONTENT_TYPE
from queues.base import BrokerUnavailable

router = APIRouter()

_HEALTH_SECONDS = 2.0
_CHECK_TIMEOUT_SECONDS = 3.0


@router.get("/health/live", **openapi.LIVE)
async def live(request: Request) -> Response:
    """The process answers."""
    return json_response({"status": "up"})


@router.get("/health/ready", **openapi.READY)
async def ready(request: Request) -> Response:
    """Whether submissions can be accepted. The broker is named but not needed for it: what is accepted waits in the
    database.
    """
    health: Health = request.app.state.health
    parts = await health.parts()
    able = parts["database"] == "up" and parts["packages"] == "up"
    return json_response({"status": "up" if able else "down", "parts": parts}, status=200 if able else 503)


@router.get("/metrics", **openapi.METRICS)
async def metrics(request: Request) -> Response:
    """Prometheus' text form: counters of this process, gauges of the whole installation."""
    gateway = api_of(request).gateway
    gateway.metrics.standing(await asyncio.to_thread(gateway.store.standing, gateway.clock()))
    gateway.metrics.record(*await asyncio.to_thread(gateway.store.audit.standing))
    return Response(gateway.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


@router.get("/.well-known/jwks.json", **openapi.JWKS)
async def jwks(request: Request) -> Response:
    """Public keys of the installation's own issuer."""
    return json_response(_issuer(api_of(request)).jwks())


@router.post("/oauth/token", **openapi.TOKEN)
async def token(request: Request) -> Response:
    """Client credentials grant (RFC 6749 §4.4) of the installation's own issuer."""
    api = api_of(request)
    issuer = _issuer(api)
    failures: FailedLogins = request.app.state.failed_logins
    form = await _form(request)
    if form.get("grant_type") != "client_credentials":
        return _oauth_error("unsupported_grant_type" if "grant_type" in form else "invalid_request")
    client_id, secret = _credentials(request, form)
    where = (client_id, request.client.host if request.client else "")
    failures.check(where)
    client = api.gateway.packages.client_by_token(issuer.issuer, client_id)
    if not await asyncio.to_thread(secret_matches, secret, client.secret_scrypt if client else None):
        failures.count(where)
        return _oauth_error("invalid_client", status=401)
    answer = {"access_token": issuer.issue(client_id), "token_type": "Bearer", "expires_in": LIFETIME_SECONDS}
    return json_response(answer)


class Health:
    """States of the named parts, looked at no more than every two seconds; never more than `up` or `down`."""

    def __init__(self, api: Api) -> None:
        self._gateway = api.gateway
        self._lock = asyncio.Lock()
        self._known: dict[str, str] = {}
        self._until = 0.0

    async def parts(self) -> dict[str, str]:
        async with self._lock:
            if time.monotonic() >= self._until:
                services = self._gateway.packages.services.values()
                self._known = {
                    "database": await _state(self._gateway.store.backlog),
                    "broker": await _state(self._gateway.broker.depths),
                    "packages": "up" if any(s.inactive is None for s in services) else "down",
                }
                self._until = time.monotonic() + _HEALTH_SECONDS
        return self._known


async def _state(look: Callable[[], Any]) -> str:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
            await asyncio.to_thread(look)
    except (TimeoutError, StoreUnavailable, BrokerUnavailable):
        return "down"
    return "up"


class FailedLogins:
    """Refuses after ten failures a minute per client and address, so that a secret cannot be guessed."""

    MOST, SECONDS, REMEMBERED = 10, 60, 10_000

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failures: dict[tuple[str, str], list[float]] = {}

    def check(self, who: tuple[str, str]) -> None:
        """Raises Refused 429."""
        if len(self._recent(who)) >= self.MOST:
            raise refused("too_many_attempts", retry_after=self.SECONDS)

    def count(self, who: tuple[str, str]) -> None:
        recent = [*self._recent(who), self._monotonic()]
        self._failures.pop(who, None)
        self._failures[who] = recent
        if len(self._failures) > self.REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def _recent(self, who: tuple[str, str]) -> list[float]:
        since = self._monotonic() - self.SECONDS
        return [moment for moment in self._failures.get(who, ()) if moment > since]


def _issuer(api: Api) -> TokenIssuer:
    if api.gateway.token_issuer is None:
        raise refused("not_found")
    return api.gateway.token_issuer


async def _form(request: Request) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise refused("content_type_unsupported", path="Content-Type", allowed="application/x-www-form-urlencoded")
    try:
        fields = parse_qs((await request.body()).decode("ascii"), strict_parsing=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret, from HTTP Basic (RFC 6749 §2.3.1: each form-encoded) or from the form."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _oauth_error(code: str, *, status: int = 400) -> Response:
    """RFC 6749 §5.2, the form that OAuth clients know."""
    headers = {"WWW-Authenticate": 'Basic realm="ozg-gateway"'} if status == 401 else {}
    return json_response({"error": code}, status=status, headers=headers)
