"""Code lists (OASIS Genericode 1.0) found in a source."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from lxml import etree

from xoev_schemas.candidates import FoundList, in_file, safe_name
from xoev_schemas.codelists import NotACodeList, read_code_list
from xoev_schemas.findings import Finding, Text
from xoev_schemas.sources import Source, import_finding
from xoev_schemas.standards import InstalledList

FOLDER = "codelists"
_GENERICODE = "http://docs.oasis-open.org/codelist/ns/genericode/1.0/"


def code_list(path: Path, root: etree.QName, source: Source, problems: list[Finding]) -> FoundList | None:
    """None for XML files that are no code list, or, with findings, a damaged one."""
    if (root.namespace, root.localname) != (_GENERICODE, "CodeList"):
        return None
    data = path.read_bytes()
    try:
        read = read_code_list(data)
    except NotACodeList as error:
        problems.extend(in_file(source.name(path), error.findings))
        return None
    file = f"{FOLDER}/{safe_name(read.uri + '_' + read.version)}.gc.xml"
    entry = InstalledList(read.uri, read.version, read.title, file, sha256(data).hexdigest(), len(read))
    return FoundList(entry, data, frozenset(read.labels))


def one_per_list(found: Iterable[FoundList], problems: list[Finding]) -> list[FoundList]:
    """Two files of one list and version are one list if they have the same codes: descriptions may be edited."""
    chosen: dict[tuple[str, str], FoundList] = {}
    for one in found:
        key = (one.entry.uri, one.entry.version)
        first = chosen.setdefault(key, one)
        if first.codes != one.codes:
            problems.append(other_codes(one.entry))
    return list(chosen.values())


def other_codes(entry: InstalledList) -> Finding:
    return import_finding(
        "schemas.codelist_differs",
        f"{entry.uri}_{entry.version}",
        Text(
            f"Die Codeliste {entry.uri} in der Version {entry.version} gibt es schon mit anderen Codes.",
            f"The code list {entry.uri} in version {entry.version} is there already, with other codes.",
        ),
        Text(
            "Eine veröffentlichte Version ändert sich nicht: Prüfen Sie, welche Datei vom Herausgeber kommt. Zum "
            "Ersetzen entfernen Sie die installierte mit: gateway schemas remove URN_VERSION",
            "A published version does not change: see which file is the publisher's. To replace the installed one, "
            "remove it first: gateway schemas remove URN_VERSION",
        ),
    )
