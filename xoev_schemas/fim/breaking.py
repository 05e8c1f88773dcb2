"""Break data of a Stammdatenschema in exactly one place, as senders do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from xoev_schemas.fim.examples import Item, as_json, as_xml, fits, item, members
from xoev_schemas.fim.model import DataSchema, Field, Group, element_name

Broken = Literal[
    "missing", "too_few", "too_many", "unknown", "order", "structure", "chosen_twice", "label",
    "type", "date", "too_long", "too_short", "pattern", "range", "code",
]  # fmt: skip
"""What is wrong: something is there or not there (first line), or a value (second line)."""


def example(
    schema: DataSchema, random: Random, *, json: bool, versioned_names: bool, broken: Broken | None = None
) -> bytes | None:
    """An instance in UTF-8 for the schema that `to_xsd` or `to_json_schema` makes with the same names.

    broken: what is wrong with it, in one place that `random` chooses; None = nothing. Returns None where nothing can be
    broken that way: in a schema without choices none can be made twice. Raises NoExample.
    """
    items = members(schema, random, versioned_names=versioned_names)
    if broken and not _Breaking(schema, random, json, versioned_names).apply(broken, items):
        return None
    return as_json(items) if json else as_xml(schema, items, versioned_names=versioned_names)


@dataclass(frozen=True)
class _Spot:
    """A schema or group, what stands in it, and one of that."""

    parent: DataSchema | Group
    members: list[Item]
    item: Item

    @property
    def count(self) -> int:
        return sum(other.position is self.item.position for other in self.members)


@dataclass(frozen=True)
class _Breaking:
    schema: DataSchema
    random: Random
    json: bool
    versioned: bool

    def apply(self, broken: Broken, items: list[Item]) -> bool:
        """False where there is nothing to break that way."""
        if broken in _LEVELS:
            levels = list(_levels(self.schema, items))
            self.random.shuffle(levels)
            return any(_LEVELS[broken](self, *level) for level in levels)
        spots = [_Spot(parent, inside, one) for parent, inside in _levels(self.schema, items) for one in inside]
        self.random.shuffle(spots)
        if broken in _VALUES:
            return any(self._value(spot.item, _VALUES[broken]) for spot in spots)
        return any(_PRESENCES[broken](self, spot) for spot in spots)

    def _value(self, one: Item, wrong: Callable[[Field, bool], str | int | None]) -> bool:
        element = one.position.element if one.position else None
        value = wrong(element, self.json) if isinstance(element, Field) else None
        if value is None:
            return False
        one.content = value
        return True


def _levels(parent: DataSchema | Group, inside: list[Item]) -> Iterator[tuple[DataSchema | Group, list[Item]]]:
    """The schema and every group in the data, each with what stands in it."""
    yield parent, inside
    for one in inside:
        if one.position and isinstance(one.position.element, Group) and isinstance(one.content, list):
            yield from _levels(one.position.element, one.content)


# --- something is there or not there -------------------------------------------------------------------------------


def _unknown(_breaking: _Breaking, _parent: DataSchema | Group, inside: list[Item]) -> bool:
    inside.append(Item(None, "F99999999999", "unbekannt"))
    return True


def _label(breaking: _Breaking, parent: DataSchema | Group, inside: list[Item]) -> bool:
    label = next((position for position in parent.positions if position.is_label), None)
    if label is not None:
        inside.append(Item(label, element_name(label.element, versioned=breaking.versioned), "Hinweis"))
    return label is not None


def _missing(_breaking: _Breaking, spot: _Spot) -> bool:
    least = spot.item.position.min if spot.item.position else 0
    if spot.count != 1 or (least != 1 and not spot.parent.choice):
        return False
    spot.members.remove(spot.item)
    return True


def _too_few(_breaking: _Breaking, spot: _Spot) -> bool:
    least = spot.item.position.min if spot.item.position else 0
    if least < 2:
        return False
    for one in [other for other in spot.members if other.position is spot.item.position][least - 1 :]:
        spot.members.remove(one)
    return True


def _too_many(_breaking: _Breaking, spot: _Spot) -> bool:
    most = spot.item.position.max if spot.item.position else None
    if most is None:
        return False
    place = spot.members.index(spot.item)
    copies = [Item(spot.item.position, spot.item.name, spot.item.content) for _ in range(most + 1 - spot.count)]
    spot.members[place:place] = copies
    return True


def _order(breaking: _Breaking, spot: _Spot) -> bool:
    place = spot.members.index(spot.item)
    if breaking.json or place == 0 or spot.members[place - 1].position is spot.item.position:
        return False
    spot.members[place - 1 : place + 1] = [spot.item, spot.members[place - 1]]
    return True


def _structure(_breaking: _Breaking, spot: _Spot) -> bool:
    if not isinstance(spot.item.content, list):
        return False
    spot.item.content = "ein Text statt einer Gruppe"
    return True


def _chosen_twice(breaking: _Breaking, spot: _Spot) -> bool:
    others = [p for p in spot.parent.positions if p is not spot.item.position and not p.is_label]
    if not spot.parent.choice or not others:
        return False
    spot.members.append(item(others[0], breaking.random, versioned_names=breaking.versioned))
    return True


_LEVELS: Mapping[str, Callable[[_Breaking, DataSchema | Group, list[Item]], bool]] = {
    "unknown": _unknown,
    "label": _label,
}
_PRESENCES: Mapping[str, Callable[[_Breaking, _Spot], bool]] = {
    "missing": _missing,
    "too_few": _too_few,
    "too_many": _too_many,
    "order": _order,
    "structure": _structure,
    "chosen_twice": _chosen_twice,
}


# --- a value is wrong: None where the field knows no such fault ----------------------------------------------------


def _type(field: Field, json: bool) -> str | int | None:
    if field.kind != "select" and field.type in ("bool", "num", "num_int", "num_currency"):
        return "vielleicht"
    return 5 if json else None  # in XML every text is a text


def _date(field: Field, _json: bool) -> str | None:
    return "30.02.2026" if field.type == "date" else None


def _too_long(field: Field, _json: bool) -> str | None:
    most = field.limits.max_length if field.limits and field.type in _TEXTS else None
    return None if most is None else "x" * (most + 1)


def _too_short(field: Field, _json: bool) -> str | None:
    least = field.limits.min_length if field.limits and field.type in _TEXTS else None
    return "x" * (least - 1) if least else None


def _pattern(field: Field, _json: bool) -> str | None:
    limits = field.limits
    if limits is None or not limits.pattern or field.type not in _TEXTS:
        return None
    value = "!" * max(1, limits.min_length or 1)
    return None if fits(limits.pattern, value) else value


def _range(field: Field, _json: bool) -> str | None:
    limits = field.limits
    if limits is None or field.type not in ("num", "num_int", "num_currency"):
        return None
    if limits.max_value is not None:
        return str(Decimal(limits.max_value) + 1)
    return str(Decimal(limits.min_value) - 1) if limits.min_value is not None else None


def _code(field: Field, _json: bool) -> str | None:
    return "unbekannt" if field.kind == "select" and field.values else None


_TEXTS = ("text", "text_latin")
_VALUES: Mapping[str, Callable[[Field, bool], str | int | None]] = {
    "type": _type,
    "date": _date,
    "too_long": _too_long,
    "too_short": _too_short,
    "pattern": _pattern,
    "range": _range,
    "code": _code,
}
