"""What is accepted here, and whether a document would be: nothing is stored."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import openapi
from gateway.api.answers import json_response, service_document
from gateway.api.context import Api, api_of
from gateway.api.parameters import DECLARED_ONLY
from gateway.intake.refusals import refused
from gateway.intake.rest import DATA_TYPES
from gateway.judging import judge
from gateway.services import Client, open_to

router = APIRouter(dependencies=[DECLARED_ONLY])


@router.get("/v1/services", **openapi.SERVICES)
async def services(request: Request) -> Response:
    """The services for which the caller may hand something in, and which take something now."""
    api = api_of(request)
    client = await api.portal(request)
    own = open_to(client, api.gateway.packages.services.values())
    return json_response({"services": [service_document(service, api.gateway.settings.limits) for service in own]})


@router.post("/v1/validate", **openapi.VALIDATE)
async def validate(
    request: Request,
    schema: Annotated[
        str | None, Query(max_length=1000, description="Schema to judge by; default: recognised from the data.")
    ] = None,
) -> Response:
    """Judge a document by its standard. Answers 200 with the verdict, also when the document is not valid."""
    api = api_of(request)
    client = await _whoever(api, request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in DATA_TYPES:
        raise refused("content_type_unsupported", path="Content-Type", allowed=", ".join(DATA_TYPES))
    data = await request.body()
    gateway = api.gateway
    verdict = await asyncio.get_running_loop().run_in_executor(
        gateway.check_pool,
        lambda: judge(
            gateway.packages,
            gateway.checker,
            data,
            media_type,
            schema=schema,
            client=client,
            today=gateway.clock().date(),
        ),
    )
    return json_response([verdict.as_dict()])


async def _whoever(api: Api, request: Request) -> Client | None:
    """Who asks; None for nobody, where the operator allows that. Credentials that are sent have to be good."""
    if api.gateway.settings.validate_open and not api.has_credentials(request):
        return None
    return await api.client(request)
