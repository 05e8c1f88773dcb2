"""Where the value of a field of a request comes from: followed back through the case to the message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Literal, TypeVar

from gateway.mapping.conditions import Present
from gateway.mapping.language import Attachments, Concat, Const, Object, Read, children
from gateway.mapping.making import Joins, Made, Making, Spot, is_content, written
from gateway.mapping.paths import Path
from gateway.mapping.wording import YES_OR_NO, condition_text, joined_by, steps_of, value_text
from gateway.packages.case_source import CaseNode, CaseSource, CaseSpot, Given
from gateway.packages.source_names import Named, SourceNames
from xoev_schemas.findings import Text

Kind = Literal["message", "gateway", "constant", "default", "attachment"]
_NONE = Text("", "")
_CONTENT = Text("Inhalt der Anlage", "content of the attachment")
_W = TypeVar("_W")


@dataclass(frozen=True, slots=True)
class MessageField:
    """path: as mappings write it, from the top. times: how often it is there in a valid message, `0..1`, `1..*`."""

    path: str
    named: Named
    times: str

    @property
    def label(self) -> str:
        """What people call it, or where it stands: the name of an element alone says little."""
        return str(self.named) if self.named.name else self.path

    @classmethod
    def of(cls, spot: Spot, names: SourceNames) -> MessageField:
        times = f"{int(spot.sure)}..{'*' if spot.several else 1}"
        return cls("/".join(spot.steps), names.named(spot.places[0] if spot.places else ()), times)


@dataclass(frozen=True, slots=True)
class Origin:
    """One way to a value.

    source: for `message`. case: the place in the case that it passes, empty for what the request says itself. value:
    for constants and defaults. title: what `gateway` and `attachment` are. steps: what becomes of it on the way, in
    order. conditions: all have to hold for it.
    """

    kind: Kind
    joins: Joins = ""
    source: MessageField | None = None
    case: str = ""
    value: str = ""
    title: Text = _NONE
    steps: tuple[Text, ...] = ()
    conditions: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class _Side(Generic[_W]):
    """One of the two mappings on the way. read: what stands at a path from somewhere. name: what people call
    it. around: whether a condition only says that there is something around what an origin reads.
    """

    making: Making[_W]
    read: Callable[[_W, Path], list[Origin]]
    name: Callable[[_W, Path], str]
    around: Callable[[Present, _W, Origin], bool]


class Origins:
    """Of one request mapping on the case that one message makes."""

    def __init__(self, request: Making[CaseSpot], case: CaseSource, names: SourceNames) -> None:
        self._case = case
        self._names = names
        self._from_case = _Side(request, self._read_case, self._name_in_case, _around)
        self._from_message = _Side(case.making, self._read_message, self._name_in_message, lambda *_: False)

    def of(self, made: Made[CaseSpot]) -> list[Origin]:
        """Those of one rule of the request."""
        return self._of_rule(self._from_case, made)

    def of_node(self, node: CaseNode) -> list[Origin]:
        """Those of a place in the case."""
        if isinstance(node, Given):
            return [Origin("gateway", title=self._case.title(node))]
        return self._of_rule(self._from_message, node)

    def _of_rule(self, side: _Side[_W], made: Made[_W]) -> list[Origin]:
        template = made.template
        match template:
            case Const():
                found = [Origin("constant", value=value_text(template.value))]
            case Read():
                found = _joined((side.read(made.where, path) for path in template.paths), "else")
                found = [_taken(one, steps_of(template, one.value or None)) for one in found]
            case Attachments():
                found = [Origin("gateway", title=self._case.title(Given(("attachments",))))]
            case Concat():
                found = [_taken(one, joined_by(template)) for one in self._of_parts(side, made)]
            case Object() if is_content(template):
                found = [replace(one, kind="attachment", title=_CONTENT) for one in self._of_parts(side, made)]
            case _:
                found = self._of_parts(side, made)
        if side.making.unaided(made) != "sure":
            own = () if template.common.default is None else (template.common.default,)
            defaults = [[Origin("default", value=value_text(value))] for value in (*own, *made.defaults)]
            found = _joined((found, *defaults), "else")
        return [_held(one, side, made) for one in found]

    def _of_parts(self, side: _Side[_W], made: Made[_W]) -> list[Origin]:
        bare = replace(made, conditions=(), joins="", defaults=())
        parts = [side.making.opened(replace(bare, template=part)) for part in children(made.template)]
        return _joined((_joined((self._of_rule(side, one) for one in part), "also") for part in parts), "and")

    def _read_case(self, where: CaseSpot, path: Path) -> list[Origin]:
        spot = self._case.follow(where, path).where
        found = _joined((self.of_node(node) for node in spot.nodes), "else")
        return [replace(one, case="/".join(spot.steps)) for one in found]

    def _read_message(self, where: Spot, path: Path) -> list[Origin]:
        spot = self._case.making.source.follow(where, path).where
        return [Origin("message", source=MessageField.of(spot, self._names))]

    def _name_in_message(self, where: Spot, path: Path) -> str:
        return str(MessageField.of(self._case.making.source.follow(where, path).where, self._names).named)

    def _name_in_case(self, where: CaseSpot, path: Path) -> str:
        """That of the one field of the message whose value, as it is, stands there; else the place in the case."""
        found = self._read_case(where, path)
        if len(found) == 1 and found[0].source is not None and set(found[0].steps) <= {YES_OR_NO}:
            return str(found[0].source.named)
        return "/".join(written(where.steps, path))


def _around(condition: Present, where: CaseSpot, origin: Origin) -> bool:
    """In the case. What a message has to have is worth saying: it may be absent there."""
    read = re.sub(r"\[[^\]]*\]", "", origin.case)
    places = ("/".join(written(where.steps, path)) for path in condition.paths)
    return condition.present and any(f"{read}/".startswith(f"{place}/") for place in places)


def _taken(origin: Origin, steps: Iterable[Text]) -> Origin:
    """With the steps of one more rule; what is done already is not done again."""
    new = (step for step in steps if step not in origin.steps[-1:])
    return replace(origin, steps=(*origin.steps, *new))


def _held(origin: Origin, side: _Side[_W], made: Made[_W]) -> Origin:
    """With the conditions around a rule, but for those which only say that what it reads is there."""
    told = (
        condition_text(condition, partial(side.name, where))
        for condition, where in made.conditions
        if not (isinstance(condition, Present) and side.around(condition, where, origin))
    )
    return replace(origin, conditions=tuple(dict.fromkeys((*origin.conditions, *told))))


def _joined(groups: Iterable[Sequence[Origin]], joins: Joins) -> list[Origin]:
    """Group after group, the first of each later one marked; what is the same way is told once."""
    found: dict[Origin, Origin] = {}
    for group in groups:
        for number, one in enumerate(group):
            marked = replace(one, joins=joins) if found and number == 0 else one
            found.setdefault(replace(one, joins=""), marked)
    return list(found.values())
