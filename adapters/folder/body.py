"""The request as a file: JSON, or XML in the order and the namespaces of an XML schema; checked before it is written.

An attachment's marker stands for its file's name: the file lies beside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, Protocol

import jsonschema_rs
import xmlschema
from lxml import etree

from adapters.base import FieldSpec, Permanent
from adapters.content import as_text
from adapters.openapi import plain, schema_fields
from adapters.xsd_fields import type_fields

TEXT = "_value_1"
"""The text of an element that has attributes too, as in the bodies of SOAP targets."""


class SchemaUnusable(Exception):
    """The target's schema cannot be read, or lacks what was asked for. Names no values."""


class Form(Protocol):
    """How a body becomes bytes: the same bytes for the same body."""

    media_type: str
    ending: str

    def write(self, body: Any) -> bytes:
        """Raises Permanent (class `mapping`) for a body that does not fit the schema."""
        ...

    def fields(self) -> list[FieldSpec] | None: ...


class JsonForm:
    """schema: a JSON Schema (draft by its `$schema`, else 2020-12); None: nothing is checked. Raises SchemaUnusable."""

    media_type = "application/json"
    ending = ".json"

    def __init__(self, schema: Path | None) -> None:
        self._schema: Any = None
        self._validator: Any = None
        if schema is None:
            return
        try:
            self._schema = json.loads(schema.read_bytes())
            self._validator = jsonschema_rs.validator_for(self._schema, validate_formats=True, retriever=_refuse)
        except (OSError, ValueError, jsonschema_rs.ReferencingError) as error:
            raise SchemaUnusable(f"{schema.name} cannot be used: {error}") from error

    def write(self, body: Any) -> bytes:
        value = plain(body)
        if self._validator is not None:
            errors = [
                f"/{'/'.join(map(str, e.instance_path))}: {e.message}" for e in self._validator.iter_errors(value)
            ]
            _require_none(errors)
        return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"

    def fields(self) -> list[FieldSpec] | None:
        return schema_fields(self._schema) if isinstance(self._schema, dict) else None


class XmlForm:
    """schema: an XSD 1.0 file; what it includes lies beside or below it. element: the root, where it declares several.

    The body is what is in the root: elements and attributes by their local names. Raises SchemaUnusable.
    """

    media_type = "application/xml"
    ending = ".xml"

    def __init__(self, schema: Path, element: str | None) -> None:
        try:
            self._schema = xmlschema.XMLSchema(str(schema), allow="sandbox", defuse="always")
        except (OSError, xmlschema.XMLSchemaException, etree.LxmlError) as error:
            raise SchemaUnusable(f"{schema.name} cannot be used: {error}") from error
        declared = {e.local_name: e for e in self._schema.elements.values()}
        name = element if element is not None or len(declared) != 1 else next(iter(declared))
        if name not in declared:
            near = get_close_matches(name or "", declared, n=1) or sorted(declared)
            raise SchemaUnusable(f"{schema.name} declares several elements; name one as 'element': {', '.join(near)}")
        self._root: Any = declared[name]

    def write(self, body: Any) -> bytes:
        errors: list[str] = []
        namespace = self._root.target_namespace
        # With a prefix, because lxml forgets to take a default namespace back from elements that have none.
        root = etree.Element(self._root.name, nsmap={"ns": namespace} if namespace else None)
        try:
            _fill(root, self._root.type, body, f"/{self._root.local_name}", errors)
        except ValueError as error:
            errors.append(str(error))
        _require_none(errors)
        resource = xmlschema.XMLResource(root, allow="none")
        _require_none([f"{error.path}: {error.reason}" for error in self._schema.iter_errors(resource)])
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def fields(self) -> list[FieldSpec] | None:
        return type_fields(self._root.type)


def _fill(element: etree._Element, kind: Any, value: Any, path: str, errors: list[str]) -> None:
    """Attributes, then children in the schema's order. Raises ValueError for characters that XML does not know."""
    if not isinstance(value, Mapping):
        element.text = as_text(value)
        return
    attributes = {a.local_name: a for name, a in kind.attributes.items() if name} if kind.is_complex() else {}
    children = {c.local_name: c for c in _children(kind)}
    errors += [f"{path}: no {name} here" for name in value if name not in {*attributes, *children, TEXT}]
    for name, attribute in attributes.items():
        if value.get(name) is not None:
            element.set(attribute.name, as_text(value[name]))
    if value.get(TEXT) is not None:
        element.text = as_text(value[TEXT])
    for name, declared in children.items():
        member = value.get(name) if name not in attributes else None
        for one in member if isinstance(member, list | tuple) else [member]:
            if one is not None:
                _fill(etree.SubElement(element, declared.name), declared.type, one, f"{path}/{name}", errors)


def _children(kind: Any) -> list[Any]:
    if not kind.has_complex_content():
        return []
    return [c for c in kind.content.iter_elements() if isinstance(c, xmlschema.validators.XsdElement)]


def _require_none(errors: list[str]) -> None:
    if errors:
        raise Permanent("folder.request_invalid", failure="mapping", detail="\n".join(errors))


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not in this file: bring a copy into the schema")
