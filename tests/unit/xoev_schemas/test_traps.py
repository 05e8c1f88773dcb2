"""The traps of XÖV and FIM in which others were caught, each as a sentence with a test.

Those that a test elsewhere proves are not repeated here:

| trap | proven by |
|---|---|
| some standards ship no root schema | `test_schema_registry.py`: a folder without a root schema becomes one standard |
| schemas import by published addresses | `test_publications.py`; `test_package_manager.py`: resolved by its namespace |
| a standard is published in two forms | `test_xrepository.py`: the one with relative imports is taken |
| two sets define the same messages | `test_package_manager.py`: the normative set decides unless the other is named |
| the header stands in no namespace | `manifest.tsv`: …nonqualified-header-namespace… is `schema.wrong_namespace` |
| `test` counts by being there, whatever it says | `test_validation.py`: the mere presence of the test mark counts |
| a code may not have a `name` in XBau | `test_checking_codes.py`: a name beside the code is the schema's business |
| fixed `listURI` and `listVersionID` are not in the message | `test_filled_in_attributes.py`: are in the tree |
| valid by the schema does not mean that the code exists | `test_manifest.py`: a code that no version of its list has |
| an unknown version is not an unknown code | `test_checking_codes.py`: one warning with the installed versions |
| `01` is not `1`, white space does not count | `test_reading_code_lists.py`: but a zero does |
| a zero-width space in a published list | `test_reading_code_lists.py`: an invisible character is not handed on |
| the key column has no standard name, a list may have several | `test_reading_code_lists.py`: its index counts |
| a value without `ColumnRef`, optional values left out | `test_reading_code_lists.py`: belongs to the next column |
| versions of lists are no numbers | `test_reading_code_lists.py`: versions are opaque and kept apart |
| text that is not in normal form C | `test_text.py`: a decomposed text is told to be normalised |
| dashes, quotes and bullets of a word processor | `test_text.py`: named by code point with a proposal |
| a decision on a megabyte of text takes long | `test_text.py`: found without delay |
| Schematron for XSLT 2, which libxslt does not know | `test_schematron_published.py`: compiles to the last expression |
| no role and no flag means error | `test_schematron_language.py`: an error otherwise |
| an attachment's id has to be an xs:ID | `test_conventions.py`: the published example of the transport rule is found |
| `^` and `$` in a FIM pattern | `test_validation.py`, `test_generated_schemas.py`: a pattern means the whole value |
| how often belongs to the place, not to the field | `test_reading_xdatenfelder.py`: positions carry the number |
| one id in several places with several lists | `test_codes_of_fim_fields.py`: the position decides |
| a list without a version in a FIM schema | `test_codes_of_fim_fields.py`: any installed one will do |
| a note has no value | `test_findings_in_peoples_words.py`: a note in the data is seen as a note |
| names with and without versions, other minor versions | `test_findings_in_peoples_words.py`: of another version |
| a birth date with unknown parts | `test_mapping_values.py`: partly known dates become the known part |
| XDatenfelder 1 in a file called xdf2 | `test_reading_xdatenfelder.py`: refused by its namespace |
| a script in XDatenfelder 2 | `test_reading_xdatenfelder.py`: scripts of version 2 are left behind |
| rules in free text | `test_findings_in_peoples_words.py`: rules are reported as not evaluated |
| one compiled schema mixes the errors of threads | `test_validation.py`: threads never get each others findings |
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from muster_standard import MUSTER, write

from xoev_schemas.documents import Unreadable, parse
from xoev_schemas.findings import Finding
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import ImportRefused, Registry
from xoev_schemas.standards import Judgement
from xoev_schemas.xsd import parse_schema

VALID = "xoev/xbau-2.6/instances/constructed-valid_baugenehmigung.antrag.0200.xml"
NAMESPACE = b"http://www.xleitstelle.de/xbau/2/6"


@pytest.fixture(scope="module")
def valid(test_data: Path) -> bytes:
    """A valid application for a building permit."""
    return (test_data / VALID).read_bytes()


def changed(message: bytes, old: str, new: str) -> bytes:
    assert old.encode() in message
    return message.replace(old.encode(), new.encode())


def errors(judgement: Judgement) -> list[Finding]:
    return [finding for finding in judgement.findings if finding.severity == "error"]


# --- which standard a message is of --------------------------------------------------------------------------------


def test_a_message_finds_its_standard_whatever_prefix_it_uses(everything: Checker, valid: bytes) -> None:
    judgement = everything.check(valid.replace(b"xbau:", b"b:").replace(b"xmlns:xbau", b"xmlns:b"), "text/xml")

    assert (judgement.valid, judgement.standard) == (True, "xoev:xbau/2.6")


@pytest.mark.parametrize("other", ["xbau/2/7", "xbau/2/06", "XBau/2/6", "xbau/2/6/", "xbau/2.6", "xbau"])
def test_a_namespace_that_only_looks_like_an_installed_one_is_not_judged(
    everything: Checker, valid: bytes, other: str
) -> None:
    judgement = everything.check(changed(valid, "xbau/2/6", other), "text/xml")

    assert (judgement.valid, judgement.standard) == (None, "")
    [finding] = judgement.findings
    assert finding.code == "schema.version_not_installed"
    assert 'baugenehmigung.antrag.0200 xmlns="http://www.xleitstelle.de/xbau/2/6" (xoev:xbau/2.6)' in str(
        finding.allowed
    )


def test_a_version_that_disagrees_with_the_namespace_is_an_error_and_changes_no_schema(
    everything: Checker, valid: bytes
) -> None:
    judgement = everything.check(changed(valid, 'version="2.6"', 'version="2.5"'), "text/xml")

    assert judgement.standard == "xoev:xbau/2.6"
    [finding] = errors(judgement)
    assert (finding.layer, finding.path) == ("schema", "/baugenehmigung.antrag.0200/@version")
    assert "2.6" in str(finding.allowed)


@pytest.mark.parametrize("name", ["schemaLocation", "noNamespaceSchemaLocation"])
def test_a_schema_that_the_message_brings_along_is_neither_read_nor_believed(
    everything: Checker, valid: bytes, tmp_path: Path, name: str
) -> None:
    # Given a schema beside the message that allows everything, and a message that is wrong and points to it
    lax = tmp_path / "lax.xsd"
    lax.write_bytes(
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="%s">'
        b'<xs:element name="baugenehmigung.antrag.0200"/></xs:schema>' % NAMESPACE
    )
    location = lax.as_uri() if name.startswith("no") else f"{NAMESPACE.decode()} {lax.as_uri()}"
    hint = f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:{name}="{location}" test='

    # When it is judged; then by the installed schema, and the hint itself is no fault
    assert everything.check(changed(valid, " test=", hint), "text/xml").valid is True
    wrong = changed(changed(valid, " test=", hint), "bauvorhaben>", "vorhaben>")
    assert errors(everything.check(wrong, "text/xml"))


def test_a_version_of_a_standard_is_a_name_and_no_number(tmp_path: Path) -> None:
    """2.10 is not 2.1, and both stand side by side."""
    registry = Registry(tmp_path / "home")
    for version in ("2.1", "2.10", "2511a"):
        files = {
            name: content.replace("<version>1.0<", f"<version>{version}<").replace("urn:muster", f"urn:m:{version}")
            for name, content in MUSTER.items()
        }
        registry.import_path(write(tmp_path / version, files))

    assert [standard.version for standard in registry.standards()] == ["2.1", "2.10", "2511a"]
    document = parse(b'<m:antrag.zurueck.0002 xmlns:m="urn:m:2.10"/>', "text/xml")
    recognised = registry.recognise(document)
    assert recognised is not None
    assert recognised.standard == "xoev:xmuster/2.10"


def test_every_message_of_xbau_is_known_though_no_schema_draws_all_of_them_in(everything: Checker) -> None:
    standard = everything.registry.standard("xoev:xbau/2.6")

    assert len([name for name in standard.messages if name.rpartition(".")[2].isdigit()]) == 139
    assert "prozessnachrichten.rueckweisung.G2G.1100" in standard.messages
    for name in standard.messages:
        assert everything.registry.find(f"xoev:xbau/2.6#{name}") is not None


# --- reading -------------------------------------------------------------------------------------------------------


def test_a_doctype_is_fine_in_a_schema_and_refused_in_a_message(test_data: Path) -> None:
    published = (test_data / "xoev/_common/xmldsig-core-schema.xsd").read_bytes()
    assert b"<!DOCTYPE" in published

    assert parse_schema(published).tag.endswith("schema")
    with pytest.raises(Unreadable) as refusal:
        parse(published, "text/xml")
    assert [finding.code for finding in refusal.value.findings] == ["xml.doctype"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<a>Geheim & Co</a>", "plain character"),
        (b"<a>5 < 6 Geheim</a>", "plain character"),
        (b"<a>&Geheim;</a>", "named character"),
        (b"<a><Geheim></a>", "closed by another name"),
        (b"<a>Geheim", "before all of its elements"),
        (b'<a b="Geheim', "before all of its elements"),
        (b"<a>\x02Geheim</a>", "control character"),
        (b"<geheim:a/>", "prefix"),
        (b"<a Geheim='1' Geheim='2'/>", "same attribute twice"),
        (b"<a/>Geheim", "behind the end"),
        (b"Geheim", "does not begin"),
        (b"<a Geheim=1/>", "faulty or cut off"),
    ],
)
def test_why_a_message_is_not_well_formed_is_said_without_repeating_it(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        parse(data, "text/xml")

    [finding] = refusal.value.findings
    assert words in finding.text.en
    assert "geheim" not in str(finding.as_dict()).lower()


def test_a_json_schema_with_the_generators_trailing_commas_is_refused_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "S99000000001V1.0.0.schema.json"
    file.write_text('{"$id": "S99000000001V1.0.0.schema.json", "type": "object", "properties": {},}')

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(tmp_path)

    assert any(file.name in finding.path for finding in refusal.value.findings)


# --- values --------------------------------------------------------------------------------------------------------


def test_an_empty_text_passes_the_schema_and_fails_by_the_standards_rule(everything: Checker, valid: bytes) -> None:
    judgement = everything.check(changed(valid, "<ort>Dortmund</ort>", "<ort></ort>"), "text/xml")

    assert {(finding.layer, finding.source) for finding in errors(judgement)} == {
        ("schematron", "xoev:xbau/2.6, sch-xbau-gen-001")
    }


def test_a_prefix_of_two_letters_is_in_the_list_and_refused_by_the_rule(everything: Checker, valid: bytes) -> None:
    """The list of DVDV prefixes has `ag`; the rule asks for three letters, and the rule is the standard."""
    judgement = everything.check(changed(valid, "bab:05913000", "ag:05913000"), "text/xml")

    assert [finding.source for finding in errors(judgement)] == ["xoev:xbau/2.6, sch-xbau-001"]


def test_a_leading_zero_is_part_of_a_code(everything: Checker, valid: bytes) -> None:
    judgement = everything.check(changed(valid, "<code>05</code>", "<code>5</code>"), "text/xml")

    assert [finding.code for finding in errors(judgement)] == ["codelist.code_unknown"]


@pytest.mark.parametrize("text", ["Aufstockung \u2013 Süd", "Größe", "\u200bNeubau", "a" * 100_000 + "\u2212"])
def test_a_finding_is_short_whatever_the_value_and_the_pattern_are(
    everything: Checker, valid: bytes, text: str
) -> None:
    """libxml2 repeats both: 56 kB for a text of 100 kB."""
    decomposed = unicodedata.normalize("NFD", text)
    data = changed(valid, "Neubau eines Einfamilienhauses mit Garage", decomposed)

    [finding] = errors(everything.check(data, "text/xml"))

    written = json.dumps(finding.as_dict(), ensure_ascii=False)
    assert len(written) < 2_000
    assert "Aufstockung" not in written
    assert "Gr" + "o\u0308" not in written


def test_what_stands_too_late_is_not_called_missing(everything: Checker, valid: bytes) -> None:
    # Given a reference that stands behind the applicant instead of before
    start, end = valid.index(b"  <xbau:referenzAntragsservice>"), valid.index(b"  <xbau:antragsteller>")
    behind = valid.index(b"  <xbau:bauvorhaben>")
    data = valid[:start] + valid[end:behind] + valid[start:end] + valid[behind:]

    # When it is judged
    [finding] = errors(everything.check(data, "text/xml"))

    # Then the finding stands where the reference stands, and says where it belongs
    assert finding.code == "schema.wrong_order"
    assert finding.path == "/baugenehmigung.antrag.0200/referenzAntragsservice"
    assert finding.line == data[: data.index(b"  <xbau:referenzAntragsservice>")].count(b"\n") + 1
    assert finding.allowed == "referenzAntragsservice → antragsteller"


def test_findings_come_in_the_order_of_the_layers(everything: Checker, valid: bytes) -> None:
    # Given a message with a fault for each layer that needs no other one to be right
    data = changed(valid, "bauvorhaben>", "vorhaben>")
    data = changed(data, "<code>1803</code>", "<code>1802</code>")

    layers = [finding.layer for finding in everything.check(data, "text/xml").findings]

    order = ["schema", "codelist", "schematron", "convention"]
    assert list(dict.fromkeys(layers)) == order


@pytest.mark.parametrize(
    ("date", "codes"), [("2026-10-02", []), ("02.10.2026", ["schema.value"]), ("2026-02-30", ["schema.value"])]
)
def test_a_date_in_json_is_a_date_though_the_published_schema_calls_it_any_text(
    tmp_path: Path, date: str, codes: list[str]
) -> None:
    """The FIM tools say it in the description alone."""
    name = "S99000000001V1.0.0"
    field = {"type": "string", "description": "Datenfeld: Datum der Anschaffung - Wertebereich: Datum"}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        "type": "object",
        "properties": {"F99000000007V1.0.0": {"$ref": "#/$defs/F99000000007V1.0.0"}},
        "$defs": {"F99000000007V1.0.0": field},
    }
    (tmp_path / f"{name}.schema.json").write_text(json.dumps(schema))
    registry = Registry(tmp_path / "home")
    registry.import_path(tmp_path / f"{name}.schema.json")
    ref = registry.find(f"fim:{name}")
    assert ref is not None

    document = parse(json.dumps({"F99000000007V1.0.0": date}).encode(), "application/json")

    assert [finding.code for finding in registry.validate(document, ref).findings] == codes
