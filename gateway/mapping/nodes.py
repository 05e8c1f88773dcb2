"""One view on XML and JSON for the mapping: named children, text, parents.

Names are local names; the version suffix of a FIM element is dropped (`F60000000227V1.1.0` is `F60000000227`), because
sender and receiver may use different minor versions. A JSON array is not a level of its own: its items are several
children of the same name, as they would be in XML. What is empty (no text, `null`, `""`, white space) counts as absent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

_FIM_VERSION = re.compile(r"([SGFD]\d{8,11})V\d+(?:\.\d+)*")


_UNSEEN: dict[str, Any] = {}
"""The nodes below a place at which nobody has looked; nobody adds to it."""


class Node(Protocol):
    """A place in a document. What stands below is indexed by name at the first look, and becomes nodes where somebody
    asks for them: many paths over one document are cheap.
    """

    name: str
    parent: Node | None

    def children(self, name: str) -> list[Node]: ...
    def descendants(self, name: str) -> Iterator[Node]:
        """Every node of that name below this one, in document order."""
        ...

    def attribute(self, name: str) -> str | None: ...
    def leaf(self, above: Sequence[tuple[str, int | None]], name: str) -> str | None:
        """The text at the end of a path of children, where the last, `name`, is the only one and has nothing below, and
        those above are named by their place (0 = first) or the only ones too; empty where one is missing. None: it is
        not so simple, follow the path.
        """
        ...

    def text(self) -> str:
        """The whole text content, trimmed and in NFC; empty = absent."""
        ...

    def filled(self) -> bool:
        """Whether `text` is not empty, without making all of it."""
        ...

    def names(self) -> list[str]:
        """Names of the children that exist, each once."""
        ...


@lru_cache(maxsize=8192)
def simple_name(name: str) -> str:
    """Local name without namespace, prefix and FIM version: what a path step is compared with."""
    local = name.rpartition("}")[2].rpartition(":")[2]
    match = _FIM_VERSION.fullmatch(local)
    return match.group(1) if match else local


class XmlNode:
    """An element. element: lxml `_Element` without comments and processing instructions."""

    __slots__ = ("_elements", "_nodes", "_text", "element", "name", "parent")

    def __init__(self, element: Any, name: str | None = None, parent: XmlNode | None = None) -> None:
        self.element = element
        self.parent: Node | None = parent
        self.name = simple_name(element.tag) if name is None else name
        self._elements: dict[str, list[Any]] | None = None
        self._nodes: dict[str, list[Node]] = _UNSEEN
        self._text: str | None = None

    def children(self, name: str) -> list[Node]:
        nodes = self._nodes.get(name)
        if nodes is None:
            below = self._elements
            if below is None:
                below = self._look()
            nodes = self._nodes[name] = [XmlNode(element, name, self) for element in below.get(name, ())]
        return nodes

    def names(self) -> list[str]:
        return list(self._look() if self._elements is None else self._elements)

    def descendants(self, name: str) -> Iterator[Node]:
        following = {below: iter(self.children(below)) for below in self.names()}
        for element in self.element:
            child = next(following[simple_name(element.tag)])
            if child.name == name:
                yield child
            yield from child.descendants(name)

    def attribute(self, name: str) -> str | None:
        for key, value in self.element.attrib.items():
            if simple_name(key) == name:
                return clean(value)
        return None

    def leaf(self, above: Sequence[tuple[str, int | None]], name: str) -> str | None:
        node: Any = self
        for step, place in above:
            nodes = node._nodes.get(step) or node.children(step)
            if place is None and len(nodes) == 1:
                node = nodes[0]
            elif place is not None and len(nodes) > place:
                node = nodes[place]
            else:
                return None if nodes and place is None else ""
        below = node._elements
        found = (node._look() if below is None else below).get(name)
        if not found:
            return ""
        if len(found) > 1 or len(found[0]):
            return None
        text = found[0].text
        return clean(text) if text else ""

    def text(self) -> str:
        if self._text is None:
            # Leaves are the common case; itertext() costs five times as much.
            text = self.element.text if not len(self.element) else "".join(self.element.itertext())
            self._text = clean(text) if text else ""
        return self._text

    def filled(self) -> bool:
        if self._text is not None or not len(self.element):
            return bool(self.text())
        return any(piece and not piece.isspace() for piece in self.element.itertext())

    def _look(self) -> dict[str, list[Any]]:
        below: dict[str, list[Any]] = {}
        for element in self.element:
            name = simple_name(element.tag)
            if name in below:
                below[name].append(element)
            else:
                below[name] = [element]
        self._elements, self._nodes = below, {}
        return below


class JsonNode:
    """A JSON value that is not an array, or the value of an XML attribute. value: what `json` makes of it; never
    changed.
    """

    __slots__ = ("_nodes", "_text", "_values", "name", "parent", "value")

    def __init__(self, value: Any, name: str = "", parent: Node | None = None) -> None:
        self.value = value
        self.name = name
        self.parent = parent
        self._values: dict[str, list[Any]] | None = None
        self._nodes: dict[str, list[Node]] = _UNSEEN
        self._text: str | None = None

    def children(self, name: str) -> list[Node]:
        nodes = self._nodes.get(name)
        if nodes is None:
            below = self._values
            if below is None:
                below = self._look()
            nodes = self._nodes[name] = [JsonNode(value, name, self) for value in below.get(name, ())]
        return nodes

    def names(self) -> list[str]:
        return list(self._look() if self._values is None else self._values)

    def descendants(self, name: str) -> Iterator[Node]:
        for child in self._all():
            if child.name == name:
                yield child
            yield from child.descendants(name)

    def attribute(self, name: str) -> str | None:
        """JSON has no attributes."""
        return None

    def leaf(self, above: Sequence[tuple[str, int | None]], name: str) -> str | None:
        node: Any = self
        for step, place in above:
            nodes = node._nodes.get(step) or node.children(step)
            if place is None and len(nodes) == 1:
                node = nodes[0]
            elif place is not None and len(nodes) > place:
                node = nodes[place]
            else:
                return None if nodes and place is None else ""
        below = node._values
        found = (node._look() if below is None else below).get(name)
        if not found:
            return ""
        value = found[0]
        if len(found) > 1 or isinstance(value, dict):
            return None
        return clean(value if type(value) is str else scalar_text(value))

    def text(self) -> str:
        if self._text is None:
            if isinstance(self.value, dict):
                texts = (child.text() for child in self._all())
                self._text = clean(" ".join(text for text in texts if text))
            else:
                self._text = clean(scalar_text(self.value))
        return self._text

    def filled(self) -> bool:
        if self._text is not None or not isinstance(self.value, dict):
            return bool(self.text())
        return any(child.filled() for child in self._all())

    def _all(self) -> Iterator[Node]:
        for name in self.names():
            yield from self.children(name)

    def _look(self) -> dict[str, list[Any]]:
        below: dict[str, list[Any]] = {}
        for key, value in self.value.items() if isinstance(self.value, dict) else ():
            if value is None:
                continue
            items = [item for item, _ in _flat(value)] if isinstance(value, list) else [value]
            name = simple_name(key)
            if name in below:
                below[name] += items
            elif items:
                below[name] = items
        self._values, self._nodes = below, {}
        return below


def _flat(value: Any, above: tuple[int, ...] = ()) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Items of arrays with their indexes, arrays in arrays too; `null` is nothing."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, (*above, index))
    elif value is not None:
        yield value, above


def json_steps(node: JsonNode) -> list[str | int]:
    """Where the value stands in its document: names of members as they are written, and indexes from 0."""
    steps: list[str | int] = []
    current: Node | None = node
    while isinstance(current, JsonNode) and isinstance(current.parent, JsonNode):
        members = current.parent.value
        steps[:0] = next(
            (key, *indexes)
            for number, (key, indexes) in enumerate(
                (key, indexes)
                for key, value in members.items()
                if simple_name(key) == current.name
                for _, indexes in _flat(value)
            )
            if current.parent.children(current.name)[number] is current
        )
        current = current.parent
    return steps


def scalar_text(value: Any) -> str:
    """A JSON scalar as XML would write it: `true`, `12.5`, never `1e3`."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return format(Decimal(str(value)), "f").removesuffix(".0")
    return str(value)


def clean(text: str) -> str:
    """Trimmed and in Unicode normal form C (DIN 91379 asks for it; senders do not always do it)."""
    trimmed = text.strip()
    return trimmed if trimmed.isascii() else unicodedata.normalize("NFC", trimmed)


def location(node: Node) -> str:
    """Where the node stands: names with positions where there are several, `applicants[2]/person/familyName`."""
    steps: list[str] = []
    current: Node | None = node
    while current is not None and current.parent is not None:
        siblings = current.parent.children(current.name)
        position = next((f"[{i}]" for i, sibling in enumerate(siblings, start=1) if sibling is current), "")
        steps.append(f"{current.name}{position}" if len(siblings) > 1 else current.name)
        current = current.parent
    return "/".join(reversed(steps)) or "."
