"""Data as XML, the way an OpenAPI document says it (`xml` objects: name, namespace, prefix, attribute, wrapped).

Elements come in the schema's order, which is what XML schemas behind such interfaces ask for; what the schema does not
know follows in the mapping's order. A namespace without prefix holds for the elements below, as in XML itself; one with
a prefix for its element alone. Members without value are left out: OpenAPI has no word for XML's `nil`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from adapters.base import Permanent
from adapters.content import as_text
from adapters.openapi import OpenApiOperation


def to_xml(operation: OpenApiOperation | None, body: Any, schema: Any = None) -> bytes:
    """schema: of the body; default: the operation's. The root is named by it, or is the body's only member.

    Raises Permanent: no name for the root (`contract`), characters that XML does not know (`mapping`).
    """
    schema = schema if schema is not None or operation is None else operation.body_schema
    name = _root_name(operation, schema)
    if name is None and isinstance(body, Mapping) and len(body) == 1:
        [(name, body)] = body.items()
    if name is None:
        raise Permanent("rest.request_unbuildable", failure="contract", detail="the XML has no name for its root")
    try:
        holder = etree.Element("holder")
        _Writer(operation).write(holder, name, schema, body, None)
        return etree.tostring(holder[0], xml_declaration=True, encoding="UTF-8")
    except ValueError as error:
        raise Permanent("rest.request_unbuildable", failure="mapping", detail=str(error)) from None


class _Writer:
    def __init__(self, operation: OpenApiOperation | None) -> None:
        self._operation = operation

    def write(self, parent: etree._Element, name: str, schema: Any, value: Any, inherited: str | None) -> None:
        """One element below `parent`. inherited: the namespace that holds where the schema names none."""
        if value is None:
            return
        words = self._words(schema)
        namespace: str | None = words.get("namespace")
        prefix: str | None = words.get("prefix")
        uri = namespace or inherited
        qualified = f"{{{uri}}}{words.get('name', name)}" if uri else words.get("name", name)
        declared: Any = {prefix: namespace} if namespace else None
        element = etree.SubElement(parent, qualified, nsmap=declared)
        below = inherited if namespace and prefix else uri
        if not isinstance(value, Mapping):
            element.text = as_text(value)
            return
        for member, inner in self._ordered(schema, value):
            self._member(element, member, inner, value[member], below)

    def _member(self, element: etree._Element, name: str, schema: Any, value: Any, inherited: str | None) -> None:
        words = self._words(schema)
        if words.get("attribute"):
            if value is not None:
                uri = words.get("namespace")
                own = words.get("name", name)
                element.set(f"{{{uri}}}{own}" if uri else own, as_text(value))
        elif isinstance(value, list | tuple):
            items = self._resolved(schema).get("items")
            if words.get("wrapped"):
                uri = words.get("namespace") or inherited
                own = words.get("name", name)
                element = etree.SubElement(element, f"{{{uri}}}{own}" if uri else own)
            for item in value:
                self.write(element, name, items, item, inherited)
        else:
            self.write(element, name, schema, value, inherited)

    def _ordered(self, schema: Any, value: Mapping[str, Any]) -> list[tuple[str, Any]]:
        known = self._operation.properties(schema) if self._operation is not None else {}
        names = [name for name in known if name in value] + [name for name in value if name not in known]
        return [(name, known.get(name)) for name in names]

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        found = self._operation.resolve(schema) if self._operation is not None else schema
        return found if isinstance(found, Mapping) else {}

    def _words(self, schema: Any) -> Mapping[str, Any]:
        return self._resolved(schema).get("xml") or {}


def _root_name(operation: OpenApiOperation | None, schema: Any) -> str | None:
    """`xml.name`, else the name of the component that the body refers to."""
    if operation is None or not isinstance(schema, Mapping):
        return None
    named = (operation.resolve(schema) or {}).get("xml") or {}
    if "name" in named:
        return str(named["name"])
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None
