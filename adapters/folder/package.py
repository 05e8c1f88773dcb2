"""What a department finds: a folder named by the delivery's key with the request, its attachments and a manifest."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters import content, paths
from adapters.base import Permanent, Request, RequestAttachment
from adapters.folder.body import Form
from adapters.folder.names import REQUEST, file_names, is_key
from xoev_schemas.documents import JsonDocument, Unreadable, parse

MANIFEST_SCHEMA = "urn:ozg-gateway:schema:folder-manifest:1"
MANIFEST_BYTES = 1024 * 1024
"""A longer one is none of ours."""

Entry = dict[str, Any]
"""A file as the manifest names it: name, mediaType, size (bytes), sha512 (hex); of an attachment its id and the name it
had too.
"""


@dataclass(frozen=True, slots=True)
class Package:
    """attachments: by the names of their files, in the request's order. Their content is read when it is asked for."""

    request: Request
    name: str
    media_type: str
    body: bytes
    attachments: Mapping[str, RequestAttachment]

    def entries(
        self, take: Callable[[str, Iterable[bytes]], object] = lambda _, chunks: deque(chunks, 0)
    ) -> list[Entry]:
        """Hands every file but the manifest to `take`, piece by piece; what the manifest says of them."""
        body = _Counted([self.body])
        take(self.name, body)
        found = [body.entry(self.name, self.media_type)]
        for name, attachment in self.attachments.items():
            pieces = _Counted(attachment.chunks())
            take(name, pieces)
            own = {"attachmentId": attachment.attachment_id, "originalName": attachment.filename}
            found.append(pieces.entry(name, attachment.media_type) | own)
        return found

    def manifest(self, entries: list[Entry]) -> bytes:
        request = self.request
        value: dict[str, Any] = {
            "schema": MANIFEST_SCHEMA,
            "key": request.key,
            "submissionId": request.submission_id,
            "service": request.service,
            "receivedAt": request.received_at,
            "possibleRepeat": request.possible_repeat,
            "test": request.test,
            "request": self.name,
            "files": entries,
        }
        if request.case_id is not None:
            value["caseId"] = request.case_id
        return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


class _Counted:
    """Pieces of a file on their way, and what they were when the last one is through."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._digest = hashlib.sha512()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._digest.update(piece)
            self._size += len(piece)
            yield piece

    def entry(self, name: str, media_type: str) -> Entry:
        return {"name": name, "mediaType": media_type, "size": self._size, "sha512": self._digest.hexdigest()}


def pack(request: Request, form: Form, key: str | None) -> Package:
    """key: where the request carries its own key. Raises Permanent for what cannot be written so."""
    if not is_key(request.key):
        raise Permanent("folder.key_unsafe", failure="contract")
    files = dict(zip(file_names(request.attachments), request.attachments, strict=True))
    names = {attachment.attachment_id: name for name, attachment in files.items()}
    body = content.replace(request.body, request.attachments, lambda attachment: names[attachment.attachment_id])
    if key is not None:
        try:
            body = paths.write(body, key, request.key)
        except ValueError as error:
            raise Permanent("config.path", failure="contract", detail=str(error)) from None
    return Package(request, REQUEST + form.ending, form.media_type, form.write(body), files)


def same(manifest: bytes | None, entries: list[Entry]) -> bool:
    """Whether a manifest that lies there is of the same files. False also when it is unreadable."""
    try:
        document = parse(manifest or b"", "application/json")
    except Unreadable:
        return False
    value = document.value if isinstance(document, JsonDocument) else None
    there = value.get("files") if isinstance(value, Mapping) else None
    return isinstance(there, list) and [_identity(e) for e in there] == [_identity(e) for e in entries]


def _identity(entry: Any) -> tuple[Any, ...]:
    return tuple(entry.get(name) for name in ("name", "size", "sha512")) if isinstance(entry, Mapping) else ()
