"""REST intake: the parts of one multipart body become a `Submission` (parts in any order, streamed, hashed as sent).

The parts are `metadata` (JSON, once), `data` (XML or JSON, once) and any number of `attachment`. An attachment says
which one it is by its part's `filename`: its attachmentId (preferred, always unambiguous) or its announced file name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from gateway.intake.filenames import is_safe
from gateway.intake.metadata import Announced, Metadata, read_metadata
from gateway.intake.multipart import PartHeader
from gateway.intake.refusals import refused
from gateway.submission import Attachment, Kind, Part
from xoev_schemas.findings import mask

if TYPE_CHECKING:
    from gateway.settings import Limits
    from gateway.store.content import ContentWriter, PartWriter

DATA_TYPES = ("application/xml", "application/json")
_ANY_TYPE = ("", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Received:
    """A whole body whose parts agree with its metadata: every hash equal, every announced attachment there, none
    extra.
    """

    metadata: Metadata
    data: bytes
    parts: Sequence[Part]
    attachments: Sequence[Attachment]


@dataclass(slots=True)
class _Open:
    """The part that is being read. kept: a copy in memory, for the two parts that are parsed."""

    header: PartHeader
    writer: PartWriter
    limit: int
    size: int = 0
    kept: bytearray | None = None


class Reception:
    """Takes the parts of one body (a `PartSink`), then `finish` says what was received. Every method may raise Refused.

    `write` may block while content spills to the database: call from a thread once a body is larger than a few
    hundred KiB.
    """

    def __init__(self, content: ContentWriter, limits: Limits) -> None:
        self._content = content
        self._limits = limits
        self._open: _Open | None = None
        self._metadata: Metadata | None = None
        self._data = b""
        self._single: dict[str, tuple[PartHeader, Part]] = {}
        self._attachments: list[tuple[PartHeader, Part]] = []

    # ------------------------------------------------------------------ the parts, as they come

    def begin(self, header: PartHeader) -> None:
        if header.name == "attachment":
            self._open = self._begin_attachment(header)
        elif header.name in ("metadata", "data"):
            self._open = self._begin_single(header)
        else:
            raise refused("part_unknown", found=mask(header.name), allowed="metadata, data, attachment")

    def write(self, data: bytes) -> None:
        part = self._part()
        part.size += len(data)
        if part.size > part.limit:
            raise refused("body_too_large", path=part.header.name, allowed=f"≤ {part.limit} bytes")
        if part.kept is not None:
            part.kept += data
        part.writer.write(data)

    def end(self) -> None:
        part = self._part()
        stored = part.writer.close()
        self._open = None
        if part.kept is None:
            self._attachments.append((part.header, stored))
            return
        self._single[part.header.name] = (part.header, stored)
        if part.header.name == "metadata":
            self._metadata = read_metadata(bytes(part.kept), json_depth=self._limits.json_depth)
            self._check_count(len(self._metadata.attachments))
        else:
            self._data = bytes(part.kept)

    def finish(self) -> Received:
        """Compare what came with what the metadata announce."""
        for name in ("metadata", "data"):
            if name not in self._single:
                raise refused("part_missing", path=name, allowed="metadata, data, attachment")
        metadata = self._metadata
        assert metadata is not None
        self._check_data(metadata)
        attachments = self._match(metadata)
        parts = [self._single["data"][1], self._single["metadata"][1], *(a.part for a in attachments)]
        return Received(metadata, self._data, parts, attachments)

    # ------------------------------------------------------------------ inside

    def _part(self) -> _Open:
        assert self._open is not None, "the multipart parser gives no data outside a part"
        return self._open

    def _begin_single(self, header: PartHeader) -> _Open:
        if header.name in self._single:
            raise refused("part_duplicate", path=header.name)
        allowed = ("application/json",) if header.name == "metadata" else DATA_TYPES
        if header.media_type not in allowed:
            raise refused("content_type_unsupported", path=header.name, allowed=", ".join(allowed))
        limit = self._limits.metadata_bytes if header.name == "metadata" else self._limits.data_bytes
        writer = self._content.part(header.name, header.media_type)
        return _Open(header, writer, limit, kept=bytearray())

    def _begin_attachment(self, header: PartHeader) -> _Open:
        self._check_count(len(self._attachments) + 1)
        if header.filename is None:
            raise refused("attachment_unannounced", path="attachment", allowed="filename=<attachmentId>")
        if not is_safe(header.filename):
            raise refused("filename_unsafe", path="attachment")
        announced = _find(self._metadata.attachments, header.filename) if self._metadata else None
        if self._metadata is not None and announced is None:
            raise refused("attachment_unannounced", path="attachment", found=mask(header.filename))
        name = self._part_name(announced.attachment_id if announced else header.filename)
        media_type = announced.media_type if announced else header.media_type or "application/octet-stream"
        return _Open(header, self._content.part(name, media_type), self._limits.attachment_bytes)

    def _part_name(self, identifier: str) -> str:
        """`attachment:<id>`. Where the metadata have not come yet and the sender names a file instead, an id of our
        own.
        """
        try:
            name = f"attachment:{UUID(identifier)}"
        except ValueError:
            return f"attachment:{uuid4()}"
        if self._content.has_part(name):
            raise refused("attachment_duplicate", path=name)
        return name

    def _check_count(self, count: int) -> None:
        if count > self._limits.attachments:
            raise refused("body_too_large", path="attachment", allowed=f"≤ {self._limits.attachments} attachments")

    def _check_data(self, metadata: Metadata) -> None:
        header, part = self._single["data"]
        if header.media_type != metadata.media_type:
            raise refused("media_type_mismatch", path="data", found=header.media_type, allowed=metadata.media_type)
        if part.sha512 != metadata.data_sha512:
            raise refused("hash_mismatch", path="data")

    def _match(self, metadata: Metadata) -> list[Attachment]:
        came: dict[str, Attachment] = {}
        for header, part in self._attachments:
            announced = _find(metadata.attachments, header.filename or "")
            if announced is None:
                raise refused("attachment_unannounced", path="attachment", found=mask(header.filename or ""))
            path = f"attachment:{announced.attachment_id}"
            if announced.attachment_id in came:
                raise refused("attachment_duplicate", path=path)
            if header.media_type not in (*_ANY_TYPE, announced.media_type):
                raise refused(
                    "media_type_mismatch", path=path, found=mask(header.media_type), allowed=announced.media_type
                )
            if part.sha512 != announced.sha512:
                raise refused("hash_mismatch", path=path)
            came[announced.attachment_id] = Attachment(
                announced.attachment_id,
                announced.filename,
                announced.media_type,
                announced.purpose,
                part,
            )
        for identifier in metadata.attachments:
            if identifier not in came:
                raise refused("attachment_missing", path=f"attachment:{identifier}")
        return [came[identifier] for identifier in metadata.attachments]


def _find(announced: Mapping[str, Announced], filename: str) -> Announced | None:
    """The attachment that a part's filename means: by its id, else by its announced name if only one has that name."""
    if found := announced.get(filename.lower()):
        return found
    named = [a for a in announced.values() if a.filename == filename]
    return named[0] if len(named) == 1 else None


def content_digest(received: Received, *, service: str, kind: Kind, case_id: str | None) -> str:
    """SHA-512 (hex) of what "the same content" means: service, kind, case id, data and attachments as a set of
    hashes.
    """
    data_part = received.parts[0]
    lines = [service, kind, case_id or "", data_part.sha512, *sorted(a.part.sha512 for a in received.attachments)]
    return hashlib.sha512("\n".join(lines).encode()).hexdigest()
