"""One view on XML and JSON for the mapping: named children, text, parents.

Names are local names; the version suffix of a FIM element is dropped (`F60000000227V1.1.0` is `F60000000227`), because
sender and receiver may use different minor versions. A JSON array is not a level of its own: its items are several
children of the same name, as they would be in XML. What is empty (no text, `null`, `""`, white space) counts as absent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

_FIM_VERSION = re.compile(r"([SGFD]\d{8,11})V\d+(?:\.\d+)*")


class Node(Protocol):
    """A place in a document. Children are indexed once, at the first look: many paths over one document are cheap."""

    name: str
    parent: Node | None

    def children(self, name: str) -> list[Node]: ...
    def descendants(self, name: str) -> Iterator[Node]:
        """Every node of that name below this one, in document order."""
        ...

    def attribute(self, name: str) -> str | None: ...
    def text(self) -> str:
        """The whole text content, trimmed and in NFC; empty = absent."""
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

    __slots__ = ("_index", "_order", "element", "name", "parent")

    def __init__(self, element: Any, parent: XmlNode | None = None) -> None:
        self.element = element
        self.parent: Node | None = parent
        self.name = simple_name(element.tag)
        self._order: list[XmlNode] | None = None
        self._index: dict[str, list[Node]] = {}

    def children(self, name: str) -> list[Node]:
        self._look()
        return self._index.get(name, [])

    def names(self) -> list[str]:
        self._look()
        return list(self._index)

    def descendants(self, name: str) -> Iterator[Node]:
        for child in self._look():
            if child.name == name:
                yield child
            yield from child.descendants(name)

    def attribute(self, name: str) -> str | None:
        for key, value in self.element.attrib.items():
            if simple_name(key) == name:
                return clean(value)
        return None

    def text(self) -> str:
        # Leaves are the common case; itertext() costs five times as much.
        text = self.element.text if not len(self.element) else "".join(self.element.itertext())
        return clean(text or "")

    def _look(self) -> list[XmlNode]:
        if self._order is None:
            self._order = [XmlNode(element, self) for element in self.element]
            for child in self._order:
                self._index.setdefault(child.name, []).append(child)
        return self._order


class JsonNode:
    """A JSON value that is not an array. value: what `json` makes of it; never changed."""

    __slots__ = ("_index", "name", "parent", "value")

    def __init__(self, value: Any, name: str = "", parent: JsonNode | None = None) -> None:
        self.value = value
        self.name = name
        self.parent: Node | None = parent
        self._index: dict[str, list[Node]] | None = None

    def children(self, name: str) -> list[Node]:
        return self._look().get(name, [])

    def names(self) -> list[str]:
        return list(self._look())

    def descendants(self, name: str) -> Iterator[Node]:
        for children in self._look().values():
            for child in children:
                if child.name == name:
                    yield child
                yield from child.descendants(name)

    def attribute(self, name: str) -> str | None:
        """JSON has no attributes."""
        return None

    def text(self) -> str:
        if isinstance(self.value, Mapping):
            texts = (child.text() for children in self._look().values() for child in children)
            return clean(" ".join(text for text in texts if text))
        return clean(scalar_text(self.value))

    def _look(self) -> dict[str, list[Node]]:
        if self._index is None:
            self._index = {}
            for key, value in self.value.items() if isinstance(self.value, Mapping) else ():
                name = simple_name(key)
                self._index.setdefault(name, []).extend(JsonNode(item, name, self) for item in _flat(value))
        return self._index


def _flat(value: Any) -> Iterator[Any]:
    """Items of arrays, arrays in arrays too; `null` is nothing."""
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value


def scalar_text(value: Any) -> str:
    """A JSON scalar as XML would write it: `true`, `12.5`, never `1e3`."""
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
        position = next(i for i, sibling in enumerate(siblings, start=1) if sibling is current)
        steps.append(f"{current.name}[{position}]" if len(siblings) > 1 else current.name)
        current = current.parent
    return "/".join(reversed(steps)) or "."
