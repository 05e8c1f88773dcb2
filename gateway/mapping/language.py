"""What a mapping file says, as data: a template in the shape of what it makes, with rules where values come from.

Read by `gateway.mapping.reader`, run by `gateway.mapping.run`, checked against schemas by `gateway.mapping.check`.
The language for people is described in `docs/reference/mapping-language.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from gateway.mapping.conditions import Condition
from gateway.mapping.functions import Function
from gateway.mapping.paths import Path
from gateway.mapping.problems import Place
from gateway.mapping.shaping import Shaping
from gateway.mapping.values import Json


@dataclass(frozen=True, slots=True)
class Common:
    """What every part may carry. default: None = none.

    stops: `required: stop`. That there may be nothing is known, and that a person has to look then is meant.
    """

    place: Place
    when: Condition | None = None
    required: bool = False
    default: Json = None
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Const:
    common: Common
    value: Json


@dataclass(frozen=True, slots=True)
class Read:
    """`from:`. The first path with a value wins.

    kind, decimals: `as:` and what it takes. codes: text → value, None = no table. table: its name, empty where it
    stands in the rule. otherwise: for codes that it lacks, None = they are an error. function: in the place of `as` and
    tables. shaping: of the text that was made.
    """

    common: Common
    paths: tuple[Path, ...]
    kind: str = "text"
    decimals: int | None = None
    codes: Mapping[str, Json] | None = None
    table: str = ""
    otherwise: Json = None
    function: Function | None = None
    shaping: Shaping | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the text that was found is what is made."""
        return self.kind == "text" and self.codes is None and self.function is None and self.shaping is None

    @property
    def table_values(self) -> tuple[Json, ...]:
        """Everything that the table can make."""
        values = tuple((self.codes or {}).values())
        return values if self.otherwise is None else (*values, self.otherwise)


@dataclass(frozen=True, slots=True)
class Concat:
    common: Common
    pieces: tuple[Template, ...]
    separator: str = ""
    shaping: Shaping | None = None


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

    make: what `gateway.mapping.run.compiled` made of `root`. uses: installed code lists and functions, each with its
    version: what the mapping makes depends on them as on its file.
    """

    kind: str
    file: FilePath
    root: Object
    make: Callable[..., Json] = field(repr=False, compare=False)
    uses: tuple[str, ...] = ()


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
