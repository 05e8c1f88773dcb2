"""Findings on FIM data name the field as people know it, say what is expected, and why it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from xdf_files import at, field, group, limits, name_of, published, rule, schema, source_of, values

from xoev_schemas.documents import parse_json, parse_xml
from xoev_schemas.expectations import SchemaIndex
from xoev_schemas.fim import DataSchema, explain, to_json_schema, to_xsd, unevaluated_rules
from xoev_schemas.findings import Finding, Text
from xoev_schemas.json_schema import CompiledJsonSchema
from xoev_schemas.xsd import compile_xsd
from xoev_schemas.xsd_findings import findings_of

DOG = schema(
    at(
        "1:1",
        group(
            1,
            "Halter",
            at("1:1", field(1, "Name", more=limits(minLength=1, maxLength=20), help_text="Wie Sie heißen")),
            at("1:1", field(2, "Postleitzahl", more=limits(minLength=5, maxLength=5), basis="§ 5 HundeG")),
            at("0:1", field(3, "Telefon")),
        ),
    ),
    at("0:1", group(2, "Hund", at("1:1", field(4, "Rasse", kind="select", more=values(_01="Dackel", _02="Pudel"))))),
    at("2:3", field(5, "Farbe")),
    at("0:1", field(6, "Geboren", "date")),
    at("0:1", field(7, "Kampfhund", "bool")),
    at("0:1", field(8, "Bitte lesen", kind="label")),
)
OWNER = {"F99000000001": "Müller", "F99000000002": "44135"}
GOOD: dict[str, Any] = {"G99000000001": OWNER, "F99000000005": ["braun", "weiß"]}


def in_json(data: dict[str, Any], read: DataSchema = DOG) -> list[Finding]:
    compiled = CompiledJsonSchema(to_json_schema(read, versioned_names=False), "test")
    return explain(compiled.findings(parse_json(json.dumps(data).encode()).value), read)


def in_xml(content: str, read: DataSchema = DOG, *, versioned: bool = False) -> list[Finding]:
    xsd = to_xsd(read, versioned_names=versioned)
    compiled, name = compile_xsd(source_of(xsd)), name_of(read)
    namespace = "urn:fim-de:xfall:datenschema:xdf3" if versioned else f"urn:fim-de:xfall:xdf3:{name}"
    root = parse_xml(f'<{name} xmlns="{namespace}">{content}</{name}>'.encode()).root
    return [] if compiled.validate(root) else explain(findings_of(compiled, root, SchemaIndex([xsd]), "test"), read)


def owner(*members: str) -> str:
    return f"<G99000000001>{''.join(members)}</G99000000001>"


NAME = "<F99000000001>Müller</F99000000001>"
CODE = "<F99000000002>44135</F99000000002>"
COLOURS = "<F99000000005>braun</F99000000005><F99000000005>weiß</F99000000005>"


def test_valid_data_have_nothing_to_explain() -> None:
    assert in_json(GOOD) == []
    assert in_xml(owner(NAME, CODE) + COLOURS) == []


def test_a_value_that_is_wrong_is_explained_the_same_in_xml_and_json() -> None:
    (from_json,) = in_json({**GOOD, "G99000000001": {**OWNER, "F99000000002": "441355"}})
    (from_xml,) = in_xml(owner(NAME, "<F99000000002>441355</F99000000002>") + COLOURS)
    assert from_json.text == from_xml.text
    assert from_json.text.de == (
        "Der Wert von „Postleitzahl“, Gruppe „Halter“ (F99000000002) ist nicht zulässig. "
        "Erwartet wird ein Text, genau 5 Zeichen."
    )
    assert from_json.text.en == (
        "The value of “Postleitzahl”, group “Halter” (F99000000002) is not allowed. "
        "Expected is a text, exactly 5 characters."
    )
    assert from_json.remedy.de == "Berichtigen Sie den Wert. Rechtsgrundlage: § 5 HundeG."
    assert from_json.path == "/G99000000001/F99000000002"
    assert from_xml.path == "/S99000000001V1.0.0/G99000000001/F99000000002"
    assert from_json.source == "FIM S99000000001V1.0.0, F99000000002V1.0.0"
    assert "441355" not in repr(from_json) + repr(from_xml)


def test_something_missing_is_named_with_its_help_text() -> None:
    for finding in (
        *in_json({**GOOD, "G99000000001": {"F99000000002": "44135"}}),
        *in_xml(owner(CODE) + COLOURS),
    ):
        assert finding.text.de == "Es fehlt die Pflichtangabe „Name“, Gruppe „Halter“ (F99000000001)."
        assert "Hilfetext: „Wie Sie heißen.“" in finding.remedy.de
        assert "Help text (German): “Wie Sie heißen.”" in finding.remedy.en


def test_a_group_that_ends_too_early_names_what_is_missing_in_it() -> None:
    (finding,) = in_xml(owner(NAME) + COLOURS)
    assert finding.text.de == "Es fehlt die Pflichtangabe „Postleitzahl“, Gruppe „Halter“ (F99000000002)."


def test_a_whole_group_that_is_missing_is_named() -> None:
    (finding,) = in_xml(COLOURS)
    assert finding.text.de == "Es fehlt die Pflichtangabe „Halter“ (G99000000001)."


def test_a_number_of_entries_is_told_as_a_number() -> None:
    (from_json,) = in_json({**GOOD, "F99000000005": ["braun"]})
    (from_xml,) = in_xml(owner(NAME, CODE) + "<F99000000005>braun</F99000000005>")
    assert from_json.text.de == "Die Angabe „Farbe“ (F99000000005) muss 2- bis 3-mal vorkommen."
    assert from_xml.text.de == from_json.text.de


def test_a_single_value_where_a_list_belongs_and_the_other_way_round() -> None:
    (single,) = in_json({**GOOD, "F99000000005": "braun"})
    assert single.text.de == "Die Angabe „Farbe“ (F99000000005) muss als Liste stehen, auch wenn es nur eine ist."
    (listed,) = in_json({**GOOD, "F99000000006": ["2024-02-29"]})
    assert listed.text.de == (
        "Die Angabe „Geboren“ (F99000000006) ist eine Liste oder ein Objekt. "
        "Erwartet wird ein Datum der Form JJJJ-MM-TT."
    )


def test_a_value_that_is_not_in_the_list_is_answered_with_the_values_and_their_meaning() -> None:
    (finding,) = in_json({**GOOD, "G99000000002": {"F99000000004": "Dackel"}})
    assert finding.code == "schema.enumeration"
    assert finding.text.de.endswith("Erwartet wird einer der Werte 01 („Dackel“), 02 („Pudel“).")


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("F99000000006", "29.02.2024", "ein Datum der Form JJJJ-MM-TT"),
        ("F99000000007", "ja", "true (ja) oder false (nein)"),
    ],
)
def test_what_a_type_expects_is_said_for_people(member: str, value: str, expected: str) -> None:
    (finding,) = in_json({**GOOD, member: value})
    assert finding.text.de.endswith(f"Erwartet wird {expected}.")


def test_an_unknown_field_one_of_another_group_and_one_of_another_version_are_told_apart() -> None:
    (unknown,) = in_json({**GOOD, "F99000000099": "x"})
    assert unknown.text.de.startswith("Die Angabe F99000000099 gibt es in diesem Datenschema nicht")
    (elsewhere,) = in_json({**GOOD, "F99000000003": "0231"})
    assert elsewhere.text.de == (
        "Die Angabe „Telefon“, Gruppe „Halter“ (F99000000003) ist auf der obersten Ebene nicht vorgesehen."
    )
    versioned = owner(NAME, CODE).replace("01>", "01V1.0.0>").replace("02>", "02V1.1.0>")
    (other, *_rest) = in_xml(versioned, versioned=True)
    assert other.code == "schema.unexpected_element"
    assert "in einer anderen Version: F99000000002V1.1.0 statt F99000000002V1.0.0" in other.text.de


def test_names_with_versions_where_the_schema_has_none_are_seen_as_that() -> None:
    findings = in_json({**GOOD, "F99000000006V1.0.0": "2024-02-29"})
    assert [finding.code for finding in findings] == ["schema.unexpected_element"]
    assert "unter diesem Namen nicht vorgesehen" in findings[0].text.de
    assert "ohne (F60000000227)" in findings[0].remedy.de


def test_a_note_in_the_data_is_seen_as_a_note() -> None:
    for finding in (*in_json({**GOOD, "F99000000008": "x"}), *in_xml(owner(NAME, CODE) + COLOURS + "<F99000000008/>")):
        assert finding.text.de == "„Bitte lesen“ (F99000000008) ist ein Hinweistext und trägt keinen Wert."


def test_too_many_or_the_wrong_order_says_how_many_may_be() -> None:
    (finding,) = in_xml(owner(NAME, CODE, "<F99000000003/>", "<F99000000003/>") + COLOURS)
    assert finding.text.de.endswith("zu oft oder an der falschen Stelle; erlaubt ist sie höchstens 1-mal.")


def test_a_choice_that_is_not_made_names_what_there_is_to_choose() -> None:
    read = schema(at("1:1", group(1, "Weg", at("1:1", field(1, "Mail")), at("1:1", field(2, "Fax")), choice=True)))
    (from_xml,) = in_xml("<G99000000001/>", read)
    assert from_xml.text.de == (
        "Es fehlt eine Angabe in der Gruppe „Weg“ (G99000000001); genau eine von diesen wird verlangt: "
        "„Mail“ (F99000000001), „Fax“ (F99000000002)."
    )
    (twice,) = in_json({"G99000000001": {"F99000000001": "a", "F99000000002": "b"}}, read)
    assert twice.text.de == "Genau eine Angabe darf in der Gruppe „Weg“ (G99000000001) stehen."


def test_a_question_of_several_lines_is_called_by_the_editors_name() -> None:
    read = schema(at("1:1", field(1, "Abweichung", "bool")))
    position = read.positions[0]
    assert in_json({"F99000000001": "ja"}, read)[0].text.de.startswith("Der Wert von „Abweichung“")
    assert position.element.label == "Abweichung"


def test_a_finding_on_a_published_schema_reads_as_the_documentation_shows(test_data: Path) -> None:
    read = published(test_data, "S00000000364V1.0.0")
    data = (test_data / "fim" / "instances" / "invalid-plz_S00000000364V1.0.0.json").read_bytes()
    compiled = CompiledJsonSchema(to_json_schema(read, versioned_names=True), "test")
    (finding,) = explain(compiled.findings(parse_json(data).value), read)
    page = (Path(__file__).resolve().parents[3] / "docs" / "explanation" / "fim.md").read_text(encoding="utf-8")
    assert finding.text.de.startswith("Der Wert von „Postleitzahl“, Gruppe „Straßenanschrift“ (F60000000246)")
    assert f"> {finding.text.de}\n" in page
    assert f"> {finding.remedy.de}\n" in page


def test_findings_that_are_not_about_the_schema_stay_as_they_are() -> None:
    other = Finding("service.rule", "error", "service", Text("Regel", "rule"), path="/G99000000001/F99000000001")
    unplaced = Finding("schema.more", "info", "schema", Text("mehr", "more"))
    foreign = Finding("schema.value", "error", "schema", Text("x", "x"), path="/*/a", found="3 characters: letters")
    assert explain([other, unplaced, foreign], DOG) == [other, unplaced, foreign]


def test_rules_are_reported_as_not_evaluated() -> None:
    read = schema(at("1:1", field(1, "A")), rules="".join(rule(number, f"Regel {number}") for number in range(1, 6)))
    finding = unevaluated_rules(read)
    assert finding is not None
    assert (finding.code, finding.severity) == ("fim.rules_not_evaluated", "info")
    assert finding.text.de == (
        "5 Regeln des Datenschemas liegen nur als Text vor und wurden nicht ausgewertet: "
        "R99000000001 (Regel 1), R99000000002 (Regel 2), R99000000003 (Regel 3) und 2 weitere."
    )
    assert unevaluated_rules(DOG) is None
