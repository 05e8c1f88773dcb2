"""What the routes share: the gateway, who is asking, and whether there is room. Built once per application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import HTTPConnection

from gateway.errors import StoreUnavailable
from gateway.intake.auth import TokenVerifier, TrustedProxies, certificate_fingerprint
from gateway.intake.refusals import refused
from gateway.store import Accepted
from gateway.store.database import database_url
from gateway.store.place import nearly_full
from gateway.submission import Submission

if TYPE_CHECKING:
    from gateway.services import Client
    from gateway.store.content import ContentWriter
    from gateway.wiring import Gateway

BACKLOG_SECONDS = 1.0


class Way(Protocol):
    """The part of `gateway.pipeline` that the interface calls; the module itself is one."""

    async def accept(self, gateway: Gateway, submission: Submission, content: ContentWriter) -> Accepted: ...
    def case_of(self, gateway: Gateway, submission_id: str) -> Mapping[str, Any]: ...


class Backlog:
    """Refuses before a body is read when too much waits already, or the disk is nearly full. Looks at most once a
    second.
    """

    def __init__(
        self,
        count: Callable[[], int],
        limit: int,
        retry_after: int,
        full: Callable[[], bool],
    ) -> None:
        self._count = count
        self._limit = limit
        self._retry_after = retry_after
        self._full = full
        self._is_full = False
        self._known: int | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """Raises Refused 503 `backlog_full`, `disk_nearly_full` or `store_unavailable`."""
        if time.monotonic() >= self._until:
            async with self._lock:
                if time.monotonic() >= self._until:
                    await self._look()
        if self._known is None:
            raise refused("store_unavailable", retry_after=self._retry_after)
        if self._is_full:
            raise refused("disk_nearly_full", retry_after=self._retry_after)
        if self._known > self._limit:
            raise refused("backlog_full", retry_after=self._retry_after)

    async def _look(self) -> None:
        try:
            self._known = await asyncio.to_thread(self._count)
        except StoreUnavailable:
            self._known = None
        self._is_full = self._full()
        self._until = time.monotonic() + BACKLOG_SECONDS


@dataclass
class Api:
    """running: (client, Idempotency-Key) of submissions that this process is handling right now."""

    gateway: Gateway
    way: Way
    verifier: TokenVerifier
    proxies: TrustedProxies
    backlog: Backlog
    running: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def build(cls, gateway: Gateway, way: Way) -> Api:
        settings = gateway.settings
        issuer = gateway.token_issuer
        return cls(
            gateway,
            way,
            TokenVerifier(settings.issuers, local_keys=issuer.jwks if issuer else None, clock=gateway.clock),
            TrustedProxies(settings.trusted_proxies),
            Backlog(
                gateway.store.backlog,
                settings.limits.backlog,
                settings.limits.retry_after_seconds,
                partial(nearly_full, database_url(settings.effective_database_url), settings.limits.free_disk_bytes),
            ),
        )

    async def client(self, request: HTTPConnection) -> Client:
        """Who is asking. Raises Refused 401 without valid credentials, 403 for one who is not configured here."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            client = await self._by_token(authorization)
        elif self._has_certificate(request):
            certificates = request.headers.getlist("client-cert")
            client = self.gateway.packages.client_by_certificate(certificate_fingerprint(",".join(certificates)))
        else:
            raise refused("token_missing")
        if client is None:
            raise refused("client_unknown")
        request.state.client = client.name  # for the log line of a refusal
        return client

    def has_credentials(self, request: HTTPConnection) -> bool:
        """Does the sender say who it is, rightly or wrongly?"""
        return "authorization" in request.headers or self._has_certificate(request)

    def _has_certificate(self, request: HTTPConnection) -> bool:
        return request.client is not None and request.client.host in self.proxies and "client-cert" in request.headers

    async def portal(self, request: HTTPConnection) -> Client:
        return _require("portal", await self.client(request))

    async def department(self, request: HTTPConnection) -> Client:
        return _require("department", await self.client(request))

    async def _by_token(self, authorization: str) -> Client | None:
        scheme, _, token = authorization.partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer":
            raise refused("authentication_unsupported", path="Authorization", allowed="Bearer")
        if not token:
            raise refused("token_invalid", path="Authorization")
        identity = self.verifier.remembered(token)
        if identity is None:
            identity = await asyncio.to_thread(self.verifier.verify, token)
        return self.gateway.packages.client_by_token(identity.issuer, identity.client_id)

    @asynccontextmanager
    async def alone(self, client: Client, key: str | None) -> AsyncIterator[None]:
        """One request at a time per key. Raises Refused 409 `key_in_progress`."""
        if key is None:
            yield
            return
        entry = (client.name, key)
        if entry in self.running:
            raise refused("key_in_progress", retry_after=1)
        self.running.add(entry)
        try:
            yield
        finally:
            self.running.discard(entry)


def _require(kind: str, client: Client) -> Client:
    if client.kind != kind:
        raise refused("client_kind_wrong")
    return client


def api_of(request: HTTPConnection) -> Api:
    api: Api = request.app.state.api
    return api
