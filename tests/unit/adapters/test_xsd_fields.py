"""The fields of a type are listed whole, or level by level as far as there is room."""

from __future__ import annotations

from typing import Any

import xmlschema

from adapters.xsd_fields import type_fields


def schema(content: str) -> Any:
    return xmlschema.XMLSchema(
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="root" type="case"/>{content}'
        "</xs:schema>"
    )


def test_a_type_is_listed_to_its_last_field() -> None:
    # Given
    compiled = schema(
        '<xs:complexType name="case"><xs:sequence><xs:element name="owner"><xs:complexType><xs:sequence>'
        '<xs:element name="name" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:sequence>'
        '<xs:attribute name="id" use="required"/></xs:complexType>'
    )
    # Then
    found = [(field.path, field.required) for field in type_fields(compiled.elements["root"].type)]
    assert found == [("id", True), ("owner", True), ("owner.name", True)]


def test_types_that_hold_each_other_are_listed_by_whole_levels_as_far_as_there_is_room() -> None:
    # Given twenty documents in a case, and twenty cases in a document
    many = "".join(f'<xs:element name="part{number}" type="{{}}" minOccurs="0"/>' for number in range(20))
    compiled = schema(
        f'<xs:complexType name="case"><xs:sequence>{many.format(*["document"] * 20)}</xs:sequence></xs:complexType>'
        f'<xs:complexType name="document"><xs:sequence>{many.format(*["case"] * 20)}</xs:sequence></xs:complexType>'
    )
    # When
    found = type_fields(compiled.elements["root"].type)
    # Then the first two levels; the third would have 8 000
    assert len(found) == 20 + 400
    assert {field.path.count(".") for field in found} == {0, 1}
