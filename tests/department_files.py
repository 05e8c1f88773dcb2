"""Interface descriptions of an imaginary department, for tests of adapters that need one of their own."""

from __future__ import annotations

from pathlib import Path


def wsdl(soap12: bool = False) -> str:
    """Two inline schemas, the second of which imports the first without saying where it is, as many real WSDLs do."""
    soap = "http://schemas.xmlsoap.org/wsdl/soap12/" if soap12 else "http://schemas.xmlsoap.org/wsdl/soap/"
    messages = operations = bound = ""
    for name in ("VorgangAnlegen", "VorgangSuchen"):
        messages += (
            f'<w:message name="{name}A"><w:part name="p" element="t:{name}"/></w:message>'
            f'<w:message name="{name}E"><w:part name="p" element="t:{name}Antwort"/></w:message>'
        )
        ends = f'<w:input message="t:{name}A"/><w:output message="t:{name}E"/>'
        operations += f'<w:operation name="{name}">{ends}</w:operation>'
        literal = '<w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output>'
        bound += f'<w:operation name="{name}"><s:operation soapAction="urn:t:{name}"/>{literal}</w:operation>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="{soap}" xmlns:t="urn:t" xmlns:b="urn:b"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><w:types>
  <xs:schema targetNamespace="urn:b" elementFormDefault="qualified">
    <xs:simpleType name="Art"><xs:restriction base="xs:string">
      <xs:enumeration value="NEU"/><xs:enumeration value="ALT"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="Text"><xs:restriction base="xs:string"><xs:maxLength value="40"/></xs:restriction>
    </xs:simpleType></xs:schema>
  <xs:schema targetNamespace="urn:t" elementFormDefault="qualified"><xs:import namespace="urn:b"/>
    <xs:element name="VorgangAnlegen"><xs:complexType><xs:sequence><xs:element name="Vorgang"><xs:complexType>
      <xs:sequence>
      <xs:element name="FremdId" type="xs:string"/><xs:element name="Wiederholung" type="xs:boolean" minOccurs="0"/>
      <xs:element name="Art" type="b:Art"/><xs:element name="Name" type="b:Text" maxOccurs="3"/>
      <xs:choice minOccurs="0"><xs:element name="Mail" type="xs:string"/>
        <xs:element name="Telefon" type="xs:string"/></xs:choice>
      <xs:element name="Inhalt" type="xs:base64Binary" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
    <xs:element name="VorgangAnlegenAntwort"><xs:complexType><xs:sequence>
      <xs:element name="Vorgangsnummer" type="xs:string"/>
      <xs:element name="Aktenzeichen" type="xs:string" minOccurs="0"/>
      <xs:element name="Doppelt" type="xs:boolean"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="VorgangSuchen"><xs:complexType><xs:sequence>
      <xs:element name="FremdId" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="VorgangSuchenAntwort"><xs:complexType><xs:sequence>
      <xs:element name="Vorgangsnummer" type="xs:string" minOccurs="0"/>
      <xs:element name="Aktenzeichen" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
  </xs:schema></w:types>{messages}
  <w:portType name="P">{operations}</w:portType>
  <w:binding name="B" type="t:P"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    {bound}</w:binding>
  <w:service name="S"><w:port name="Port" binding="t:B">
    <s:address location="http://nowhere.invalid/"/></w:port></w:service>
</w:definitions>"""


OPENAPI = """
openapi: 3.0.3
info: {title: Test, version: "1"}
paths:
  /vorgaenge:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Vorgang"}}}}
      responses:
        "201": {description: da, content: {application/json: {schema: {$ref: "#/components/schemas/Ergebnis"}}}}
    get:
      responses:
        "200":
          description: Treffer
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Ergebnis"}}}}
components:
  schemas:
    Ergebnis:
      type: object
      required: [vorgangsnummer]
      additionalProperties: false
      properties: {vorgangsnummer: {type: string}, aktenzeichen: {type: string}}
    Vorgang:
      type: object
      required: [art, name]
      additionalProperties: false
      properties:
        fremdId: {type: string, maxLength: 64}
        wiederholung: {type: boolean}
        art: {type: string, enum: [NEU, ALT]}
        name: {type: string, maxLength: 40}
        betrag: {type: number, nullable: true}
        inhalt: {type: string, format: byte}
"""


def write(folder: Path) -> Path:
    """Both descriptions in a folder, as a target's folder has them."""
    (folder / "t.wsdl").write_text(wsdl(), encoding="utf-8")
    (folder / "t12.wsdl").write_text(wsdl(soap12=True), encoding="utf-8")
    (folder / "t.openapi.yaml").write_text(OPENAPI, encoding="utf-8")
    return folder
