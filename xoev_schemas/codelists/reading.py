"""From published bytes to a `CodeList`: Genericode 1.0, or the JSON form of the XRepository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lxml import etree

from xoev_schemas.codelists.model import CodeList, NotACodeList, labels_of, speaking_columns, token
from xoev_schemas.codelists.words import is_a_placeholder, is_incomplete, is_no_code_list
from xoev_schemas.documents import Limits, Unreadable, parse_json, parse_xml

GENERICODE = "http://docs.oasis-open.org/codelist/ns/genericode/1.0/"

# A list of 11,000 communities has 80,000 elements.
_LIMITS = Limits(elements=5_000_000)

# What marks the column of the codes, by generation of the XÖV handbook: `…/genericode/4`, `/3`, `/2` and `/1_0`.
_RECOMMENDED = frozenset({"recommendedKeyColumn", "empfohleneCodeSpalte", "xoev-code"})
_LABEL = "xoev-codename"  # only in 1_0
_VALID_FROM = frozenset({"validFrom", "datumGueltigkeitAb", "datumgueltigkeitab"})


def read_code_list(data: bytes, column: str | None = None) -> CodeList:
    """Read a list in whichever of the two forms it is. Raises NotACodeList.

    column: whose values the labels are to be; None = the one that people read.
    """
    return read_json(data, column) if data.lstrip()[:1] == b"{" else read_genericode(data, column)


def read_genericode(data: bytes, column: str | None = None) -> CodeList:
    """Read a Genericode 1.0 file with its XÖV annotations, if any. column: see `read_code_list`. Raises NotACodeList.

    Only one that can be checked against: a file with metadata alone (a reserved place in the XRepository), or with
    columns defined in another file, is refused.
    """
    root = _parsed(data)
    if root.tag != f"{{{GENERICODE}}}CodeList":
        raise NotACodeList([is_no_code_list()])
    uri, version = _text(root, "Identification/CanonicalUri"), _text(root, "Identification/Version")
    columns = tuple(str(column.get("Id", "")) for column in root.iterfind("ColumnSet/Column"))
    keys = [_key(key) for key in root.iterfind("ColumnSet/Key")]
    code = _code_column([key for key in keys if key.column in columns])
    if not uri or not version or code is None:
        raise NotACodeList([is_incomplete()])
    named = next((key.column for key in keys if key.is_label), None)
    labels = labels_of(_rows(root, columns), code, [column] if column else speaking_columns(columns, code, named))
    if not labels:
        raise NotACodeList([is_a_placeholder(uri, version)])
    return CodeList(
        uri=uri,
        version=version,
        version_uri=_text(root, "Identification/CanonicalVersionUri") or f"{uri}_{version}",
        title=_text(root, "Identification/LongName") or _text(root, "Identification/ShortName"),
        agency=_text(root, "Identification/Agency/LongName") or None,
        key_column=code,
        columns=columns,
        valid_from=_valid_from(root),
        labels=labels,
    )


@dataclass(frozen=True, slots=True)
class _Key:
    column: str
    is_recommended: bool
    is_label: bool


def _key(element: etree._Element) -> _Key:
    """The first column stands for a key of several: a message holds one value."""
    marks = {etree.QName(mark).localname for mark in element.iterfind("Annotation/AppInfo/*")}
    column = element.find("ColumnRef")
    ref = "" if column is None else str(column.get("Ref", ""))
    return _Key(ref, bool(marks & _RECOMMENDED), _LABEL in marks)


def _code_column(keys: Sequence[_Key]) -> str | None:
    """The key marked as the one of the codes, else the only one, else the first."""
    return next((key.column for key in keys if key.is_recommended), keys[0].column if keys else None)


def _rows(root: etree._Element, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """A value without a reference belongs to the column after the one before it (Genericode 1.0, `Value`)."""
    following = dict(pairwise(columns))
    for row in root.iterfind("SimpleCodeList/Row"):
        cells: dict[str, str] = {}
        column: str | None = None
        for value in row.iterfind("Value"):
            ref = value.get("ColumnRef")
            column = str(ref) if ref is not None else following.get(column) if column else next(iter(columns), None)
            text = value.findtext("SimpleValue")
            if column and text:
                cells[column] = text
        yield cells


def _valid_from(root: etree._Element) -> str | None:
    for element in root.iterfind("Annotation/Description/*"):
        if etree.QName(element).localname in _VALID_FROM and element.text:
            return token(element.text)
    return None


def _text(root: etree._Element, path: str) -> str:
    return token(root.findtext(path) or "")


def _parsed(data: bytes) -> etree._Element:
    try:
        return parse_xml(_in_utf8(data), _LIMITS).root
    except Unreadable as error:
        raise NotACodeList(error.findings) from None


_ENCODING = re.compile(
    rb"""(<\?xml[^<>?]*?\bencoding=["'])(iso-8859-1|iso-8859-15|windows-1252)(["'])""", re.IGNORECASE
)


def _in_utf8(data: bytes) -> bytes:
    """Older lists say that they are in Latin-1, and some (the Länder of 2010) are in UTF-8: the bytes decide."""
    declared = _ENCODING.match(data)
    if declared is None:
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode(declared[2].decode(), "replace").encode()
    return _ENCODING.sub(rb"\1utf-8\3", data, count=1)


# --- JSON ----------------------------------------------------------------------------------------------------------


def read_json(data: bytes, column: str | None = None) -> CodeList:
    """Read the XRepository's JSON form: an object with `metadaten`, `spalten` and `daten`. Raises NotACodeList.

    Nowhere specified; read as its public users read it. `gueltigAb` is left out: a point in time, not a date.
    """
    try:
        value = parse_json(data, _LIMITS).value
    except Unreadable as error:
        raise NotACodeList(error.findings) from None
    if not isinstance(value, dict) or not {"metadaten", "spalten", "daten"} <= set(value):
        raise NotACodeList([is_no_code_list()])
    about, described = _object(value["metadaten"]), [_object(column) for column in _list(value["spalten"])]
    uri, version = _string(about.get("kennungInhalt")), _string(about.get("version"))
    columns = tuple(_string(column.get("spaltennameTechnisch")) for column in described)
    code = _json_code_column(described, columns)
    if not uri or not version or not code:
        raise NotACodeList([is_incomplete()])
    rows = (
        {name: cell for name, cell in zip(columns, _list(row), strict=False) if isinstance(cell, str) and cell}
        for row in _list(value["daten"])
    )
    labels = labels_of(rows, code, [column] if column else speaking_columns(columns, code))
    if not labels:
        raise NotACodeList([is_a_placeholder(uri, version)])
    return CodeList(
        uri=uri,
        version=version,
        version_uri=_string(about.get("kennung")) or f"{uri}_{version}",
        title=_string(about.get("nameLang")) or _string(about.get("nameKurz")),
        agency=_string(about.get("herausgebernameLang")) or None,
        key_column=code,
        columns=columns,
        valid_from=None,
        labels=labels,
    )


def _json_code_column(described: Sequence[dict[str, Any]], columns: Sequence[str]) -> str | None:
    """The recommended column, else the first that may be used for codes."""
    for mark in ("empfohleneCodeSpalte", "codeSpalte"):
        for column, name in zip(described, columns, strict=True):
            if column.get(mark) is True:
                return name
    return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _string(value: Any) -> str:
    """A text, or the first of a list of `{"value": …, "lang": …}`."""
    if isinstance(value, list):
        value = _object(value[0]).get("value") if value else None
    return token(value) if isinstance(value, str) else ""
