"""Bodies as a strict REST system reads them: exactly the media types, names, order and types of its OpenAPI document.

Written apart from what the adapter writes with, so that a fault of one is not hidden by the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from lxml import etree
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.openapi import OpenApiOperation, kind_of
from xoev_schemas.documents import JsonDocument, Unreadable, XmlDocument, parse

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks


class Malformed(Exception):
    """Not what the media type says, or not what the document describes."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file part as it came."""

    filename: str
    media_type: str
    content: bytes


def read_body(operation: OpenApiOperation, content_type: str, data: bytes) -> tuple[Any, Any]:
    """(what the schema judges, what is kept): the same but for files, which the schema sees by their names. Raises
    Malformed.
    """
    kind = kind_of(content_type)
    if kind == "multipart":
        kept = _multipart(operation, content_type, data)
        return _by_name(kept), kept
    if kind == "form":
        read: Any = _form(operation, data)
    else:
        try:
            document = parse(data, content_type)
        except Unreadable as error:
            raise Malformed(str(error)) from None
        if isinstance(document, XmlDocument):
            read = _xml(operation, document.root)
        else:
            assert isinstance(document, JsonDocument)
            read = document.value
    return read, read


def _by_name(value: Any) -> Any:
    if isinstance(value, SentFile):
        return value.filename
    if isinstance(value, dict):
        return {name: _by_name(member) for name, member in value.items()}
    return [_by_name(item) for item in value] if isinstance(value, list) else value


# --- Forms ------------------------------------------------------------------------------------------------------------


def _form(operation: OpenApiOperation, data: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise Malformed("not a form") from error
    read: dict[str, Any] = {}
    for name, text in pairs:
        _add(operation, read, name, partial(_typed_text, operation, text))
    return read


def _multipart(operation: OpenApiOperation, content_type: str, data: bytes) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for headers, content in _parts(content_type, data):
        kind, given = parse_options_header(headers.get("content-disposition", ""))
        name = given.get(b"name")
        if kind != b"form-data" or name is None:
            raise Malformed("a part without a name")
        filename, media_type = given.get(b"filename"), headers.get("content-type", "text/plain")
        _add(operation, read, name.decode(), partial(_part, operation, filename, media_type, content))
    return read


def _parts(content_type: str, data: bytes) -> list[tuple[dict[str, str], bytes]]:
    """(header fields by names in lower case, content) of each part. Raises Malformed."""
    parts: list[tuple[dict[str, str], bytearray]] = []
    field, value = bytearray(), bytearray()

    def header_ended() -> None:
        parts[-1][0][field.decode("latin-1").lower()] = value.decode("latin-1")  # as `parse_options_header` wants it
        field.clear()
        value.clear()

    callbacks: MultipartCallbacks = {
        "on_part_begin": lambda: parts.append(({}, bytearray())),
        "on_header_field": lambda piece, start, end: field.extend(piece[start:end]),
        "on_header_value": lambda piece, start, end: value.extend(piece[start:end]),
        "on_header_end": header_ended,
        "on_part_data": lambda piece, start, end: parts[-1][1].extend(piece[start:end]),
    }
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(data)
        parser.finalize()
    except FormParserError as error:
        raise Malformed("not multipart") from error
    return [(headers, bytes(content)) for headers, content in parts]


def _part(operation: OpenApiOperation, filename: bytes | None, media_type: str, content: bytes, schema: Any) -> Any:
    if filename is not None:
        return SentFile(filename.decode(), media_type, content)
    try:
        if kind_of(media_type) == "json":
            return json.loads(content)
        if kind_of(media_type) == "xml":
            return _xml(operation, etree.fromstring(content), schema)
    except (ValueError, etree.XMLSyntaxError) as error:
        raise Malformed("a part is not what its media type says") from error
    return _typed(operation, schema, content.decode())


def _add(operation: OpenApiOperation, read: dict[str, Any], name: str, value: Any) -> None:
    """value: schema → value. A name of a list may stand more than once, any other only once."""
    schema = operation.resolve(operation.properties(operation.body_schema).get(name)) or {}
    if schema.get("type") == "array":
        read.setdefault(name, []).append(value(schema.get("items")))
    elif name in read:
        raise Malformed(f"{name} stands twice")
    else:
        read[name] = value(schema)


# --- XML --------------------------------------------------------------------------------------------------------------


def _xml(operation: OpenApiOperation, root: etree._Element, schema: Any = None) -> Any:
    schema = operation.body_schema if schema is None else schema
    words = (operation.resolve(schema) or {}).get("xml") or {}
    name = words.get("name") or str(schema.get("$ref", "")).rpartition("/")[2]
    if name and root.tag != _tag(words, name, None):
        raise Malformed(f"the root is not {name}")
    return _element(operation, schema, root, words.get("namespace") if not words.get("prefix") else None)


def _element(operation: OpenApiOperation, schema: Any, element: etree._Element, inherited: str | None) -> Any:
    members = operation.properties(schema)
    if not members:
        return _typed(operation, schema, element.text or "")
    read: dict[str, Any] = {}
    attributes = {str(name): str(value) for name, value in element.attrib.items()}
    children = list(element)
    for name, member in members.items():  # in the schema's order, and nothing else
        inner = operation.resolve(member) or {}
        words = inner.get("xml") or {}
        if words.get("attribute"):
            if (text := attributes.pop(_tag(words, name, None), None)) is not None:
                read[name] = _typed(operation, inner, text)
        elif found := list(_children(operation, name, inner, children, inherited)):
            read[name] = found if inner.get("type") == "array" else found[0]
    if children or attributes:
        raise Malformed(f"not expected in {element.tag}: {[child.tag for child in children] or sorted(attributes)}")
    return read


def _children(
    operation: OpenApiOperation, name: str, schema: Any, children: list[etree._Element], inherited: str | None
) -> Iterator[Any]:
    """The next elements of this name, taken away from `children`."""
    words = schema.get("xml") or {}
    if schema.get("type") == "array":
        if words.get("wrapped"):
            if children and children[0].tag == _tag(words, name, inherited):
                inner = list(children.pop(0))
                yield from _children(operation, name, {**schema, "xml": {}}, inner, inherited)
            return
        item = operation.resolve(schema.get("items")) or {}
        while children and children[0].tag == _tag(item.get("xml") or {}, name, inherited):
            yield _element(operation, schema.get("items"), children.pop(0), inherited)
    elif children and children[0].tag == _tag(words, name, inherited):
        yield _element(operation, schema, children.pop(0), inherited)


def _tag(words: Mapping[str, Any], name: str, inherited: str | None) -> str:
    uri = words.get("namespace") or inherited
    return f"{{{uri}}}{words.get('name', name)}" if uri else str(words.get("name", name))


def _typed_text(operation: OpenApiOperation, text: str, schema: Any) -> Any:
    return _typed(operation, schema, text)


def _typed(operation: OpenApiOperation, schema: Any, text: str) -> Any:
    """A text as its schema's type has it; as it is where it is not of that type, so that the schema finds it."""
    kind = (operation.resolve(schema) or {}).get("type")
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    try:
        return Decimal(text) if kind in ("number", "integer") else text
    except InvalidOperation:
        return text
