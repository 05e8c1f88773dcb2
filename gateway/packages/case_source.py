"""The case of one service as its requests read it: what the mapping of a message makes, and what the gateway adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.case import ENVELOPE, TOLD_BY_METADATA, case_schema
from gateway.mapping.conditions import Condition, Every, OneOf
from gateway.mapping.making import Landing, Made, Making, Outcome, Spot, best, written
from gateway.mapping.nodes import scalar_text
from gateway.mapping.paths import Path, Step
from xoev_schemas.findings import Text
from xoev_schemas.json_schema import dereference
from xoev_schemas.model import Node, json_model


@dataclass(frozen=True, slots=True)
class Given:
    """A place in the case that the gateway fills itself. settled: of how many of its levels it is known that they are
    there.
    """

    names: tuple[str, ...]
    settled: int = 0


CaseNode = Made[Spot] | Given


@dataclass(frozen=True, slots=True)
class CaseSpot:
    """A place in the case. nodes: what may fill it. steps: as requests write them."""

    nodes: tuple[CaseNode, ...]
    steps: tuple[str, ...] = ()


class CaseSource:
    """making: submission → case. gives_region: the gateway knows the region where the message does not say it."""

    def __init__(self, making: Making[Spot], *, gives_region: bool = False) -> None:
        self.making = making
        self._gives_region = gives_region
        self._schema = case_schema()
        self._model = json_model(self._schema)

    def top(self) -> CaseSpot:
        return CaseSpot((self.making.root,))

    def inside(self, where: CaseSpot) -> CaseSpot:
        return replace(where, nodes=tuple(map(_as_entry, where.nodes)))

    def where_holds(self, where: CaseSpot, condition: Condition) -> CaseSpot:
        match condition:
            case Every(parts):
                for part in parts:
                    where = self.where_holds(where, part)
                return where
            case OneOf(paths=(path,), allowed=allowed) if not path.absolute:
                texts = [scalar_text(value) for value in allowed]
                kept = (n for n in where.nodes if isinstance(n, Given) or self.making.may_be(n, path, texts))
                return replace(where, nodes=tuple(kept))
            case _:
                return where

    def follow(self, where: CaseSpot, path: Path) -> Landing[CaseSpot]:
        nodes: Sequence[CaseNode] = (self.making.root,) if path.absolute else where.nodes
        for step in path.steps:
            nodes = self._filtered(step, [found for node in nodes for found in self._step(node, step)])
        several = not path.picks_one and (any(map(self._many, nodes)) or any(_joins(node) == "also" for node in nodes))
        outcome = best(map(self.outcome, nodes))
        # Where the message has to have it no case is made without it.
        return Landing(CaseSpot(tuple(nodes), written(where.steps, path)), outcome, several)

    def outcome(self, node: CaseNode) -> Outcome:
        if not isinstance(node, Given):
            return self.making.outcome(node)
        levels = list(self._levels(node))
        return "sure" if all(level is not None and level.min > 0 for level in levels) else "maybe"

    def title(self, given: Given) -> Text:
        """What the published schema calls it."""
        for end in range(len(given.names), 0, -1):
            definition = self._model.definition(given.names[:end])
            if definition is not None:
                for part in (definition, dereference(self._schema, definition)):
                    if (title := _title(part)) is not None:
                        return title
        return Text(given.names[-1], given.names[-1])

    def _step(self, node: CaseNode, step: Step) -> Iterable[CaseNode]:
        match step.axis:
            case "child":
                return self._members(node, step.name)
            case "self":
                return (node,)
            case "parent":
                return self._parent(node)
            case "descendant" if not isinstance(node, Given):
                return (made for name, made in self.making.below(node) if name == step.name)
            case _:
                return ()

    def _members(self, node: CaseNode, name: str) -> Iterator[CaseNode]:
        if isinstance(node, Given):
            names = (*node.names, name)
            if node.names[0] == "references" or self._model.node(names) is not None:
                yield Given(names, node.settled)
            return
        given = Given((name,))
        at_top = node.template is self.making.root.template
        if at_top and name in ENVELOPE:
            yield given
            return
        told = at_top and name in TOLD_BY_METADATA
        if told:
            yield given
        made = self.making.members(node, name)
        yield from (replace(one, joins="else") if told else one for one in made)
        if at_top and name == "region" and self._gives_region:
            yield given

    def _parent(self, node: CaseNode) -> Iterator[CaseNode]:
        if not isinstance(node, Given):
            yield node.above or node
        else:
            yield Given(node.names[:-1], len(node.names) - 1) if len(node.names) > 1 else self.making.root

    def _filtered(self, step: Step, nodes: Sequence[CaseNode]) -> Sequence[CaseNode]:
        for rule in step.filters:
            made = self.making.picked([node for node in nodes if not isinstance(node, Given)], rule)
            nodes = [node for node in nodes if isinstance(node, Given) or node in made]
        return nodes

    def _many(self, node: CaseNode) -> bool:
        if not isinstance(node, Given):
            return node.many
        return any(level is not None and level.max != 1 for level in self._levels(node))

    def _levels(self, given: Given) -> Iterator[Node | None]:
        return (self._model.node(given.names[: end + 1]) for end in range(given.settled, len(given.names)))


def _as_entry(node: CaseNode) -> CaseNode:
    return Given(node.names, len(node.names)) if isinstance(node, Given) else node.as_entry()


def _joins(node: CaseNode) -> str:
    return "" if isinstance(node, Given) else node.joins


def _title(definition: Mapping[str, Any]) -> Text | None:
    english = definition.get("title")
    return Text(definition.get("x-de", {}).get("title", english), english) if english else None
