"""Descriptions of what departments take, made from the case's schema and the packages of an installation: AsyncAPI 3 of
their queue, OpenAPI 3.1 of the addresses where a case is fetched. Pure.

Each service's case is a schema of its own (`case-NAME`): the published one, with `data` as its package says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import yaml

from gateway.api.openapi import ATTACHMENT, CASE, SCHEMAS, SECURITY_SCHEMES
from gateway.case import case_schema
from gateway.services import Service

Document = dict[str, Any]
_REFERENCE = "application/schema+json;version=draft-2020-12"


def asyncapi(services: Iterable[Service]) -> Document:
    """AsyncAPI 3.0 of a department's queue: the message that names a case, and the cases that it can name."""
    folder = files("adapters.amqp")
    document: Document = yaml.safe_load(folder.joinpath("asyncapi.yaml").read_text(encoding="utf-8"))
    event = json.loads(folder.joinpath("case-event.schema.json").read_text(encoding="utf-8"))
    parts = document["components"]
    parts["messages"]["caseReference"]["payload"]["schema"] = event
    parts["schemas"] |= {
        name: {"schemaFormat": _REFERENCE, "schema": schema}
        for name, schema in case_schemas(services, "#/components/schemas/{}/schema").items()
    }
    return document


def openapi(services: Iterable[Service], *, version: str) -> Document:
    """OpenAPI 3.1 of what a department fetches: the case, by service, and its attachments."""
    cases = case_schemas(services, "#/components/schemas/{}")
    of_services = [{"$ref": f"#/components/schemas/{name}"} for name in cases if name != "case"]
    case: Document = json.loads(json.dumps(_operation(CASE)))
    case["responses"]["200"]["content"]["application/json"]["schema"] = {
        "anyOf": of_services or [{"$ref": "#/components/schemas/case"}]
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cases for departments", "version": version, "license": {"name": "EUPL-1.2"}},
        "paths": {
            "/v1/submissions/{submission_id}/case": {"parameters": [_path("submission_id")], "get": case},
            "/v1/submissions/{submission_id}/attachments/{number}": {
                "parameters": [_path("submission_id"), _path("number")],
                "get": _operation(ATTACHMENT),
            },
        },
        "components": {"schemas": {**SCHEMAS, **cases}, "securitySchemes": SECURITY_SCHEMES},
    }


def case_schemas(services: Iterable[Service], at: str) -> dict[str, Document]:
    """`case` and one `case-NAME` for each service. at: where the document has a schema, `{}` for its name."""
    cases = {"case": _placed(case_schema(), at.format("case"))}
    for service in services:
        name = f"case-{service.name}"
        members: Document = {"service": {"properties": {"name": {"const": service.name}}}}
        if service.data_schema is not None:
            members["data"] = _placed(service.data_schema, f"{at.format(name)}/properties/data")
        cases[name] = {"title": service.title, "allOf": [{"$ref": at.format("case")}], "properties": members}
    return cases


def _placed(schema: Mapping[str, Any], at: str) -> Document:
    """The schema as a part of a document: its references start at the document's root, because many tools know no
    schemas within schemas.
    """
    placed: Document = json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{at}/'))
    return {key: value for key, value in placed.items() if key not in ("$schema", "$id")}


def _operation(route: Mapping[str, Any]) -> Document:
    """A route's arguments for its decorator as an operation."""
    answers = {str(status): answer for status, answer in route["responses"].items() if answer}
    named = {"operationId": route["operation_id"], "tags": route["tags"], "responses": answers}
    return {**named, **route["openapi_extra"]}


def _path(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
