"""Reads `characters`, `upper`, `pad`, `cut`. The datatypes of DIN 91379 are those that an installed standard brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from lxml import etree

from gateway.mapping.characters import CHARACTERS, named
from gateway.mapping.pieces import read_boolean, read_number
from gateway.mapping.problems import Problems
from gateway.mapping.shaping import SHAPES, Shaping
from gateway.mapping.values import WrongCharacters
from gateway.mapping.yaml_nodes import Members, YamlNode, plain
from xoev_schemas.findings import Text
from xoev_schemas.text import CharacterSet, CharacterSets

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

DIN = "din-91379-"
"""Before the letter of a datatype, `a` to `e`."""
_LETTERS = "abcde"
_FILE = "din-norm-91379-datatypes.xsd"
_LONGEST = 100_000
_NOT_TEXT = ("integer", "boolean", "money", "cents", "xoev-date")


class ShapingReader:
    """registry: what is installed; None = the mapping never runs (see `gateway.mapping.tables.Tables`)."""

    def __init__(self, registry: Registry | None, problems: Problems) -> None:
        self._registry = registry
        self._problems = problems

    def read(self, node: Members, kind: str) -> Shaping | None:
        """What stands beside a rule that makes a value of this kind; None if nothing of it does."""
        options = node.nodes
        present = [word for word in SHAPES if word in options]
        if not present:
            return None
        if kind in _NOT_TEXT:
            text = Text(f"„{present[0]}“ formt nur Text.", f"'{present[0]}' shapes text only.")
            self._problems.add(node.keys[present[0]], "mapping.shape_without_text", text)
        return Shaping(
            self._characters(options["characters"]) if "characters" in options else None,
            "upper" in options and read_boolean(options["upper"], self._problems),
            read_number(options["pad"], _LONGEST, self._problems) if "pad" in options else 0,
            read_number(options["cut"], _LONGEST, self._problems) if "cut" in options else None,
        )

    def _characters(self, node: YamlNode) -> Callable[[str], str] | None:
        name = str(plain(node))
        if name in CHARACTERS:
            return CHARACTERS[name]
        if name not in {f"{DIN}{letter}" for letter in _LETTERS}:
            known = [*CHARACTERS, *(f"{DIN}{letter}" for letter in _LETTERS)]
            self._problems.unknown(node.place, "mapping.unknown_kind", Text("Die Angabe", "kind"), name, known)
            return None
        datatype = self._datatypes.get(name)
        if datatype is None and self._registry is not None:
            text = Text(
                f"„{name}“ steht in keinem der installierten Standards.",
                f"'{name}' is in none of the installed standards.",
            )
            remedy = Text(
                "Importieren Sie einen XÖV-Standard, der DIN 91379 verwendet.",
                "Import an XÖV standard that uses DIN 91379.",
            )
            self._problems.add(node.place, "mapping.characters_not_installed", text, remedy=remedy)
        return _only(datatype) if datatype is not None else None

    @cached_property
    def _datatypes(self) -> Mapping[str, CharacterSet]:
        """By the names used here, from the first installed standard that brings the norm of 2022."""
        sets = CharacterSets()
        for standard in self._registry.standards() if self._registry is not None else ():
            for path, content in self._registry.files(standard.ref).items() if self._registry is not None else ():
                if path.rpartition("/")[2] == _FILE:
                    sets.read(etree.fromstring(content))
                    return {f"{DIN}{one.name.removeprefix('datatype').lower()}": one for one in sets}
        return {}


def _only(datatype: CharacterSet) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if not datatype.allows(text):
            raise WrongCharacters(named("".join(character for _, character in datatype.forbidden(text))[:3]))
        return text

    return checked
