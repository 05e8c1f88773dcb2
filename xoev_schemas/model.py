"""The structure of a message as a tree of names, for checking without a document that a path can exist.

Built lazily, level by level, so that recursive types do no harm. Names are local, and FIM versions are stripped:
`F60000000227V1.1.0` and `F60000000227` are one name, in XML and JSON alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xmlschema
from xmlschema.names import XSD_ANY_TYPE
from xmlschema.validators import XsdAttribute, XsdElement, XsdGroup

from xoev_schemas.json_schema import dereference
from xoev_schemas.standards import Schema, Standard, without_version

_MOST_LEVELS = 200


@dataclass(frozen=True, slots=True)
class Node:
    """A place in a message.

    name: local name without FIM version; `@name` for an attribute. min, max: how often it may occur under one parent,
    max None = unbounded (a member of a choice has min 0). kind: `leaf` has a value, `group` has members.
    type: the schema's name of a leaf's type, as far as it has one. allowed: enumerated values, empty if none.
    """

    name: str
    min: int
    max: int | None
    kind: Literal["leaf", "group"]
    type: str
    allowed: tuple[str, ...] = ()


_Members = Mapping[str, tuple[Node, Any]]


class SchemaModel:
    """Looks up the children of a path below the root element (or root object), which itself is not named in paths."""

    def __init__(self, root: Any, members: Callable[[Any], _Members]) -> None:
        self._root = root
        self._members = members
        self._known: dict[tuple[str, ...], _Members | None] = {}

    @property
    def root(self) -> Any:
        """What it was made from: an `xmlschema` element, or a JSON Schema."""
        return self._root

    def children(self, path: tuple[str, ...]) -> dict[str, Node] | None:
        """Name → Node of everything that may stand below `path` (local names); None if the path cannot exist."""
        members = self._at(tuple(without_version(step) for step in path))
        return None if members is None else {name: node for name, (node, _) in members.items()}

    def node(self, path: tuple[str, ...]) -> Node | None:
        """The node at a path that is not empty; None if it cannot exist."""
        children = self.children(path[:-1])
        return children.get(without_version(path[-1])) if children else None

    def definition(self, path: tuple[str, ...]) -> Any:
        """What the schema has at a path that is not empty: an `xmlschema` element, or a part of a JSON Schema as it is
        written; None for attributes, and if the path cannot exist.
        """
        members = self._at(tuple(without_version(step) for step in path[:-1]))
        return members[name][1] if members and (name := without_version(path[-1])) in members else None

    def _at(self, path: tuple[str, ...]) -> _Members | None:
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: tuple[str, ...]) -> _Members | None:
        if not path:
            return self._members(self._root)
        above = self._at(path[:-1]) if len(path) <= _MOST_LEVELS else None
        if above is None or path[-1] not in above:
            return None
        return self._members(above[path[-1]][1])


# --- XML Schema ----------------------------------------------------------------------------------------------------


def xsd_model(folder: Path, standard: Standard, schema: Schema, message: tuple[str, str]) -> SchemaModel:
    """The model of one message (namespace, local name), from the standard's own files and nothing else."""
    published = {url: (folder / path).as_uri() for url, path in standard.catalog.items()}
    compiled = xmlschema.XMLSchema10(
        str(folder / schema.entry),
        allow="sandbox",
        # `always` refuses every DOCTYPE, and xmldsig's schema begins with one; its bytes are pinned by the lock.
        defuse="never" if _has_doctype(folder, standard) else "always",
        uri_mapper=published,
    )
    namespace, name = message
    root = compiled.maps.elements[f"{{{namespace}}}{name}" if namespace else name]
    return SchemaModel(root, _xsd_members)


def _has_doctype(folder: Path, standard: Standard) -> bool:
    return any(b"<!DOCTYPE" in (folder / path).read_bytes() for path in standard.files if path.endswith(".xsd"))


def _xsd_members(parent: Any) -> _Members:
    kind = parent.type
    members: dict[str, tuple[Node, Any]] = {
        f"@{local}": (_attribute_node(local, attribute), None)
        for name, attribute in parent.attributes.items()
        if name is not None and isinstance(attribute, XsdAttribute) and (local := _local(name))
    }
    content = getattr(kind, "content", None)
    if isinstance(content, XsdGroup):
        for element, least, most in _particles(content, 1, 1):
            name = without_version(_local(element.name))
            members[name] = (_element_node(name, element, least, most), element)
    return members


def _particles(group: XsdGroup, least: int, most: int | None) -> Iterator[tuple[XsdElement, int, int | None]]:
    """The elements of a content model with how often each may occur, all groups around it considered."""
    optional = group.model == "choice" and len(group) > 1
    least = 0 if optional else least * group.min_occurs
    most = _times(most, group.max_occurs)
    for particle in group:
        if isinstance(particle, XsdGroup):
            yield from _particles(particle, least, most)
        elif isinstance(particle, XsdElement) and particle.max_occurs != 0:
            yield particle, least * particle.min_occurs, _times(most, particle.max_occurs)


def _times(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one * other


def _element_node(name: str, element: XsdElement, least: int, most: int | None) -> Node:
    kind: Any = element.type
    # Of any type (FIM's files): it may have a text, and no members that a path could name.
    anything = kind is not None and kind.name == XSD_ANY_TYPE
    is_leaf = kind is None or anything or kind.is_simple() or kind.has_simple_content()
    simple = (kind if kind is None or kind.is_simple() else kind.content) if is_leaf and not anything else None
    return Node(name, least, most, "leaf" if is_leaf else "group", _type_name(kind), _enumeration(simple))


def _attribute_node(local: str, attribute: XsdAttribute) -> Node:
    least = 1 if attribute.use == "required" else 0
    return Node(f"@{local}", least, 1, "leaf", _type_name(attribute.type), _enumeration(attribute.type))


def _type_name(kind: Any) -> str:
    """The type's name, or that of the built-in type it restricts."""
    while kind is not None and kind.local_name is None:
        kind = kind.base_type
    return "" if kind is None else str(kind.local_name)


def _enumeration(kind: Any) -> tuple[str, ...]:
    values = getattr(kind, "enumeration", None) or ()
    return tuple(str(value) for value in values)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


# --- JSON Schema ---------------------------------------------------------------------------------------------------


def json_model(schema: Any) -> SchemaModel:
    """The model of a JSON Schema, through `properties`, `items`, `$ref`, `oneOf`, `anyOf`, `allOf`."""
    return SchemaModel(schema, lambda node: _json_members(schema, node))


def _json_members(schema: Any, node: Any) -> _Members:
    members: dict[str, tuple[Node, Any]] = {}
    for part, always in _branches(schema, node, always=True):
        required = set(part.get("required", ())) if always else set()
        for key, child in part.get("properties", {}).items():
            name = without_version(key)
            members[name] = _json_member(schema, name, child, required=key in required)
    return members


def _branches(schema: Any, node: Any, *, always: bool, level: int = 0) -> Iterator[tuple[dict[str, Any], bool]]:
    """An object schema and those it is combined from; the flag says whether a branch holds for every object."""
    part = dereference(schema, node)
    if "items" in part and part.get("type") == "array":
        part = dereference(schema, part["items"])
    yield part, always
    if level < 16:
        for keyword, holds in (("allOf", always), ("oneOf", False), ("anyOf", False)):
            for branch in part.get(keyword, ()):
                yield from _branches(schema, branch, always=holds, level=level + 1)


def _json_member(schema: Any, name: str, child: Any, *, required: bool) -> tuple[Node, Any]:
    part = dereference(schema, child)
    least = int(required)
    most: int | None = 1
    item = part
    if part.get("type") == "array":
        item = dereference(schema, part.get("items", {}))
        least, most = (part.get("minItems", 0) if required else 0), part.get("maxItems")
    kind: Literal["leaf", "group"] = "group" if item.get("type") == "object" or "properties" in item else "leaf"
    options = [
        *item.get("enum", ()),
        *(o["const"] for o in item.get("oneOf", ()) if isinstance(o, dict) and "const" in o),
    ]
    allowed = tuple(str(option) for option in options)
    return Node(name, least, most, kind, str(item.get("type", "")), allowed), child
