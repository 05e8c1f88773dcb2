"""What schemas allow, seen by path: one view on a standard's schema, on JSON Schema and on a target's list of fields.

`SchemaModel` is what `xoev_schemas.Registry.model` gives; the classes here give the same for the case and for requests.
Paths are tuples of local names; arrays are no level of their own. None instead of children = nothing is known below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.base import FieldSpec
from gateway.mapping.language import Attachments, Each, First, List, Object, Read, Template
from gateway.mapping.nodes import simple_name


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


class JsonSchemaModel:
    """The members that a JSON Schema describes. Local `$ref`s only; all alternatives (`oneOf`, `anyOf`) are possible."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        schemas = self._expand(self._root)
        for name in path:
            schemas = [below for schema in schemas for below in self._member(schema, name)]
        described = [schema for schema in schemas if "properties" in schema]
        if not described:
            return None if any(_open(schema) for schema in schemas) else {}
        return {
            simple_name(name): self._shape(simple_name(name), member, name in schema.get("required", ()))
            for schema in described
            for name, member in schema["properties"].items()
        }

    def _member(self, schema: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
        members = schema.get("properties", {})
        return [below for key, member in members.items() if simple_name(key) == name for below in self._expand(member)]

    def _expand(self, schema: Any, depth: int = 0) -> list[Mapping[str, Any]]:
        """The schema and everything it refers to, combines or holds as items."""
        if not isinstance(schema, Mapping) or depth > 20:
            return []
        found = [schema]
        if isinstance(reference := schema.get("$ref"), str):
            found += self._expand(self._lookup(reference), depth + 1)
        for keyword in ("allOf", "anyOf", "oneOf"):
            found += [below for part in schema.get(keyword, ()) for below in self._expand(part, depth + 1)]
        return found + self._expand(schema.get("items"), depth + 1)

    def _lookup(self, reference: str) -> Any:
        current: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            current = current.get(step.replace("~1", "/").replace("~0", "~"), {})
        return current

    def _shape(self, name: str, member: Any, required: bool) -> Shape:
        schemas = self._expand(member)
        repeated = any("items" in schema or schema.get("type") == "array" for schema in schemas)
        group = any("properties" in schema or schema.get("type") == "object" for schema in schemas)
        allowed = [str(value) for schema in schemas for value in schema.get("enum", ())]
        allowed += [str(schema["const"]) for schema in schemas if "const" in schema]
        return Shape(name, int(required), None if repeated else 1, "group" if group else "leaf", tuple(allowed))


def _open(schema: Mapping[str, Any]) -> bool:
    """An object about which nothing is said, or a schema that says nothing at all."""
    kind = schema.get("type")
    return (kind is None and "$ref" not in schema) or kind == "object" or (isinstance(kind, list) and "object" in kind)


class CaseModel:
    """The case of one service: the published schema, and below `data` what the package says or, failing that, makes."""

    def __init__(self, case_schema: Mapping[str, Any], data: SchemaModel) -> None:
        self._case = JsonSchemaModel(case_schema)
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
