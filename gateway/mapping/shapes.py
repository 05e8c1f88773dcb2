"""What schemas allow, seen by path: one view on a standard's schema, on the case and on a target's list of fields.

`SchemaModel` is what `Registry.model` gives for standards; the classes here give the same for cases and requests.
Paths are tuples of local names; arrays are no level of their own. None instead of children = nothing is known below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.base import FieldSpec
from gateway.mapping.language import Attachments, Const, Each, First, List, Object, Read, Template
from gateway.mapping.nodes import scalar_text
from gateway.mapping.problems import Place
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
    """The case of one service: the published schema, and below `data` what the package says or, failing that, makes.

    data: None = the package does not say. made: what its mappings make; where the schemas list no values, those that
    can be made are the ones that can come.
    """

    def __init__(self, case_schema: Mapping[str, Any], data: SchemaModel | None, made: TemplateModel) -> None:
        self._case = json_model(case_schema)
        self._data = data
        self._made = made

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        made = self._made.children(path)
        said: Mapping[str, SchemaNode] | None
        if path[:1] != ("data",):
            said = self._case.children(path)
        else:
            said = self._data.children(path[1:]) if self._data is not None else made
        if said is None or not made:
            return said
        return {name: _narrowed(node, made.get(name)) for name, node in said.items()}


class MatterModel:
    """The case as requests of one target read it: `references/NAME` is its own, `references/TARGET/NAME` another's.

    own, by_target: names of the references that targets give.
    """

    def __init__(self, case: SchemaModel, own: Iterable[str], by_target: Mapping[str, Iterable[str]]) -> None:
        self._case = case
        self._own = {name: Shape(name) for name in own}
        self._by_target = {target: {name: Shape(name) for name in names} for target, names in by_target.items()}

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        if path[:1] != ("references",):
            return self._case.children(path)
        if len(path) == 1:
            return {**{target: Shape(target, kind="group") for target in self._by_target}, **self._own}
        return dict(self._by_target.get(path[1], {})) if len(path) == 2 else {}


class TemplateModel:
    """What templates make, as a schema. values: by the place of a rule, the texts it can find (`check.finds`)."""

    def __init__(self, templates: Iterable[Template], values: Mapping[Place, tuple[str, ...]]) -> None:
        self._templates = tuple(templates)
        self._values = values

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        current = [made for template in self._templates for made in makers(template)]
        for name in path:
            members = [t.members[name] for t in current if isinstance(t, Object) and name in t.members]
            current = [made for member in members for made in makers(member)]
        found: dict[str, list[Template]] = {}
        for template in current:
            for name, member in template.members.items() if isinstance(template, Object) else ():
                found.setdefault(name, []).append(member)
        shapes: dict[str, SchemaNode] = {name: self._shape(name, made) for name, made in found.items()}
        return shapes if shapes else None if makes_unknown(current) else {}

    def _shape(self, name: str, made: list[Template]) -> Shape:
        """One member, as several mappings (one for each schema accepted) make it."""
        group = any(isinstance(one, Object) for template in made for one in makers(template))
        most = None if any(makes_list(template) for template in made) else 1
        return Shape(name, 0, most, "group" if group else "leaf", self._texts(made))

    def _texts(self, made: Iterable[Template]) -> tuple[str, ...]:
        """Every text that can come of it; empty where they are not all known."""
        texts: dict[str, None] = {}
        for one in (one for template in made for one in (template, *makers(template))):
            if one.common.default is not None:
                texts[scalar_text(one.common.default)] = None
        for one in (one for template in made for one in makers(template)):
            own = self._own_texts(one)
            if not own:
                return ()
            texts.update(dict.fromkeys(own))
        return tuple(texts)

    def _own_texts(self, template: Template) -> tuple[str, ...]:
        if isinstance(template, Const):
            return (scalar_text(template.value),)
        if isinstance(template, Read) and template.codes is not None:
            values = template.table_values if template.shaping is None else ()
            return () if any(isinstance(v, dict | list) for v in values) else tuple(map(scalar_text, values))
        return self._values.get(template.common.place, ()) if isinstance(template, Read) else ()


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


def _narrowed(node: SchemaNode, made: SchemaNode | None) -> SchemaNode:
    if node.allowed or made is None or not made.allowed:
        return node
    return Shape(node.name, node.min, node.max, node.kind, made.allowed)


def makes_unknown(templates: Iterable[Template]) -> bool:
    """Values from tables and functions, money and dates of XÖV are objects whose members no template shows."""
    return any(isinstance(t, Read) and (t.codes is not None or t.function or t.kind in _OBJECTS) for t in templates)


_OBJECTS = ("money", "xoev-date")
