"""One model of a Stammdatenschema, whatever version of XDatenfelder it was written in.

Names follow the standard's German words: a schema (Stammdatenschema) has positions (Struktur); at a position stands a
field (Datenfeld) or a group (Datenfeldgruppe) of further positions. How often something may occur belongs to the
position, never to the field: the same field stands in several places with different numbers (XDatenfelder 3.0.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

FieldKind = Literal["input", "select", "label", "hidden", "locked"]
DataType = Literal[
    "text", "text_latin", "date", "time", "datetime", "bool", "num", "num_int", "num_currency", "file", "obj"
]
XdfVersion = Literal["2", "3"]


@dataclass(frozen=True, slots=True)
class Basis:
    """A legal basis or other source (Bezug). link: where its text is published, None if not said."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The Präzisierung of a field. Lengths in characters; values as written: numbers, or dates for date fields.

    pattern: a regular expression written by hand, for the whole value, possibly with `^` and `$` at its ends.
    """

    min_length: int | None = None
    max_length: int | None = None
    min_value: str | None = None
    max_value: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values listed in the schema itself (Wert)."""

    code: str
    name: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class ListRef:
    """A code list outside of the schema. version: None where the schema leaves it to the receiver.

    key_column: the column whose values are the codes, where it is not the list's own key (codeKey).
    """

    uri: str
    version: str | None
    key_column: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as the editors wrote it: free text for people. A script, which XDatenfelder 2 may have, is not kept."""

    id: str
    version: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """A Datenfeld. label: what the form calls it (Bezeichnung Eingabe); help: for who fills it in.

    content: the text of a label, or a preset. values, code_list: of a selection, at most one of them.
    max_size (bytes), media_types: of a file.
    """

    id: str
    version: str
    name: str
    label: str
    label_out: str
    help: str
    kind: FieldKind
    type: DataType
    limits: Limits | None
    values: tuple[Value, ...]
    code_list: ListRef | None
    content: str
    description: str
    definition: str
    legal_basis: tuple[Basis, ...]
    rules: tuple[Rule, ...]
    max_size: int | None
    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A Datenfeldgruppe. choice: exactly one of its positions is filled (art X)."""

    id: str
    version: str
    name: str
    label: str
    label_out: str
    help: str
    description: str
    definition: str
    legal_basis: tuple[Basis, ...]
    rules: tuple[Rule, ...]
    choice: bool
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a schema or group. min, max: how often the element may occur there; max None = unbounded.

    legal_basis: why it stands here; the element has its own besides.
    """

    min: int
    max: int | None
    element: Field | Group
    legal_basis: tuple[Basis, ...] = ()

    @property
    def is_label(self) -> bool:
        """A Hinweistext: shown in the form, never in the data."""
        return isinstance(self.element, Field) and self.element.kind == "label"


@dataclass(frozen=True, slots=True)
class DataSchema:
    """A Stammdatenschema (or, published alone, a Datenfeldgruppe). version: empty where the file gives none.

    rules: all rules of the schema, its groups and its fields, each once, in the order of the file.
    coded: name of a field in data, with and without version → the code lists that its positions name: one, as a rule.
    status: the editors' code (XDatenfelder 3: 1 planned … 6 gold, 7 inactive; 2: inVorbereitung, aktiv, inaktiv).
    """

    id: str
    version: str
    title: str
    label: str
    description: str
    help: str
    status: str
    legal_basis: tuple[Basis, ...]
    rules: tuple[Rule, ...]
    choice: bool
    positions: tuple[Position, ...]
    coded: Mapping[str, tuple[ListRef, ...]]
    xdf: XdfVersion


Trail = tuple[Position, ...]
"""The positions from the schema's top down to one, which is the last."""


def element_name(element: DataSchema | Group | Field, *, versioned: bool) -> str:
    """The name in the data: `F60000000227V1.1.0`, or `F60000000227` without the version."""
    return f"{element.id}V{element.version}" if versioned and element.version else element.id


def trails(parent: DataSchema | Group, above: Trail = ()) -> Iterator[Trail]:
    """Every position below, in the order of the schema, each with those above it."""
    for position in parent.positions:
        trail = (*above, position)
        yield trail
        if isinstance(position.element, Group):
            yield from trails(position.element, trail)


def by_id(parent: DataSchema | Group) -> Mapping[str, Position]:
    """The positions of one level by the id of what stands there."""
    return {position.element.id: position for position in parent.positions}
