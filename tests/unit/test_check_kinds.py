"""What `gateway check` and every start say about kinds of submissions, references of a matter, and requirements."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_city import REQUEST, City

from gateway.errors import ConfigurationError
from gateway.services import Packages


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def codes(city: City) -> list[tuple[str, str]]:
    return [(finding.code, Path(finding.path).name) for finding in city.findings()]


def takes_supplements(city: City) -> None:
    city.change(
        "services/abholung/service.yaml",
        "  - schema: xsd:urn:example:abholung:1\n",
        "  - schema: xsd:urn:example:abholung:1\n    kind: supplement\n",
    )


def test_a_kind_that_a_service_takes_and_a_target_has_no_request_for_stops_the_start(city: City) -> None:
    takes_supplements(city)
    with pytest.raises(ConfigurationError) as told:
        Packages.load([city.folder], city.registry)
    [finding] = told.value.findings
    assert finding.code == "config.no_request_for_kind"
    assert "request-supplement.yaml" in finding.remedy.de
    assert "supplement: skip" in finding.remedy.en


@pytest.mark.parametrize("said", ["skip", "{}"])
def test_a_target_that_says_what_holds_for_a_kind_is_content(city: City, said: str) -> None:
    takes_supplements(city)
    target = city.folder / "targets/amt/target.yaml"
    target.write_text(f"{target.read_text()}kinds: {{supplement: {said}}}\n")
    assert Packages.load([city.folder], city.registry).targets["amt"].skips("supplement") is (said == "skip")


def test_the_request_of_a_kind_is_proved_like_any_other(city: City) -> None:
    (city.folder / "targets/amt/request-supplement.yaml").write_text(
        REQUEST.replace("each: data/things", "each: data/thinks")
    )
    assert ("mapping.path_unknown", "request-supplement.yaml") in codes(city)


def test_a_setting_of_a_kind_lies_over_the_targets_own(city: City) -> None:
    target = city.folder / "targets/amt/target.yaml"
    target.write_text(f"{target.read_text()}kinds: {{change: {{path: /elsewhere}}}}\n")
    loaded = Packages.load([city.folder], city.registry).targets["amt"]
    changed = loaded.for_kind("change")
    assert changed is not None
    assert (loaded.config.settings["path"], changed.config.settings["path"]) == ("/faelle", "/elsewhere")
    assert changed.requests == loaded.requests
    assert loaded.for_kind("withdraw") is None


def test_a_reference_that_no_target_of_the_service_gives_is_found_where_it_is_read(city: City) -> None:
    file = city.folder / "targets/amt/request-supplement.yaml"
    target = city.folder / "targets/amt/target.yaml"
    target.write_text(f'{target.read_text()}references: {{aktenzeichen: "$.nummer"}}\n')
    file.write_text(REQUEST + "  mehr: {from: references/aktenzeichn}\n")
    found = [finding for finding in city.findings() if finding.code == "mapping.path_unknown"]
    assert [Path(finding.path).name for finding in found] == [file.name]
    assert "aktenzeichen" in found[0].remedy.en + (found[0].allowed or "")


def test_a_service_that_asks_for_what_its_mapping_does_not_say_is_told(city: City) -> None:
    service = city.folder / "services/abholung/service.yaml"
    service.write_text(f"{service.read_text()}requires: {{trust_level: low, payment: required}}\n")
    told = {(f.severity, f.text.en.split("'")[1]) for f in city.findings() if f.code == "config.requirement_not_mapped"}
    assert told == {("error", "authentication/trustLevel"), ("warning", "payment/status")}
    mapping = city.folder / "services/abholung/mapping.yaml"
    made = "  authentication: {trustLevel: {const: low}}\n  payment: {status: {from: name}}\n"
    mapping.write_text(mapping.read_text() + made)
    assert "config.requirement_not_mapped" not in {f.code for f in city.findings()}
