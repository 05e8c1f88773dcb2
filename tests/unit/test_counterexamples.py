"""`gateway check` makes the smallest valid message that breaks a mapping, if there is one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checking_support import checker_of
from small_city import REQUEST, SERVICE, City

from adapters.registry import load_adapter
from gateway.counterexamples import Looked, look_for_breaking
from gateway.services import Packages
from xoev_schemas.registry import Registry


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def looked(city: City, *, seconds: float = 60, write_to: Path | None = None) -> Looked:
    packages = Packages.load([city.folder], city.registry)
    return look_for_breaking(packages, checker_of(city.registry), load_adapter, seconds=seconds, write_to=write_to)


def with_schema(city: City, old: str, new: str) -> None:
    city.change("schema/abholung.xsd", old, new)
    city.registry = Registry(city.folder / "other")
    city.registry.import_path(city.folder / "schema")


def with_member(city: City, member: str) -> None:
    """The target's body may have it."""
    city.change("targets/amt/amt.openapi.yaml", "properties:\n", f"properties:\n                {member}\n")


def told(city: City) -> list[tuple[str, int | None, str]]:
    return [(Path(f.path).name, f.line, f.text.en) for f in looked(city).findings]


def test_nothing_is_told_of_a_mapping_that_nothing_valid_breaks(city: City) -> None:
    assert looked(city) == Looked((), ())


def test_an_optional_field_that_is_required_is_left_out(city: City) -> None:
    with_schema(city, 'name="name" type="xs:string"', 'name="name" type="xs:string" minOccurs="0"')

    [(file, line, text)] = told(city)

    assert (file, line) == ("mapping.yaml", 4)
    assert "there is no value for 'applicants[1]/person/familyName'" in text
    assert text.endswith("It takes no more than: nothing beyond what must be there.")


def test_a_person_who_is_to_decide_then_is_meant(city: City) -> None:
    with_schema(city, 'name="name" type="xs:string"', 'name="name" type="xs:string" minOccurs="0"')
    city.change("services/abholung/mapping.yaml", "required: true", "required: stop")

    assert told(city) == []


def test_a_text_is_made_just_too_long_for_the_target(city: City) -> None:
    with_member(city, "wer: {type: string, maxLength: 60}")
    city.write("targets/amt/request.yaml", REQUEST + '  wer: {from: "applicants[1]/person/familyName"}\n')

    [(file, line, text)] = told(city)

    assert (file, line) == ("request.yaml", 6)
    assert text.endswith("name with 61 characters.")


def test_more_are_made_than_the_target_takes(city: City) -> None:
    city.change("targets/amt/amt.openapi.yaml", "type: array,", "type: array, maxItems: 3,")

    [(file, _, text)] = told(city)

    assert file == "request.yaml"
    assert text.endswith("ding, 4 times.")


def test_a_condition_that_nobody_thought_through_shows_by_the_value_that_decides(city: City) -> None:
    """Only for a sofa is there a moment, and the target wants one always."""
    city.change("targets/amt/amt.openapi.yaml", "additionalProperties: false", "required: [wann]")
    sofa = '{from: receivedAt, as: datetime, required: true, when: {path: "data/things[1]", equals: sofa}}'
    city.change("targets/amt/request.yaml", "{from: receivedAt, as: datetime}", sofa)

    [(_, _, text)] = told(city)

    assert text.endswith("ding = 'schrank'.")


def test_what_a_rule_of_the_service_refuses_breaks_nothing(city: City) -> None:
    city.change("targets/amt/amt.openapi.yaml", "type: array,", "type: array, maxItems: 3,")
    city.write("services/abholung/service.yaml", SERVICE.replace(":1\n", ":1\n    rules: rules.yaml\n"))
    rule = "{id: three, require: {not: {path: 'ding[4]', present: true}}, text: {de: a, en: a}, remedy: {de: b, en: b}}"
    city.write("services/abholung/rules.yaml", f"rules: [{rule}]\n")

    assert told(city) == []


def test_an_attachment_that_the_request_needs_may_not_have_been_sent(city: City) -> None:
    with_member(city, "anlagen: {type: array}")
    files = "{each: attachments, required: true, make: {from: filename}}"
    city.write("targets/amt/request.yaml", f"{REQUEST}  anlagen: {files}\n")

    [(_, _, text)] = told(city)

    assert text.endswith("It takes no more than: no attachment.")


def test_a_search_whose_time_is_up_says_so(city: City) -> None:
    assert looked(city, seconds=-1) == Looked((), ("abholung",))


def test_the_message_is_written_and_map_shows_what_becomes_of_it(city: City, tmp_path: Path) -> None:
    # Given
    city.change("targets/amt/amt.openapi.yaml", "type: array,", "type: array, maxItems: 3,")
    (tmp_path / "gateway.yaml").write_text(f"packages: [{city.folder}]\nhome: var\n", encoding="utf-8")
    home = Registry(tmp_path / "var" / "schemas")
    home.import_path(city.folder / "schema")

    def gateway(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    # When
    checked = gateway("check", "--breaking", "broken", "--json", "--seconds", "60")
    # Then
    [finding] = [f for f in json.loads(checked.stdout)["findings"] if f["code"] == "mapping.can_break"]
    assert "gateway map broken/abholung-01.xml --target amt" in finding["remedy"]["en"]
    assert (tmp_path / "broken" / "abholung-01.xml").read_text(encoding="utf-8").count("<ding>") == 4
    mapped = gateway("map", "broken/abholung-01.xml", "--target", "amt")
    assert mapped.returncode == 1
    assert "/dinge" in mapped.stderr
