"""Data made from a Stammdatenschema: valid ones, and ones that are broken in exactly one place.

For tests, and for samples of a new service. Everything in them is invented.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from lxml import etree

from xoev_schemas.fim.model import DataSchema, Field, Group, Position, element_name
from xoev_schemas.fim.xsd_form import xsd_namespace


@dataclass(eq=False)
class Item:
    """A field or group in the data. position: None for a name that the schema does not have.

    content: the text of a field, the members of a group, or (in JSON only) a number where none should be.
    """

    position: Position | None
    name: str
    content: str | int | list[Item]


class NoExample(Exception):
    """A field's pattern is none that a text is known for."""


def members(parent: DataSchema | Group, random: Random, *, versioned_names: bool) -> list[Item]:
    """Valid content of a schema or group, in its order; optional things are there or not. Raises NoExample."""
    positions = [position for position in parent.positions if not position.is_label]
    if parent.choice and positions:
        positions = [random.choice(positions)]
    made = []
    for position in positions:
        least = max(1, position.min) if parent.choice else position.min
        most = least + 2 if position.max is None else min(position.max, least + 2)
        made += [item(position, random, versioned_names=versioned_names) for _ in range(random.randint(least, most))]
    return made


def item(position: Position, random: Random, *, versioned_names: bool) -> Item:
    """One valid field or group. Raises NoExample."""
    element = position.element
    name = element_name(element, versioned=versioned_names)
    if isinstance(element, Group):
        return Item(position, name, members(element, random, versioned_names=versioned_names))
    return Item(position, name, _value(element, random))


def as_xml(schema: DataSchema, items: list[Item], *, versioned_names: bool) -> bytes:
    """A document for the schema that `to_xsd` makes with the same names."""
    namespace = xsd_namespace(schema, versioned_names=versioned_names)
    root = etree.Element(f"{{{namespace}}}{element_name(schema, versioned=True)}", nsmap={"fim": namespace})
    _append(root, items, namespace)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)


def as_json(items: list[Item]) -> bytes:
    """A document for the schema that `to_json_schema` makes with the same names."""
    return json.dumps(_object(items), ensure_ascii=False, indent=2).encode()


def _append(parent: etree._Element, items: list[Item], namespace: str) -> None:
    for one in items:
        child = etree.SubElement(parent, f"{{{namespace}}}{one.name}")
        if isinstance(one.content, list):
            _append(child, one.content, namespace)
        else:
            child.text = str(one.content)


def _object(items: list[Item]) -> dict[str, Any]:
    """An array wherever the schema allows several, and wherever there are."""
    found: dict[str, list[Any]] = {}
    for one in items:
        found.setdefault(one.name, []).append(_json_value(one))
    several = {one.name for one in items if one.position is not None and one.position.max != 1}
    return {name: values if name in several or len(values) > 1 else values[0] for name, values in found.items()}


def _json_value(one: Item) -> Any:
    if isinstance(one.content, list):
        return _object(one.content)
    element = one.position.element if one.position else None
    if isinstance(element, Field) and element.type in ("bool", "num", "num_int", "num_currency"):
        try:
            return json.loads(str(one.content))
        except ValueError:
            return one.content
    return one.content


# --- values --------------------------------------------------------------------------------------------------------

_MOMENTS: Mapping[str, str] = {"date": "2024-02-29", "time": "09:30:00", "datetime": "2024-02-29T09:30:00"}
_LETTERS = "Müßig-Ähre-Straßen-Ölhof-"
_LIKELY = ("44135", "name@example.de", "https://example.de/", "+49 231 5000", "DE02120300000000202051", "12,50")
_LONGEST = 60


def _value(field: Field, random: Random) -> str:
    """A valid value as it stands in XML."""
    if field.kind == "select" and field.values:
        return random.choice(field.values).code
    if field.type == "bool":
        return random.choice(("true", "false"))
    if field.type in ("num", "num_int", "num_currency"):
        return str(_number(field, random))
    return _MOMENTS.get(field.type) or _text(field, random)


def _number(field: Field, random: Random) -> Decimal | int:
    """A whole number between the limits, or the limit itself where there is none."""
    low, high = (Decimal(bound) if bound else None for bound in _bounds(field))
    if low is None:
        low = Decimal(0) if high is None else high - 100
    first, last = math.ceil(low), math.floor(low + 100 if high is None else high)
    return random.randint(first, last) if first <= last else low


def _bounds(field: Field) -> tuple[str | None, str | None]:
    return (field.limits.min_value, field.limits.max_value) if field.limits else (None, None)


def _text(field: Field, random: Random) -> str:
    limits = field.limits
    least = (limits and limits.min_length) or 0
    stated = limits.max_length if limits else None
    most = max(least, _LONGEST) if stated is None else min(stated, max(least, _LONGEST))
    if limits and limits.pattern:
        return _fitting(limits.pattern, least, most, random)
    length = random.randint(max(least, min(1, most)), most)
    return (_LETTERS * (length // len(_LETTERS) + 1))[:length]


def _fitting(pattern: str, least: int, most: int, random: Random) -> str:
    """A text that fits a pattern written by hand, found by trying what such patterns usually mean."""
    lengths = range(max(least, 1), most + 1)
    digits = ("".join(random.choices("123456789", k=length)) for length in lengths)
    for text in (*_LIKELY, *digits, *("X" * length for length in lengths), *_MOMENTS.values()):
        if least <= len(text) <= most and fits(pattern, text):
            return text
    raise NoExample(f"no text is known that fits {pattern}")


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern takes a text as a whole; one that Python cannot read takes none."""
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return False
