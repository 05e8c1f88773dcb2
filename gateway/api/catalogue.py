"""What is accepted here, and whether a document would be: nothing is stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import openapi
from gateway.api.answers import json_response, service_document
from gateway.api.context import Api, api_of
from gateway.intake.refusals import refused
from gateway.intake.rest import DATA_TYPES
from xoev_schemas.documents import Unreadable, parse
from xoev_schemas.findings import has_errors

if TYPE_CHECKING:
    from gateway.services import Client, Service
    from xoev_schemas.registry import SchemaRef

router = APIRouter()


@router.get("/v1/services", **openapi.SERVICES)
async def services(request: Request) -> Response:
    """The services for which the caller may hand something in."""
    api = api_of(request)
    client = await api.portal(request)
    return json_response({"services": [service_document(service) for service in _allowed(api, client)]})


@router.post("/v1/validate", **openapi.VALIDATE)
async def validate(
    request: Request,
    schema: Annotated[
        str | None, Query(max_length=1000, description="Schema to judge by; default: recognised from the data.")
    ] = None,
) -> Response:
    """Judge a document by its standard. Answers 200 with the verdict, also when the document is not valid."""
    api = api_of(request)
    client = await api.client(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in DATA_TYPES:
        raise refused("content_type_unsupported", path="Content-Type", allowed=", ".join(DATA_TYPES))
    data = await request.body()
    loop = asyncio.get_running_loop()
    verdict = await loop.run_in_executor(api.gateway.check_pool, judge, api, client, data, media_type, schema)
    return json_response([verdict])


def judge(api: Api, client: Client, data: bytes, media_type: str, schema: str | None) -> dict[str, Any]:
    """The verdict in the form that `gateway validate` prints. valid: None where there is no schema to judge by."""
    registry = api.gateway.registry
    try:
        document = parse(data, media_type, api.gateway.parse_limits)
    except Unreadable as error:
        return _verdict(False, False, None, None, [f.as_dict() for f in error.findings])
    ref = registry.find(schema) if schema else registry.recognise(document)
    if ref is None:
        return _verdict(None, False, None, None, [])
    judgement = registry.validate(document, ref)
    fine = not has_errors(judgement.findings)
    accepted = any(
        fine or service.on_invalid["rest"] != "reject" for service in _allowed(api, client) if _takes(api, service, ref)
    )
    findings = [finding.as_dict() for finding in judgement.findings]
    return _verdict(judgement.valid, accepted, judgement.standard, judgement.message, findings)


def _allowed(api: Api, client: Client) -> list[Service]:
    every = api.gateway.packages.services.values()
    return [service for service in every if client.services is None or service.name in client.services]


def _takes(api: Api, service: Service, ref: SchemaRef) -> bool:
    return service.inactive is None and any(api.gateway.registry.find(a.schema) == ref for a in service.accepts)


def _verdict(
    valid: bool | None, accepted: bool, standard: str | None, message: str | None, findings: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "file": None,
        "valid": valid,
        "accepted": accepted,
        "standard": standard,
        "message": message,
        "findings": findings,
    }
