"""Packages: read whole, found by what a sender names, mapped, and proven without running."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from checking_support import checker_of
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import FieldSpec, TargetConfig
from adapters.periods import parse_period
from adapters.registry import AdapterUnknown
from gateway.checking import check_packages, recipients, run_samples, sample_envelope
from gateway.errors import ConfigurationError, Refused
from gateway.packages.regions import covers, normalise_region
from gateway.services import Packages, applies, map_case, map_request, shipped_folder
from xoev_schemas.documents import parse
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

SCHEMA_ID = "fim:S99000000077V1.0.0"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://schema.fitko.de/fim/s99000000077_1.0.0.schema.json",
    "title": "Beispiel",
    "type": "object",
    "additionalProperties": False,
    "required": ["F60000000227V1.1.0"],
    "properties": {
        "F60000000227V1.1.0": {"type": "string", "minLength": 1},
        "F60000000240V1.1.0": {"type": "string"},
        "F99000000001V1.0.0": {"enum": ["001", "002"]},
    },
}
SERVICE = f"""
title: Beispiel
identifiers: [urn:example:1]
department: amt
regions: [DE05913000]
addressees: {{fit-connect: [dest-1]}}
accepts:
  - {{schema: "{SCHEMA_ID}", mapping: mapping.yaml}}
law: {{regime: ao, secrecy: steuer}}
transport_within: PT4H
targets: [amt]
keep: {{delivered: P30D, discarded: P6M}}
attachments: {{max_count: 0}}
"""
MAPPING = """
case:
  applicants:
    - role: applicant
      person: {familyName: {from: F60000000227, required: true}}
      contact: {phone: {from: F60000000240}}
  data:
    kind: {from: F99000000001, codes: {"001": one, "002": two}}
"""
TARGET = """
adapter: paper
department: amt
url: http://127.0.0.1:1
retry: {delays: [30s, 2m, 1h], give_up_after: P1D, parallel: 2}
hours: "Mo-Fr 06:00-20:00"
key: "$.Vorgang.FremdId"
when: {path: data/kind, present: true}
"""
REQUEST = """
request:
  Vorgang:
    Name: {from: "applicants[1]/person/familyName", required: true}
    Art: {from: data/kind, required: true}
"""
CASE, REQ = "services/beispiel/mapping.yaml", "targets/amt/request.yaml"
PORTAL = 'kind: portal\nissuer: urn:i\nclient_id: p\nservices: "*"\n'


class Paper:
    """An adapter whose operation takes a case number, a name and a kind."""

    def __init__(self, config: TargetConfig) -> None:
        self.config = config

    def check(self) -> list[Finding]:
        return []

    def required_fields(self) -> list[FieldSpec]:
        return [
            FieldSpec("Vorgang", True, "group"),
            FieldSpec("Vorgang.FremdId", True, "string"),
            FieldSpec("Vorgang.Name", True, "string"),
            FieldSpec("Vorgang.Art", False, "string", ("one", "two")),
            FieldSpec("Vorgang.Bemerkung", False, "string"),
        ]

    def close(self) -> None:
        pass


def load_adapter(name: str) -> Any:
    if name != "paper":
        raise AdapterUnknown(f"there is no adapter {name!r}")
    return Paper


class Folder:
    """A folder of packages that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        schema = path / "schema" / "S99000000077V1.0.0.schema.json"
        self.write(schema.relative_to(path).as_posix(), json.dumps(SCHEMA))
        self.registry = Registry(path / "registry")
        self.registry.import_path(schema)
        self.write("services/beispiel/service.yaml", SERVICE)
        self.write("services/beispiel/mapping.yaml", MAPPING)
        self.write("targets/amt/target.yaml", TARGET)
        self.write("targets/amt/request.yaml", REQUEST)
        self.write("clients/portal.yaml", PORTAL)

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def load(self, only: Sequence[str] = ()) -> Packages:
        return Packages.load([self.path], self.registry, only)

    def faults(self) -> list[Finding]:
        with pytest.raises(ConfigurationError) as error:
            self.load()
        return error.value.findings

    def findings(self, *, strict: bool = False) -> list[Finding]:
        """Each names its file and says what to do, in both languages."""
        findings = check_packages(self.load(), checker_of(self.registry), load_adapter, strict=strict)
        assert all(Path(f.path).exists() or Path(f.path).parent.exists() for f in findings)
        assert all(f.code and f.text.de and f.text.en and f.remedy.de and f.remedy.en for f in findings)
        return findings

    def check(self) -> list[tuple[str, str, int | None]]:
        return [(f.severity, f.code, f.line) for f in self.findings()]

    def case(self, data: dict[str, Any]) -> Any:
        packages = self.load()
        service = packages.services["beispiel"]
        ref = service.accepts[0].ref
        assert ref is not None
        document = parse(json.dumps(data).encode(), "application/json")
        return map_case(service, service.accepts[0], document, sample_envelope(service, ref))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def find(packages: Packages, **named: Any) -> str:
    asked = {"schema_uri": SCHEMA_ID, "identifier": None, "today": date(2026, 11, 24), **named}
    return packages.find_service(**asked)[0].name


# --- reading


def test_packages_are_read_with_their_defaults_filled_in(folder: Folder) -> None:
    packages = folder.load()

    service, target = packages.services["beispiel"], packages.targets["amt"]
    assert service.on_invalid == {"rest": "reject", "fit-connect": "clarify", "xta": "clarify"}
    assert service.regions == ("059130000000",)
    assert service.transport_within == timedelta(hours=4)
    assert service.inactive is None
    assert (target.retry.delays, target.retry.give_up_after, target.retry.parallel) == ((30, 120, 3600), 86400, 2)
    assert dict(target.config.settings) == {"url": "http://127.0.0.1:1"}
    assert packages.client_by_token("urn:i", "p") == packages.clients["portal"]
    assert packages.client_by_token("urn:i", "x") is None


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "says"),
    [
        ("services/beispiel/service.yaml", "department:", "departement:", 4, "Did you mean 'department'?"),
        ("services/beispiel/service.yaml", "regime: ao", "regime: abgabe", 9, "vwvfg"),
        ("services/beispiel/service.yaml", "regime: ao", "regimes: ao", 9, "Did you mean 'regime'?"),
        ("services/beispiel/service.yaml", "DE05913000", "Dortmund", 5, "ARS"),
        ("services/beispiel/service.yaml", "PT4H", "P1M", 10, "no fixed length"),
        ("services/beispiel/service.yaml", "targets: [amt]", "targets: [amd]", 11, "Did you mean 'amt'?"),
        ("services/beispiel/service.yaml", "mapping: mapping.yaml", "mapping: maping.yaml", 8, "'mapping.yaml'?"),
        ("services/beispiel/service.yaml", "mapping: mapping.yaml", "mapping: ../x.yaml", 8, "no file"),
        ("targets/amt/target.yaml", "retry:", "retyr:", 5, "Did you mean 'retry'?"),
        ("targets/amt/target.yaml", "30s", "30x", 5, "10m"),
        ("targets/amt/target.yaml", "Mo-Fr", "Mon-Fri", 6, "Mo-Fr 06:00-20:00"),
        ("targets/amt/target.yaml", "url: http", "url: ${env:GATEWAY_TEST_NOT_SET}http", 4, "does not exist"),
        ("targets/amt/target.yaml", "{path: data/kind", "{paht: data/kind", 8, "Did you mean 'path'?"),
        ("clients/portal.yaml", 'services: "*"', "services: [beispeil]", None, "Did you mean 'beispiel'?"),
        ("clients/portal.yaml", "client_id: p\n", "", 1, "belong together"),
        ("clients/portal.yaml", "kind: portal", "kind: department", 1, "department"),
    ],
)
def test_a_fault_in_a_package_is_named_with_file_line_and_remedy(
    folder: Folder, file: str, old: str, new: str, line: int | None, says: str
) -> None:
    text = (folder.path / file).read_text(encoding="utf-8")
    assert old in text
    folder.write(file, text.replace(old, new))

    faults = folder.faults()

    assert all(f.remedy.de and f.remedy.en for f in faults)
    spoken = [
        f"{f.text.en} {f.remedy.en}" for f in faults if f.path.endswith(file) and (line is None or f.line == line)
    ]
    assert any(says in sentence for sentence in spoken), [(f.path, f.line, f.text.en, f.remedy.en) for f in faults]


def test_faults_in_several_files_come_at_once(folder: Folder) -> None:
    folder.write("services/beispiel/service.yaml", SERVICE.replace("title:", "titel:"))
    folder.write("targets/amt/request.yaml", "request: {a: {from: 'x['}}")
    folder.write("clients/other.yaml", PORTAL)

    files = {Path(fault.path).name for fault in folder.faults()}

    assert files == {"service.yaml", "request.yaml", "portal.yaml"}


def test_a_package_that_exists_twice_is_refused(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Folder(tmp_path_factory.mktemp("other"))

    with pytest.raises(ConfigurationError, match="exists already"):
        Packages.load([folder.path, other.path], folder.registry)


def test_a_service_without_its_schema_is_kept_but_takes_nothing(folder: Folder, tmp_path: Path) -> None:
    packages = Packages.load([folder.path], Registry(tmp_path / "empty"))

    assert packages.services["beispiel"].inactive == f"{SCHEMA_ID} is not installed"
    with pytest.raises(Refused) as refused:
        find(packages, identifier="urn:example:1")
    assert (refused.value.status, refused.value.code) == (422, "service_unknown")


def test_with_a_choice_of_services_targets_of_others_are_not_read(folder: Folder) -> None:
    folder.write("services/other/service.yaml", SERVICE.replace("[amt]", "[kaputt]"))
    folder.write("services/other/mapping.yaml", MAPPING)
    folder.write("targets/kaputt/target.yaml", "adapter: paper")

    packages = folder.load(only=["beispiel"])

    assert (set(packages.services), set(packages.targets)) == ({"beispiel"}, {"amt"})
    with pytest.raises(ConfigurationError, match="Did you mean 'beispiel'"):
        folder.load(only=["beispeil"])


def test_the_version_changes_with_every_file_that_counts_and_with_no_other(folder: Folder) -> None:
    first = folder.load().services["beispiel"].version
    folder.write("services/beispiel/samples/a/expect.yaml", "outcome: accepted")
    assert folder.load().services["beispiel"].version == first

    folder.write("targets/amt/request.yaml", REQUEST + "    Bemerkung: x\n")
    second = folder.load().services["beispiel"].version
    folder.write("services/beispiel/mapping.yaml", MAPPING + "    more: x\n")

    assert len({first, second, folder.load().services["beispiel"].version}) == 3


# --- finding


def test_a_service_is_found_by_identifier_by_address_and_by_schema_alone(folder: Folder) -> None:
    packages = folder.load()

    assert find(packages, identifier="urn:example:1") == "beispiel"
    assert find(packages, addressee="dest-1", channel="fit-connect") == "beispiel"
    assert find(packages) == "beispiel"
    assert find(packages, schema_uri=str(SCHEMA["$id"])) == "beispiel"
    assert find(packages, region="059130000000") == "beispiel"


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"identifier": "urn:example:2"}, "service_unknown"),
        ({"identifier": "urn:example:1", "schema_uri": "fim:S1V1"}, "schema_not_accepted"),
        ({"identifier": "urn:other:1", "addressee": "dest-1", "channel": "xta"}, "service_unknown"),
        ({"region": "055150000000"}, "service_unknown"),
    ],
)
def test_what_no_service_goes_by_is_refused(folder: Folder, named: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        find(folder.load(), **named)

    assert (refused.value.status, refused.value.code) == (422, code)


def test_two_services_for_one_schema_need_a_name_to_tell_them_apart(folder: Folder) -> None:
    folder.write("services/zwei/service.yaml", SERVICE.replace("[urn:example:1]", "[urn:example:2]"))
    folder.write("services/zwei/mapping.yaml", MAPPING)
    packages = folder.load()

    assert find(packages, identifier="urn:example:2") == "zwei"
    with pytest.raises(Refused, match="service_ambiguous"):
        find(packages)


def test_a_service_without_identifiers_takes_its_schema_under_any_name_that_nobody_else_has(folder: Folder) -> None:
    folder.write("services/offen/service.yaml", SERVICE.replace("[urn:example:1]", "[]"))
    folder.write("services/offen/mapping.yaml", MAPPING)
    packages = folder.load()

    assert find(packages, identifier="urn:example:99") == "offen"
    assert find(packages, identifier="urn:example:1") == "beispiel"


def test_from_its_date_on_a_newer_mapping_of_the_same_schema_counts(folder: Folder) -> None:
    entry = f'  - {{schema: "{SCHEMA_ID}", mapping: mapping.yaml}}\n'
    newer = f'  - {{schema: "{SCHEMA_ID}", mapping: mapping2.yaml, from: 2027-01-01}}\n'
    folder.write("services/beispiel/service.yaml", SERVICE.replace(entry, entry + newer))
    folder.write("services/beispiel/mapping2.yaml", MAPPING)
    packages = folder.load()

    def mapping_on(day: date) -> str:
        return packages.find_service(schema_uri=SCHEMA_ID, identifier="urn:example:1", today=day)[1].mapping

    assert (mapping_on(date(2026, 12, 31)), mapping_on(date(2027, 1, 1))) == ("mapping.yaml", "mapping2.yaml")


# --- mapping


def test_a_submission_becomes_a_case_and_a_request(folder: Folder) -> None:
    made = folder.case({"F60000000227V1.1.0": "Muster", "F99000000001V1.0.0": "002"})
    target = folder.load().targets["amt"]

    assert made.findings == []
    assert made.value["data"] == {"kind": "two"}
    assert made.value["submissionId"] == "00000000-0000-4000-8000-000000000000"
    assert applies(target, made.value)
    assert map_request(target, "beispiel", made.value).value == {"Vorgang": {"Name": "Muster", "Art": "two"}}


def test_a_target_with_a_condition_does_not_want_other_cases(folder: Folder) -> None:
    made = folder.case({"F60000000227V1.1.0": "Muster"})

    assert not applies(folder.load().targets["amt"], made.value)


def test_a_request_mapping_of_its_own_goes_before_the_common_one(folder: Folder) -> None:
    folder.write("targets/amt/request-beispiel.yaml", "request: {only: this}")

    assert map_request(folder.load().targets["amt"], "beispiel", {}).value == {"only": "this"}


def test_a_case_that_does_not_fit_its_schema_is_a_finding_without_the_value(folder: Folder) -> None:
    folder.write("services/beispiel/data.schema.json", json.dumps({"properties": {"kind": {"maxLength": 2}}}))
    folder.write("services/beispiel/mapping.yaml", MAPPING.replace("role: applicant", "role: Muster Rolle"))

    made = folder.case({"F60000000227V1.1.0": "Muster", "F99000000001V1.0.0": "002"})

    assert made.value is None
    assert {(f.code, f.path) for f in made.findings} == {
        ("mapping.case_invalid", "/applicants/0/role"),
        ("mapping.case_invalid", "/data/kind"),
    }
    assert "Muster" not in json.dumps([f.as_dict() for f in made.findings])


# --- proving


def test_packages_that_fit_together_are_proven_without_a_finding(folder: Folder) -> None:
    assert folder.check() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (CASE, "F60000000240", "F60000000241", ("error", "mapping.path_unknown", 6)),
        (CASE, "phone:", "telephone:", ("error", "mapping.member_unknown", 6)),
        (CASE, "- role: applicant\n      person", "- person", ("error", "mapping.member_missing", 4)),
        (CASE, "  data:", "  kind: new\n  data:", ("error", "mapping.reserved_member", 7)),
        (CASE, ', "002": two', "", ("error", "mapping.code_not_covered", 8)),
        (CASE, '"002": two', '"002": two, "003": x', ("warning", "mapping.code_never", 8)),
        (REQ, "data/kind", "data/kinds", ("error", "mapping.path_unknown", 5)),
        (REQ, "applicants[1]/person/", "applicants[1]/", ("error", "mapping.path_unknown", 4)),
        (REQ, "applicants[1]", "applicants", ("warning", "mapping.more_than_one", 4)),
        (REQ, "person/familyName", "person", ("error", "mapping.path_is_group", 4)),
        (REQ, "Name:", "Nachname:", ("error", "mapping.member_missing", 4)),
        (REQ, "Art:", "Arts:", ("error", "mapping.member_unknown", 5)),
        (REQ, "{from: data/kind, required: true}", "drei", ("error", "mapping.value_not_allowed", 5)),
        (REQ, "Art: {from: data/kind", "Art: {each: data/kind, make: {const: 1}", ("error", "mapping.not_a_list", 5)),
        (REQ, 'familyName", required: true', 'familyName"', ("warning", "mapping.member_uncertain", 4)),
        ("targets/amt/target.yaml", "adapter: paper", "adapter: papre", ("error", "config.unknown_adapter", 2)),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_found_before_anything_runs(
    folder: Folder, file: str, old: str, new: str, expected: tuple[str, str, int | None]
) -> None:
    text = (folder.path / file).read_text(encoding="utf-8")
    assert old in text
    folder.write(file, text.replace(old, new))

    assert expected in folder.check()


def test_samples_are_judged_and_mapped_and_every_difference_is_named(folder: Folder) -> None:
    sample = "services/beispiel/samples"
    case = {"applicants": [{"role": "applicant", "person": {"familyName": "Muster"}}]}
    folder.write(f"{sample}/gut/data.json", json.dumps({"F60000000227V1.1.0": "Muster"}))
    folder.write(f"{sample}/gut/case.json", json.dumps(case))
    folder.write(f"{sample}/anders/data.json", json.dumps({"F60000000227V1.1.0": "Beispiel"}))
    folder.write(f"{sample}/anders/case.json", json.dumps(case))
    folder.write(f"{sample}/leer/data.json", "{}")
    folder.write(f"{sample}/leer/expect.yaml", "outcome: rejected\ncodes: [schema.missing_element]")
    folder.write(f"{sample}/doch/data.json", "{}")
    folder.write(f"{sample}/kaputt/data.json", "{")
    folder.write(f"{sample}/kaputt/expect.yaml", "outcome: rejected\ncodes: [json.not_well_formed]")

    results = {r.sample: r for r in run_samples(folder.load().services["beispiel"], checker_of(folder.registry))}

    assert {name for name, result in results.items() if result.ok} == {"gut", "leer", "kaputt"}
    assert results["anders"].difference == (
        '/applicants/0/person/familyName: expected "Muster" (case.json), got "Beispiel" (the mapping)'
    )
    assert results["doch"].difference == (
        "expected accepted (no expect.yaml), got rejected (schema.missing_element) (the check)."
    )
    assert [(f[0], f[1], f[2]) for f in folder.check()] == [
        ("error", "sample.differs", 1),
        ("error", "sample.differs", None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "line", "says"),
    [
        ("case.json", '{\n "data": ,\n}', 2, "case.json is not JSON"),
        ("case.json", "[]", 1, "not a JSON object"),
        ("case.json", '{\n "applicants": [{"role": "applicant",\n "person": {"familyName": "X"}}]}', 3, "(case.json)"),
        ("metadata.json", "{", 1, "metadata.json is not JSON"),
        ("metadata.json", '{"contentStructure": {"attachments": [{}]}}', None, "not described"),
        ("expect.yaml", "outcome: perhaps", 1, "outcome"),
    ],
)
def test_a_sample_that_cannot_be_used_is_a_finding_with_its_place(
    folder: Folder, name: str, content: str, line: int | None, says: str
) -> None:
    sample = "services/beispiel/samples/eins"
    folder.write(f"{sample}/data.json", json.dumps({"F60000000227V1.1.0": "Muster"}))
    folder.write(f"{sample}/{name}", content)

    (finding,) = folder.findings()

    assert (Path(finding.path).name, finding.line, finding.code) == (name, line, "sample.differs")
    assert says in finding.text.en


def test_a_wrong_schema_is_told_with_the_nearest_that_is_installed(folder: Folder) -> None:
    folder.write("services/beispiel/service.yaml", SERVICE.replace("S99000000077V", "S99000000078V"))

    (finding,) = folder.findings()

    assert (finding.severity, finding.code, finding.line) == ("error", "config.unknown_schema", 8)
    assert finding.remedy.en == f"Did you mean '{SCHEMA_ID}'?"


@pytest.mark.parametrize("schema", ["fim:S99000000077V2.0.0", "xoev:xbau/2.6#baugenehmigung.antrag.0200"])
def test_a_standard_still_to_be_installed_is_a_warning_and_an_error_when_asked_strictly(
    folder: Folder, schema: str
) -> None:
    folder.write("services/beispiel/service.yaml", SERVICE.replace(SCHEMA_ID, schema))

    (finding,) = folder.findings()
    (strict,) = folder.findings(strict=True)

    assert (finding.severity, finding.code, finding.line) == ("warning", "config.schema_not_installed", 8)
    assert "gateway schemas import" in finding.remedy.en
    assert finding.allowed == (SCHEMA_ID if schema.startswith("fim:") else None)
    assert strict.severity == "error"


def test_the_table_of_recipients_says_who_learns_what(folder: Folder) -> None:
    assert recipients(folder.load()) == {
        "beispiel": {
            "applicants/contact/phone": [],
            "applicants/person/familyName": ["amt"],
            "applicants/role": [],
            "data/kind": ["amt"],
            "attachments": [],
        }
    }


def test_a_department_that_fetches_cases_itself_learns_everything(folder: Folder) -> None:
    folder.write("targets/amt/target.yaml", TARGET.replace("adapter: paper", "adapter: amqp"))

    assert set(map(tuple, recipients(folder.load())["beispiel"].values())) == {("amt",)}


# --- small things


def test_shipped_packages_lie_where_the_gateway_says() -> None:
    assert (shipped_folder() / "services").is_dir()


def test_a_month_after_the_last_of_january_is_the_last_of_february() -> None:
    start = datetime(2027, 1, 31, 12, tzinfo=UTC)

    assert parse_period("P1M").after(start) == datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert parse_period("P1Y2M1WT1H").after(start) == datetime(2028, 4, 7, 13, tzinfo=UTC)


def test_a_short_duration_and_its_iso_form_are_the_same() -> None:
    pairs = [("30s", "PT30S"), ("10m", "PT10M"), ("6h", "PT6H"), ("2d", "P2D")]

    assert all(parse_period(short).fixed == parse_period(iso).fixed for short, iso in pairs)


@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "P1.5D", "P-1D", "P1D2M", "30", "-30s", "1w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_period(text)


@given(st.from_regex(r"(DE)?[0-9]{0,14}", fullmatch=True))
def test_a_region_is_normalised_once_and_for_all_or_refused(text: str) -> None:
    try:
        region = normalise_region(text)
    except ValueError:
        return
    assert covers(region, region)
    assert "?" in region or normalise_region(region) == region


@pytest.mark.parametrize(
    ("region", "place", "inside"),
    [
        ("05", "059130000000", True),
        ("059130000000", "05", False),
        (normalise_region("05754004"), "057540004004", True),
        (normalise_region("05754004"), "057540004008", False),
        (normalise_region("DE05913000"), "059130000000", True),
    ],
)
def test_a_region_covers_what_lies_in_it(region: str, place: str, inside: bool) -> None:
    assert covers(region, place) is inside
