"""Packages drafted from real standards pass `gateway check` as they are, with samples that come out as they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from checking_support import checker_of

from gateway.packages.samples import run_samples
from gateway.scaffold.drafting import BROKEN, VALID, Drafted, draft_service
from gateway.scaffold.files import put
from gateway.scaffold.source import leaves, read_source
from gateway.services import Packages, shipped_folder
from xoev_schemas.registry import Registry

STANDARDS = ("fim/xdf3", "xoev/xbau-2.6", "xoev/xunternehmen-gewerbesteuer-1.4", "xoev/xdomea-3.0.0")
FIM = (
    "S00000000362V1.0.0", "S00000000364V1.0.0", "S00000000371V1.0.0", "S00000000373V1.0.0", "S00000000374V1.0.0",
    "S00000000377V1.0.0", "S00000000380V1.0.0", "S02000000112V1.0.0", "S05000001162V3.3.0", "S05000001195V2.3.0",
    "S05000001299V1.0.0", "S07000000248V1.2.0",
)  # fmt: skip
TAX = ("berechnung.gewerbesteuer.0021", "bescheide.gewerbesteuer.0001", "bescheide.zinsen.0002")
SOURCES = (
    *(f"fim:{name}" for name in FIM),
    "xoev:xbau/2.6#baugenehmigung.antrag.0200",
    *(f"xoev:gewerbesteuer/1.4#{message}" for message in TAX),
    "xoev:xdomea/3.0.0#Aussonderung.Anbieteverzeichnis.0501",
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("standards"))
    for source in STANDARDS:
        registry.import_path(test_data / source)
    return registry


def drafted(registry: Registry, source: str) -> Drafted:
    ref = registry.find(source)
    assert ref is not None
    return draft_service("neu", ref, checker_of(registry), "neues-ziel")


@pytest.mark.parametrize("source", SOURCES)
def test_a_draft_passes_check_and_its_samples_come_out_as_they_say(
    registry: Registry, source: str, tmp_path: Path
) -> None:
    # When
    draft = drafted(registry, source)
    # Then
    assert draft.findings == []
    assert draft.samples == (VALID, BROKEN)
    put(draft.files, tmp_path)
    packages = Packages.load([tmp_path], registry)
    results = run_samples(packages.services["neu"], checker_of(registry))
    assert [(result.sample, result.ok) for result in results] == [(VALID, True), (BROKEN, True)]


@pytest.mark.parametrize("source", ["fim:S05000001299V1.0.0", "xoev:xbau/2.6#baugenehmigung.antrag.0200"])
def test_every_field_of_the_message_is_read_or_named(registry: Registry, source: str) -> None:
    # Given
    ref = registry.find(source)
    assert ref is not None
    message = read_source(registry.model(ref), registry.fim(ref.standard))
    # When
    text = drafted(registry, source).files["services/neu/mapping.yaml"].decode()
    # Then
    missing = [t for t in leaves(message) if not re.search(rf"[/ {{\"]{re.escape(t[-1].name)}(?![\w.-])", text)]
    assert missing == []


def test_people_of_fim_building_blocks_become_the_case_s_applicants(registry: Registry) -> None:
    # When
    draft = drafted(registry, "fim:S07000000248V1.2.0")
    # Then
    case = yaml.safe_load(draft.files["services/neu/mapping.yaml"])["case"]
    (applicant,) = case["applicants"]
    assert applicant["role"] == "applicant"
    assert applicant["person"]["familyName"] == {"from": "G07000000817/F60000000227"}
    assert applicant["person"]["birthDate"] == {"from": "G07000000817/G60000000083", "as": "partial-date"}
    assert applicant["person"]["nationalities"]["each"] == "G07000000817/F60000000236"
    assert applicant["contact"]["email"]["from"].endswith("/F60000000242")
    assert "F60000000227" not in json.dumps(case["data"])


def test_people_of_xoev_core_components_are_found_with_their_roles(registry: Registry) -> None:
    # When
    draft = drafted(registry, "xoev:xbau/2.6#baugenehmigung.antrag.0200")
    # Then
    case = yaml.safe_load(draft.files["services/neu/mapping.yaml"])["case"]
    applicants = [entry["each"] for entry in case["applicants"]]
    assert applicants == ["antragsteller/natuerlichePerson", "antragsteller/organisation"]
    builder = next(entry["make"] for entry in case["parties"] if entry["each"].endswith("bauherr/organisation"))
    assert builder["role"] == "bauherr"
    assert builder["organisation"]["name"] == {"from": "name/name"}
    assert builder["contact"]["phone"]["from"] == "kommunikation[kanal/code='02'][1]/kennung"


def test_two_addresses_are_never_mixed_into_one(registry: Registry) -> None:
    # Given a message with the company's address and that of its issuing office
    draft = drafted(registry, "fim:S00000000364V1.0.0")
    # Then
    case = yaml.safe_load(draft.files["services/neu/mapping.yaml"])["case"]
    assert case["applicants"][0]["address"]["houseNumber"] == {"from": "G60000000086/F60000000244"}
    assert case["data"]["sitzDerAusgabestelle"]["strassenanschrift"]["hausnummer"] == {
        "from": "G00000002211/G60000000086/F60000000244"
    }


def test_a_person_inside_a_thing_takes_nothing_of_the_thing(tmp_path: Path) -> None:
    # Given a dog with a date of birth and a former keeper
    registry = Registry(tmp_path)
    registry.import_path(shipped_folder() / "services" / "hundesteuer-anmeldung" / "schema")
    # When
    draft = drafted(registry, "fim:S99000000001V1.0.0")
    # Then
    case = yaml.safe_load(draft.files["services/neu/mapping.yaml"])["case"]
    (keeper,) = case["parties"]
    assert keeper["each"] == "G99000000002/G99000000003"
    assert "birthDate" not in keeper["make"]["person"]
    assert case["data"]["hund"]["make"]["geburtsdatumTeilbekannt"]["from"] == "G60000000083"


def test_names_of_data_are_readable_and_comments_say_what_the_standard_says(registry: Registry) -> None:
    # When
    text = drafted(registry, "fim:S05000001299V1.0.0").files["services/neu/mapping.yaml"].decode()
    # Then
    line = next(line for line in text.splitlines() if "F05000017543" in line)
    assert line.strip().startswith("worumHandeltEsSichBei: {from: F05000017543}  # F05000017543 Worum handelt es sich")
    assert "001 = Erstantrag" in line


def test_the_readme_asks_what_nobody_can_know_and_lists_the_rules_of_the_schema(registry: Registry) -> None:
    # When
    text = drafted(registry, "fim:S00000000364V1.0.0").files["services/neu/README.md"].decode()
    # Then
    assert all(f"**`{key}`**" in text for key in ("identifiers", "department", "on_invalid", "keep", "law"))
    assert "**R00000002589**" in text


def test_a_draft_is_the_same_in_every_run(registry: Registry) -> None:
    assert drafted(registry, "fim:S00000000373V1.0.0") == drafted(registry, "fim:S00000000373V1.0.0")
