"""Check the codes in FIM data against the lists that the Stammdatenschema names for its fields.

FIM data hold a code alone, with no list beside it: list and version stand in the schema. Where the schema leaves the
version open, it is the receiver's to choose; here a code counts as known if any installed version has it, and otherwise
gets a warning, because the sender may have used a newer one.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from xoev_schemas.fim.model import DataSchema, Field, Group, ListRef, Trail, by_id, element_name
from xoev_schemas.fim.wording import background, joined, named
from xoev_schemas.findings import Finding, Text
from xoev_schemas.places import Places
from xoev_schemas.standards import without_version
from xoev_schemas.words import MOST_FINDINGS

# Looking for what was meant takes time in proportion to the list: a bound for messages full of wrong codes.
_MOST_COMPARED = 100_000


@dataclass(frozen=True, slots=True)
class _Code:
    """A value in the data that a list decides on. list: the field's reference."""

    value: str
    list: ListRef
    trail: Trail
    path: str
    line: int | None


def codelist_findings(document: Document, schema: DataSchema, lists: CodeLists) -> list[Finding]:
    """What is wrong with the codes of a message, in document order; at most MOST_FINDINGS and a note.

    A code that its list does not have is an error. A list, or a version of it, that is not installed is a warning, once
    with the number of codes that went unchecked. Only what fits the schema is looked at: the rest has findings already.
    Raises what `lists` raises when a list cannot be read.
    """
    if isinstance(document, XmlDocument):
        codes = _in_xml(document.root, schema, Places(document.root))
    else:
        codes = _in_json(document.value, schema)
    check = _Check(lists, f"FIM {element_name(schema, versioned=True)}")
    return check.findings(list(codes))


def _in_xml(root: etree._Element, schema: DataSchema, places: Places) -> Iterator[_Code]:
    pending: list[tuple[etree._Element, DataSchema | Group, Trail]] = [(root, schema, ())]
    while pending:
        parent, level, above = pending.pop()
        positions, groups = by_id(level), []
        for child in parent:
            position = positions.get(without_version(etree.QName(child).localname))
            if position is None:
                continue
            trail, element = (*above, position), position.element
            if isinstance(element, Group):
                groups.append((child, element, trail))
            elif element.code_list is not None:
                line = cast("int | None", child.sourceline)
                yield _Code(text_of(child), element.code_list, trail, places.path(child), line)
        pending.extend(reversed(groups))


def _in_json(value: Any, schema: DataSchema) -> Iterator[_Code]:
    pending: list[tuple[Any, DataSchema | Group | Field, Trail, str]] = [(value, schema, (), "")]
    while pending:
        value, element, trail, path = pending.pop()
        if isinstance(value, list) and trail:
            items = [(item, element, trail, f"{path}/{number}") for number, item in enumerate(value)]
            pending.extend(item for item in reversed(items) if not isinstance(item[0], list))
        elif isinstance(element, Field):
            if element.code_list is not None and isinstance(value, str):
                yield _Code(value, element.code_list, trail, path, None)
        elif isinstance(value, dict):
            positions = by_id(element)
            members = [(key, positions.get(without_version(key))) for key in value]
            pending.extend((value[k], p.element, (*trail, p), f"{path}/{k}") for k, p in reversed(members) if p)


class _Check:
    def __init__(self, lists: CodeLists, source: str) -> None:
        self._lists = lists
        self._source = source
        self._suggestions: dict[tuple[str, str], list[str]] = {}
        self._compared = 0

    def findings(self, codes: list[_Code]) -> list[Finding]:
        unchecked: dict[ListRef, list[_Code]] = {}
        findings: list[Finding | ListRef] = []
        for code in codes:
            installed = self._installed(code.list)
            if not installed:
                if code.list not in unchecked:
                    findings.append(code.list)
                unchecked.setdefault(code.list, []).append(code)
            elif not any(known.has(code.value) for known in installed):
                findings.append(self._wrong(code, installed))
        worded = [
            finding if isinstance(finding, Finding) else self._unchecked(unchecked[finding])
            for finding in findings[:MOST_FINDINGS]
        ]
        if len(findings) > MOST_FINDINGS:
            worded.append(more_code_findings(len(findings) - MOST_FINDINGS, self._source))
        return worded

    def _installed(self, ref: ListRef) -> list[CodeList]:
        """The lists that decide: the version that is named, or every installed one; none with another key column."""
        versions = self._lists.versions(ref.uri) if ref.version is None else (ref.version,)
        found = [known for version in versions if (known := self._lists.get(ref.uri, version))]
        return [known for known in found if ref.key_column in (None, known.key_column)]

    def _wrong(self, code: _Code, installed: list[CodeList]) -> Finding:
        known, at, sent = installed[-1], self._at(code), token(code.value)
        seen = token(visible(sent))
        if seen != sent and known.has(seen):
            return _about(code_invisible(sent, seen, known, at), code)
        finding = code_unknown(sent, known, self._near(sent, known), None, at)
        if code.list.version is not None:
            return _about(finding, code)
        versions = ", ".join(known.version for known in installed)
        open_version = Text(
            f"Das Datenschema legt keine Version der Liste fest; installiert: {versions}.",
            f"The schema leaves the list's version open; installed: {versions}.",
        )
        return _about(replace(finding, severity="warning", text=joined(finding.text, open_version)), code)

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
            return _about(_other_column(ref, ref.key_column, count, at), first)
        if ref.version is not None and versions:
            return _about(version_unknown(ref.uri, ref.version, versions, count, at), first)
        return _about(list_unknown(ref.uri, ref.version or "", count, at), first)

    def _at(self, code: _Code) -> At:
        return At(code.path, code.line, self._source)


def _about(finding: Finding, code: _Code) -> Finding:
    """The finding with the field's name before it and, where a person has to mend a code, its help text behind it."""
    name = named(code.trail)
    finding = replace(finding, text=joined(Text(f"{name.de}:", f"{name.en}:"), finding.text))
    if finding.code != "codelist.code_unknown":
        return finding
    return replace(finding, remedy=joined(finding.remedy, background(code.trail[-1])))


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
