"""Departments: fetch a case and its attachments. Every look is recorded before anything is handed out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.api import openapi
from gateway.api.answers import json_response
from gateway.api.context import Api, api_of
from gateway.api.parameters import DECLARED_ONLY
from gateway.api.submissions import visible
from gateway.attachments.findings import is_infected
from gateway.intake.refusals import refused
from gateway.store import SubmissionView
from gateway.submission import Attachment

router = APIRouter(dependencies=[DECLARED_ONLY])

_DOWNLOAD_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


@router.get("/v1/submissions/{submission_id}/case", **openapi.CASE)
async def case(request: Request, submission_id: str) -> Response:
    """The case in the one form that all services share (`case.schema.json`), mapped with today's configuration."""
    api = api_of(request)
    identifier = (await _admit(api, request, submission_id, "case")).submission_id
    return json_response(await asyncio.to_thread(api.way.case_of, api.gateway, identifier))


@router.get("/v1/submissions/{submission_id}/attachments/{number}", **openapi.ATTACHMENT)
async def attachment(
    request: Request,
    submission_id: str,
    number: Annotated[int, Path(ge=1, le=10_000, description="Place in the case, from 1.")],
) -> Response:
    """One attachment, byte for byte as sent."""
    api = api_of(request)
    view = await _admit(api, request, submission_id, f"attachment {number}")
    identifier = view.submission_id
    submission, checked = await asyncio.to_thread(api.gateway.store.submission, identifier)
    if number > len(submission.attachments):
        raise refused("not_found")
    chosen = submission.attachments[number - 1]
    if view.state == "clarify" and is_infected(chosen.attachment_id, checked.findings):
        raise refused("attachment_infected")
    # The first piece before the answer begins, so that what is gone or damaged has a status of its own.
    pieces = api.gateway.store.read_part(identifier, chosen.part.name)
    first = await asyncio.to_thread(next, pieces, b"")
    return StreamingResponse(_chain(first, pieces), headers=_headers(chosen, number), media_type=chosen.media_type)


async def _admit(api: Api, request: Request, submission_id: str, what: str) -> SubmissionView:
    client = await api.department(request)
    view = await visible(api, client, submission_id)
    if view.state == "held":
        raise refused("submission_held")
    record = api.gateway.store.record_access(
        view.submission_id, actor=client.name, what=what, reason="department interface"
    )
    await asyncio.wrap_future(record)
    return view


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _headers(attachment: Attachment, number: int) -> dict[str, str]:
    """RFC 6266: saved, never shown; the sender's name only in its encoded form."""
    name = quote(attachment.filename, safe="")
    return {
        "Content-Length": str(attachment.part.size),
        "Content-Disposition": f"attachment; filename=\"attachment-{number}\"; filename*=UTF-8''{name}",
        "Content-Security-Policy": _DOWNLOAD_POLICY,
    }
