"""What a service takes as attachments."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.attachments import kinds

DEFAULT_ALLOWED = (
    kinds.PDF,
    kinds.JPEG,
    kinds.PNG,
    kinds.TIFF,
    kinds.XML,
    kinds.JSON,
    kinds.TEXT,
    "text/csv",
    kinds.DOCX,
    kinds.XLSX,
    kinds.ODT,
    kinds.ODS,
)
"""What authorities commonly can open and keep. PDF/A is PDF; whether a file conforms to PDF/A is not looked at."""


@dataclass(frozen=True, slots=True)
class AttachmentRules:
    """allow: media types, normalised. max_bytes: of one attachment; max_count: None = the installation's limits."""

    allow: tuple[str, ...] = DEFAULT_ALLOWED
    max_bytes: int | None = None
    max_count: int | None = None
