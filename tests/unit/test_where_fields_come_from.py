"""Where the fields of a request come from, for the smallest city with requests of every form."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_city import City

from adapters.registry import load_adapter
from gateway.packages.origins import Origin
from gateway.packages.tracing import RequestField, RequestTable, request_tables
from gateway.services import Packages

XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:abholung:1"
           xmlns="urn:example:abholung:1" elementFormDefault="qualified">
  <xs:element name="abholung"><xs:complexType><xs:sequence>
    <xs:element name="name" type="xs:string">
      <xs:annotation><xs:documentation>Wie Sie heißen. Bitte vollständig.</xs:documentation></xs:annotation>
    </xs:element>
    <xs:element name="beruf" type="xs:string" minOccurs="0"/>
    <xs:element name="tag" type="xs:date" minOccurs="0"/>
    <xs:element name="vertreten" type="xs:boolean"/>
    <xs:element name="vertreter" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="name" type="xs:string"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="ding" type="ding" maxOccurs="20"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:simpleType name="ding"><xs:restriction base="xs:string">
    <xs:enumeration value="sofa"/><xs:enumeration value="schrank"/>
  </xs:restriction></xs:simpleType>
</xs:schema>
"""
MAPPING = """case:
  applicants:
    - role: applicant
      person: {familyName: {from: name, required: true}}
  parties:
    - when: {path: vertreten, equals: true}
      role: representative
      person: {familyName: {from: vertreter/name}}
  data:
    job: {from: beruf, default: ohne}
    day: {from: tag, as: date}
    represented: {from: vertreten, as: boolean, required: true}
    things: {each: ding, make: {from: .}}
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
              required: [wann, wer, beruf, art, dinge]
              properties:
                wann: {type: string, format: date-time}
                wer: {type: string}
                beruf: {type: string}
                art: {type: string}
                tag: {type: string, format: date}
                dinge: {type: array, items: {enum: [SO, SR]}}
                vertretung:
                  type: object
                  required: [name]
                  properties: {name: {type: string}}
                bemerkung:
                  type: object
                  required: [text]
                  properties: {text: {type: string}}
      responses: {"201": {description: ok}}
"""
REQUEST = """request:
  wann: {from: receivedAt, as: datetime}
  wer: {concat: [Frau/Herr, {from: "applicants[1]/person/familyName"}], separator: " "}
  beruf: {from: data/job}
  art: Abholung
  tag: {from: data/day, as: german-date}
  vertretung:
    when: {path: data/represented, equals: true}
    name: {from: "parties[role='representative']/person/familyName"}
  dinge:
    each: data/things
    make: {from: ., codes: {sofa: SO, schrank: SR}}
"""


@pytest.fixture
def city(tmp_path: Path) -> City:
    city = City(tmp_path)
    city.write("schema2/abholung.xsd", XSD.replace("abholung:1", "abholung:2"))
    city.registry.import_path(tmp_path / "schema2")
    city.change("services/abholung/service.yaml", "abholung:1", "abholung:2")
    city.write("services/abholung/mapping.yaml", MAPPING)
    city.write("targets/amt/amt.openapi.yaml", OPENAPI)
    city.write("targets/amt/request.yaml", REQUEST)
    return city


def tables(city: City, *, everything: bool = False) -> list[RequestTable]:
    packages = Packages.load([city.folder], city.registry)
    return request_tables(packages, city.registry, load_adapter, everything=everything)


def field(city: City, path: str) -> RequestField:
    (table,) = tables(city, everything=True)
    return next(one for one in table.fields if one.path == path)


def origin(city: City, path: str) -> Origin:
    (only,) = field(city, path).origins
    return only


def test_the_required_fields_are_listed_and_with_all_the_others_too(city: City) -> None:
    required = ["wann", "wer", "beruf", "art", "dinge", "vertretung.name"]
    (table,) = tables(city)
    assert (table.service, table.target, table.kinds) == ("abholung", "amt", ("new",))
    assert [one.path for one in table.fields] == required
    (whole,) = tables(city, everything=True)
    assert sorted({one.path for one in whole.fields} - set(required)) == ["bemerkung.text", "tag"]


def test_a_field_is_followed_through_the_case_to_the_message_with_its_documentation(city: City) -> None:
    fixed, name = field(city, "wer").origins

    assert (fixed.kind, fixed.value) == ("constant", "Frau/Herr")
    assert (name.kind, name.joins, name.case) == ("message", "and", "applicants[1]/person/familyName")
    assert name.source is not None
    assert (name.source.path, name.source.times, name.source.named.help) == ("name", "1..1", "Wie Sie heißen.")


def test_what_the_gateway_itself_knows_is_named_as_the_published_schema_names_it(city: City) -> None:
    found = origin(city, "wann")

    assert (found.kind, found.case) == ("gateway", "receivedAt")
    assert (found.title.de, found.title.en) == ("Eingangszeitpunkt", "Received at")
    assert field(city, "wann").outcome == "sure"


def test_a_default_is_named_where_the_message_may_say_nothing(city: City) -> None:
    sent, default = field(city, "beruf").origins

    assert sent.source is not None
    assert sent.source.times == "0..1"
    assert (default.kind, default.joins, default.value) == ("default", "else", "ohne")
    assert field(city, "beruf").outcome == "sure"


def test_a_default_that_is_never_needed_is_not_named(city: City) -> None:
    city.change("services/abholung/mapping.yaml", "{from: beruf, default: ohne}", "{from: name, default: ohne}")

    assert origin(city, "beruf").kind == "message"


def test_conversions_and_codes_on_the_way_are_told_in_order(city: City) -> None:
    assert [step.en for step in origin(city, "tag").steps] == ["as a date", "as a date DD.MM.YYYY"]
    (things,) = field(city, "dinge").origins
    assert [step.de for step in things.steps] == ["Codes: sofa → SO, schrank → SR"]
    assert things.source is not None
    assert things.source.times == "1..*"


def test_what_may_be_absent_says_on_what_it_depends(city: City) -> None:
    found = field(city, "vertretung.name")

    assert (found.outcome, found.within) == ("maybe", "vertretung")
    assert [one.en for one in found.origins[0].conditions] == ["vertreten = true"]


def test_without_a_value_there_is_no_request_if_the_rule_says_so(city: City) -> None:
    city.change("targets/amt/request.yaml", "{from: data/day, as: german-date}", "{from: data/day, required: true}")

    assert field(city, "tag").outcome == "stops"


def test_a_required_field_that_nothing_fills_has_no_origin(city: City) -> None:
    city.change("targets/amt/request.yaml", "  art: Abholung\n", "")

    assert field(city, "art").origins == ()


def test_a_group_that_the_request_never_makes_requires_nothing(city: City) -> None:
    assert not field(city, "bemerkung.text").required


def test_what_the_adapter_puts_in_is_the_gateways_own(city: City) -> None:
    city.change("targets/amt/request.yaml", "  art: Abholung\n", "")
    city.change("targets/amt/target.yaml", "path: /faelle\n", 'path: /faelle\nkey: "$.art"\n')

    assert origin(city, "art").title.en == "key of the delivery"


def test_an_entry_is_followed_to_those_rules_alone_that_can_make_it(city: City) -> None:
    # Given an entry of each role, and a request that wants one of them
    city.change("targets/amt/request.yaml", "parties[role='representative']", "parties[1]")
    other = "    - role: builder\n      person: {familyName: {from: name}}\n"
    city.change("services/abholung/mapping.yaml", "  parties:\n", f"  parties:\n{other}")
    # Then the second can never be the first, for the first is always there
    assert [one.source and one.source.path for one in field(city, "vertretung.name").origins] == ["name"]
    city.change("targets/amt/request.yaml", "parties[1]", "parties[role='representative']")
    assert [one.source and one.source.path for one in field(city, "vertretung.name").origins] == ["vertreter/name"]


def test_an_entry_whose_role_a_condition_shuts_out_is_no_origin(city: City) -> None:
    other = "    - role: builder\n      person: {familyName: {from: name}}\n"
    city.change("services/abholung/mapping.yaml", "  parties:\n", f"  parties:\n{other}")
    city.write(
        "targets/amt/request.yaml",
        "request:\n  art:\n    each: parties\n    make: {when: {path: role, equals: representative}, "
        "from: person/familyName}\n",
    )

    assert [one.source and one.source.path for one in field(city, "art").origins] == ["vertreter/name"]


def test_each_different_request_of_a_target_has_a_table_with_its_kinds(city: City) -> None:
    (city.folder / "targets/amt/request-withdraw.yaml").write_text("request:\n  art: Rücknahme\n", encoding="utf-8")
    file = city.folder / "targets/amt/target.yaml"
    file.write_text(f"{file.read_text()}kinds: {{supplement: {{}}, change: skip}}\n", encoding="utf-8")

    found = {table.kinds: table.fields[-1].path for table in tables(city)}

    assert set(found) == {("new", "supplement"), ("withdraw",)}


def test_a_target_without_description_shows_what_its_request_holds(city: City) -> None:
    city.change("targets/amt/target.yaml", "openapi: amt.openapi.yaml\n", "")

    (table,) = tables(city)

    assert not table.described
    assert {"wann", "vertretung.name"} <= {one.path for one in table.fields}
    assert not any(one.required for one in table.fields)
