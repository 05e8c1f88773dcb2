"""What ships works as it says: packages load, samples become what they promise, targets get what they understand.

Services with a schema of their own are proven on any machine; the others need their standards from the third-party test
data.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
import zeep
from checking_support import checker_of

from adapters import content, paths
from adapters.base import Request, RequestAttachment
from adapters.openapi import OpenApi
from adapters.registry import load_adapter
from adapters.soap.wsdl import Wsdl
from adapters.testkit.rest_department import RestDepartment
from adapters.testkit.soap_department import SoapDepartment
from gateway.case import CASE_SCHEMA_VERSION
from gateway.checking import check_packages
from gateway.judging import judge
from gateway.packages.disclosure import disclosures
from gateway.packages.tracing import request_tables
from gateway.services import Accepts, Packages, Service, Target, applies, map_case, map_request, shipped_folder
from xoev_schemas.documents import parse
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

TODAY = date(2026, 11, 24)
SERVICES = shipped_folder() / "services"
SAMPLES = sorted(path.parent for path in SERVICES.glob("*/samples/*/expect.yaml"))
DOG_TAX = "hundesteuer-anmeldung"
ALL_SERVICES = sorted(path.parent.name for path in SERVICES.glob("*/service.yaml"))
OWN_SCHEMA = sorted(path.parent.name for path in SERVICES.glob("*/schema"))
STANDARDS = (
    "xoev/xbau-2.6",
    "fim/generated/xsd/S07000000248V1.2.0.xfall.xsd",
    "fim/generated/json-schema/S07000000248V1.2.0.schema.json",
    "fim/generated/xsd/S00000000364V1.0.0.xfall.xsd",
    "fim/generated/json-schema/S00000000364V1.0.0.schema.json",
    "fim/generated/xsd/S05000001299V1.0.0.xfall.xsd",
    "fim/generated/json-schema/S05000001299V1.0.0.schema.json",
    "fim/generated/xsd/S00000000362V1.0.0.xfall.xsd",
    "fim/generated/json-schema/S00000000362V1.0.0.schema.json",
    "fim/generated/xsd/S00000000374V1.0.0.xfall.xsd",
    "fim/generated/json-schema/S00000000374V1.0.0.schema.json",
    "fim/generated/xsd/S00000000377V1.0.0.xfall.xsd",
    "fim/generated/json-schema/S00000000377V1.0.0.schema.json",
    "fim/generated/xsd/S00000000380V1.0.0.xfall.xsd",
    "fim/generated/json-schema/S00000000380V1.0.0.schema.json",
    "fim/generated/xsd/S05000001162V3.3.0.xfall.xsd",
    "fim/generated/json-schema/S05000001162V3.3.0.schema.json",
)


@pytest.fixture(scope="module")
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("own"))
    import_own_schemas(registry)
    return registry


def import_own_schemas(registry: Registry) -> None:
    for name in OWN_SCHEMA:
        registry.import_path(SERVICES / name / "schema")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("all"))
    import_own_schemas(registry)
    for standard in STANDARDS:
        registry.import_path(test_data / standard)
    return registry


@pytest.fixture(scope="module")
def own_packages(own_registry: Registry) -> Packages:
    return Packages.load([shipped_folder()], own_registry)


@pytest.fixture(scope="module")
def packages(registry: Registry) -> Packages:
    return Packages.load([shipped_folder()], registry)


@pytest.fixture
def for_sample(request: pytest.FixtureRequest, folder: Path) -> tuple[Packages, Registry]:
    """The smallest installation that can read the sample: own schemas must work without third-party data."""
    prefix = "own_" if service_of(folder) in OWN_SCHEMA else ""
    return request.getfixturevalue(f"{prefix}packages"), request.getfixturevalue(f"{prefix}registry")


def service_of(folder: Path) -> str:
    return folder.parent.parent.name


def name_of(folder: Path) -> str:
    return f"{service_of(folder)}/{folder.name}"


def expected(folder: Path) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load((folder / "expect.yaml").read_text(encoding="utf-8"))
    return loaded


ACCEPTED = [folder for folder in SAMPLES if expected(folder)["outcome"] == "accepted"]
REJECTED = [folder for folder in SAMPLES if expected(folder)["outcome"] == "rejected"]
over_all = pytest.mark.parametrize("folder", SAMPLES, ids=name_of)
over_accepted = pytest.mark.parametrize("folder", ACCEPTED, ids=name_of)


def data_file(folder: Path) -> Path:
    return next(path for path in (folder / "data.xml", folder / "data.json") if path.exists())


def announced(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metadata.json"
    if not path.exists():
        return []
    attachments: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["contentStructure"]["attachments"]
    return attachments


def envelope_for(service: Service, folder: Path) -> dict[str, Any]:
    return {
        "schemaVersion": CASE_SCHEMA_VERSION,
        "submissionId": "00000000-0000-4000-8000-000000000001",
        "caseId": None,
        "service": {"name": service.name, "identifier": None},
        "kind": "new",
        "receivedAt": "2026-11-24T10:00:00Z",
        "test": False,
        "provenance": {
            "channel": "rest",
            "sender": "demo-portal",
            "standard": service.accepts[0].schema,
            "message": "",
            "schemaUri": service.accepts[0].schema,
            "valid": True,
            "packageVersion": service.version,
            "dataSha512": None,
        },
        "attachments": [
            {
                "attachmentId": a["attachmentId"],
                "filename": a["filename"],
                "mediaType": a["mimeType"],
                "purpose": a["purpose"],
                "size": (folder / a["filename"]).stat().st_size,
                "sha512": a["hash"]["content"],
            }
            for a in announced(folder)
        ],
    }


def accepting(service: Service, folder: Path) -> Accepts:
    """What takes the sample: as its metadata say, else the only schema of the service."""
    path = folder / "metadata.json"
    if not path.exists():
        (only,) = service.accepts
        return only
    metadata = json.loads(path.read_text(encoding="utf-8"))
    schema = metadata["contentStructure"]["data"]["submissionSchema"]["schemaUri"]
    return next(accepts for accepts in service.accepts if accepts.schema == schema)


def case_of(packages: Packages, folder: Path) -> dict[str, Any]:
    service = packages.services[service_of(folder)]
    data = data_file(folder)
    document = parse(data.read_bytes(), f"application/{data.suffix[1:]}")
    outcome = map_case(service, accepting(service, folder), document, envelope_for(service, folder))
    assert outcome.value is not None, outcome.findings
    assert not outcome.findings
    return outcome.value


def errors(findings: list[Finding]) -> list[str]:
    return [f"{f.path}:{f.line} {f.code} {f.text.en}" for f in findings if f.severity == "error"]


# --- packages ----------------------------------------------------------------------------------------------------


def test_without_any_standard_installed_the_services_with_own_schemas_are_active(own_packages: Packages) -> None:
    active = {name for name, service in own_packages.services.items() if service.inactive is None}

    assert active == set(OWN_SCHEMA)


def test_with_the_standards_installed_every_service_is_active(packages: Packages) -> None:
    assert set(packages.services) == {path.parent.name for path in SERVICES.glob("*/service.yaml")}
    assert {name: service.inactive for name, service in packages.services.items() if service.inactive} == {}


def test_every_target_that_ships_is_used_and_belongs_to_a_department_with_a_receiver(packages: Packages) -> None:
    used = {target for service in packages.services.values() for target in service.targets}
    receivers = {client.department for client in packages.clients.values() if client.kind == "department"}

    assert used == set(packages.targets)
    assert {service.department for service in packages.services.values()} <= receivers


def test_the_check_of_everything_that_ships_finds_no_error(packages: Packages, registry: Registry) -> None:
    assert errors(check_packages(packages, checker_of(registry), load_adapter)) == []


@pytest.mark.parametrize("name", ALL_SERVICES)
def test_a_service_is_found_by_the_schema_it_accepts(packages: Packages, name: str) -> None:
    for accepts in packages.services[name].accepts:
        found, by = packages.find_service(schema_uri=accepts.schema, identifier=None, today=TODAY)

        assert (found.name, by.schema) == (name, accepts.schema)


# --- samples -----------------------------------------------------------------------------------------------------


def test_the_dog_tax_has_samples_of_every_kind() -> None:
    own = [folder for folder in ACCEPTED if service_of(folder) == DOG_TAX]

    assert len(own) >= 8
    assert {data_file(folder).suffix for folder in own} == {".xml", ".json"}
    assert {len(json.loads((f / "case.json").read_text())["data"]["dogs"]) for f in own} == {1, 2, 3}


@pytest.mark.parametrize("name", ALL_SERVICES)
def test_a_service_shows_at_least_three_valid_and_three_invalid_messages(name: str) -> None:
    assert len([folder for folder in ACCEPTED if service_of(folder) == name]) >= 3
    assert len([folder for folder in REJECTED if service_of(folder) == name]) >= 3


@pytest.mark.parametrize("name", ALL_SERVICES)
def test_a_service_says_both_deadlines_trust_level_and_whom_to_ask(packages: Packages, name: str) -> None:
    service = packages.services[name]
    written = yaml.safe_load((service.folder / "service.yaml").read_text(encoding="utf-8"))

    assert None not in (service.transport_within, service.statutory, service.contact)
    assert {"requires", "law", "keep"} <= written.keys()


@over_all
def test_a_sample_is_valid_or_fails_for_exactly_the_reasons_it_names(
    for_sample: tuple[Packages, Registry], folder: Path
) -> None:
    packages, registry = for_sample
    data, schema = data_file(folder), accepting(packages.services[service_of(folder)], folder).schema
    media_type = f"application/{data.suffix[1:]}"

    verdict = judge(packages, checker_of(registry), data.read_bytes(), media_type, schema=schema, today=TODAY)

    found = sorted({finding.code for finding in verdict.findings if finding.severity == "error"})
    assert found == sorted(expected(folder)["codes"])
    assert verdict.accepted is (expected(folder)["outcome"] == "accepted")


@over_accepted
def test_a_valid_sample_maps_to_exactly_the_expected_case(for_sample: tuple[Packages, Registry], folder: Path) -> None:
    packages, _ = for_sample
    envelope = envelope_for(packages.services[service_of(folder)], folder)

    made = {name: value for name, value in case_of(packages, folder).items() if name not in envelope}

    assert made == json.loads((folder / "case.json").read_text(encoding="utf-8"))


@over_accepted
def test_the_data_of_a_case_is_what_the_package_says(for_sample: tuple[Packages, Registry], folder: Path) -> None:
    schema = json.loads((SERVICES / service_of(folder) / "data.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)

    assert [error.message for error in validator.iter_errors(case_of(for_sample[0], folder)["data"])] == []


@over_all
def test_a_sample_announces_the_files_that_lie_beside_it(folder: Path) -> None:
    beside = {path.name for path in folder.iterdir()} - {
        "data.xml",
        "data.json",
        "case.json",
        "expect.yaml",
        "metadata.json",
    }

    assert {a["filename"] for a in announced(folder)} == beside
    for a in announced(folder):
        content = (folder / a["filename"]).read_bytes()
        assert content.startswith(b"%PDF-")
        assert hashlib.sha512(content).hexdigest() == a["hash"]["content"]


@pytest.mark.parametrize("folder", [f for f in SAMPLES if announced(f)], ids=name_of)
def test_metadata_of_a_sample_is_valid_and_its_hash_is_true(test_data: Path, folder: Path) -> None:
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    schema = json.loads((test_data / "fit-connect/schemas/metadata-2.1.0.schema.json").read_text(encoding="utf-8"))

    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(metadata)] == []
    stated = metadata["contentStructure"]["data"]["hash"]["content"]
    assert stated == hashlib.sha512(data_file(folder).read_bytes()).hexdigest()


def test_xml_and_json_of_the_same_notice_make_the_same_case(packages: Packages, test_data: Path) -> None:
    service = packages.services["heimarbeit-erstbeschaeftigung"]
    instances = test_data / "fim" / "instances"
    cases = []
    for suffix in ("xml", "json"):
        document = parse((instances / f"valid_S00000000364V1.0.0.{suffix}").read_bytes(), f"application/{suffix}")
        cases.append(map_case(service, service.accepts[0], document, envelope_for(service, instances)).value)

    assert cases[0] is not None
    assert cases[0] == cases[1]
    assert cases[0]["data"]["issuingOffice"]["address"]["street"] == "Kampstraße"


def test_a_building_application_of_a_natural_person_names_applicant_and_parties(
    packages: Packages, test_data: Path
) -> None:
    service = packages.services["bauantrag"]
    instances = test_data / "xoev/xbau-2.6/instances"
    document = parse((instances / "constructed-valid_baugenehmigung.antrag.0200.xml").read_bytes(), "application/xml")

    case = map_case(service, service.accepts[0], document, envelope_for(service, instances)).value

    assert case is not None
    assert [a["person"]["familyName"] for a in case["applicants"]] == ["Müller-Łukasz"]
    assert [party["role"] for party in case["parties"]] == ["builder", "fee-debtor"]
    assert case["data"]["plots"][0]["parcels"] == [
        {"stateCode": "05", "cadastralDistrict": "Dortmund", "numerator": "123"}
    ]


# --- requests ----------------------------------------------------------------------------------------------------


def pairs(adapter: str) -> list[Any]:
    """(sample, target) for every accepted sample and every target of its service that this adapter serves."""
    found = []
    for folder in ACCEPTED:
        service = yaml.safe_load((SERVICES / service_of(folder) / "service.yaml").read_text(encoding="utf-8"))
        for name in service["targets"]:
            target = yaml.safe_load((shipped_folder() / "targets" / name / "target.yaml").read_text(encoding="utf-8"))
            if target["adapter"] == adapter:
                found.append(pytest.param(folder, name, id=f"{name_of(folder)}-{name}"))
    return found


def request_for(target: Target, folder: Path, case: dict[str, Any]) -> Request:
    if not applies(target, case):
        pytest.skip("the target's own condition keeps this case from it")
    outcome = map_request(target, service_of(folder), case)
    assert outcome.value is not None, outcome.findings
    assert not outcome.findings
    attachments = [
        RequestAttachment(
            a["attachmentId"], a["filename"], a["mediaType"], a["size"], a["sha512"], chunks(folder / a["filename"])
        )
        for a in case["attachments"]
        if a["attachmentId"] in outcome.attachment_ids
    ]
    return Request(
        "key-1", case["submissionId"], outcome.value, service_of(folder), case["receivedAt"], attachments=attachments
    )


def target_of(packages: Packages, folder: Path, name: str) -> Target:
    """As the target is for submissions of the sample's kind."""
    kind = accepting(packages.services[service_of(folder)], folder).kind or "new"
    target = packages.targets[name].for_kind(kind)
    assert target is not None
    return target


def chunks(path: Path) -> Any:
    return lambda: iter([path.read_bytes()])


def strings(value: Any) -> Iterator[str]:
    """Every string below a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def canaries(value: Any, path: str = "") -> Any:
    """The same JSON value with its own path for every string: whoever repeats one says where it is from."""
    if isinstance(value, Mapping):
        return {name: canaries(member, f"{path}/{name}") for name, member in value.items()}
    if isinstance(value, list):
        return [canaries(member, f"{path}/{index}") for index, member in enumerate(value, 1)]
    return path if isinstance(value, str) else value


@pytest.mark.parametrize(("folder", "target_name"), pairs("rest"))
def test_a_rest_request_fits_the_openapi_of_its_target(
    for_sample: tuple[Packages, Registry], folder: Path, target_name: str
) -> None:
    packages, _ = for_sample
    target = target_of(packages, folder, target_name)
    request = request_for(target, folder, case_of(packages, folder))
    body = content.fill(request.body, request.attachments, lambda raw: base64.b64encode(raw).decode("ascii"))
    settings = target.config.settings

    operation = OpenApi(target.folder / settings["openapi"]).operation("POST", settings["path"])

    assert operation.body_errors(body) == []


@pytest.mark.parametrize(("folder", "target_name"), pairs("soap"))
def test_a_soap_request_fits_the_wsdl_of_its_target(
    for_sample: tuple[Packages, Registry], folder: Path, target_name: str
) -> None:
    packages, _ = for_sample
    target = target_of(packages, folder, target_name)
    request = request_for(target, folder, case_of(packages, folder))
    assert target.config.key is not None
    body = paths.write(content.fill(request.body, request.attachments, bytes), target.config.key, request.key)
    file = target.folder / target.config.settings["wsdl"]
    client = zeep.Client(str(file))

    envelope = client.create_message(client.service, target.config.settings["operation"], **body)

    assert Wsdl(file).errors(envelope[0][0]) == []


@pytest.mark.parametrize(("folder", "target_name"), pairs("soap"))
def test_a_soap_target_gets_every_attachment_byte_for_byte(
    for_sample: tuple[Packages, Registry], folder: Path, target_name: str
) -> None:
    packages, _ = for_sample
    request = request_for(target_of(packages, folder, target_name), folder, case_of(packages, folder))

    sent = content.fill(request.body, request.attachments, bytes)["Vorgang"].get("Anlage", [])

    assert [a["Inhalt"] for a in sent] == [(folder / a["filename"]).read_bytes() for a in announced(folder)]


@pytest.mark.parametrize(("folder", "target_name"), [*pairs("soap"), *pairs("rest")])
def test_a_strict_department_takes_the_request_and_finds_it_again_by_its_key(
    for_sample: tuple[Packages, Registry], folder: Path, target_name: str
) -> None:
    packages, _ = for_sample
    target = target_of(packages, folder, target_name)
    settings = target.config.settings
    department = (
        SoapDepartment(target.folder / settings["wsdl"], operation=settings["operation"])
        if target.adapter == "soap"
        else RestDepartment(target.folder / settings["openapi"], path=settings["path"])
    )
    request = request_for(target, folder, case_of(packages, folder))
    department.start()
    adapter = load_adapter(target.adapter)(replace(target.config, settings={**settings, "url": department.url}))
    try:
        receipt = adapter.deliver(request)
        found = adapter.probe(request.key)
    finally:
        adapter.close()
        department.stop()

    assert receipt.references["vorgangsnummer"]
    assert found is not None
    assert found.references == receipt.references


EVERYTHING = SERVICES / DOG_TAX / "samples" / "everything-filled-xml"


def test_the_statistics_office_learns_breeds_and_postal_code_and_nothing_of_a_person(own_packages: Packages) -> None:
    case = canaries(case_of(own_packages, EVERYTHING))

    outcome = map_request(own_packages.targets["hundestatistik"], DOG_TAX, case)

    assert set(strings(outcome.value)) == {
        "/applicants/1/address/postalCode",
        "/data/dogs/1/breedCode",
        "/data/dogs/1/breed",
    }
    assert list(outcome.attachment_ids) == []


def test_the_e_file_learns_a_name_and_which_attachments_there_are_but_not_their_content(own_packages: Packages) -> None:
    case = case_of(own_packages, EVERYTHING)
    spied = canaries(case) | {"receivedAt": case["receivedAt"], "kind": case["kind"]}

    outcome = map_request(own_packages.targets["eakte-stadtkasse"], DOG_TAX, spied)

    body = json.dumps(outcome.value)
    assert "/applicants/1/person/familyName" in body
    assert "/attachments/2/filename" in body
    for kept_back in ("/address/", "/contact/", "/bankDetails/", "/data/", "birth"):
        assert kept_back not in body
    assert list(outcome.attachment_ids) == []


def test_bank_details_without_a_mandate_stay_where_they_are(own_packages: Packages) -> None:
    case = case_of(own_packages, EVERYTHING)
    assert case["bankDetails"]["mandateGranted"] is False

    outcome = map_request(own_packages.targets["hundesteuer"], DOG_TAX, case)

    assert case["bankDetails"]["iban"] not in set(strings(outcome.value))


def test_the_register_of_trees_learns_the_trees_and_the_site_plan_and_nobody_s_name(own_packages: Packages) -> None:
    case = case_of(own_packages, SERVICES / "baumfaellung" / "samples" / "three-trees-building-json")
    site_plan, opinion = (a["attachmentId"] for a in case["attachments"])
    spied = canaries(case["applicants"])

    outcome = map_request(own_packages.targets["baumkataster"], "baumfaellung", case | {"applicants": spied})

    assert list(outcome.attachment_ids) == [site_plan] != [opinion]
    assert not set(strings(outcome.value)) & set(strings(spied))


BIRTHS = SERVICES / "geburt-paket" / "samples"


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ("everything-two-parents-xml", {"standesamt", "elterngeldstelle", "familienkasse"}),
        ("child-benefit-only-xml", {"standesamt", "familienkasse"}),
        ("certificates-only-json", {"standesamt"}),
    ],
)
def test_only_the_authorities_that_parents_apply_to_are_told_of_a_birth(
    own_packages: Packages, sample: str, told: set[str]
) -> None:
    case = case_of(own_packages, BIRTHS / sample)

    assert {n for n in own_packages.services["geburt-paket"].targets if applies(own_packages.targets[n], case)} == told


def test_the_foreign_authority_gets_no_attachment_and_nothing_of_the_other_parent(own_packages: Packages) -> None:
    case = case_of(own_packages, BIRTHS / "everything-two-parents-xml")
    spied = canaries(case["parties"])

    outcome = map_request(own_packages.targets["familienkasse"], "geburt-paket", case | {"parties": spied})

    assert not set(strings(outcome.value)) & set(strings(spied))
    assert list(outcome.attachment_ids) == []


def test_every_field_that_a_shipped_target_requires_is_followed_back_to_where_it_comes_from(
    packages: Packages, registry: Registry
) -> None:
    tables = request_tables(packages, registry, load_adapter)
    unfilled = [
        (table.service, table.target, field.path)
        for table in tables
        for field in table.fields
        if field.required and not field.origins
    ]
    assert unfilled == []
    # Each service with each of its targets, and each of its schemas
    wanted = {(s.name, name, a.schema) for s in packages.services.values() for name in s.targets for a in s.accepts}
    assert {(table.service, table.target, table.schema) for table in tables} == wanted


def test_fields_of_xbau_and_of_fim_are_called_what_people_call_them(packages: Packages, registry: Registry) -> None:
    shown = {
        (table.service, field.path): [str(o.source.named) for o in field.origins if o.source is not None]
        for table in request_tables(packages, registry, load_adapter, ["bauantrag", "jagdschein"])
        for field in table.fields
    }
    assert "artDerMassnahme/code" in shown["bauantrag", "Vorgang.Massnahme.Schluessel"]
    assert ["Familienname (F60000000227)"] in shown.values()


def test_no_attachment_of_a_shipped_service_goes_to_nobody(packages: Packages, registry: Registry) -> None:
    for one in disclosures(packages, registry):
        got = any("content" in row.shares.values() for row in one.attachments)
        assert got == one.takes_attachments, one.service
