"""Which lists a standard needs, as its XSD files say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from code_list_files import FARBEN, installed, message, xsd_files

from xoev_schemas.codelists import CodeLists, NeededList, codelist_findings, enumerated_lists, needed_lists

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:c="http://xoev.de/schemata/code/1_0" xmlns:m="urn:m"'
ENUMERATION = """<xs:restriction base="xs:token"><xs:enumeration value="01"><xs:annotation><xs:appinfo>
  <wert>rot</wert></xs:appinfo></xs:annotation></xs:enumeration><xs:enumeration value="02"/></xs:restriction>"""


def code_type(name: str, attributes: str, content: str = 'type="xs:token"/>') -> str:
    return f"""<xs:complexType name="{name}"><xs:annotation><xs:appinfo><codeliste><nameLang>Farben</nameLang>
      <herausgebernameLang>Beispielamt</herausgebernameLang></codeliste></xs:appinfo></xs:annotation>
      <xs:complexContent><xs:restriction base="c:Code"><xs:sequence><xs:element name="code" {content}
      </xs:sequence>{attributes}</xs:restriction></xs:complexContent></xs:complexType>"""


def attributes(uri: str, version: str) -> str:
    return f'<xs:attribute name="listURI" {uri}/><xs:attribute name="listVersionID" {version}/>'


REQUIRED = 'use="required"'
FIXED = attributes(f'fixed="{FARBEN}"', 'fixed="1"')
SCHEMA = f"""<xs:schema {XS} targetNamespace="urn:m">
  <xs:simpleType name="Farben">{ENUMERATION}</xs:simpleType>
  {code_type("Named", FIXED, 'type="m:Farben"/>')}
  {code_type("Inline", FIXED, f"><xs:simpleType>{ENUMERATION}</xs:simpleType></xs:element>")}
  {code_type("Two", attributes('fixed="urn:two"', 'fixed="7"'))}
  {code_type("Three", attributes('fixed="urn:three"', REQUIRED))}
  {code_type("Four", attributes(REQUIRED, REQUIRED))}
</xs:schema>""".encode()


def test_the_four_code_types_are_told_apart() -> None:
    assert needed_lists({"a/m-codes.xsd": SCHEMA}) == [
        NeededList(None, None, 4, ("m-codes.xsd: Four",)),
        NeededList(FARBEN, "1", 1, ("m-codes.xsd: Inline", "m-codes.xsd: Named")),
        NeededList("urn:three", None, 3, ("m-codes.xsd: Three",)),
        NeededList("urn:two", "7", 2, ("m-codes.xsd: Two",)),
    ]


def test_a_list_that_the_schema_enumerates_needs_no_file() -> None:
    enumerated = enumerated_lists({"m.xsd": SCHEMA})

    assert list(enumerated) == [(FARBEN, "1")]
    farben = enumerated[FARBEN, "1"]
    assert (farben.title, farben.agency) == ("Farben", "Beispielamt")
    assert dict(farben.labels) == {"01": "rot", "02": ""}
    found = codelist_findings(message("01", "7"), installed(), "x", enumerated)
    assert [(finding.code, finding.line) for finding in found] == [("codelist.code_unknown", 3)]


def test_another_version_of_an_enumerated_list_is_an_unknown_version() -> None:
    [finding] = codelist_findings(message("01", version="2"), installed(), "x", enumerated_lists({"m.xsd": SCHEMA}))

    assert (finding.code, finding.allowed) == ("codelist.version_unknown", "1")


@pytest.mark.parametrize(
    ("standard", "types"),
    [
        ("xbau-2.6", {1: 77, 3: 22, 4: 23}),
        ("xunternehmen-gewerbesteuer-1.4", {1: 10, 3: 3, 4: 1}),
        ("xdomea-3.1.0", {1: 45, 3: 3, 4: 1}),
        ("xjustiz-3.6.2", {1: 23, 3: 103, 4: 1}),
    ],
)
def test_published_standards_need_the_lists_that_were_counted(
    standard: str, types: dict[int, int], test_data: Path
) -> None:
    places = Counter[int]()
    for needed in needed_lists(xsd_files(test_data, standard)):
        places[needed.type] += len(needed.where)

    assert places == types


def test_what_xbau_enumerates_is_what_its_lists_say(test_data: Path, published: CodeLists) -> None:
    enumerated = enumerated_lists(xsd_files(test_data, "xbau-2.6"))

    assert len(enumerated) == 77
    for (uri, version), codes in enumerated.items():
        as_published = published.get(uri, version)
        assert as_published
        assert set(codes.labels) == set(as_published.labels)
