"""Slips that integrators make, one at a time in a copy of the shipped packages: `gateway check` finds each where it is.

A slip is a replacement in one file. What is found has to be in that file and line, unless the row says where else, and to
say what would have been right.
"""

from __future__ import annotations

# ruff: noqa: E501 - a row of the table is a line
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from checking_support import checker_of

from adapters.registry import load_adapter
from gateway.checking import check_packages
from gateway.counterexamples import look_for_breaking
from gateway.errors import ConfigurationError
from gateway.packages.fitting import misfits
from gateway.services import Packages, shipped_folder
from gateway.settings import Settings
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

DOGS, TREES = "hundesteuer-anmeldung", "baumfaellung"


@dataclass(frozen=True)
class Slip:
    """what: its name. file: below the package folder. says: in the finding's words or remedy, English.

    at: (file name, text of the line) where it is found, if not where it was made.
    """

    what: str
    file: str
    old: str
    new: str
    code: str
    says: str
    at: tuple[str, str] | None = None


CASE = f"services/{DOGS}/mapping.yaml"
TREE_CASE = f"services/{TREES}/mapping.yaml"
SERVICE = f"services/{DOGS}/service.yaml"
TREE_SERVICE = f"services/{TREES}/service.yaml"
RULES = f"services/{TREES}/rules.yaml"
BREEDS = f"services/{DOGS}/codelists/hunderassen.yaml"
SAMPLE = f"services/{DOGS}/samples/one-dog-json"
SOAP, SOAP_REQUEST = "targets/hundesteuer/target.yaml", "targets/hundesteuer/request.yaml"
REST, REST_REQUEST = "targets/baumkataster/target.yaml", "targets/baumkataster/request.yaml"
FILE_REQUEST, QUEUE = "targets/eakte-stadtkasse/request.yaml", "targets/hundestatistik/target.yaml"
WSDL, OPENAPI = "targets/hundesteuer/HundesteuerService.wsdl", "targets/baumkataster/baumkataster.openapi.yaml"
WSDL_CUSTOMER = '<xs:element name="Rufname"'

SLIPS = [
    # paths into the message
    Slip("an id with a digit wrong", CASE, "F99000000005}", "F99000000055}", "mapping.path_unknown", "F99000000005"),
    Slip("digits swapped", CASE, "G60000000183/F60000000242", "G60000000138/F60000000242", "mapping.path_unknown", "G60000000183"),
    Slip("an id of another level", CASE, "name: {from: F99000000001", "name: {from: G99000000002/F99000000001", "mapping.path_unknown", "F99000000001"),
    Slip("a level too few", CASE, "from: G99000000001/F60000000227", "from: F60000000227", "mapping.path_unknown", "G99000000001"),
    Slip("a level too many", TREE_CASE, "from: F99000000111", "from: G99000000103/F99000000111", "mapping.path_unknown", "F99000000110"),
    Slip("a group read as a value", CASE, "street: {from: G99000000001/G60000000086/F60000000243", "street: {from: G99000000001/G60000000086", "mapping.path_is_group", "F60000000243"),
    Slip("several values, the first taken", TREE_CASE, "sitePlans: {each: F99000000114, required: true, make: {from: .}}", "sitePlans: [{from: F99000000114, required: true}]", "mapping.more_than_one", "Write 'each', or 'F99000000114[1]'"),
    Slip("each at the wrong place", CASE, "each: G99000000002", "each: G99000000001", "mapping.path_unknown", "Did you mean", ("mapping.yaml", "name: {from: F99000000001")),
    Slip("a predicate that names nothing", CASE, "{from: G99000000001/F60000000229}", "{from: \"G99000000001/F60000000229[F60000000999='x']\"}", "mapping.path_unknown", "F60000000999"),
    Slip("brackets left open", CASE, "from: G99000000005/F99000000014", 'from: "G99000000005/F99000000014["', "mapping.path", "not a path"),
    Slip("a condition on a path that is not there", CASE, "when: {path: G99000000003", "when: {path: G99000000033", "mapping.path_unknown", "G99000000003"),
    Slip("a condition on a code that never comes", TREE_CASE, "ownerConsents: {from: F99000000112, as: boolean}", "ownerConsents: {from: F99000000112, as: boolean, when: {path: G99000000101/F99000000101, equals: '02'}}", "mapping.code_never", "Did you mean '002'?"),
    # words of the language
    Slip("an option misspelt", CASE, "F60000000228, required: true", "F60000000228, requierd: true", "mapping.unknown_option", "Did you mean 'required'?"),
    Slip("a kind misspelt", CASE, "F99000000016, as: boolean", "F99000000016, as: bolean", "mapping.unknown_kind", "Did you mean 'boolean'?"),
    Slip("two directives in one rule", CASE, "phone: {from: G9", "phone: {const: x, from: G9", "mapping.two_directives", "from"),
    Slip("each without make", TREE_CASE, "evidence: {each: F60000000296, make: {from: .}}", "evidence: {each: F60000000296}", "mapping.each_without_make", "make"),
    Slip("the wrong word at the top", SOAP_REQUEST, "request:\n", "requests:\n", "mapping.top_level", "request", ("request.yaml", "requests:")),
    Slip("a member twice", CASE, "        birthName: {", "        familyName: {", "config.duplicate_key", "twice", ("mapping.yaml", "familyName: {from: G99000000001/F60000000230")),
    Slip("required neither true nor false", CASE, "F60000000228, required: true", "F60000000228, required: ja", "mapping.boolean", "true or false"),
    # what is made
    Slip("a member that the case does not have", CASE, "doctoralDegree:", "doctorDegree:", "mapping.member_unknown", "doctoralDegree"),
    Slip("a member that the gateway fills", CASE, "  bankDetails:\n", "  receivedAt: {from: F99000000017}\n  bankDetails:\n", "mapping.reserved_member", "itself"),
    Slip("a member that the data do not have", CASE, "statementDate:", "statmentDate:", "mapping.member_unknown", "statementDate"),
    Slip("a required member left out", TREE_CASE, "    justification: {from: F99000000111, required: true}\n", "", "mapping.member_missing", "justification", ("mapping.yaml", "relation:")),
    Slip("a list where one is wanted", CASE, "colour: {from: F99000000005}", "colour: [{from: F99000000005}]", "mapping.not", "list"),
    Slip("a date read as a number", CASE, "as: date, required: true}\n    dogs", "as: integer, required: true}\n    dogs", "sample.differs", "integer", ("mapping.yaml", "statementDate")),
    # code tables
    Slip("a code forgotten", CASE, ', "002": female', "", "mapping.code_not_covered", "002", ("mapping.yaml", "sex:")),
    Slip("a code that there is not", CASE, '"003": born-in-household', '"03": born-in-household', "mapping.code_never", "Did you mean '003'?", ("mapping.yaml", "from: F99000000009")),
    Slip("a code forgotten in a file", BREEDS, '"003": Border Collie\n', "", "mapping.code_not_covered", "003", ("mapping.yaml", "codelist: hunderassen")),
    Slip("a code list that is not there", CASE, "codelist: hunderassen", "codelist: hunderasse", "mapping.unknown_codelist", "Did you mean 'hunderassen'?"),
    Slip("another service's code list", TREE_CASE, "codelist: baumarten", "codelist: hunderassen", "mapping.unknown_codelist", "baumarten"),
    Slip("a value that the case's data do not allow", CASE, '"001": assistance-dog', '"001": asistance-dog', "mapping.value_not_allowed", "assistance-dog", ("mapping.yaml", "from: G99000000004/F99000000011")),
    Slip("a code twice in a file", BREEDS, '"002": Bernhardiner', '"001": Bernhardiner', "config.duplicate_key", "twice"),
    # requests
    Slip("a field of the case misspelt", SOAP_REQUEST, "person/familyName\"", "person/famliyName\"", "mapping.path_unknown", "Did you mean 'familyName'?"),
    Slip("a field of the data misspelt", SOAP_REQUEST, "from: data/statementDate", "from: data/statmentDate", "mapping.path_unknown", "Did you mean 'statementDate'?"),
    Slip("an element that the WSDL does not have", SOAP_REQUEST, "Rufname:", "Rufnahme:", "mapping.member_unknown", "Rufname"),
    Slip("a required element of the WSDL left out", SOAP_REQUEST, "    ErklaertAm: {from: data/statementDate, as: date, required: true}\n", "", "mapping.member_missing", "ErklaertAm", ("request.yaml", "Eingangszeitpunkt")),
    Slip("a value that the WSDL does not list", SOAP_REQUEST, "born-in-household: GEBURT", "born-in-household: GEBORT", "mapping.value_not_allowed", "GEBURT", ("request.yaml", "from: data/reason")),
    Slip("a value of the case forgotten", SOAP_REQUEST, "{male: M, female: W}", "{male: M}", "mapping.code_not_covered", "female"),
    Slip("a value that the case never has", SOAP_REQUEST, "moved-in: ZUZUG", "moved_in: ZUZUG", "mapping.code_never", "moved-in", ("request.yaml", "from: data/reason")),
    Slip("a condition that never holds", SOAP_REQUEST, "when: {path: bankDetails/mandateGranted", "when: {path: bankDetails/mandateGiven", "mapping.path_unknown", "mandateGranted"),
    Slip("text where a number is wanted", REST_REQUEST, "girthCm, as: integer", "girthCm, as: text", "sample.no_request", "integer"),
    Slip("a text too long", FILE_REQUEST, "aktenplan: Hundesteuer", "aktenplan: " + "H" * 300, "sample.no_request", "aktenplan"),
    Slip("a whole address where the street is wanted", REST_REQUEST, "strasse: {from: data/plot/address/street", "strasse: {from: data/plot/address", "mapping.path_is_group", "street"),
    Slip("a member that the OpenAPI body does not have", REST_REQUEST, "stammumfangCm:", "stammumfang:", "mapping.member_unknown", "stammumfangCm"),
    Slip("a required member of the body left out", REST_REQUEST, "  bezug: {from: submissionId, required: true}\n", "", "mapping.member_missing", "bezug", ("request.yaml", "eingangszeitpunkt")),
    Slip("the mark of an attachment misspelt", REST_REQUEST, '"$attachment": {from: .}', '"$atachment": {from: .}', "sample.no_request", "$atachment"),
    Slip("the purpose of an attachment misspelt", SOAP_REQUEST, "Anlage:\n      each: attachments\n      make:\n", "Belege: {attachments: {purpose: atachment}}\n    Anlage:\n      each: attachments\n      make:\n", "mapping.unknown_kind", "Did you mean 'attachment'?"),
    Slip("a word where a moment is wanted", SOAP_REQUEST, "{from: receivedAt, as: datetime, required: true}", "{const: gestern}", "sample.no_request", "dateTime"),
    # targets
    Slip("an operation that the WSDL does not have", SOAP, "operation: VorgangAnlegen\n", "operation: VorgangAnlegn\n", "config.soap", "VorgangAnlegen"),
    Slip("a file that is not there", SOAP, "wsdl: HundesteuerService.wsdl", "wsdl: HundesteuerServce.wsdl", "config.soap", "HundesteuerService.wsdl"),
    Slip("a place for the key that is not there", SOAP, 'key: "$.Vorgang.FremdId"', 'key: "$.Vorgang.FremdID"', "config.soap", "Did you mean $.Vorgang.FremdId?"),
    Slip("a reference that the answer does not have", SOAP, 'vorgangsnummer: "$.Vorgangsnummer", aktenzeichen: "$.Aktenzeichen"}\nkey', 'vorgangsnummer: "$.VorgangsNr", aktenzeichen: "$.Aktenzeichen"}\nkey', "config.soap", "Did you mean $.Vorgangsnummer?"),
    Slip("a pause without unit", SOAP, "delays: [30s,", "delays: [30,", "config.value", "30s"),
    Slip("a setting misspelt", SOAP, "repeatable: false", "repeatabel: false", "config.unknown_key", "repeatable"),
    Slip("an adapter misspelt", REST, "adapter: rest", "adapter: rests", "config.unknown_adapter", "rest"),
    Slip("a path that the document does not have", REST, "path: /baummeldungen\n", "path: /baummeldung\n", "config.rest", "/baummeldungen"),
    Slip("a method that the path does not have", REST, "method: POST", "method: PUT", "config.rest", "did you mean POST", ("target.yaml", "path: /baummeldungen")),
    Slip("an address without scheme", REST, "url: http://127.0.0.1:9000/baumkataster", "url: baumkataster.stadt.example", "config.invalid", "http"),
    Slip("a time-out longer than a lease", SOAP, "accepts_test: true", "accepts_test: true\ntimeout: 10m", "config.timeout_too_long", "lease_seconds", ("target.yaml", "timeout: 10m")),
    Slip("a retry that never gives up", SOAP, "give_up_after: P3D", "give_up_after: nie", "config.value", "P30D"),
    Slip("a retry without pauses", SOAP, "delays: [30s, 2m, 10m, 1h, 6h]", "delays: []", "config.value", ""),
    Slip("no attempt in parallel", SOAP, "parallel: 4", "parallel: 0", "config.value", ""),
    Slip("hours that nobody can read", SOAP, "accepts_test: true", "accepts_test: true\nhours: Mo-Fr 6-20 Uhr", "config.value", "Mo-Fr", ("target.yaml", "hours:")),
    # descriptions that the department changed
    Slip("an element renamed in the WSDL", WSDL, WSDL_CUSTOMER, '<xs:element name="Hundename"', "mapping.member_unknown", "Hundename", ("request.yaml", "Rufname:")),
    Slip("a member renamed in the OpenAPI document", OPENAPI, "stammumfangCm:", "umfangCm:", "mapping.member_unknown", "umfangCm", ("request.yaml", "stammumfangCm:")),
    Slip("a path renamed in the OpenAPI document", OPENAPI, "  /baummeldungen:", "  /meldungen:", "config.rest", "/meldungen", ("target.yaml", "path: /baummeldungen")),
    # services
    Slip("a schema with a digit wrong", SERVICE, "fim:S99000000001V1.0.0", "fim:S99000000011V1.0.0", "config.unknown_schema", "S99000000001"),
    Slip("a target that is not there", SERVICE, "targets: [hundesteuer,", "targets: [hundsteuer,", "config.unknown_target", "hundesteuer"),
    Slip("a mapping that is not there", SERVICE, "mapping: mapping.yaml", "mapping: maping.yaml", "config.missing_file", "mapping.yaml"),
    Slip("a regime that there is not", SERVICE, "regime: ao", "regime: abgabenordnung", "config.value", "ao"),
    Slip("a setting missing", SERVICE, "department: stadtkasse\n", "", "config.missing_key", "department", ("service.yaml", "title:")),
    Slip("a duration in words", SERVICE, "transport_within: PT4H", "transport_within: 4 Stunden", "config.value", "PT4H"),
    Slip("an indentation lost", SERVICE, "    mapping: mapping.yaml", "   mapping: mapping.yaml", "config.not_yaml", ""),
    Slip("a media type that is none", TREE_SERVICE, "image/tiff]", "tiff]", "config.value", "application/pdf"),
    # rules
    Slip("a rule on a field that is not there", RULES, "require: {path: F99000000107", "require: {path: F99000000170", "mapping.path_unknown", "F99000000107"),
    Slip("a rule that covers none of the schema", RULES, "covers: [R99000000101]", "covers: [R99000000111]", "config.unknown_fim_rule", "R99000000101", ("rules.yaml", "id: species-named")),
    Slip("a rule on a code that never comes", RULES, 'in: ["098", "099"]', 'in: ["98", "099"]', "mapping.code_never", "Did you mean '098'?"),
    # samples
    Slip("a stale case", f"{SAMPLE}/case.json", '"familyName": "', '"familyName": "Ex-', "sample.differs", "expected"),
    Slip("an outcome expected that does not come", f"{SAMPLE}/expect.yaml", "outcome: accepted", "outcome: rejected", "sample.differs", "accepted"),
    Slip("an outcome that there is not", f"{SAMPLE}/expect.yaml", "outcome: accepted", "outcome: acepted", "sample.differs", "accepted"),
    Slip("a broken message", f"{SAMPLE}/data.json", '"F99000000017V1.0.0"', '"F99000000071V1.0.0"', "sample.differs", "schema.", ("expect.yaml", "outcome")),
]  # fmt: skip


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("own"))
    for name in (DOGS, TREES):
        registry.import_path(shipped_folder() / "services" / name / "schema")
    return registry


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    for kind in ("services", "targets", "clients"):
        shutil.copytree(shipped_folder() / kind, folder / kind)
    for service in (folder / "services").glob("*/"):
        if service.name not in (DOGS, TREES):
            shutil.rmtree(service)
    return folder


def findings(folder: Path, registry: Registry, *services: str) -> list[Finding]:
    """What `gateway check` says of errors and warnings, whether the packages can be read or not."""
    try:
        packages = Packages.load([folder], registry, only=services)
    except ConfigurationError as error:
        return error.findings
    found = check_packages(packages, checker_of(registry), load_adapter)
    found += misfits(Settings(packages=[folder]), packages)
    return [finding for finding in found if finding.severity != "info"]


@contextmanager
def slipped(folder: Path, slip: Slip) -> Iterator[None]:
    file = folder / slip.file
    sound = file.read_text(encoding="utf-8")
    assert slip.old in sound, "what the slip is made in has changed"
    file.write_text(sound.replace(slip.old, slip.new, 1), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(sound, encoding="utf-8")


def place(folder: Path, slip: Slip) -> tuple[str, int | None]:
    """File name and line where the slip should be found; no line for a text that says only the file."""
    name, text = slip.at or (Path(slip.file).name, slip.new.strip().splitlines()[0])
    folders = [(folder / slip.file).parent, *(folder / "services").glob("*/"), *(folder / "targets").glob("*/")]
    file = next(one / name for one in folders if (one / name).is_file() and text in (one / name).read_text("utf-8"))
    lines = file.read_text(encoding="utf-8").splitlines()
    return name, next(number for number, line in enumerate(lines, start=1) if text in line)


def test_the_packages_as_they_ship_are_told_nothing(copied: Path, registry: Registry) -> None:
    assert findings(copied, registry, DOGS, TREES) == []


def test_no_valid_message_breaks_the_packages_as_they_ship(copied: Path, registry: Registry) -> None:
    packages = Packages.load([copied], registry)

    assert look_for_breaking(packages, checker_of(registry), load_adapter, seconds=5).findings == ()


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.what)
def test_a_slip_is_found_where_it_was_made_and_what_would_be_right_is_said(
    copied: Path, registry: Registry, slip: Slip
) -> None:
    with slipped(copied, slip):
        service = TREES if TREES in slip.file or "baumkataster" in slip.file else DOGS
        found = findings(copied, registry, service)
        name, line = place(copied, slip)

    told = [(f.code, Path(f.path).name, f.line, f"{f.text.en} {f.allowed} {f.remedy.en}") for f in found]
    assert [one for one in told if one[0].startswith(slip.code) and one[1:3] == (name, line) and slip.says in one[3]], (
        told
    )


def test_there_are_more_than_fifty_slips_and_no_two_are_one() -> None:
    assert len({(slip.file, slip.old, slip.new) for slip in SLIPS}) == len(SLIPS) >= 50
