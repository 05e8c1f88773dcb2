"""A light index over a standard's XSD files, for better words in findings: what stands beside what, and labels.

Built from the text of the schemas at the first finding (XBau 2.6: 0.1 s), not needed to judge validity.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import count

from lxml import etree

from xoev_schemas.text import CharacterSets
from xoev_schemas.xsd import XS, parse_schema

# What the FIM generator writes into the documentation of an element.
_FIM_DOCUMENTATION = re.compile(
    r"^\s*(?:Datenfeld|Datenfeldgruppe): (.+?)(?: - (?:Version|Wertebereich|Typ): .*)?\s*$", re.S
)


class SchemaIndex:
    """Immutable after construction; shared between threads."""

    def __init__(self, files: Iterable[bytes]) -> None:
        self._groups: dict[str, set[int]] = defaultdict(set)
        self._titles: dict[str, str] = {}
        self.names: set[str] = {"type", "nil", "schemaLocation", "noNamespaceSchemaLocation", "lang"}
        """Local names of all elements and attributes, those of `xsi` and `xml` among them."""
        self.character_sets = CharacterSets()
        self._numbers = count()
        for data in files:
            self._read(parse_schema(data))

    def are_siblings(self, name: str, others: Iterable[str]) -> bool:
        """Whether a content model somewhere lists `name` together with one of `others` (local names)."""
        groups = self._groups.get(name, set())
        return any(groups & self._groups.get(other, set()) for other in others)

    def title(self, name: str) -> str | None:
        """The label of a FIM field or group (local name); None for others, whose names speak."""
        return self._titles.get(name)

    def _read(self, root: etree._Element) -> None:
        self.character_sets.read(root)
        for holder in root.iter(f"{XS}complexType", f"{XS}group"):
            number = next(self._numbers)
            for name in _declared(holder):
                self._groups[name].add(number)
        for declared in root.iter(f"{XS}element", f"{XS}attribute"):
            self.names.add(str(declared.get("name") or declared.get("ref")).rpartition(":")[2])
        for element in root.iter(f"{XS}element"):
            documentation = element.findtext(f"{XS}annotation/{XS}documentation")
            found = _FIM_DOCUMENTATION.match(documentation) if documentation else None
            if found:
                self._titles[str(element.get("name"))] = found[1]


def _declared(holder: etree._Element) -> set[str]:
    """Local names of the elements in one content model, not of those nested deeper."""
    names: set[str] = set()
    pending = list(holder)
    while pending:
        node = pending.pop()
        if node.tag == f"{XS}element":
            name = str(node.get("name") or node.get("ref"))
            names.add(name.rpartition(":")[2])
        elif isinstance(node.tag, str):
            pending.extend(node)
    return names
