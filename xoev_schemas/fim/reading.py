"""Read XDatenfelder 3.0.0 and 2 into the one model.

Files are several megabytes, most of it relations and histories that nobody needs here; what is kept is small. Texts
lose the white space at their ends. Nothing in a file is ever executed: scripts of rules are not even kept.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from lxml import etree

from xoev_schemas.documents import Limits as Bounds
from xoev_schemas.documents import Unreadable, parse_xml, text_of
from xoev_schemas.fim.grammar import GRAMMARS, ROOTS, SCHEMA_MESSAGE, XDF1, XDF2, number_of
from xoev_schemas.fim.model import (
    Basis,
    DataSchema,
    DataType,
    Field,
    FieldKind,
    Group,
    Limits,
    ListRef,
    Position,
    Rule,
    Value,
    element_name,
)
from xoev_schemas.fim.refusals import NotAnXdf, Problem, not_xdf, old_xdf, refusal, wrong_value

_BOUNDS = Bounds(max_bytes=64 * 1024 * 1024, depth=200, elements=2_000_000)
_NUMBERS = ("num", "num_int", "num_currency")


def read_xdf(data: bytes) -> DataSchema:
    """Raises NotAnXdf: not harmless XML, not XDatenfelder 2 or 3.0.0, or not as these say; with every place."""
    try:
        root = parse_xml(data, _BOUNDS).root
    except Unreadable as error:
        raise NotAnXdf(error.findings) from None
    name = etree.QName(root)
    if name.namespace == XDF1:
        raise refusal([old_xdf(root)], root, data)
    grammar = GRAMMARS.get(name.namespace or "")
    if grammar is None or name.localname not in ROOTS:
        raise refusal([not_xdf(root)], root, data)
    problems = grammar.problems(root)
    if not problems:
        reader = _Reader(grammar.namespace)
        schema = reader.schema(root)
        problems = reader.problems
    if problems:
        raise refusal(problems, root, data)
    return schema


class _Reader:
    """Reads what the grammar has let pass; `problems` are values that only their field's type shows to be wrong."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._rules: dict[tuple[str, str], Rule] = {}
        self._two = namespace == f"{{{XDF2}}}"
        self.problems: list[Problem] = []

    def schema(self, root: etree._Element) -> DataSchema:
        alone = etree.QName(root).localname != SCHEMA_MESSAGE
        element = self._children(root, "datenfeldgruppe" if alone else "stammdatenschema")[0]
        identifier, version = self._identification(element)
        self._own_rules(element)
        positions = self._positions(element)
        return DataSchema(
            id=identifier,
            version=version,
            title=self._text(element, "name"),
            label=self._text(element, "bezeichnung", "bezeichnungEingabe", "name"),
            description=self._text(element, "beschreibung", "definition"),
            help=self._text(element, "hilfetext", "hilfetextEingabe"),
            status=self._code(element, "freigabestatus") or self._code(element, "status"),
            legal_basis=self._bases(element),
            rules=tuple(self._rules.values()),
            choice=self._code(element, "art") == "X",
            positions=positions,
            coded=_coded(positions),
            xdf="2" if self._two else "3",
        )

    def _positions(self, parent: etree._Element) -> tuple[Position, ...]:
        return tuple(self._position(struktur) for struktur in self._children(parent, "struktur"))

    def _position(self, struktur: etree._Element) -> Position:
        number = number_of(self._text(struktur, "anzahl"))
        assert number is not None, "the grammar checks it"
        element = self._children(struktur, "enthaelt")[0][0]
        is_group = etree.QName(element).localname == "datenfeldgruppe"
        read = self._group(element) if is_group else self._field(element)
        return Position(*number, read, self._bases(struktur))

    def _group(self, element: etree._Element) -> Group:
        return Group(
            **self._texts(element),
            choice=self._code(element, "art") == "X",
            positions=self._positions(element),
        )

    def _field(self, element: etree._Element) -> Field:
        datatype = cast(DataType, self._code(element, "datentyp"))
        size = self._text(element, "maxSize")
        return Field(
            **self._texts(element),
            kind=cast(FieldKind, self._code(element, "feldart")),
            type=datatype,
            limits=self._limits(element, datatype),
            values=self._values(element),
            code_list=self._code_list(element),
            content=self._text(element, "inhalt"),
            max_size=int(size) if size.isdecimal() else None,
            media_types=tuple(text_of(child).strip() for child in self._children(element, "mediaType")),
        )

    def _texts(self, element: etree._Element) -> dict[str, Any]:
        """What fields and groups have in common."""
        identifier, version = self._identification(element)
        return {
            "id": identifier,
            "version": version,
            "name": self._text(element, "name"),
            "label": self._text(element, "bezeichnungEingabe", "name"),
            "label_out": self._text(element, "bezeichnungAusgabe", "name"),
            "help": self._text(element, "hilfetextEingabe", "hilfetextAusgabe"),
            "description": self._text(element, "beschreibung"),
            "definition": self._text(element, "definition"),
            "legal_basis": self._bases(element),
            "rules": self._own_rules(element),
        }

    def _identification(self, element: etree._Element) -> tuple[str, str]:
        identification = self._children(element, "identifikation")[0]
        return self._text(identification, "id"), self._text(identification, "version")

    def _bases(self, element: etree._Element) -> tuple[Basis, ...]:
        found = [(text_of(child).strip(), child.get("link")) for child in self._children(element, "bezug")]
        return tuple(Basis(text, str(link) if link else None) for text, link in found if text.strip("-"))

    def _own_rules(self, element: etree._Element) -> tuple[Rule, ...]:
        """An element's rules. One that stands at several elements is one rule."""
        own = []
        for child in self._children(element, "regel"):
            key = self._identification(child)
            text = self._text(child, "freitextRegel", "definition", "beschreibung")
            own.append(self._rules.setdefault(key, Rule(*key, self._text(child, "name"), text)))
        return tuple(own)

    def _values(self, element: etree._Element) -> tuple[Value, ...]:
        return tuple(
            Value(self._text(wert, "code"), self._text(wert, "name"), self._text(wert, "hilfe"))
            for werte in self._children(element, "werte")
            for wert in self._children(werte, "wert")
        )

    def _code_list(self, element: etree._Element) -> ListRef | None:
        for reference in self._children(element, "codelisteReferenz"):
            holder = self._children(reference, "genericodeIdentification")[0] if self._two else reference
            uri = self._text(holder, "canonicalIdentification")
            if not uri:
                self.problems.append(wrong_value(reference, "urn:de:bund:destatis:…"))
            return ListRef(uri, self._text(holder, "version") or None, self._text(element, "codeKey") or None)
        return None

    def _limits(self, element: etree._Element, datatype: DataType) -> Limits | None:
        """None where there is no Präzisierung, and where it is empty."""
        for child in self._children(element, "praezisierung"):
            stated: dict[str, Any] = (
                self._json_limits(child) if self._two else {str(k): v for k, v in child.attrib.items()}
            )
            if stated:
                return Limits(
                    self._length(child, stated, "minLength"),
                    self._length(child, stated, "maxLength"),
                    self._value(child, stated, "minValue", datatype),
                    self._value(child, stated, "maxValue", datatype),
                    str(stated.get("pattern", "")) or None,
                )
        return None

    def _json_limits(self, element: etree._Element) -> dict[str, Any]:
        """XDatenfelder 2 holds an object written as JSON in the text of the element."""
        text = text_of(element).strip()
        if not text:
            return {}
        try:
            stated = json.loads(text)
        except (ValueError, RecursionError):
            stated = None
        # JSON can hold characters that XML cannot, and from here the limits go into an XML Schema.
        if isinstance(stated, dict) and all(str(value).isprintable() for value in stated.values()):
            return stated
        self.problems.append(wrong_value(element, '{"minLength":"1","maxLength":"60"}'))
        return {}

    def _length(self, element: etree._Element, stated: dict[str, Any], name: str) -> int | None:
        written = str(stated.get(name, "")).strip()
        if written and not (written.isdecimal() and written.isascii()):
            self.problems.append(wrong_value(element, f"{name}: 1, 60"))
            return None
        return int(written) if written else None

    def _value(self, element: etree._Element, stated: dict[str, Any], name: str, datatype: DataType) -> str | None:
        written = str(stated.get(name, "")).strip()
        if written and datatype in _NUMBERS and not _is_number(written):
            self.problems.append(wrong_value(element, f"{name}: 0, 31, 0.5"))
            return None
        return written or None

    def _text(self, element: etree._Element, *names: str) -> str:
        """The first text among the children with these names that is not empty; the standards differ in names only."""
        for name in names:
            for child in self._children(element, name):
                if text := text_of(child).strip():
                    return text
        return ""

    def _code(self, element: etree._Element, name: str) -> str:
        """XÖV's Code type: `code` has no namespace, and a `name` may stand beside it."""
        return (element.findtext(f"{self._namespace}{name}/code") or "").strip()

    def _children(self, element: etree._Element, name: str) -> list[etree._Element]:
        return element.findall(self._namespace + name)


def _coded(positions: tuple[Position, ...]) -> dict[str, tuple[ListRef, ...]]:
    """See `DataSchema.coded`."""
    found: dict[str, tuple[ListRef, ...]] = {}
    pending = list(positions)
    while pending:
        element = pending.pop().element
        if isinstance(element, Group):
            pending.extend(element.positions)
        elif element.code_list is not None:
            for name in {element_name(element, versioned=versioned) for versioned in (True, False)}:
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), element.code_list)))
    return found


def _is_number(written: str) -> bool:
    try:
        return Decimal(written).is_finite()
    except InvalidOperation:
        return False
