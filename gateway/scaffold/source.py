"""A message as a tree of fields with the names people know them by, from whatever the standard says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xoev_schemas.fim.model import DataSchema, Group, trails
from xoev_schemas.fim.model import Field as FimField
from xoev_schemas.model import Node, SchemaModel

_DEEPEST = 14
_MOST_FIELDS = 2500
"""A mapping with more of them helps nobody; what is deeper is named in comments, group by group."""
_FIM_DATE = "G60000000083"
"""Baukasten: Geburtsdatum (teilbekannt), a group of day, month and year."""
_DATE_WORDS = frozenset({"teilbekanntesDatum", "jahrMonatTag"})
"""XÖV core components: alternatives of a date that may be known in part."""

_KINDS: Mapping[str, str] = {
    "date": "date", "bool": "boolean", "boolean": "boolean", "num_int": "integer", "integer": "integer",
    "int": "integer", "positiveInteger": "integer", "nonNegativeInteger": "integer", "num": "decimal",
    "number": "decimal", "decimal": "decimal", "num_currency": "money", "datetime": "datetime",
    "dateTime": "datetime",
}  # fmt: skip
"""Type in the source → `as` of the mapping language; all others are text."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A place in a message; each is one of its own, whatever it is called.

    name: the step of a path. id: FIM id, empty for others. label: what people call it. type: as the source names it.
    min, max: how often under one parent; max None = any number. allowed: code → its name (or the code again).
    kind: `as` of the mapping language. members: empty for a leaf, and below what repeats itself without end.
    """

    name: str
    id: str
    label: str
    type: str
    min: int
    max: int | None
    kind: str
    is_group: bool
    allowed: Mapping[str, str]
    members: tuple[Field, ...]
    attributes: tuple[str, ...]

    @property
    def repeated(self) -> bool:
        return self.max is None or self.max > 1

    @property
    def note(self) -> str:
        """For the comment behind it: id, name, type, how often, codes."""
        named = f"{self.id} {self.label}".strip() if self.id or self.label != self.name else ""
        times = f"{self.min}..{'*' if self.max is None else self.max}"
        parts = [named, "" if self.is_group else self.type, times, _codes(self.allowed)]
        return " · ".join(part for part in parts if part)


Path = tuple[str, ...]
Trail = tuple[Field, ...]
"""From the top of the message down to a field, which is the last."""


def read_source(model: SchemaModel, fim: DataSchema | None) -> Field:
    """The message, as a group without a name; of one with very many fields as many levels as people can still read."""
    described = {trail[-1].element.id: trail[-1].element for trail in trails(fim)} if fim else {}
    for deepest in range(_DEEPEST, 0, -1):
        reader = _Reader(model, described, deepest)
        members = reader.members(())
        source = Field("", "", "", "", 1, 1, "text", True, {}, members, reader.attributes(()))
        if sum(1 for _ in leaves(source)) <= _MOST_FIELDS:
            break
    return source


def leaves(parent: Field, above: Trail = ()) -> Iterator[Trail]:
    """Every field that has a value of its own, in the order of the message."""
    for member in parent.members:
        trail = (*above, member)
        if member.is_group and member.kind != "partial-date":
            yield from leaves(member, trail)
        else:
            yield trail


class _Reader:
    def __init__(self, model: SchemaModel, described: Mapping[str, FimField | Group], deepest: int) -> None:
        self._model = model
        self._described = described
        self._deepest = deepest

    def attributes(self, path: Path) -> tuple[str, ...]:
        return tuple(name for name in self._model.children(path) or {} if name.startswith("@"))

    def members(self, path: Path) -> tuple[Field, ...]:
        """Empty where the message may contain itself again, and where it is too deep."""
        below = self._model.children(path) or {}
        if len(path) > self._deepest or self._again(path, below):
            return ()
        return tuple(self._field((*path, name), node) for name, node in below.items() if not name.startswith("@"))

    def _again(self, path: Path, below: Mapping[str, Node]) -> bool:
        above = [path[: step + 1] for step in range(len(path) - 1) if path[step] == path[-1]]
        return any(set(self._model.children(place) or {}) == set(below) for place in above)

    def _field(self, path: Path, node: Node) -> Field:
        element = self._described.get(node.name)
        is_group = node.kind == "group"
        members = self.members(path) if is_group else ()
        kind = element.type if isinstance(element, FimField) else node.type
        partial = node.name == _FIM_DATE or bool({member.name for member in members} & _DATE_WORDS)
        return Field(
            name=node.name,
            id=node.name if element is not None else "",
            label=" ".join((element.label or element.name).split()) if element is not None else node.name,
            type=kind or "text",
            min=node.min,
            max=node.max,
            kind="partial-date" if partial else "text" if is_group else _KINDS.get(kind, "text"),
            is_group=is_group,
            allowed=_allowed(node, element),
            members=members,
            attributes=self.attributes(path),
        )


def _allowed(node: Node, element: FimField | Group | None) -> Mapping[str, str]:
    if isinstance(element, FimField) and element.values:
        return {value.code: " ".join(value.name.split()) for value in element.values}
    return {code: code for code in node.allowed}


def _codes(allowed: Mapping[str, str]) -> str:
    shown = [code if code == name else f"{code} = {name[:40]}" for code, name in list(allowed.items())[:6]]
    return ", ".join(shown) + (", …" if len(allowed) > len(shown) else "")
