"""German names of what a case holds: of the case's own members from its schema, of a service's from FIM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.case import case_schema
from gateway.services import Service
from xoev_schemas.fim.model import DataSchema, Field, trails
from xoev_schemas.registry import Registry


@dataclass(frozen=True, slots=True)
class Category:
    """A field of a schema. group: where it stands, outermost group first."""

    group: str
    name: str
    id: str


def fim_schemas(service: Service, registry: Registry) -> list[DataSchema]:
    """Of what a service accepts, those that are known as FIM schemas."""
    refs = {accepts.ref.standard for accepts in service.accepts if accepts.ref is not None}
    return [schema for ref in sorted(refs) if (schema := registry.fim(ref)) is not None]


def categories(schema: DataSchema) -> Iterator[Category]:
    """Every field that carries data, in the order of the schema, each place once."""
    seen = set()
    for trail in trails(schema):
        element = trail[-1].element
        if not isinstance(element, Field) or trail[-1].is_label:
            continue
        group = " – ".join(_name(position.element) for position in trail[:-1])
        found = Category(group, _name(element), element.id)
        if found not in seen:
            seen.add(found)
            yield found


class CaseNames:
    """How a field of a service's case is called. Where there is no German name the technical one is shown."""

    def __init__(self, service: Service, schemas: list[DataSchema]) -> None:
        self._case = case_schema()
        self._data: Mapping[str, Any] = service.data_schema or {}
        self._fim = {trail[-1].element.id: _name(trail[-1].element) for one in schemas for trail in trails(one)}

    def of(self, field: str) -> str:
        """field: as `recipients` has it, `applicants/person/familyName`."""
        steps = field.split("/")
        if steps[0] == "data" and len(steps) > 1:
            return f"Fachdaten: {self._along(self._data, self._data, steps[1:])}"
        return self._along(self._case, self._case, steps)

    def _along(self, root: Mapping[str, Any], node: Mapping[str, Any], steps: list[str]) -> str:
        names = []
        for step in steps:
            node = self._member(root, node, step)
            names.append(self._named(node) or f"„{step}“")
        return " – ".join(names)

    def _member(self, root: Mapping[str, Any], node: Mapping[str, Any], step: str) -> Mapping[str, Any]:
        node = _resolved(root, self._case, node)
        while "items" in node:
            node = _resolved(root, self._case, node["items"])
        found: Mapping[str, Any] = node.get("properties", {}).get(step, {})
        return found

    def _named(self, node: Mapping[str, Any]) -> str:
        return str(self._fim.get(node.get("x-fim", ""), "") or node.get("x-de", {}).get("title", ""))


def _resolved(root: Mapping[str, Any], case: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A `$ref` into the schema itself, or into the case's definitions, followed."""
    while "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        node = root.get("$defs", {}).get(name) or case.get("$defs", {}).get(name) or {}
    return node


def _name(element: Any) -> str:
    return " ".join((element.label or element.name).split())
