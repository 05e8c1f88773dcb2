"""Where an element stands: from libxml2's paths to elements, from elements to paths that people can read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from lxml import etree

_SAFE = re.compile(r"[A-Za-z_$][A-Za-z0-9_.\-]{0,99}")
_FIM = re.compile(r"[A-Z][0-9]{8,11}(?:V[0-9]+(?:\.[0-9]+){1,2})?")
_ALIKE = 0.8
_TRIES = 20
_FEW = 32
"""Children up to which counting them costs less than remembering what was counted."""


class Names:
    """Which names in a document may be repeated to its sender: one rule for elements, attributes, JSON members,
    parameters.

    A name that the schema has, or nearly has, was written by a programmer, who needs to see the misspelt one; so was
    the id of a FIM field. Any other may be a person's data used as a name, and is shown as `*`.
    """

    def __init__(self, known: Collection[str]) -> None:
        """known: the schema's names. One object per document: it looks for at most 20 slips, which bounds its cost."""
        self._known = known
        self._judged: dict[str, str] = {}
        self._tries = _TRIES

    def shown(self, name: str) -> str:
        if name in self._known:
            return name
        if name not in self._judged:
            fine = _SAFE.fullmatch(name) and (_FIM.fullmatch(name) or self._is_slip(name))
            self._judged[name] = name if fine else "*"
        return self._judged[name]

    def pointer(self, path: Iterable[str | int]) -> str:
        """The JSON pointer (RFC 6901) to a place; empty for the root."""
        return "".join(f"/{step if isinstance(step, int) else _escaped(self.shown(step))}" for step in path)

    def of(self, element: etree._Element) -> str:
        """An element's local name."""
        return self.shown(etree.QName(element).localname)

    def _is_slip(self, name: str) -> bool:
        self._tries -= 1
        if self._tries < 0:
            return False
        alike = [other.casefold() for other in self._known if abs(len(other) - len(name)) <= 2]
        return bool(get_close_matches(name.casefold(), alike, n=1, cutoff=_ALIKE))


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


class Places:
    """Looks up places in one tree. Remembers the children of a parent: there may be 200,000 of them, and 500 errors."""

    def __init__(self, root: etree._Element, names: Names | None = None) -> None:
        """names: which may be shown; None for a document that is valid, whose names are the schema's."""
        self._root = root
        self._name = names.of if names else display_name
        self._children: dict[tuple[etree._Element, str], list[etree._Element]] = {}
        self._steps: dict[etree._Element, dict[etree._Element, tuple[int, int]]] = {}

    def element(self, path: str) -> etree._Element:
        """The element that libxml2's path means; the nearest ancestor found where it cannot be followed.

        In these paths `*[3]` is the third of all elements, `p:name[2]` the second with that prefix and name.
        """
        element = self._root
        for step in path.split("/")[2:]:
            name, _, position = step.partition("[")
            children = self._matching(element, name)
            index = int(position.rstrip("]")) - 1 if position else 0
            if index >= len(children):
                return element
            element = children[index]
        return element

    def path(self, element: etree._Element) -> str:
        """`/antrag/anlagen/anlage[2]/datum`: local names, positions only among several of one name."""
        steps: list[str] = []
        node: etree._Element | None = element
        while node is not None:
            position, of = self.position(node)
            steps.append(f"{self._name(node)}[{position}]" if of > 1 else self._name(node))
            node = node.getparent()
        return "/" + "/".join(reversed(steps))

    def position(self, element: etree._Element) -> tuple[int, int]:
        """(1-based position, number) of an element among its siblings of the same name."""
        parent = element.getparent()
        if parent is None:
            return 1, 1
        if len(parent) <= _FEW:
            alike = list(parent.iterchildren(element.tag))
            return alike.index(element) + 1, len(alike)
        if parent not in self._steps:
            total = Counter(child.tag for child in parent)
            seen: Counter[str] = Counter()
            self._steps[parent] = steps = {}
            for child in parent:
                seen[child.tag] += 1
                steps[child] = seen[child.tag], total[child.tag]
        return self._steps[parent][element]

    def _matching(self, parent: etree._Element, name: str) -> list[etree._Element]:
        key = (parent, name)
        if key not in self._children:
            self._children[key] = [child for child in parent if _is_named(child, name)]
        return self._children[key]


def _is_named(element: etree._Element, name: str) -> bool:
    if name == "*":
        return True
    prefix, colon, local = name.rpartition(":")
    return etree.QName(element).localname == local and element.prefix == (prefix if colon else None)


def display_name(element: etree._Element) -> str:
    """The local name in a document that no person filled in, or that is valid; `*` where it has no such shape."""
    local = str(element.tag).rpartition("}")[2]
    return local if _SAFE.fullmatch(local) else "*"
