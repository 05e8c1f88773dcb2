"""Paths: parsed once, run many times, over XML, JSON and the case alike.

antragsteller/name        children by name, the root itself is not named
anlage[2]/datei           the second
rolle[code='01']/name     those that have a child `code` with that text; also [@attr='x'], [a/b='x']
@version · .. · .         an attribute, the parent, the place itself
//gemarkung               anywhere below
/data/kind                from the root, also inside `each`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.mapping.nodes import Node, clean, simple_name

_TOKEN = re.compile(
    r"(?P<position>\[\s*[1-9]\d{0,5}\s*\])"
    r"|(?P<predicate>\[\s*(?P<inner>[^\[\]='\"]+?)\s*=\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")\s*\])"
    r"|(?P<deep>//)|(?P<slash>/)"
    r"|(?P<parent>\.\.(?=[/\[]|$))|(?P<self>\.(?=[/\[]|$))"
    r"|(?P<attribute>@[^\s/\[\]@'\"=]+)"
    r"|(?P<name>[^\s/\[\]@'\"=]+)"
)


class PathError(ValueError):
    """This is not a path. The message (English) says where it stops making sense."""


@dataclass(frozen=True, slots=True)
class Equals:
    """Predicate `[path='value']`."""

    path: Path
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """axis: child, descendant, self, parent or attribute. name: empty for self, parent. filters: applied in order."""

    axis: str
    name: str = ""
    filters: tuple[int | Equals, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """source: as written. absolute: from the root even where another node is the current one."""

    source: str
    steps: tuple[Step, ...]
    absolute: bool = False

    def __str__(self) -> str:
        return self.source

    @property
    def picks_one(self) -> bool:
        """True if it says by position which of several it means."""
        return any(isinstance(rule, int) for step in self.steps for rule in step.filters)


@dataclass(frozen=True, slots=True)
class Hit:
    """A node, or an attribute of it (then `attribute` names it and `value` is its text)."""

    node: Node
    attribute: str | None = None
    value: str | None = None

    def text(self) -> str:
        return self.node.text() if self.value is None else self.value


def parse_path(source: str) -> Path:
    """Raises PathError."""
    text = source.strip()
    steps: list[Step] = []
    separator = ""  # the slashes that wait for their step
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise PathError(f"cannot read it from character {position + 1} on: '{text[position : position + 20]}'")
        waiting = bool(separator) or not steps
        if match.lastgroup in ("slash", "deep"):
            if separator or (waiting and position > 0):
                raise PathError(f"a step is missing before character {position + 1}")
            separator = match.group(0)
        elif match.lastgroup in ("position", "predicate"):
            if waiting or steps[-1].axis == "attribute":
                raise PathError(f"the brackets at character {position + 1} follow no step")
            steps[-1] = _filtered(steps[-1], match)
        else:
            if not waiting or (steps and steps[-1].axis == "attribute"):
                raise PathError(f"character {position + 1} must be a '/', and nothing may follow an attribute")
            steps.append(_step(match, deep=separator == "//"))
            separator = ""
        position = match.end()
    if not steps or separator:
        raise PathError("the path ends with a slash" if steps or separator else "the path is empty")
    return Path(text, tuple(steps), absolute=text.startswith("/"))


def _step(match: re.Match[str], deep: bool) -> Step:
    text = match.group(0)
    if match.group("parent") or match.group("self"):
        if deep:
            raise PathError(f"'//' needs a name after it, not '{text}'")
        return Step("parent" if match.group("parent") else "self")
    if match.group("attribute"):
        if deep:
            raise PathError("'//' needs the name of an element after it, not an attribute")
        return Step("attribute", simple_name(text[1:]))
    return Step("descendant" if deep else "child", simple_name(text))


def _filtered(step: Step, match: re.Match[str]) -> Step:
    if match.group("position"):
        return Step(step.axis, step.name, (*step.filters, int(match.group("position").strip("[] "))))
    value = match.group("single") if match.group("single") is not None else match.group("double")
    return Step(step.axis, step.name, (*step.filters, Equals(parse_path(match.group("inner")), clean(value))))


def hits(path: Path, current: Node) -> list[Hit]:
    """Every place the path leads to from `current`, in document order, empty ones included."""
    nodes = [_root(current)] if path.absolute else [current]
    for step in path.steps:
        if step.axis == "attribute":
            values = ((node, node.attribute(step.name)) for node in nodes)
            return [Hit(node, step.name, value) for node, value in values if value is not None]
        if step.axis == "child" and not step.filters:  # nearly every step; the general way costs three times as much
            nodes = [child for node in nodes for child in node.children(step.name)]
        else:
            nodes = [found for node in nodes for found in _filter(step, list(_follow(step, node)))]
        if not nodes:
            return []
    return [Hit(node) for node in nodes]


def _follow(step: Step, node: Node) -> Iterator[Node]:
    if step.axis == "child":
        yield from node.children(step.name)
    elif step.axis == "descendant":
        yield from node.descendants(step.name)
    elif step.axis == "self":
        yield node
    elif node.parent is not None:
        yield node.parent


def _filter(step: Step, nodes: list[Node]) -> list[Node]:
    for rule in step.filters:
        if isinstance(rule, int):
            nodes = nodes[rule - 1 : rule]
        else:
            nodes = [node for node in nodes if any(hit.text() == rule.value for hit in hits(rule.path, node))]
    return nodes


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node
