"""Codes in FIM data are checked against the list that the schema names for the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from xdf_files import at, code_list, field, group, name_of, published, schema

from xoev_schemas.codelists import CodeLists
from xoev_schemas.documents import Document, parse_json, parse_xml
from xoev_schemas.fim import codelist_findings
from xoev_schemas.findings import Finding

STATE = "urn:test:staat"


def genericode(uri: str, version: str, **codes: str) -> bytes:
    """Keys are codes with a letter before them, because keywords cannot be numbers."""
    rows = "".join(
        f'<Row><Value ColumnRef="code"><SimpleValue>{code[1:]}</SimpleValue></Value>'
        f'<Value ColumnRef="name"><SimpleValue>{name}</SimpleValue></Value></Row>'
        for code, name in codes.items()
    )
    return (
        '<gc:CodeList xmlns:gc="http://docs.oasis-open.org/codelist/ns/genericode/1.0/"><Identification>'
        f"<ShortName>staat</ShortName><LongName>Staat</LongName><Version>{version}</Version>"
        f"<CanonicalUri>{uri}</CanonicalUri><CanonicalVersionUri>{uri}_{version}</CanonicalVersionUri>"
        '</Identification><ColumnSet><Column Id="code" Use="required"><ShortName>code</ShortName><Data Type="string"/>'
        '</Column><Column Id="name" Use="required"><ShortName>name</ShortName><Data Type="string"/></Column>'
        '<Key Id="codeKey"><ShortName>codeKey</ShortName><ColumnRef Ref="code"/></Key></ColumnSet>'
        f"<SimpleCodeList>{rows}</SimpleCodeList></gc:CodeList>"
    ).encode()


def lists(*versions: str) -> CodeLists:
    """Version 1 has 000 and 121, version 2 also 160."""
    contents = {
        "1": genericode(STATE, "1", _000="Deutschland", _121="Albanien"),
        "2": genericode(STATE, "2", _000="Deutschland", _121="Albanien", _160="Russland"),
    }

    def reader(version: str) -> Any:
        return lambda: contents[version]

    return CodeLists({(STATE, version): reader(version) for version in versions})


FIXED = schema(
    at("1:*", group(1, "Person", at("0:*", field(1, "Staat", kind="select", more=code_list(STATE, "1"))))),
)
OPEN = schema(at("0:*", field(1, "Staat", kind="select", more=code_list(STATE))))


def as_json(value: Any) -> Document:
    return parse_json(json.dumps(value).encode())


def people(*states: str) -> Document:
    return as_json({"G99000000001": [{"F99000000001": [state]} for state in states]})


def people_in_xml(*states: str) -> Document:
    content = "".join(
        f"<G99000000001V1.0.0><F99000000001V1.0.0>{state}</F99000000001V1.0.0></G99000000001V1.0.0>\n"
        for state in states
    )
    name = name_of(FIXED)
    return parse_xml(f'<{name} xmlns="urn:fim-de:xfall:datenschema:xdf3">\n{content}</{name}>'.encode())


def test_codes_of_the_list_are_fine_white_space_aside() -> None:
    assert codelist_findings(people("000", " 121 "), FIXED, lists("1")) == []
    assert codelist_findings(people_in_xml("000", " 121 "), FIXED, lists("1")) == []


def test_a_code_that_the_list_does_not_have_is_an_error_at_its_place() -> None:
    (from_json,) = codelist_findings(people("000", "999"), FIXED, lists("1"))
    (from_xml,) = codelist_findings(people_in_xml("000", "999"), FIXED, lists("1"))
    assert (from_json.code, from_json.severity, from_json.layer) == ("codelist.code_unknown", "error", "codelist")
    assert from_json.path == "/G99000000001/1/F99000000001/0"
    assert from_xml.path == "/S99000000001V1.0.0/G99000000001V1.0.0[2]/F99000000001V1.0.0"
    assert from_xml.line == 3
    assert from_json.text == from_xml.text
    assert from_json.text.de.startswith(
        "„Staat“, Gruppe „Person“ (F99000000001): Der Code steht nicht in der Codeliste"
    )
    assert "999" not in repr(from_json)


def test_the_named_version_decides_even_where_another_has_the_code() -> None:
    (finding,) = codelist_findings(people("160"), FIXED, lists("1", "2"))
    assert (finding.code, finding.severity) == ("codelist.code_unknown", "error")


def test_a_version_that_is_not_installed_is_one_warning_with_the_number_of_codes() -> None:
    (finding,) = codelist_findings(people("000", "999", "x"), FIXED, lists("2"))
    assert (finding.code, finding.severity) == ("codelist.version_unknown", "warning")
    assert "3 Codes" in finding.text.de


def test_a_list_that_is_not_installed_is_one_warning() -> None:
    (finding,) = codelist_findings(people("000", "999"), FIXED, lists())
    assert (finding.code, finding.severity) == ("codelist.list_unknown", "warning")


@pytest.mark.parametrize(("code", "findings"), [("160", 0), ("999", 1)])
def test_where_the_schema_leaves_the_version_open_any_installed_one_will_do(code: str, findings: int) -> None:
    found: list[Finding] = codelist_findings(as_json({"F99000000001": [code]}), OPEN, lists("1", "2"))
    assert [(f.code, f.severity) for f in found] == [("codelist.code_unknown", "warning")] * findings
    assert all("installiert: 1, 2" in f.text.de for f in found)


def test_a_field_that_uses_another_column_of_a_list_is_not_checked_but_said_to_be_unchecked() -> None:
    read = schema(at("1:1", field(1, "Staat", kind="select", more=code_list(STATE, "1", key="name"))))
    (finding,) = codelist_findings(as_json({"F99000000001": "Albanien"}), read, lists("1"))
    assert (finding.code, finding.severity) == ("fim.column_unchecked", "warning")


@pytest.mark.parametrize(
    "value",
    [
        [],
        "x",
        None,
        {"G99000000001": "x"},
        {"G99000000001": [1, "x", []]},
        {"G99000000001": [{"F99000000001": {"a": 1}}]},
    ],
)
def test_data_that_do_not_fit_the_schema_are_passed_over(value: Any) -> None:
    assert codelist_findings(as_json(value), FIXED, lists("1")) == []


def test_a_message_full_of_wrong_codes_gets_a_bounded_answer() -> None:
    findings = codelist_findings(people(*(f"x{number}" for number in range(700))), FIXED, lists("1"))
    assert len(findings) == 501
    assert findings[-1].code == "codelist.more"


def test_a_published_list_decides_on_a_published_field(test_data: Path) -> None:
    read = published(test_data, "S00000000374V1.0.0")
    uri = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:staat"
    file = test_data / "codelists" / "base" / f"{uri.replace(':', '.')}_2023-02-24.gc.xml"
    installed = CodeLists({(uri, "2023-02-24"): file.read_bytes})
    data = as_json({"G00000002190": {"G00000002181": {"F60000000235": "Frankreich"}}})
    (finding,) = codelist_findings(data, read, installed)
    assert finding.path == "/G00000002190/G00000002181/F60000000235"
    assert "129" in finding.remedy.de
    assert "Rechtsgrundlage: § 49 AufenthG." in finding.remedy.de


def test_where_positions_of_one_field_name_different_lists_the_position_decides() -> None:
    other = "urn:test:anderer"
    read = schema(
        at("1:1", field(1, "Staat", kind="select", more=code_list(STATE, "1"))),
        at("1:1", group(1, "Person", at("1:1", field(1, "Staat", kind="select", more=code_list(other, "1"))))),
    )
    installed = CodeLists(
        {
            (STATE, "1"): lambda: genericode(STATE, "1", _000="Deutschland"),
            (other, "1"): lambda: genericode(other, "1", _DE="Deutschland"),
        }
    )
    data = as_json({"F99000000001": "000", "G99000000001": {"F99000000001": "DE"}})
    assert codelist_findings(data, read, installed) == []
    swapped = as_json({"F99000000001": "DE", "G99000000001": {"F99000000001": "000"}})
    assert [f.path for f in codelist_findings(swapped, read, installed)] == [
        "/F99000000001", "/G99000000001/F99000000001",
    ]  # fmt: skip


def test_a_name_that_may_be_a_persons_is_not_repeated_in_a_place() -> None:
    (finding,) = codelist_findings(as_json({"Erika Muster": {"F99000000001": "999"}}), FIXED, lists("1"))
    assert finding.path == "/*/F99000000001"
    assert "Muster" not in repr(finding)
