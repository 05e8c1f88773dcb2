"""Where an element stands: from libxml2's paths to elements, from elements to paths that people can read."""

from __future__ import annotations

import re
from collections import Counter

from lxml import etree

SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,99}")


class Places:
    """Looks up places in one tree. Remembers the children of a parent: there may be 200,000 of them, and 500 errors."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
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
            steps.append(f"{display_name(node)}[{position}]" if of > 1 else display_name(node))
            node = node.getparent()
        return "/" + "/".join(reversed(steps))

    def position(self, element: etree._Element) -> tuple[int, int]:
        """(1-based position, number) of an element among its siblings of the same name."""
        parent = element.getparent()
        if parent is None:
            return 1, 1
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
    """An element's local name; `*` where it does not look like a name of a schema: it may carry a person's data."""
    local = etree.QName(element).localname
    return local if SAFE_NAME.fullmatch(local) else "*"
