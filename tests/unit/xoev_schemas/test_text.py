"""Which characters a text may have: the datatypes of DIN 91379 as the standards ship them, and normal form C."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from xoev_schemas.documents import parse, parse_xml
from xoev_schemas.findings import Finding, Text
from xoev_schemas.registry import Registry
from xoev_schemas.text import MOST_NOT_NFC, CharacterSet, CharacterSets, normal_form_findings
from xoev_schemas.xsd import parse_schema

# The table of measurements: text, then whether the datatypes A B C D E and String.Latin 1.1 take it.
MEASURED = [
    ("Müller", "111111"),
    ("Mu\u0308ller", "000000"),
    ("1§@²×«€", "011111"),
    ("\t\n\r", "001011"),
    ("\u00a0", "001010"),
    ("'", "111111"),
    ("\u2019", "111110"),
    ("„“‚‘…‰≤∞", "000110"),
    ("–", "000000"),
    ("—", "000000"),
    ("•", "000000"),
    ("\u2212", "000000"),
    ("→", "000000"),
    ("İğẞ", "111111"),
    ("Ω", "000110"),
    ("\u2126", "000000"),
    ("Ж", "000010"),
    ("\u200b", "000000"),
    ("\u00ad", "000000"),
    ("\ufeff", "000000"),
    ("\u2009", "000000"),
    ("😀", "000000"),
    ("", "111111"),
    ("M\u0302", "111111"),
]


@pytest.fixture(scope="session")
def datatypes(test_data: Path) -> dict[str, CharacterSet]:
    """By name: the five of the norm of 2022 and String.Latin."""
    sets = CharacterSets()
    for file in ("din-norm-91379-datatypes.xsd", "latinchars.xsd"):
        sets.read(parse_schema((test_data / "xoev" / "_common" / file).read_bytes()))
    return {one.name: one for one in sets}


@pytest.mark.parametrize(("text", "taken"), MEASURED, ids=[ascii(text) for text, _taken in MEASURED])
def test_the_character_sets_say_what_was_measured_with_the_schemas(
    datatypes: dict[str, CharacterSet], text: str, taken: str
) -> None:
    names = ["datatypeA", "datatypeB", "datatypeC", "datatypeD", "datatypeE", "String.Latin"]
    assert "".join(str(int(datatypes[name].allows(text))) for name in names) == taken
    for name in names:
        assert (list(datatypes[name].forbidden(text)) == []) == datatypes[name].allows(text)


def test_a_forbidden_character_is_found_at_its_place_among_allowed_pairs(datatypes: dict[str, CharacterSet]) -> None:
    text = "l\u0325\u0304 M\u0302 M\u0303 a–b"
    assert list(datatypes["datatypeC"].forbidden(text)) == [(8, "M\u0303"), (12, "–")]


def test_the_first_forbidden_character_of_a_long_text_is_found_without_delay(
    datatypes: dict[str, CharacterSet],
) -> None:
    assert next(datatypes["datatypeC"].forbidden("a" * 90_000 + "–")) == (90_001, "–")
    assert list(datatypes["datatypeC"].forbidden("a" * 2_000_000 + "–")) == []


# --- in a finding ----------------------------------------------------------------------------------------------------


@pytest.fixture
def message(test_data: Path) -> str:
    path = test_data / "xoev" / "xbau-2.6" / "instances" / "constructed-valid_baugenehmigung.antrag.0200.xml"
    return path.read_text(encoding="utf-8")


def judged(real: Registry, message: str) -> list[Finding]:
    document = parse_xml(message.encode())
    ref = real.recognise(document)
    assert ref is not None
    return real.validate(document, ref).findings


PROJECT = "Neubau eines Einfamilienhauses mit Garage"


def test_what_a_word_processor_wrote_is_named_by_code_point_with_a_proposal(real: Registry, message: str) -> None:
    [finding] = judged(real, message.replace(PROJECT, "Neubau – mit\u200b „Garage“"))
    assert (finding.code, finding.severity, finding.layer) == ("text.characters", "error", "schema")
    assert finding.path.endswith("/bauvorhaben/bezeichnungDesBauvorhabens")
    assert finding.line == 50
    assert finding.text.de.startswith(
        "Der Text in bezeichnungDesBauvorhabens enthält Zeichen, die hier nicht erlaubt sind: "
        "U+2013 EN DASH (Stelle 8), U+200B ZERO WIDTH SPACE (Stelle 13), "
    )
    assert finding.text.en.endswith("U+201E DOUBLE LOW-9 QUOTATION MARK (position 15) and others.")
    assert finding.allowed == "DIN 91379:2022-08, datatypeC"
    assert finding.remedy.de == 'Vorschlag: U+2013 durch - ersetzen, U+200B weglassen, U+201E durch " ersetzen.'
    assert finding.remedy.en == 'Proposal: replace U+2013 by -, leave U+200B out, replace U+201E by ".'


def test_the_datatype_that_has_the_characters_is_named(real: Registry, message: str) -> None:
    [finding] = judged(real, message.replace(PROJECT, "Виктория"))
    assert finding.allowed == "DIN 91379:2022-08, datatypeC"
    assert finding.text.de.endswith("und andere. Erst der datatypeE hat sie.")
    assert finding.text.en.endswith("and others. Only datatypeE has them.")


def test_of_letters_only_the_first_is_named_because_more_would_show_a_name(real: Registry, message: str) -> None:
    [finding] = judged(real, message.replace("Müller-Łukasz", "Жданов–Я", 1))
    assert finding.found == "U+2013 EN DASH (position 7), U+0416 CYRILLIC CAPITAL LETTER ZHE (position 1) and others"
    assert "Жданов" not in str(finding.as_dict())


def test_a_decomposed_text_is_told_to_be_normalised(real: Registry, message: str) -> None:
    findings = judged(real, message.replace("Renée", unicodedata.normalize("NFD", "Renée"), 1))
    assert [(f.code, f.severity, f.remedy.de) for f in findings] == [
        ("text.not_nfc", "error", "Wandeln Sie alle Texte vor dem Senden in NFC um.")
    ]
    assert findings[0].found == "U+0065 LATIN SMALL LETTER E + U+0301 COMBINING ACUTE ACCENT (position 4)"


def test_the_published_example_of_a_wrong_character_set_is_explained(real: Registry, test_data: Path) -> None:
    folder = test_data / "xoev" / "xbau-2.6" / "instances"
    findings = judged(real, (folder / "constructed-invalid-xsd-charset_0200.xml").read_text(encoding="utf-8"))
    assert [(f.code, f.line) for f in findings] == [("text.characters", 38)]


def test_another_pattern_is_explained_as_before(registry: Registry) -> None:
    document = parse_xml(
        b'<antrag.neu.0001 xmlns="urn:muster"><name>\xe2\x80\x93</name><geburt>1990-01-01</geburt>'
        b"<ja>1</ja></antrag.neu.0001>"
    )
    ref = registry.recognise(document)
    assert ref is not None
    assert [f.code for f in registry.validate(document, ref).findings] == ["schema.value"]


# --- normal form -----------------------------------------------------------------------------------------------------

NFD = "u\u0308"


@pytest.mark.parametrize(
    ("media_type", "text", "paths"),
    [
        ("application/xml", "<a>Müller Ω <b c='é'/></a>", []),
        ("application/xml", f"<a><b>M{NFD}ller</b><b/></a>", ["/a/b[1]"]),
        ("application/xml", "<a><b>Mu&#x308;ller</b></a>", ["/a/b"]),
        ("application/xml", f"<a>u<!-- x -->{NFD[1]}</a>", ["/a"]),
        ("application/xml", f"<a><b/>{NFD}</a>", ["/a"]),
        ("application/xml", f"<a c='{NFD}'/>", ["/a/@c"]),
        ("application/json", f'{{"a": ["é", "{NFD}"]}}', ["/*/1"]),
        ("application/json", '{"a": "u\\u0308"}', ["/*"]),
    ],
)
def test_texts_that_are_not_in_normal_form_c_are_found_however_they_are_written(
    media_type: str, text: str, paths: list[str]
) -> None:
    data = text.encode()
    found = normal_form_findings(parse(data, media_type), data)
    assert [finding.path for finding in found] == paths
    assert {(f.code, f.severity, f.layer) for f in found} <= {("text.not_nfc", "warning", "convention")}


def test_the_place_of_the_first_difference_is_named() -> None:
    data = f"<a>Hans M{NFD}ller</a>".encode()
    [finding] = normal_form_findings(parse(data, "text/xml"), data)
    assert finding.found == "U+0075 LATIN SMALL LETTER U + U+0308 COMBINING DIAERESIS (position 7)"


def test_a_place_that_the_schema_has_complained_of_is_not_named_again() -> None:
    data = f"<a>{NFD}</a>".encode()
    said = Finding("text.not_nfc", "error", "schema", Text("", ""), path="/a")
    assert normal_form_findings(parse(data, "text/xml"), data, reported=[said]) == []


def test_the_number_of_findings_is_bounded() -> None:
    data = f"<a>{f'<b>{NFD}</b>' * 500}</a>".encode()
    assert len(normal_form_findings(parse(data, "text/xml"), data)) == MOST_NOT_NFC
