"""A request's body on its way out: checked as data against the target's OpenAPI document, then written as JSON, XML,
form or multipart.

The same request gives the same bytes at every attempt: members in the mapping's or the schema's order, and a boundary
that is made from the key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from adapters import content
from adapters.base import Permanent, Request, RequestAttachment
from adapters.http import Streamed
from adapters.multipart import Multipart, Part, file_part, value_part
from adapters.openapi import OpenApiOperation, kind_of, plain
from adapters.rest.xml_body import to_xml

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """path: with its parameters filled in. media_type: with its parameters. data: bytes, or made while sent."""

    path: str
    media_type: str
    data: bytes | Streamed


def write(
    operation: OpenApiOperation | None, path: str, media_type: str | None, request: Request, body: Any
) -> Message:
    """body: the request's, with key and marks in it. operation: None without a description, which checks nothing.

    Raises Permanent: of class `mapping` for a body that does not fit, `contract` for one that cannot be written so.
    """
    path, body = _placed(operation, path, body)
    kind = kind_of(media_type or JSON)
    if kind == "multipart":
        return _multipart(operation, path, request, body)
    whole = content.fill(body, request.attachments, _base64)
    _check(operation, whole)
    if kind == "xml":
        charset = "" if "charset=" in str(media_type).lower() else "; charset=utf-8"
        return Message(path, f"{media_type}{charset}", to_xml(operation, whole))
    if kind == "form":
        return Message(path, str(media_type), urlencode(list(_pairs(operation, whole))).encode())
    return Message(path, media_type or JSON, _json(whole))


def parameters(path: str) -> list[str]:
    """Names in braces: `/vorgaenge/{nummer}?in={akte}` → ["nummer", "akte"]."""
    return [piece.partition("}")[0] for piece in path.split("{")[1:]]


def _placed(operation: OpenApiOperation | None, path: str, body: Any) -> tuple[str, Any]:
    """The path with the request's members of these names in it; in the body they stay where its schema has them."""
    names = parameters(path)
    if not names:
        return path, body
    members = operation.properties(operation.body_schema) if operation is not None else {}
    for name in names:
        value = body.get(name) if isinstance(body, Mapping) else None
        if value is None or value == "" or isinstance(value, dict | list | bool):
            raise Permanent("rest.parameter_missing", failure="mapping", detail=name)
        path = path.replace(f"{{{name}}}", quote(content.as_text(value), safe=""))
    return path, {name: value for name, value in body.items() if name not in names or name in members}


def _check(operation: OpenApiOperation | None, body: Any) -> None:
    if operation is not None and (errors := operation.body_errors(body)):
        raise Permanent("rest.request_invalid", failure="mapping", detail="\n".join(errors))


def _pairs(operation: OpenApiOperation | None, body: Any) -> Iterator[tuple[str, str]]:
    """OpenAPI's default of forms (style `form`): a list is a repeated name, or joined by commas where `explode` is off;
    an object is JSON.
    """
    encoding = operation.encoding if operation is not None else {}
    for name, value in _members(body):
        values = value if isinstance(value, list | tuple) else [value]
        written = [
            content.as_text(v) if not isinstance(v, dict | list) else _json(v).decode() for v in values if v is not None
        ]
        if (encoding.get(name) or {}).get("explode") is False and written:
            written = [",".join(written)]
        yield from ((name, one) for one in written)


def _multipart(operation: OpenApiOperation | None, path: str, request: Request, body: Any) -> Message:
    """One part per member; an attachment named by a member is a file, which is read while it is sent."""
    known = {attachment.attachment_id: attachment for attachment in request.attachments}
    encoding = operation.encoding if operation is not None else {}
    parts: list[Part] = []
    checked: dict[str, Any] = {}
    for name, value in _members(body):
        kind = str((encoding.get(name) or {}).get("contentType") or "")
        listed = isinstance(value, list | tuple)
        files = [one for one in (_file(v, known) for v in (value if listed else [value])) if one is not None]
        if files:  # the document's schema sees a text where the content will be
            parts += [file_part(name, one, kind) for one in files]
            checked[name] = [one.filename for one in files] if listed else files[0].filename
        else:
            checked[name] = content.fill(value, request.attachments, _base64)
            parts += [value_part(name, *one) for one in _values(operation, name, checked[name], kind)]
    _check(operation, checked)
    made = Multipart(parts, request.key)
    return Message(path, made.media_type, made)


def _file(value: Any, known: Mapping[str, RequestAttachment]) -> RequestAttachment | None:
    """The attachment that a marker stands for. Raises Permanent when this target does not get it."""
    if not isinstance(value, Mapping) or set(value) != {content.MARKER}:
        return None
    found = known.get(str(value[content.MARKER]))
    if found is None:
        raise Permanent("request.attachment_unknown", failure="mapping")
    return found


def _values(operation: OpenApiOperation | None, name: str, value: Any, kind: str) -> Iterator[tuple[str, bytes]]:
    """(media type, bytes) of the parts for one member: lists of plain values are several parts, objects are JSON, or
    XML where the document says so.
    """
    for one in value if isinstance(value, list | tuple) else [value]:
        if one is None:
            continue
        if kind_of(kind) == "xml" and isinstance(one, dict):
            schema = operation.properties(operation.body_schema).get(name) if operation is not None else None
            yield kind, to_xml(operation, one, schema)
        elif isinstance(one, dict | list):
            yield kind or JSON, _json(one)
        else:
            yield kind or "text/plain; charset=utf-8", content.as_text(one).encode()


def _members(body: Any) -> Sequence[tuple[str, Any]]:
    if not isinstance(body, Mapping):
        raise Permanent("rest.request_unbuildable", failure="contract", detail="a form is made of named members")
    return list(body.items())


def _json(value: Any) -> bytes:
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
