"""Messages made from an XML Schema are valid by it, whatever it is made of; where none can be made, that is said."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import xmlschema
from lxml import etree

from xoev_schemas.examples import example
from xoev_schemas.fim.examples import NoExample

_XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'


def schema(*content: str, qualified: bool = True) -> str:
    form = 'elementFormDefault="qualified"' if qualified else ""
    return f'<xs:schema {_XS} targetNamespace="urn:x" xmlns="urn:x" {form}>{"".join(content)}</xs:schema>'


def made(text: str, *, fullness: float, seed: int = 0) -> bytes:
    root: Any = xmlschema.XMLSchema(text).elements["root"]
    return example(root, Random(seed), fullness=fullness)


def is_valid(text: str, data: bytes) -> bool:
    return etree.XMLSchema(etree.fromstring(text.encode())).validate(etree.fromstring(data))


EVERYTHING = schema(
    '<xs:element name="root"><xs:complexType><xs:sequence>',
    '<xs:element name="day" type="xs:date"/><xs:element name="more" minOccurs="0" maxOccurs="unbounded" type="node"/>',
    '<xs:choice><xs:element name="yes" type="xs:boolean"/><xs:element name="how" type="amount"/></xs:choice>',
    '</xs:sequence><xs:attribute name="version" use="required" fixed="2.6"/></xs:complexType></xs:element>',
    '<xs:complexType name="node"><xs:sequence><xs:element name="inner" type="node" minOccurs="0"/>',
    '<xs:element name="text" type="code" minOccurs="0"/></xs:sequence></xs:complexType>',
    '<xs:simpleType name="amount"><xs:restriction base="xs:decimal"><xs:minInclusive value="7.5"/>',
    '<xs:maxInclusive value="8"/></xs:restriction></xs:simpleType>',
    '<xs:simpleType name="code"><xs:restriction base="xs:string"><xs:pattern value="[A-Z]{3}"/></xs:restriction>',
    "</xs:simpleType>",
)


@pytest.mark.parametrize("fullness", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_an_example_is_valid_however_full_it_is(fullness: float, seed: int) -> None:
    assert is_valid(EVERYTHING, made(EVERYTHING, fullness=fullness, seed=seed))


def test_no_element_is_empty_that_could_hold_something() -> None:
    # Given a group of optional parts
    text = schema(
        '<xs:element name="root"><xs:complexType><xs:sequence>',
        '<xs:element name="a" type="xs:string" minOccurs="0"/>',
        '<xs:element name="b" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>',
    )
    # When
    data = made(text, fullness=0.0)
    # Then
    assert [element.text for element in etree.fromstring(data)] == ["Beispiel"]


def test_names_without_a_namespace_stay_without_one() -> None:
    # Given
    text = schema(
        '<xs:element name="root"><xs:complexType><xs:sequence>',
        '<xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType></xs:element>',
        qualified=False,
    )
    # When
    data = made(text, fullness=1.0)
    # Then
    assert is_valid(text, data)
    assert b"<a>" in data


def test_a_message_says_its_own_type_where_codes_end_names() -> None:
    # Given XÖV's way of naming messages
    text = schema(
        '<xs:element name="antrag.0200"><xs:complexType><xs:sequence><xs:element name="code" type="codes"/>',
        "</xs:sequence></xs:complexType></xs:element>",
        '<xs:simpleType name="codes"><xs:restriction base="xs:token"><xs:enumeration value="0100"/>',
        '<xs:enumeration value="0200"/></xs:restriction></xs:simpleType>',
    )
    root: Any = xmlschema.XMLSchema(text).elements["antrag.0200"]
    # Then
    assert b"<code>0200</code>" in example(root, Random(0), fullness=0.0)


@pytest.mark.parametrize(
    "kind",
    [
        '<xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="(qx7){9}"/></xs:restriction>'
        "</xs:simpleType>",
        '<xs:complexType><xs:sequence><xs:element ref="root"/></xs:sequence></xs:complexType>',
    ],
    ids=["a pattern that nobody guesses", "content without end"],
)
def test_what_cannot_be_made_is_said(kind: str) -> None:
    with pytest.raises(NoExample):
        made(schema(f'<xs:element name="root">{kind}</xs:element>'), fullness=0.0)


def test_real_messages_of_xoev_are_valid(test_data: Path) -> None:
    # Given
    file = test_data / "xoev" / "xunternehmen-gewerbesteuer-1.4"
    entry = next(path for path in sorted(file.rglob("*.xsd")) if b"bescheide.zinsen.0002" in path.read_bytes())
    compiled = xmlschema.XMLSchema(str(entry), allow="local", defuse="never")
    root: Any = compiled.elements["bescheide.zinsen.0002"]
    # Then
    assert compiled.is_valid(etree.fromstring(example(root, Random(1), fullness=0.9)))
