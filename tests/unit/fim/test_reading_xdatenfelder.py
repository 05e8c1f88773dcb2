"""XDatenfelder files are read into one model, or refused with the place and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from xdf_files import SCHEMAS, at, code_list, field, group, limits, published, rule, schema, schema_xml

from xoev_schemas.fim import Field, Group, Limits, ListRef, NotAnXdf, read_xdf, trails
from xoev_schemas.findings import Finding


def refused(data: bytes) -> list[Finding]:
    with pytest.raises(NotAnXdf) as caught:
        read_xdf(data)
    return caught.value.findings


# --- files of others -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_published_schema_is_read_as_its_portal_describes_it(test_data: Path, name: str) -> None:
    described = json.loads((test_data / "fim" / "xdf3" / f"{name}.meta.json").read_text(encoding="utf-8"))
    read = published(test_data, name)
    assert (read.id, read.version) == (described["fim_id"], described["fim_version"])
    assert (read.title, read.xdf, read.status) == (described["name"], "3", str(described["freigabe_status"]))
    assert [basis.text for basis in read.legal_basis] == described["bezug"]
    assert list(trails(read))


def test_positions_carry_the_number_and_fields_their_limits(test_data: Path) -> None:
    read = published(test_data, "S00000000364V1.0.0")
    address = next(trail[-1] for trail in trails(read) if trail[-1].element.id == "G60000000086")
    assert isinstance(address.element, Group)
    code = next(p for p in address.element.positions if p.element.id == "F60000000246")
    assert (code.min, code.max) == (1, 1)
    assert isinstance(code.element, Field)
    assert code.element.name == "Postleitzahl"
    assert code.element.limits is not None
    assert (code.element.limits.min_length, code.element.limits.max_length) == (5, 5)
    assert code.element.help.startswith("Geben Sie die Postleitzahl")
    assert code.element.legal_basis[0].text.startswith("XInneres")


def test_a_file_of_version_2_gives_the_same_model(test_data: Path) -> None:
    read = read_xdf((test_data / "fim" / "xdf2" / "BlaueKarte.xdf2.xml").read_bytes())
    fields = {trail[-1].element.id: trail[-1].element for trail in trails(read)}
    assert (read.id, read.version, read.xdf, read.status) == ("S00000121", "1.0", "2", "inVorbereitung")
    birth_place = fields["F00000067"]
    assert isinstance(birth_place, Field)
    assert birth_place.limits == Limits(min_length=1, max_length=80)
    lists = {f.code_list for f in fields.values() if isinstance(f, Field) and f.code_list}
    assert ListRef("urn:xpersonenstand:schluesseltabelle:geschlecht", "2") in lists


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("v2/minimal.xml", 0), ("v2/rule.xml", 0), ("v2/data-field-rule.xml", 1), ("v2/data-group-rule.xml", 1),
        ("v2/label.xml", 1), ("v2/select.xml", 1), ("v2/simple.xml", 2), ("v3/simple.xml", 2),
        ("v3/xmlstruct-xdf3.xml", 2),
    ],
)  # fmt: skip
def test_the_good_files_of_another_parser_are_read(test_data: Path, file: str, count: int) -> None:
    read = read_xdf((test_data / "fim" / "xdf-parser-tests" / file).read_bytes())
    assert len(list(trails(read))) == count


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("v2/duplicate-optional-value.xml", [("fim.duplicate", 15, 9)]),
        ("v2/duplicate-required-value.xml", [("fim.duplicate", 13, 9)]),
        ("v2/unknown-namespace.xml", [("fim.not_xdf", 2, 1)]),
        ("v3/duplicate-id-node.xml", [("fim.duplicate", 11, 13)]),
        ("v3/empty-id-node.xml", [("fim.value", 10, 13)]),
        ("v3/input.xml", [("fim.duplicate", 64, 21), ("fim.missing", 55, 21)]),
        ("v3/invalid-freigabestatus.xml", [("fim.value", 18, 13)]),
        ("v3/missing-id-node.xml", [("fim.missing", 9, 9)]),
        ("v3/unexpected-node.xml", [("fim.unexpected", 11, 13)]),
        ("v3/unknown-namespace.xml", [("fim.not_xdf", 2, 1)]),
    ],
)
def test_the_bad_files_of_another_parser_are_refused_at_their_place(
    test_data: Path, file: str, expected: list[tuple[str, int, int]]
) -> None:
    findings = refused((test_data / "fim" / "xdf-parser-tests" / file).read_bytes())
    assert [(f.code, f.line, f.column) for f in findings] == expected
    assert all(f.text.de and f.text.en and f.remedy.de and f.remedy.en for f in findings)


def test_version_1_is_refused_by_its_namespace_whatever_the_file_is_called(test_data: Path) -> None:
    (finding,) = refused((test_data / "fim" / "xdf2" / "WaBeKa.xdf2.xml").read_bytes())
    assert finding.code == "fim.xdf1"
    assert "FIM-Portal" in finding.remedy.de


# --- hostile and broken --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "xml.doctype"),
        (b"<a><b></a>", "xml.not_well_formed"),
        (b"", "xml.not_well_formed"),
        (b"<a/>", "fim.not_xdf"),
        (b"<x:deep xmlns:x='urn:xoev-de:fim:standard:xdatenfelder_3.0.0'/>", "fim.not_xdf"),
        (b"<a>" * 250 + b"</a>" * 250, "xml.too_deep"),
    ],
)
def test_what_is_no_harmless_xml_or_something_else_is_refused(data: bytes, code: str) -> None:
    assert [finding.code for finding in refused(data)] == [code]


@pytest.mark.parametrize(
    ("position", "code", "element"),
    [
        (at("2:1", field(1, "Name")), "fim.value", "anzahl"),
        (at("viele", field(1, "Name")), "fim.value", "anzahl"),
        (at("1:1", ""), "fim.missing", "enthaelt"),
        (at("1:1", field(1, "Name") + field(2, "Ort")), "fim.duplicate", "datenfeld[2]"),
        (at("1:1", field(1, "Name", datatype="varchar")), "fim.value", "datentyp/code"),
        (at("1:1", field(1, "Name", kind="magic")), "fim.value", "feldart/code"),
        (at("1:1", field(1, "Name", more=limits(maxLength="viel"))), "fim.value", "praezisierung"),
        (at("1:1", field(1, "Zahl", "num_int", more=limits(maxValue="unendlich"))), "fim.value", "praezisierung"),
        (at("1:1", field(1, "Staat", kind="select", more="<x:werte/>")), "fim.missing", "werte"),
        (at("1:1", field(1, "Staat", kind="select", more=code_list(""))), "fim.value", "codelisteReferenz"),
    ],
)
def test_a_part_that_cannot_be_used_is_named(position: str, code: str, element: str) -> None:
    (finding,) = refused(schema_xml(position))
    assert finding.code == code
    assert finding.path.endswith(element)
    assert finding.allowed or code == "fim.duplicate"


def test_every_fault_of_a_file_is_told_at_once() -> None:
    findings = refused(schema_xml(at("?", field(1, "Name")), at("1:1", field(2, "Ort", "varchar"))))
    assert [finding.path.rpartition("/")[2] for finding in findings] == ["anzahl", "code"]


@pytest.mark.parametrize(
    "limits", [b"kurz", b"[1]", b'{"pattern": "\\u0000"}', b'{"pattern": "\\ud800"}', b"[" * 90_000]
)
def test_limits_of_version_2_that_are_not_usable_json_are_refused(test_data: Path, limits: bytes) -> None:
    good = (test_data / "fim" / "xdf-parser-tests" / "v2" / "label.xml").read_bytes()
    bad = good.replace(
        b"<xdf:praezisierung></xdf:praezisierung>", b"<xdf:praezisierung>" + limits + b"</xdf:praezisierung>"
    )
    assert bad != good
    (finding,) = refused(bad)
    assert (finding.code, finding.allowed) == ("fim.value", '{"minLength":"1","maxLength":"60"}')


# --- single things -------------------------------------------------------------------------------------------------


def test_the_version_of_a_code_list_may_be_left_open() -> None:
    read = schema(
        at("1:1", field(1, "Staat", kind="select", more=code_list("urn:de:staat", "2023-02-24"))),
        at("1:1", field(2, "Land", kind="select", more=code_list("urn:de:land", key="kuerzel"))),
    )
    lists = [p.element.code_list for p in read.positions if isinstance(p.element, Field)]
    assert lists == [ListRef("urn:de:staat", "2023-02-24"), ListRef("urn:de:land", None, "kuerzel")]


def test_a_rule_that_stands_in_several_places_is_one_rule() -> None:
    twice = rule(1, "Nur einer")
    read = schema(at("1:1", field(1, "A", more=twice)), at("1:1", field(2, "B", more=twice)), rules=rule(2, "Oben"))
    assert [r.name for r in read.rules] == ["Oben", "Nur einer"]
    assert [p.element.rules[0].name for p in read.positions] == ["Nur einer", "Nur einer"]


def test_scripts_of_version_2_are_left_behind(test_data: Path) -> None:
    read = read_xdf((test_data / "fim" / "xdf-parser-tests" / "v2" / "data-group-rule.xml").read_bytes())
    assert [r.id for r in read.rules] == ["R60000037"]
    assert "function" not in repr(read)


def test_a_group_published_alone_is_read_like_a_schema(test_data: Path) -> None:
    read = read_xdf((test_data / "fim" / "xdf-parser-tests" / "v3" / "simple.xml").read_bytes())
    assert (read.id, read.title) == ("G60000000088", "Anschrift Inland")
    assert [p.element.id for p in read.positions] == ["G60000000086"]


def test_choices_and_labels_are_known_as_such() -> None:
    read = schema(
        at("1:1", group(1, "Wahl", at("1:1", field(1, "A")), at("0:*", field(2, "B")), choice=True)),
        at("1:1", field(3, "Hinweis", kind="label")),
    )
    choice, label = read.positions
    assert isinstance(choice.element, Group)
    assert choice.element.choice
    assert [(p.min, p.max) for p in choice.element.positions] == [(1, 1), (0, None)]
    assert label.is_label
