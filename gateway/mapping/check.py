"""Proves a mapping against schemas, without running it: every path exists, every member fits, every duty is met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from adapters.content import MARKER
from gateway.mapping.conditions import Condition, Every, Not, OneOf, Present, Some, leaves, other_paths
from gateway.mapping.language import (
    Common,
    CompiledMapping,
    Concat,
    Const,
    Each,
    First,
    List,
    Object,
    Read,
    Template,
    children,
)
from gateway.mapping.nodes import scalar_text
from gateway.mapping.paths import Equals, Path, Step
from gateway.mapping.problems import Place, Problems, did_you_mean
from gateway.mapping.rules import Rule, RuleSet
from gateway.mapping.shapes import SchemaModel, SchemaNode, makers, makes_list
from gateway.mapping.values import OF_GROUPS
from xoev_schemas.findings import Finding, Severity, Text

_SEARCH_DEPTH = 25
_SEARCH_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a path leads in a schema.

    places: possible positions. nodes: what stands there. repeated: several values are possible. certain: at least one
    is there in every valid document. unknown: somewhere the schema says nothing, so nothing can be said. missing: the
    step that leads nowhere, and what was possible.
    """

    places: tuple[tuple[str, ...], ...]
    nodes: tuple[SchemaNode, ...] = ()
    repeated: bool = False
    certain: bool = True
    unknown: bool = False
    missing: tuple[str, tuple[str, ...]] | None = None


def check_paths(mapping: CompiledMapping, model: SchemaModel, schema: str) -> list[Finding]:
    """Every path that the mapping reads exists in `model`. schema: its name, for the findings."""
    checker = _Paths(model, schema)
    checker.template(mapping.root, ((),))
    return checker.problems.findings


def check_rules(rules: RuleSet, model: SchemaModel, schema: str) -> list[Finding]:
    """Every path that the rules of a service read exists in `model`."""
    checker = _Paths(model, schema)
    for rule in rules.rules:
        checker.rule(rule)
    return checker.problems.findings


def check_condition(condition: Condition, model: SchemaModel, schema: str) -> list[Finding]:
    """Every path of a condition that stands for itself (a target's `when`) exists, and it can hold at all."""
    checker = _Paths(model, schema)
    checker.condition(condition, ((),), alone=True)
    return checker.problems.findings


@dataclass(frozen=True, slots=True)
class Finds:
    """What the rules of a mapping (by where they stand) find in documents that are valid by a schema.

    certain: rules (`from`, `each`) that find something in every one. values: the texts that a `from` can find, for
    those where the schema lists them.
    """

    certain: frozenset[Place] = frozenset()
    values: Mapping[Place, tuple[str, ...]] = field(default_factory=dict)


def finds(mapping: CompiledMapping, model: SchemaModel) -> Finds:
    checker = _Paths(model, "")
    checker.template(mapping.root, ((),))
    return Finds(frozenset(checker.certain), checker.values)


def check_shape(
    mapping: CompiledMapping,
    model: SchemaModel,
    schema: str,
    found: Finds | None = None,
    without: frozenset[str] = frozenset(),
) -> list[Finding]:
    """What the mapping makes fits `model`: no unknown member, no required one missing, no value that is not allowed.

    found: as `finds` gives it for what the mapping reads.
    without: members of the top level that are filled elsewhere and may not be made here.
    """
    checker = _Shapes(model, schema, found or Finds())
    for name in sorted(without & set(mapping.root.members)):
        text = Text(f"„{name}“ füllt das Gateway selbst.", f"the gateway itself fills '{name}'.")
        checker.problems.add(mapping.root.members[name].common.place, "mapping.reserved_member", text)
    checker.members(mapping.root, (), without)
    return checker.problems.findings


def follow(path: Path, start: tuple[tuple[str, ...], ...], model: SchemaModel) -> Reached:
    """Where `path` leads in the schema from the positions `start`."""
    reached = Reached(((),) if path.absolute else start)
    for step in path.steps:
        if reached.unknown or reached.missing:
            return reached
        reached = _step(step, reached, model)
    return reached


def _step(step: Step, reached: Reached, model: SchemaModel) -> Reached:
    if step.axis == "self":
        return reached if reached.nodes else replace(reached, nodes=_standing(reached.places, model))
    if step.axis == "parent":
        above = tuple(dict.fromkeys(place[:-1] for place in reached.places))
        return Reached(above, (), reached.repeated, reached.certain)
    if step.axis == "attribute":
        return _attribute(step.name, reached, model)
    below = [model.children(place) for place in reached.places]
    if step.axis == "descendant":
        found, complete = _search(step.name, reached.places, model)
    else:
        pairs = zip(reached.places, below, strict=True)
        found = [((*place, step.name), kids[step.name]) for place, kids in pairs if kids and step.name in kids]
        complete = all(kids is not None for kids in below)
    if not found:
        known = tuple(name for kids in below if kids for name in kids)
        missing = (step.name, known) if complete else None
        return Reached(reached.places, (), reached.repeated, False, not complete, missing)
    several = any(node.max is None or node.max > 1 for _, node in found) and not step.filters
    surely = len(found) == len(reached.places) and all(node.min > 0 for _, node in found)
    certain = reached.certain and surely and step.axis == "child" and all(rule == 1 for rule in step.filters)
    places, nodes = tuple(place for place, _ in found), tuple(node for _, node in found)
    return Reached(places, nodes, reached.repeated or several, certain)


def _standing(places: tuple[tuple[str, ...], ...], model: SchemaModel) -> tuple[SchemaNode, ...]:
    """The leaves that a path begins at; none where there are groups among them: a rule may take those as a whole."""
    around = [(place, model.children(place[:-1]) or {}) for place in places if place]
    nodes = tuple(kids[place[-1]] for place, kids in around if place[-1] in kids)
    return nodes if all(node.kind == "leaf" for node in nodes) else ()


def _attribute(name: str, reached: Reached, model: SchemaModel) -> Reached:
    """Models that list attributes do so as children called `@name`; the others say nothing about them."""
    below = [model.children(place) or {} for place in reached.places]
    attributes = {key: node for kids in below for key, node in kids.items() if key.startswith("@")}
    if not attributes:
        return Reached(reached.places, (), reached.repeated, False, unknown=True)
    node = attributes.get(f"@{name}")
    missing = None if node else (f"@{name}", tuple(attributes))
    certain = reached.certain and node is not None and node.min > 0
    return Reached(reached.places, (node,) if node else (), reached.repeated, certain, missing=missing)


def _search(
    name: str, start: tuple[tuple[str, ...], ...], model: SchemaModel
) -> tuple[list[tuple[tuple[str, ...], SchemaNode]], bool]:
    """All places called `name` below `start`, breadth first, and whether everything could be seen."""
    found: list[tuple[tuple[str, ...], SchemaNode]] = []
    level, seen, complete = list(start), 0, True
    for _ in range(_SEARCH_DEPTH):
        following: list[tuple[str, ...]] = []
        for place in level:
            kids = model.children(place)
            complete = complete and kids is not None
            for child, node in (kids or {}).items():
                seen += 1
                found += [((*place, child), node)] if child == name else []
                following += [(*place, child)] if node.kind == "group" else []
        level = following
        if not level or seen > _SEARCH_NODES:
            break
    return found, complete and not level


class _Paths:
    def __init__(self, model: SchemaModel, schema: str) -> None:
        self.problems = Problems()
        self.certain: set[Place] = set()
        self.values: dict[Place, tuple[str, ...]] = {}
        self._model = model
        self._schema = schema

    def template(self, template: Template, start: tuple[tuple[str, ...], ...]) -> None:
        if template.common.when is not None:
            self.condition(template.common.when, start)
        if isinstance(template, Read):
            self._read(template, start)
        elif isinstance(template, Each):
            reached = self._reach(template.path, start, template.common.place)
            if reached.places and not reached.unknown and not reached.missing:
                self.template(template.make, reached.places)
        else:
            for child in children(template):
                self.template(child, start)

    def rule(self, rule: Rule) -> None:
        start: tuple[tuple[str, ...], ...] = ((),)
        if rule.each is not None:
            reached = self._reach(rule.each, start, rule.place)
            if reached.unknown or reached.missing:
                return
            start = reached.places
        for condition in (rule.when, rule.require):
            if condition is not None:
                self.condition(condition, start, one_value=True)

    def condition(
        self,
        condition: Condition,
        start: tuple[tuple[str, ...], ...],
        *,
        one_value: bool = False,
        alone: bool = False,
    ) -> None:
        """one_value: that of several values only the first would be looked at is worth a warning. alone: a comparison
        that can never hold is an error.
        """
        for leaf in leaves(condition):
            for path in (*leaf.paths, *other_paths(leaf)):
                reached = self._reach(path, start, leaf.place)
                if one_value and reached.repeated and not path.picks_one and not isinstance(leaf, Present):
                    self._several(path, leaf.place)
                if isinstance(leaf, OneOf):
                    self._never(leaf, reached, alone=alone)

    def _never(self, leaf: OneOf, reached: Reached, *, alone: bool) -> None:
        """A value compared with that the schema does not have: a slip by which the condition never holds."""
        allowed = _listed(reached)
        never = [value for value in leaf.allowed if isinstance(value, str) and value not in allowed] if allowed else []
        hopeless = alone and len(never) == len(leaf.allowed)
        for value in never:
            self._code_never(value, allowed, leaf.place, "error" if hopeless else "warning")

    def _read(self, rule: Read, start: tuple[tuple[str, ...], ...]) -> None:
        place = rule.common.place
        listed: list[tuple[str, ...]] = []
        for path in rule.paths:
            reached = self._reach(path, start, place)
            if reached.repeated and not path.picks_one:
                self._several(path, place)
            groups = [node for node in reached.nodes if node.kind == "group"]
            if groups and len(groups) == len(reached.nodes) and rule.kind not in OF_GROUPS:
                self._group(path, place, reached)
            listed.append(_listed(reached))
        allowed = dict.fromkeys(value for values in listed for value in values) if all(listed) else {}
        if rule.codes is not None and allowed:
            self._codes(rule, allowed)
        elif rule.is_plain and allowed:
            self.values[place] = tuple(allowed)

    def _reach(self, path: Path, start: tuple[tuple[str, ...], ...], place: Place) -> Reached:
        reached = follow(path, start, self._model)
        if reached.certain and not reached.missing:
            self.certain.add(place)
        if reached.missing:
            name, known = reached.missing
            text = Text(
                f"Den Pfad „{path}“ gibt es in {self._schema} nicht: „{name}“ kommt dort nicht vor.",
                f"the path '{path}' does not exist in {self._schema}: there is no '{name}' there.",
            )
            allowed = ", ".join(sorted(known)[:40]) or None
            self.problems.add(place, "mapping.path_unknown", text, remedy=did_you_mean(name, known), allowed=allowed)
        self._predicates(path, start, place)
        return reached

    def _predicates(self, path: Path, start: tuple[tuple[str, ...], ...], place: Place) -> None:
        for index, step in enumerate(path.steps):
            rules = [rule for rule in step.filters if isinstance(rule, Equals)]
            if rules:
                here = follow(Path(path.source, path.steps[: index + 1], path.absolute), start, self._model)
                for rule in rules if not (here.missing or here.unknown) else ():
                    self._reach(rule.path, here.places, place)

    def _several(self, path: Path, place: Place) -> None:
        text = Text(
            f"Zu „{path}“ kann es mehrere Werte geben; übernommen würde nur der erste.",
            f"there can be several values at '{path}'; only the first would be taken.",
        )
        remedy = Text(f"Schreiben Sie „each“ oder „{path}[1]“.", f"Write 'each', or '{path}[1]'.")
        self.problems.add(place, "mapping.more_than_one", text, remedy=remedy, severity="warning")

    def _group(self, path: Path, place: Place, reached: Reached) -> None:
        below = [name for spot in reached.places for name in self._model.children(spot) or {}]
        text = Text(
            f"„{path}“ ist eine Gruppe und hat keinen eigenen Wert.",
            f"'{path}' is a group and has no value of its own.",
        )
        self.problems.add(place, "mapping.path_is_group", text, allowed=", ".join(sorted(set(below))[:40]) or None)

    def _codes(self, rule: Read, allowed: Mapping[str, None]) -> None:
        codes = rule.codes or {}
        # What is empty counts as absent, and what the rule's own condition shuts out does not come to the table.
        uncovered = [v for v in allowed if v.strip() and v not in codes and _may_be(rule.common.when, rule, v)]
        if uncovered and rule.otherwise is None:
            shown = ", ".join(uncovered[:20])
            text = Text(
                f"Diese Codes erlaubt {self._schema}, die Tabelle kennt sie nicht: {shown}.",
                f"{self._schema} allows these codes, the table does not know them: {shown}.",
            )
            self.problems.add(rule.common.place, "mapping.code_not_covered", text)
        # A table of its own, or an installed list, is there for more than this rule.
        for code in codes if not _is_shared(rule.table) else ():
            if code not in allowed:
                self._code_never(code, allowed, rule.common.place)

    def _code_never(self, code: str, allowed: Iterable[str], place: Place, severity: Severity = "warning") -> None:
        text = Text(
            f"Den Code „{code}“ gibt es in {self._schema} an dieser Stelle nicht.",
            f"{self._schema} has no code '{code}' in this place.",
        )
        remedy, known = did_you_mean(code, allowed), ", ".join(sorted(allowed)[:40])
        self.problems.add(
            place, "mapping.code_never", text, remedy=remedy, found=code, allowed=known, severity=severity
        )


def _listed(reached: Reached) -> tuple[str, ...]:
    """Every text that can stand there; empty where the schema does not list them all."""
    if reached.unknown or not reached.nodes or not all(node.allowed for node in reached.nodes):
        return ()
    return tuple(value for node in reached.nodes for value in node.allowed)


def _is_shared(table: str) -> bool:
    return table.startswith("urn:") or "#" in table


def _may_be(condition: Condition | None, rule: Read, value: str) -> bool:
    """Can the rule's condition hold where its own path has this value? What it says of other paths is left open."""
    match condition:
        case OneOf(paths=rule.paths, allowed=allowed):
            return value in allowed
        case Not(OneOf(paths=rule.paths, allowed=allowed)):
            return value not in allowed
        case Every(parts):
            return all(_may_be(part, rule, value) for part in parts)
        case Some(parts):
            return any(_may_be(part, rule, value) for part in parts)
        case _:
            return True


class _Shapes:
    def __init__(self, model: SchemaModel, schema: str, found: Finds) -> None:
        self.problems = Problems()
        self._model = model
        self._schema = schema
        self._found = found

    def members(self, template: Object, path: tuple[str, ...], skip: frozenset[str] = frozenset()) -> None:
        known = self._model.children(path)
        if known is None:
            return
        for name, member in template.members.items():
            if name in known and name not in skip:
                self._member(member, known[name], (*path, name))
            elif name not in skip:
                what = Text(f"In {self._schema} das Feld", f"member of {self._schema} named")
                self.problems.unknown(member.common.place, "mapping.member_unknown", what, name, known)
        for name, node in known.items():
            if node.min > 0 and name not in skip:
                self._duty(template, name)

    def _member(self, template: Template, node: SchemaNode, path: tuple[str, ...]) -> None:
        place = template.common.place
        dotted = ".".join(path)
        if makes_list(template) and node.max == 1:
            text = Text(f"„{dotted}“ nimmt einen Wert, keine Liste.", f"'{dotted}' takes one value, not a list.")
            self.problems.add(place, "mapping.not_a_list", text)
        for made in makers(template):
            if isinstance(made, Object) and set(made.members) != {MARKER}:
                if node.kind == "leaf" and self._model.children(path) is not None:
                    text = Text(f"„{dotted}“ nimmt einen einfachen Wert.", f"'{dotted}' takes a plain value.")
                    self.problems.add(made.common.place, "mapping.not_a_group", text)
                self.members(made, path)
            for value in self._values(made) if node.allowed else ():
                if value not in node.allowed:
                    what = Text(f"Für „{dotted}“ den Wert", f"value of '{dotted}' like")
                    self.problems.unknown(made.common.place, "mapping.value_not_allowed", what, value, node.allowed)

    def _duty(self, template: Object, name: str) -> None:
        member = template.members.get(name)
        if member is None:
            text = Text(
                f"Das Pflichtfeld „{name}“ von {self._schema} fehlt.",
                f"the member '{name}', which {self._schema} requires, is not made.",
            )
            self.problems.add(template.common.place, "mapping.member_missing", text)
        elif not self._is_certain(member):
            text = Text(
                f"„{name}“ ist in {self._schema} Pflicht, kann hier aber leer bleiben.",
                f"{self._schema} requires '{name}', but here it may stay empty.",
            )
            remedy = Text("Schreiben Sie „required: true“ oder „default“.", "Write 'required: true' or 'default'.")
            self.problems.add(member.common.place, "mapping.member_uncertain", text, remedy=remedy, severity="warning")

    def _is_certain(self, template: Template) -> bool:
        """Is there surely a value, or a finding that stops the whole mapping?"""
        common: Common = template.common
        if common.when is not None:
            return False
        if common.required or common.default is not None:
            return True
        match template:
            case Const():
                return True
            case Object():
                return any(self._is_certain(member) for member in template.members.values())
            case List() | Concat() | First():
                return any(self._is_certain(part) for part in children(template))
            case Each():
                return common.place in self._found.certain and self._is_certain(template.make)
            case _:
                return common.place in self._found.certain

    def _values(self, template: Template) -> Iterator[str]:
        """The values a template can make as far as the file, or the schema of what it reads, shows them."""
        if isinstance(template, Const):
            yield scalar_text(template.value)
        elif isinstance(template, Read) and template.codes is not None:
            values = template.table_values if template.shaping is None else ()
            yield from (scalar_text(value) for value in values if not isinstance(value, dict))
        elif isinstance(template, Read):
            listed = self._found.values.get(template.common.place, ())
            yield from (v for v in listed if v.strip() and _may_be(template.common.when, template, v))
