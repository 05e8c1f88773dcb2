"""Code lists and messages of our own, and the published ones by their index."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lxml import etree

from xoev_schemas.codelists import CodeLists
from xoev_schemas.xsd import XsdSource

FARBEN = "urn:beispiel:codeliste:farben"
KEY = '<Key Id="k"><ShortName>k</ShortName><ColumnRef Ref="code"/></Key>'


def genericode(
    rows: Iterable[tuple[str, str]] = (("01", "rot"), ("02", "grün")),
    *,
    uri: str = FARBEN,
    version: str = "1",
    keys: str = KEY,
    content: str | None = None,
) -> bytes:
    """A list with the columns `code` and `beschreibung`. content: everything after the columns."""
    cells = "".join(
        f'<Row><Value ColumnRef="code"><SimpleValue>{code}</SimpleValue></Value>'
        f'<Value ColumnRef="beschreibung"><SimpleValue>{label}</SimpleValue></Value></Row>'
        for code, label in rows
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<gc:CodeList xmlns:gc="http://docs.oasis-open.org/codelist/ns/genericode/1.0/">
 <Identification><ShortName>farben</ShortName><LongName>Farben</LongName><Version>{version}</Version>
  <CanonicalUri>{uri}</CanonicalUri></Identification>
 <ColumnSet><Column Id="code" Use="required"/><Column Id="beschreibung" Use="required"/>{keys}</ColumnSet>
 {f"<SimpleCodeList>{cells}</SimpleCodeList>" if content is None else content}
</gc:CodeList>""".encode()


def installed(*lists: bytes) -> CodeLists:
    """Our lists, by the version that each names."""
    entries: dict[tuple[str, str], Callable[[], bytes]] = {}
    for data in lists:
        root = etree.fromstring(data)
        key = str(root.findtext("Identification/CanonicalUri")), str(root.findtext("Identification/Version"))
        entries[key] = lambda data=data: data  # type: ignore[misc]
    return CodeLists(entries)


def message(*codes: str, uri: str | None = FARBEN, version: str | None = "1") -> etree._Element:
    """A message with an element `farbe` for each code, on lines 2, 3, …"""
    named = "".join(
        f' {name}="{value}"' for name, value in (("listURI", uri), ("listVersionID", version)) if value is not None
    )
    lines = "".join(f"\n<farbe{named}><code>{code}</code></farbe>" for code in codes)
    return etree.fromstring(f"<antrag>{lines}\n</antrag>")


def index(test_data: Path) -> list[dict[str, str]]:
    with (test_data / "codelists" / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def published_lists(test_data: Path) -> CodeLists:
    files = {(r["canonicalUri"], r["version"]): test_data / "codelists" / r["file"] for r in index(test_data)}
    return CodeLists({key: file.read_bytes for key, file in files.items()})


def xsd_files(test_data: Path, standard: str = "") -> Mapping[str, bytes]:
    """Path below `xoev` → bytes of a standard's schemas, of all without one."""
    top = test_data / "xoev"
    return {file.relative_to(top).as_posix(): file.read_bytes() for file in (top / standard).rglob("*.xsd")}


def xsd_source(test_data: Path, entry: str) -> XsdSource:
    """A published schema, with all others to import from."""
    catalog = etree.parse(test_data / "xoev" / "catalog.xml").getroot()
    urls = {str(node.get("name") or node.get("systemId")): str(node.get("uri")) for node in catalog.iter("{*}*")}
    return XsdSource(entry, entry, xsd_files(test_data), urls)


def sample(test_data: Path, name: str = "constructed-valid_baugenehmigung.antrag.0200.xml") -> bytes:
    return (test_data / "xoev" / "xbau-2.6" / "instances" / name).read_bytes()


XBAU = "xbau-2.6/xbau-nachrichten-baugenehmigung.xsd"
