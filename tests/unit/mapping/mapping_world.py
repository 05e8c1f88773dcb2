"""What mappings of tests find installed: a small code list, a function."""

from __future__ import annotations

from pathlib import Path

from xoev_schemas.registry import Registry

URN = "urn:example:codeliste:kanal"
GENERICODE = (
    '<gc:CodeList xmlns:gc="http://docs.oasis-open.org/codelist/ns/genericode/1.0/"><Identification>'
    "<ShortName>kanal</ShortName><LongName>Kanal</LongName><Version>{version}</Version>"
    "<CanonicalUri>" + URN + "</CanonicalUri></Identification><ColumnSet><Column Id='code' Use='required'/>"
    "<Column Id='name' Use='required'/><Column Id='kurz' Use='optional'/>"
    "<Key Id='k'><ShortName>k</ShortName><ColumnRef Ref='code'/></Key></ColumnSet><SimpleCodeList><Row>"
    "<Value ColumnRef='code'><SimpleValue>01</SimpleValue></Value>"
    "<Value ColumnRef='name'><SimpleValue>E-Mail</SimpleValue></Value>"
    "<Value ColumnRef='kurz'><SimpleValue>M</SimpleValue></Value></Row></SimpleCodeList></gc:CodeList>"
)


def with_list(folder: Path, *versions: str) -> Registry:
    registry = Registry(folder / "registry")
    for version in versions:
        file = folder / f"list-{version}.xml"
        file.write_text(GENERICODE.format(version=version), encoding="utf-8")
        registry.import_path(file)
    return registry


def school_number(text: str) -> str:
    return text.zfill(6)
