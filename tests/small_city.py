"""The smallest city: one service with a schema of its own, one target that takes its requests over REST."""

from __future__ import annotations

from pathlib import Path

from checking_support import checker_of

from adapters.registry import load_adapter
from gateway.checking import check_packages
from gateway.errors import ConfigurationError
from gateway.services import Packages
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:abholung:1"
           xmlns="urn:example:abholung:1" elementFormDefault="qualified">
  <xs:element name="abholung"><xs:complexType><xs:sequence>
    <xs:element name="name" type="xs:string"/>
    <xs:element name="ding" type="ding" maxOccurs="20"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:simpleType name="ding"><xs:restriction base="xs:string">
    <xs:enumeration value="sofa"/><xs:enumeration value="schrank"/>
  </xs:restriction></xs:simpleType>
</xs:schema>
"""
SERVICE = """title: Abholung
department: amt
accepts:
  - schema: xsd:urn:example:abholung:1
law: {regime: vwvfg}
targets: [amt]
attachments: {max_count: 0}
"""
MAPPING = """case:
  applicants:
    - role: applicant
      person: {familyName: {from: name, required: true}}
  data:
    things: {each: ding, make: {from: .}}
"""
TARGET = """adapter: rest
department: amt
url: https://amt.example/api
openapi: amt.openapi.yaml
path: /faelle
"""
OPENAPI = """openapi: 3.1.0
info: {title: Amt, version: "1"}
paths:
  /faelle:
    post:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              properties:
                wann: {type: string, format: date-time}
                dinge: {type: array, items: {enum: [SO, SR]}}
      responses: {"201": {description: ok}}
"""
REQUEST = """request:
  wann: {from: receivedAt, as: datetime}
  dinge:
    each: data/things
    make: {from: ., codes: {sofa: SO, schrank: SR}}
"""
MESSAGE = """<abholung xmlns="urn:example:abholung:1"><name>Muster</name><ding>sofa</ding></abholung>"""
CASE = """{"applicants": [{"role": "applicant", "person": {"familyName": "Muster"}}], "data": {"things": ["sofa"]}}"""


class City:
    """A folder of packages, sound as it stands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {
            "schema/abholung.xsd": XSD,
            "services/abholung/service.yaml": SERVICE,
            "services/abholung/mapping.yaml": MAPPING,
            "services/abholung/samples/eins/data.xml": MESSAGE,
            "services/abholung/samples/eins/case.json": CASE,
            "targets/amt/target.yaml": TARGET,
            "targets/amt/amt.openapi.yaml": OPENAPI,
            "targets/amt/request.yaml": REQUEST,
        }.items():
            self.write(name, text)
        self.registry = Registry(folder / "registry")
        self.registry.import_path(folder / "schema")

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def findings(self) -> list[Finding]:
        """All that `gateway check` would say, whether the packages can be read or not."""
        try:
            packages = Packages.load([self.folder], self.registry)
        except ConfigurationError as error:
            return error.findings
        return check_packages(packages, checker_of(self.registry), load_adapter)

    def told(self) -> list[tuple[str, str, str, int | None]]:
        return [(f.severity, f.code, Path(f.path).name, f.line) for f in self.findings()]
