"""The normalised case: one JSON form for all services, described by `case.schema.json` beside this file.

A mapping makes the parts that depend on the service (`applicants`, `parties`, `data` …); the envelope (who, when, which
standard, which attachments) is filled by the gateway here, so that no mapping can falsify a legal fact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.submission import Checked, Submission

CASE_SCHEMA_VERSION = "1.0.0"


def envelope(submission: Submission, checked: Checked, *, package_version: str) -> dict[str, Any]:
    """The part of a case that the gateway itself vouches for. All times RFC 3339 in UTC."""
    return {
        "schemaVersion": CASE_SCHEMA_VERSION,
        "submissionId": submission.submission_id,
        "caseId": submission.case_id,
        "service": {"name": checked.service, "identifier": submission.service_identifier},
        "kind": submission.kind,
        "receivedAt": submission.received_at.isoformat().replace("+00:00", "Z"),
        "test": checked.test,
        "provenance": {
            "channel": submission.channel,
            "sender": submission.client,
            "standard": checked.standard,
            "message": checked.message,
            "schemaUri": submission.schema_uri,
            "valid": checked.valid,
            "packageVersion": package_version,
            "dataSha512": next((p.sha512 for p in submission.parts if p.name == "data"), None),
            **_findings(checked),
        },
        "attachments": [
            {
                "attachmentId": a.attachment_id,
                "filename": a.filename,
                "mediaType": a.media_type,
                "purpose": a.purpose,
                "size": a.part.size,
                "sha512": a.part.sha512,
            }
            for a in submission.attachments
        ],
    }


def _findings(checked: Checked) -> dict[str, Any]:
    """What the department should know about data that is delivered although it is not valid; no values."""
    told = [
        {"code": f.code, "severity": f.severity, "path": f.path, "text": f.text.as_dict()} for f in checked.findings
    ]
    return {"findings": told} if told else {}


@cache
def case_schema() -> Mapping[str, Any]:
    """The published JSON Schema (draft 2020-12) of a case."""
    schema: Mapping[str, Any] = json.loads(files("gateway").joinpath("case.schema.json").read_text(encoding="utf-8"))
    return schema
