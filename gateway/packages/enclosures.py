"""What the gateway itself can enclose with a request, beside the attachments of a case: the message as it came, and a
proof of its receipt. Requests name them like attachments: `{"$attachment": message}`, `{"$attachment": receipt}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.base import RequestAttachment
from adapters.content import MARKER
from gateway.mapping.language import CompiledMapping, Const, Object, parts

MESSAGE = "message"
RECEIPT = "receipt"
"""Attachments of a case are named by UUIDs, so these are never one of them."""

_BERLIN = ZoneInfo("Europe/Berlin")


def enclosures(case: Mapping[str, Any], data: bytes, media_type: str) -> list[RequestAttachment]:
    """data, media_type: of the message."""
    ending = "json" if "json" in media_type else "xml"
    receipt = proof_of_receipt(case, data).encode()
    return [
        _enclosure(MESSAGE, f"antrag.{ending}", media_type, data),
        _enclosure(RECEIPT, "eingangsnachweis.txt", "text/plain; charset=utf-8", receipt),
    ]


def proof_of_receipt(case: Mapping[str, Any], data: bytes) -> str:
    """What was received when, from whom, in German, for the file: the same text at every attempt."""
    received = datetime.fromisoformat(case["receivedAt"]).astimezone(_BERLIN)
    provenance = case["provenance"]
    lines = {
        "Eingang": case["submissionId"],
        "Vorgang": case["caseId"],
        "Leistung": case["service"]["name"],
        "Eingegangen am": f"{received:%d.%m.%Y um %H:%M:%S Uhr} ({received.tzname()})",
        "Kanal": provenance["channel"],
        "Absender": provenance["sender"],
        "Standard": f"{provenance['standard']}, {provenance['message']}",
        "Entspricht dem Standard": {True: "ja", False: "nein"}.get(provenance["valid"], "nicht geprüft"),
        "Nachricht": f"{len(data)} Byte, SHA-512 {hashlib.sha512(data).hexdigest()}",
    }
    told = [f"{name}: {value}" for name, value in lines.items() if value]
    told += [
        f"Anlage {number}: {one['filename']} ({one['mediaType']}), {one['size']} Byte, SHA-512 {one['sha512']}"
        for number, one in enumerate(case["attachments"], 1)
    ]
    return "\n".join(["Eingangsnachweis", "", *told, ""])


def encloses(mapping: CompiledMapping, what: str) -> bool:
    return any(what in _constants(template) for template in parts(mapping.root))


def _constants(template: Any) -> Iterator[Any]:
    if isinstance(template, Object) and isinstance(marker := template.members.get(MARKER), Const):
        yield marker.value


def _enclosure(identifier: str, filename: str, media_type: str, data: bytes) -> RequestAttachment:
    digest = hashlib.sha512(data).hexdigest()
    return RequestAttachment(identifier, filename, media_type, len(data), digest, lambda: iter((data,)))
