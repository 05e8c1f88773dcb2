"""What a mapping file says, as data: a template in the shape of what it makes, with rules where values come from.

Read by `gateway.mapping.reader`, run by `gateway.mapping.run`, checked against schemas by `gateway.mapping.check`.
The language for people is described in `docs/reference/mapping-language.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from gateway.mapping.conditions import Condition
from gateway.mapping.paths import Path
from gateway.mapping.problems import Place
from gateway.mapping.values import Json


@dataclass(frozen=True, slots=True)
class Common:
    """What every part may carry. default: None = none."""

    place: Place
    when: Condition | None = None
    required: bool = False
    default: Json = None


@dataclass(frozen=True, slots=True)
class Const:
    common: Common
    value: Json


@dataclass(frozen=True, slots=True)
class Read:
    """`from:`. The first path with a value wins. kind: `as:`. codes: text → value, None = no table."""

    common: Common
    paths: tuple[Path, ...]
    kind: str = "text"
    codes: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Concat:
    common: Common
    pieces: tuple[Template, ...]
    separator: str = ""


@dataclass(frozen=True, slots=True)
class First:
    common: Common
    choices: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Each:
    common: Common
    path: Path
    make: Template


@dataclass(frozen=True, slots=True)
class Attachments:
    """purposes: None = all."""

    common: Common
    purposes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Object:
    common: Common
    members: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class List:
    common: Common
    entries: tuple[Template, ...] = ()


Template = Const | Read | Concat | First | Each | Attachments | Object | List


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A file, ready to run. kind: `case` (submission → case) or `request` (case → request).

    make: what `gateway.mapping.run.compiled` made of `root`.
    """

    kind: str
    file: FilePath
    root: Object
    make: Callable[..., Json] = field(repr=False, compare=False)


def parts(template: Template) -> Iterator[Template]:
    """The template and everything in it, top down."""
    yield template
    for child in children(template):
        yield from parts(child)


def children(template: Template) -> tuple[Template, ...]:
    match template:
        case Object():
            return tuple(template.members.values())
        case List():
            return template.entries
        case Concat():
            return template.pieces
        case First():
            return template.choices
        case Each():
            return (template.make,)
        case _:
            return ()
