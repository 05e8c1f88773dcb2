"""Say what a schema's finding means for the people who know the form, not the schema.

The schemas made of a Stammdatenschema know ids only. Here the place of a finding, an XPath or a JSON pointer, is
followed through the model, and the finding gets the field's label and group, what is expected there, and in its remedy
the field's help text and legal basis. Code, severity, place and masked value stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from xoev_schemas.fim.model import DataSchema, Field, Group, Position, Trail, by_id, element_name, trails
from xoev_schemas.fim.wording import background, expectation, holder, joined, named, number, title
from xoev_schemas.findings import Finding, Text
from xoev_schemas.standards import without_version

_POSITION = re.compile(r"\[\d+\]$")
_NAME = re.compile(r"\b([A-Z]\d{2,})(?:V\d+(?:\.\d+)*)?\b")


def explain(findings: Sequence[Finding], schema: DataSchema) -> list[Finding]:
    """The findings, those of layer `schema` about a field or group in people's words; others unchanged."""
    where: dict[str, Trail] = {}
    for trail in trails(schema):
        where.setdefault(trail[-1].element.id, trail)
    return [_explained(finding, schema, where) for finding in findings]


@dataclass(frozen=True)
class Place:
    """Where a path leads. rest: the steps from the first that the schema does not know, as written."""

    schema: DataSchema
    trail: Trail
    rest: tuple[str, ...]
    is_xml: bool

    @property
    def inside(self) -> DataSchema | Group:
        """The schema or group that the known steps lead into; of a field, the one it stands in."""
        return self.levels()[0][1]

    def levels(self) -> list[tuple[Trail, DataSchema | Group]]:
        """The group that the known steps lead into, and the one around it, each with the trail to it."""
        found: list[tuple[Trail, DataSchema | Group]] = []
        for trail in (self.trail, self.trail[:-1]):
            last = trail[-1].element if trail else self.schema
            if not isinstance(last, Field) and (trail, last) not in found:
                found.append((trail, last))
        return found


def followed(path: str, schema: DataSchema) -> Place:
    """The place of an XPath, whose first step is the root, or a JSON pointer. Positions and attributes say nothing."""
    steps = [_POSITION.sub("", step) for step in path.split("/")[1:]]
    is_xml = bool(steps) and without_version(steps[0]) == schema.id
    steps = [step for step in steps[is_xml:] if not step.isdecimal() and not step.startswith("@")]
    trail: Trail = ()
    level: DataSchema | Group | Field = schema
    for count, step in enumerate(steps):
        position = None if isinstance(level, Field) else by_id(level).get(without_version(step))
        if position is None or step not in (position.element.id, element_name(position.element, versioned=True)):
            return Place(schema, trail, tuple(steps[count:]), is_xml)
        trail, level = (*trail, position), position.element
    return Place(schema, trail, (), is_xml)


def _explained(finding: Finding, schema: DataSchema, where: Mapping[str, Trail]) -> Finding:
    if finding.layer != "schema" or not finding.path:
        return finding
    place = followed(finding.path, schema)
    if finding.code == "schema.missing_element":
        return _missing_in_xml(finding, place) if place.is_xml else _missing_in_json(finding, place)
    if finding.code == "schema.unexpected_element":
        return _unknown(finding, place, where) if place.rest else _misplaced(finding, place)
    sentence = _SENTENCES.get(finding.code)
    if sentence is None or not place.trail or place.rest:
        return finding
    return _told(finding, schema, sentence(place.trail, finding), place.trail, _REMEDIES.get(finding.code))


def _told(finding: Finding, schema: DataSchema, text: Text, about: Trail, remedy: Text | None = None) -> Finding:
    """The finding with a text and, behind its remedy, what the schema tells of the position it is about (if any)."""
    remedy = remedy or finding.remedy
    source = f"FIM {element_name(schema, versioned=True)}"
    if about:
        remedy = joined(remedy, background(about[-1]))
        source = f"{source}, {element_name(about[-1].element, versioned=True)}"
    return replace(finding, text=text, remedy=remedy, source=source)


# --- something is missing ------------------------------------------------------------------------------------------


def _missing_in_json(finding: Finding, place: Place) -> Finding:
    """The path ends at the member that is missing."""
    if place.rest or not place.trail:
        return finding
    return _told(finding, place.schema, _missing_text(place.trail), place.trail, _ADD)


def _missing_in_xml(finding: Finding, place: Place) -> Finding:
    """The path leads to where the gap showed, the group or what follows the gap; `allowed` names what may come."""
    expected = {found[1] for found in _NAME.finditer(finding.allowed or "")}
    levels = place.levels()[:1] if place.rest else place.levels()
    above, parent = max(levels, key=lambda level: len(expected & by_id(level[1]).keys()))
    possible = [position for position in parent.positions if position.element.id in expected]
    needed = [position for position in possible if position.min > 0 or parent.choice]
    if not needed:
        return finding
    if parent.choice and len(needed) > 1:
        return _told(finding, place.schema, _nothing_chosen(parent, needed), above)
    trail = (*above, needed[0])
    return _told(finding, place.schema, _missing_text(trail), trail, _ADD_OR_MOVE)


def _missing_text(trail: Trail) -> Text:
    name, position = named(trail), trail[-1]
    if position.min > 1:
        times = number(position)
        return Text(f"Die Angabe {name.de} muss {times.de} vorkommen.", f"{name.en} must occur {times.en}.")
    return Text(f"Es fehlt die Pflichtangabe {name.de}.", f"The required {name.en} is missing.")


def _nothing_chosen(parent: DataSchema | Group, positions: Sequence[Position]) -> Text:
    where = holder(parent)
    de = ", ".join(f"„{title(position.element)}“ ({position.element.id})" for position in positions)
    en = ", ".join(f"“{title(position.element)}” ({position.element.id})" for position in positions)
    return Text(
        f"Es fehlt eine Angabe {where.de}; genau eine von diesen wird verlangt: {de}.",
        f"Something is missing {where.en}; exactly one of these is required: {en}.",
    )


_ADD = Text("Ergänzen Sie die Angabe.", "Add it.")
_ADD_OR_MOVE = Text(
    "Ergänzen Sie die Angabe oder setzen Sie sie vor die folgenden; die Reihenfolge des Schemas gilt.",
    "Add it, or put it before what follows; the order of the schema holds.",
)


# --- something is too much -----------------------------------------------------------------------------------------


def _unknown(finding: Finding, place: Place, where: Mapping[str, Trail]) -> Finding:
    """A name that the schema does not have at this place: another version, another place, or not at all."""
    name = place.rest[0]
    if len(place.rest) > 1 or not _NAME.fullmatch(name):
        return finding
    identifier, here = without_version(name), holder(place.inside)
    known = by_id(place.inside).get(identifier)
    trail = (*place.levels()[0][0], known) if known else where.get(identifier, ())
    if known:
        field, right = named(trail), element_name(known.element, versioned=True)
        text = Text(
            f"Die Angabe {field.de} steht hier in einer anderen Version: {name} statt {right}.",
            f"{field.en} stands here in another version: {name} instead of {right}.",
        )
        return _told(finding, place.schema, text, trail, _OTHER_VERSION)
    if trail:
        field = named(trail)
        text = Text(f"Die Angabe {field.de} ist {here.de} nicht vorgesehen.", f"{field.en} is not foreseen {here.en}.")
        return _told(finding, place.schema, text, trail, _OTHER_PLACE)
    text = Text(
        f"Die Angabe {name} gibt es in diesem Datenschema nicht, auch nicht {here.de}.",
        f"This schema has no {name}, and none {here.en}.",
    )
    return _told(finding, place.schema, text, ())


def _misplaced(finding: Finding, place: Place) -> Finding:
    """A name that the schema has at this place: once too often, in the wrong order, in the other form, or a label."""
    if not place.trail:
        return finding
    name, position = named(place.trail), place.trail[-1]
    if position.is_label:
        text = Text(
            f"{name.de} ist ein Hinweistext und trägt keinen Wert.", f"{name.en} is a note and carries no value."
        )
        return _told(finding, place.schema, text, place.trail)
    if not place.is_xml:
        text = Text(
            f"Die Angabe {name.de} ist hier unter diesem Namen nicht vorgesehen.",
            f"{name.en} is not foreseen here by this name.",
        )
        return _told(finding, place.schema, text, place.trail, _OTHER_NAMES)
    times = number(position)
    text = Text(
        f"Die Angabe {name.de} steht hier zu oft oder an der falschen Stelle; erlaubt ist sie {times.de}.",
        f"{name.en} stands here too often or in the wrong place; it may occur {times.en}.",
    )
    return _told(finding, place.schema, text, place.trail)


_OTHER_VERSION = Text(
    "Erzeugen Sie die Daten nach der Version des Datenschemas, die Sie angeben.",
    "Produce the data by the version of the schema that you name.",
)
_OTHER_PLACE = Text("Setzen Sie die Angabe in ihre Gruppe.", "Put it into its group.")
_OTHER_NAMES = Text(
    "Benennen Sie die Angaben so wie das Schema: entweder mit Version (F60000000227V1.1.0) oder ohne (F60000000227).",
    "Name things as the schema does: either with versions (F60000000227V1.1.0) or without (F60000000227).",
)


# --- a value or a number is wrong ----------------------------------------------------------------------------------


def _value_text(trail: Trail, finding: Finding) -> Text:
    name, expected = named(trail), expectation(trail[-1].element)
    if finding.allowed == "type array":
        return Text(
            f"Die Angabe {name.de} muss als Liste stehen, auch wenn es nur eine ist.",
            f"{name.en} must stand as a list, even a single one.",
        )
    if finding.code == "schema.value" and finding.found is None:  # only a list or an object of JSON has no masked value
        return Text(
            f"Die Angabe {name.de} ist eine Liste oder ein Objekt. Erwartet wird {expected.de}.",
            f"{name.en} is a list or an object. Expected is {expected.en}.",
        )
    return Text(
        f"Der Wert von {name.de} ist nicht zulässig. Erwartet wird {expected.de}.",
        f"The value of {name.en} is not allowed. Expected is {expected.en}.",
    )


def _number_text(trail: Trail, _finding: Finding) -> Text:
    name, times = named(trail), number(trail[-1])
    return Text(f"Die Angabe {name.de} muss {times.de} vorkommen.", f"{name.en} must occur {times.en}.")


def _order_text(trail: Trail, _finding: Finding) -> Text:
    name = named(trail)
    return Text(
        f"Die Angabe {name.de} steht zu spät: hinter dem, was ihr folgen müsste.",
        f"{name.en} stands too late: behind what should follow it.",
    )


def _other_text(trail: Trail, finding: Finding) -> Text:
    """In JSON, a choice that is not made, or made twice, has no keyword of its own."""
    element = trail[-1].element
    if isinstance(element, Group) and element.choice:
        where = holder(element)
        return Text(f"Genau eine Angabe darf {where.de} stehen.", f"Exactly one thing may stand {where.en}.")
    return _value_text(trail, finding)


_SENTENCES: Mapping[str, Callable[[Trail, Finding], Text]] = {
    "schema.value": _value_text,
    "schema.enumeration": _value_text,
    "schema.unexpected_content": _value_text,
    "schema.count": _number_text,
    "schema.wrong_order": _order_text,
    "schema.other": _other_text,
}
_REMEDIES: Mapping[str, Text] = {
    "schema.count": Text("Ergänzen oder entfernen Sie Einträge.", "Add or remove entries."),
}
