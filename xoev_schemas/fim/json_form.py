"""The JSON Schema (draft 2020-12) of a Stammdatenschema, in the two forms that FIM's own generator publishes.

With versions, members are named `F60000000227V1.1.0` and described once each under `$defs`; without, they are named by
their ids and described where they stand. An array stands wherever more than one may occur. What is accepted is what the
published ones accept; where it is not, docs/decisions says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xoev_schemas.fim.model import DataSchema, Field, Group, Position, element_name, trails
from xoev_schemas.xsd import unanchored

_TYPES: Mapping[str, str] = {"bool": "boolean", "num": "number", "num_int": "integer", "num_currency": "number"}
_TEXTS = ("text", "text_latin")
_ZONE = r"(?:Z|[+-]\d{2}:\d{2})?"
_LEXICAL: Mapping[str, str] = {
    "time": rf"^\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?{_ZONE}$",
    "datetime": rf"^\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?{_ZONE}$",
}
"""JSON Schema's own formats demand an offset, which XML Schema's types, and so FIM's XSD, leave open."""


def to_json_schema(schema: DataSchema, *, versioned_names: bool) -> dict[str, Any]:
    """The JSON Schema. Whether it compiles depends on the patterns, which editors write by hand."""
    writer = _Writer(versioned_names)
    name = element_name(schema, versioned=True)
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        "title": schema.title,
    }
    if versioned_names:
        definitions: dict[str, Any] = {}
        for trail in trails(schema):
            element = trail[-1].element
            if not trail[-1].is_label and (key := element_name(element, versioned=True)) not in definitions:
                definitions[key] = writer.element(element)
        made["$defs"] = dict(sorted(definitions.items()))
    return {**made, **writer.content(schema)}


class _Writer:
    def __init__(self, versioned: bool) -> None:
        self._versioned = versioned

    def content(self, parent: DataSchema | Group) -> dict[str, Any]:
        """An object with a member for each position, but for labels, which have no place in data."""
        positions = [position for position in parent.positions if not position.is_label]
        names = [element_name(position.element, versioned=self._versioned) for position in positions]
        made: dict[str, Any] = {
            "type": "object",
            "properties": {name: self._position(p) for name, p in zip(names, positions, strict=True)},
            "additionalProperties": False,
        }
        required = [name for name, position in zip(names, positions, strict=True) if position.min > 0]
        if parent.choice:
            made["oneOf"] = [{"required": [name]} for name in names]
        elif required:
            made["required"] = required
        return made

    def _position(self, position: Position) -> dict[str, Any]:
        name = element_name(position.element, versioned=True)
        one = {"$ref": f"#/$defs/{name}"} if self._versioned else self.element(position.element)
        if position.max == 1:
            return one
        many: dict[str, Any] = {"type": "array", "items": one, "minItems": position.min}
        if not self._versioned:
            many["title"] = position.element.name
        if position.max is not None:
            many["maxItems"] = position.max
        return many

    def element(self, element: Field | Group) -> dict[str, Any]:
        content = self.content(element) if isinstance(element, Group) else field_type(element)
        return {"title": element.name, **content}


def field_type(field: Field) -> dict[str, Any]:
    """The type of a field and what restricts it."""
    if field.kind == "select":
        values = [{"const": value.code, "description": value.name} for value in field.values]
        return {"type": "string", "oneOf": values} if values else {"type": "string"}
    made: dict[str, Any] = {"type": _TYPES.get(field.type, "string")}
    if field.type == "date":
        made["format"] = "date"
    if field.type in _LEXICAL:
        made["pattern"] = _LEXICAL[field.type]
    limits = field.limits
    if limits is None:
        return made
    if field.type in _TEXTS:
        made |= _stated(minLength=limits.min_length, maxLength=limits.max_length)
    if made["type"] in ("number", "integer"):
        made |= _stated(minimum=_number(limits.min_value), maximum=_number(limits.max_value))
    elif limits.pattern and field.type not in ("bool", "file", "obj"):
        made["pattern"] = f"^(?:{unanchored(limits.pattern)})$"
    return made


def _stated(**keywords: Any) -> dict[str, Any]:
    return {keyword: value for keyword, value in keywords.items() if value is not None}


def _number(written: str | None) -> int | float | None:
    """The number as JSON has it: whole where it is written so. `05` and `+5` are no JSON, but mean one."""
    if written is None:
        return None
    try:
        return int(written)
    except ValueError:
        return float(written)
