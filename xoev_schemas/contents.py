"""What may stand in a message, part by part, the same for XML Schema and JSON Schema: for messages made to a plan.

An element has content: a sequence, or a choice, of particles; a particle is an element or such a group again, with how
often it may occur. Read lazily, so that recursive types do no harm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from xmlschema.names import XSD_ANY_TYPE
from xmlschema.validators import XsdElement, XsdGroup

from xoev_schemas.examples import value
from xoev_schemas.fim.examples import NoExample
from xoev_schemas.json_schema import compiled_validator, dereference
from xoev_schemas.standards import without_version

LONGEST = 1000
"""Characters of a text where a schema knows no limit."""
_MOST_CODES = 300
_LIKELY = (
    "Beispiel", "1", "44135", "name@example.de", "2024-02-29", "2024-02-29T09:30:00+01:00", "09:30:00", "01",
    "https://example.de/", "+49 231 5000", "DE02120300000000202051", "12.50", "123", "1234", "X", "AB", "123456789",
)  # fmt: skip
_EXTREMES = (
    "true", "false", "1", "0", "-1", "0.001", "99999999999", "0001-01-01", "9999-12-31", "2024-02-29Z",
    "2024-02-29T09:30:00", "2024-02-29T09:30:00.123Z", "2024-02-29T09:30:00+14:00", "2024", "2024-02", "07",
)  # fmt: skip
"""Written forms that programs trip over; each type takes those that it allows."""


@dataclass(frozen=True, slots=True)
class Group:
    """choice: exactly one of the particles stands there."""

    particles: tuple[Particle, ...]
    choice: bool = False


@dataclass(frozen=True, slots=True)
class Particle:
    """How often a part may occur; most None = unbounded."""

    least: int
    most: int | None
    part: Element | Group


class Element(Protocol):
    """A named place. written: as documents name it. name: as paths do, without namespace and FIM version."""

    @property
    def written(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def content(self) -> Group | None:
        """None for a leaf. Raises NoExample: nothing can be made of it."""
        ...

    def text(self) -> str:
        """A valid one, for a leaf. Raises NoExample."""
        ...

    def extremes(self) -> list[str]:
        """Valid texts at the edges of what a leaf takes: every code, shortest and longest, smallest and largest."""
        ...

    def takes(self, text: str) -> bool: ...


# --- XML Schema -------------------------------------------------------------------------------------------------------


class XsdPlace:
    """declared: an `xmlschema` element. message: name of the root, see `examples.value`."""

    def __init__(self, declared: XsdElement, message: str) -> None:
        self.declared = declared
        self.written = str(declared.name)
        self.name = without_version(str(declared.local_name))
        self._message = message
        self._kind: Any = declared.type

    @cached_property
    def content(self) -> Group | None:
        if self.declared.abstract or self._kind.abstract:
            raise NoExample(f"{self.name} is abstract")
        if self._simple is not None or self._anything:
            return None
        content = self._kind.content
        return self._group(content) if isinstance(content, XsdGroup) else Group(())

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Those that have to be there, and those with one possible value."""
        found = self._kind.attributes.items() if self._kind.is_complex() else ()
        return {
            name: one.fixed if one.fixed is not None else value(one.type)
            for name, one in found
            if name and (one.use == "required" or (one.fixed is not None and one.use != "prohibited"))
        }

    @cached_property
    def _text(self) -> str:
        if self._anything:
            return _LIKELY[0]
        return self.declared.fixed if self.declared.fixed is not None else value(self._simple, self._message)

    def text(self) -> str:
        return self._text

    def takes(self, text: str) -> bool:
        return self._anything or (self.declared.fixed in (None, text) and bool(self._simple.text_is_valid(text)))

    def extremes(self) -> list[str]:
        if self._anything:
            return []
        kind = self._simple
        codes = [str(one) for one in getattr(kind, "enumeration", None) or ()]
        bounds = [str(b) for name in ("min_value", "max_value") if (b := getattr(kind, name, None)) is not None]
        primitive = getattr(kind, "primitive_type", None)
        is_text = primitive is not None and primitive.local_name in ("string", "anyURI")
        texts = _stretched(self, getattr(kind, "max_length", None)) if is_text else []
        return _valid(self, codes or [*_EXTREMES, *bounds, *texts])

    @property
    def _anything(self) -> bool:
        """FIM's files: a text, and no members that anybody could name."""
        return bool(self._kind.name == XSD_ANY_TYPE)

    @property
    def _simple(self) -> Any:
        kind = self._kind
        return kind if kind.is_simple() else kind.content if kind.has_simple_content() else None

    def _group(self, group: XsdGroup) -> Group:
        return Group(tuple(self._particles(group)), group.model == "choice")

    def _particles(self, group: XsdGroup) -> Iterator[Particle]:
        for one in group:
            if one.max_occurs == 0:
                continue
            if isinstance(one, XsdGroup):
                yield Particle(one.min_occurs, one.max_occurs, self._group(one))
            elif isinstance(one, XsdElement):
                yield Particle(one.min_occurs, one.max_occurs, XsdPlace(one, self._message))
            elif one.min_occurs:
                raise NoExample("content of any kind")


# --- JSON Schema ------------------------------------------------------------------------------------------------------


class JsonPlace:
    """schema: the whole, for its `$ref`s. node: what this member may be; of an array, what its items may be."""

    def __init__(self, schema: Any, node: Any, written: str = "") -> None:
        self._schema = schema
        self._node = dereference(schema, node)
        self.written = written
        self.name = without_version(written)

    @cached_property
    def content(self) -> Group | None:
        node = self._node
        if node.get("type") != "object" and "properties" not in node:
            return None
        required = set(node.get("required", ()))
        members = {
            name: self._member(name, child, required=name in required)
            for name, child in node.get("properties", {}).items()
        }
        chosen = [one["required"][0] for one in node.get("oneOf", ()) if len(one.get("required", ())) == 1]
        if not chosen:
            return Group(tuple(members.values()))
        always = [particle for name, particle in members.items() if name not in chosen]
        branches = tuple(Particle(1, members[name].most, members[name].part) for name in chosen if name in members)
        return Group((*always, Particle(1, 1, Group(branches, choice=True))))

    def _member(self, name: str, child: Any, *, required: bool) -> Particle:
        part = dereference(self._schema, child)
        if part.get("type") != "array":
            return Particle(int(required), 1, JsonPlace(self._schema, part, name))
        least = max(1, part.get("minItems", 0)) if required else 0
        return Particle(least, part.get("maxItems"), _Item(self._schema, part.get("items", {}), name))

    def json_value(self, text: str) -> Any:
        """The text as the schema wants it written."""
        if self._node.get("type") in ("integer", "number", "boolean"):
            try:
                return json.loads(text)
            except ValueError:
                return text
        return text

    def takes(self, text: str) -> bool:
        return bool(self._validator.is_valid(self.json_value(text)))

    @cached_property
    def _validator(self) -> Any:
        shared = {name: self._schema[name] for name in ("$defs", "definitions") if name in self._schema}
        return compiled_validator({**shared, **self._node})

    @cached_property
    def _text(self) -> str:
        least, most = self._node.get("minLength", 0), self._node.get("maxLength", 60)
        lengths = (letter * length for letter in "X1a" for length in range(max(1, least), most + 1))
        bounds = [str(self._node[name]) for name in ("minimum", "maximum") if name in self._node]
        found = next((t for t in (*self._codes(), *_LIKELY, *_EXTREMES, *bounds, *lengths) if self.takes(t)), None)
        if found is None:
            raise NoExample(f"no text is known that {self.name} takes")
        return found

    def text(self) -> str:
        return self._text

    def extremes(self) -> list[str]:
        bounds = [str(self._node[name]) for name in ("minimum", "maximum") if name in self._node]
        texts = _stretched(self, self._node.get("maxLength")) if self._node.get("type", "string") == "string" else []
        return _valid(self, self._codes() or [*_EXTREMES, *bounds, *texts])

    def _codes(self) -> list[str]:
        listed = [*self._node.get("enum", ()), *(o["const"] for o in self._node.get("oneOf", ()) if "const" in o)]
        return [str(one) for one in listed]


class _Item(JsonPlace):
    """Stands in an array, however many there are."""


def is_listed(element: Element) -> bool:
    """Whether its values stand in a JSON array even if there is one only."""
    return isinstance(element, _Item)


# --- texts ------------------------------------------------------------------------------------------------------------


def _valid(element: Element, texts: list[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts[:_MOST_CODES]) if text.strip() and element.takes(text)]


def _stretched(element: Element, most: int | None) -> list[str]:
    """The shortest and the longest text that can be made of a valid one by leaving out, or repeating, characters."""
    try:
        text = element.text()
    except NoExample:
        return []
    limit = LONGEST if most is None else min(most, 5 * LONGEST)
    shortest = next((text[:n] for n in range(1, len(text) + 1) if element.takes(text[:n])), text)
    longest = [
        made
        for at in range(min(len(text), 12))
        if (made := text[:at] + text[at] * (limit - len(text)) + text[at:]) and element.takes(made)
    ]
    return [shortest, *longest[:1]]
