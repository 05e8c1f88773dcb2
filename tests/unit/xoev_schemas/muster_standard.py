"""Small standards of our own, so that most tests need no third-party data."""

from __future__ import annotations

from pathlib import Path

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'

METADATA = """<xs:annotation><xs:appinfo>
 <standard><nameLang>Musterstandard</nameLang><nameKurz>XMuster</nameKurz><nameTechnisch>xmuster</nameTechnisch>
 <kennung>urn:xoev-de:beispiel:standard:xmuster</kennung></standard>
 <versionStandard><version>1.0</version></versionStandard></xs:appinfo></xs:annotation>"""

# Two message files that share a namespace and no root schema, and a component that both need under a published URL.
MUSTER = {
    "xmuster-nachrichten-a.xsd": f"""<xs:schema {XS} xmlns:m="urn:muster" targetNamespace="urn:muster"
        xmlns:c="urn:component" elementFormDefault="qualified" version="1.0">{METADATA}
      <xs:include schemaLocation="xmuster-baukasten.xsd"/>
      <xs:import namespace="urn:component" schemaLocation="https://example.org/component.xsd"/>
      <xs:element name="antrag.neu.0001"><xs:complexType><xs:sequence>
        <xs:element name="name" type="m:Name"/>
        <xs:element name="geburt" type="xs:date"/>
        <xs:element name="art" type="c:Art" minOccurs="0"/>
        <xs:element name="anlage" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
          <xs:element name="datei" type="xs:string"/></xs:sequence>
          <xs:attribute name="nr" type="xs:int" use="required"/></xs:complexType></xs:element>
        <xs:choice><xs:element name="ja" type="xs:boolean"/><xs:element name="nein" type="xs:boolean"/></xs:choice>
        <xs:element name="kopf" form="unqualified" type="xs:string" minOccurs="0"/>
      </xs:sequence><xs:attribute name="test"/></xs:complexType></xs:element></xs:schema>""",
    "xmuster-nachrichten-b.xsd": f"""<xs:schema {XS} xmlns:m="urn:muster" targetNamespace="urn:muster"
        elementFormDefault="qualified" version="1.0">{METADATA}
      <xs:include schemaLocation="xmuster-baukasten.xsd"/>
      <xs:element name="antrag.zurueck.0002" type="m:Baum"/></xs:schema>""",
    "xmuster-baukasten.xsd": f"""<xs:schema {XS} xmlns:m="urn:muster" targetNamespace="urn:muster"
        elementFormDefault="qualified" version="1.0">{METADATA}
      <xs:simpleType name="Name"><xs:restriction base="xs:string"><xs:maxLength value="10"/>
        <xs:pattern value="[A-Za-zäöüß ]*"/></xs:restriction></xs:simpleType>
      <xs:complexType name="Baum"><xs:sequence>
        <xs:element name="ast" type="m:Baum" minOccurs="0" maxOccurs="3"/></xs:sequence></xs:complexType>
      </xs:schema>""",
    "parts/component.xsd": f"""<xs:schema {XS} targetNamespace="urn:component">
      <xs:simpleType name="Art"><xs:restriction base="xs:token"><xs:enumeration value="1"/><xs:enumeration value="2"/>
      </xs:restriction></xs:simpleType></xs:schema>""",
    "catalog.xml": """<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">
      <uri name="https://example.org/component.xsd" uri="parts/component.xsd"/></catalog>""",
}

FIM_XSD = f"""<xs:schema {XS} xmlns="urn:fim-de:xfall:datenschema:xdf3"
    targetNamespace="urn:fim-de:xfall:datenschema:xdf3" elementFormDefault="qualified">
  <xs:element name="S99000000001V1.0.0"><xs:annotation><xs:documentation>Datenschema: Muster</xs:documentation>
    </xs:annotation><xs:complexType><xs:sequence><xs:element ref="F60000000242V1.0.0"/></xs:sequence></xs:complexType>
  </xs:element>
  <xs:element name="F60000000242V1.0.0"><xs:annotation><xs:documentation>Datenfeld: E-Mail - Wertebereich: Text
    </xs:documentation></xs:annotation><xs:simpleType><xs:restriction base="xs:string">
    <xs:pattern value="^[a-z]+@[a-z]+\\.[a-z]{{2,9}}$"/></xs:restriction></xs:simpleType></xs:element></xs:schema>"""

FIM_JSON = r"""{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "S99000000001V1.0.0.schema.json",
  "title": "Muster", "type": "object", "additionalProperties": false, "required": ["F60000000242V1.0.0"],
  "properties": {"F60000000242V1.0.0": {"title": "E-Mail", "type": "string", "pattern": "[a-z]+@[a-z]+\\.[a-z]{2,9}$"}}
}"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder
