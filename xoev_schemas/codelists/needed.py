"""Which code lists a standard refers to, read from its XSD files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from xoev_schemas.codelists.model import CodeList, labels_of, speaking_columns
from xoev_schemas.xsd import XS, parse_schema

CodeType = Literal[1, 2, 3, 4]


@dataclass(frozen=True, slots=True)
class NeededList:
    """A list that messages of a standard refer to.

    uri, version: as the schema fixes them; None where the message says (URI: type 4, version: types 3 and 4).
    type: code type 1–4 of XÖV; the codes of type 1 stand in the schema, so it needs no file.
    where: `file: type` of every place, sorted.
    """

    uri: str | None
    version: str | None
    type: CodeType
    where: tuple[str, ...]


def needed_lists(xsd_files: Mapping[str, bytes]) -> list[NeededList]:
    """Sorted by URI, then version, then type. xsd_files: path → bytes, all of them schemas that parse."""
    places: dict[tuple[str, str, CodeType], set[str]] = {}
    for use in _uses(xsd_files):
        places.setdefault((use.uri or "", use.version or "", use.type), set()).add(use.where)
    return [
        NeededList(uri or None, version or None, code_type, tuple(sorted(where)))
        for (uri, version, code_type), where in sorted(places.items())
    ]


def enumerated_lists(xsd_files: Mapping[str, bytes]) -> dict[tuple[str, str], CodeList]:
    """(URI, version) → the list as the schema itself enumerates it (type 1)."""
    found: dict[tuple[str, str], CodeList] = {}
    for use in _uses(xsd_files):
        if use.uri and use.version and use.codes:
            found.setdefault((use.uri, use.version), _as_list(use, use.uri, use.version))
    return found


@dataclass(frozen=True, slots=True)
class _Use:
    """One restriction of the type `Code`. codes: code → label, empty where the schema does not enumerate them."""

    uri: str | None
    version: str | None
    codes: Mapping[str, str]
    where: str
    title: str
    agency: str | None

    @property
    def type(self) -> CodeType:
        if self.uri is None:
            return 4
        if self.version is None:
            return 3
        return 1 if self.codes else 2


def _as_list(use: _Use, uri: str, version: str) -> CodeList:
    about = ("code", "label")
    return CodeList(uri, version, f"{uri}_{version}", use.title, use.agency, "code", about, None, use.codes)


def _uses(xsd_files: Mapping[str, bytes]) -> Iterator[_Use]:
    """Every type that says something about `listURI` or `listVersionID`, in order of the files."""
    roots = {path: parse_schema(data) for path, data in sorted(xsd_files.items())}
    simple = {
        (root.get("targetNamespace"), node.get("name")): node
        for root in roots.values()
        for node in root.iterchildren(f"{XS}simpleType")
    }
    for path, root in roots.items():
        for derivation in root.iterfind(f".//{XS}complexContent/{XS}restriction"):
            fixed = {a.get("name"): a.get("fixed") for a in derivation.iterchildren(f"{XS}attribute")}
            if "listURI" in fixed or "listVersionID" in fixed:
                content = derivation.find(f"{XS}sequence/{XS}element[@name='code']")
                yield _Use(
                    uri=fixed.get("listURI"),
                    version=fixed.get("listVersionID"),
                    codes={} if content is None else _codes(content, simple),
                    where=f"{posixpath.basename(path)}: {_type_name(derivation)}",
                    title=_about(derivation, "nameLang"),
                    agency=_about(derivation, "herausgebernameLang") or None,
                )


def _codes(element: etree._Element, simple: Mapping[tuple[str | None, str | None], etree._Element]) -> dict[str, str]:
    """The values that the type of the element `code` enumerates, with their documentation (XÖV NDR)."""
    declared = element.find(f"{XS}simpleType")
    if declared is None:
        prefix, colon, name = str(element.get("type", "")).rpartition(":")
        declared = simple.get((element.nsmap.get(prefix if colon else None), name))
    if declared is None:
        return {}
    rows = [_row(value) for value in declared.iterfind(f"{XS}restriction/{XS}enumeration")]
    columns = dict.fromkeys(column for row in rows for column in row)
    return labels_of(rows, "", speaking_columns(columns, ""))


def _row(value: etree._Element) -> dict[str, str]:
    """The code under the empty name, which no column of documentation has."""
    notes = value.iterfind(f"{XS}annotation/{XS}appinfo/*")
    return {"": str(value.get("value", "")), **{etree.QName(note).localname: note.text for note in notes if note.text}}


def _type_name(node: etree._Element) -> str:
    return next(str(up.get("name")) for up in node.iterancestors() if up.get("name") or up.getparent() is None)


def _about(derivation: etree._Element, name: str) -> str:
    """What the type's `appinfo` says about its list (XÖV NDR-32)."""
    declaring = next(derivation.iterancestors(f"{XS}complexType"))
    return (declaring.findtext(f"{XS}annotation/{XS}appinfo/codeliste/{name}") or "").strip()
