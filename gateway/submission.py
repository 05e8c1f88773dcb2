"""What a portal handed in. Never changed after acceptance. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from xoev_schemas.findings import Finding

Channel = Literal["rest", "fit-connect", "xta"]
Kind = Literal["new", "supplement", "change", "withdraw"]


class SubmissionState(StrEnum):
    HELD = "held"  # waits for something outside: scanner, key, schema
    ACCEPTED = "accepted"
    CLARIFY = "clarify"  # accepted, receipt time kept, waits for a person of the department
    REJECTED = "rejected"  # a record without content
    RETURNED = "returned"
    DISCARDED = "discarded"
    COMPLETED = "completed"  # every delivery ended


@dataclass(frozen=True, slots=True)
class Part:
    """A stored, encrypted part of a submission. `part_id` is the key in the content store; the name is ours, never a
    path.

    name: `data`, `metadata`, `findings`, or `attachment:<attachmentId>`.
    size: bytes of plaintext. sha512: lower-case hex over the exact plaintext bytes as sent.
    """

    part_id: str
    name: str
    media_type: str
    size: int
    sha512: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment as announced by the metadata and received. filename: checked, still the sender's text: data,
    never a path.
    """

    attachment_id: str
    filename: str
    media_type: str
    purpose: str
    part: Part


@dataclass(frozen=True, slots=True)
class Submission:
    """One application as handed in, checked for integrity, not yet judged by its standard.

    submission_id: UUID. inbox_key: the sender's id for this message (REST `Idempotency-Key`), None where it sent none.
    received_at: when the authority could have fetched it, aware UTC: a legal fact, immutable.
    digest: SHA-512 (hex) over service, kind, case id, data and attachments' hashes: what "the same content" means.
    metadata: the parsed FIT-Connect metadata (personal data: reply channel): stored encrypted only.
    data: the exact bytes of the data part.
    """

    submission_id: str
    channel: Channel
    client: str
    inbox_key: str | None
    received_at: datetime
    schema_uri: str
    media_type: str
    data: bytes
    metadata: Mapping[str, Any]
    metadata_version: str
    digest: str
    service_identifier: str | None = None
    case_id: str | None = None
    kind: Kind = "new"
    attachments: Sequence[Attachment] = ()
    parts: Sequence[Part] = ()
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on a submission.

    service: name of the service package. standard, message: what the data is, by the standard (`xoev:xbau/2.6`,
    `baugenehmigung.antrag.0200`).
    valid: by the standard; None = could not tell (no schema). accepted: by this gateway's configuration.
    decision: what `on_invalid` and the findings lead to.
    test: the message says it is a test message.
    """

    service: str
    department: str
    standard: str
    message: str
    valid: bool | None
    decision: Literal["accept", "clarify", "reject", "hold"]
    findings: Sequence[Finding] = field(default_factory=list)
    test: bool = False

    @property
    def accepted(self) -> bool:
        return self.decision in ("accept", "clarify", "hold")
