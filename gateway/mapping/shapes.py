"""What schemas allow, seen by path: one view on a standard's schema, on the case and on a target's list of fields.

`SchemaModel` is what `Registry.model` gives for standards; the classes here give the same for cases and requests.
Paths are tuples of local names; arrays are no level of their own. None instead of children = nothing is known below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.base import FieldSpec
from gateway.mapping.language import Attachments, Each, First, List, Object, Read, Template
from xoev_schemas.model import json_model


class SchemaNode(Protocol):
    """One child: how often (max None = any number), `leaf` or `group`, and which values (empty = not limited)."""

    @property
    def name(self) -> str: ...
    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def allowed(self) -> tuple[str, ...]: ...


class SchemaModel(Protocol):
    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None: ...


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    min: int = 0
    max: int | None = 1
    kind: str = "leaf"
    allowed: tuple[str, ...] = ()


class CaseModel:
    """The case of one service: the published schema, and below `data` what the package says or, failing that, makes."""

    def __init__(self, case_schema: Mapping[str, Any], data: SchemaModel) -> None:
        self._case = json_model(case_schema)
        self._data = data

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        return self._data.children(path[1:]) if path[:1] == ("data",) else self._case.children(path)


class TemplateModel:
    """What templates make, as a schema: for packages that do not describe their `data`."""

    def __init__(self, templates: Iterable[Template]) -> None:
        self._templates = tuple(templates)

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        current = [made for template in self._templates for made in makers(template)]
        for name in path:
            members = [t.members[name] for t in current if isinstance(t, Object) and name in t.members]
            current = [made for member in members for made in makers(member)]
        shapes: dict[str, SchemaNode] = {}
        for template in current:
            if isinstance(template, Object):
                shapes.update({name: _made_shape(name, member) for name, member in template.members.items()})
        return shapes if shapes else None if _makes_unknown(current) else {}


class FieldsModel:
    """A target's operation, from the dotted paths its adapter lists. filled: fields that the adapter itself fills."""

    def __init__(self, fields: Iterable[FieldSpec], filled: Iterable[str] = ()) -> None:
        self._children: dict[tuple[str, ...], dict[str, SchemaNode]] = {}
        adapter = set(filled)
        for spec in fields:
            *parent, name = spec.path.split(".")
            required = int(spec.required and spec.path not in adapter)
            shape = Shape(name, required, None if spec.repeated else 1, _kind(spec), tuple(spec.allowed))
            self._children.setdefault(tuple(parent), {})[name] = shape

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        return self._children.get(path)


def _kind(spec: FieldSpec) -> str:
    return "group" if spec.type == "group" else "leaf"


def makers(template: Template) -> list[Template]:
    """The templates that make a value or, for lists, its entries."""
    match template:
        case List():
            return [made for entry in template.entries for made in makers(entry)]
        case Each():
            return makers(template.make)
        case First():
            return [made for choice in template.choices for made in makers(choice)]
        case _:
            return [template]


def makes_list(template: Template) -> bool:
    return isinstance(template, List | Each | Attachments)


def _made_shape(name: str, template: Template) -> Shape:
    group = any(isinstance(made, Object) for made in makers(template))
    return Shape(name, 0, None if makes_list(template) else 1, "group" if group else "leaf")


def _makes_unknown(templates: Iterable[Template]) -> bool:
    """Values from tables and money are objects whose members no template shows."""
    return any(isinstance(t, Read) and (t.codes is not None or t.kind == "money") for t in templates)
