"""What `gateway check` finds in packages that look right: cases are tried on every target, every slip has a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking_support import checker_of
from small_city import MAPPING, REQUEST, SERVICE, TARGET, City

from adapters.registry import load_adapter
from gateway.checking import try_samples
from gateway.packages.fitting import misfits
from gateway.services import Packages
from gateway.settings import Settings


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def test_sound_packages_are_told_nothing(city: City) -> None:
    assert city.findings() == []


# --- every sample is made into every request ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("sofa: SO", "sofas: SO", 5, "not in the mapping's table of codes"),
        ("receivedAt, as: datetime", '"applicants[1]/person/familyName"', 2, '"Muster" is not a "date-time"'),
    ],
)
def test_a_sample_that_makes_no_request_the_target_takes_is_a_finding_at_the_rule(
    city: City, old: str, new: str, line: int, says: str
) -> None:
    # Given
    city.change("targets/amt/request.yaml", old, new)
    # When
    [finding] = [f for f in city.findings() if f.code == "sample.no_request"]
    # Then
    assert (finding.severity, Path(finding.path).name, finding.line) == ("error", "request.yaml", line)
    assert says in finding.text.en
    assert "Muster" not in finding.text.de
    assert "gateway map" in finding.remedy.en


def test_samples_are_tried_on_the_targets_by_services_test_too(city: City) -> None:
    city.change("targets/amt/request.yaml", "sofa: SO", "sofas: SO")
    packages = Packages.load([city.folder], city.registry)

    [result] = try_samples(packages, packages.services.values(), checker_of(city.registry), load_adapter)

    assert not result.ok
    assert "target amt" in result.difference


def test_a_target_that_does_not_want_a_case_is_not_tried(city: City) -> None:
    city.change("targets/amt/request.yaml", "receivedAt, as: datetime", '"applicants[1]/person/familyName"')
    city.write("targets/amt/target.yaml", TARGET + 'when: {path: "data/things[1]", equals: schrank}\n')

    assert city.findings() == []


# --- values that can come ---------------------------------------------------------------------------------------------


def test_a_value_that_the_schema_lists_and_the_request_does_not_know_is_named(city: City) -> None:
    city.change("targets/amt/request.yaml", ", schrank: SR", "")

    [finding] = city.findings()

    assert (finding.code, Path(finding.path).name, finding.line) == ("mapping.code_not_covered", "request.yaml", 5)
    assert "schrank" in finding.text.de
    assert "schrank" in finding.text.en


def test_a_value_that_a_condition_shuts_out_need_not_be_covered(city: City) -> None:
    table = "make: {from: ., codes: {sofa: SO}, when: {path: ., in: [sofa]}}"
    city.change("targets/amt/request.yaml", "make: {from: ., codes: {sofa: SO, schrank: SR}}", table)

    assert city.findings() == []


def test_values_that_are_handed_on_must_be_values_of_the_target(city: City) -> None:
    city.change("targets/amt/request.yaml", ", codes: {sofa: SO, schrank: SR}", "")

    told = [f.text.en for f in city.findings() if f.code == "mapping.value_not_allowed"]

    assert ["'sofa'" in told[0], "'schrank'" in told[1]] == [True, True]


def test_a_default_is_a_value_that_can_come(city: City) -> None:
    city.change("services/abholung/mapping.yaml", "  data:", "  data:\n    main: {from: 'ding[1]', default: nichts}")
    city.write("targets/amt/request.yaml", "request:\n  dinge: [{from: data/main, codes: {sofa: SO, schrank: SR}}]\n")

    [finding] = [f for f in city.findings() if f.code == "mapping.code_not_covered"]

    assert "nichts" in finding.text.en


# --- the condition of a target ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "severity", "code", "remedy"),
    [
        ("{path: data/thinks, present: true}", "error", "mapping.path_unknown", "Did you mean 'things'?"),
        ('{path: "data/things[1]", equals: Sofa}', "error", "mapping.code_never", "Did you mean 'sofa'?"),
        ('{path: "data/things[1]", in: [Sofa, schrank]}', "warning", "mapping.code_never", "Did you mean 'sofa'?"),
    ],
)
def test_a_condition_that_cannot_hold_is_found_in_the_target(
    city: City, condition: str, severity: str, code: str, remedy: str
) -> None:
    city.write("targets/amt/target.yaml", f"{TARGET}when: {condition}\n")

    [finding] = city.findings()

    assert (finding.severity, finding.code, Path(finding.path).name, finding.line) == (
        severity,
        code,
        "target.yaml",
        6,
    )
    assert finding.remedy.en == remedy


def test_a_value_that_only_one_of_two_services_has_is_no_slip(city: City) -> None:
    # Given a second service to the same target, whose cases have a value that the first does not have
    city.write("services/holung/service.yaml", SERVICE.replace("Abholung", "Holung"))
    second = MAPPING.replace("make: {from: .}", "make: {from: ., codes: {sofa: sofa, schrank: regal}}")
    city.write("services/holung/mapping.yaml", second)
    city.write("targets/amt/request.yaml", REQUEST.replace("schrank: SR", "schrank: SR, regal: SR, tisch: SR"))
    # Then only what comes from neither is told, for each of them
    assert {f.found for f in city.findings() if f.code == "mapping.code_never"} == {"tisch"}


# --- slips in settings have a place and a remedy ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "line", "says"),
    [
        ('references: {nummer: "nummer"}', 6, "Write '$.nummer'."),
        ("key: kundennr", 6, "Write '$.kundennr'."),
        ("key: $.a[x]", 6, "Write names with dots, positions in brackets: $.akten[0].nummer."),
        ("tls: {ca_bundle: nix.pem}", 6, "there is no such file"),
        ('probe: {path: "/faelle?nr={key}"}', 6, "there is no operation GET /faelle"),
    ],
)
def test_a_setting_that_cannot_be_right_is_found_in_its_line(city: City, setting: str, line: int, says: str) -> None:
    city.write("targets/amt/target.yaml", f"{TARGET}{setting}\n")

    [finding] = city.findings()

    assert (finding.severity, Path(finding.path).name, finding.line) == ("error", "target.yaml", line)
    assert says in f"{finding.text.en} {finding.allowed} {finding.remedy.en}"
    assert finding.remedy.de


@pytest.mark.parametrize(
    "url", ["https://amt.example:99999/api", "https://amt.exam ple/api", "https://amt.example/a b", "https://amt_:x/"]
)
def test_an_address_that_leads_nowhere_is_found(city: City, url: str) -> None:
    city.change("targets/amt/target.yaml", "https://amt.example/api", f'"{url}"')

    [finding] = city.findings()

    assert (finding.code, finding.line) == ("config.invalid", 3)
    assert url not in str(finding.as_dict())


@pytest.mark.parametrize("url", ["https://[::1]:8443/api", "http://10.0.0.1", "https://straße.example/a%20b"])
def test_an_address_that_may_be_right_is_left_alone(city: City, url: str) -> None:
    city.change("targets/amt/target.yaml", "https://amt.example/api", f'"{url}"')

    assert city.findings() == []


@pytest.mark.parametrize(
    ("old", "new", "file", "line", "says"),
    [
        ("openapi: 3.1.0", " openapi: 3.1.0", "amt.openapi.yaml", 2, "is not YAML"),
        ("type: object", "type: objekt", "amt.openapi.yaml", 10, "cannot be used"),
        ("enum: [SO, SR]", "enum: SO", "amt.openapi.yaml", 14, "cannot be used"),
        ("enum: [SO, SR]", '$ref: "#/components/schemas/Ding"', "amt.openapi.yaml", 14, "does not exist"),
        ("description: ok", '$ref: "#/components/responses/Da"', "amt.openapi.yaml", 15, "leads nowhere"),
        ("application/json", "image/png", "amt.openapi.yaml", 7, "cannot be written here"),
        ("openapi: 3.1.0", 'openapi: "2.0"', "amt.openapi.yaml", 1, "is not an OpenAPI 3 document"),
        ("/faelle:", "/fall:", "target.yaml", 5, "did you mean POST /fall?"),
    ],
)
def test_a_fault_of_the_description_is_shown_there_and_what_it_lacks_where_it_is_asked_for(
    city: City, old: str, new: str, file: str, line: int | None, says: str
) -> None:
    city.change("targets/amt/amt.openapi.yaml", old, new)

    [finding] = city.findings()

    assert (finding.code, Path(finding.path).name, finding.line) == ("config.rest", file, line)
    assert says in finding.text.en
    assert "\n" not in finding.text.en


def test_a_description_that_is_not_there_is_told_without_the_words_of_a_library(city: City) -> None:
    city.change("targets/amt/target.yaml", "amt.openapi.yaml", "nix.yaml")

    [finding] = city.findings()

    assert (Path(finding.path).name, finding.line) == ("target.yaml", 4)
    assert "Errno" not in finding.text.en


def test_a_file_that_is_not_there_is_not_taken_for_the_package_itself(city: City) -> None:
    city.write("services/abholung/service.yaml", SERVICE.replace(":1\n", ":1\n    mapping: nix.yaml\n"))

    [finding] = city.findings()

    assert (finding.code, finding.line, finding.allowed) == ("config.missing_file", 5, "mapping.yaml")
    assert "service.yaml" not in finding.remedy.en


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("foo bar", "Write, for instance, fim:S00000000001V1.0"),
        ("urn:example:abhohlung:1", "Did you mean 'urn:example:abholung:1'?"),
    ],
)
def test_what_is_no_name_of_a_schema_is_an_error(city: City, schema: str, says: str) -> None:
    city.change("services/abholung/service.yaml", "xsd:urn:example:abholung:1", schema)

    [finding] = city.findings()

    assert (finding.severity, finding.code, finding.line) == ("error", "config.unknown_schema", 4)
    assert says in finding.remedy.en


def test_a_client_for_a_service_that_is_not_there_is_found_in_its_line(city: City) -> None:
    city.write("clients/form.yaml", "kind: portal\nissuer: urn:i\nclient_id: f\nservices: [abholung, abhohlung]\n")

    [finding] = city.findings()

    assert (finding.code, Path(finding.path).name, finding.line) == ("config.unknown_service", "form.yaml", 4)
    assert finding.remedy.en == "Did you mean 'abholung'?"


# --- packages and settings together -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("targets/amt/target.yaml", f"{TARGET}timeout: 120s\n", ("error", "config.timeout_too_long", 6)),
        (
            "targets/amt/target.yaml",
            f"{TARGET}retry: {{delays: [1s], give_up_after: 29s}}\n",
            ("info", "config.gives_up_early", 6),
        ),
        (
            "clients/form.yaml",
            "kind: portal\nissuer: urn:ozg-gateway:lokal\nclient_id: f\nservices: '*'\n",
            ("error", "config.unknown_issuer", 2),
        ),
    ],
)
def test_what_an_installation_cannot_do_is_found_in_the_package(
    city: City, file: str, text: str, expected: tuple[str, str, int]
) -> None:
    # Given the defaults: a lease of 120 s, a pause of 30 s, the installation's own issuer
    city.write(file, text)
    settings = Settings(packages=[city.folder])
    # When
    [finding] = misfits(settings, Packages.load([city.folder], city.registry))
    # Then
    assert (finding.severity, finding.code, finding.line) == expected
    assert finding.path == str(city.folder / file)
    assert finding.remedy.de


def test_an_installation_whose_packages_fit_it_is_told_nothing(city: City) -> None:
    city.write("targets/amt/target.yaml", f"{TARGET}timeout: 119s\n")

    assert misfits(Settings(packages=[city.folder]), Packages.load([city.folder], city.registry)) == []
