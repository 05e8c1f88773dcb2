"""Judging documents: verdicts, findings and their words, test marks, threads."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xoev_schemas.documents import Unreadable, parse
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Judgement, Registry
from xoev_schemas.words import MOST_FINDINGS
from xoev_schemas.xsd import unanchored

FIM = "fim:S99000000001V1.0.0"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
VALID = b"""<antrag.neu.0001 xmlns="urn:muster">
 <name>Beispiel</name>
 <geburt>1990-01-01</geburt>
 <art>1</art>
 <ja>true</ja>
</antrag.neu.0001>"""


def judged(registry: Registry, data: bytes | str, name: str = "urn:muster", media_type: str = "text/xml") -> Judgement:
    ref = registry.find(name)
    assert ref
    return registry.validate(parse(data if isinstance(data, bytes) else data.encode(), media_type), ref)


def only_finding(registry: Registry, old: str, new: str) -> Finding:
    """The one finding about the valid message with a part of it replaced."""
    data = VALID.decode()
    assert old in data
    judgement = judged(registry, data.replace(old, new))
    assert judgement.valid is False
    [finding] = judgement.findings
    assert finding.layer == "schema"
    assert finding.severity == "error"
    assert finding.source == "xoev:xmuster/1.0"
    assert finding.text.de
    assert finding.text.en
    assert finding.remedy.de
    return finding


def test_a_valid_message_has_no_findings(registry: Registry) -> None:
    assert judged(registry, VALID) == Judgement(True, "xoev:xmuster/1.0", "antrag.neu.0001", [], test=False)


def test_a_message_that_needs_the_second_file_of_a_namespace_is_judged(registry: Registry) -> None:
    judgement = judged(registry, '<antrag.zurueck.0002 xmlns="urn:muster"><ast><ast/></ast></antrag.zurueck.0002>')

    assert judgement.valid is True


@pytest.mark.parametrize("value", ["true", "false", ""])
def test_the_mere_presence_of_the_test_mark_counts(registry: Registry, value: str) -> None:
    assert judged(registry, VALID.replace(b' xmlns="urn:', f' test="{value}" xmlns="urn:'.encode())).test is True


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "allowed"),
    [
        ("<geburt>1990-01-01</geburt>", "", "schema.missing_element", "/antrag.neu.0001/art", "geburt"),
        ("\n <ja>true</ja>", "", "schema.missing_element", "/antrag.neu.0001", "anlage, ja, nein"),
        (
            "<art>1</art>",
            "<rasse>x</rasse>",
            "schema.unexpected_element",
            "/antrag.neu.0001/*",
            "art, anlage, ja, nein",
        ),
        (
            "<art>1</art>",
            "<art>1</art><art>1</art>",
            "schema.unexpected_element",
            "/antrag.neu.0001/art[2]",
            "anlage, ja, nein",
        ),
        ("<art>1", "<art>3", "schema.enumeration", "/antrag.neu.0001/art", "'1', '2'"),
        ("1990-01-01", "1.1.1990", "schema.value", "/antrag.neu.0001/geburt", "type xs:date"),
        ("Beispiel", "Beispielhaft", "schema.value", "/antrag.neu.0001/name", "maxLength 10"),
        ("Beispiel", "Beispiel1", "schema.value", "/antrag.neu.0001/name", "pattern [A-Za-zäöüß ]*"),
        (
            "<art>1</art>",
            "<anlage><datei>d</datei></anlage>",
            "schema.missing_attribute",
            "/antrag.neu.0001/anlage/@nr",
            None,
        ),
        ("<art>1</art>", '<art x="1">1</art>', "schema.unexpected_attribute", "/antrag.neu.0001/art/@*", None),
        (
            "<art>1</art>",
            '<anlage nr="a"><datei/></anlage>',
            "schema.value",
            "/antrag.neu.0001/anlage/@nr",
            "type xs:int",
        ),
        ("<ja>true</ja>", "<ja>true</ja>text", "schema.unexpected_content", "/antrag.neu.0001", None),
        ("<ja>true</ja>", "<ja>true</ja><kopf>x</kopf>", "schema.wrong_namespace", "/antrag.neu.0001/kopf", 'xmlns=""'),
        (
            "<geburt>",
            f'<geburt xmlns:i="{XSI}" i:type="x">',
            "schema.unknown_type",
            "/antrag.neu.0001/geburt/@type",
            None,
        ),
    ],
)
def test_each_fault_has_its_code_its_place_and_what_is_allowed(
    registry: Registry, old: str, new: str, code: str, path: str, allowed: str | None
) -> None:
    finding = only_finding(registry, old, new)

    assert (finding.code, finding.path, finding.allowed) == (code, path, allowed)


def test_a_misspelt_name_is_shown_and_a_name_that_the_schema_knows_nothing_of_is_not(registry: Registry) -> None:
    slip = only_finding(registry, "<geburt>1990-01-01</geburt>", "<gebrut>1990-01-01</gebrut>")
    person = only_finding(registry, "<geburt>1990-01-01</geburt>", "<ErikaMuster>1990-01-01</ErikaMuster>")
    members = [
        judged(registry, f'{{"F60000000242V1.0.0": "a@b.de", "{name}": 1}}', FIM, "application/json").findings[0]
        for name in ("F60000000242V9.9.9", "ErikaMuster")
    ]

    assert (slip.path, "gebrut" in slip.text.en) == ("/antrag.neu.0001/gebrut", True)
    assert (person.path, person.found) == ("/antrag.neu.0001/*", "11 characters: letters")
    assert [(finding.path, finding.found) for finding in members] == [
        ("/F60000000242V9.9.9", None),
        ("/*", "11 characters: letters"),
    ]
    assert "Erika" not in str([person.as_dict(), members[1].as_dict()])


def test_findings_have_the_line_of_the_bytes_as_sent(registry: Registry) -> None:
    assert only_finding(registry, "1990-01-01", "morgen").line == 3


def test_positions_are_counted_among_elements_of_one_name_whatever_their_prefix(registry: Registry) -> None:
    anlagen = '<anlage nr="1"><datei/></anlage><m:anlage xmlns:m="urn:muster" nr="x"><m:datei/></m:anlage>'

    assert only_finding(registry, "<art>1</art>", anlagen).path == "/antrag.neu.0001/anlage[2]/@nr"


def test_all_faults_are_told_at_once(registry: Registry) -> None:
    data = (
        VALID.replace(b"1990-01-01", b"x").replace(b"<art>1", b"<art>9").replace(b"Beispiel", b"zu lang und falsch 1")
    )

    findings = judged(registry, data).findings

    assert [finding.code for finding in findings] == ["schema.value", "schema.value", "schema.enumeration"]
    # A value is told once, with every rule that it breaks.
    assert findings[0].allowed == "maxLength 10; pattern [A-Za-zäöüß ]*"


@pytest.mark.parametrize(
    "value",
    [
        "Geheim-Müller 4711",
        "x' is not accepted by the pattern 'Geheim-4711'.",
        "x' is not an element of the set {'Geheim-4711'}.",
        "Expected is one of ( Geheim-4711 ).",
    ],
)
@pytest.mark.parametrize("element", ["name", "geburt", "art"])
def test_no_finding_repeats_a_value_whatever_it_is_made_to_look_like(
    registry: Registry, value: str, element: str
) -> None:
    data = VALID.decode()
    start, end = data.index(f"<{element}>") + len(element) + 2, data.index(f"</{element}>")

    judgement = judged(registry, data[:start] + value + data[end:])

    assert judgement.valid is False
    assert not any("4711" in str(finding.as_dict()) for finding in judgement.findings)


def test_a_name_that_no_schema_would_have_is_not_repeated(registry: Registry) -> None:
    finding = only_finding(registry, "<art>1</art>", "<Müller-geheim/>")

    assert finding.path == "/antrag.neu.0001/*"
    assert "geheim" not in str(finding.as_dict())


def test_what_was_found_is_described_and_not_shown(registry: Registry) -> None:
    assert only_finding(registry, "1990-01-01", "Kaffee 17").found == "9 characters: letters, digits, white space"


def test_a_long_list_of_findings_ends_with_how_many_more(registry: Registry) -> None:
    # 20,000 wrong siblings: also a bound on the time that looking up their places takes
    wrong = "<anlage nr='x'><datei/></anlage>" * 20_000

    findings = judged(registry, VALID.replace(b"<ja>", f"{wrong}<ja>".encode())).findings

    assert len(findings) == MOST_FINDINGS + 1
    assert findings[-1].code == "schema.more"
    assert findings[-1].text.en.startswith(f"{20_000 - MOST_FINDINGS} ")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'<antrag.zurueck.0002 xmlns="urn:muster"/>', "urn:muster#antrag.neu.0001"),
        (b'<antrag.neu.0001 xmlns="urn:other"/>', "urn:muster"),
        (b"<html/>", "urn:muster"),
        (b'<S99000000001V1.0.1 xmlns="urn:fim-de:xfall:datenschema:xdf3"/>', FIM),
    ],
)
def test_the_wrong_message_is_one_finding(registry: Registry, data: bytes, name: str) -> None:
    judgement = judged(registry, data, name)

    assert judgement.valid is False
    assert [finding.code for finding in judgement.findings] == ["schema.wrong_message"]


def test_a_format_without_a_schema_cannot_be_judged(registry: Registry) -> None:
    judgement = judged(registry, b"{}", "urn:muster", "application/json")

    assert judgement.valid is None
    assert [finding.code for finding in judgement.findings] == ["schema.not_installed"]


# --- FIM -----------------------------------------------------------------------------------------------------------


def fim_xml(mail: str) -> str:
    name, namespace = "S99000000001V1.0.0", "urn:fim-de:xfall:datenschema:xdf3"
    return f'<{name} xmlns="{namespace}"><F60000000242V1.0.0>{mail}</F60000000242V1.0.0></{name}>'


@pytest.mark.parametrize(
    ("mail", "valid"), [("a@b.de", True), ("a@b.de$", False), ("^a@b.de", False), ("?a@b.de", False)]
)
def test_fim_patterns_mean_the_whole_value_in_xml_and_in_json(registry: Registry, mail: str, valid: bool) -> None:
    assert judged(registry, fim_xml(mail), FIM).valid is valid
    assert judged(registry, f'{{"F60000000242V1.0.0": "{mail}"}}', FIM, "application/json").valid is valid


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ("{}", "schema.missing_element", "/F60000000242V1.0.0"),
        ('{"F60000000242V1.0.0": 4}', "schema.value", "/F60000000242V1.0.0"),
        ('{"F60000000242V1.0.0": "geheim"}', "schema.value", "/F60000000242V1.0.0"),
        ('{"F60000000242V1.0.0": "a@b.de", "F1": 1}', "schema.unexpected_element", "/*"),
        ('{"F60000000242V1.0.0": "a@b.de", "Herr Müller": 1}', "schema.unexpected_element", "/*"),
        ("[]", "schema.value", ""),
    ],
)
def test_json_faults_have_their_code_and_pointer(registry: Registry, data: str, code: str, path: str) -> None:
    [finding] = judged(registry, data, FIM, "application/json").findings

    assert (finding.code, finding.path) == (code, path)
    assert "geheim" not in str(finding.as_dict())
    assert "Müller" not in str(finding.as_dict())


def test_findings_name_a_fim_field_by_its_label_in_both_formats(registry: Registry) -> None:
    xml = judged(registry, fim_xml("x"), FIM).findings[0].text.de
    as_json = judged(registry, '{"F60000000242V1.0.0": "x"}', FIM, "application/json").findings[0].text.de

    assert xml == as_json == "Der Wert von „E-Mail“ (F60000000242V1.0.0) hat nicht die verlangte Form."


@given(st.from_regex(r"\A[a-z0-9$\\]{0,8}\Z"))
def test_a_pattern_without_anchors_is_stable_and_differs_only_at_the_ends(pattern: str) -> None:
    assert unanchored(f"^{pattern}") == unanchored(pattern)
    assert unanchored(pattern) in (pattern, pattern[:-1])


def test_an_escaped_dollar_at_the_end_is_a_literal() -> None:
    assert [unanchored(p) for p in ("^a$", r"a\$", r"a\\$", "a")] == ["a", r"a\$", r"a\\", "a"]


# --- threads -------------------------------------------------------------------------------------------------------


def test_threads_never_get_each_others_findings(registry: Registry) -> None:
    """One lxml schema shared by three threads mixes up error logs within a second; values of citizens with them."""
    faults = [(b"<art>1", b"<art>9", "schema.enumeration"), (b"1990-01-01", b"heute", "schema.value"), (b"", b"", None)]
    wrong: list[object] = []

    def work(old: bytes, new: bytes, code: str | None) -> None:
        document = parse(VALID.replace(old, new) if old else VALID, "text/xml")
        ref = registry.find("urn:muster")
        assert ref
        for _ in range(1_000):
            codes = [finding.code for finding in registry.validate(document, ref).findings]
            if codes != ([code] if code else []):
                wrong.append(codes)

    threads = [threading.Thread(target=work, args=fault) for fault in faults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


# --- the real ones -------------------------------------------------------------------------------------------------


def test_the_verdicts_on_all_real_and_constructed_messages_are_the_published_ones(
    real: Registry, test_data: Path
) -> None:
    # Given the list of messages with the result of their schema
    with (test_data / "xoev/INSTANCES.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["schema"] != "(schema not available)"]
    expected, actual = {}, {}

    # When each is read, recognised and judged
    for row in rows:
        expected[row["file"]] = row["xsd_result"]
        try:
            document = parse((test_data / "xoev" / row["file"]).read_bytes(), "application/xml")
        except Unreadable:
            actual[row["file"]] = "not-well-formed"
            continue
        ref = real.recognise(document)
        assert ref, row["file"]
        actual[row["file"]] = "xsd-valid" if real.validate(document, ref).valid else "xsd-invalid"

    # Then every verdict agrees
    assert len(expected) > 50
    assert actual == expected


def test_the_constructed_xbau_messages_are_test_messages(real: Registry, test_data: Path) -> None:
    for file in (test_data / "xoev/xbau-2.6/instances").glob("constructed-valid*.xml"):
        document = parse(file.read_bytes(), "text/xml")
        ref = real.recognise(document)
        assert ref
        assert ref == real.find("xoev:xbau/2.6#baugenehmigung.antrag.0200")
        assert real.validate(document, ref).test is True


def test_the_fim_instances_are_judged_as_their_names_say_in_xml_and_json(real: Registry, test_data: Path) -> None:
    files = sorted((test_data / "fim/instances").glob("*.*"))
    assert len(files) == 8

    for file in files:
        media_type = "application/xml" if file.suffix == ".xml" else "application/json"
        judgement = judged(real, file.read_bytes(), "fim:S00000000364V1.0.0", media_type)
        assert judgement.valid is file.name.startswith("valid"), file.name
        assert bool(judgement.findings) is not judgement.valid
