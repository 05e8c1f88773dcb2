"""What a service adds to the standard's verdict: its own rules, and whether it takes messages marked as tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from checking_support import checker_of

from gateway.checking import check_packages, run_samples
from gateway.errors import ConfigurationError
from gateway.judging import Verdict, judge
from gateway.mapping.rules import MOST
from gateway.packages.ruling import judged_by_service
from gateway.services import Packages, Stage, shipped_folder
from gateway.settings import Settings
from gateway.wiring import load_packages
from xoev_schemas.findings import Finding
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry

TODAY = date(2026, 11, 25)
DOG_TAX = shipped_folder() / "services" / "hundesteuer-anmeldung"
XSD = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:abholung:1"
           xmlns="urn:example:abholung:1" elementFormDefault="qualified" version="1">
  <xs:element name="abholung">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="name" type="xs:string"/>
        <xs:element name="ding" minOccurs="0" maxOccurs="unbounded">
          <xs:complexType>
            <xs:sequence>
              <xs:element name="art" type="art"/>
              <xs:element name="menge" type="xs:integer" minOccurs="0"/>
            </xs:sequence>
            <xs:attribute name="nummer" type="xs:string"/>
          </xs:complexType>
        </xs:element>
      </xs:sequence>
      <xs:attribute name="test" type="xs:string"/>
    </xs:complexType>
  </xs:element>
  <xs:simpleType name="art">
    <xs:restriction base="xs:string"><xs:enumeration value="sofa"/><xs:enumeration value="schrank"/></xs:restriction>
  </xs:simpleType>
</xs:schema>
"""
SERVICE = """
title: Sperrmüll
identifiers: [urn:example:abholung]
department: amt
accepts:
  - {schema: "xsd:urn:example:abholung:1", rules: rules.yaml}
law: {regime: vwvfg}
targets: [amt]
"""
RULES = """
rules:
  - id: not-too-many
    each: ding
    when: {path: menge, present: true}
    require: {path: menge, at_most: 3}
    text: {de: Mehr als drei gleiche Dinge., en: More than three of one kind.}
    remedy: {de: Melden Sie weniger an., en: Register fewer.}
    source: § 4 der Beispielsatzung
  - id: number
    each: ding
    require: {path: "@nummer", matches: "[A-Z]-[0-9]+"}
    severity: warning
    text: {de: Die Nummer fehlt oder ist falsch., en: The number is missing or wrong.}
    remedy: {de: Berichtigen Sie die Nummer., en: Correct the number.}
"""
MESSAGE = """<abholung xmlns="urn:example:abholung:1">
  <name>Muster</name>
  <ding nummer="A-1"><art>sofa</art><menge>2</menge></ding>
  <ding nummer="A-2"><art>schrank</art><menge>4</menge></ding>
  <ding nummer="4711-Muster"><art>schrank</art></ding>
</abholung>"""


class Town:
    """An installation with one service that has rules."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.registry = Registry(path / "registry")
        self.write("abholung.xsd", XSD)
        self.registry.import_path(path / "abholung.xsd")
        self.service(SERVICE)
        self.rules(RULES)
        self.write("services/abholung/mapping.yaml", "case: {data: {name: {from: name}}}")
        self.write("targets/amt/target.yaml", "adapter: rest\ndepartment: amt\nurl: http://127.0.0.1:1\npath: /\n")
        self.write("targets/amt/request.yaml", "request: {name: {from: data/name}}")

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def service(self, text: str) -> None:
        self.write("services/abholung/service.yaml", text)

    def rules(self, text: str) -> None:
        self.write("services/abholung/rules.yaml", text)

    def load(self, stage: Stage = "test") -> Packages:
        return Packages.load([self.path], self.registry, stage=stage)

    def judge(self, message: str, stage: Stage = "test") -> Verdict:
        return judge(self.load(stage), checker_of(self.registry), message.encode(), "application/xml", today=TODAY)

    def check(self) -> list[Finding]:
        """What `gateway check` says of the rules."""
        found = check_packages(self.load(), checker_of(self.registry), load_adapter)
        return [finding for finding in found if finding.path.endswith("rules.yaml")]

    def faults(self) -> list[Finding]:
        with pytest.raises(ConfigurationError) as error:
            self.load()
        return error.value.findings


class Nothing:
    """An adapter that wants nothing."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def check(self) -> list[Finding]:
        return []

    def required_fields(self) -> None:
        return None

    def close(self) -> None:
        pass


def load_adapter(name: str) -> Any:
    return Nothing


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def of_service(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.layer == "service"]


def test_a_broken_rule_is_a_finding_at_the_place_that_it_reads_with_the_words_of_its_author(town: Town) -> None:
    verdict = town.judge(MESSAGE)

    assert (verdict.valid, verdict.accepted) == (True, False), "valid by the standard, not accepted by this gateway"
    many, number = of_service(verdict.findings)
    assert (many.code, many.severity, many.path) == ("service.rule", "error", "/abholung/ding[2]/menge")
    assert (many.line, many.column) == (4, 40)
    assert (many.text.de, many.remedy.en) == ("Mehr als drei gleiche Dinge.", "Register fewer.")
    assert (many.found, many.allowed) == ("1 character: digits", "≤ 3")
    assert many.source == "abholung · not-too-many · § 4 der Beispielsatzung"
    assert (number.severity, number.path, number.line) == ("warning", "/abholung/ding[3]/@nummer", 5)
    assert "Muster" not in (number.found or ""), "values are masked"


def test_a_rule_whose_value_is_missing_points_to_where_it_belongs(town: Town) -> None:
    town.rules(RULES.replace("    when: {path: menge, present: true}\n", ""))

    first = of_service(town.judge(MESSAGE).findings)

    assert [f.path for f in first if f.severity == "error"] == ["/abholung/ding[2]/menge", "/abholung/ding[3]"]


def test_a_message_that_keeps_the_rules_is_accepted(town: Town) -> None:
    verdict = town.judge(MESSAGE.replace("<menge>4<", "<menge>3<").replace("4711-Muster", "A-3"))

    assert (verdict.valid, verdict.accepted, of_service(verdict.findings)) == (True, True, [])


def test_a_service_that_does_not_reject_takes_what_breaks_its_rules(town: Town) -> None:
    town.service(SERVICE + "on_invalid: clarify\n")

    verdict = town.judge(MESSAGE)

    assert verdict.accepted
    assert "service.rule" in [finding.code for finding in verdict.findings]


def test_rules_presuppose_the_schema_and_that_they_were_not_judged_is_said(town: Town) -> None:
    verdict = town.judge(MESSAGE.replace("<art>sofa</art>", "<art>auto</art>"))

    assert (verdict.valid, verdict.accepted) == (False, False)
    [note] = of_service(verdict.findings)
    assert (note.code, note.severity, note.source) == ("service.rules_not_run", "info", "abholung")


def test_of_very_many_breaches_some_are_listed_and_the_rest_is_said(town: Town) -> None:
    things = "<ding><art>sofa</art><menge>9</menge></ding>" * (MOST + 5)

    findings = of_service(town.judge(MESSAGE.replace("</abholung>", f"{things}</abholung>")).findings)

    errors = [f for f in findings if f.severity == "error"]
    assert len(errors) == MOST
    assert [f.code for f in findings if f.severity == "info"] == ["service.more", "service.more"]


def test_the_service_that_takes_the_message_decides_what_is_told(town: Town) -> None:
    # Given a second service for the same messages, without rules
    town.write("services/zweite/mapping.yaml", "case: {data: {name: {from: name}}}")
    town.write("services/zweite/service.yaml", SERVICE.replace(", rules: rules.yaml", "").replace("abholung]", "z]"))

    verdict = town.judge(MESSAGE)

    assert verdict.accepted
    assert of_service(verdict.findings) == []


# --- what `gateway check` and every start prove --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "hint"),
    [
        ("path: menge, at_most", "path: mengen, at_most", "mapping.path_unknown", 6, "menge"),
        ("each: ding\n    when", "each: dinge\n    when", "mapping.path_unknown", 3, "ding"),
        ("{path: menge, present: true}", "{path: art, equals: sofas}", "mapping.code_never", 5, "sofa"),
        ("{path: menge, at_most: 3}", "{path: /ding/menge, at_most: 3}", "mapping.more_than_one", 6, "[1]"),
        ("    source:", "    covers: [R1]\n    source:", "config.unknown_fim_rule", 3, ""),
    ],
)
def test_check_proves_rules_against_the_schema(town: Town, old: str, new: str, code: str, line: int, hint: str) -> None:
    assert town.check() == []
    assert old in RULES
    town.rules(RULES.replace(old, new))

    told = {finding.code: finding for finding in town.check()}

    assert (told[code].line, hint in told[code].remedy.en) == (line, True)


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        (
            "    text: {de: Mehr als drei gleiche Dinge., en: More than three of one kind.}\n",
            "",
            "config.missing_key",
            3,
        ),
        (", en: Register fewer.", "", "config.missing_key", 8),
        ("en: Register fewer.", 'en: ""', "config.value", 8),
        ("    require: {path: menge, at_most: 3}\n", "", "config.missing_key", 3),
        ("at_most: 3", "at_mots: 3", "mapping.unknown_option", 6),
        ("[A-Z]-[0-9]+", "[A-Z", "mapping.pattern", 12),
        ("severity: warning", "severity: fatal", "config.value", 13),
        ("id: number", "id: not-too-many", "config.duplicate_rule", 10),
        ("id: number", "id: Not Too Many", "config.value", 10),
        ("source:", "sauce:", "config.unknown_key", 9),
        ("each: ding\n    when", "each: [ding, name]\n    when", "mapping.each_path", 4),
        ("rules:", "rule:", "mapping.top_level", 2),
        ("\nrules:", "\nmore: 1\nrules:", "mapping.unknown_key", 2),
    ],
)
def test_a_fault_in_a_file_of_rules_is_told_with_its_line(town: Town, old: str, new: str, code: str, line: int) -> None:
    assert old in RULES
    town.rules(RULES.replace(old, new, 1))

    told = {finding.code: finding for finding in town.faults()}

    assert (told[code].line, told[code].path.endswith("rules.yaml")) == (line, True)
    assert all((told[code].text.de, told[code].remedy.de, told[code].remedy.en))


def test_a_file_of_rules_that_is_not_there_is_told_with_the_nearest(town: Town) -> None:
    town.service(SERVICE.replace("rules.yaml", "rulez.yaml"))

    [finding] = town.faults()

    assert (finding.code, finding.line, finding.remedy.en) == ("config.missing_file", 6, "Did you mean 'rules.yaml'?")


def test_samples_prove_rules(town: Town) -> None:
    town.write("services/abholung/samples/zu-viele/data.xml", MESSAGE)
    town.write("services/abholung/samples/zu-viele/expect.yaml", "outcome: rejected\ncodes: [service.rule]")
    for name, rule in (("diese", "not-too-many"), ("andere", "another")):
        town.write(f"services/abholung/samples/{name}/data.xml", MESSAGE)
        town.write(f"services/abholung/samples/{name}/expect.yaml", f"outcome: rejected\ncodes: [service.rule:{rule}]")
    town.write("services/abholung/samples/unerwartet/data.xml", MESSAGE)

    results = {r.sample: r for r in run_samples(town.load().services["abholung"], checker_of(town.registry))}

    assert results["zu-viele"].ok
    assert results["diese"].ok
    assert "expected service.rule:another (expect.yaml), got service.rule:not-too-many" in results["andere"].difference
    assert "got rejected (service.rule:not-too-many)" in results["unerwartet"].difference


# --- FIM -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dog_tax(tmp_path_factory: pytest.TempPathFactory) -> tuple[Packages, Checker]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), services=[DOG_TAX.name], stage="acceptance")
    registry, packages = load_packages(settings)
    assert packages.stage == "acceptance"
    return packages, checker_of(registry)


def judged(dog_tax: tuple[Packages, Checker], sample: str) -> Verdict:
    [file] = (DOG_TAX / "samples" / sample).glob("data.*")
    packages, checker = dog_tax
    return judge(packages, checker, file.read_bytes(), f"application/{file.suffix[1:]}", today=TODAY)


@pytest.mark.parametrize(
    ("sample", "places"),
    [
        ("mixed-breed-not-described-xml", ["/S99000000001V1.0.0/G99000000002V1.0.0"]),
        (
            "rules-broken-json",
            [
                "/G99000000004V1.0.0",
                "/G99000000002V1.0.0/1/F99000000007V1.0.0",
                "/G99000000002V1.0.0/1/F99000000008V1.0.0",
                "/G99000000005V1.0.0/F99000000014V1.0.0",
            ],
        ),
    ],
)
def test_the_dog_tax_has_rules_that_its_schema_cannot_say(
    dog_tax: tuple[Packages, Checker], sample: str, places: list[str]
) -> None:
    verdict = judged(dog_tax, sample)

    assert (verdict.valid, verdict.accepted) == (True, False)
    assert [(f.code, f.path) for f in verdict.findings] == [("service.rule", place) for place in places]
    assert all(f.line and f.column for f in verdict.findings)


def test_a_fim_rule_that_the_service_states_counts_as_evaluated_and_the_others_do_not(
    dog_tax: tuple[Packages, Checker], tmp_path: Path
) -> None:
    # Given a package that states one of the schema's two rules
    packages, checker = dog_tax
    file = DOG_TAX / "samples" / "one-dog-xml" / "data.xml"
    service = packages.services[DOG_TAX.name]
    [accepts] = service.accepts
    rules = accepts.rules
    assert rules is not None
    first = tuple(rule for rule in rules.rules if rule.covers == ("R99000000001",))
    some = replace(accepts, rules=replace(rules, rules=first))

    # When a message is judged with all, and with some
    judgement = checker.check(file.read_bytes(), "application/xml")
    with_all, with_some = (
        judged_by_service(service, one, checker, file.read_bytes(), "application/xml", judgement, "test")
        for one in (accepts, some)
    )

    # Then only what nobody evaluates is told
    assert with_all.findings == []
    [note] = with_some.findings
    assert note.code == "fim.rules_not_evaluated"
    assert "R99000000002" in note.text.en
    assert "R99000000001" not in note.text.en


# --- test messages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "stage", "refused"),
    [
        ("", "test", False),
        ("", "acceptance", False),
        ("", "production", True),
        ("test_messages: accept", "production", False),
        ("test_messages: refuse", "test", True),
    ],
)
def test_a_message_marked_as_a_test_is_taken_where_tests_are_expected(
    town: Town, said: str, stage: Literal["test", "acceptance", "production"], refused: bool
) -> None:
    town.service(f"{SERVICE}{said}\n")
    town.rules(RULES.replace("at_most: 3", "at_most: 9"))

    # The presence of the attribute counts, whatever its value
    verdict = town.judge(MESSAGE.replace(':1">', ':1" test="false">'), stage)

    assert (verdict.valid, verdict.accepted) == (True, not refused)
    found = [f for f in verdict.findings if f.code == "service.test_refused"]
    assert len(found) == refused
    for finding in found:
        assert (finding.severity, finding.layer, finding.path) == ("error", "service", "/abholung/@test")
        assert finding.source == "abholung · XÖV S102"


def test_only_two_words_say_what_becomes_of_test_messages(town: Town) -> None:
    town.service(f"{SERVICE}test_messages: true\n")

    [finding] = town.faults()

    assert (finding.code, finding.line) == ("config.value", 9)
    assert "accept" in (finding.allowed or "")
