"""The XML Schema of a Stammdatenschema, in the two forms that FIM's own generator publishes.

With versions (form A) every field and group is a global element `F60000000227V1.1.0` of one namespace for all schemas;
without (form B) elements are nested, named by their ids, in a namespace of the schema's own. What is accepted is what
the published ones accept; where it is not, docs/decisions says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from lxml import etree

from xoev_schemas.fim.model import DataSchema, Field, Group, Position, element_name, trails
from xoev_schemas.xsd import XS, unanchored

_TYPES: Mapping[str, str] = {
    "text": "xs:string",
    "text_latin": "xs:string",
    "date": "xs:date",
    "time": "xs:time",
    "datetime": "xs:dateTime",
    "bool": "xs:boolean",
    "num": "xs:float",
    "num_int": "xs:integer",
    "num_currency": "xs:decimal",
    "file": "xs:anyType",
    "obj": "xs:anyType",
}
_TEXTS = ("text", "text_latin")
_WITHOUT_FACETS = ("bool", "file", "obj")


def xsd_namespace(schema: DataSchema, *, versioned_names: bool) -> str:
    """The namespace of the schema's data."""
    if versioned_names:
        return f"urn:fim-de:xfall:datenschema:xdf{schema.xdf}"
    return f"urn:fim-de:xfall:xdf{schema.xdf}:{element_name(schema, versioned=True)}"


def to_xsd(schema: DataSchema, *, versioned_names: bool) -> bytes:
    """The XML Schema (UTF-8). Whether it compiles depends on the patterns, which editors write by hand."""
    namespace = xsd_namespace(schema, versioned_names=versioned_names)
    root = etree.Element(f"{XS}schema", nsmap=cast(Any, {None: namespace, "xs": XS[1:-1]}))
    root.set("targetNamespace", namespace)
    root.set("elementFormDefault", "qualified")
    root.set("attributeFormDefault", "unqualified")
    writer = _Writer(versioned_names)
    top = _element(root, element_name(schema, versioned=True), f"Datenschema: {schema.title}")
    writer.content(top, schema)
    if versioned_names:
        for element in _each_once(schema):
            writer.declaration(root, element)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)


class _Writer:
    def __init__(self, versioned: bool) -> None:
        self._versioned = versioned

    def content(self, holder: etree._Element, parent: DataSchema | Group) -> None:
        """A complexType with the positions, but for labels, which have no place in data."""
        kind = etree.SubElement(holder, f"{XS}complexType")
        model = etree.SubElement(kind, f"{XS}choice" if parent.choice else f"{XS}sequence")
        for position in parent.positions:
            if not position.is_label:
                self._position(model, position, parent)

    def _position(self, model: etree._Element, position: Position, parent: DataSchema | Group) -> None:
        if self._versioned:
            node = etree.SubElement(model, f"{XS}element")
            node.set("ref", element_name(position.element, versioned=True))
        else:
            node = self.declaration(model, position.element)
        least = max(1, position.min) if parent.choice else position.min  # a choice is made, not left open
        if least != 1:
            node.set("minOccurs", str(least))
        if position.max != 1:
            node.set("maxOccurs", "unbounded" if position.max is None else str(position.max))

    def declaration(self, parent: etree._Element, element: Field | Group) -> etree._Element:
        name = element_name(element, versioned=self._versioned)
        if isinstance(element, Group):
            node = _element(parent, name, f"Datenfeldgruppe: {element.name}")
            self.content(node, element)
            return node
        node = _element(parent, name, f"Datenfeld: {element.name}")
        base, facets = field_type(element)
        if facets:
            restriction = etree.SubElement(etree.SubElement(node, f"{XS}simpleType"), f"{XS}restriction", base=base)
            for facet, value in facets:
                etree.SubElement(restriction, f"{XS}{facet}", value=value)
        else:
            node.set("type", base)
        return node


def field_type(field: Field) -> tuple[str, list[tuple[str, str]]]:
    """The built-in type of a field and the facets that restrict it."""
    if field.kind == "select":
        return ("xs:token", [("enumeration", value.code) for value in field.values]) if field.values else _PLAIN
    base = _TYPES[field.type]
    limits = field.limits
    if limits is None or field.type in _WITHOUT_FACETS:
        return base, []
    lengths = (("minLength", limits.min_length), ("maxLength", limits.max_length))
    ranges = (("minInclusive", limits.min_value), ("maxInclusive", limits.max_value))
    pattern = unanchored(limits.pattern) if limits.pattern else None
    stated = (*(lengths if field.type in _TEXTS else ranges), ("pattern", pattern))
    return base, [(facet, str(value)) for facet, value in stated if value is not None]


_PLAIN: tuple[str, list[tuple[str, str]]] = ("xs:string", [])


def _each_once(schema: DataSchema) -> Iterable[Field | Group]:
    """Fields, then groups, by name; of several with one name and version the first, as FIM's generator takes it."""
    found: dict[tuple[bool, str], Field | Group] = {}
    for trail in trails(schema):
        element = trail[-1].element
        if not trail[-1].is_label:
            found.setdefault((isinstance(element, Group), element_name(element, versioned=True)), element)
    return [found[key] for key in sorted(found)]


def _element(parent: etree._Element, name: str, documentation: str) -> etree._Element:
    node = etree.SubElement(parent, f"{XS}element", name=name)
    annotation = etree.SubElement(node, f"{XS}annotation")
    etree.SubElement(annotation, f"{XS}documentation").text = documentation
    return node
