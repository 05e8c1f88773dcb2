"""Checking the codes of messages: the three findings, their words, and what real messages get."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_list_files import FARBEN, genericode, installed, message, sample, xsd_files
from lxml import etree

from xoev_schemas.codelists import CodeLists, codelist_findings, enumerated_lists
from xoev_schemas.documents import parse_xml
from xoev_schemas.expectations import SchemaIndex
from xoev_schemas.findings import Finding, has_errors
from xoev_schemas.words import MOST_FINDINGS
from xoev_schemas.xsd_findings import findings_of

SOURCE = "xoev:beispiel/1"


def findings(root: etree._Element, *lists: bytes) -> list[Finding]:
    return codelist_findings(root, installed(*(lists or (genericode(),))), SOURCE)


def only(found: list[Finding], code: str) -> Finding:
    [finding] = found
    assert finding.code == code
    assert finding.layer == "codelist"
    assert finding.text.de
    assert finding.text.en
    assert finding.remedy.de
    assert finding.remedy.en
    return finding


# --- the three findings --------------------------------------------------------------------------------------------


def test_codes_of_the_list_have_no_findings() -> None:
    assert findings(message("01", " 02 ", "\n01")) == []


def test_an_unknown_code_is_an_error_that_names_the_place_and_what_is_allowed() -> None:
    finding = only(findings(message("01", "7")), "codelist.code_unknown")

    assert finding.severity == "error"
    assert finding.path == "/antrag/farbe[2]/code"
    assert finding.line == 3
    assert finding.found == "1 character: digits"
    assert finding.allowed == "01 (rot), 02 (grün)"
    assert finding.source == f"{SOURCE}, {FARBEN}_1"
    assert f"„Farben“ ({FARBEN}, Version 1, 2 Einträge)" in finding.text.de


def test_every_place_with_an_unknown_code_is_named() -> None:
    found = findings(message("7", "01", "8"))

    assert [finding.path for finding in found] == ["/antrag/farbe[1]/code", "/antrag/farbe[3]/code"]


def test_codes_are_texts_and_the_remedy_asks_whether_the_padded_one_is_meant() -> None:
    finding = only(findings(message("1")), "codelist.code_unknown")

    assert finding.remedy.de.startswith("Ist 01 (rot) gemeint?")


def test_a_label_sent_in_place_of_a_code_is_recognised() -> None:
    assert only(findings(message("Grün")), "codelist.code_unknown").remedy.en.startswith("Is 02 (grün) meant?")


def test_a_missing_code_is_said_to_be_missing() -> None:
    finding = only(findings(message("")), "codelist.code_unknown")

    assert finding.text.de.startswith("Der Code fehlt")


def test_an_invisible_character_in_a_code_is_named_by_its_code_point() -> None:
    finding = only(findings(message("01\u200b")), "codelist.code_unknown")

    assert "U+200B" in finding.text.de
    assert finding.found == "3 characters: digits, U+200B"
    assert finding.allowed == "01 (rot), 02 (grün)"
    assert finding.remedy.de == "Entfernen Sie das unsichtbare Zeichen."


def test_a_code_of_another_installed_version_is_told_from_one_that_never_was() -> None:
    lists = genericode(version="1"), genericode([("03", "blau")], version="2")

    assert "Version 2" in only(findings(message("03"), *lists), "codelist.code_unknown").remedy.de
    assert "Version 2" not in only(findings(message("04"), *lists), "codelist.code_unknown").remedy.de


def test_of_a_long_list_only_what_is_near_is_named() -> None:
    long = genericode([(f"{number:04}", f"Ding {number}") for number in range(1000)])

    finding = only(findings(message("00421"), long), "codelist.code_unknown")

    assert finding.allowed
    assert finding.allowed.startswith("0421 (Ding 421)")
    assert finding.allowed.endswith(", …")
    assert "1000 Einträge" in finding.text.de
    assert only(findings(message("Ä"), long), "codelist.code_unknown").allowed is None


def test_an_unknown_version_of_a_known_list_is_one_warning_with_the_installed_versions() -> None:
    lists = genericode(version="1"), genericode(version="2023-02-24")

    finding = only(findings(message("01", "99", "02", version="3"), *lists), "codelist.version_unknown")

    assert finding.severity == "warning"
    assert finding.path == "/antrag/farbe[1]"
    assert (finding.found, finding.allowed) == ("3", "1, 2023-02-24")
    assert "3 Codes konnten nicht geprüft werden" in finding.text.de
    assert "schemas import" in finding.remedy.de


def test_an_unknown_list_is_one_warning_however_often_it_is_used() -> None:
    finding = only(findings(message("1", "2", uri="urn:beispiel:codeliste:andere")), "codelist.list_unknown")

    assert finding.severity == "warning"
    assert finding.found == "urn:beispiel:codeliste:andere"
    assert "2 codes could not be checked" in finding.text.en


def test_each_unknown_list_and_version_has_its_own_warning() -> None:
    root = message("1", uri="urn:a")
    root.extend([*message("1", "2", uri="urn:b"), *message("1", version="9"), *message("7")])

    assert [finding.code for finding in findings(root)] == [
        "codelist.list_unknown",
        "codelist.list_unknown",
        "codelist.version_unknown",
        "codelist.code_unknown",
    ]


def test_naming_an_empty_list_or_version_is_not_silence() -> None:
    assert "nennt keine Codeliste" in only(findings(message("1", uri="")), "codelist.list_unknown").text.de
    assert "keine Version" in only(findings(message("1", version="")), "codelist.version_unknown").text.de


def test_elements_called_code_that_refer_to_no_list_are_left_alone() -> None:
    assert findings(message("anything", uri=None, version=None)) == []
    assert findings(etree.fromstring("<code>anything</code>")) == []


def test_what_stands_in_a_message_is_never_repeated() -> None:
    secret = "Erika Mustermann"

    for root in (
        message(secret),
        message("01", version=secret),
        message("01", uri=secret),
        message("01", uri=f"urn:x:{secret}"),
    ):
        [finding] = findings(root)
        assert secret not in str(finding.as_dict())


def test_a_message_full_of_unknown_codes_gets_a_list_that_ends() -> None:
    long = genericode([(f"{number:05}", f"Ding {number}") for number in range(20_000)])

    found = findings(message(*(f"x{number}" for number in range(MOST_FINDINGS + 7))), long)

    assert len(found) == MOST_FINDINGS + 1
    assert found[-1].code == "codelist.more"
    assert found[-1].severity == "info"
    assert found[-1].text.de.startswith("7 ")


# --- real messages -------------------------------------------------------------------------------------------------


def checked(schema: etree.XMLSchema, data: bytes, lists: CodeLists, test_data: Path) -> tuple[bool, list[Finding]]:
    """(valid by the XSD, findings about codes), in the order of the ladder."""
    root, files = parse_xml(data).root, xsd_files(test_data, "xbau-2.6")
    valid = schema.validate(root)
    judged = findings_of(schema, root, SchemaIndex(files.values()), "xoev:xbau/2.6")
    return valid, codelist_findings(root, lists, "xoev:xbau/2.6", enumerated_lists(files), judged)


def test_xbau_s_fixed_attributes_are_absent_and_its_codes_are_checked_all_the_same(
    xbau: etree.XMLSchema, published: CodeLists, test_data: Path
) -> None:
    valid, found = checked(xbau, sample(test_data), published, test_data)

    assert valid
    # Two lists that are not in the collection; everything else is known, type 1 too, and says nothing.
    assert {(f.code, f.found) for f in found} == {
        ("codelist.list_unknown", "urn:xoev-de:kosit:codeliste:verzeichnisdienst"),
        ("codelist.list_unknown", "urn:xoev-de:xbau:codeliste:xbau-mimetypes"),
    }


def test_a_kind_of_attachment_that_is_not_in_the_list_passes_the_xsd_and_fails_here(
    xbau: etree.XMLSchema, published: CodeLists, test_data: Path
) -> None:
    data = sample(test_data).replace(b"<code>1803</code>", b"<code>180</code>")

    valid, found = checked(xbau, data, published, test_data)

    assert valid
    [error] = [finding for finding in found if finding.severity == "error"]
    assert error.code == "codelist.code_unknown"
    assert error.path == "/baugenehmigung.antrag.0200/anlagen/anlage/anlageart/code"
    assert error.source == "xoev:xbau/2.6, urn:xoev-de:xbau:codeliste:anlagen_3.0"
    assert error.allowed
    assert error.allowed.startswith("180")
    assert error.allowed.endswith(", …")
    assert "312 Einträge" in error.text.de


def test_the_sample_that_claims_an_unknown_kind_of_attachment_uses_one_that_the_list_has(
    xbau: etree.XMLSchema, published: CodeLists, test_data: Path
) -> None:
    """INSTANCES.tsv says that a code-list check detects it. The list as published, in every version, has 9999."""
    valid, found = checked(
        xbau, sample(test_data, "constructed-invalid-codelist-anlageart_0200.xml"), published, test_data
    )
    anlagen = published.get("urn:xoev-de:xbau:codeliste:anlagen", "3.0")

    assert valid
    assert not has_errors(found)
    assert anlagen
    assert anlagen.label("9999") == "Weitere, nicht näher spezifizierte Anlage"


def test_what_the_xsd_has_refused_by_its_own_enumeration_is_not_refused_twice(
    xbau: etree.XMLSchema, published: CodeLists, test_data: Path
) -> None:
    data = sample(test_data, "constructed-invalid-xsd-enumeration_0200.xml")

    valid, found = checked(xbau, data, published, test_data)

    assert not valid
    assert not has_errors(found)


def test_a_name_beside_the_code_is_the_schema_s_business(
    xbau: etree.XMLSchema, published: CodeLists, test_data: Path
) -> None:
    """XBau's restrictions drop the optional element `name`."""
    data = sample(test_data).replace(b"<code>1803</code>", b"<code>1803</code><name>Lageplan</name>")

    valid, found = checked(xbau, data, published, test_data)

    assert not valid
    assert not has_errors(found)


def test_where_the_schema_gave_up_nothing_is_said_about_codes(
    xbau: etree.XMLSchema, published: CodeLists, test_data: Path
) -> None:
    data = sample(test_data, "constructed-invalid-xsd-missing-antragsteller_0200.xml")

    valid, found = checked(xbau, data, published, test_data)

    assert not valid
    assert all(finding.found for finding in found)


@pytest.mark.parametrize("name", ["Absender", "Empfaenger"])
def test_xdomea_messages_in_the_wild_write_three_digits_where_the_list_has_two(
    name: str, published: CodeLists, test_data: Path
) -> None:
    root = etree.parse(
        test_data / "xoev/xdomea-3.0.0/instances/pattern_xx_Aussonderung.Aussonderung.0503.xml"
    ).getroot()

    errors = [f for f in codelist_findings(root, published, "xdomea") if f.severity == "error"]

    [finding] = [f for f in errors if f"/{name}/" in f.path]
    assert finding.remedy.de.startswith("Ist 02 (Telefon Festnetz) gemeint?")
