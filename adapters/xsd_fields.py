"""The fields of an XML schema's type, for checking mappings: elements and attributes by their local names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import xmlschema

from adapters.base import FieldSpec

_DEPTH = 40
"""Levels of a type that are listed as fields; a recursive type would have no end."""
_MOST = 5000
"""Fields that are listed: types that hold each other (StUF) have millions within a few levels."""


def type_fields(kind: Any) -> list[FieldSpec]:
    """Every leaf and group below an element of this type (of the xmlschema library), outermost first.

    `required` holds below a present parent. Of a very large type as many whole levels as there is room for: what is
    deeper counts as unknown.
    """
    found: list[FieldSpec] = []
    for depth in range(1, _DEPTH + 1):
        deeper = list(islice(_fields(kind, "", True, depth), _MOST + 1))
        if len(deeper) > _MOST or len(deeper) == len(found):
            break
        found = deeper
    return found


def _fields(kind: Any, prefix: str, required: bool, depth: int) -> Iterator[FieldSpec]:
    if depth == 0 or kind.is_simple():
        return
    for name, attribute in kind.attributes.items():
        if name:
            yield _spec(f"{prefix}{attribute.local_name}", attribute.use == "required", attribute.type, repeated=False)
    if kind.has_complex_content():
        yield from _particles(kind.content, prefix, required, depth)


def _particles(group: Any, prefix: str, required: bool, depth: int) -> Iterator[FieldSpec]:
    """required: False below an optional group and in a choice, where none of several need be there."""
    must = required and group.min_occurs > 0 and group.model != "choice"
    for particle in group:
        if isinstance(particle, xmlschema.validators.XsdGroup):
            yield from _particles(particle, prefix, must, depth)
        elif isinstance(particle, xmlschema.validators.XsdElement):
            path = f"{prefix}{particle.local_name}"
            repeated = particle.max_occurs is None or particle.max_occurs > 1
            yield _spec(path, must and particle.min_occurs > 0, particle.type, repeated=repeated)
            yield from _fields(particle.type, f"{path}.", True, depth - 1)


def _spec(path: str, required: bool, kind: Any, *, repeated: bool) -> FieldSpec:
    simple = kind if kind.is_simple() else (kind.content if kind.has_simple_content() else None)
    if simple is None:
        return FieldSpec(path, required, "group", repeated=repeated)
    primitive = getattr(simple, "primitive_type", None)
    return FieldSpec(
        path,
        required,
        str(primitive.local_name) if primitive is not None else "string",
        tuple(str(value) for value in getattr(simple, "enumeration", None) or ()),
        getattr(simple, "max_length", None),
        repeated,
    )
