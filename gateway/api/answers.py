"""The JSON forms of what the interface answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.case import rfc3339
from gateway.store import Accepted, SubmissionView, Twin

if TYPE_CHECKING:
    from gateway.services import Service
    from gateway.settings import Limits


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status_code=status, headers=dict(headers or {}), media_type="application/json")


def accepted_document(accepted: Accepted, *, duplicate_of: str | None) -> dict[str, Any]:
    """Members `findings` and `suspectedDuplicateOf` only where there is something to say."""
    document: dict[str, Any] = {
        "submissionId": accepted.submission_id,
        "caseId": accepted.case_id,
        "status": accepted.status,
        "receivedAt": rfc3339(accepted.received_at),
    }
    if accepted.findings:
        document["findings"] = [finding.as_dict() for finding in accepted.findings]
    if duplicate_of is not None:
        document["suspectedDuplicateOf"] = duplicate_of
    return document


def status_document(view: SubmissionView) -> dict[str, Any]:
    """What became of a submission; no content. behind: the earlier submission that a delivery waits for.

    possiblyTwice: only what came from the same sender; of others' submissions nobody learns here.
    """
    own = [one for one in view.possibly_twice if one.client == view.client]
    return {
        "submissionId": view.submission_id,
        "caseId": view.case_id,
        "status": view.state,
        "final": view.final,
        "nextActor": next_actor(view),
        "receivedAt": rfc3339(view.received_at),
        "deliveries": [
            {
                "deliveryId": delivery.delivery_id,
                "target": delivery.target,
                "status": delivery.state,
                "references": dict(delivery.references),
                "attempts": delivery.attempts,
                **({"behind": delivery.behind} if delivery.behind else {}),
            }
            for delivery in view.deliveries
        ],
        "replies": [],
        **({"possiblyTwice": [twin_document(one) for one in own]} if own else {}),
    }


def twin_document(twin: Twin) -> dict[str, str]:
    """Another submission that may be the same application."""
    return {"submissionId": twin.submission_id, "why": twin.why}


def next_actor(view: SubmissionView) -> str:
    """Who has to do something next: `gateway`, `operator`, `department`, `portal` or `nobody`."""
    if view.state in ("rejected", "returned"):
        return "portal"
    if view.state == "discarded":
        return "nobody"
    if view.state in ("clarify", "completed"):
        return "department"
    return "operator" if any(delivery.state == "dead" for delivery in view.deliveries) else "gateway"


def all_delivered(view: SubmissionView) -> bool:
    states = {delivery.state for delivery in view.deliveries}
    return view.final and "delivered" in states and states <= {"delivered", "skipped"}


def service_document(service: Service, limits: Limits) -> dict[str, Any]:
    """A service that takes submissions now, as a portal sees it. limits: the installation's, where its own are wider.

    onInvalid: what becomes of data that is not valid, when it comes over REST.
    """
    rules = service.attachments
    return {
        "name": service.name,
        "title": service.title,
        "identifiers": list(service.identifiers),
        "schemas": [
            {"schema": accepts.schema, "from": accepts.from_date.isoformat() if accepts.from_date else None}
            for accepts in service.accepts
        ],
        "onInvalid": service.on_invalid["rest"],
        "attachments": {
            "allow": list(rules.allow),
            "maxBytes": min(rules.max_bytes or limits.attachment_bytes, limits.attachment_bytes),
            "maxCount": limits.attachments if rules.max_count is None else min(rules.max_count, limits.attachments),
        },
    }
