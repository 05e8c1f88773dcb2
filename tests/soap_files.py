"""WSDLs that want more than the plain one of `department_files`, and somebody who signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from department_files import wsdl

_WSAM = "http://www.w3.org/2007/05/addressing/metadata"


def addressed_wsdl(soap12: bool = False) -> str:
    """With WS-Addressing actions, and a header field that every request needs."""
    text = wsdl(soap12).replace("<w:definitions ", f'<w:definitions xmlns:m="{_WSAM}" ', 1)
    for name in ("VorgangAnlegen", "VorgangSuchen"):
        text = text.replace(
            f'<w:input message="t:{name}A"/>', f'<w:input message="t:{name}A" m:Action="urn:t:{name}:bitte"/>'
        )
    kopf = (
        '<xs:element name="Absender"><xs:complexType><xs:sequence><xs:element name="Amt" type="b:Text"/>'
        '<xs:element name="Stelle" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>'
    )
    text = text.replace('<xs:import namespace="urn:b"/>', f'<xs:import namespace="urn:b"/>{kopf}')
    message = '<w:message name="Kopf"><w:part name="kopf" element="t:Absender"/></w:message><w:portType'
    field = '<w:input><s:header message="t:Kopf" part="kopf" use="literal"/>'
    return text.replace("<w:portType", message, 1).replace("<w:input><s:body", f"{field}<s:body")


def rpc_wsdl(use: str = "literal") -> str:
    """RPC style: messages are made of typed parts."""
    body = f'<s:body use="{use}" namespace="urn:rpc"/>'
    ends = f"<w:input>{body}</w:input><w:output>{body}</w:output>"
    described = bound = ""
    for name in ("VorgangAnlegen", "VorgangSuchen"):
        described += (
            f'<w:operation name="{name}"><w:input message="t:{name}A"/><w:output message="t:{name}E"/></w:operation>'
        )
        bound += f'<w:operation name="{name}"><s:operation soapAction="urn:t:{name}"/>{ends}</w:operation>'
    return f"""<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><w:types>
  <xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:complexType name="Vorgang"><xs:sequence>
      <xs:element name="FremdId" type="xs:string"/><xs:element name="Wiederholung" type="xs:boolean" minOccurs="0"/>
      <xs:element name="Art"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="NEU"/>
        </xs:restriction></xs:simpleType></xs:element>
      <xs:element name="Name" type="xs:string" maxOccurs="3"/>
      <xs:element name="Inhalt" type="xs:base64Binary" minOccurs="0"/></xs:sequence></xs:complexType>
    <xs:complexType name="Ergebnis"><xs:sequence>
      <xs:element name="Vorgangsnummer" type="xs:string" minOccurs="0"/>
      <xs:element name="Aktenzeichen" type="xs:string" minOccurs="0"/>
      <xs:element name="Doppelt" type="xs:boolean" minOccurs="0"/></xs:sequence></xs:complexType>
  </xs:schema></w:types>
  <w:message name="VorgangAnlegenA"><w:part name="Vorgang" type="t:Vorgang"/></w:message>
  <w:message name="VorgangAnlegenE"><w:part name="Ergebnis" type="t:Ergebnis"/></w:message>
  <w:message name="VorgangSuchenA"><w:part name="FremdId" type="xs:string"/></w:message>
  <w:message name="VorgangSuchenE"><w:part name="Ergebnis" type="t:Ergebnis"/></w:message>
  <w:portType name="P">{described}</w:portType>
  <w:binding name="B" type="t:P"><s:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    {bound}</w:binding>
  <w:service name="S"><w:port name="Port" binding="t:B"><s:address location="http://nowhere.invalid/"/></w:port>
  </w:service></w:definitions>"""


def signer(folder: Path, kind: Literal["rsa", "ec", "p12"] = "rsa") -> x509.Certificate:
    """Who signs: `amt.pem` with `amt.key`, or `amt.p12` under the password `geheim`."""
    made = rsa.generate_private_key(65537, 2048) if kind != "ec" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "amt")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(made.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(made, hashes.SHA256())
    )
    if kind == "p12":
        held = pkcs12.serialize_key_and_certificates(
            b"amt", made, certificate, None, BestAvailableEncryption(b"geheim")
        )
        (folder / "amt.p12").write_bytes(held)
    else:
        (folder / "amt.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "amt.key").write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate
