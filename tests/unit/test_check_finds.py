"""What `gateway check` finds in packages that look right: cases are tried on every target, every slip has a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking_support import checker_of

from adapters.registry import load_adapter
from gateway.checking import check_packages, try_samples
from gateway.errors import ConfigurationError
from gateway.services import Packages
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:abholung:1"
           xmlns="urn:example:abholung:1" elementFormDefault="qualified">
  <xs:element name="abholung"><xs:complexType><xs:sequence>
    <xs:element name="name" type="xs:string"/>
    <xs:element name="ding" type="ding" maxOccurs="20"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:simpleType name="ding"><xs:restriction base="xs:string">
    <xs:enumeration value="sofa"/><xs:enumeration value="schrank"/>
  </xs:restriction></xs:simpleType>
</xs:schema>
"""
SERVICE = """title: Abholung
department: amt
accepts:
  - schema: xsd:urn:example:abholung:1
law: {regime: vwvfg}
targets: [amt]
"""
MAPPING = """case:
  applicants:
    - role: applicant
      person: {familyName: {from: name, required: true}}
  data:
    things: {each: ding, make: {from: .}}
"""
TARGET = """adapter: rest
department: amt
url: https://amt.example/api
openapi: amt.openapi.yaml
path: /faelle
"""
OPENAPI = """openapi: 3.1.0
info: {title: Amt, version: "1"}
paths:
  /faelle:
    post:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              properties:
                wann: {type: string, format: date-time}
                dinge: {type: array, items: {enum: [SO, SR]}}
      responses: {"201": {description: ok}}
"""
REQUEST = """request:
  wann: {from: receivedAt, as: datetime}
  dinge:
    each: data/things
    make: {from: ., codes: {sofa: SO, schrank: SR}}
"""
MESSAGE = """<abholung xmlns="urn:example:abholung:1"><name>Muster</name><ding>sofa</ding></abholung>"""
CASE = """{"applicants": [{"role": "applicant", "person": {"familyName": "Muster"}}], "data": {"things": ["sofa"]}}"""


class City:
    """A folder of packages, sound as it stands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {
            "schema/abholung.xsd": XSD,
            "services/abholung/service.yaml": SERVICE,
            "services/abholung/mapping.yaml": MAPPING,
            "services/abholung/samples/eins/data.xml": MESSAGE,
            "services/abholung/samples/eins/case.json": CASE,
            "targets/amt/target.yaml": TARGET,
            "targets/amt/amt.openapi.yaml": OPENAPI,
            "targets/amt/request.yaml": REQUEST,
        }.items():
            self.write(name, text)
        self.registry = Registry(folder / "registry")
        self.registry.import_path(folder / "schema")

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def findings(self) -> list[Finding]:
        """All that `gateway check` would say, whether the packages can be read or not."""
        try:
            packages = Packages.load([self.folder], self.registry)
        except ConfigurationError as error:
            return error.findings
        return check_packages(packages, checker_of(self.registry), load_adapter)

    def told(self) -> list[tuple[str, str, str, int | None]]:
        return [(f.severity, f.code, Path(f.path).name, f.line) for f in self.findings()]


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
