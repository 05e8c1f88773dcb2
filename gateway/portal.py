"""A small portal: sends files the way a form server does. Used by `gateway send`, the demo, benchmarks and tests."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

METADATA_SCHEMA = "https://schema.fitko.de/fit-connect/metadata/2.1.0/metadata.schema.json"
MEDIA_TYPES = {".xml": "application/xml", ".json": "application/json", ".pdf": "application/pdf", ".txt": "text/plain"}


@dataclass(frozen=True, slots=True)
class File:
    """A file to send: its name as announced, its exact bytes, its media type; for an attachment its id and purpose."""

    name: str
    content: bytes
    media_type: str
    attachment_id: str | None = None
    purpose: str = "attachment"

    @classmethod
    def read(cls, path: Path) -> File:
        return cls(path.name, path.read_bytes(), MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream"))

    @property
    def sha512(self) -> str:
        return hashlib.sha512(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said. body: parsed JSON (the acceptance, or a problem document), {} when there was none."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def accepted(self) -> bool:
        return self.status in (200, 202)


def metadata_for(data: File, schema_uri: str, attachments: Mapping[str, File]) -> dict[str, Any]:
    """FIT-Connect metadata 2.1.0 for a data file and attachments by attachment id."""
    return {
        "$schema": METADATA_SCHEMA,
        "contentStructure": {
            "data": {
                "hash": {"type": "sha512", "content": data.sha512},
                "submissionSchema": {"schemaUri": schema_uri, "mimeType": data.media_type},
            },
            "attachments": [
                {
                    "attachmentId": attachment_id,
                    "purpose": file.purpose,
                    "filename": file.name,
                    "mimeType": file.media_type,
                    "hash": {"type": "sha512", "content": file.sha512},
                }
                for attachment_id, file in attachments.items()
            ],
        },
    }


class Portal:
    """A client of one gateway with one token. Thread-safe, keeps its connections; `close()` it."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=timeout)

    def send(
        self,
        data: File,
        schema_uri: str,
        attachments: Sequence[File] = (),
        *,
        key: str | None = None,
        service: str | None = None,
        case_id: str | None = None,
        kind: str | None = None,
        wait: int | None = None,
    ) -> Answer:
        """POST /v1/submissions. key: Idempotency-Key; a random one when None. Raises httpx.TransportError."""
        by_id = {file.attachment_id or str(uuid.uuid4()): file for file in attachments}
        parts: list[tuple[str, tuple[str | None, bytes, str]]] = [
            ("metadata", (None, json.dumps(metadata_for(data, schema_uri, by_id)).encode(), "application/json")),
            ("data", (None, data.content, data.media_type)),
        ]
        parts += [("attachment", (attachment_id, f.content, f.media_type)) for attachment_id, f in by_id.items()]
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        params = {k: v for k, v in (("service", service), ("caseId", case_id), ("kind", kind)) if v}
        return _answer(self._client.post("/v1/submissions", files=parts, headers=headers, params=params))

    def status(self, submission_id: str) -> Answer:
        return _answer(self._client.get(f"/v1/submissions/{submission_id}"))

    def close(self) -> None:
        self._client.close()


def _answer(response: httpx.Response) -> Answer:
    try:
        body = response.json()
    except ValueError:
        body = {}
    return Answer(response.status_code, body, dict(response.headers))
