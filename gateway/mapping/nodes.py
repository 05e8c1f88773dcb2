"""One view on XML and JSON for the mapping: named children, text, parents.

Names are local names; the version suffix of a FIM element is dropped (`F60000000227V1.1.0` is `F60000000227`), because
sender and receiver may use different minor versions. A JSON array is not a level of its own: its items are several
children of the same name, as they would be in XML. What is empty (no text, `null`, `""`, white space) counts as absent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

_FIM_VERSION = re.compile(r"([SGFD]\d{8,11})V\d+(?:\.\d+)*")


class Way:
    """Children to go down by, each the only one of its name, or the one at a place (0 = first). Ways are compared by
    identity, for speed; make them with `way`.
    """

    __slots__ = ("steps",)

    def __init__(self, steps: tuple[tuple[str, int | None], ...]) -> None:
        self.steps = steps


@lru_cache(maxsize=8192)
def way(*steps: tuple[str, int | None]) -> Way:
    """The same for the same steps, so that what was found is found again."""
    return Way(steps)


HERE = way()
Index = dict[str, Any]
"""Name → what stands below, as it is in the document: one element or value, or a list of several."""
_SIMPLE: set[str] = set()
"""Names of members that are known to be simple."""
_MOST_SIMPLE = 8192
_SEVERAL: dict[str, Any] = {}
"""What stands below a way that is none: it comes to several."""
_UNSEEN: dict[Any, Any] = {}
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
    def leaf(self, way: Way, name: str) -> str | None:
        """The text of the only child `name`, which has nothing below it, at the end of a way; empty where there is
        none. None: it is not so simple, follow the path.
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

    __slots__ = ("_below", "_elements", "_nodes", "_text", "element", "name", "parent")

    def __init__(self, element: Any, name: str | None = None, parent: XmlNode | None = None) -> None:
        self.element = element
        self.parent: Node | None = parent
        self.name = simple_name(element.tag) if name is None else name
        self._elements: Index | None = None
        self._below: dict[Way, Index] = _UNSEEN
        self._nodes: dict[str, list[Node]] = _UNSEEN
        self._text: str | None = None

    def children(self, name: str) -> list[Node]:
        nodes = self._nodes.get(name)
        if nodes is None:
            found = self.index().get(name)
            items = found if type(found) is list else () if found is None else (found,)
            nodes = self._nodes[name] = [XmlNode(element, name, self) for element in items]
        return nodes

    def names(self) -> list[str]:
        return list(self.index())

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

    def leaf(self, way: Way, name: str) -> str | None:
        below = self._below.get(way)
        if below is None:
            below = _below(self, way)
        found = below.get(name)
        if found is None:
            return None if below is _SEVERAL else ""
        if type(found) is list or len(found):
            return None
        text = found.text
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

    def index(self) -> Index:
        if self._elements is None:
            self._elements, self._nodes = {}, {}
            for element in self.element:
                _put(self._elements, simple_name(element.tag), element)
        return self._elements


class JsonNode:
    """A JSON value that is not an array, or the value of an XML attribute. value: what `json` makes of it; never
    changed.
    """

    __slots__ = ("_below", "_nodes", "_text", "_values", "name", "parent", "value")

    def __init__(self, value: Any, name: str = "", parent: Node | None = None) -> None:
        self.value = value
        self.name = name
        self.parent = parent
        self._values: Index | None = None
        self._below: dict[Way, Index] = _UNSEEN
        self._nodes: dict[str, list[Node]] = _UNSEEN
        self._text: str | None = None

    def children(self, name: str) -> list[Node]:
        nodes = self._nodes.get(name)
        if nodes is None:
            found = self.index().get(name)
            items = [item for item, _ in _flat(found)] if type(found) is list else () if found is None else (found,)
            nodes = self._nodes[name] = [JsonNode(value, name, self) for value in items]
        return nodes

    def names(self) -> list[str]:
        return [name for name in self.index() if self.children(name)]

    def descendants(self, name: str) -> Iterator[Node]:
        for child in self._all():
            if child.name == name:
                yield child
            yield from child.descendants(name)

    def attribute(self, name: str) -> str | None:
        """JSON has no attributes."""
        return None

    def leaf(self, way: Way, name: str) -> str | None:
        below = self._below.get(way)
        if below is None:
            below = _below(self, way)
        found = below.get(name)
        if found is None:
            return None if below is _SEVERAL else ""
        if type(found) is str:
            return clean(found)
        return None if isinstance(found, list | dict) else clean(scalar_text(found))

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

    def index(self) -> Index:
        if self._values is None:
            self._values, self._nodes = _members(self.value) if isinstance(self.value, dict) else {}, {}
        return self._values


def _below(start: Any, way: Way) -> Index:
    """What stands at the end of the way; noted where it starts."""
    if start._below is _UNSEEN:
        start._below = {}
    start._below[way] = found = _followed(start, way)
    return found


def _followed(node: Any, way: Way) -> Index:
    for step, place in way.steps:
        if step not in node.index():
            return {}
        nodes = node.children(step)
        if place is None and len(nodes) > 1:
            return _SEVERAL
        if len(nodes) <= (place or 0):
            return {}
        node = nodes[place or 0]
    return node.index()  # type: ignore[no-any-return]


def _put(index: Index, name: str, value: Any) -> None:
    found = index.get(name)
    if found is None:
        index[name] = value
    elif type(found) is list:
        found.append(value)
    else:
        index[name] = [found, value]


def _members(value: dict[str, Any]) -> Index:
    """The members by simple name; nearly always the object itself."""
    if _SIMPLE.issuperset(value):
        return value
    if all(simple_name(key) == key for key in value):
        if len(_SIMPLE) < _MOST_SIMPLE:
            _SIMPLE.update(value)
        return value
    members: Index = {}
    for key, inner in value.items():
        for item, _ in _flat(inner):
            _put(members, simple_name(key), item)
    return members


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
