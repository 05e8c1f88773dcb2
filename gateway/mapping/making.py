"""Which rules of a mapping can make the value at a place of what it makes, and what they read: without running it.

A `Making` looks at one mapping; what it reads is a `Source`: the message, or (for requests) the case that another
`Making` shows. So a field of a request can be followed back to the message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from adapters.content import MARKER
from gateway.mapping.check import follow
from gateway.mapping.conditions import Condition, leaves, other_paths
from gateway.mapping.language import Attachments, Const, Each, First, List, Object, Read, Template, children
from gateway.mapping.nodes import scalar_text
from gateway.mapping.paths import Equals, Path
from gateway.mapping.shapes import SchemaModel, makes_unknown
from gateway.mapping.values import Json

Outcome = Literal["maybe", "stops", "sure"]
"""Of a rule in every message that is valid: may it make nothing, is nothing then made of the whole, or is it there?"""
Joins = Literal["", "else", "and", "also"]
"""How a rule stands to the one before it: instead of it, behind it in the same text, or as a further entry."""

_RANKS: Sequence[Outcome] = ("maybe", "stops", "sure")


def best(outcomes: Iterable[Outcome]) -> Outcome:
    return max(outcomes, key=_RANKS.index, default="maybe")


def worst(*outcomes: Outcome) -> Outcome:
    return min(outcomes, key=_RANKS.index)


W = TypeVar("W")
"""A place in what is read."""


@dataclass(frozen=True, slots=True)
class Landing(Generic[W]):
    """Where a path leads. several: there can be more than one value."""

    where: W
    outcome: Outcome
    several: bool


class Source(Protocol[W]):
    def top(self) -> W: ...
    def follow(self, where: W, path: Path) -> Landing[W]: ...
    def inside(self, where: W) -> W:
        """The same place, seen from one of the entries there: that it is there is settled."""
        ...

    def where_holds(self, where: W, condition: Condition) -> W:
        """Without what fills the place where the condition plainly cannot hold."""
        ...


@dataclass(frozen=True, slots=True)
class Made(Generic[W]):
    """A rule, with what the rules around it say.

    where: what its paths begin at. conditions: all have to hold, each with what its paths begin at. sure: nothing
    around it can leave it out. many: it makes any number of entries. stops, defaults: of the lists and choices that it
    stands in. above: the object whose member it is, or is an entry of.
    """

    template: Template
    where: W
    conditions: tuple[tuple[Condition, W], ...] = ()
    sure: bool = True
    many: bool = False
    joins: Joins = ""
    stops: bool = False
    defaults: tuple[Json, ...] = ()
    above: Made[W] | None = None

    def as_entry(self) -> Made[W]:
        """Seen from inside: that it is there is settled."""
        return replace(self, conditions=(), sure=True, many=False, joins="", stops=False, defaults=())


class Making(Generic[W]):
    def __init__(self, root: Object, source: Source[W]) -> None:
        self.source = source
        self.root: Made[W] = Made(root, source.top())

    def at(self, names: Iterable[str]) -> list[Made[W]]:
        """What makes the values at a place; as `members` from the root."""
        found = [self.root]
        for name in names:
            found = [made for above in found for made in self.members(above, name)]
        return found

    def members(self, above: Made[W], name: str) -> list[Made[W]]:
        """Rules that make a member of this one. A single rule that makes a whole object stands for all of its
        members.
        """
        template = above.template
        if isinstance(template, Object):
            if name not in template.members:
                return []
            member: Made[W] = Made(template.members[name], above.where, above.conditions, above.sure, above.many)
            return self.opened(replace(member, joins=above.joins, above=above))
        return [above] if isinstance(template, Attachments) or makes_unknown([template]) else []

    def below(self, above: Made[W]) -> Iterator[tuple[str, Made[W]]]:
        """Every member, at every depth, with its name."""
        for name in above.template.members if isinstance(above.template, Object) else ():
            for made in self.members(above, name):
                yield name, made
                yield from self.below(made)

    def reads(self, made: Made[W]) -> Iterator[W]:
        """Every place whose value goes into what the rule makes."""
        if isinstance(made.template, Read):
            yield from (self.source.follow(made.where, path).where for path in made.template.paths)
        for part in children(made.template):
            for inner in self.opened(replace(made, template=part)):
                yield from self.reads(inner)

    def weighed(self) -> Iterator[W]:
        """Every place that a condition of the mapping looks at."""
        return self._weighed(self.root.template, self.root.where)

    def _weighed(self, template: Template, where: W) -> Iterator[W]:
        if template.common.when is not None:
            yield from self.looked_at(template.common.when, where)
        inner = (
            self.source.inside(self.source.follow(where, template.path).where) if isinstance(template, Each) else where
        )
        for part in children(template):
            yield from self._weighed(part, inner)

    def looked_at(self, condition: Condition, where: W) -> Iterator[W]:
        for leaf in leaves(condition):
            for path in (*leaf.paths, *other_paths(leaf)):
                yield self.source.follow(where, path).where

    def picked(self, found: Sequence[Made[W]], rule: int | Equals) -> list[Made[W]]:
        """Those of the entries of one list that a filter of a path can mean."""
        if isinstance(rule, Equals):
            return [made for made in found if self.may_be(made, rule.path, (rule.value,))]
        kept: list[Made[W]] = []
        least, most = 0, 0.0
        for made in found:
            own = float("inf") if made.many else 1.0
            if least < rule <= most + own:
                kept.append(made)
            least += self.outcome(made) != "maybe"
            most += own
        return kept

    def outcome(self, made: Made[W]) -> Outcome:
        if not made.sure:
            return "maybe"
        outcome = self._of_template(made.template, made.where)
        if outcome == "maybe" and made.template.common.when is None:
            return "sure" if made.defaults else "stops" if made.stops else "maybe"
        return outcome

    def opened(self, made: Made[W]) -> list[Made[W]]:
        """The rules that make the value or, for lists, its entries."""
        return list(self._opened(made))

    def unaided(self, made: Made[W]) -> Outcome:
        """The outcome of what the rule reads, without its default."""
        return self._of_rule(made.template, made.where)

    def _opened(self, made: Made[W]) -> Iterator[Made[W]]:
        template = made.template
        if template.common.when is not None:
            held = (*made.conditions, (template.common.when, made.where))
            where = self.source.where_holds(made.where, template.common.when)
            made = replace(made, where=where, conditions=held, sure=False)
        match template:
            case List():
                yield from self._each_of(made, template.entries, "also")
            case First():
                yield from self._each_of(made, template.choices, "else")
            case Each():
                landing = self.source.follow(made.where, template.path)
                sure = made.sure and landing.outcome != "maybe"
                where = self.source.inside(landing.where)
                inner = replace(made, template=template.make, where=where, sure=sure, many=landing.several)
                yield from self._opened(_with_fallbacks(inner, template))
            case _:
                yield made

    def _each_of(self, made: Made[W], parts: Sequence[Template], joins: Joins) -> Iterator[Made[W]]:
        for number, part in enumerate(parts):
            inner = replace(made, template=part, joins=joins if number else made.joins)
            yield from self._opened(_with_fallbacks(inner, made.template))

    def _of_template(self, template: Template, where: W) -> Outcome:
        common = template.common
        if common.when is not None:
            return "maybe"
        outcome = self._of_rule(template, where)
        if outcome == "maybe":
            return "sure" if common.default is not None else "stops" if common.required else "maybe"
        return outcome

    def _of_rule(self, template: Template, where: W) -> Outcome:
        match template:
            case Const():
                return "sure"
            case Read():
                return best(self.source.follow(where, path).outcome for path in template.paths)
            case Each():
                landing = self.source.follow(where, template.path)
                return worst(landing.outcome, self._of_template(template.make, self.source.inside(landing.where)))
            case _:
                return best(self._of_template(part, where) for part in children(template))

    def may_be(self, made: Made[W], path: Path, values: Collection[str]) -> bool:
        """False only where it is plain that what stands at the path below is none of these texts."""
        found = [made]
        for step in path.steps:
            if step.axis == "child":
                found = [inner for one in found for inner in self.members(one, step.name)]
            elif step.axis != "self":
                return True
        texts = [_texts(one.template) for one in found]
        return any(known is None or not known.isdisjoint(values) for known in texts)


def _with_fallbacks(made: Made[W], around: Template) -> Made[W]:
    common = around.common
    defaults = () if common.default is None else (common.default,)
    return replace(made, stops=made.stops or common.required, defaults=(*made.defaults, *defaults))


def _texts(template: Template) -> frozenset[str] | None:
    """Everything that a rule can make; None where that is not known."""
    match template:
        case Const():
            return frozenset({scalar_text(template.value)})
        case Read(codes=codes, shaping=None) if codes is not None and template.common.default is None:
            return frozenset(scalar_text(v) for v in template.table_values if not isinstance(v, dict | list))
        case _:
            return None


def is_content(template: Template) -> bool:
    """The content of an attachment (`adapters.content`)."""
    return isinstance(template, Object) and set(template.members) == {MARKER}


# --- the message ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the message. steps: as mappings write them. sure, several: how often it is there, if it is valid."""

    places: tuple[tuple[str, ...], ...] = ((),)
    steps: tuple[str, ...] = ()
    sure: bool = True
    several: bool = False


class MessageSource:
    """model: None where the schema names no single message."""

    def __init__(self, model: SchemaModel | None) -> None:
        self._model = model

    def top(self) -> Spot:
        return Spot()

    def inside(self, where: Spot) -> Spot:
        return where

    def where_holds(self, where: Spot, condition: Condition) -> Spot:
        return where

    def follow(self, where: Spot, path: Path) -> Landing[Spot]:
        start = Spot() if path.absolute else where
        steps = written(start.steps, path)
        if self._model is None:
            places = tuple(_by_name(place, path) for place in start.places)
            return Landing(Spot(places, steps, False), "maybe", False)
        reached = follow(path, start.places, self._model)
        sure = reached.certain and not reached.missing and not reached.unknown
        several = reached.repeated and not path.picks_one
        spot = Spot(reached.places, steps, start.sure and sure, start.several or several)
        return Landing(spot, "sure" if sure else "maybe", several)


def written(start: Sequence[str], path: Path) -> tuple[str, ...]:
    """The steps of a path, behind those that it begins at."""
    steps = [] if path.absolute else list(start)
    for step in path.steps:
        filters = "".join(f"[{_filter(rule)}]" for rule in step.filters)
        match step.axis:
            case "self":
                pass
            case "parent":
                steps = steps[:-1]
            case "attribute":
                steps.append(f"@{step.name}")
            case "descendant":
                steps.append(f"…/{step.name}{filters}")
            case _:
                steps.append(f"{step.name}{filters}")
    return tuple(steps)


def _filter(rule: int | Equals) -> str:
    return str(rule) if isinstance(rule, int) else f"{rule.path}='{rule.value}'"


def _by_name(start: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """Where a path leads as far as it says so itself."""
    place = start
    for step in path.steps:
        if step.axis == "parent":
            place = place[:-1]
        elif step.axis != "self":
            place = (*place, f"@{step.name}" if step.axis == "attribute" else step.name)
    return place
