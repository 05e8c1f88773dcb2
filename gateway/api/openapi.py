"""The description of the interface (OpenAPI 3.1): what each route takes and answers, as arguments for its decorator.

Every error is a problem document; the codes are those of `gateway.intake.refusals` and those of the check (422).
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from gateway.api.problems import MEDIA_TYPE
from gateway.intake.refusals import REFUSALS
from gateway.metrics import CONTENT_TYPE

Description = dict[str, Any]


def _ref(name: str) -> Description:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: Description, headers: Description | None = None) -> Description:
    answer: Description = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**answer, "headers": headers} if headers else answer


_PROBLEM: Description = {"content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}
_STRING: Description = {"type": "string"}
_LOCATION: Description = {"Location": {"schema": _STRING, "description": "Where to ask what became of it."}}
_BEARER: list[Description] = [{"bearer": []}, {"certificate": []}]


def _problems(*statuses: int) -> dict[int | str, Description]:
    described: dict[int | str, Description] = {}
    for status in (*statuses, 431, 500):
        codes = sorted(code for code, refusal in REFUSALS.items() if refusal.status == status)
        described[status] = {"description": f"Refused: {', '.join(codes) or 'not_valid and others'}", **_PROBLEM}
    # Without it the library would describe an answer of its own for wrong parameters (422), which is never given.
    described["default"] = {}
    return described


def _route(
    name: str, tag: str, answers: dict[int | str, Description], *statuses: int, status: int = 200, **extra: Any
) -> dict[str, Any]:
    public = extra.pop("public", False)
    operation = {**({} if public else {"security": _BEARER}), **extra}
    return {
        "operation_id": name,
        "tags": [tag],
        "status_code": status,
        "response_class": Response,
        "responses": {**_problems(*statuses), **answers},
        "openapi_extra": operation,
    }


_MULTIPART: Description = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["metadata", "data"],
                "properties": {
                    "metadata": {
                        "type": "string",
                        "description": "FIT-Connect metadata 2.1 or 1.0, as JSON; hashes are over exact bytes.",
                    },
                    "data": {"type": "string", "description": "The application, XML or JSON, as the metadata say."},
                    "attachment": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "description": "`filename` of each part: its attachmentId, or its announced name.",
                    },
                },
            },
            "encoding": {
                "metadata": {"contentType": "application/json"},
                "data": {"contentType": "application/xml, application/json"},
            },
        }
    },
}


def _header(name: str, description: str, pattern: str | None = None) -> Description:
    schema = {**_STRING, "pattern": pattern} if pattern else _STRING
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _query(name: str, description: str, **schema: Any) -> Description:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {**_STRING, **schema}}


SUBMIT = _route(
    "submit",
    "portals",
    {
        200: _json("Delivered in time (only with `Prefer: wait`).", _ref("Status"), _LOCATION),
        202: _json("Accepted and on disk.", _ref("Accepted"), _LOCATION),
    },
    *(400, 401, 403, 408, 409, 413, 415, 422, 503),
    status=202,
    requestBody=_MULTIPART,
    parameters=[
        _query("service", "Identifier (URN) of the service, where metadata 2.1 no longer carry it.", maxLength=255),
        _query("caseId", "The matter this belongs to, as an earlier answer named it.", pattern="^[A-Za-z0-9-]{1,64}$"),
        _query(
            "kind",
            "Default `new`, with a caseId `supplement`. All others need a caseId.",
            enum=["new", "supplement", "change", "withdraw"],
        ),
        _header(
            "Idempotency-Key", "Same key, same content: same answer. A UUID is a good key.", r"^[\x21-\x7e]{1,255}$"
        ),
        _header("Prefer", "`wait=N`: answer after at most N seconds (30) with the outcome."),
    ],
)
STATUS = _route("status", "portals", {200: _json("What became of it.", _ref("Status"))}, 401, 403, 404)
MATTER = _route("matter", "portals", {200: _json("Everything of one matter.", _ref("Matter"))}, 400, 401, 403, 404)
PROOF = _route(
    "proof", "portals", {200: _json("That it was accepted, sealed and signed.", _ref("Proof"))}, 401, 403, 404, 409
)
AUDIT_KEYS = _route(
    "auditKeys", "portals", {200: _json("Public keys of the seals (RFC 7517).", _ref("AuditKeys"))}, public=True
)
SERVICES = _route("services", "portals", {200: _json("What the caller may hand in.", _ref("Services"))}, 401, 403)
VALIDATE = _route(
    "validate",
    "portals",
    {
        200: _json(
            "The verdict: one element, also when the document is not valid. Nothing is stored.",
            {"type": "array", "items": _ref("Verdict"), "minItems": 1, "maxItems": 1},
        )
    },
    *(400, 401, 403, 408, 413, 415),
    # The empty alternative: no account, where the operators set `validate_open`.
    security=[*_BEARER, {}],
    requestBody={
        "required": True,
        "description": "One document, as it would be sent as the part `data`.",
        "content": {t: {"schema": _STRING} for t in ("application/xml", "application/json")},
    },
)
CASE = _route(
    "case",
    "departments",
    {200: _json("The case (`case.schema.json`).", {"type": "object"})},
    *(401, 403, 404, 409, 410, 422),
)
ATTACHMENT = _route(
    "attachment",
    "departments",
    {200: {"description": "The exact bytes.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
    *(400, 401, 403, 404, 409, 410),
)
LIVE = _route("live", "operation", {200: _json("Up.", _ref("Health"))}, public=True)
READY = _route(
    "ready",
    "operation",
    {200: _json("Accepts submissions.", _ref("Health")), 503: _json("Does not.", _ref("Health"))},
    public=True,
)
METRICS = _route(
    "metrics",
    "operation",
    {200: {"description": "Metrics.", "content": {CONTENT_TYPE: {"schema": _STRING}}}},
    public=True,
)
JWKS = _route("jwks", "tokens", {200: _json("The key set (RFC 7517).", {"type": "object"})}, 404, public=True)
TOKEN = _route(
    "token",
    "tokens",
    {
        200: _json("A token.", _ref("Token")),
        400: _json("Not understood (RFC 6749 §5.2).", _ref("OAuthError")),
        401: _json("Wrong client or secret.", _ref("OAuthError")),
    },
    *(404, 413, 415, 429),
    public=True,
    requestBody={
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_id": _STRING,
                        "client_secret": _STRING,
                    },
                }
            }
        },
    },
)


def _object(required: str, **properties: Any) -> Description:
    return {"type": "object", "required": required.split(), "properties": properties}


_NULLABLE: Description = {"type": ["string", "null"]}
_TIME: Description = {"type": "string", "format": "date-time"}
_ID: Description = {"type": "string", "format": "uuid"}
_FINDINGS: Description = {"type": "array", "items": _ref("Finding")}

SCHEMAS: Description = {
    "Text": _object("de en", de=_STRING, en=_STRING),
    "Finding": _object(
        "code severity layer path text remedy",
        code={**_STRING, "description": "Stable; see docs/reference/findings.md and problem-codes.md."},
        severity={"enum": ["error", "warning", "info"]},
        layer={"enum": ["parse", "schema", "codelist", "schematron", "convention", "service", "attachment"]},
        path={
            **_STRING,
            "description": "Where: XPath (local names, positions), JSON pointer, or the name of a part, parameter or "
            "header field. A name that may hold personal data is `*`.",
        },
        line={"type": ["integer", "null"]},
        column={"type": ["integer", "null"]},
        found={**_NULLABLE, "description": "Length and kinds of characters of what stood there, never the value."},
        allowed={**_NULLABLE, "description": "What may stand there."},
        text=_ref("Text"),
        remedy=_ref("Text"),
        source={**_NULLABLE, "description": "Standard and version, or other origin of the rule."},
    ),
    "Problem": _object(
        "type title status instance findings",
        type={"type": "string", "pattern": "^urn:ozg-gateway:problem:[a-z_]+$"},
        title=_STRING,
        status={"type": "integer"},
        instance={"type": "string", "pattern": "^urn:uuid:"},
        findings=_FINDINGS,
    ),
    "AuditKeys": _object("keys", keys={"type": "array", "items": {"type": "object"}}),
    "Proof": _object(
        "format submissionId entries seals keys",
        format={"const": "urn:ozg-gateway:proof:v1"},
        submissionId=_ID,
        entries={
            "type": "array",
            "items": _object(
                "entry leaf",
                entry={**_STRING, "description": "JSON. The hash of this text, in UTF-8, is the data of the leaf."},
                leaf=_object(
                    "seal index path",
                    seal={"type": "integer"},
                    index={"type": "integer"},
                    path={"type": "array", "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
                ),
            ),
        },
        seals={
            "type": "array",
            "items": _object(
                "number statement keyId signature",
                number={"type": "integer"},
                statement={**_STRING, "description": "JSON with `size` and `root`. This text, in UTF-8, is signed."},
                keyId=_STRING,
                signature={**_STRING, "description": "Ed25519 (RFC 8032), base64."},
            ),
        },
        keys={"type": "array", "items": {"type": "object"}},
    ),
    "Accepted": _object(
        "submissionId caseId status receivedAt",
        submissionId=_ID,
        caseId=_STRING,
        status={"enum": ["accepted", "clarify", "held"]},
        receivedAt=_TIME,
        findings=_FINDINGS,
        suspectedDuplicateOf=_ID,
    ),
    "Delivery": _object(
        "deliveryId target status references attempts",
        deliveryId=_ID,
        target=_STRING,
        status={
            "enum": [
                "queued",
                "delivering",
                "waiting",
                "unknown",
                "delivered",
                "skipped",
                "dead",
                "returned",
                "discarded",
            ]
        },
        references={"type": "object", "additionalProperties": _STRING},
        attempts={"type": "integer", "minimum": 0},
        behind={**_ID, "description": "It waits until this earlier submission of the matter is delivered."},
    ),
    "Status": _object(
        "submissionId caseId status final nextActor receivedAt deliveries replies",
        submissionId=_ID,
        caseId=_STRING,
        status={"enum": ["held", "accepted", "clarify", "rejected", "returned", "discarded", "completed"]},
        final={"type": "boolean"},
        nextActor={"enum": ["gateway", "operator", "department", "portal", "nobody"]},
        receivedAt=_TIME,
        deliveries={"type": "array", "items": _ref("Delivery")},
        replies={"type": "array", "items": {"type": "object"}},
        possiblyTwice={
            "type": "array",
            "description": "Other submissions that may be the same application; all are delivered.",
            "items": _object("submissionId why", submissionId=_ID, why={"enum": ["person", "content", "reference"]}),
        },
    ),
    "Matter": _object("caseId submissions", caseId=_STRING, submissions={"type": "array", "items": _ref("Status")}),
    "Service": _object(
        "name title identifiers schemas onInvalid attachments",
        name=_STRING,
        title=_STRING,
        identifiers={"type": "array", "items": _STRING},
        schemas={"type": "array", "items": _object("schema from", schema=_STRING, **{"from": _NULLABLE})},
        onInvalid={"enum": ["reject", "clarify", "deliver_with_findings"]},
        attachments=_object(
            "allow maxBytes maxCount",
            allow={"type": "array", "items": _STRING},
            maxBytes={"type": "integer"},
            maxCount={"type": "integer"},
        ),
    ),
    "Services": _object("services", services={"type": "array", "items": _ref("Service")}),
    "Verdict": _object(
        "file valid accepted standard message findings",
        file={"type": "null", "description": "Set by `gateway validate`, which judges files."},
        valid={
            "type": ["boolean", "null"],
            "description": "The standard's word. null: no schema is installed to judge by; the finding "
            "`schema.not_installed` lists what is.",
        },
        accepted={
            "type": "boolean",
            "description": "This gateway's word: a service open to the caller takes it, because it is valid or because "
            "the service's `onInvalid` takes what is not.",
        },
        standard={**_NULLABLE, "description": "What it was judged by (`fim:…`, `xoev:…`)."},
        message={**_NULLABLE, "description": "Name of the message in the standard."},
        findings={**_FINDINGS, "description": "Everything that is wrong, at once; at most 500 and a note."},
    ),
    "Health": _object(
        "status",
        status={"enum": ["up", "down"]},
        parts={"type": "object", "additionalProperties": {"enum": ["up", "down"]}},
    ),
    "Token": _object(
        "access_token token_type expires_in", access_token=_STRING, token_type=_STRING, expires_in={"type": "integer"}
    ),
    "OAuthError": _object("error", error=_STRING),
}

SECURITY_SCHEMES: Description = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "certificate": {
        "type": "mutualTLS",
        "description": "Ended by a trusted proxy that sets `Client-Cert` (RFC 9440).",
    },
}


def describe(app: FastAPI) -> Description:
    """The whole document of an application built by `create_app`."""
    document: Description = get_openapi(
        title="OZG gateway", version=app.version, description=app.description, routes=app.routes
    )
    for path in document["paths"].values():
        for operation in path.values():
            del operation["responses"]["default"]
    document["components"] = {
        "schemas": SCHEMAS,
        "securitySchemes": SECURITY_SCHEMES,
    }
    return document
