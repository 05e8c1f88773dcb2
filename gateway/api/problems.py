"""Problem documents (RFC 9457): the one form of every error answer. They never repeat what the sender sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.responses import Response

from gateway.errors import NotFound, Refused, StoreUnavailable
from gateway.intake.refusals import refused
from gateway.store.content import ContentErased

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ozg-gateway:problem:"


def document(error: Refused, request_id: str) -> dict[str, Any]:
    """The problem as JSON members. instance: names this one answer, for the operators' logs."""
    return {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": error.title,
        "status": error.status,
        "instance": instance(request_id),
        "findings": [finding.as_dict() for finding in error.findings],
    }


def instance(request_id: str) -> str:
    return f"urn:uuid:{request_id}"


def record(error: Refused, request_id: str, *, client: str | None = None, route: str = "") -> None:
    """One line in the log per refusal: a sender names the `instance`, and the operators find it. client: the name of
    its file here, None = nobody known. route: the pattern, never the path.
    """
    log.info(
        "request.refused",
        status=error.status,
        code=error.code,
        client=client,
        route=route,
        instance=instance(request_id),
    )


def headers(error: Refused) -> Mapping[str, str]:
    """Header fields that the status asks for."""
    if error.status == 401:
        bad = error.code in ("token_invalid", "token_expired")
        given = ', error="invalid_token"' if bad else ""
        return {"WWW-Authenticate": f'Bearer realm="ozg-gateway"{given}'}
    if error.status == 405 and (allowed := error.findings[0].allowed):
        return {"Allow": allowed}
    if error.retry_after is not None:
        return {"Retry-After": str(error.retry_after)}
    return {}


def response(error: Refused, request_id: str) -> Response:
    body = json.dumps(document(error, request_id), ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status_code=error.status, headers=dict(headers(error)), media_type=MEDIA_TYPE)


def as_refused(error: Exception, *, retry_after: int) -> Refused | None:
    """The refusal that an exception of ours means to a sender; None for a fault that nobody foresaw."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, StoreUnavailable):
        return refused("store_unavailable", retry_after=retry_after)
    if isinstance(error, ContentErased):
        return refused("content_erased")
    if isinstance(error, NotFound):
        return refused("not_found")
    return None
