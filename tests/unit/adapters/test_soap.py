"""What is special about SOAP: faults and their meaning, success told in the body, WSDLs that may not be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from department_files import write, wsdl
from lxml import etree

from adapters.base import DeliveryError, FieldSpec, OutcomeUnknown, Permanent, Request, Retryable, TargetConfig
from adapters.soap import SoapAdapter
from adapters.soap.addressing import message_id
from adapters.soap.envelope import SOAP11, SOAP12, NotSoap, read_envelope
from adapters.soap.wsdl import Wsdl, WsdlUnusable
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest

BODY = {"Vorgang": {"Art": "NEU", "Name": ["A"]}}


class Fixed(HttpDepartment):
    """Answers everything with the same reply, and keeps what it got."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__(prefix="X", idempotent=False)
        self.reply = reply
        self.requests: list[HttpRequest] = []

    def read(self, request: HttpRequest) -> HttpReply | Case:
        self.requests.append(request)
        return self.reply

    def act(self, case: Case) -> HttpReply:
        return self.reply

    def refusal(self) -> HttpReply:
        return self.reply


def enveloped(namespace: str, body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def fault(code: str, text: str = "", detail: str = "") -> bytes:
    what = f"<faultcode>{code}</faultcode><faultstring>{text}</faultstring><detail>{detail}</detail>"
    return enveloped(SOAP11, f"<s:Fault>{what}</s:Fault>")


def fault12(code: str, subcode: str) -> bytes:
    codes = f"<s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
    reason = '<s:Reason><s:Text xml:lang="de">x</s:Text></s:Reason>'
    return enveloped(SOAP12, f"<s:Fault>{codes}{reason}</s:Fault>")


def answer(inner: str) -> bytes:
    return enveloped(SOAP11, f'<VorgangAnlegenAntwort xmlns="urn:t">{inner}</VorgangAnlegenAntwort>')


GOOD = answer("<Vorgangsnummer>7</Vorgangsnummer><Doppelt>false</Doppelt>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


def adapter(folder: Path, url: str, **settings: Any) -> SoapAdapter:
    settings = {"wsdl": "t.wsdl", "url": url, "operation": "VorgangAnlegen", **settings}
    references = {"vorgangsnummer": "$.Vorgangsnummer"}
    return SoapAdapter(TargetConfig("t", str(folder), settings, references, key="$.Vorgang.FremdId", timeout=2.0))


def request(body: dict[str, Any] | None = None) -> Request:
    return Request("k", "s", body or BODY, "x", "2026-01-01T00:00:00Z")


def error_of(folder: Path, status: int, body: bytes, **settings: Any) -> DeliveryError:
    with Fixed(HttpReply(status, "text/xml", body)) as department, pytest.raises(DeliveryError) as caught:
        adapter(folder, department.url, **settings).deliver(request())
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (500, fault("s:Client"), Permanent, "soap.client"),
        (200, fault("s:Client"), Permanent, "soap.client"),
        (500, fault("s:Server"), OutcomeUnknown, "soap.server"),
        (503, fault("s:Server"), Retryable, "http.503"),
        (401, fault("s:Server"), Permanent, "http.401"),
        (500, fault("s:VersionMismatch"), Permanent, "soap.contract"),
        (500, fault("s:MustUnderstand"), Permanent, "soap.contract"),
        (500, fault("wsse:FailedAuthentication"), Permanent, "soap.auth"),
        (500, fault("s:Client.Authentication"), Permanent, "soap.auth"),
        (500, fault("wsu:MessageExpired"), Retryable, "soap.message_expired"),
        (500, fault("x:Seltsam"), OutcomeUnknown, "soap.fault"),
        (500, fault12("s:Sender", "x:Fachlich"), Permanent, "soap.client"),
        (500, fault12("s:Sender", "wsse:InvalidSecurityToken"), Permanent, "soap.auth"),
        (500, fault12("s:Receiver", "x:Y"), OutcomeUnknown, "soap.server"),
        (500, b"<broken", OutcomeUnknown, "http.500"),
        (200, b"<broken", OutcomeUnknown, "soap.answer_unreadable"),
        (200, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', OutcomeUnknown, "soap.answer_unreadable"),
        (200, answer("<Vorgangsnummer>7</Vorgangsnummer>"), OutcomeUnknown, "soap.answer_invalid"),
        (200, GOOD.replace(b"VorgangAnlegenAntwort", b"Anderes"), OutcomeUnknown, "soap.answer_unexpected"),
        (502, b"<html><body/></html>", OutcomeUnknown, "http.502"),
    ],
)
def test_every_answer_has_its_decision(
    folder: Path, status: int, body: bytes, kind: type[DeliveryError], code: str
) -> None:
    error = error_of(folder, status, body)
    assert (type(error), error.code) == (kind, code)


def test_the_targets_own_table_of_faults_comes_first(folder: Path) -> None:
    rules = [{"match": "StUF055", "outcome": "permanent", "code": "stuf.invalid"}]
    error = error_of(folder, 500, fault("s:Server", detail="<code>StUF055</code>"), faults=rules)
    assert (type(error), error.code) == (Permanent, "stuf.invalid")
    rules = [{"match": "schon vorhanden", "outcome": "already_there"}]
    with Fixed(HttpReply(500, "text/xml", fault("s:Client", "schon vorhanden"))) as department:
        assert adapter(folder, department.url, faults=rules).deliver(request()).already_there


def test_a_standard_that_says_in_the_detail_whose_fault_it_is_is_believed(test_data: Path, folder: Path) -> None:
    ours = (test_data / "wsdl/stuf-zds-1.2/samples/fo03-fault-client.xml").read_bytes()
    error = error_of(folder, 500, ours)
    assert (type(error), error.code) == (Permanent, "soap.client")
    error = error_of(folder, 500, ours.replace(b">client<", b">server<").replace(b"Client", b"Server"))
    assert (type(error), error.code) == (OutcomeUnknown, "soap.server")
    cmis = '<m:cmisFault xmlns:m="urn:m"><m:type>{}</m:type><m:code>0</m:code></m:cmisFault>'
    for kind, outcome in (("constraint", Permanent), ("updateConflict", Permanent), ("runtime", OutcomeUnknown)):
        assert type(error_of(folder, 500, fault("s:Server", detail=cmis.format(kind)))) is outcome


def test_an_answer_to_another_message_says_nothing_about_ours(folder: Path) -> None:
    wsa = "http://www.w3.org/2005/08/addressing"

    def answered(message_id: str) -> bytes:
        header = f'<s:Header><a:RelatesTo xmlns:a="{wsa}">{message_id}</a:RelatesTo></s:Header><s:Body>'
        return GOOD.replace(b"<s:Body>", header.encode())

    error = error_of(folder, 200, answered("urn:uuid:other"), addressing=True)
    assert (type(error), error.code) == (OutcomeUnknown, "soap.answer_unexpected")
    with Fixed(HttpReply(200, "text/xml", answered(message_id("k")))) as department:
        target = adapter(folder, department.url, addressing=True, addressed_to="urn:amt:bau")
        assert target.deliver(request()).references == {"vorgangsnummer": "7"}
        [sent] = department.requests
    header = read_envelope(sent.body).root[0]
    told = {etree.QName(field).localname: "".join(map(str, field.itertext())) for field in header}
    assert told == {
        "Action": "urn:t:VorgangAnlegen",
        "MessageID": message_id("k"),
        "To": "urn:amt:bau",
        "ReplyTo": f"{wsa}/anonymous",
    }


def test_a_refusal_told_by_a_number_in_the_body_is_seen(folder: Path) -> None:
    success = {"path": "$.Vorgangsnummer", "equals": ["7", "8"]}
    with Fixed(HttpReply(200, "text/xml", GOOD)) as department:
        assert adapter(folder, department.url, success=success).deliver(request()).references == {"vorgangsnummer": "7"}
    refused = error_of(folder, 200, GOOD, success={"path": "$.Vorgangsnummer", "equals": 0})
    assert (type(refused), refused.code) == (Permanent, "soap.refused")
    missing = error_of(folder, 200, GOOD, success={"path": "$.Aktenzeichen", "equals": 0})
    assert (type(missing), missing.code) == (OutcomeUnknown, "soap.success_missing")


@pytest.mark.parametrize(
    "body",
    [
        {"Vorgang": {"Art": "UNBEKANNT", "Name": ["A"]}},
        {"Vorgang": {"Art": "NEU", "Name": ["A"], "Gibtsnicht": "1"}},
        {"Vorgang": {"Art": "NEU"}},
        {"Vorgang": {"Art": "NEU", "Name": ["A\x00B"]}},
        {"Vorgang": {"Art": "NEU", "Name": ["A"] * 4}},
        {"Vorgang": {"Art": "NEU", "Name": ["A"], "Inhalt": {"$attachment": "fremd"}}},
        {"Vorgang": "Text"},
    ],
)
def test_a_body_that_does_not_fit_the_wsdl_is_never_sent(folder: Path, body: dict[str, Any]) -> None:
    with Fixed(HttpReply(200, "text/xml", GOOD)) as department, pytest.raises(Permanent) as caught:
        adapter(folder, department.url).deliver(request(body))
    assert caught.value.failure in ("mapping", "contract")
    assert department.requests == []


def test_a_wsdl_that_leads_to_the_network_is_refused_without_going_there(tmp_path: Path) -> None:
    text = wsdl().replace(
        '<xs:import namespace="urn:b"/>', '<xs:import namespace="urn:b" schemaLocation="http://127.0.0.1:1/b"/>'
    )
    (tmp_path / "t.wsdl").write_text(text)
    with pytest.raises(WsdlUnusable, match="not a local file"):
        Wsdl(tmp_path / "t.wsdl")
    (tmp_path / "b.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="https://127.0.0.1:1/c"/></xs:schema>'
    )
    (tmp_path / "t.wsdl").write_text(text.replace("http://127.0.0.1:1/b", "b.xsd"))
    with pytest.raises(WsdlUnusable, match="not a local file"):
        Wsdl(tmp_path / "t.wsdl")


def test_a_wsdl_with_a_doctype_or_a_missing_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.wsdl").write_text(wsdl().replace("<w:definitions", "<!DOCTYPE w><w:definitions", 1))
    with pytest.raises(WsdlUnusable):
        Wsdl(tmp_path / "t.wsdl")
    (tmp_path / "t.wsdl").write_text(
        wsdl().replace('namespace="urn:b"/>', 'namespace="urn:b" schemaLocation="gone.xsd"/>')
    )
    with pytest.raises(WsdlUnusable):
        Wsdl(tmp_path / "t.wsdl")


def test_fields_say_what_must_be_filled_and_with_what(folder: Path) -> None:
    fields = {field.path: field for field in Wsdl(folder / "t.wsdl").fields("{urn:t}VorgangAnlegen")}
    assert fields["Vorgang"] == FieldSpec("Vorgang", True, "group")
    assert fields["Vorgang.Art"] == FieldSpec("Vorgang.Art", True, "string", ("NEU", "ALT"))
    assert fields["Vorgang.Name"] == FieldSpec("Vorgang.Name", True, "string", (), 40, True)
    assert fields["Vorgang.Wiederholung"].type == "boolean"
    assert not fields["Vorgang.Mail"].required  # one of a choice
    assert not fields["Vorgang.Inhalt"].required


def test_check_names_every_place_that_the_wsdl_does_not_know(folder: Path) -> None:
    settings = {
        "wsdl": "t.wsdl",
        "url": "http://localhost/",
        "operation": "VorgangAnlegen",
        "repeat_mark": "$.Vorgang.X",
    }
    config = TargetConfig(
        "t", str(folder), settings, {"a": "$.Y"}, key="$.Z", probe={"operation": "VorgangSuchen", "key": "$.Q"}
    )
    told = " ".join(finding.text.en for finding in SoapAdapter(config).check())
    assert all(place in told for place in ("$.Vorgang.X", "$.Y", "$.Z", "$.Q"))


def test_settings_that_are_wrong_are_findings_with_the_nearest_name(folder: Path) -> None:
    findings = SoapAdapter(
        TargetConfig("t", str(folder), {"wsdl": "t.wsdl", "url": "ftp://x", "operatoin": "X"})
    ).check()
    told = {finding.text.en: finding.remedy.en for finding in findings}
    assert len(findings) == 3
    assert "Did you mean 'operation'?" in told.values()
    assert any(text.startswith("operation: this setting is missing") for text in told)


def test_what_is_no_envelope_is_not_read() -> None:
    for data in (b"", b"{}", b"<a/>", b'<s:Envelope xmlns:s="urn:other"><s:Body/></s:Envelope>'):
        with pytest.raises(NotSoap):
            read_envelope(data)
    two = f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><a/><b/></s:Body></s:Envelope>'
    with pytest.raises(NotSoap):
        read_envelope(two.encode())


@pytest.mark.parametrize(
    ("file", "operation"),
    [
        ("jcc-afspraken/GenericGuidanceSystem2.wsdl", "getGovAvailableDays"),
        ("xroad-management/managementservices.wsdl", "clientReg"),
        ("eakte-dms-muenchen/dmsin-eai-1.10.wsdl", "CreateFileGI"),
        ("cmis-1.1/CMISWS-Service.wsdl", "createDocument"),
    ],
)
def test_real_interfaces_can_be_used(test_data: Path, file: str, operation: str) -> None:
    described = Wsdl(test_data / "wsdl" / file)
    found = described.operation(operation)
    assert described.fields(found.request)
