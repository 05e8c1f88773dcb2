"""Portals: hand something in, ask what became of it."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive

from gateway.api import openapi
from gateway.api.answers import accepted_document, all_delivered, json_response, status_document
from gateway.api.context import Api, api_of
from gateway.api.parameters import DECLARED_ONLY, check_names, refusal_of
from gateway.ids import new_id
from gateway.intake.multipart import MultipartReader, boundary_of
from gateway.intake.refusals import refused
from gateway.intake.rest import Received, Reception, content_digest
from gateway.services import identifiers_of, open_to
from gateway.store import SubmissionView
from gateway.submission import Kind, Submission

if TYPE_CHECKING:
    from gateway.services import Accepts, Client
    from gateway.store.content import ContentWriter

router = APIRouter()

BATCH_BYTES = 256 * 1024
"""A body up to this size is taken apart at once (cheaper than a change of threads); a larger one in a thread, in such
pieces.
"""
LONGEST_WAIT_SECONDS = 30
CASE_ID = r"^[A-Za-z0-9-]{1,64}$"
_POLL_SECONDS = (0.02, 0.5)
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Parameters(BaseModel):
    """Query parameters of `submit`. Read here, because the framework takes 70 µs for them even where there are none."""

    service: Annotated[str | None, Field(max_length=255)] = None
    case_id: Annotated[str | None, Field(alias="caseId", pattern=CASE_ID)] = None
    kind: Kind | None = None


_PARAMETERS = tuple(field.alias or name for name, field in Parameters.model_fields.items())


@dataclass(frozen=True, slots=True)
class Order:
    """What a request says about itself, beside its body. kind: None = it does not say."""

    service: str | None
    case_id: str | None
    kind: Kind | None
    key: str | None
    traceparent: str | None


@router.post("/v1/submissions", **openapi.SUBMIT)
async def submit(request: Request) -> Response:
    """Hand in one application. Answers 202 after it is on disk; with `Prefer: wait=N` 200 if delivered in time."""
    api = api_of(request)
    client = await api.portal(request)
    boundary = boundary_of(request.headers.get("content-type", ""))
    order = _order(request)
    await api.backlog.check()
    async with api.alone(client, order.key):
        submission_id = new_id()
        content = api.gateway.store.new_content(submission_id)
        submission, service_name = await _receive(api, request.receive, client, order, boundary, content)
        duplicate_of = None if order.key else await _suspected_duplicate(api, submission)
        accepted = await api.way.accept(api.gateway, submission, content)
    api.gateway.metrics.kept(service_name, "rest", accepted.status)
    headers = {"Location": f"/v1/submissions/{accepted.submission_id}"}
    if (seconds := _wait_preference(request)) is not None:
        headers["Preference-Applied"] = f"wait={seconds}"
        view = await _wait_until_final(api, accepted.submission_id, seconds)
        if all_delivered(view):
            return json_response(status_document(view), headers=headers)
    return json_response(accepted_document(accepted, duplicate_of=duplicate_of), status=202, headers=headers)


@router.get("/v1/submissions/{submission_id}", dependencies=[DECLARED_ONLY], **openapi.STATUS)
async def status(request: Request, submission_id: str) -> Response:
    """What became of a submission: of one's own, or of one's own department's."""
    api = api_of(request)
    client = await api.client(request)
    return json_response(status_document(await visible(api, client, submission_id)))


@router.get("/v1/submissions", dependencies=[DECLARED_ONLY], **openapi.MATTER)
async def matter(request: Request, case_id: Annotated[str, Query(alias="caseId", pattern=CASE_ID)]) -> Response:
    """Everything that belongs to one matter, as far as it is visible to the caller."""
    api = api_of(request)
    client = await api.client(request)
    views = await asyncio.to_thread(api.gateway.store.matter, case_id)
    seen = [status_document(view) for view in views if may_see(client, view)]
    if not seen:
        raise refused("not_found")
    return json_response({"caseId": case_id, "submissions": seen})


def may_see(client: Client, view: SubmissionView) -> bool:
    if client.kind == "portal":
        return view.client == client.name
    return view.department == client.department


async def visible(api: Api, client: Client, submission_id: str) -> SubmissionView:
    """Raises Refused 404 for what does not exist and for what is not the client's: both look the same."""
    try:
        identifier = str(UUID(submission_id))
    except ValueError:
        raise refused("not_found") from None
    view = await asyncio.to_thread(api.gateway.store.view, identifier)
    if not may_see(client, view):
        raise refused("not_found")
    return view


# ---------------------------------------------------------------------------------------------- inside `submit`


def _order(request: Request) -> Order:
    parameters = _parameters(request)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise refused("content_encoding_unsupported", path="Content-Encoding")
    key = request.headers.get("idempotency-key")
    if key is not None:
        key = key.strip('"')  # the draft standard quotes it, many senders do not
        if not _KEY.fullmatch(key):
            raise refused("parameter_invalid", path="Idempotency-Key", allowed="1…255 visible ASCII characters")
    if parameters.case_id is None and parameters.kind not in (None, "new"):
        raise refused("parameter_missing", path="caseId", allowed="kind=new")
    traceparent = request.headers.get("traceparent", "")
    return Order(
        parameters.service,
        parameters.case_id,
        parameters.kind,
        key,
        traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
    )


def _parameters(request: Request) -> Parameters:
    if not request.scope["query_string"]:
        return Parameters()
    check_names(request, _PARAMETERS)
    try:
        return Parameters.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise refusal_of(error.errors(include_input=False, include_url=False)) from None


async def _receive(
    api: Api, receive: Receive, client: Client, order: Order, boundary: bytes, content: ContentWriter
) -> tuple[Submission, str]:
    """Read the body and make a submission of it; nothing of the content is kept if that fails."""
    try:
        reception = Reception(content, api.gateway.settings.limits)
        await _read_body(receive, MultipartReader(boundary, reception))
        received = reception.finish()
        if order.case_id is not None:
            await _check_case(api, client, order.case_id)
        return _submission(api, client, order, received, content.submission_id)
    except BaseException:
        content.discard()
        raise


async def _read_body(receive: Receive, reader: MultipartReader) -> None:
    """Raises Refused for a malformed body, ClientDisconnect when the sender goes away."""
    pending = bytearray()
    batches, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pending += message.get("body", b"")
        more = message.get("more_body", False)
        if not more and not batches and len(pending) <= BATCH_BYTES:
            reader.feed(bytes(pending))
        elif not more or len(pending) >= BATCH_BYTES:
            await asyncio.to_thread(reader.feed, bytes(pending))
            pending.clear()
            batches += 1
    reader.finish()


async def _check_case(api: Api, client: Client, case_id: str) -> None:
    """Only to a matter of their own may somebody add: else they could put something into a stranger's."""
    if not await asyncio.to_thread(api.gateway.store.matter, case_id, client=client.name):
        raise refused("case_unknown", path="caseId")


def _submission(
    api: Api, client: Client, order: Order, received: Received, submission_id: str
) -> tuple[Submission, str]:
    metadata = received.metadata
    received_at = api.gateway.clock()
    identifier = order.service or metadata.service_identifier
    service, accepts = api.gateway.packages.find_service(
        schema_uri=metadata.schema_uri,
        identifier=identifier,
        channel="rest",
        client=client,
        today=received_at.date(),
    )
    if not open_to(client, [service]):
        own = open_to(client, api.gateway.packages.services.values())
        raise refused("service_not_allowed", path="service", allowed=identifiers_of(own))
    kind = order.kind or kind_in_matter(accepts, order.case_id)
    submission = Submission(
        submission_id=submission_id,
        channel="rest",
        client=client.name,
        inbox_key=order.key,
        received_at=received_at,
        schema_uri=metadata.schema_uri,
        media_type=metadata.media_type,
        data=received.data,
        metadata=metadata.value,
        metadata_version=metadata.version,
        digest=content_digest(received, service=service.name, kind=kind, case_id=order.case_id),
        service_identifier=identifier,
        case_id=order.case_id,
        kind=kind,
        attachments=received.attachments,
        parts=received.parts,
        traceparent=order.traceparent,
    )
    return submission, service.name


def kind_in_matter(accepts: Accepts, case_id: str | None) -> Kind:
    """What the package says of its message; of others, the first of a matter is new, each later one a supplement."""
    return accepts.kind or ("new" if case_id is None else "supplement")


async def _suspected_duplicate(api: Api, submission: Submission) -> str | None:
    """The id of an earlier submission with the same content, sent without a key a short time ago."""
    since = submission.received_at - timedelta(seconds=api.gateway.settings.duplicate_window_seconds)
    return await asyncio.to_thread(api.gateway.store.suspected_duplicate, submission.client, submission.digest, since)


def _wait_preference(request: Request) -> int | None:
    """Seconds of `Prefer: wait` (RFC 7240 §4.3), at most 30; None without."""
    match = _WAIT.search(",".join(request.headers.getlist("prefer")).lower())
    return min(int(match[1]), LONGEST_WAIT_SECONDS) if match else None


async def _wait_until_final(api: Api, submission_id: str, seconds: float) -> SubmissionView:
    until = time.monotonic() + seconds
    pause, longest = _POLL_SECONDS
    while True:
        view = await asyncio.to_thread(api.gateway.store.view, submission_id)
        left = until - time.monotonic()
        if view.final or left <= 0:
            return view
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)
