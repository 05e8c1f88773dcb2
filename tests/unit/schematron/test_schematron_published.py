"""The Schematron files that German standards publish, on the messages published with them or made for them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree
from schematron_support import rules_of

from xoev_schemas.findings import Finding
from xoev_schemas.schematron import compile_schematron, schematron_findings
from xoev_schemas.workers import Workers

XBAU = ("xbau-2.6/schematron/xbau-schematron.sch", "xbau-2.6/schematron/xbau-schematron-leere-elemente.sch")


def compiled(file: Path) -> bytes:
    return compile_schematron(file.read_bytes(), lambda name: (file.parent / name).read_bytes(), name=file.name)


def check(workers: Workers, files: list[Path], message: bytes) -> list[Finding]:
    stylesheets = [compiled(file) for file in files]
    key = sha256(b"".join(stylesheets)).hexdigest()
    return schematron_findings(workers.schematron(key, stylesheets, message), "XBau 2.6", etree.fromstring(message))


def test_every_published_file_compiles_to_the_last_expression(workers: Workers, test_data: Path) -> None:
    files = sorted((test_data / "xoev").rglob("*.sch"))

    assert len(files) == 13
    for file in files:
        workers.prove([compiled(file)])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("constructed-valid_baugenehmigung.antrag.0200.xml", []),
        ("constructed-invalid-codelist-anlageart_0200.xml", []),
        ("constructed-invalid-guidance-dokumentid-not-xs-id_0200.xml", []),
        (
            "constructed-invalid-schematron-dvdv-kennung_0200.xml",
            [("/baugenehmigung.antrag.0200/nachrichtenkopf.g2g", 4, "XBau 2.6, sch-xbau-001")],
        ),
        (
            "constructed-invalid-schematron-empty-element_0200.xml",
            [
                (
                    "/baugenehmigung.antrag.0200/antragsteller/natuerlichePerson/anschrift",
                    41,
                    "XBau 2.6, sch-xbau-gen-001",
                )
            ],
        ),
    ],
)
def test_messages_of_xbau_are_judged_as_their_list_says(
    workers: Workers, test_data: Path, message: str, expected: list[tuple[str, int, str]]
) -> None:
    data = (test_data / "xoev/xbau-2.6/instances" / message).read_bytes()

    findings = check(workers, [test_data / "xoev" / file for file in XBAU], data)

    assert [(finding.path, finding.line, finding.source) for finding in findings] == expected
    assert all((f.code, f.severity, f.layer) == ("schematron.failed", "error", "schematron") for f in findings)


def test_the_authors_sentence_is_the_german_text_and_is_marked_as_theirs_in_english(
    workers: Workers, test_data: Path
) -> None:
    data = (test_data / "xoev/xbau-2.6/instances/constructed-invalid-schematron-dvdv-kennung_0200.xml").read_bytes()

    (finding,) = check(workers, [test_data / "xoev" / XBAU[0]], data)

    assert finding.text.de.startswith("Eine Behördenkennung im DVDV muss aus einem Präfix aus drei Kleinbuchstaben")
    assert finding.text.en == f"Rule sch-xbau-001, in the words of the standard: {finding.text.de}"


@pytest.mark.parametrize(
    ("standard", "message", "rules"),
    [
        ("xberufsbildung/0.5/xberufsbildung", "xberufsbildung-0.5_T01_pruefungszeugnis_min_positiv.xml", []),
        ("xberufsbildung/0.5/xberufsbildung", "xberufsbildung-0.5_T02_pruefungszeugnis_max_positiv.xml", []),
        ("xschule/1.1/xschule", "1_1_XSchule_Schulbescheinigung_01.xml", []),
        (
            "xschule/1.1/xschule",
            "1_1_XSchule_Abiturzeugnis_NW_01.xml",
            ["XSC-0002-0100-MUSS-Kurs-Pruefung-KMK-Abiturfach"],
        ),
        # Its abstract rules stand in another pattern than what extends them.
        (
            "xhochschule/1.1/xhochschule",
            "1_1_XHS_Immatrikulationsbescheinigung.xml",
            ["SCH-XHS-0016-WertNichtInListeImmatrikulationsstatus"],
        ),
        (
            "xhochschule/1.1/xhochschule",
            "1_1_XHS_Hochschulabschlusszeugnis.xml",
            ["SCH-XHS-0019-BenotungsschemaGesamtnoteundAbschlussarbeit"],
        ),
    ],
)
def test_messages_of_xbildung_break_the_rules_that_they_break(
    workers: Workers, test_data: Path, standard: str, message: str, rules: list[str]
) -> None:
    folder = test_data / "xoev/xbildung-1.2"

    findings = check(workers, [folder / f"{standard}-schematron.sch"], (folder / "instances" / message).read_bytes())

    assert rules_of(findings) == rules
