"""Which interface descriptions can be used, and what is said of the others."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from lxml import etree
from soap_files import addressed_wsdl, rpc_wsdl

from adapters.base import FieldSpec
from adapters.soap.wsdl import Wsdl, WsdlUnusable

_OSCI = "describes messages over OSCI transport, not over SOAP: reach this service over XTA"
_SPLIT = "has no port that speaks SOAP"
_SUWINET = "wsdl/suwinet"
_BRP = f"{_SUWINET}/BRPDossierPersoonGSD-v0200-b02/Diensten/BRPDossierPersoonGSD/v0200-b02"
_BIJSTAND = f"{_SUWINET}/Bijstandsregelingen-v0500-b04/Diensten/Bijstandsregelingen/v0500-b04"
_ZDS = "wsdl/stuf-zds-1.2/zds0120/berichten/zds0120"

VERDICTS: dict[str, int | str] = {
    "wsdl/cmis-1.0/CMISWS-Service.wsdl": 44,
    "wsdl/cmis-1.1/CMISWS-Service.wsdl": 50,
    "wsdl/domibus-as4-backend/BackendService_1_1.wsdl": 5,
    "wsdl/eakte-dms-muenchen/dmsin-eai-1.10.wsdl": 120,
    "wsdl/jcc-afspraken/GenericGuidanceSystem2.wsdl": 80,
    "wsdl/stuf-zds-1.2/0301/stuf0301_types.wsdl": _SPLIT,
    f"{_ZDS}_beantwoordVraag_zs-dms.wsdl": 6,
    f"{_ZDS}_ontvangAsynchroon_mutatie_zs-dms.wsdl": 11,
    f"{_ZDS}_ontvangAsynchroon_overdragen_zs-dms.wsdl": 4,
    f"{_ZDS}_vrijeBerichten_zs-dms.wsdl": 7,
    f"{_BRP}/BRPDossierPersoonGSD.wsdl": _SPLIT,
    f"{_BRP}/Impl/BKWI.wsdl": 2,
    f"{_BIJSTAND}/Bijstandsregelingen.wsdl": _SPLIT,
    f"{_BIJSTAND}/Impl/BKWI.wsdl": 2,
    f"{_BIJSTAND}/Impl/Inlichtingenbureau.wsdl": 4,
    f"{_BIJSTAND}/Impl/SVB.wsdl": 2,
    "wsdl/xbau-dvdv-2.6/XBau26-BAB2AIKsync.wsdl": _OSCI,
    "wsdl/xbau-dvdv-2.6/XBau26-BAB2BET.wsdl": _OSCI,
    "wsdl/xbau-dvdv-2.6/XBau26-BET2BAB.wsdl": _OSCI,
    "wsdl/xroad-management/managementservices.wsdl": 10,
    "xta/2.1.1/XTA.wsdl": 12,
    "xta/core-3.1.1/wsdl/xta-core.wsdl": 10,
}
"""File → operations that can be called, over all ports; or why none can."""


_SLOW = {file for file in VERDICTS if file.startswith(_ZDS) and "beantwoordVraag" not in file}
"""Siblings that share the schemas of the first, each of which takes ten seconds to read."""


@lru_cache
def load(path: Path) -> Wsdl:
    return Wsdl(path)


def test_every_published_description_has_a_verdict(test_data: Path) -> None:
    found = {str(p.relative_to(test_data)) for folder in ("wsdl", "xta") for p in (test_data / folder).rglob("*.wsdl")}
    assert found == set(VERDICTS)


@pytest.mark.parametrize(
    ("file", "verdict"),
    [
        pytest.param(file, verdict, marks=[pytest.mark.long] if file in _SLOW else [])
        for file, verdict in VERDICTS.items()
    ],
)
def test_what_a_published_description_is_good_for(test_data: Path, file: str, verdict: int | str) -> None:
    if isinstance(verdict, str):
        with pytest.raises(WsdlUnusable, match=verdict):
            load(test_data / file).operation("irgendetwas")
        return
    described = load(test_data / file)
    operations = [(port, name) for port, binding in described._bindings() for name in binding.all()]
    assert len(operations) == verdict
    for port, name in operations:
        operation = described.operation(name, port=port)
        for element in (operation.request, operation.response):
            assert element is None or described.declares(element)


def test_a_namespace_that_lies_in_several_files_is_read_whole(test_data: Path) -> None:
    described = load(test_data / f"{_ZDS}_beantwoordVraag_zs-dms.wsdl")
    operation = described.operation("geefZaakstatus_ZakLv01")
    assert operation.request is not None
    fields = {field.path for field in described.fields(operation.request)}
    assert {"stuurgegevens.referentienummer", "parameters.sortering"} <= fields
    question = etree.Element(operation.request)
    etree.SubElement(question, "{http://www.egem.nl/StUF/sector/zkn/0310}stuurgegevens")
    assert any("berichtcode" in error for error in described.errors(question)), "a type of the second file"


def test_a_message_of_rpc_style_is_described_by_its_parts(tmp_path: Path) -> None:
    (tmp_path / "r.wsdl").write_text(rpc_wsdl())
    described = Wsdl(tmp_path / "r.wsdl")
    operation = described.operation("VorgangAnlegen")
    assert (operation.rpc, operation.request) == (True, "{urn:rpc}VorgangAnlegen")
    assert operation.response == "{urn:rpc}VorgangAnlegenResponse"
    fields = {field.path: field for field in described.fields(operation.request)}
    assert fields["Vorgang"] == FieldSpec("Vorgang", True, "group")
    assert fields["Vorgang.Art"].allowed == ("NEU",)
    good = described.message(operation, {"Vorgang": {"FremdId": "k", "Art": "NEU", "Name": ["A"]}})[-1][0]
    assert described.errors(good) == []
    bad = described.message(operation, {"Vorgang": {"FremdId": "k", "Art": "ALT", "Name": ["A"]}})[-1][0]
    assert described.errors(bad)


def test_values_in_soaps_own_encoding_are_refused_because_no_schema_describes_them(tmp_path: Path) -> None:
    (tmp_path / "r.wsdl").write_text(rpc_wsdl(use="encoded"))
    with pytest.raises(WsdlUnusable, match='VorgangAnlegen is use="encoded", which WS-I Basic Profile forbids'):
        Wsdl(tmp_path / "r.wsdl").operation("VorgangAnlegen")


def test_an_operation_without_content_has_an_empty_body(test_data: Path) -> None:
    described = load(test_data / "xta/2.1.1/XTA.wsdl")
    operation = described.operation("createMessageId")
    assert operation.request is None
    assert len(described.message(operation, {})[-1]) == 0
    with pytest.raises(ValueError, match="empty body"):
        described.message(operation, {"Etwas": "1"})


def test_a_header_that_the_operation_does_not_have_is_refused_with_those_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.wsdl").write_text(addressed_wsdl())
    described = Wsdl(tmp_path / "a.wsdl")
    with pytest.raises(ValueError, match="no header kopff; there are: kopf"):
        described.message(described.operation("VorgangAnlegen"), {}, {"kopff": {}})
