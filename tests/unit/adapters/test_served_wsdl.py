"""The WSDL that a target serves today against the one that we check by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from department_files import write

from adapters.base import DeliveryError, Permanent, Retryable, ServesContract, TargetConfig
from adapters.soap import SoapAdapter
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest
from xoev_schemas.findings import Finding

REFERENCES = {"vorgangsnummer": "$.Vorgangsnummer", "aktenzeichen": "$.Aktenzeichen"}


class Shelf(HttpDepartment):
    """Serves documents by address (path and query), and 404 for any other."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        super().__init__(prefix="X", idempotent=False)
        self._documents = documents

    def read(self, request: HttpRequest) -> HttpReply | Case:
        query = "?" + "&".join(request.query) if request.query else ("?wsdl" if "?wsdl" in self._documents else "")
        text = self._documents.get(request.path + query) or self._documents.get(request.path)
        return HttpReply(200, "text/xml", text.encode()) if text is not None else self.refusal()

    def act(self, case: Case) -> HttpReply:
        return self.refusal()

    def refusal(self) -> HttpReply:
        return HttpReply(404, "text/plain", b"nothing here")


def compared(folder: Path, documents: Mapping[str, str], **settings: Any) -> list[Finding] | None:
    with Shelf(documents) as shelf:
        given = {"url": f"{shelf.url}/dienst", "wsdl": "t.wsdl", "operation": "VorgangAnlegen"}
        adapter = SoapAdapter(TargetConfig("t", str(folder), given | settings, REFERENCES, timeout=5.0))
        assert isinstance(adapter, ServesContract)
        try:
            return adapter.compare_contract()
        finally:
            adapter.close()


def told(findings: list[Finding] | None) -> list[tuple[str, str | None]]:
    assert findings is not None
    assert all(f.code == "config.contract_differs" and f.text.de and f.text.en for f in findings)
    return [(f.severity, f.found) for f in findings]


@pytest.mark.parametrize(
    ("before", "now", "differences"),
    [
        ("", "", []),
        ('name="Wiederholung" type="xs:boolean" minOccurs="0"', 'name="Wiederholung" type="xs:boolean"', ["error"]),
        ('<xs:enumeration value="ALT"/>', "", ["error"]),
        ('<xs:maxLength value="40"/>', '<xs:maxLength value="20"/>', ["error"]),
        ('<xs:maxLength value="40"/>', '<xs:maxLength value="60"/>', []),
        ('name="FremdId" type="xs:string"/><xs:element', 'name="Id" type="xs:string"/><xs:element', ["error", "error"]),
        ('name="Vorgangsnummer"', 'name="Nummer"', ["error"]),
    ],
    ids=["the same", "has to be filled now", "value gone", "shorter", "longer", "renamed", "answer renamed"],
)
def test_what_would_break_is_an_error(tmp_path: Path, before: str, now: str, differences: list[str]) -> None:
    own = (write(tmp_path) / "t.wsdl").read_text(encoding="utf-8")
    assert before in own
    found = compared(tmp_path, {"/dienst": own.replace(before, now)}, served_at="/dienst?wsdl")
    assert [severity for severity, _ in told(found)] == differences


def test_a_description_in_several_documents_is_brought_whole(tmp_path: Path) -> None:
    own = (write(tmp_path) / "t.wsdl").read_text(encoding="utf-8")
    start = own.index('<xs:schema targetNamespace="urn:b"')
    inline, end = own[start:], own.index("</xs:schema>", start) + len("</xs:schema>")
    types = own[start:end].replace("<xs:schema", '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"', 1)
    split = own.replace(own[start:end], "").replace(
        '<xs:import namespace="urn:b"/>', '<xs:import namespace="urn:b" schemaLocation="typen/b.xsd"/>'
    )
    assert inline
    assert told(compared(tmp_path, {"/dienst": split, "/typen/b.xsd": types}, served_at="/dienst?wsdl")) == []
    shorter = types.replace('maxLength value="40"', 'maxLength value="9"')
    found = compared(tmp_path, {"/dienst": split, "/typen/b.xsd": shorter}, served_at="/dienst?wsdl")
    assert told(found) == [("error", "Vorgang.Name")]


@pytest.mark.parametrize("document", ["<kein-wsdl/>", "no xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_what_is_no_wsdl_is_said_to_be_none(tmp_path: Path, document: str) -> None:
    write(tmp_path)
    found = compared(tmp_path, {"/dienst": document}, served_at="/dienst?wsdl")
    assert found is not None
    assert [(f.code, f.severity, f.found) for f in found] == [("config.soap", "error", "served_at")]


def test_a_document_on_another_host_is_not_fetched(tmp_path: Path) -> None:
    own = (write(tmp_path) / "t.wsdl").read_text(encoding="utf-8")
    away = 'schemaLocation="http://anderswo.example/b.xsd"'
    document = own.replace('<xs:import namespace="urn:b"/>', f'<xs:import namespace="urn:b" {away}/>')
    found = compared(tmp_path, {"/dienst": document}, served_at="/dienst?wsdl")
    assert found is not None
    assert [f.code for f in found] == ["config.soap"]


def test_where_none_is_served_there_is_nothing_to_compare(tmp_path: Path) -> None:
    write(tmp_path)
    assert compared(tmp_path, {}) is None
    with pytest.raises(DeliveryError) as missing:
        compared(tmp_path, {}, served_at="/dienst?wsdl")
    assert isinstance(missing.value, Permanent)
    with pytest.raises(Retryable):
        compared(tmp_path, {}, served_at="/dienst?wsdl", url="http://127.0.0.1:9/dienst")
