"""What an XDatenfelder file may contain, checked before anything is read from it.

The standards' own XSDs are not among the published files, so the grammar is written down here, from the specification's
list of elements and from real files. It is about presence and number, not about order: editorial systems keep to the
order no better than to that of words. What it lets pass, `reading` may take for granted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from xoev_schemas.documents import text_of
from xoev_schemas.fim.refusals import Problem, duplicate, missing, unexpected, wrong_value

XDF1 = "urn:xoev-de:fim:standard:xdatenfelder_1"
XDF2 = "urn:xoev-de:fim:standard:xdatenfelder_2"
XDF3 = "urn:xoev-de:fim:standard:xdatenfelder_3.0.0"
SCHEMA_MESSAGE = "xdatenfelder.stammdatenschema.0102"
GROUP_MESSAGE = "xdatenfelder.datenfeldgruppe.0103"

_Content = Mapping[str, tuple[int, int | None]]
"""Tag of a child → how often it may occur; None = as often as one likes."""

_TEXTS_2 = (
    "identifikation name bezeichnungEingabe? bezeichnungAusgabe? beschreibung? definition? bezug? status? gueltigAb? "
    "gueltigBis? fachlicherErsteller? versionshinweis? freigabedatum? veroeffentlichungsdatum?"
)
_TEXTS_3 = (
    "identifikation name beschreibung? definition? bezug* freigabestatus statusGesetztAm? statusGesetztDurch? "
    "gueltigAb? gueltigBis? versionshinweis? veroeffentlichungsdatum? letzteAenderung? relation* stichwort*"
)
_FORM_3 = "bezeichnungEingabe? bezeichnungAusgabe? schemaelementart? hilfetextEingabe? hilfetextAusgabe?"
_ELEMENTS_2 = {
    "stammdatenschema": f"{_TEXTS_2} hilfetext? ableitungsmodifikationenStruktur? "
    "ableitungsmodifikationenRepraesentation? regel* struktur*",
    "datenfeldgruppe": f"{_TEXTS_2} schemaelementart? hilfetextEingabe? hilfetextAusgabe? regel* struktur*",
    "datenfeld": f"{_TEXTS_2} schemaelementart? hilfetextEingabe? hilfetextAusgabe? feldart datentyp praezisierung? "
    "inhalt? codelisteReferenz? regel*",
    "regel": f"{_TEXTS_2} freitextRegel? script?",
    "codelisteReferenz": "identifikation? genericodeIdentification",
    "genericodeIdentification": "canonicalIdentification version? canonicalVersionUri?",
}
_ELEMENTS_3 = {
    "stammdatenschema": f"{_TEXTS_3} bezeichnung? hilfetext? ableitungsmodifikationenStruktur? "
    "ableitungsmodifikationenRepraesentation? dokumentsteckbrief? art? regel* struktur*",
    "datenfeldgruppe": f"{_TEXTS_3} {_FORM_3} art? regel* struktur*",
    "datenfeld": f"{_TEXTS_3} {_FORM_3} feldart datentyp praezisierung? inhalt? vorbefuellung? werte? "
    "codelisteReferenz? codeKey? nameKey? helpKey? regel* maxSize? mediaType*",
    "regel": "identifikation name beschreibung? freitextRegel? bezug* fachlicherErsteller? letzteAenderung? typ? "
    "param* ziel* fehler* skript? stichwort*",
    "codelisteReferenz": "canonicalIdentification version? canonicalVersionUri?",
    "werte": "wert+",
    "wert": "code name? hilfe?",
    "dokumentsteckbrief": "id version?",
}
_ELEMENTS = {
    "identifikation": "id version?",
    "struktur": "anzahl bezug* enthaelt",
    SCHEMA_MESSAGE: "header? stammdatenschema",
    GROUP_MESSAGE: "header? datenfeldgruppe",
}
_ANYTHING = ("header", "relation", "param", "ziel", "fehler")
"""Elements that nothing is read from."""

_CODES_2 = {
    "status": {"inVorbereitung", "aktiv", "inaktiv"},
    "feldart": {"input", "select", "label"},
    "datentyp": {"text", "date", "bool", "num", "num_int", "num_currency", "file", "obj"},
}
_CODES_3 = {
    "freigabestatus": {"1", "2", "3", "4", "5", "6", "7", "8"},
    "feldart": {"input", "select", "label", "hidden", "locked"},
    "datentyp": {
        "text", "text_latin", "date", "time", "datetime", "bool", "num", "num_int", "num_currency", "file", "obj",
    },
    "art": {"X"},
}  # fmt: skip
_OTHER_CODES = (
    "schemaelementart", "ableitungsmodifikationenStruktur", "ableitungsmodifikationenRepraesentation", "vorbefuellung",
    "typ",
)  # fmt: skip

_ID = re.compile(r"[A-Z][0-9]+")
_VERSION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)*)?")
_NUMBER_OF = re.compile(r"([0-9]{1,9}):([0-9]{1,9}|\*)")


@dataclass(frozen=True)
class Grammar:
    """The grammar of one version. contents: tag → content, None = anything; a tag not named holds text only.

    codes: tag → the codes it may hold. namespace: with braces, as a prefix for names.
    """

    namespace: str
    contents: Mapping[str, _Content | None]
    codes: Mapping[str, frozenset[str]]

    def problems(self, root: etree._Element) -> list[Problem]:
        """Everything that does not fit, in the order of the file."""
        found: list[Problem] = []
        pending = [root]
        while pending:
            element = pending.pop()
            content = self.contents.get(str(element.tag), {})
            if content is None:
                continue
            found.extend(_misplaced(element, content))
            found.extend(self._wrong_values(element))
            pending.extend(child for child in reversed(element) if child.tag in content)
        return found

    def _wrong_values(self, element: etree._Element) -> list[Problem]:
        if element.tag == "code":
            return self._code(element)
        if element.tag == f"{self.namespace}identifikation":
            return self._identification(element)
        return self._position(element) if element.tag == f"{self.namespace}struktur" else []

    def _code(self, element: etree._Element) -> list[Problem]:
        parent = element.getparent()
        allowed = self.codes.get(str(parent.tag)) if parent is not None else None
        if allowed is None or text_of(element).strip() in allowed:
            return []
        return [wrong_value(element, ", ".join(sorted(allowed)))]

    def _identification(self, element: etree._Element) -> list[Problem]:
        forms = {f"{self.namespace}id": (_ID, "F60000000227"), f"{self.namespace}version": (_VERSION, "1.0, 1.0.0")}
        found = []
        for child in element:
            pattern, words = forms.get(str(child.tag), (None, ""))
            if pattern and not pattern.fullmatch(text_of(child).strip()):
                found.append(wrong_value(child, words))
        return found

    def _position(self, element: etree._Element) -> list[Problem]:
        found = []
        for child in element.iterchildren(f"{self.namespace}anzahl"):
            if number_of(text_of(child)) is None:
                found.append(wrong_value(child, "0:1, 1:1, 0:*, 2:5"))
        for child in element.iterchildren(f"{self.namespace}enthaelt"):
            if len(child) != 1:
                found.append(missing(child, "datenfeld, datenfeldgruppe") if len(child) == 0 else duplicate(child[1]))
        return found


def number_of(text: str) -> tuple[int, int | None] | None:
    """`2:5` → (2, 5), `0:*` → (0, None); None where it is no such pair, or the wrong way round."""
    found = _NUMBER_OF.fullmatch(text.strip())
    if found is None:
        return None
    least, most = int(found[1]), None if found[2] == "*" else int(found[2])
    return (least, most) if most is None or least <= most else None


def _misplaced(element: etree._Element, content: _Content) -> list[Problem]:
    """Children that are not foreseen, too many, or not there."""
    seen: Counter[str] = Counter()
    found = []
    for child in element:
        tag = str(child.tag)
        if tag not in content:
            found.append(unexpected(child, ", ".join(map(_local, content))))
            continue
        seen[tag] += 1
        most = content[tag][1]
        if most is not None and seen[tag] == most + 1:
            found.append(duplicate(child))
    found.extend(missing(element, _local(tag)) for tag, (least, _) in content.items() if seen[tag] < least)
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


_OCCURRENCES: Mapping[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def _grammar(namespace: str, elements: Mapping[str, str], codes: Mapping[str, set[str]]) -> Grammar:
    """From the notation above: a name alone is exactly one, `?` at most one, `*` any number, `+` at least one."""
    prefix = f"{{{namespace}}}"
    contents: dict[str, _Content | None] = {f"{prefix}{name}": None for name in _ANYTHING}
    for name, notation in {**_ELEMENTS, **elements}.items():
        contents[prefix + name] = {
            prefix + word.rstrip("?*+"): _OCCURRENCES.get(word[-1], (1, 1)) for word in notation.split()
        }
    contents[f"{prefix}enthaelt"] = {f"{prefix}datenfeld": (0, None), f"{prefix}datenfeldgruppe": (0, None)}
    for name in (*codes, *_OTHER_CODES):
        contents[prefix + name] = {"code": (1, 1), "name": (0, 1)}  # XÖV's Code type: children without a namespace
    return Grammar(prefix, contents, {prefix + name: frozenset(allowed) for name, allowed in codes.items()})


GRAMMARS: Mapping[str, Grammar] = {
    XDF2: _grammar(XDF2, _ELEMENTS_2, _CODES_2),
    XDF3: _grammar(XDF3, _ELEMENTS_3, _CODES_3),
}
ROOTS = (SCHEMA_MESSAGE, GROUP_MESSAGE)
