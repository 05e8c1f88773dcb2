"""What XÖV agrees on and a schema cannot say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from xoev_schemas.conventions import convention_findings, without_repetitions
from xoev_schemas.documents import XmlDocument, parse_xml
from xoev_schemas.findings import Finding, Text
from xoev_schemas.registry import Registry
from xoev_schemas.standards import Standard

NOW = datetime(2026, 3, 3, tzinfo=UTC)

G2G = """<m:antrag.neu.0200 xmlns:m="urn:m" standard="XBau-Hochbau" version="2.6">
<nachrichtenkopf.g2g><identifikation.nachricht>
<nachrichtenUUID>2f1f5a5e-0b3c-4a53-8c5f-7a3a1f2f9d10</nachrichtenUUID>
<nachrichtentyp><code>0200</code></nachrichtentyp>
<erstellungszeitpunkt>2026-03-02T09:30:00+01:00</erstellungszeitpunkt></identifikation.nachricht>
<leser><verzeichnisdienst><code>DVDV</code></verzeichnisdienst><kennung>bab:05913000</kennung></leser>
<autor><verzeichnisdienst><code>DVDV</code></verzeichnisdienst><kennung>bap:05000000</kennung></autor>
</nachrichtenkopf.g2g>
<m:anhang><dokumentid>urn_uuid_1</dokumentid><dateiname>Plan Süd.pdf</dateiname></m:anhang>
<m:anhang><dokumentid>_2</dokumentid><dateiname>Plan Nord.pdf</dateiname></m:anhang>
</m:antrag.neu.0200>"""

XINNERES = """<x:alg.meldung.0300 xmlns:x="urn:x" standard="XGewerbeanzeige" version="2.2"><x:nachrichtenkopf>
<x:identifikation.nachricht><x:nachrichtenUUID>00000000-0000-0000-0000-000000000001</x:nachrichtenUUID>
<x:nachrichtentyp><code>0300</code></x:nachrichtentyp>
<x:erstellungszeitpunkt>2019-10-24T00:00:00+02:00</x:erstellungszeitpunkt></x:identifikation.nachricht>
<x:leser><x:behoerdenkennung><x:praefix><code>azr</code></x:praefix><x:kennung><code>1</code></x:kennung>
</x:behoerdenkennung></x:leser>
<x:autor><x:behoerdenkennung><x:praefix><code>azr</code></x:praefix><x:kennung><code>2</code></x:kennung>
</x:behoerdenkennung></x:autor></x:nachrichtenkopf></x:alg.meldung.0300>"""

XDOMEA = """<d:Aussonderung.Anbieteverzeichnis.0501 xmlns:d="urn:d"><d:Kopf><d:ProzessID>1</d:ProzessID>
<d:Nachrichtentyp><code>0501</code></d:Nachrichtentyp><d:Erstellungszeitpunkt>2020-07-24T17:21:25</d:Erstellungszeitpunkt>
</d:Kopf></d:Aussonderung.Anbieteverzeichnis.0501>"""

GEWST = """<g:bescheide.generisch.0010 xmlns:g="urn:g"><nachrichtenkopf>
<nachrichtenID>00000000-0000-0000-0000-000000000101</nachrichtenID><zeitstempel>2021-01-15T10:00:00</zeitstempel>
<nameStandard>GewSt</nameStandard><versionStandard>1.4</versionStandard></nachrichtenkopf></g:bescheide.generisch.0010>"""


def standard(ref: str = "xoev:xbau/2.6", namespace: str = "urn:m") -> Standard:
    return Standard(ref, "XMuster", ref.partition("/")[2], None, [namespace], [], {}, "folder", [])


STANDARDS = {
    G2G: standard(),
    XINNERES: standard("xoev:xgewerbeanzeige/2.2", "urn:x"),
    XDOMEA: standard("xoev:xdomea/3.0.0", "urn:d"),
    GEWST: standard("xoev:gewerbesteuer/1.4", "urn:g"),
}


def findings(message: str, by: Standard, *reported: Finding) -> list[Finding]:
    data = message.encode()
    return convention_findings(parse_xml(data), data, by, now=NOW, reported=reported)


@pytest.mark.parametrize("message", STANDARDS, ids=["g2g", "xinneres", "xdomea", "gewerbesteuer"])
def test_a_message_that_keeps_the_conventions_of_its_family_has_no_findings(message: str) -> None:
    assert findings(message, STANDARDS[message]) == []


def test_a_message_of_a_module_has_the_modules_version() -> None:
    of_a_module = G2G.replace('xmlns:m="urn:m"', 'xmlns:m="urn:module"').replace('version="2.6"', 'version="1.3.0"')

    assert "convention.version" not in {finding.code for finding in findings(of_a_module, standard())}


@pytest.mark.parametrize(
    ("message", "old", "new", "code", "severity", "path"),
    [
        (G2G, "<code>0200", "<code>0201", "message_type", "error",
         "/antrag.neu.0200/nachrichtenkopf.g2g/identifikation.nachricht/nachrichtentyp/code"),
        (XINNERES, "<code>0300", "<code>0301", "message_type", "error",
         "/alg.meldung.0300/nachrichtenkopf/identifikation.nachricht/nachrichtentyp/code"),
        (XDOMEA, "<code>0501", "<code>0502", "message_type", "warning",
         "/Aussonderung.Anbieteverzeichnis.0501/Kopf/Nachrichtentyp/code"),
        (G2G, 'version="2.6"', 'version="2.5"', "version", "error", "/antrag.neu.0200/@version"),
        (GEWST, "Standard>1.4", "Standard>1.3", "version", "error",
         "/bescheide.generisch.0010/nachrichtenkopf/versionStandard"),
        (G2G, "XBau-Hochbau", "XMeld", "standard", "warning", "/antrag.neu.0200/@standard"),
        (G2G, "2f1f5a5e-", "2f1f5a5e", "message_id", "warning",
         "/antrag.neu.0200/nachrichtenkopf.g2g/identifikation.nachricht/nachrichtenUUID"),
        (GEWST, "00000000-", "x-", "message_id", "warning", "/bescheide.generisch.0010/nachrichtenkopf/nachrichtenID"),
        (G2G, "2026-03-02T", "2026-03-05T", "created_in_future", "warning",
         "/antrag.neu.0200/nachrichtenkopf.g2g/identifikation.nachricht/erstellungszeitpunkt"),
        (XDOMEA, "2020-07-24T17:21:25", "2126-07-24T17:21:25", "created_in_future", "warning",
         "/Aussonderung.Anbieteverzeichnis.0501/Kopf/Erstellungszeitpunkt"),
        (G2G, "bap:05000000", "bab:05913000", "same_party", "warning",
         "/antrag.neu.0200/nachrichtenkopf.g2g/leser"),
        (XINNERES, "<code>2<", "<code>1<", "same_party", "warning", "/alg.meldung.0300/nachrichtenkopf/leser"),
        (G2G, "bab:05913000", "Dortmund", "dvdv_identifier", "warning",
         "/antrag.neu.0200/nachrichtenkopf.g2g/leser/kennung"),
        (G2G, 'version="2.6"', 'version="2.6" test="false"', "test_message", "info", "/antrag.neu.0200/@test"),
        (G2G, "urn_uuid_1", "3c0c3f60-6c3a", "document_id", "warning", "/antrag.neu.0200/anhang[1]/dokumentid"),
        (G2G, "urn_uuid_1", "urn:uuid:1", "document_id", "warning", "/antrag.neu.0200/anhang[1]/dokumentid"),
        (G2G, "Plan Süd.pdf", "Plan/Süd.pdf", "file_name", "warning", "/antrag.neu.0200/anhang[1]/dateiname"),
        (G2G, "Plan Süd.pdf", "Plan Süd", "file_name", "warning", "/antrag.neu.0200/anhang[1]/dateiname"),
        (G2G, "Nord", "Süd", "file_name_twice", "warning", "/antrag.neu.0200/anhang[2]/dateiname"),
        (G2G, "</m:anhang>", f"<m:inhalt>JVBERi0xLjcK{'A' * 400}</m:inhalt></m:anhang>", "document_inside", "warning",
         "/antrag.neu.0200/anhang[1]/inhalt"),
    ],
)  # fmt: skip
def test_each_convention_that_is_broken_is_named_with_its_place(
    message: str, old: str, new: str, code: str, severity: str, path: str
) -> None:
    assert old in message
    found = findings(message.replace(old, new, 1), STANDARDS[message])
    assert [(f.code, f.severity, f.path, f.layer) for f in found] == [
        (f"convention.{code}", severity, path, "convention")
    ]
    assert all((found[0].text.de, found[0].text.en, found[0].remedy.de, found[0].remedy.en, found[0].source))
    assert found[0].line


def test_no_finding_repeats_a_value_of_the_message() -> None:
    broken = G2G.replace("bab:05913000", "Geheim").replace("Plan Süd.pdf", "Geheim/x").replace("urn_uuid_1", "Ge heim")
    found = findings(broken.replace("<code>0200", "<code>Geheim"), standard())
    assert len(found) == 4
    assert "heim" not in str([finding.as_dict() for finding in found])


def test_a_header_of_an_unknown_family_is_silently_right() -> None:
    message = G2G.replace("nachrichtenkopf.g2g", "kopfzeile").replace("<code>0200", "<code>0999")
    assert findings(message, standard()) == []


def test_rules_of_another_standard_are_not_applied() -> None:
    message = G2G.replace("urn_uuid_1", "1").replace("Plan Süd.pdf", "x/y").replace("XBau-Hochbau", "XMeld")
    assert findings(message, standard("xoev:xmeld/2.6")) == []


def test_a_schema_that_is_not_of_xoev_has_no_version_to_agree_with() -> None:
    assert findings('<a version="7" standard="mine"/>', standard("xsd:urn:a/1")) == []


def test_what_the_schema_has_said_of_a_place_is_not_said_again() -> None:
    path = "/antrag.neu.0200/nachrichtenkopf.g2g/identifikation.nachricht/nachrichtenUUID"
    said = Finding("schema.value", "error", "schema", Text("", ""), path=path)
    assert findings(G2G.replace("2f1f5a5e-", "x"), standard(), said) == []


def test_the_rule_that_the_schematron_has_said_in_its_own_words_is_not_said_again() -> None:
    words = 'Eine Behördenkennung im DVDV … des Elements "leser" verstößt gegen diese Festlegung.'
    at = "/antrag.neu.0200/nachrichtenkopf.g2g"
    said = Finding("schematron.failed", "error", "schematron", Text(words, words), path=at)
    both_wrong = G2G.replace("bab:05913000", "x").replace("bap:05000000", "y")
    told = without_repetitions([said, *findings(both_wrong, standard())])
    assert [f.path for f in told] == [at, f"{at}/autor/kennung"]


def test_a_time_of_creation_that_is_none_is_left_to_the_schema() -> None:
    assert findings(G2G.replace("2026-03-02T09:30:00+01:00", "gestern"), standard()) == []


def test_no_published_message_that_is_valid_breaks_a_convention(real: Registry, test_data: Path) -> None:
    standards = {one.ref: one for one in real.standards()}
    judged = 0
    for path in sorted((test_data / "xoev").rglob("instances/**/*.xml")):
        if "notwellformed" in path.name:
            continue
        data = path.read_bytes()
        document = parse_xml(data)
        ref = real.recognise(document)
        judgement = real.validate(document, ref) if ref else None
        if ref is None or judgement is None or not judgement.valid:
            continue
        found = convention_findings(document, data, standards[ref.standard], now=NOW)
        assert [f for f in found if f.severity == "error"] == [], path.name
        judged += 1
    assert judged > 30


def test_the_published_example_of_the_transport_rule_is_found(real: Registry, test_data: Path) -> None:
    folder = test_data / "xoev" / "xbau-2.6" / "instances"
    data = (folder / "constructed-invalid-guidance-dokumentid-not-xs-id_0200.xml").read_bytes()
    document = parse_xml(data)
    assert isinstance(document, XmlDocument)
    [xbau] = [one for one in real.standards() if one.ref == "xoev:xbau/2.6"]
    codes = [finding.code for finding in convention_findings(document, data, xbau, now=NOW)]
    assert codes == ["convention.test_message", "convention.document_id"]
