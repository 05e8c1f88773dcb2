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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import methodcaller

from gateway.mapping.nodes import JsonNode, Node, Way, clean, simple_name, way

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

    @property
    def chain(self) -> tuple[Way, str] | None:
        """What `Node.leaf` follows, if the path is no more than that."""
        *above, last = self.steps
        if self.absolute or last.filters or any(step.axis != "child" for step in self.steps):
            return None
        placed = tuple((step.name, _place(step)) for step in above)
        return (way(*placed), last.name) if all(place != -1 for _, place in placed) else None


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


def _place(step: Step) -> int | None:
    """0 = the first, None = there is no filter, -1 = it is not by place."""
    match step.filters:
        case ():
            return None
        case (int(position),):
            return position - 1
        case _:
            return -1


def reader(path: Path) -> Callable[[Node], str]:
    """What gives the first text at a path, empty if there is none."""
    find, chain = finder(path), path.chain
    if chain is None:
        return lambda node: _first_text(find(node))
    above, name = chain

    def read(node: Node) -> str:
        text = node.leaf(above, name)
        return _first_text(find(node)) if text is None else text

    return read


def _first_text(found: Iterable[Node]) -> str:
    return next((text for node in found if (text := node.text())), "")


Find = Callable[[Node], list[Node]]
"""Every place that a path leads to from a node, in document order, empty ones included. The list is not to be changed.
"""


def finder(path: Path) -> Find:
    """The path, ready to be followed many times. An attribute is found as a leaf named `@name`."""
    steps = [_follow(step) for step in path.steps]
    first, later = (_from_root(steps[0]) if path.absolute else steps[0]), steps[1:]
    if not later:
        return first

    def find(node: Node) -> list[Node]:
        nodes = first(node)
        for step in later:
            # One node is nearly every case; joining lists costs three times as much.
            nodes = step(nodes[0]) if len(nodes) == 1 else [found for node in nodes for found in step(node)]
        return nodes

    return find


def _follow(step: Step) -> Find:
    name = step.name
    axes: dict[str, Find] = {
        "child": methodcaller("children", name),
        "descendant": lambda node: list(node.descendants(name)),
        "attribute": lambda node: [
            JsonNode(value, f"@{name}", node) for value in (node.attribute(name),) if value is not None
        ],
        "self": lambda node: [node],
        "parent": lambda node: [node.parent] if node.parent is not None else [],
    }
    found = axes[step.axis]
    for rule in step.filters:
        found = _nth(found, rule) if isinstance(rule, int) else _those_with(found, rule)
    return found


def _nth(find: Find, position: int) -> Find:
    return lambda node: find(node)[position - 1 : position]


def _those_with(find: Find, rule: Equals) -> Find:
    places, value = finder(rule.path), rule.value
    return lambda node: [found for found in find(node) if any(place.text() == value for place in places(found))]


def _from_root(find: Find) -> Find:
    def find_from_root(node: Node) -> list[Node]:
        while node.parent is not None:
            node = node.parent
        return find(node)

    return find_from_root
