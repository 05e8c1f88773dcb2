"""Targets drafted from WSDL and OpenAPI documents of real systems."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from adapters.registry import load_adapter
from gateway.packages.proving import prove_adapter
from gateway.scaffold.files import put
from gateway.scaffold.interfaces import DraftedTarget, Unusable, draft_target
from gateway.services import Packages
from xoev_schemas.registry import Registry

LOADABLE = (
    ("wsdl", "wsdl/cmis-1.0/CMISWS-Service.wsdl", "createDocument"),
    ("wsdl", "wsdl/cmis-1.1/CMISWS-Service.wsdl", "createDocument"),
    ("wsdl", "wsdl/eakte-dms-muenchen/dmsin-eai-1.10.wsdl", "CreateSubjectAreaUnitGI"),
    ("wsdl", "wsdl/jcc-afspraken/GenericGuidanceSystem2.wsdl", "RequestAddAppointment"),
    ("wsdl", "wsdl/xroad-management/managementservices.wsdl", "addressChange"),
    ("wsdl", "xta/core-3.1.1/wsdl/xta-core.wsdl", "sendMessage"),
    ("openapi", "rest/eakte-api-v1.2.4.json", "POST /files"),
    ("openapi", "fit-connect/openapi/submission-api-1.1.3.yaml", "POST /v1/destinations"),
    ("openapi", "fim/fimportal-openapi-0.24.0.json", "POST /api/v1/schemas/xdf2"),
)
SHIPPED = Path(__file__).parents[3] / "targets"


def loaded(draft: DraftedTarget, folder: Path) -> Packages:
    put(draft.files, folder)
    return Packages.load([folder], Registry(folder / "none"))


@pytest.mark.parametrize(("kind", "file", "operation"), LOADABLE)
def test_a_target_from_a_real_description_passes_check(
    test_data: Path, tmp_path: Path, kind: str, file: str, operation: str
) -> None:
    # When
    draft = draft_target("ziel", "amt", kind, test_data / file, "")
    # Then
    assert draft.operation == operation
    target = loaded(draft, tmp_path).targets["ziel"]
    _, findings = prove_adapter(target, load_adapter)
    assert [finding.code for finding in findings if finding.severity == "error"] == []


def test_the_request_marks_what_is_required_and_fills_what_a_name_tells(tmp_path: Path) -> None:
    # When
    draft = draft_target("ziel", "amt", "openapi", SHIPPED / "jagdbehoerde" / "jagdbehoerde.openapi.yaml", "")
    # Then
    text = draft.files["targets/ziel/request.yaml"].decode()
    made = yaml.safe_load(text)["request"]
    assert made["eingangszeitpunkt"] == {"from": "receivedAt", "as": "datetime", "required": True}
    person = next(member for member in made.values() if "familienname" in member)
    assert person["familienname"] == {"from": "applicants[1]/person/familyName", "required": True}
    assert "  # jagdschein:  # REQUIRED · group\n  #   art: {from: …}  # REQUIRED" in text
    assert "  # jagdflaechen:  # list · group\n  #   each: …\n  #   make:\n  #     kreis: {from: …}" in text
    assert draft.left > 0


def test_every_file_that_a_description_draws_in_comes_along(test_data: Path, tmp_path: Path) -> None:
    # Given a WSDL whose schemas lie in other folders
    wsdl = test_data / "xta" / "core-3.1.1" / "wsdl" / "xta-core.wsdl"
    # When
    draft = draft_target("ziel", "amt", "wsdl", wsdl, "")
    # Then it opens where it lies now
    put(draft.files, tmp_path)
    settings = yaml.safe_load(draft.files["targets/ziel/target.yaml"])
    assert (tmp_path / "targets" / "ziel" / settings["wsdl"]).is_file()
    assert any(path.endswith(".xsd") for path in draft.files)


def test_an_operation_may_be_named_and_the_others_are_told(test_data: Path) -> None:
    # When
    draft = draft_target("ziel", "amt", "openapi", test_data / "rest" / "eakte-api-v1.2.4.json", "POST /incomings")
    # Then
    assert draft.operation == "POST /incomings"
    assert "POST /files" in draft.others


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("wsdl", "wsdl/xbau-dvdv-2.6/XBau26-BAB2BET.wsdl"),  # an OSCI binding
        ("openapi", "rest/okewo-api-docs.swagger2.json"),  # Swagger 2
        ("openapi", "wsdl/cmis-1.1/CMISWS-Service.wsdl"),
    ],
)
def test_a_description_of_another_kind_is_refused_by_name(test_data: Path, kind: str, file: str) -> None:
    with pytest.raises(Unusable) as refused:
        draft_target("ziel", "amt", kind, test_data / file, "")
    assert Path(file).name in str(refused.value)
    assert refused.value.remedy
