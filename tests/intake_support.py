"""A real gateway on SQLite with the shipped dog tax, and a sender that can do everything wrong on purpose."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from starlette.testclient import TestClient

from gateway import pipeline
from gateway.api.app import create_app
from gateway.delivery import Delivered
from gateway.services import Client
from gateway.settings import Limits, Settings
from gateway.store import AttemptStart, Claimed
from gateway.wiring import Gateway, open_gateway

ROOT = Path(__file__).resolve().parent.parent
SERVICE = "hundesteuer-anmeldung"
SCHEMA = "fim:S99000000001V1.0.0"
LEIKA = "urn:de:fim:leika:leistung:99000000000001"
SAMPLES = ROOT / "services" / SERVICE / "samples"
METADATA_2_1 = "https://schema.fitko.de/fit-connect/metadata/2.1.0/metadata.schema.json"
BOUNDARY = "7d3-boundary"
CANARY = "Kanarienvogel-4711"
"""Stands wherever a citizen's data could stand; must never come back in an error, nor into a log."""

LIMITS = Limits(
    body_bytes=6_000_000,
    data_bytes=1_500_000,
    metadata_bytes=20_000,
    attachment_bytes=2_000_000,
    attachments=5,
    header_bytes=8_000,
    headers=40,
    header_seconds=0.4,
    body_idle_seconds=0.4,
    connections=20,
)


@dataclass(frozen=True)
class PartOf:
    """One part of a body as it goes over the wire."""

    name: str
    content: bytes
    media_type: str | None = None
    filename: str | None = None
    headers: Sequence[str] = ()

    def encode(self) -> bytes:
        disposition = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            disposition += f'; filename="{self.filename}"'
        lines = [disposition, *([f"Content-Type: {self.media_type}"] if self.media_type else ()), *self.headers]
        return f"--{BOUNDARY}\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n\r\n" + self.content + b"\r\n"


PDF = b"%PDF-1.7\n"
PNG = b"\x89PNG\r\n\x1a\n"
"""How files of these kinds begin: what is sent as one must look like one."""


@dataclass(frozen=True)
class File:
    """An attachment with the id and name it is announced by."""

    content: bytes
    filename: str | None = "beleg.pdf"
    media_type: str = "application/pdf"
    identifier: str = field(default_factory=lambda: str(uuid4()))


def sha512(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()


def metadata(data: bytes, media_type: str, files: Sequence[File] = (), **changes: Any) -> dict[str, Any]:
    """FIT-Connect metadata 2.1.0 that fit. changes: members of `contentStructure` or of the whole, replaced."""
    structure: dict[str, Any] = {
        "data": {
            "hash": {"type": "sha512", "content": sha512(data)},
            "submissionSchema": {"schemaUri": changes.pop("schema_uri", SCHEMA), "mimeType": media_type},
        },
        "attachments": [
            {
                "attachmentId": file.identifier,
                "purpose": "attachment",
                "mimeType": file.media_type,
                "hash": {"type": "sha512", "content": sha512(file.content)},
                **({"filename": file.filename} if file.filename is not None else {}),
            }
            for file in files
        ],
    }
    whole = {
        "$schema": METADATA_2_1,
        "contentStructure": structure,
        "additionalReferenceInfo": {"senderReference": CANARY},
    }
    return {**whole, **changes}


def body(parts: Sequence[PartOf]) -> bytes:
    return b"".join(part.encode() for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def sample(name: str = "one-dog-json") -> tuple[bytes, str]:
    """Exact bytes and media type of a shipped sample."""
    path = next((SAMPLES / name).glob("data.*"))
    return path.read_bytes(), "application/json" if path.suffix == ".json" else "application/xml"


def parts_for(data: bytes, media_type: str, files: Sequence[File] = (), **changes: Any) -> list[PartOf]:
    """The parts of a correct body, metadata first."""
    return [
        PartOf("metadata", json.dumps(metadata(data, media_type, files, **changes)).encode(), "application/json"),
        PartOf("data", data, media_type),
        *(PartOf("attachment", f.content, f.media_type, f.identifier) for f in files),
    ]


@dataclass
class Sender:
    """Talks to the application in this process."""

    http: TestClient
    gateway: Gateway

    def token(self, client_id: str = "demo-portal", **options: Any) -> str:
        assert self.gateway.token_issuer is not None
        return self.gateway.token_issuer.issue(client_id, **options)

    def authorized(self, client_id: str = "demo-portal") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(client_id)}"}

    def post(
        self,
        parts: Sequence[PartOf] | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        client_id: str | None = "demo-portal",
        **params: str,
    ) -> httpx.Response:
        content = parts if isinstance(parts, bytes) else body(parts)
        sent = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            **(self.authorized(client_id) if client_id else {}),
        }
        return self.http.post("/v1/submissions", content=content, headers={**sent, **(headers or {})}, params=params)

    def send(self, name: str = "one-dog-json", *, key: str | None = None, **options: Any) -> httpx.Response:
        data, media_type = sample(name)
        return self.post(parts_for(data, media_type), headers={"Idempotency-Key": key} if key else {}, **options)

    def get(self, path: str, client_id: str = "demo-portal", **params: str) -> httpx.Response:
        return self.http.get(path, headers=self.authorized(client_id), params=params)

    def stored(self) -> dict[str, int]:
        """Rows per table that holds something of a submission, after everything the writer was told before now."""
        self.gateway.store.acquire_lease("test", "test", 1.0).result()
        tables = ("submission", "content_key", "content_part", "content_chunk", "delivery", "outbox")
        with sqlite3.connect(self.gateway.settings.home / "gateway.db") as database:
            return {t: database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Status and problem code; fails where the answer is no problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    return response.status_code, problem["type"].removeprefix("urn:ozg-gateway:problem:")


def open_sender(home: Path, **changes: Any) -> Iterator[Sender]:
    """A fresh gateway without workers: what is accepted stays queued. `narrow` may send for another service only."""
    settings = Settings(home=home, services=[SERVICE], limits=LIMITS, **changes)
    with open_gateway(settings) as gateway:
        gateway.packages = replace(gateway.packages, clients={**gateway.packages.clients, **_more_clients()})
        with TestClient(create_app(gateway, pipeline), client=("127.0.0.1", 40000)) as http:
            yield Sender(http, gateway)


def _more_clients() -> dict[str, Client]:
    issuer = "urn:ozg-gateway:local"
    return {
        "narrow": Client("narrow", "portal", issuer, "narrow", None, ("bauantrag",), None),
        "other": Client("other", "portal", issuer, "other", None, None, None),
        "sealed": Client(
            "sealed", "portal", None, None, hashlib.sha256(b"der of a certificate").hexdigest(), None, None
        ),
    }


def finish_deliveries(gateway: Gateway, submission_id: str) -> None:
    """What workers would do, by hand: every delivery arrives and gets a file number."""
    for delivery in gateway.store.view(submission_id).deliveries:
        claimed = gateway.store.claim(delivery.delivery_id, "test", 60).result()
        assert isinstance(claimed, Claimed)
        attempt = gateway.store.start_attempt(claimed.delivery, AttemptStart("test", "v", "c", "r", False)).result()
        gateway.store.finish(claimed.delivery, attempt, Delivered({"aktenzeichen": "AZ-1"})).result()
