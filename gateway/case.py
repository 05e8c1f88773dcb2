"""The normalised case: one JSON form for all services, described by `case.schema.json` beside this file.

A mapping makes the parts that depend on the service (`applicants`, `parties`, `data` …); the envelope (who, when, which
standard, which attachments, what the metadata say of payment, reply channel and consent) is filled by the gateway here,
so that no mapping can falsify what the channel vouches for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.submission import Checked, Submission

CASE_SCHEMA_VERSION = "1.1.0"

ENVELOPE = frozenset(
    {
        "schemaVersion",
        "submissionId",
        "caseId",
        "service",
        "kind",
        "receivedAt",
        "test",
        "provenance",
        "attachments",
        "deadlines",
        "references",
        "possiblyTwice",
    }
)
"""Members of a case that the gateway fills itself (here, and in `gateway.preparing`)."""
TOLD_BY_METADATA = frozenset({"payment", "replyChannel", "consent"})
"""Members that it fills from the metadata, where they say something."""


def envelope(
    submission: Submission,
    checked: Checked,
    *,
    package_version: str,
    region: str | None = None,
    deadlines: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The part of a case that the gateway itself vouches for. All times RFC 3339 in UTC.

    region: the only one that the service is for. deadlines: see `gateway.packages.deadlines`.
    """
    return {
        "schemaVersion": CASE_SCHEMA_VERSION,
        "submissionId": submission.submission_id,
        "caseId": submission.case_id,
        "service": {"name": checked.service, "identifier": submission.service_identifier},
        "kind": submission.kind,
        "receivedAt": rfc3339(submission.received_at),
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
        **({"region": region} if region else {}),
        **({"deadlines": deadlines} if deadlines else {}),
        **_told_by_metadata(submission.metadata),
    }


def complete(made: Mapping[str, Any], envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The case of what a mapping made and the envelope. The envelope wins, with one exception and one refinement: a
    region in the message is more exact than the service's; what the metadata leave open about payment and consent, the
    message may say.
    """
    case = {**made, **envelope}
    if "region" in made:
        case["region"] = made["region"]
    for name in _JOINED & made.keys() & envelope.keys():
        case[name] = {**made[name], **envelope[name]}
    return case


_JOINED = frozenset({"payment", "consent"})


def _told_by_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a sender says beside the message (FIT-Connect metadata 1.0 and 2.1). Authentication is not among it: an
    identification report is a signed document of its own; believing it unverified is worse than not reading it.
    """
    told = {
        "payment": _payment(metadata.get("paymentInformation", {})),
        "replyChannel": _reply_channel(metadata.get("replyChannel", {})),
        "consent": _present(
            electronicNotice=metadata.get("additionalReferenceInfo", {}).get("zustimmungZumDigitalenBescheid")
        ),
    }
    return {name: value for name, value in told.items() if value}


def _payment(sent: Mapping[str, Any]) -> dict[str, Any]:
    amount = sent.get("grossAmount")
    return _present(
        transactionId=sent.get("transactionId"),
        transactionReference=sent.get("transactionReference") or None,
        method=sent.get("paymentMethod"),
        status=sent.get("status"),
        paidAt=sent.get("transactionTimestamp"),
        # The metadata name no currency.
        amount={"amount": f"{amount:.2f}", "currency": "EUR"} if amount is not None else None,
    )


_REPLY_CHANNELS = {
    "eMail": ("email", "address"),
    "deMail": ("de-mail", "address"),
    "idBundDeMailbox": ("bundid-mailbox", "mailboxUuid"),
    "elster": ("elster", "accountId"),
    "fink": ("fink", "finkPostfachRef"),
    "fitConnect": ("fit-connect", ""),
}
"""Name in the metadata → type in the case, and the member that says where."""


def _reply_channel(sent: Mapping[str, Any]) -> dict[str, Any]:
    for name, (kind, address) in _REPLY_CHANNELS.items():
        if name in sent:
            return _present(type=kind, address=sent[name].get(address) or None)
    return {}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def rfc3339(moment: datetime) -> str:
    """An aware time in UTC, with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
