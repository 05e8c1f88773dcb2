"""Check the codes in FIM data against the lists that the Stammdatenschema names for its fields.

FIM data hold a code alone, with no list beside it: list and version stand in the schema. Where the schema leaves the
version open, it is the receiver's to choose; here a code counts as known if any installed version has it, and otherwise
gets a warning, because the sender may have used a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from lxml import etree

from xoev_schemas.codelists.lookup import CodeLists
from xoev_schemas.codelists.model import CodeList, token, visible
from xoev_schemas.codelists.words import (
    At,
    code_invisible,
    code_unknown,
    list_unknown,
    more_code_findings,
    version_unknown,
)
from xoev_schemas.documents import Document, XmlDocument, text_of
from xoev_schemas.fim.explain import followed
from xoev_schemas.fim.model import DataSchema, Field, ListRef, element_name
from xoev_schemas.fim.wording import background, joined, named
from xoev_schemas.findings import Finding, Text
from xoev_schemas.places import Names, Places
from xoev_schemas.words import MOST_FINDINGS

# Looking for what was meant takes time in proportion to the list: a bound for messages full of wrong codes.
_MOST_COMPARED = 100_000

_Pointer = tuple[Any, str | int] | None
"""A JSON pointer: the pointer to the parent, and the last step; written out only for findings."""
_Where = etree._Element | _Pointer
_Value = tuple[str, str, _Where]
"""Name of a coded field, what stands in it, where."""


@dataclass(frozen=True, slots=True)
class _Code:
    """A value that its list does not have, or that no list decides on. place: where it stands."""

    value: str
    list: ListRef
    place: _Where


def codelist_findings(document: Document, schema: DataSchema, lists: CodeLists) -> list[Finding]:
    """What is wrong with the codes of a message, in document order; at most MOST_FINDINGS and a note.

    A code that its list does not have is an error. A list, or a version of it, that is not installed is a warning, once
    with the number of codes that went unchecked. Raises what `lists` raises when a list cannot be read.
    """
    if not schema.coded:
        return []
    if isinstance(document, XmlDocument):
        check, values = _Check(schema, lists, Places(document.root, Names(()))), _in_xml(document.root, schema)
    else:
        check, values = _Check(schema, lists, None), _in_json(document.value, schema)
    return check.findings(code for name, value, place in values if (code := check.suspect(name, value, place)))


def _in_xml(root: etree._Element, schema: DataSchema) -> Iterator[_Value]:
    for element in root.iter(*(f"{{*}}{name}" for name in schema.coded)):
        text = element.text or "" if len(element) == 0 else text_of(element)
        yield str(element.tag).rpartition("}")[2], str(text), element


def _in_json(value: Any, schema: DataSchema) -> Iterator[_Value]:
    pending: list[tuple[Any, str, _Pointer]] = [(value, "", None)]
    while pending:
        value, name, pointer = pending.pop()
        if isinstance(value, dict):
            pending.extend([(member, key, (pointer, key)) for key, member in value.items()][::-1])
        elif isinstance(value, list):
            pending.extend([(item, name, (pointer, number)) for number, item in enumerate(value)][::-1])
        elif name in schema.coded and isinstance(value, str):
            yield name, value, pointer


class _Check:
    def __init__(self, schema: DataSchema, lists: CodeLists, places: Places | None) -> None:
        self._schema = schema
        self._lists = lists
        self._places = places
        self._source = f"FIM {element_name(schema, versioned=True)}"
        self._deciding: dict[ListRef, list[CodeList]] = {}
        self._suggestions: dict[tuple[str, str], list[str]] = {}
        self._compared = 0

    def suspect(self, name: str, value: str, place: _Where) -> _Code | None:
        """None for a code that its list has: nearly every one, so this is all that most messages pay."""
        refs = self._schema.coded[name]
        ref = refs[0] if len(refs) == 1 else self._ref_at(place, refs)
        deciding = self._deciding.get(ref)
        if deciding is None:
            deciding = self._deciding[ref] = self._installed(ref)
        for known in deciding:
            if known.has(value):
                return None
        return _Code(value, ref, place)

    def _ref_at(self, place: _Where, refs: tuple[ListRef, ...]) -> ListRef:
        """Where positions of one field name different lists, the position decides."""
        trail = followed(self._path(place), self._schema).trail
        element = trail[-1].element if trail else None
        return (element.code_list if isinstance(element, Field) else None) or refs[0]

    def findings(self, suspects: Iterable[_Code]) -> list[Finding]:
        unchecked: dict[ListRef, list[_Code]] = {}
        wrong: list[_Code] = []
        for code in suspects:
            if self._deciding[code.list]:
                wrong.append(code)
                continue
            if code.list not in unchecked:
                wrong.append(code)
            unchecked.setdefault(code.list, []).append(code)
        findings = [
            self._wrong(code, deciding)
            if (deciding := self._deciding[code.list])
            else self._unchecked(unchecked[code.list])
            for code in wrong[:MOST_FINDINGS]
        ]
        if len(wrong) > MOST_FINDINGS:
            findings.append(more_code_findings(len(wrong) - MOST_FINDINGS, self._source))
        return findings

    def _installed(self, ref: ListRef) -> list[CodeList]:
        """The lists that decide: the version that is named, or every installed one; none with another key column."""
        versions = self._lists.versions(ref.uri) if ref.version is None else (ref.version,)
        found = [known for version in versions if (known := self._lists.get(ref.uri, version)) is not None]
        return [known for known in found if ref.key_column in (None, known.key_column)]

    def _wrong(self, code: _Code, installed: list[CodeList]) -> Finding:
        known, at, sent = installed[-1], self._at(code), token(code.value)
        seen = token(visible(sent))
        if seen != sent and known.has(seen):
            return self._about(code_invisible(sent, seen, known, at), code)
        finding = code_unknown(sent, known, self._near(sent, known), None, at)
        if code.list.version is not None:
            return self._about(finding, code)
        versions = ", ".join(known.version for known in installed)
        open_version = Text(
            f"Das Datenschema legt keine Version der Liste fest; installiert: {versions}.",
            f"The schema leaves the list's version open; installed: {versions}.",
        )
        return self._about(replace(finding, severity="warning", text=joined(finding.text, open_version)), code)

    def _near(self, sent: str, known: CodeList) -> list[str]:
        """Codes that may have been meant, looked for as long as that stays cheap for one message."""
        key = known.version_uri, sent
        if key not in self._suggestions and self._compared <= _MOST_COMPARED:
            self._compared += len(known)
            self._suggestions[key] = known.nearest(sent)
        return self._suggestions.get(key, [])

    def _unchecked(self, codes: list[_Code]) -> Finding:
        """Why the codes of one list could not be checked, at the first of them."""
        first, count = codes[0], len(codes)
        ref, at, versions = first.list, self._at(first), self._lists.versions(first.list.uri)
        if ref.key_column is not None and (ref.version in versions if ref.version else versions):
            return self._about(_other_column(ref, ref.key_column, count, at), first)
        if ref.version is not None and versions:
            return self._about(version_unknown(ref.uri, ref.version, versions, count, at), first)
        return self._about(list_unknown(ref.uri, ref.version or "", count, at), first)

    def _at(self, code: _Code) -> At:
        line = cast("int | None", code.place.sourceline) if isinstance(code.place, etree._Element) else None
        return At(self._path(code.place), line, self._source)

    def _path(self, place: _Where) -> str:
        if isinstance(place, etree._Element):
            assert self._places is not None
            return self._places.path(place)
        steps: list[str | int] = []
        pointer = place
        while pointer is not None:
            pointer, step = cast("tuple[_Pointer, str | int]", pointer)
            steps.append(step)
        return Names(()).pointer(reversed(steps))

    def _about(self, finding: Finding, code: _Code) -> Finding:
        """The finding with the field's name before it and, where a person has to mend a code, its help text behind."""
        trail = followed(finding.path, self._schema).trail
        if not trail:
            return finding
        name = named(trail)
        finding = replace(finding, text=joined(Text(f"{name.de}:", f"{name.en}:"), finding.text))
        if finding.code != "codelist.code_unknown":
            return finding
        return replace(finding, remedy=joined(finding.remedy, background(trail[-1])))


def _other_column(ref: ListRef, column: str, count: int, at: At) -> Finding:
    return Finding(
        code="fim.column_unchecked",
        severity="warning",
        layer="codelist",
        text=Text(
            f"Das Feld verwendet die Spalte {column} der Codeliste {ref.uri}, die hier nicht ihr Schlüssel ist; "
            f"nicht geprüfte Codes: {count}.",
            f"The field uses the column {column} of the code list {ref.uri}, which is not its key here; "
            f"codes not checked: {count}.",
        ),
        path=at.path,
        line=at.line,
        remedy=Text(
            "Prüfen Sie diese Angaben fachlich oder hinterlegen Sie eine eigene Regel des Dienstes.",
            "Have them checked by the department, or state a rule of the service.",
        ),
        source=at.source,
    )
