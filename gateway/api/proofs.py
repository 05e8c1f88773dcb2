"""Proof for portals: that a submission stands in the sealed record, checked with a public key alone."""

from __future__ import annotations

import asyncio
import math

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import openapi
from gateway.api.answers import json_response
from gateway.api.context import api_of
from gateway.api.parameters import DECLARED_ONLY
from gateway.api.submissions import visible
from gateway.intake.refusals import refused

router = APIRouter(dependencies=[DECLARED_ONLY])


@router.get("/v1/submissions/{submission_id}/proof", **openapi.PROOF)
async def proof(request: Request, submission_id: str) -> Response:
    """The entry of the acceptance with its way to a signed seal. 409 until the next seal is made."""
    api = api_of(request)
    view = await visible(api, await api.portal(request), submission_id)
    document = await asyncio.to_thread(api.gateway.store.audit.proof, view.submission_id)
    if document["entries"][0]["leaf"] is None:
        raise refused("not_sealed_yet", retry_after=math.ceil(api.gateway.settings.seal_seconds))
    return json_response(document)


@router.get("/v1/keys/audit", **openapi.AUDIT_KEYS)
async def audit_keys(request: Request) -> Response:
    """Public keys of all seals, the oldest first. Fetch them once and keep them: that is what makes a proof one."""
    keys = await asyncio.to_thread(api_of(request).gateway.store.audit.public_keys)
    return json_response({"keys": [key.jwk() for key in keys]})
