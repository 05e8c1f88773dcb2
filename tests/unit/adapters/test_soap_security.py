"""What goes into a SOAP header, and that a strict department refuses everything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from department_files import write
from lxml import etree
from soap_files import addressed_wsdl, signer

from adapters.base import Permanent, Request, Retryable, TargetConfig
from adapters.soap import SoapAdapter
from adapters.soap.addressing import WSA, address
from adapters.soap.security import DS, WSSE, WSU, Security, SecuritySettings
from adapters.testkit import SoapDepartment, Wanted
from adapters.testkit.soap_gate import Refused, SoapGate

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = {"Vorgang": {"Art": "NEU", "Name": ["A"]}}
SETTINGS = {
    "username": {"name": "amt", "password": "geheim"},
    "timestamp": "5m",
    "signature": {"certificate": "amt.pem", "key": "amt.key"},
}


def envelope() -> etree._Element:
    text = f'<s:Envelope xmlns:s="{SOAP}"><s:Body><t:A xmlns:t="urn:t"><t:B>1</t:B></t:A></s:Body></s:Envelope>'
    made = etree.fromstring(text)
    address(made, action="urn:a", to="http://x/", key="k")
    return made


@pytest.fixture
def signed(tmp_path: Path) -> tuple[etree._Element, Wanted]:
    certificate = signer(tmp_path)
    made = envelope()
    Security(SecuritySettings.model_validate(SETTINGS), tmp_path, lambda: NOW).apply(made)
    # As it arrives: what was signed must survive the wire.
    arrived = etree.fromstring(etree.tostring(made, xml_declaration=True, encoding="utf-8"))
    return arrived, Wanted(password=("amt", "geheim"), signer=certificate, addressing=True)


def refusal(message: etree._Element, wanted: Wanted, at: datetime = NOW) -> str:
    with pytest.raises(Refused) as caught:
        SoapGate(wanted, lambda: at).judge(message, "urn:a", ())
    return caught.value.code


def test_name_time_and_signature_are_believed_once(signed: tuple[etree._Element, Wanted]) -> None:
    message, wanted = signed
    gate = SoapGate(wanted, lambda: NOW)
    gate.judge(message, "urn:a", ())
    with pytest.raises(Refused) as again:
        gate.judge(message, "urn:a", ())
    assert again.value.code == "wsse:FailedAuthentication"


def change_body(message: etree._Element) -> None:
    message[-1][0][0].text = "2"


def move_body(message: etree._Element) -> None:
    """Signature wrapping: the signed body is still there, and another one is acted on."""
    wrapper = etree.SubElement(message[0], "{urn:x}Wrapper")
    wrapper.append(message[-1])
    body = etree.SubElement(message, f"{{{SOAP}}}Body")
    etree.SubElement(body, "{urn:t}A")


def change_address(message: etree._Element) -> None:
    next(message.iter(f"{{{WSA}}}To")).text = "http://y/"


def lengthen_life(message: etree._Element) -> None:
    next(message.iter(f"{{{WSU}}}Expires")).text = "2030-01-01T00:00:00Z"


def drop(name: str) -> Callable[[etree._Element], None]:
    def dropped(message: etree._Element) -> None:
        element = next(message.iter(name))
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return dropped


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (change_body, "wsse:FailedCheck"),
        (move_body, "wsse:InvalidSecurity"),
        (change_address, "wsse:FailedCheck"),
        (lengthen_life, "wsse:FailedCheck"),
        (drop(f"{{{DS}}}Signature"), "wsse:InvalidSecurity"),
        (drop(f"{{{WSSE}}}Security"), "wsse:InvalidSecurity"),
        (drop(f"{{{WSA}}}MessageID"), "wsa:MessageAddressingHeaderRequired"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(
    signed: tuple[etree._Element, Wanted], tamper: Callable[[etree._Element], None], code: str
) -> None:
    message, wanted = signed
    tamper(message)
    assert refusal(message, wanted) == code


def test_a_message_of_another_time_or_signer_is_refused(signed: tuple[etree._Element, Wanted], tmp_path: Path) -> None:
    message, wanted = signed
    assert refusal(message, wanted, NOW + timedelta(minutes=5)) == "wsu:MessageExpired"
    assert refusal(message, wanted, NOW - timedelta(hours=1)) == "wsu:MessageExpired"
    other = Wanted(password=wanted.password, signer=signer(tmp_path), addressing=True)
    assert refusal(message, other) == "wsse:FailedCheck"


def test_a_header_that_must_be_understood_and_is_not_stops_the_message() -> None:
    message = envelope()
    etree.SubElement(message[0], "{urn:x}Fremd", {f"{{{SOAP}}}mustUnderstand": "1"})
    assert refusal(message, Wanted()) == "s:MustUnderstand"


def adapter(folder: Path, url: str, **settings: Any) -> SoapAdapter:
    fixed = {"wsdl": "t.wsdl", "url": url, "operation": "VorgangAnlegen"}
    return SoapAdapter(TargetConfig("t", str(folder), fixed | settings, key="$.Vorgang.FremdId", timeout=5.0))


def request(body: dict[str, Any] | None = None) -> Request:
    return Request("k", "s", body or BODY, "x", "2026-01-01T00:00:00Z")


def test_a_wrong_password_and_a_password_in_the_clear_are_refused_as_credentials(tmp_path: Path) -> None:
    for username in ({"name": "amt", "password": "falsch"}, {"name": "amt", "password": "geheim", "digest": False}):
        with (
            SoapDepartment(write(tmp_path) / "t.wsdl", wanted=Wanted(password=("amt", "geheim"))) as department,
            pytest.raises(Permanent) as caught,
        ):
            adapter(tmp_path, department.url, security={"username": username}).deliver(request())
        assert (caught.value.code, caught.value.failure) == ("soap.auth", "auth")
        assert department.received == []


def test_a_clock_that_is_wrong_is_a_reason_to_try_again(tmp_path: Path) -> None:
    wanted = Wanted(password=("amt", "geheim"))
    with SoapDepartment(write(tmp_path) / "t.wsdl", wanted=wanted) as department:
        department._gate = SoapGate(wanted, lambda: datetime.now(UTC) + timedelta(hours=1))
        with pytest.raises(Retryable) as caught:
            adapter(tmp_path, department.url, security={"username": SETTINGS["username"]}).deliver(request())
    assert caught.value.code == "soap.message_expired"


def test_a_header_field_may_be_mapped_from_the_case(tmp_path: Path) -> None:
    (tmp_path / "d.wsdl").write_text(addressed_wsdl())
    with SoapDepartment(tmp_path / "d.wsdl") as department:
        target = adapter(tmp_path, department.url, wsdl="d.wsdl")
        fields = {field.path: field.required for field in target.required_fields() or []}
        assert fields["_header.kopf.Amt"]
        assert not fields["_header.kopf.Stelle"]
        target.deliver(request({**BODY, "_header": {"kopf": {"Amt": "Bauamt"}}}))
        assert len(department.received) == 1
        with pytest.raises(Permanent) as caught:
            target.deliver(request({**BODY, "_header": {"kopf": {"Amt": "A" * 41}}}))
        assert caught.value.failure == "mapping", "the header's own types hold too"
        with pytest.raises(Permanent) as missing:
            target.deliver(request())
        assert missing.value.code == "soap.client"


def test_a_preview_shows_neither_password_nor_a_signature_that_could_be_used(tmp_path: Path) -> None:
    signer(tmp_path)
    (tmp_path / "d.wsdl").write_text(addressed_wsdl())
    target = adapter(
        tmp_path,
        "http://127.0.0.1:9",
        wsdl="d.wsdl",
        security={**SETTINGS, "username": {"name": "amt", "password": "geheim", "digest": False}},
        soap_headers={"kopf": {"Amt": "Schluessel-7"}},
    )
    shown = target.preview(request()).body.decode()
    assert "geheim" not in shown
    assert "Schluessel-7" not in shown
    assert "SignatureValue" not in shown
    assert all(told in shown for told in ("***", "wsse:Username>amt<", "urn:t:VorgangAnlegen:bitte"))


def test_check_finds_headers_actions_and_certificates_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path)
    target = adapter(
        tmp_path, "http://127.0.0.1:9", soap_headers={"kopf": {}}, security={"signature": {"certificate": "weg.pem"}}
    )
    assert {finding.found for finding in target.check()} == {"soap_headers.kopf", "security.signature"}
