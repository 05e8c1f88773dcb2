"""What the places of a message are called: in FIM by its editors, elsewhere by what the schema says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xoev_schemas.fim.model import DataSchema, trails
from xoev_schemas.json_schema import dereference
from xoev_schemas.model import SchemaModel

_FIM_ID = re.compile(r"[FG]\d{8,11}")
# As the tools of FIM write it into the schemas they make: `Datenfeld: Familienname - Wertebereich: Text`.
_FIM_WORDS = re.compile(r"(?:Datenfeld|Datenfeldgruppe): (?P<name>.+?)(?: - (?:Wertebereich|Typ): .*)?", re.DOTALL)
_CODE = "code"
_LONGEST_HELP = 160


@dataclass(frozen=True, slots=True)
class Named:
    """name: what people call the place, empty where only its own name is known. id: of FIM, else the local name.

    help: the first sentence that the schema says of it; empty for FIM, whose names say it.
    """

    name: str
    id: str
    help: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


class SourceNames:
    """fim: where there is an XDatenfelder file; without one, what the schema itself says is used."""

    def __init__(self, model: SchemaModel | None, fim: DataSchema | None) -> None:
        self._model = model
        elements = [trail[-1].element for trail in trails(fim)] if fim else []
        self._fim: Mapping[str, str] = {one.id: " ".join((one.label or one.name).split()) for one in elements}

    def named(self, place: tuple[str, ...]) -> Named:
        """place: local names from below the root, without FIM versions."""
        identifier = place[-1] if place else ""
        if identifier in self._fim:
            return Named(self._fim[identifier], identifier)
        words = self._words(place)
        if _FIM_ID.fullmatch(identifier):
            said = _FIM_WORDS.fullmatch(words)
            return Named(said["name"] if said else words, identifier)
        if identifier == _CODE and len(place) > 1:  # XÖV's codes stand in an element of their own, whose name says what
            return Named("", f"{place[-2]}/{_CODE}", _first_sentence(self._words(place[:-1])))
        return Named("", identifier, _first_sentence(words))

    def _words(self, place: tuple[str, ...]) -> str:
        definition = self._model.definition(place) if self._model is not None and place else None
        if definition is None:
            return ""
        words = _of_json(self._model.root, definition) if isinstance(definition, dict) else _of_xsd(definition)  # type: ignore[union-attr]
        return " ".join(words.split())


def _of_json(root: Any, definition: dict[str, Any]) -> str:
    for part in (definition, dereference(root, definition)):
        if words := part.get("title") or part.get("description"):
            return str(words)
    return ""


def _of_xsd(element: Any) -> str:
    """Of an element that only refers to another (`ref`), what is said of that one."""
    for one in (element, getattr(element, "ref", None)):
        annotation = getattr(one, "annotation", None)
        if annotation is not None and annotation.documentation:
            return " ".join(text for node in annotation.documentation if (text := "".join(node.itertext()).strip()))
    return ""


def _first_sentence(words: str) -> str:
    sentence = re.split(r"(?<=[a-zäöüß)][a-zäöüß)“\"][.!?]) (?=[A-ZÄÖÜ])", words, maxsplit=1)[0]
    return sentence if len(sentence) <= _LONGEST_HELP else sentence[: _LONGEST_HELP - 1].rstrip() + "…"
